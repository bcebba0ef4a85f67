"""What the network of CellINR adds to the initial estimate, on data made by others.

    python benchmarks/denoise/field.py [--fmd] [--seeds 3] [--preset best] [CASE …]
        [--picture docs/benchmarks/denoise-network.png]

A case is `SPECIMEN-CAMERA`, such as `puncta-middle` or `membranes-low`, or `fmd-NAME`. Prints the
decibels of the estimate and with the network, the gain expected without the truth, how many voxels
lie inside 90 % intervals in each third of brightness, and CPU seconds. The picture has a row for
each case: raw, the estimate, with the network, truth, standard error. The data are in the folder
`shared` beside the project.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from pictures import Panel, save_panels

from napari_cellinr import Image, denoise
from napari_cellinr.classic.camera.anscombe import Noise, unstabilise

VOLUME, PLANE, CROP = (16, 64, 64), (160, 160), 192
DEFAULT = [
    *(
        f"{specimen}-{camera}"
        for camera in ("low", "middle", "high")
        for specimen in ("puncta", "nuclei", "neurons", "granules", "membranes")
    ),
]
INTERVAL = 1.6449
SHARED = Path(__file__).parents[2].parent / "shared"


def recorded(case: str, seed: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Return raw image, truth and axes of a phantom."""
    sys.path.insert(0, str(SHARED / "phantoms"))
    from cameras import record
    from specimens import PLANES, VOLUMES

    specimen, camera = case.split("-")
    if specimen.endswith("_plane"):
        truth = VOLUMES[specimen.removesuffix("_plane")]((8, *PLANE), seed).max(0)
    elif specimen in PLANES:
        truth = PLANES[specimen](PLANE, seed)
    else:
        truth = VOLUMES[specimen](VOLUME, seed)
    raw, grey, *_ = record(truth, camera, seed)
    return raw.astype(np.float32), grey, "ZYX" if raw.ndim == 3 else "YX"


def fmd(case: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Return a crop of a raw image and of its truth."""
    import imageio.v3 as iio

    name = case.removeprefix("fmd-")
    part = (slice(160, 160 + CROP),) * 2
    raw, truth = (
        iio.imread(SHARED / "data" / "fmd_pairs" / f"{name}_{kind}.png")[part]
        for kind in ("raw", "gt")
    )
    return raw.astype(np.float32), truth.astype(float), "YX"


def decibels(result: np.ndarray, truth: np.ndarray, *, scaled: bool) -> float:
    """Return the PSNR; gain and offset are fitted if the truth has its own."""
    result = np.asarray(result, float)
    if scaled:
        gain, offset = np.polyfit(result.ravel(), truth.ravel(), 1)
        result = gain * result + offset
    peak = 255 if scaled else np.ptp(truth)
    return float(10 * np.log10(peak**2 / np.mean((result - truth) ** 2)))


def coverage(result: np.ndarray, error: np.ndarray, truth: np.ndarray) -> list[int]:
    """Return the percentage of voxels inside the 90 % interval in each third of brightness."""
    inside = np.abs(result - truth) <= INTERVAL * error
    third = np.digitize(result, np.quantile(result, (1 / 3, 2 / 3)))
    return [round(100 * inside[third == n].mean()) for n in range(3)]


def run(case: str, seed: int, preset: str) -> list[Panel]:
    """Denoise a case, print a row of the table, and return its planes."""
    is_fmd = case.startswith("fmd-")
    if is_fmd:
        raw, truth, axes = fmd(case)
    else:
        raw, truth, axes = recorded(case, seed)
    image, started = Image(raw, axes), time.process_time()
    fit = denoise(image, preset, background="keep")
    seconds = time.process_time() - started
    result = fit.image("result").array()
    noise = fit.report["noise"]
    start = unstabilise(fit.state["estimate"].numpy(), Noise(**noise))
    before, after = (decibels(one, truth, scaled=is_fmd) for one in (start, result))
    field = fit.report.get("field", {})
    inside = coverage(result, fit.image("error").array(), truth) if "error" in fit.roles else "-"
    print(
        f"| {case} | {seed} | {before:.2f} | {after:.2f} | {after - before:+.2f} | "
        f"{field.get('expected_gain_db', 0):+.2f} | {inside} | {field.get('fractions')} | "
        f"{seconds:.1f} |",
        flush=True,
    )
    low, high = np.percentile(truth, [0.5, 99.8])
    images = {
        "raw": raw,
        f"start {before:.1f} dB": start,
        f"with the network {after:.1f} dB": result,
    }
    panels = [(name, _plane(one), (low, high)) for name, one in {**images, "truth": truth}.items()]
    if "error" in fit.roles:
        error = fit.image("error").array()
        panels.append(("standard error", _plane(error), (0, float(np.percentile(error, 99.8)))))
    return panels


def _plane(image: np.ndarray) -> np.ndarray:
    """Return the middle plane of an image."""
    return image if image.ndim == 2 else image[len(image) // 2]


def main() -> None:
    """Run all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--fmd", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[3])
    parser.add_argument("--preset", default="best")
    parser.add_argument("--picture", type=Path, help="PNG file")
    arguments = parser.parse_args()
    cases = arguments.cases or DEFAULT
    if arguments.fmd and not arguments.cases:
        names = sorted(
            path.stem.removesuffix("_raw")
            for path in (SHARED / "data" / "fmd_pairs").glob("*_raw.png")
        )
        cases = [*cases, *(f"fmd-{name}" for name in names)]
    print("| case | seed | start dB | with | adds | expected | inside 90 % | applied | CPU-s |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = [run(case, seed, arguments.preset) for case in cases for seed in arguments.seeds]
    if arguments.picture:
        save_panels(arguments.picture, rows, zoom=2)


if __name__ == "__main__":
    main()
