"""Recordings that the other tables lack: rolling shutters, three-beam light, bad frames, channels.

    python benchmarks/nstm/special.py [--phantoms FOLDER] [--seeds 1000,1001] [CASE …]

Specimens and motions are those of the independent phantoms `moving.py`; the cameras below are
simulated without any code of the package. For each recording: the error of the displacement from
the first to the last moment at the points of the specimen (median and 90 %, camera pixels), the
correlation of the scene with the truth beside that of the conventional answer, and what is warned
of. Results are kept in `build/special`, and are not computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.signal import fftconvolve

from napari_cellinr import Image, reconstruct

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
PHANTOMS = ROOT.parent / "shared" / "phantoms"
BUILD = ROOT / "build" / "special"
EDGE = 4.0  # pixels of the scene; points nearer to the edge do not count
PARAMETERS = np.geomspace(0.003, 10, 25)  # of Wiener
SIZE = 64

HEADS = (
    "recording, seed",
    "motion, px",
    "error, px: median / 90 %",
    "correlation",
    "conventional",
    "warning",
)


@dataclass
class Made:
    """A recording, the true places of its points, and its truth.

    Parameters
    ----------
    raw
        Grey levels with the axes `axes`.
    axes, scale, units
        Of the raw values.
    optics
        Settings of the microscope.
    starts, ends
        Places of the points at the first and the last moment, (points, 2) in pixels of the scene.
    truth
        The scene at the moments of the result, axes T [Z] Y X, or at the last moment only.
    zoom
        Pixels of the scene per pixel of the camera.
    settings
        Further settings of the reconstruction.
    """

    raw: NDArray[Any]
    axes: str
    scale: tuple[float, ...]
    units: tuple[str, ...]
    optics: dict[str, Any]
    starts: NDArray[Any]
    ends: NDArray[Any]
    truth: NDArray[Any] | None = None
    zoom: float = 1.0
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def image(self) -> Image:
        return Image(self.raw, self.axes, self.scale, self.units)

    def errors(self, motion: Image) -> NDArray[Any]:
        """Return the error of the displacement between first and last moment, camera pixels."""
        steps = np.reshape(motion.scale[-2:], (2, 1, 1))
        last = np.asarray(motion.array()[-1], float)
        flat = last[-2:].reshape(2, -1, *last.shape[-2:])
        moved = flat[:, flat.shape[1] // 2] / steps
        inside = np.all((self.starts >= EDGE) & (self.starts <= last.shape[-1] - 1 - EDGE), axis=1)
        inside &= np.all((self.ends >= EDGE) & (self.ends <= last.shape[-1] - 1 - EDGE), axis=1)
        found = [
            map_coordinates(part, self.starts[inside].T, order=1, mode="nearest") for part in moved
        ]
        true = (self.ends - self.starts)[inside]
        return np.linalg.norm(np.stack(found, axis=1) - true, axis=1) / self.zoom


def caustic(size: int, generator: np.random.Generator) -> NDArray[Any]:
    """Return the image of a point through a diffuser: bright lines of a random smooth surface."""
    phase = gaussian_filter(generator.normal(size=(size, size)), 4.0, mode="wrap")
    phase /= phase.std()
    y, x = np.mgrid[:size, :size] + 14.0 * np.stack(np.gradient(phase))
    hits, _, _ = np.histogram2d(y.ravel(), x.ravel(), bins=size, range=[[0, size], [0, size]])
    inside = np.hypot(*(np.mgrid[:size, :size] - (size - 1) / 2)) < size / 2.3
    return np.asarray(gaussian_filter(hits * inside, 0.7))


def rolling(motion: str, seed: int, *, dual: bool = True, exposed: str = "rows") -> Made:
    """Return one picture of a lensless camera whose rows are exposed one after the other.

    Each row is the mean of eight instants of its exposure of four row times. `exposed="at once"` is
    a global shutter: all rows see the first moment, whatever the settings say.
    """
    import moving

    size, scene_size, row_time, exposure = 96, 48, 1e-4, 4e-4
    generator = np.random.default_rng(seed + 500)
    specimen = moving.Moving(_small(motion), seed, ((24, 24),), 13, 40)
    psf = caustic(size, generator)
    psf /= psf.sum()
    swept = size // 2 if dual else size
    span = (swept - 1) * row_time + exposure
    grids = np.mgrid[:scene_size, :scene_size].astype(float)
    start = (size - scene_size) // 2

    def picture(seconds: float) -> NDArray[Any]:
        scene = np.zeros((size, size))
        now = 0.0 if exposed == "at once" else seconds / span
        scene[start : start + scene_size, start : start + scene_size] = specimen.at(grids, now)
        # Centre of the full convolution: a point in the middle gives the psf as it is.
        return np.asarray(fftconvolve(scene, psf))[
            size // 2 : size // 2 + size, size // 2 : size // 2 + size
        ]

    rows = np.zeros((size, size))
    instants = (np.arange(8) + 0.5) / 8 * exposure
    for number in range(swept):
        seen = np.mean([picture(number * row_time + t) for t in instants], axis=0)
        for row in {number, size - 1 - number} if dual else {number}:
            rows[row] = seen[row]
    raw = 100 + 2000 * rows / rows.max()
    raw = raw + 0.01 * np.sqrt(2000 * (raw - 100).clip(100)) * generator.normal(size=raw.shape)
    place = Path(tempfile.mkdtemp()) / "psf.tif"
    tifffile.imwrite(place, (psf / psf.max()).astype(np.float32))
    optics = {
        "kind": "rolling-shutter",
        "psf": str(place),
        "psf_background": 0.0,
        "row_time": row_time,
        "exposure": exposure,
        "shutter": "dual" if dual else "single",
        "rows_per_shot": 4,
        "background": 100.0,
    }
    places = specimen.places(0.0), specimen.places(0.0 if exposed == "at once" else 1.0)
    return Made(raw.astype(np.float32), "YX", (1.0, 1.0), ("pixel", "pixel"), optics, *places)


def _small(motion: str) -> Callable[[int, float], tuple[float, NDArray[Any], NDArray[Any]]]:
    """Return a motion that stays in a scene of 48 pixels."""
    centre = np.array([24.0, 24.0])
    shifts = {"still": (0.0, [0.0, 0.0]), "turning": (0.2, [2.5, -2.0]), "shift": (0.0, [3.0, 2.2])}
    angle, shift = shifts[motion]
    return lambda _, t: (angle * t, np.array(shift) * t, centre)


def stack3d(motion: str, seed: int, noise: float = 0.02) -> Made:
    """Return a stack by three-beam light: three directions, five phases, seven planes.

    The light is |1 + a e^(ikr) + a e^(-ikr)|² of three plane waves with their axial phases, fixed
    to the focal plane; each plane of the specimen is blurred by the defocused image of a point,
    computed from the pupil.
    """
    import moving

    planes, fine, pixel, step = 7, 2 * SIZE, 0.08, 0.16
    na, index, emission, excitation, period = 1.2, 1.33, 0.525, 0.488, 0.42
    angles, sides = (8.0, 68.0, 128.0), 0.9
    depth = planes + 6
    generator = np.random.default_rng(seed)
    f = np.fft.fftfreq(fine, pixel / 2)
    radius = np.hypot(*np.meshgrid(f, f, indexing="ij"))
    axial = np.sqrt(np.clip((index / emission) ** 2 - radius**2, 0, None))
    pupil = radius <= na / emission
    heights = np.arange(-depth + 1, depth) * step
    points = [abs(np.fft.ifft2(pupil * np.exp(2j * np.pi * axial * z))) ** 2 for z in heights]
    transfers = [np.fft.fft2(p / points[depth - 1].sum()).real for p in points]
    objects = [
        moving.Moving(_wide(motion), seed * 10 + n, ((64, 64),), 50, 14) for n in range(depth)
    ]
    layers = [(z, moved) for z, moved in enumerate(objects)]
    grids = np.mgrid[:fine, :fine].astype(float)
    k = index / excitation
    kx = 1 / period
    along = np.sqrt(k**2 - kx**2)

    def scene(t: float) -> NDArray[Any]:
        flat = np.stack([moved.at(grids, t) for _, moved in layers])
        return np.asarray(gaussian_filter(flat, (0.8, 0, 0)))

    shots = len(angles) * 5
    raw = np.zeros((shots, planes, SIZE, SIZE))
    truth = []
    for number in range(shots):
        direction, phase = divmod(number, 5)
        turn = np.radians(angles[direction])
        wave = 2 * np.pi * kx * (np.sin(turn) * grids[0] + np.cos(turn) * grids[1]) * pixel / 2
        wave = wave + 0.4 + direction + 2 * np.pi * phase / 5
        now = scene(number / (shots - 1))
        truth.append(now[3 : 3 + planes])
        for plane in range(planes):
            total = np.zeros((fine, fine))
            for z in range(depth):
                height = (z - 3 - plane) * step
                defocus = 2 * np.pi * (k - along) * height
                light = 1 + 2 * sides**2 + 4 * sides * np.cos(wave) * np.cos(defocus)
                light = (light + 2 * sides**2 * np.cos(2 * wave)) / (1 + 2 * sides**2)
                blurred = np.fft.fft2(now[z] * light) * transfers[z - 3 - plane + depth - 1]
                total += np.fft.ifft2(blurred).real
            raw[number, plane] = total[::2, ::2]
    recorded = moving.camera(raw, noise, generator)
    optics = {
        "kind": "sim3d",
        "wavelength": emission,
        "na": na,
        "refractive_index": index,
        "wavelength_excitation": excitation,
        "voxel_size": (step, pixel, pixel),
        "periods": (period,) * 3,
        "angles": angles,
        "frame_order": "direction-phase-z",
        "background": 100.0,
        "frame_time": 1 / (shots * planes),
    }
    places = [one[0].places(t) for one in ([objects[6]],) for t in (0.0, 1.0)]
    scale = (1.0, step, pixel, pixel)
    units = ("second", *["micrometer"] * 3)
    return Made(
        recorded.reshape(-1, SIZE, SIZE),
        "ZYX",
        scale[1:],
        units[1:],
        optics,
        *places,
        np.stack(truth),
        2.0,
    )


def _wide(motion: str) -> Callable[[int, float], tuple[float, NDArray[Any], NDArray[Any]]]:
    centre = np.array([64.0, 64.0])
    angle, shift = {"still": (0.0, [0.0, 0.0]), "turning": (0.15, [5.0, -3.0])}[motion]
    return lambda _, t: (angle * t, np.array(shift) * t, centre)


def lapse(what: str, seed: int, noise: float = 0.05) -> Made:
    """Return a time lapse of twelve frames of a specimen that turns, with something wrong in it."""
    import moving

    raw, truth, times, specimen = moving.time_lapse("turning", seed, noise, n=12)
    generator = np.random.default_rng(seed + 7)
    raw = raw.copy()
    if what == "black":
        raw[5] = 100 + generator.normal(size=raw[5].shape)
    elif what == "saturated":
        raw[7] = np.clip((raw[7] - 100) * 12 + 100, None, 2100)
    elif what == "blurred":
        raw[4] = gaussian_filter(raw[4], 4) + generator.normal(size=raw[4].shape) * 20
    elif what == "repeated":
        raw[6] = raw[5]
    elif what == "flicker":
        level = 1 + 0.25 * generator.normal(size=(12, 1, 1))
        raw = ((raw - 100) * level.clip(0.4, 1.7) + 100).astype(np.float32)
    settings: dict[str, Any] = {}
    optics: dict[str, Any] = {"kind": "time-lapse", "background": 100.0}
    if what == "gap":
        kept = [0, 1, 2, 3, 4, 9, 10, 11]
        raw, truth = raw[kept], truth[kept]
        optics["frame_times"] = tuple(float(times[n]) for n in kept)
    places = specimen.places(0.0), specimen.places(1.0)
    units = ("second", "pixel", "pixel")
    scale = (float(times[1]), 1.0, 1.0)
    return Made(raw, "TYX", scale, units, optics, *places, truth, settings=settings)


def two_channels(what: str, seed: int) -> Made:
    """Return two channels that move together; the second is six times as noisy as the first."""
    import moving

    raw, _, times, specimen = moving.time_lapse("turning", seed, 0.05)
    other = moving.Moving(moving.MOTIONS["turning"], seed + 50)
    grids = np.mgrid[:SIZE, :SIZE].astype(float)
    truth = np.stack([other.at(grids, t) for t in times])
    noisy = moving.camera(truth, 0.3, np.random.default_rng(seed + 77))
    places = specimen.places(0.0), specimen.places(1.0)
    settings = {"motion_channel": "all" if what == "all" else 0}
    return Made(
        np.stack([raw, noisy], axis=1),
        "TCYX",
        (float(times[1]), 1.0, 1.0, 1.0),
        ("second", "pixel", "pixel", "pixel"),
        {"kind": "time-lapse", "background": 100.0},
        *places,
        truth,
        settings=settings,
    )


CASES: dict[str, Callable[[int], Made]] = {
    "dual rolling shutter, shift": lambda seed: rolling("shift", seed),
    "dual rolling shutter, turning": lambda seed: rolling("turning", seed),
    "dual rolling shutter, still": lambda seed: rolling("still", seed),
    "single rolling shutter, turning": lambda seed: rolling("turning", seed, dual=False),
    "global shutter taken for a dual one": lambda seed: rolling("shift", seed, exposed="at once"),
    "three-beam stack, still": lambda seed: stack3d("still", seed),
    "three-beam stack, turning": lambda seed: stack3d("turning", seed),
    "time lapse": lambda seed: lapse("", seed),
    "time lapse, a black frame": lambda seed: lapse("black", seed),
    "time lapse, a saturated frame": lambda seed: lapse("saturated", seed),
    "time lapse, a blurred frame": lambda seed: lapse("blurred", seed),
    "time lapse, a repeated frame": lambda seed: lapse("repeated", seed),
    "time lapse, flicker of 25 %": lambda seed: lapse("flicker", seed),
    "time lapse, four frames missing": lambda seed: lapse("gap", seed),
    "second channel, motion of the first": lambda seed: two_channels("first", seed),
    "second channel, motion of both": lambda seed: two_channels("all", seed),
}


def measure(case: str, seed: int) -> dict[str, Any]:
    """Return the scores of one recording."""
    made = CASES[case](seed)
    begun = time.process_time()
    fitted = reconstruct(made.image, made.optics, device="cpu", **made.settings)
    seconds = time.process_time() - begun
    errors = made.errors(fitted.image("motion"))
    far = np.linalg.norm(made.ends - made.starts, axis=1) / made.zoom
    scores: dict[str, Any] = {
        "motion": float(np.median(far)),
        "median": float(np.median(errors)),
        "ninety": float(np.quantile(errors, 0.9)),
        "moves": fitted.report["moves"],
        "warnings": list(fitted.report["warnings"]),
        "attempts": [one["attempt"] for one in fitted.report["attempts"]],
        "cpu_seconds": seconds,
    }
    if made.truth is not None:
        found = np.asarray(fitted.image("result").array(), float)
        if "channel" in case:
            found = found[:, 1]
            scores["conventional"] = _likeness(made.raw[:, 1], made.truth)
        elif "three-beam" in case:
            scores["conventional"] = _best_wiener(made)
        elif len(made.raw) == len(made.truth):
            scores["conventional"] = _likeness(made.raw, made.truth)
        scores["correlation"] = np.mean(
            [_likeness(*two) for two in zip(found, made.truth, strict=True)]
        )
    return scores


def _best_wiener(made: Made) -> float:
    """Return the largest correlation of a Wiener reconstruction with a moment of the truth."""
    from napari_cellinr.acquisition import prepare
    from napari_cellinr.classic.deconvolve import wiener
    from napari_cellinr.config.optics import optics_from_dict

    assert made.truth is not None
    measurement = prepare(made.image, optics_from_dict(made.optics))
    frames: Any = torch.from_numpy(measurement.frames)
    model: Any = measurement.model
    found = (wiener(model, frames, float(noise)).numpy() for noise in PARAMETERS)
    return max(_likeness(scene, truth) for scene in found for truth in made.truth)


def _likeness(scene: Any, truth: Any) -> float:
    return float(np.corrcoef(np.ravel(scene), np.ravel(truth))[0, 1])


def row(name: str, one: dict[str, Any]) -> list[str]:
    """Return the row of one recording."""
    both = [f"{one[key]:.4f}" if key in one else "–" for key in ("correlation", "conventional")]
    said = " ".join(text.split(". ")[0].rstrip(".") + "." for text in one["warnings"]) or "none"
    error = f"{one['median']:.2f} / {one['ninety']:.2f}"
    return [name, f"{one['motion']:.2f}", error, *both, said]


def kept() -> list[list[str]]:
    """Return the rows of all recordings that were fitted, in the order of the cases."""
    rows = []
    for case in CASES:
        for place in sorted(BUILD.glob(f"{_file(case)}-[0-9]*.json")):
            seed = place.stem.rsplit("-", 1)[1]
            rows.append(row(f"{case}, {seed}", json.loads(place.read_text())))
    return rows


def _file(case: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in case)


def main() -> None:
    """Measure the chosen cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="parts of their names; all if none is given")
    parser.add_argument("--phantoms", type=Path, default=PHANTOMS, help="folder of moving.py")
    parser.add_argument("--seeds", default="1000", help="comma-separated")
    given = parser.parse_args()
    sys.path.insert(0, str(given.phantoms))
    BUILD.mkdir(parents=True, exist_ok=True)
    print(f"| {' | '.join(HEADS)} | CPU s |")
    print("|---" * (len(HEADS) + 1) + "|")
    for case in CASES:
        if given.cases and not any(part in case for part in given.cases):
            continue
        for seed in map(int, given.seeds.split(",")):
            place = BUILD / f"{_file(case)}-{seed}.json"
            if not place.exists():
                place.write_text(json.dumps(measure(case, seed)))
            one = json.loads(place.read_text())
            cells = [*row(f"{case}, {seed}", one), f"{one['cpu_seconds']:.0f}"]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
