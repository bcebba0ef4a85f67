"""The motion of a fit as arrows, or as the paths of points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.fitting.saved.damage import explained_damage
from napari_cellinr.io.names import place_of
from napari_cellinr.methods import method_of_fit, roles_of
from napari_cellinr.motion import ARROWS, is_timed, times_of, tracks, visible_arrows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image
    from napari_cellinr.motion import ArrowKind, Arrows, Tracks

__all__ = [
    "arrows_of",
    "check_options",
    "images_by_role",
    "reference_of",
    "seeds_of",
    "write_motion",
    "write_tracks_of",
]


def check_options(
    every: Any = None, shortest: Any = None, points: Any = None, arrows: Any = "reference"
) -> None:
    """Check the options with which motion is shown.

    Parameters
    ----------
    every, shortest, points, arrows
        As for `write_motion`.

    Raises
    ------
    ConfigError
        If a value is not allowed, or arrows and points are given together.
    """
    if every is not None and (not isinstance(every, int) or every < 1):
        raise ConfigError(f"every={every!r} was given; a whole number of voxels from 1 is needed.")
    if shortest is not None and not (isinstance(shortest, int | float) and shortest >= 0):
        raise ConfigError(f"shortest={shortest!r} was given; a length of 0 or more is needed.")
    if arrows not in ARROWS:
        raise ConfigError(f"arrows={arrows!r} was given; allowed are {', '.join(ARROWS)}.")
    if points is not None and (every is not None or shortest is not None):
        raise ConfigError(
            "points were given with every or shortest, which are for arrows; show arrows and "
            "points one after the other."
        )


_DAMAGED: Final = ("the motion of the fit cannot be shown", "the fit is damaged. Fit again.")


def images_by_role(fit: Fitted | Stored, device: str = "auto") -> dict[str, Image]:
    """Return the images of a fit with motion, by their roles.

    Parameters
    ----------
    fit
        What a fit returned, or a saved fit.
    device
        Where to render a saved fit.

    Raises
    ------
    ConfigError
        If the method of the fit does not estimate motion.
    """
    if not method_of_fit(fit).has_motion:
        raise ConfigError(
            f"a fit of {method_of_fit(fit).action} was given, which has no motion; a fit with "
            "motion is needed, such as one of reconstruct."
        )
    if isinstance(fit, Fitted):
        return dict(zip(fit.roles, fit.images, strict=True))
    from napari_cellinr.api import render

    images = render(fit, device=device)
    with explained_damage(*_DAMAGED):
        return dict(zip(roles_of(fit), images, strict=True))


def arrows_of(
    fit: Fitted | Stored,
    images: dict[str, Image],
    every: int | None = None,
    shortest: float | None = None,
    kind: ArrowKind = "reference",
) -> Arrows:
    """Return the arrows of a fit, as `visible_arrows` finds them.

    Parameters
    ----------
    fit
        The fit.
    images
        Its images, from `images_by_role`.
    every, shortest
        As for `write_motion`.
    kind
        What the arrows show, one of `ARROWS`.
    """
    scene = images["result"]
    if "C" in scene.axes:
        scene = scene.take("C", scene.sizes["C"] - 1)
    return visible_arrows(
        images["motion"],
        scene,
        reference_of(fit, images["motion"]),
        every=every,
        shortest=shortest,
        confidence=images.get("confidence"),
        error=images.get("motion-error"),
        kind=kind,
    )


def reference_of(fit: Fitted | Stored, motion: Image) -> int:
    """Return the time point that is nearest to the reference frame of a fit.

    Parameters
    ----------
    fit
        The fit.
    motion
        Its motion, at the times at which it was rendered.

    Returns
    -------
    int
        Index along T of `motion`.
    """
    from napari_cellinr.methods.nstm.geometry import model_settings

    config: Any = fit.config.as_dict() if isinstance(fit, Fitted) else fit.config
    with explained_damage(*_DAMAGED):
        frame = model_settings(fit)["frames"][int(config.get("reference", 0))]
    return int(np.argmin(np.abs(np.array(times_of(motion)) - frame)))


def seeds_of(motion: Image, points: int | Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return the points whose paths are shown.

    Parameters
    ----------
    motion
        The motion of a fit.
    points
        Number of points along y and along x, or their positions in voxels.

    Returns
    -------
    NDArray
        Positions in voxels, (points, axes), float64.

    Raises
    ------
    ConfigError
        If the points are neither, or outside the image.
    """
    from napari_cellinr.io.tracks import fault_of, grid_seeds

    size = motion.shape[2:]
    try:
        if isinstance(points, bool):
            raise TypeError
        if isinstance(points, int):
            return grid_seeds(size, points).astype(np.float64)
        found = np.asarray(points, np.float64)
    except (TypeError, ValueError):
        raise ConfigError(
            f"points={points!r} were given; a number of them along y and x, or their positions "
            "in voxels are needed, such as [[40, 60]]."
        ) from None
    if fault := fault_of(found, size):
        raise ConfigError(fault)
    return found


def write_motion(
    path: str | PathLike[str],
    fit: Fitted | Stored,
    *,
    every: int | None = None,
    shortest: float | None = None,
    points: int | Sequence[Sequence[float]] | None = None,
    arrows: ArrowKind = "reference",
    device: str = "auto",
) -> None:
    """Write the motion of a reconstruction into a CSV file: arrows, or the paths of points.

    Parameters
    ----------
    path
        The file, with the suffix `.csv`.
    fit
        What `reconstruct` returned, or `load_fit` read.
    every
        Spacing of the arrows in voxels; if not given, the smallest at which arrows do not cover
        each other or the scene.
    shortest
        Length below which arrows are left out, in the unit of the motion; 0.3 voxels if not given,
        0.1 voxels for arrows to the next time.
    points
        Paths of points instead of arrows: number of points along y and along x, or their
        positions in the reference frame, in voxels of the result. The table has their speed and
        the length of their path.
    arrows
        `reference`: from the place in the reference frame to the place now; `next`: from the
        place now to the place at the next time.
    device
        Where to render a saved fit.

    Raises
    ------
    ConfigError
        If the fit has no motion, or the options are not allowed.
    FileError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import reconstruct, write_motion
    >>> movie = np.random.default_rng(0).poisson(50, (3, 16, 16))
    >>> fitted = reconstruct(movie, axes="TYX", preset="preview", steps=2)
    >>> write_motion("tracks.csv", fitted, points=2)
    """
    from napari_cellinr.io.safety.atomic import check_place
    from napari_cellinr.io.tracks import write_arrows

    check_options(every, shortest, points, arrows)
    check_place(place_of(path))
    images = images_by_role(fit, device)
    motion = images["motion"]
    if points is not None:
        found = tracks(motion, seeds_of(motion, points), images.get("motion-error"))
        write_tracks_of(path, motion, found)
        return
    moved = arrows_of(fit, images, every, shortest, arrows)
    lengths = moved.data[:, 1, 1:] * np.array(motion.scale[2:], np.float32)
    write_arrows(path, moved.data[:, 0], lengths, moved.speed, times_of(motion), is_timed(motion))


def write_tracks_of(path: str | PathLike[str], motion: Image, found: Tracks) -> None:
    """Write tracks into a CSV file, with speed and length of the path.

    Parameters
    ----------
    path
        The file, with the suffix `.csv`.
    motion
        The motion field that the tracks follow.
    found
        The tracks.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    from napari_cellinr.io.tracks import write_tracks

    write_tracks(
        path, found.places, found.inside, times_of(motion), found.error, found.lost,
        found.speed(motion), found.distance(motion), is_timed(motion),
    )  # fmt: skip
