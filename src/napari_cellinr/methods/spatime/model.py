"""The models of SpatimeINR: motion in an interval, corrections of planes, the published networks.

Each is an `nn.Module` that is built from a plain mapping of shape and settings, which is stored
beside the parameters as `Fitted.model["channels"]`, one mapping per channel:

- `aspect`: voxel size in the plane divided by that along each spatial axis;
- `blending`: the fields of `BlendWeights`;
- `sections`: `means`, `noisy means`, or how thin planes are interpolated, one of `sections.KINDS`;
- `motion`: the arguments of `MotionModel` by interval;
- `trust`: the intervals that are blended place by place, with a tensor `trust.<interval>` each;
- `planes`: the arguments of `PlaneModel`, or null;
- `pixels`: the arguments of `PixelModel`, or null;
- `pixel_sections`: how rows and columns are interpolated, `means` or `noisy means`;
- `noise`: the arguments of `AddedNoise`, or null;
- `flow`: the optical flow from which motion started, one of `flow.FLOWS`;

or, with the preset `paper`:

- `published`: the arguments of `published_model`;
- `levels`: the grey level that counts as 0 and the grey levels from 0 to 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.sampling import sampling
from napari_cellinr.fields.hypercube import PaperField, Sizes
from napari_cellinr.fields.plane import CONVOLUTIONS, PixelField, RowField, cell_weights
from napari_cellinr.methods.spatime.between.motion_model import MotionModel
from napari_cellinr.methods.spatime.finer.sections import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = [
    "MARGIN",
    "MotionModel",
    "PixelModel",
    "PlaneModel",
    "published_model",
    "published_settings",
    "settings_of_tensors",
]

ROWS_AT_ONCE = 16
"""Planes that are refined at once: bounds the memory."""


PIXELS_AT_ONCE = 2**18
"""Given pixels that are refined at once: bounds the memory."""

MARGIN = CONVOLUTIONS + 1
"""Rows beyond a block on which its finer rows depend."""


class PlaneModel(RowField):
    """A network that corrects interpolated planes along Z.

    Parameters
    ----------
    latent
        Length of the latent code of a place; 0 for none.
    pinned
        Whether nothing is added at the given planes: for thin planes.
    """

    def __init__(self, latent: int, pinned: bool = False) -> None:
        super().__init__(latent, pinned=pinned)

    @property
    def settings(self) -> dict[str, Any]:
        """What the model is built from, ready for JSON."""
        return {"latent": self.latent, "pinned": self.pinned}

    @torch.no_grad()
    def refined(
        self, volume: Floats, base: Floats, places: NDArray[np.float64], cell: float
    ) -> Floats:
        """Return a volume with finer Z, the mean of what its XZ and its YZ planes give.

        Parameters
        ----------
        volume
            The given planes, (z, y, x), float32, about 0 to 1.
        base
            The same interpolated along Z, (places, y, x), float32.
        places
            Where the planes of the result lie, in given planes.
        cell
            Distance of the planes of the result, in given planes.

        Returns
        -------
        numpy.ndarray
            (places, y, x), float32, about 0 to 1.
        """
        found = []
        for axes in ((1, 0, 2), (2, 0, 1)):
            rows = self._refined_rows(volume.transpose(axes), base.transpose(axes), places, cell)
            found.append(rows.transpose(np.argsort(axes)))
        return np.asarray((found[0] + found[1]) / 2, np.float32)

    def _refined_rows(
        self, coarse: Floats, base: Floats, places: NDArray[np.float64], cell: float
    ) -> Floats:
        device = next(self.parameters()).device
        rows = torch.from_numpy(places.astype(np.float32)).to(device)
        found = []
        for start in range(0, len(coarse), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            given, guess = (
                torch.from_numpy(np.ascontiguousarray(a[part])).to(device) for a in (coarse, base)
            )
            found.append(self(given, guess, rows, cell).cpu().numpy())
        return np.concatenate(found)


class PixelModel(PixelField):
    """A network that corrects interpolated pixels along Y and X.

    Parameters
    ----------
    width, level, contrast, error
        As for `PixelField`.
    """

    def __init__(
        self, width: int = 24, level: float = 0.0, contrast: float = 1.0, error: float = 1.0
    ) -> None:
        super().__init__(width, level, contrast, error)

    @property
    def settings(self) -> dict[str, Any]:
        """What the model is built from, ready for JSON."""
        names = ("width", "level", "contrast", "error")
        return {name: getattr(self, name) for name in names}

    def weights(self, given: Sequence[int], fine: Sequence[int]) -> list[torch.Tensor]:
        """Return `cell_weights` of rows and of columns of a result over whole planes.

        Parameters
        ----------
        given, fine
            Rows and columns of the given planes and of the result.
        """
        device, made = next(self.parameters()).device, []
        for n_given, n_fine in zip(given, fine, strict=True):
            one = sampling(n_given, n_fine / n_given, "Y")
            found = cell_weights(one.positions, one.step, n_given)
            made.append(torch.from_numpy(found).to(device))
        return made

    @torch.no_grad()
    def refined(
        self,
        planes: Floats,
        base: Floats,
        places: Sequence[NDArray[np.float64]] | None = None,
        steps: Sequence[float] = (),
    ) -> Floats:
        """Return finer planes, computed in blocks of rows.

        Parameters
        ----------
        planes
            Given planes, (n, y, x), float32, about 0 to 1.
        base
            The same interpolated, (n, fine y, fine x), float32.
        places
            Where the rows and the columns of the result lie, in given pixels; over the whole
            planes if not given.
        steps
            Their distances, in given pixels.

        Returns
        -------
        numpy.ndarray
            (n, fine y, fine x), float32, about 0 to 1.
        """
        device, n_rows = next(self.parameters()).device, planes.shape[1]
        if places is None:
            maps = [
                sampling(n, m / n, "Y")
                for n, m in zip(planes.shape[1:], base.shape[1:], strict=True)
            ]
            places, steps = [m.positions for m in maps], [m.step for m in maps]
        columns = torch.from_numpy(cell_weights(places[1], steps[1], planes.shape[2])).to(device)
        size = max(1, PIXELS_AT_ONCE // planes.shape[2])
        found = np.empty_like(base)
        for start in range(0, n_rows, size):
            low, high = max(0, start - MARGIN), min(n_rows, start + size + MARGIN)
            first, last = np.searchsorted(places[0], (start - 0.5, start + size - 0.5))
            rows = torch.from_numpy(
                cell_weights(places[0][first:last] - low, steps[0], high - low)
            ).to(device)
            for number, plane in enumerate(planes):
                given, guess = (
                    torch.from_numpy(np.ascontiguousarray(a))[None].to(device)
                    for a in (plane[low:high], base[number, first:last])
                )
                found[number, first:last] = self(given, guess, rows, columns)[0].cpu().numpy()
        return found


def published_model(shape: Sequence[int], rendering: bool, **sizes: int) -> PaperField:
    """Return the networks of the preset `paper`, without a fit.

    Parameters
    ----------
    shape
        Frames, and voxels along each spatial axis.
    rendering
        Whether a voxel is a mean over points of its cell, or its centre.
    sizes
        The fields of `fields.hypercube.Sizes`.
    """
    return PaperField(shape, Sizes(**sizes), rendering=rendering)


def published_settings(model: PaperField) -> dict[str, Any]:
    """Return the arguments of `published_model` that give networks of this shape."""
    return {"shape": list(model.shape), "rendering": model.rendering, **vars(model.sizes)}


def settings_of_tensors(tensors: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return shape and settings of a channel of a fit of version 0.1, which are in its tensors.

    Parameters
    ----------
    tensors
        Of one channel, by name without the number of the channel.

    Returns
    -------
    dict
        As described at the top of this module.
    """
    shape = [int(n) for n in tensors["frames"].shape]
    if "sizes" in tensors:
        *sizes, rendering = (int(n) for n in tensors["sizes"])
        names = ("latent", "neurons", "width", "groups", "blocks")
        published = {
            "shape": shape,
            "rendering": bool(rendering),
            **dict(zip(names, sizes, strict=True)),
        }
        return {"published": published, "levels": [float(v) for v in tensors["levels"]]}
    motion, cubic, attenuation = (float(v) for v in tensors["recipe"])
    controls = {k.removeprefix("paths."): v for k, v in tensors.items() if k.startswith("paths.")}
    planes = None
    if "planes.latent" in tensors:
        latent, *pinned = (int(n) for n in tensors["planes.latent"])
        planes = {"latent": latent, "pinned": any(pinned)}  # the oldest files do not hold it
    return {
        "aspect": [float(v) for v in tensors["aspect"]],
        "blending": {"motion": motion, "cubic": bool(cubic), "attenuation": attenuation},
        "sections": KINDS[int(tensors["sections"][0])] if "sections" in tensors else "means",
        "motion": {
            interval: {"shape": shape[1:], "terms": int(c.shape[0]), "points": list(c.shape[2:])}
            for interval, c in controls.items()
        },
        "planes": planes,
        "pixels": None,
    }
