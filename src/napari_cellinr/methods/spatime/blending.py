"""A frame between frames: what its neighbours say, trusted as far as they agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["HALF", "RECIPES", "Recipe", "Views", "careful", "error_of", "mixed"]

_WIDTHS: Final = (0.7, 1.4, 2.8, 5.6)  # standard deviations between bands, voxels of the plane
_WINDOWS: Final = (2.0, 2.0, 3.0, 5.0)  # of the local means of each band


@dataclass(frozen=True)
class Recipe:
    """How a frame is made of what its neighbours say.

    Parameters
    ----------
    motion
        Part of the blend along the paths; the rest is that in place.
    cubic
        Whether four frames are joined by a polynomial along the paths, not two by a line.
    doubt
        How much a disagreement of the neighbours counts against detail: 1 if their errors were
        independent, more as the paths make them agree where both are wrong; 0 keeps all detail.
    """

    motion: float
    cubic: bool
    doubt: float


_DOUBTS: Final = (0.0, 0.5, 1.0, 2.0, 4.0)

_SURE: Final = ((1.0, True), (1.0, False), (0.5, False), (0.0, False))

RECIPES: Final = (
    Recipe(1.0, True, 0.0),
    *(Recipe(part, False, doubt) for part in (1.0, 0.5, 0.0) for doubt in _DOUBTS),
)
"""What held-out frames choose from: motion, motion and blend, blend; each from sure to doubtful."""

HALF: Final = Recipe(0.5, False, 0.5)
"""What is used where nothing can be held out: errors of motion and of a blend are unlike each
other, so that their mean is seldom worse than the better one."""


@dataclass(frozen=True)
class Views:
    """What the neighbours say about one frame, float32 (*shape) each, in any unit.

    Parameters
    ----------
    before, after
        The two neighbours along the paths.
    cubic
        Up to four frames along the paths, joined by a polynomial.
    plain
        The two neighbours in place.
    part
        Where between them the frame lies, 0 to 1.
    """

    before: Floats
    after: Floats
    cubic: Floats
    plain: tuple[Floats, Floats]
    part: float


def mixed(views: Views, recipe: Recipe, aspect: Sequence[float]) -> Floats:
    """Return the frame, float32.

    Each band of detail is weighted like in a Wiener filter, 1 − doubt · error / power, with the
    local power of the difference of the neighbours as the error; near a given frame there is
    less to doubt.

    Parameters
    ----------
    views
        What the neighbours say.
    recipe
        How far to trust it.
    aspect
        Voxel size in the plane divided by that along each axis.
    """
    t, part = views.part, np.float32(recipe.motion)
    line = (1 - t) * views.before + t * views.after
    first, second = views.plain
    static, apart = (1 - t) * first + t * second, second - first
    moved = views.cubic if recipe.cubic else line
    base = np.asarray(part * moved + (1 - part) * static, np.float32)
    if recipe.doubt == 0:
        return base
    difference = np.asarray(part * (views.after - views.before) + (1 - part) * apart, np.float32)
    doubt = recipe.doubt * t * (1 - t)  # a quarter in the middle: the error of a mean of two
    return _doubted(base, difference, doubt, aspect)


def careful(errors: Mapping[Recipe, float], n_tests: int) -> Recipe:
    """Return the recipe for frames that are half as far apart as those that were tested.

    Without doubt, motion is followed alone where it is better than a blend by half a dB, and by
    the more the fewer frames say so: what helps at twice the distance helps more at that which
    matters. A blend alone is made where it is as clearly better than the mean of both, which is
    used otherwise, and wherever little is known: errors of motion and of a blend are unlike each
    other. A polynomial is used unless a line is better by 0.2 dB, since its error falls faster
    with the distance. How much to doubt is then a quarter of what was best: the error of a
    frame between frames grows with the square of their distance, and the disagreement of its
    neighbours, against which it is held, with the distance.

    Parameters
    ----------
    errors
        Mean squared errors by recipe, in one unit.
    n_tests
        Number of held-out frames behind them.
    """
    clearly = 10 ** (0.05 * (1 + 1 / n_tests))  # 0.5 dB, 1 dB for a single test
    cubic, line, half, still = (Recipe(*r, 0.0) for r in _SURE)
    full = cubic if errors[cubic] < errors[line] * 10**0.02 else line
    if errors[full] * clearly < errors[still]:
        sure = full
    else:
        sure = still if errors[still] * clearly < errors[half] else half
    alike = [r for r in errors if (r.motion, r.cubic) == (sure.motion, sure.cubic)]
    best = min(alike, key=lambda recipe: errors[recipe])
    return replace(best, doubt=best.doubt / 4)


def error_of(
    recipe: Recipe, samples: Sequence[tuple[Views, Floats]], aspect: Sequence[float]
) -> float:
    """Return the mean squared error of a recipe on held-out frames, in squared units of them."""
    return float(np.mean([np.mean((mixed(v, recipe, aspect) - t) ** 2) for v, t in samples]))


def _doubted(base: Floats, difference: Floats, doubt: float, aspect: Sequence[float]) -> Floats:
    """Return an image whose detail is kept as far as its two sources agree."""
    rest, apart = base, difference
    result = np.zeros_like(base)
    for width, window in zip(_WIDTHS, _WINDOWS, strict=True):
        smooth, level = _blurred(rest, width, aspect), _blurred(apart, width, aspect)
        detail, error = rest - smooth, apart - level
        power = np.maximum(_blurred(detail**2, window, aspect), 1e-12)
        result += np.clip(1 - doubt * _blurred(error**2, window, aspect) / power, 0, 1) * detail
        rest, apart = smooth, level
    return result + rest


def _blurred(image: Floats, width: float, aspect: Sequence[float]) -> Floats:
    widths = [width * a for a in aspect]
    smooth: Floats = gaussian_filter(image, widths, mode="nearest", truncate=3)
    return smooth
