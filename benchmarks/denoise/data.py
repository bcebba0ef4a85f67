"""The images that are denoised, and what is known of their truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.io import read
from napari_cellinr.simulate.embryo import VOXEL_SIZE, embryo

if TYPE_CHECKING:
    from napari_cellinr.simulate.embryo import EmbryoSample

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
KINDS = ("membranes", "nuclei")
LEVELS = ("default", "low light", "paper")
REPORTED_SEEDS = (100, 101, 102, 103, 104)
TUNING_SEEDS = (0,)

_SIZE = (48, 96, 96)
_CAMERAS = {
    "default": {"gain": 2.0, "read_noise": 8.0},
    "low light": {"gain": 4.0, "read_noise": 12.0},
}
_PHOTONS = 0.1  # the paper's "factor": photons per grey level
_ADDED = 20.0  # the paper's Gaussian noise in grey levels


@dataclass(frozen=True, eq=False)
class Case:
    """One image to denoise; axes ZYX or YX, float32.

    Parameters
    ----------
    group
        What the scores are averaged over, for example "membranes, default".
    name
        Unique name, fit for a file.
    raw
        The noisy image in grey levels.
    scale
        Voxel size along each axis.
    kept
        The truth with its background.
    clean
        The truth without it, or None where it is not known.
    labels
        Cell of each voxel, or None.
    peak
        Range of the grey levels for PSNR and SSIM.
    fitted
        Whether gain and offset are fitted before scoring.
    """

    group: str
    name: str
    raw: np.ndarray
    scale: tuple[float, ...]
    kept: np.ndarray
    clean: np.ndarray | None = None
    labels: np.ndarray | None = None
    peak: float = 255.0
    fitted: bool = False


def simulated_groups() -> list[tuple[str, str]]:
    """Return all pairs of structure and noise level."""
    return [(kind, level) for kind in KINDS for level in LEVELS]


@cache
def simulated(kind: str, level: str, seed: int) -> Case:
    """Return a simulated embryo at one of the noise levels."""
    sample, raw, kept = _paper(kind, seed) if level == "paper" else _camera(kind, level, seed)
    return Case(
        group=f"{kind}, {level}",
        name=f"{kind}-{level.replace(' ', '-')}-{seed}",
        raw=raw,
        scale=VOXEL_SIZE,
        kept=kept,
        clean=sample.truth.array(),
        labels=sample.labels.array() if kind == "membranes" else None,
    )


def _camera(kind: Any, level: str, seed: int) -> tuple[EmbryoSample, np.ndarray, np.ndarray]:
    """Return an embryo with photon and camera noise everywhere."""
    sample = embryo(kind, _SIZE, seed, **_CAMERAS[level])
    return sample, sample.raw.array(), sample.truth_with_background.array()


def _paper(kind: Any, seed: int) -> tuple[EmbryoSample, np.ndarray, np.ndarray]:
    """Return an embryo with the noise that the paper adds to its 8-bit recordings.

    Read as: the mean is 8-bit and exactly 0 far from the embryo; 0.1 photons per grey level;
    Gaussian noise of 20 grey levels where the mean is not 0. Nothing is clipped, because that
    would add the same bias to every method.
    """
    sample = embryo(kind, _SIZE, seed, gain=0.0, read_noise=0.0, background=(0.0, 35.0))
    mean = np.rint(sample.truth_with_background.array())
    generator = np.random.default_rng((seed, 1))
    photons = generator.poisson(mean * _PHOTONS)
    noise = _ADDED * generator.standard_normal(mean.shape) * (mean > 0)
    return sample, (photons / _PHOTONS + noise).astype(np.float32), mean.astype(np.float32)


def real_pairs() -> list[Case]:
    """Return the pairs of a noisy and a nearly noise-free exposure; none without the data."""
    return [*_microtubules(), *_widefield()] if DATA.is_dir() else []


def _microtubules() -> list[Case]:
    """Return microtubules at 200 Hz and 100 Hz against 9 Hz, corrected by the camera's maps."""
    folder = DATA / "microtubules_paired"
    reference = _corrected(folder / "TIRF_9Hz.tif")
    fast = _corrected(folder / "TIRF_200Hz.tif")
    exposures = {f"200hz-{i}": fast[i] for i in (0, 5, 10, 15)}
    exposures["100hz"] = _corrected(folder / "TIRF_100Hz.tif")
    return [
        _pair(f"microtubules {name.split('hz')[0]} Hz", f"microtubules-{name}", image, reference)
        for name, image in exposures.items()
    ]


def _corrected(path: Path) -> np.ndarray:
    """Return grey levels less the offset and divided by the gain of each pixel of the camera."""
    from scipy.io import loadmat

    gain = loadmat(path.with_name("gain.mat"))["gain"]
    offset = loadmat(path.with_name("offset.mat"))["offset"]
    corrected = (read(path).array().astype(np.float64) - offset) / gain
    return corrected.astype(np.float32)


def _widefield() -> list[Case]:
    """Return single wide-field exposures against the mean of 400."""
    folder = DATA / "widefield_paired_2d"
    cases = []
    for field in ("001_0", "050_2"):
        noisy = read(folder / f"images_avg1_8bit__input_avg1_{field}.tif").array()
        mean = read(folder / f"images_avg400_8bit__target_avg400_{field}.tif").array()
        name = f"widefield-{field.replace('_', '-')}"
        cases.append(_pair(f"wide field {field[:3]}", name, noisy, mean))
    return cases


def _pair(group: str, name: str, noisy: np.ndarray, reference: np.ndarray) -> Case:
    kept = reference.astype(np.float32)
    peak = float(kept.max() - kept.min())
    return Case(group, name, noisy.astype(np.float32), (1.0, 1.0), kept, peak=peak, fitted=True)


@cache
def celegans() -> Case | None:
    """Return the real C. elegans stack, which has no truth, or None without the data."""
    path = DATA / "celegans_membrane" / "membrane_t025.tif"
    if not path.exists():
        return None
    image = read(path)
    raw = image.array().astype(np.float32)
    return Case("C. elegans", "celegans", raw, image.scale, raw)
