"""Denoising of independent phantoms recorded by eight cameras, beside conventional methods.

    python benchmarks/denoise/phantoms.py --peers-python PYTHON --cache FOLDER [choice of cases]
        [--page docs/benchmarks/phantoms.md]

Prints for every case the peak signal-to-noise ratio (dB) of the raw image, of the initial estimate,
of the plugin and of each peer, the lead over the best peer, how many voxels lie inside 90 %
intervals in each third of brightness, the signal kept on bright voxels, and the gain that was
estimated; with `--page`, as a page. Peers know the true noise, the Gaussian even the truth (its
best width), the plugin knows nothing. Seeds below 1000 are for development, 1000 to 1004 for
published figures.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from field import coverage
from scipy.ndimage import gaussian_filter

from napari_cellinr import denoise
from napari_cellinr.classic.camera.anscombe import Noise, stabilise, unstabilise
from napari_cellinr.image import Image

ROOT = Path(__file__).parents[2]
PHANTOMS = ROOT.parent / "shared" / "phantoms"
VOLUME, PLANE = (16, 64, 64), (160, 160)
WIDTHS = np.arange(0.3, 3.01, 0.15)
PEERS = ("gaussian", "nlm", "bm")
BRIGHT = 95
"""Percentile of the truth above which voxels count as bright."""


@dataclass(frozen=True)
class Case:
    """One specimen recorded by one camera; grey levels, axes ZYX or YX."""

    specimen: str
    camera: str
    raw: np.ndarray
    truth: np.ndarray
    clean: np.ndarray
    noise: Noise

    @property
    def name(self) -> str:
        return f"{self.specimen} {self.camera}"

    @property
    def axes(self) -> str:
        return "ZYX"[-self.raw.ndim :]


def main() -> None:
    """Denoise all chosen cases, and print or write the table."""
    given = _arguments()
    sys.path.insert(0, str(given.phantoms))
    lines = [
        "| case | raw | start | result | adds | Gaussian | NLM | BM4D/BM3D | lead | inside 90 % | "
        "kept: ours, Gaussian, BM | gain | warned | CPU-s |",
        "|" + "---|" * 14,
    ]
    print("\n".join(lines))
    leads = []
    for seed in given.seeds:
        for case in cases(given.specimens, given.cameras, seed):
            lead, line = _one(case, given)
            print(line, flush=True)
            leads.append(lead)
            lines.append(line)
    end = f"Lead over the best peer: mean {np.mean(leads):+.2f}, worst {min(leads):+.2f} dB."
    print(end)
    if given.page:
        given.page.write_text(_page(lines, end, given), "utf-8")


def _page(lines: list[str], end: str, given: argparse.Namespace) -> str:
    """Return the page of these results."""
    seeds = f"seed{'s' * (len(given.seeds) > 1)} {', '.join(map(str, given.seeds))}"
    return "\n".join(
        [
            f"# Denoising of independent phantoms: preset `{given.preset}`, {seeds}",
            "",
            "Written by `benchmarks/denoise/phantoms.py`. Volumes of 16×64×64 voxels, planes of",
            "160×160. Peak signal-to-noise ratio in dB; the peak is the range of the truth. The",
            "plugin is given nothing; NLM and BM4D (BM3D in a plane) are given the true noise and",
            "work on stabilised values; the Gaussian has the width that is best for the truth.",
            "*Start* is the initial estimate, *adds* what the network adds to it. *Inside* is the",
            "percentage of voxels within 1.645 standard errors of the truth, by brightness of the",
            "result. *Kept* is the signal on the brightest 5 % of the voxels over the true one,",
            "with the background subtracted. *Warned*: the result has a warning.",
            "",
            *lines,
            "",
            end,
            "",
        ]
    )


def cases(specimens: list[str], cameras: list[str], seed: int) -> list[Case]:
    """Return the chosen cases of one seed; the phantoms must be on the path."""
    import cameras as recording
    import specimens as made

    found = []
    for name, make in {**made.VOLUMES, **made.PLANES}.items():
        if specimens and name not in specimens:
            continue
        specimen = make(VOLUME if name in made.VOLUMES else PLANE, seed)
        for camera in recording.CAMERAS:
            if cameras and camera not in cameras:
                continue
            raw, truth, gain, read, offset = recording.record(specimen, camera, seed)
            blur = _blurred_variance() if camera == "resampled" else 1.0
            noise = Noise(gain * blur, read * blur**0.5, offset)
            clean = truth - truth.min()
            found.append(Case(name, camera, raw, truth, clean, noise))
    return found


def _blurred_variance() -> float:
    """Return the fraction of the variance that the blur of the camera `resampled` leaves."""
    point = np.zeros((15, 15))
    point[7, 7] = 1
    return float((gaussian_filter(point, 0.6) ** 2).sum())


def decibels(result: np.ndarray, truth: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio; the peak is the range of the truth."""
    error = np.mean((np.asarray(result, np.float64) - truth) ** 2)
    return float(10 * np.log10(np.ptp(truth) ** 2 / error))


