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

__all__ = ["RECIPES", "Recipe", "Views", "careful", "error_of", "mixed"]

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


RECIPES: Final = (
    Recipe(1.0, True, 0.0),
    *(Recipe(1.0, False, doubt) for doubt in (0.0, 1.0, 3.0, 8.0)),
    *(Recipe(0.5, False, doubt) for doubt in (0.0, 1.0, 3.0)),
    *(Recipe(0.0, False, doubt) for doubt in (0.0, 0.5, 1.0, 3.0)),
)
"""What held-out frames choose from; the first ones trust motion most."""


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
    t = views.part
    parts = []
    if recipe.motion > 0:
        line = (1 - t) * views.before + t * views.after
        base = views.cubic if recipe.cubic else line
        parts.append((recipe.motion, base, views.after - views.before))
    if recipe.motion < 1:
        first, second = views.plain
        parts.append((1 - recipe.motion, (1 - t) * first + t * second, second - first))
    if recipe.doubt == 0:
        return np.asarray(sum(w * base for w, base, _ in parts), np.float32)
    doubt = recipe.doubt * t * (1 - t)  # a quarter in the middle: the error of a mean of two
    found = [w * _doubted(base, difference, doubt, aspect) for w, base, difference in parts]
    return np.asarray(sum(found), np.float32)


def careful(errors: Mapping[Recipe, float]) -> Recipe:
    """Return the recipe for frames that are half as far apart as those that were tested.

    Motion can be followed the better the smaller it is, so that it wins unless it is worse by
    more than 0.3 dB; and what moves half as far leaves half as much to doubt.

    Parameters
    ----------
    errors
        Mean squared errors by recipe, in one unit.
    """
    best = min(errors, key=lambda recipe: errors[recipe] * 10 ** (0.03 * (1 - recipe.motion)))
    return replace(best, doubt=best.doubt / 2)


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
