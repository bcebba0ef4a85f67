"""The models of a saved fit of CellINR, built from its settings and its arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.saved.complete import complete
from napari_cellinr.methods.cellinr.model import CellINRModel
from napari_cellinr.methods.cellinr.published.model import PublishedModel
from napari_cellinr.methods.cellinr.tiled import TILES, Tiled, tensors_of_tile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.methods.cellinr.tiled import Evaluate

__all__ = ["MODELS", "frame_model", "settings_of_version_0_1"]

MODELS: Final[Mapping[str, type[CellINRModel | PublishedModel]]] = {
    CellINRModel.kind: CellINRModel,
    PublishedModel.kind: PublishedModel,
}
"""The models by what `kind` in their settings says."""

_ONE_TENSOR_FOR_ALL_TILES: Final = "tiles"
"""The only array that versions before 0.1 saved of a fit in tiles."""


def frame_model(
    stored: Stored, shape: tuple[int, ...], number: int, count: int, device: torch.device
) -> Evaluate:
    """Return the model of one frame of one channel.

    Parameters
    ----------
    stored
        The saved fit.
    shape
        Voxels of a frame, ZYX or YX.
    number, count
        Which frame of how many, counted over channels first.
    device
        Where to compute.

    Returns
    -------
    Callable
        `CellINRModel`, `PublishedModel` or `Tiled`: takes positions, returns images.

    Raises
    ------
    ConfigError
        If the fit was stopped before it reached the frame.
    FileError
        If arrays are missing, or do not fit together.
    """
    prefix = f"{number}." if count > 1 else ""
    tensors = {
        name.removeprefix(prefix): torch.from_numpy(value)
        for name, value in stored.tensors.items()
        if name.startswith(prefix)
    }
    if not tensors:
        raise ConfigError(
            f"image {number + 1} of {count} cannot be rendered, because the fit was stopped before "
            "it was reached. Fit again, or choose an earlier one."
        )
    if _ONE_TENSOR_FOR_ALL_TILES in tensors:
        raise ConfigError(
            "the fit was made in tiles by an older version, which did not keep them; it cannot be "
            "rendered again. Fit again."
        )
    with complete():
        if stored.model:
            settings = stored.model["frames"][number]
        else:
            noises = stored.report["noise"]
            noise = noises[number] if isinstance(noises, list) else noises
            settings = settings_of_version_0_1(tensors, shape, noise, stored.config)
    return _built(settings, tensors, device)


def _built(
    settings: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], device: torch.device
) -> Evaluate:
    """Return a model on a device, with its arrays."""
    with complete():
        if settings["kind"] == TILES:
            factor = {"factor": settings.get("factor", 1.0)}

            def tile(number: int) -> Evaluate:
                own = tensors_of_tile(tensors, number)
                return _built(settings["tiles"][number]["model"] | factor, own, device)

            return Tiled(settings, tile)
        values = {name: value for name, value in settings.items() if name != "kind"}
        estimate = tensors.get("estimate")
        if estimate is not None and estimate.numel() != math.prod(values["shape"]):
            raise ValueError(f"estimate has {estimate.numel()} voxels, not {values['shape']}")
        model = MODELS[settings["kind"]](**values)
        model.load(tensors)
        return model.to(device)


def settings_of_version_0_1(
    tensors: Mapping[str, Any],
    shape: Sequence[int],
    noise: Mapping[str, float],
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a file or checkpoint of version 0.1 says of the model of a frame.

    Parameters
    ----------
    tensors
        The arrays of the frame by name, in that version with strides and levels among them.
    shape
        Voxels of the frame.
    noise
        The noise in grey levels, from the report.
    config
        The settings of the fit.
    """
    factor = float(tensors["factor"].reshape(-1)[0]) if "factor" in tensors else 1.0
    if "tiles.places" in tensors:
        places = tensors["tiles.places"].reshape(-1, len(shape), 2).tolist()
        tiles = []
        for number, place in enumerate(places):
            lengths = [stop - start for start, stop in place]
            own = tensors_of_tile(tensors, number)
            model = settings_of_version_0_1(own, lengths, noise, config)
            tiles.append({"place": place, "model": model})
        overlap = int(tensors["tiles.overlap"])
        return {
            "kind": TILES,
            "shape": list(shape),
            "overlap": overlap,
            "tiles": tiles,
            "factor": factor,
        }
    common = {
        "shape": list(shape),
        "background": config["background"],
        "dark": config["dark"],
        "factor": factor,
    }
    if "levels" in tensors:
        dark_level, contrast = tensors["levels"].tolist()
        return {
            "kind": PublishedModel.kind,
            "neurons": int(config["neurons"]),
            "dark_level": dark_level,
            "contrast": contrast,
            **common,
        }
    return {
        "kind": CellINRModel.kind,
        "stride": tensors["stride"].tolist(),
        "background_stride": tensors["background_stride"].tolist(),
        "n_convolutions": len(tensors["divisors"]),
        "centre": float(tensors["centre"]),
        "noise": dict(noise),
        **common,
    }