def kept(signal: np.ndarray, case: Case) -> float:
    """Return the signal on bright voxels relative to the true one."""
    bright = case.clean >= np.percentile(case.clean, BRIGHT)
    return float(signal[bright].mean() / case.clean[bright].mean())


def _one(case: Case, given: argparse.Namespace) -> tuple[float, str]:
    """Return the lead over the best peer in dB, and the line of the table."""
    started = time.process_time()
    image = Image(case.raw, axes=case.axes)
    fitted = denoise(image, background="subtract", preset=given.preset, **given.settings)
    seconds = time.process_time() - started
    noise = Noise(**fitted.report["noise"])
    result, signal = (fitted.image(role).array() for role in ("kept", "result"))
    start = decibels(unstabilise(fitted.state["estimate"].numpy(), noise), case.truth)
    ours = decibels(result, case.truth)
    images = {peer: peer_result(peer, case, given) for peer in given.peers}
    peers = {peer: decibels(image, case.truth) for peer, image in images.items()}
    lead = ours - max(peers.values(), default=ours)
    inside, shares = "–", [kept(signal, case)]
    if "error" in fitted.roles:
        inside = " ".join(map(str, coverage(result, fitted.image("error").array(), case.truth)))
    shares += [kept(images[peer] - case.truth.min(), case) for peer in given.peers if peer != "nlm"]
    columns = " | ".join(f"{peers[peer]:.2f}" if peer in peers else "–" for peer in PEERS)
    warned = "yes" if any("replaced" not in text for text in fitted.report["warnings"]) else ""
    line = (
        f"| {case.name} | {decibels(case.raw, case.truth):.2f} | {start:.2f} | {ours:.2f} | "
        f"{ours - start:+.2f} | {columns} | {lead:+.2f} | {inside} | "
        f"{' '.join(f'{share:.2f}' for share in shares)} | {noise.gain:.2f} | {warned} | "
        f"{seconds:.0f} |"
    )
    return lead, line


def peer_result(peer: str, case: Case, given: argparse.Namespace) -> np.ndarray:
    """Return what a peer makes of a case, from the cache if it is there."""
    key = hashlib.sha256(case.raw.tobytes() + repr((peer, case.noise)).encode()).hexdigest()[:20]
    path = given.cache / f"{key}.npy"
    if not path.exists():
        given.cache.mkdir(parents=True, exist_ok=True)
        result = _MAKE[peer](case, given)
        np.save(path, np.asarray(result, np.float32))
    return np.load(path)


def _gaussian(case: Case, given: argparse.Namespace) -> np.ndarray:
    """Return the best of all widths, as told by the truth."""
    raw = case.raw.astype(np.float64)
    results = (gaussian_filter(raw, width) for width in WIDTHS)
    return max(results, key=lambda result: decibels(result, case.truth))


def _nlm(case: Case, given: argparse.Namespace) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    values = stabilise(case.raw, case.noise)
    settings: dict[str, Any] = {"patch_size": 3, "patch_distance": 4, "h": 0.6, "sigma": 1.0}
    return unstabilise(denoise_nl_means(values, **settings), case.noise)


def _bm(case: Case, given: argparse.Namespace) -> np.ndarray:
    """Return BM4D of a volume, BM3D of a plane, in an environment that has them."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npy", Path(folder) / "out.npy"
        np.save(source, stabilise(case.raw, case.noise))
        script = Path(__file__).with_name("bm_of_file.py")
        command = [given.peers_python, str(script), str(source), str(target)]
        subprocess.run(command, check=True, capture_output=True)
        return unstabilise(np.load(target), case.noise)


_MAKE = {"gaussian": _gaussian, "nlm": _nlm, "bm": _bm}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--phantoms", type=Path, default=PHANTOMS, help="folder of the phantoms")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "phantoms")
    parser.add_argument("--peers-python", default=sys.executable, help="Python with bm3d and bm4d")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--specimens", nargs="*", default=[])
    parser.add_argument("--cameras", nargs="*", default=[])
    parser.add_argument("--seeds", nargs="*", type=int, default=[1])
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--page", type=Path, help="file of the page to be written")
    parser.add_argument("--set", dest="settings", nargs="*", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    given.settings = dict(text.split("=", 1) for text in given.settings)
    return given


if __name__ == "__main__":
    main()
