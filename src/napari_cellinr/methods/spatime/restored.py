"""Models of a saved fit, from the arrays and settings of a file that is not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from napari_cellinr.classic.camera.anscombe import Noise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["checked_aspect", "checked_noise", "loaded", "named"]

MOST_UNEVEN = 1000.0
"""Largest ratio of voxel sizes that is believed of a file."""

_Model = TypeVar("_Model", bound=torch.nn.Module)


def loaded(
    kind: type[_Model],
    settings: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    device: torch.device,
) -> _Model:
    """Return a model with the parameters that a file holds.

    It is built without memory, so that sizes that do not fit the parameters take none.

    Parameters
    ----------
    kind
        Class of the model.
    settings
        Its arguments.
    arrays
        Its parameters by name.
    device
        Where to compute.
    """
    with torch.device("meta"):
        model = kind(**settings)
    parameters = {k: torch.from_numpy(np.array(v)) for k, v in arrays.items()}
    model.load_state_dict(parameters, assign=True)
    return model.to(device).eval()


def checked_aspect(values: Sequence[float], axes: str) -> tuple[float, ...]:
    """Return the ratios of voxel sizes of a file, by which the widths of filters are chosen.

    Parameters
    ----------
    values
        Voxel size in the plane divided by that along each axis.
    axes
        Letters of the axes.

    Raises
    ------
    ValueError
        If they are not those of these axes, or not positive and bounded.
    """
    aspect = tuple(map(float, values))
    if len(aspect) != len(axes) or not all(0 < value <= MOST_UNEVEN for value in aspect):
        raise ValueError(f"ratios of voxel sizes {aspect}")
    return aspect


def checked_noise(values: Mapping[str, float]) -> Noise:
    """Return the noise that a file names.

    Parameters
    ----------
    values
        Arguments of `Noise`.

    Raises
    ------
    ValueError
        If a number is not finite, or a variance would be negative.
    """
    noise = Noise(**values)
    if not np.isfinite([*vars(noise).values()]).all() or noise.gain < 0:
        raise ValueError(f"noise {dict(values)}")
    return noise


def named(model: str, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the tensors of one model by the names of its parameters.

    Parameters
    ----------
    model
        Its name, which the names of its tensors begin with.
    tensors
        Of a channel.
    """
    names = [k for k in tensors if k.startswith(f"{model}.") and k != "planes.latent"]
    return {name.removeprefix(f"{model}."): tensors[name] for name in names}
