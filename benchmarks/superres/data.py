"""The series and stacks that are super-resolved, and what is known of their truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from common.runs import digest
from skimage.registration import optical_flow_ilk

from napari_cellinr.classic.camera.anscombe import stabilise, unstabilise
from napari_cellinr.classic.camera.noise import estimate_noise
from napari_cellinr.classic.estimate import nlm
from napari_cellinr.image import Image
from napari_cellinr.io import read
from napari_cellinr.simulate.cells import cells, thinned

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
BUILD = ROOT / "build" / "superres"
REPORTED_SEEDS = (100, 101)
TUNING_SEED = 0
CROP = np.s_[:, 20:50, 80:176, 110:246]  # of the embryo: small enough for a CPU
PROTOCOL_CROP = np.s_[:, 10:60, 64:192, 90:270]


@dataclass(frozen=True, eq=False)
class Case:
    """One thing to super-resolve.

    Parameters
    ----------
    name
        Unique, fit for a file; `group` without its seed.
    group
        What the scores are averaged over.
    kind
        `simulated` or `real`.
    low
        The input, axes TZYX, TYX or ZYX.
    scale
        Factors by axis letter.
    truth
        All that there is on the lattice of the output, float32.
    peak
        Range of the grey levels for PSNR and SSIM.
    labels
        Cell of each voxel of the truth, or None.
    """

    name: str
    group: str
    kind: str
    low: Image
    scale: dict[str, float]
    truth: np.ndarray
    peak: float
    labels: np.ndarray | None = None

    @property
    def in_time(self) -> bool:
        """Whether frames are to be found, not planes."""
        return "t" in self.scale

    @property
    def scored(self) -> np.ndarray:
        """Indices along the first axis that count: frames that the input lacks, or all."""
        n = len(self.truth)
        if not self.in_time:
            return np.arange(n)
        factor = round(self.scale["t"])
        return np.array([i for i in range(n) if i % factor])

    @property
    def voxel(self) -> tuple[float, ...]:
        """Voxel size of the truth along its spatial axes."""
        steps = self.low.steps
        return tuple(steps[a] / self.scale.get(a.lower(), 1) for a in self.low.axes if a != "T")


def names(parts: tuple[str, ...], seeds: tuple[int, ...] = REPORTED_SEEDS) -> list[str]:
    """Return the names of all cases of some parts."""
    found = []
    if "cells" in parts:
        found += [f"cells-{what}-{seed}" for seed in seeds for what in ("t2", "t4", "t6")]
        found += [f"cells-{what}-{seed}" for seed in seeds for what in ("z2", "z4")]
    if "real" in parts and DATA.is_dir():
        found += [f"celegans-t{factor}" for factor in (2, 3, 4)]
        found += ["lightsheet-t2", "lightsheet-t3", "mitocheck-t2", "mitocheck-t3", "mitocheck-t4"]
        found += ["celegans-z2", "celegans-z4", "brain-z2", "brain-z4"]
    return found


@cache
def case(name: str) -> Case:
    """Return a case by its name; `-denoised` at the end denoises input and truth alike."""
    if name.endswith("-denoised"):
        return _denoised(case(name.removesuffix("-denoised")))
    source, what, *rest = name.split("-")
    scale = {what[0]: float(what[1:])}
    if source == "cells":
        return _cells(name, scale, int(rest[0]), rest[1:])
    image, peak = _series(source)
    low, truth = _pair(image, scale)
    return Case(name, name, "real", low, scale, truth, peak)


def _cells(name: str, scale: dict[str, float], seed: int, extra: list[str]) -> Case:
    """Return simulated cells; for time with planes 0.5 µm apart, for space every sixth frame."""
    truth, labels = _simulated(seed)
    if "t" in scale:
        image = thinned(truth, {"z": 2})
        names_of = labels.array()[:, ::2]
    else:
        image = thinned(truth, {"t": 6})
        names_of = labels.array()[::6]
    low, target = _pair(image, scale)
    group = f"cells-{next(iter(scale))}{round(next(iter(scale.values())))}"
    if extra:  # noise of the given standard deviation, or only the first so many frames
        group += "-" + "-".join(extra)
        low, target = _changed(low, target, scale, extra[0], seed)
    shapes = names_of[: len(target)] if names_of.shape[1:] == target.shape[1:] else None
    return Case(name, group, "simulated", low, scale, target, 255.0, shapes)


def _changed(
    low: Image, target: np.ndarray, scale: dict[str, float], what: str, seed: int
) -> tuple[Image, np.ndarray]:
    """Return an input with noise, `noise10`, fewer frames, `frames5`, or its middle, `toy`."""
    if what == "toy":
        middle = np.s_[:, 6:18, 20:60, 20:60]
        return low.like(low.array()[middle]), target[middle]
    if what.startswith("noise"):
        generator = np.random.default_rng((seed, 7))
        noise = float(what.removeprefix("noise")) * generator.standard_normal(low.shape)
        return low.like((low.array() + noise).astype(np.float32)), target
    count = int(what.removeprefix("frames"))
    factor = round(scale["t"])
    start = (low.shape[0] - count) // 2
    part = np.s_[start : start + count]
    cut = np.s_[start * factor : (start + count - 1) * factor + 1]
    return low.like(low.array()[part]), target[cut]


@cache
def _simulated(seed: int) -> tuple[Image, Image]:
    """Return truth and labels of a movie of 25 × 48 × 80 × 80 voxels, kept on disk."""
    code = (ROOT / "src" / "napari_cellinr" / "simulate" / "cells.py").read_bytes()
    path = BUILD / "cells" / f"{seed}-{digest(code)}.npz"
    if not path.exists():
        sample = cells(seed=seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, truth=sample.truth.array(), labels=sample.labels.array())
    with np.load(path) as stored:
        calibration = {"axes": "TZYX", "scale": (10.0, 0.25, 0.25, 0.25)}
        units = ("second", *("micrometer",) * 3)
        return tuple(Image(stored[k], units=units, **calibration) for k in ("truth", "labels"))


@cache
def _series(source: str) -> tuple[Image, float]:
    """Return a real series or stack, and its peak."""
    if source == "celegans":
        image = read(DATA / "celegans_membrane" / "membrane_t021-t030.nii.gz").canonical()
        voxel = dict(zip(image.axes, image.scale, strict=True))
        scale = (1.0, voxel["Z"], voxel["Y"], voxel["X"])
        units = ("pixel", *("micrometer",) * 3)
        data = image.array().reshape(image.shape[-4:])
        return Image(data[CROP].astype(np.float32), "TZYX", scale, units, source), 255.0
    folder = {
        "lightsheet": "lightsheet_division_4d",
        "mitocheck": "mitocheck_movie",
        "brain": "brain_nuclei",
    }[source]
    files = sorted((DATA / folder).glob("*.tif"))
    data = np.stack([read(file).array() for file in files]).astype(np.float32)
    if source == "brain":
        stack = data[0].reshape(data.shape[-3:])[:120]  # a multiple of 4 planes
        return Image(stack, "ZYX", name=source), float(np.percentile(stack, 99.9))
    axes = "TZYX" if data.ndim == 4 else "TYX"
    return Image(data, axes, name=source), 100.0 if source == "lightsheet" else 255.0


def _pair(image: Image, scale: dict[str, float]) -> tuple[Image, np.ndarray]:
    """Return the thinned input, and the part of the image that the output is compared with."""
    ((axis, factor),) = scale.items()
    whole = round(factor)
    if axis == "z" and "T" in image.axes and image.shape[0] > 5:
        image = image.like(image.array()[:: image.shape[0] // 4][:3])  # three frames are enough
    low = thinned(image, {axis: whole})
    data = image.array()
    place = image.axes.index(axis.upper())
    count = low.shape[place]
    kept = (count - 1) * whole + 1 if axis == "t" else count * whole
    return low, np.take(data, np.arange(kept), place).astype(np.float32)


def _denoised(noisy: Case) -> Case:
    """Return the case with every frame of input and truth denoised by itself, kept on disk."""
    path = BUILD / "denoised" / f"{noisy.name}-{digest(noisy.truth.tobytes())}.npz"
    if not path.exists():
        frames = noisy.truth if "T" in noisy.low.axes else noisy.truth[None]
        truth = np.stack([_nlm(frame) for frame in frames]).reshape(noisy.truth.shape)
        if noisy.in_time:
            low = truth[:: round(noisy.scale["t"])]
        else:
            given = noisy.low.array()
            frames = given if "T" in noisy.low.axes else given[None]
            low = np.stack([_nlm(frame) for frame in frames]).reshape(given.shape)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, truth=truth, low=low)
    with np.load(path) as stored:
        low, truth = stored["low"], stored["truth"]
    name = f"{noisy.name}-denoised"
    return replace(noisy, name=name, group=name, low=noisy.low.like(low), truth=truth)


def _nlm(frame: np.ndarray) -> np.ndarray:
    """Return one frame denoised: Anscombe transform with its own noise, then NLM; kept on disk."""
    path = BUILD / "frames" / f"{digest(np.ascontiguousarray(frame).tobytes())}.npy"
    if not path.exists():
        noise = estimate_noise(frame)
        found = unstabilise(nlm(stabilise(frame, noise), grain=noise.grain), noise)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.asarray(found, np.float32))
    return np.load(path)


def displacement(subject: Case) -> np.ndarray:
    """Return how far things move per input frame at each scored voxel, in voxels, float32.

    By iterative Lucas–Kanade flow between neighbouring frames of the (denoised) truth.
    """
    path = BUILD / "displacement" / f"{subject.name}-{digest(subject.truth.tobytes())}.npy"
    if not path.exists():
        series = subject.truth / subject.peak
        found = [_speed(series[i - 1], series[i]) for i in subject.scored]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, (subject.scale["t"] * np.stack(found)).astype(np.float16))
    return np.load(path).astype(np.float32)


def _speed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    flow = optical_flow_ilk(first, second, radius=5, num_warp=5, dtype=np.float32)
    return np.sqrt(np.sum(np.nan_to_num(flow) ** 2, axis=0))


def protocol_cases() -> dict[str, tuple[np.ndarray, float]]:
    """Return the series on which published figures of interpolation are reproduced."""
    if not DATA.is_dir():
        return {}
    embryo = read(DATA / "celegans_membrane" / "membrane_t021-t030.nii.gz").canonical().array()
    embryo = embryo.reshape(embryo.shape[-4:])[PROTOCOL_CROP].astype(np.float32)
    others = {name: _series(name) for name in ("mitocheck", "lightsheet")}
    return {"celegans": (embryo, 255.0)} | {k: (v.array(), p) for k, (v, p) in others.items()}


__all__ = ["BUILD", "ROOT", "Case", "case", "displacement", "names", "protocol_cases"]
