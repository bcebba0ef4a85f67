"""Frames that show the scene itself or blurred, recorded at once, by rows or plane by plane.

In a scan with blur, each row or plane of the scene is taken at its own time, and then all are
blurred together: out-of-focus light has the time of the plane that it comes from, not that of the
plane in which it is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.base import ForwardModel
from napari_cellinr.optics.fourier import convolve, crop, fast_shape, transfer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BlurModel", "extend_times", "line_times", "plane_order", "plane_times", "point_times"]


class BlurModel(ForwardModel):
    """Frames or stacks of the scene, convolved with a point spread function if there is one.

    Parameters
    ----------
    data_shape
        Size (shots, [Z,] Y, X) of the raw frames.
    times
        Seconds, (shots,) or one per row, plane or pixel of the field of view: (shots, [Z or 1,]
        Y or 1, X or 1).
    psf
        Point spread function ([Z,] Y, X) of odd sizes, scaled here to sum 1; None for no blur.
    """

    times: torch.Tensor
    transfer: torch.Tensor

    def __init__(
        self,
        data_shape: Sequence[int],
        times: torch.Tensor,
        psf: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.data_shape = tuple(data_shape)
        size = self.data_shape[1:]
        if psf is not None:
            _check_psf(psf, size)
        self.padding = (0,) * len(size) if psf is None else tuple(n // 2 for n in psf.shape)
        self.zoom = (1.0,) * len(size)
        self.loss_margin = (0,) * len(size)
        self.scene_shape = tuple(n + 2 * pad for n, pad in zip(size, self.padding, strict=True))
        self._fast = fast_shape(self.scene_shape)
        self.register_buffer("times", extend_times(times, self.padding).float())
        transfer = torch.zeros(0)
        if psf is not None:
            transfer = transfer_of(psf.double() / psf.double().sum(), self._fast)
            transfer = transfer.to(torch.complex64)
        self.register_buffer("transfer", transfer)

    @property
    def is_direct(self) -> bool:
        """Whether nothing is blurred, by a point spread function or while the shutter is open."""
        return self.samples == 1 and not self.transfer.numel()

    def shot_times(self) -> torch.Tensor:
        """Return the seconds of every shot, (shots,) or with a time per row, plane or pixel."""
        return self.times

    def forward(self, scene: torch.Tensor, shots: torch.Tensor) -> torch.Tensor:
        """Return the raw frames (n, [Z,] Y, X) of the scene (n, 1, [Z,] Y, X)."""
        values = scene[:, 0]
        if self.transfer.numel():
            # The border of the scene takes what is wrapped around: the frame is exact.
            values = convolve(values, self.transfer, self._fast)
        return crop(values, self.padding, self.data_shape[1:])


def extend_times(times: torch.Tensor, padding: Sequence[int]) -> torch.Tensor:
    """Return times for the padded scene; beyond the edge they are those of the edge.

    Parameters
    ----------
    times
        Seconds, (shots,) or (shots, [Z or 1,] Y or 1, X or 1).
    padding
        Voxels added on each side, one number per spatial axis.

    Returns
    -------
    torch.Tensor
        Times of the same dtype; axes of size 1 keep it.
    """
    for axis, pad in enumerate(padding, start=1):
        if times.ndim > 1 and pad and times.shape[axis] > 1:
            last = times.shape[axis] - 1
            places = torch.arange(-pad, last + 1 + pad, device=times.device).clamp(0, last)
            times = times.index_select(axis, places)
    return times


def _check_psf(psf: torch.Tensor, size: Sequence[int]) -> None:
    """Refuse what cannot blur an image of this size."""
    if psf.ndim != len(size) or any(n % 2 == 0 for n in psf.shape):
        raise ConfigError(
            f"a psf of size {tuple(psf.shape)} was given for frames of size {tuple(size)}; it "
            "needs as many axes, and odd sizes with the point in the middle."
        )
    if any(n > m for n, m in zip(psf.shape, size, strict=True)):
        raise ConfigError(
            f"a psf of size {tuple(psf.shape)} was given for frames of size {tuple(size)}; it "
            "cannot be larger than the image: crop it around the point."
        )
    if not bool(torch.isfinite(psf).all()) or float(psf.min()) < 0 or float(psf.sum()) <= 0:
        raise ConfigError(
            "a psf with negative or missing values, or of sum 0, was given; light adds up: "
            "subtract the background of the picture of the point and clip it at 0."
        )


def line_times(
    starts: torch.Tensor, n_rows: int, row_time: float, *, bidirectional: bool = False
) -> torch.Tensor:
    """Return the seconds of every row, (shots, Y, 1), float64.

    Parameters
    ----------
    starts
        Seconds at which each frame begins, (shots,).
    n_rows
        Rows of a frame.
    row_time
        Seconds from one row to the next.
    bidirectional
        Whether every other frame is recorded from the last row to the first.
    """
    rows = torch.arange(n_rows, dtype=torch.float64).expand(len(starts), n_rows).clone()
    if bidirectional:
        rows[1::2] = n_rows - 1 - rows[1::2]
    return (starts.double()[:, None] + row_time * rows)[:, :, None]


def point_times(
    starts: torch.Tensor,
    size: tuple[int, int],
    row_time: float,
    pixel_time: float,
    *,
    bidirectional: bool = False,
) -> torch.Tensor:
    """Return the seconds of every pixel, (shots, Y, X), float64.

    Parameters
    ----------
    starts
        Seconds at which each frame begins, (shots,).
    size
        Rows and columns of a frame.
    row_time, pixel_time
        Seconds from one row, and from one pixel, to the next.
    bidirectional
        Whether every other row is recorded from its last pixel to its first.
    """
    columns = torch.arange(size[1], dtype=torch.float64).expand(size).clone()
    if bidirectional:
        columns[1::2] = size[1] - 1 - columns[1::2]
    return line_times(starts, size[0], row_time) + pixel_time * columns


def plane_order(n_planes: int, order: str, shot: int) -> torch.Tensor:
    """Return the place of each plane in the order of recording, (Z,) int64, 0 for the first.

    Parameters
    ----------
    n_planes
        Planes of a stack.
    order
        rising: 0, 1, 2 …; falling: the reverse; alternating: rising in even stacks and falling
        in odd ones; interleaved: 0, 2, 4 …, then 1, 3, 5 …
    shot
        Index of the stack.
    """
    planes = torch.arange(n_planes)
    if order == "falling" or (order == "alternating" and shot % 2 == 1):
        return planes.flip(0)
    if order == "interleaved":
        return torch.argsort(torch.cat([planes[0::2], planes[1::2]]))
    return planes


def plane_times(
    starts: torch.Tensor,
    n_planes: int,
    plane_time: float,
    *,
    order: str = "rising",
    n_rows: int = 1,
    row_time: float = 0.0,
) -> torch.Tensor:
    """Return the seconds of every plane, (shots, Z, 1, 1), or row, (shots, Z, Y, 1), float64.

    Parameters
    ----------
    starts
        Seconds at which each stack begins, (shots,).
    n_planes
        Planes of a stack.
    plane_time, row_time
        Seconds from one plane, and from one row of a plane, to the next.
    order
        Order of the planes, see `plane_order`.
    n_rows
        Rows of a plane; only needed if rows have times of their own.
    """
    turns = torch.stack([plane_order(n_planes, order, shot) for shot in range(len(starts))])
    times = starts.double()[:, None] + plane_time * turns
    if not row_time:
        return times[:, :, None, None]
    rows = row_time * torch.arange(n_rows, dtype=torch.float64)
    return (times[:, :, None] + rows)[..., None]
