"""The voxel size of a plain array, as it is given to the functions that fit."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.image.exchange import Steps, Units

__all__ = ["voxel_in_scale", "voxel_of"]


def voxel_of(voxel: Steps | None, scale: Steps | None) -> Steps | None:
    """Return the voxel size, which has two names where `scale` cannot mean factors.

    Parameters
    ----------
    voxel, scale
        As for `denoise`.

    Raises
    ------
    ConfigError
        If both are given.
    """
    if voxel is not None and scale is not None:
        raise ConfigError(
            f"voxel={voxel} and scale={scale} were given, which are the same here; give one."
        )
    return scale if voxel is None else voxel


def voxel_in_scale(
    scale: Any, voxel: Steps | None, units: Units | None, settings: Mapping[str, Any]
) -> Any:
    """Return a sequence that was given as `scale` of `superresolve`: the voxel size.

    Parameters
    ----------
    scale
        One number for each axis.
    voxel, units
        As for `superresolve`.
    settings
        The other settings.

    Raises
    ------
    ConfigError
        If nothing else says what the result is to be, so that factors may have been meant.
    """
    is_step = units is not None or any(
        settings.get(name) for name in ("target_voxel", "isotropic", "times")
    )
    if voxel is not None or not is_step:
        raise ConfigError(
            f"scale={tuple(scale)} was given; write factors by axis, such as "
            'scale={"t": 2, "z": 2.5}, or one number for all spatial axes. The voxel size of an '
            f"array is voxel={tuple(scale)}."
        )
    warnings.warn(
        f"scale={tuple(scale)} is taken as the voxel size of the array, as in earlier versions; "
        f"write voxel={tuple(scale)}. A later version refuses it, because scale means factors.",
        FutureWarning,
        stacklevel=3,
    )
    return scale
