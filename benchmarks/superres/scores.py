"""How good a result is: grey levels, shapes, and both by how fast things move."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from common.runs import digest_of
from data import case, displacement
from scipy.ndimage import gaussian_filter, label
from skimage.filters import threshold_otsu
from skimage.segmentation import expand_labels
from store import HERE, PACKAGE

from napari_cellinr.metrics import bsa, dice, psnr, ssim

if TYPE_CHECKING:
    from common.runs import Run
    from data import Case

BINS = {"still": (0.0, 1.0), "slow": (1.0, 3.0), "fast": (3.0, np.inf)}
"""Displacement per input frame in voxels."""

_NEIGHBOURHOOD = 4  # voxels around a true cell in which it is looked for
_LEAST = 300  # voxels
_STATE = digest_of((HERE / "scores.py", HERE / "data.py", PACKAGE / "metrics.py"))


def scores(subject: Case, run: Run) -> dict[str, Any]:
    """Return the scores of a run; from the disk where possible."""
    path = run.arrays.with_suffix(f".scores-{_STATE}.json")
    if not path.exists():
        path.write_text(json.dumps(_scores(subject, run.load())))
    return json.loads(path.read_text())


def _scores(subject: Case, result: np.ndarray) -> dict[str, Any]:
    if result.shape != subject.truth.shape:
        raise ValueError(f"{subject.name}: {result.shape} instead of {subject.truth.shape}")
    part = subject.scored
    ours, truth = result[part], subject.truth[part]
    found = {"psnr": psnr(ours, truth, subject.peak), "ssim": ssim(ours, truth, subject.peak)}
    if subject.kind == "real" and subject.in_time and not subject.name.endswith("-denoised"):
        smooth = case(f"{subject.name}-denoised").truth[part]
        found["psnr against denoised"] = psnr(ours, smooth, subject.peak)
        found["dice against denoised"] = bright_objects(ours, smooth)
    if subject.in_time:
        found |= _by_speed(subject, ours, truth)
    if subject.labels is not None:
        found |= shapes(subject, result)
    return found


def _by_speed(subject: Case, ours: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Return PSNR where there is something, by its displacement, and how much that is."""
    clean = subject
    if subject.kind == "real" and not subject.name.endswith("-denoised"):
        clean = case(f"{subject.name}-denoised")
    speed, values = displacement(clean), clean.truth[subject.scored]
    there = gaussian_filter(values, (0, *(1.0,) * (values.ndim - 1))) > threshold_otsu(values) / 2
    found = {}
    for name, (low, high) in BINS.items():
        chosen = there & (speed >= low) & (speed < high)
        if chosen.mean() > 1e-3:
            found[f"psnr {name}"] = psnr(ours[chosen], truth[chosen], subject.peak)
            found[f"share {name}"] = float(chosen.sum() / there.sum())
    return found


def shapes(subject: Case, result: np.ndarray) -> dict[str, float]:
    """Return Dice coefficient and BSA against what the same segmentation finds in the truth."""
    level = float(threshold_otsu(subject.truth))
    found, expected = [], []
    for i in subject.scored:
        places = expand_labels(subject.labels[i], _NEIGHBOURHOOD)
        whole = [n for n in np.unique(subject.labels[i])[1:] if _whole(subject.labels[i] == n)]
        places[~np.isin(places, whole)] = 0
        found.append(places * _bright(result[i], level))
        expected.append(places * _bright(subject.truth[i], level))
    ours, theirs = np.stack(found), np.stack(expected)
    overlaps = [
        dice(mine == number, yours == number)
        for mine, yours in zip(ours, theirs, strict=True)
        for number in np.unique(yours)[1:]
    ]
    return {"dice": float(np.mean(overlaps)), "bsa": bsa(ours, theirs, subject.voxel)}


def bright_objects(ours: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean Dice coefficient of what is brighter than one level, object by object."""
    level = float(threshold_otsu(truth))
    overlaps = []
    for mine, yours in zip(ours, truth, strict=True):
        objects = label(_bright(yours, level))[0]
        sizes = np.bincount(objects.ravel())
        places = expand_labels(objects, _NEIGHBOURHOOD)
        seen = places * _bright(mine, level)
        large = np.flatnonzero(sizes[1:] >= _LEAST // 6) + 1
        overlaps += [dice(seen == number, objects == number) for number in large]
    return float(np.mean(overlaps)) if overlaps else float("nan")


def _bright(values: np.ndarray, level: float) -> np.ndarray:
    """Return where cells are; pores are filled by smoothing."""
    return gaussian_filter(values, 1.0) > level


def _whole(mask: np.ndarray) -> bool:
    """Return whether a cell is large enough, and not cut by the border, so that it has a shape."""
    sides = [mask.take(i, axis) for axis in range(mask.ndim) for i in (0, -1)]
    return mask.sum() >= _LEAST and not any(bool(side.any()) for side in sides)
