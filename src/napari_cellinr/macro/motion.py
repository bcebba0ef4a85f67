"""The motion of a fit, to be looked at or written: arrows, and the paths of points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.methods import method_of_fit, roles_of
from napari_cellinr.motion import seconds, tracks, visible_arrows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from napari_cellinr.fitting.stored import Stored
    from napari_cellinr.image import Image
    from napari_cellinr.motion import Arrows

__all__ = [
    "arrows_of",
    "check_options",
    "images_by_role",
    "reference_of",
    "seeds_of",
    "write_motion",
]


def check_options(every: Any = None, shortest: Any = None, points: Any = None) -> None:
    """Raise `ConfigError` if motion cannot be shown so; the options are those of `write_motion`."""
    if every is not None and (not isinstance(every, int) or every < 1):
        raise ConfigError(f"every={every!r} was given; a number of voxels from 1 on is needed.")
    if shortest is not None and not (isinstance(shortest, int | float) and shortest >= 0):
        raise ConfigError(f"shortest={shortest!r} was given; a length from 0 on is needed.")
    if points is not None and (every is not None or shortest is not None):
        raise ConfigError(
            "points were given with every or shortest, which are for arrows; show one, then the "
            "other."
        )


def images_by_role(fit: Fitted | Stored, device: str = "auto") -> dict[str, Image]:
    """Return the images of a fit with motion by their roles.

    Raises
    ------
    ConfigError
        If the fit is one of a method that finds no motion.
    """
    if not method_of_fit(fit).has_motion:
        raise ConfigError(
            "motion was asked of a fit that has none; only reconstruct finds the motion of a scene."
        )
    if isinstance(fit, Fitted):
        return dict(zip(fit.roles, fit.images, strict=True))
    from napari_cellinr.api import render

    return dict(zip(roles_of(fit), render(fit, device=device), strict=True))


def arrows_of(
    fit: Fitted | Stored,
    images: dict[str, Image],
    every: int | None = None,
    shortest: float | None = None,
) -> Arrows:
    """Return the arrows of a fit, as `visible_arrows` finds them.

    Parameters
    ----------
    fit
        The fit.
    images
        What `images_by_role` returned for it.
    every, shortest
        As for `write_motion`.
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
    )


def reference_of(fit: Fitted | Stored, motion: Image) -> int:
    """Return which of the times of `motion` is nearest to the reference frame of a fit."""
    from napari_cellinr.methods.nstm.geometry import model_settings

    config: Any = fit.config.as_dict() if isinstance(fit, Fitted) else fit.config
    frame = model_settings(fit)["frames"][int(config.get("reference", 0))]
    return int(np.argmin(np.abs(np.array(seconds(motion)) - frame)))


def seeds_of(motion: Image, points: int | Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return points to follow, (points, axes) in voxels: those given, or a grid of so many.

    Raises
    ------
    ConfigError
        If they are neither, or outside the image.
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
            f"points={points!r} were given; a number of them along y and x, or their places in "
            "voxels are needed, such as [[40, 60]]."
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
    device: str = "auto",
) -> None:
    """Write how the material of a reconstruction moves into a CSV file: arrows, or paths of points.

    Parameters
    ----------
    path
        Ends with `.csv`.
    fit
        What `reconstruct` returned, or `load_fit` read.
    every
        Voxels from one arrow to the next; few enough to be looked at if not given.
    shortest
        Shorter arrows are left out, in the unit of the motion; 0.3 voxels if not given.
    points
        Instead of arrows, the paths of points: how many along y and along x, or their places in
        the reference frame, in voxels of the result.
    device
        Where to render a fit that was read.

    Raises
    ------
    ConfigError
        If the fit has no motion, or the options are not allowed.
    FileError
        If the file cannot be written.
    """
    from napari_cellinr.io.safety.atomic import check_place
    from napari_cellinr.io.tracks import write_arrows, write_tracks

    check_options(every, shortest, points)
    check_place(Path(path).expanduser())
    images = images_by_role(fit, device)
    motion = images["motion"]
    if points is not None:
        found = tracks(motion, seeds_of(motion, points))
        write_tracks(path, found.places, found.inside, seconds(motion))
        return
    moved = arrows_of(fit, images, every, shortest)
    lengths = moved.data[:, 1, 1:] * np.array(motion.scale[2:], np.float32)
    write_arrows(path, moved.data[:, 0], lengths, moved.speed, seconds(motion))
