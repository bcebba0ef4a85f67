"""How good a result is, against the truth with and without background."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common.runs import Run, digest_of
from scipy.ndimage import map_coordinates
from segment import cell_dice
from store import HERE, PACKAGE

from napari_cellinr.classic.background import background, opening
from napari_cellinr.metrics import psnr, ssim

if TYPE_CHECKING:
    from data import Case

_SUBTRACTIONS = {
    f"{function.__name__}({width})": (function, width)
    for function in (opening, background)
    for width in (11, 15, 21)
}
_N_LINES = 100
_CODE = [HERE / "scores.py", HERE / "segment.py", PACKAGE / "metrics.py"]
_CODE.append(PACKAGE / "classic" / "background.py")


def scores(case: Case, run: Run) -> dict[str, Any]:
    """Return the scores of a run: names such as `kept psnr`; from the cache where possible."""
    path = Path(f"{run.arrays.with_suffix('')}.scores-{digest_of(_CODE)}.json")
    if not path.exists():
        path.write_text(json.dumps(_scores(case, run)))
    return json.loads(path.read_text())


def _scores(case: Case, run: Run) -> dict[str, Any]:
    kept, clean = run.load("kept"), run.load("clean")
    result: dict[str, Any] = {}
    if kept is not None:
        kept = fitted(kept, case.kept) if case.fitted else kept
        result |= _against("kept", kept, case.kept, case.peak)
    if case.clean is not None:
        if clean is None:
            clean, result["subtraction"] = _best_subtraction(kept, case)
        result |= _against("clean", clean, case.clean, case.peak)
    if case.labels is not None:
        for name, sigma in (("dice", 0.0), ("dice smoothed", 1.0)):
            walls = clean if kept is None else kept
            result[name] = cell_dice(walls, case.labels, sigma)
            result[f"clean {name}"] = cell_dice(clean, case.labels, sigma)
    return result


def _against(name: str, result: np.ndarray, truth: np.ndarray, peak: float) -> dict[str, float]:
    return {
        f"{name} psnr": psnr(result, truth, peak),
        f"{name} ssim": ssim(result, truth, peak),
        f"{name} profile": profile_correlation(result, truth),
    }


def _best_subtraction(kept: np.ndarray, case: Case) -> tuple[np.ndarray, str]:
    """Return the result less the background that brings it nearest to this very truth.

    More than a user could do, who does not know the truth: the peer at its best.
    """
    results = {
        name: np.maximum(kept - function(kept, width), 0)
        for name, (function, width) in _SUBTRACTIONS.items()
    }
    best = max(results, key=lambda name: psnr(results[name], case.clean, case.peak))
    return results[best], best


def fitted(result: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return gain · result + offset that is nearest to the truth by least squares."""
    x, y = result.astype(np.float64), truth.astype(np.float64)
    gain = np.mean((x - x.mean()) * (y - y.mean())) / max(float(x.var()), 1e-12)
    return (gain * (x - x.mean()) + y.mean()).astype(np.float32)


def profile_correlation(result: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean Pearson correlation along straight lines within planes.

    The same random lines for every result, each half as long as the plane, where the truth
    varies by 2 % of its range or more.
    """
    generator = np.random.default_rng(0)
    planes, references = (a.reshape(-1, *a.shape[-2:]) for a in (result, truth))
    least = 0.02 * float(truth.max() - truth.min())
    values = []
    while len(values) < _N_LINES:
        plane = generator.integers(len(planes) // 4, max(1, 3 * len(planes) // 4))
        line = _line(planes.shape[1:], generator)
        expected = map_coordinates(references[plane], line, order=1)
        found = map_coordinates(planes[plane], line, order=1)
        if expected.std() >= least:
            flat = found.std() < 1e-9
            values.append(0.0 if flat else float(np.corrcoef(found, expected)[0, 1]))
    return float(np.mean(values))


def _line(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Return the points of a random line inside a plane, one per pixel of length: (2, n)."""
    length = min(shape) // 2
    angle = generator.uniform(0, np.pi)
    steps = np.arange(length) - (length - 1) / 2
    offsets = steps * np.array([[np.sin(angle)], [np.cos(angle)]])
    margin = np.abs(offsets).max(axis=1)
    centre = generator.uniform(margin, np.array(shape) - 1 - margin)
    return offsets + centre[:, None]


__all__ = ["fitted", "profile_correlation", "scores"]
