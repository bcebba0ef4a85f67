"""A camera without lens and with a rolling shutter: every row sees the whole scene, at its time.

After Antipa et al. (2019), "Video from Stills: Lensless Imaging with Rolling Shutter", ICCP. A
shot is a band of rows that are read at almost the same time, with `dual` shutter one band from
the top and its mirror image from the bottom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.base import ForwardModel
from napari_cellinr.optics.fourier import fast_shape, irfft, rfft
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RollingShutterModel", "band_rows"]


class RollingShutterModel(ForwardModel):
    """Bands of rows of one picture, (shots, rows of a band, X).

    Colours share the motion: shot s is the band s // colours in the colour s % colours.

    Parameters
    ----------
    size
        Size (Y, X) of the picture.
    psf
        Picture of a point in the middle of the scene, (Y, X), at most of that size; or one for
        each colour, (colours, Y, X), of which the brightest sums to 1.
    rows
        Rows of every shot, (shots, rows of a band) int64: as `band_rows` gives them.
    row_time, exposure
        Seconds from one row to the next, and for which each is exposed.
    scene_shape
        Size (Y, X) of the scene, in the middle of the picture.
    dual
        Whether rows are read from both edges.
    samples
        Instants by which the exposure is replaced.
    colours
        Names of the colours of the picture; one colour has no name of its own.
    """

    times: torch.Tensor
    transfer: torch.Tensor
    rows: torch.Tensor

    def __init__(
        self,
        size: Sequence[int],
        psf: torch.Tensor,
        rows: torch.Tensor,
        row_time: float,
        exposure: float,
        scene_shape: Sequence[int],
        *,
        dual: bool = True,
        samples: int = 2,
        colours: Sequence[str] = ("intensity",),
    ) -> None:
        super().__init__()
        psfs = psf if psf.ndim == 3 else psf.expand(len(colours), *psf.shape)
        _check_psf(psfs, size, len(colours))
        self.channels, self.channel_names = len(colours), tuple(colours)
        self.data_shape = (len(rows) * len(colours), rows.shape[1], size[1])
        self.scene_shape = tuple(scene_shape)
        self.padding, self.loss_margin, self.zoom = (0, 0), (0, 0), (1.0, 1.0)
        self.samples = samples
        self._size = tuple(size)
        self._fast = fast_shape([n + m for n, m in zip(psfs.shape[1:], scene_shape, strict=True)])
        self.register_buffer("rows", rows)
        middle = rows[:, : rows.shape[1] // 2 if dual else None].double().mean(1)
        instants = (torch.arange(samples, dtype=torch.float64) + 0.5) / samples
        middle = middle.repeat_interleave(len(colours))
        times = row_time * middle[:, None] + exposure * instants
        self.register_buffer("times", times.reshape(-1).float())
        brightest = psfs.double().sum(dim=(-2, -1)).max()
        transfer = rfft(psfs.double() / brightest, self._fast)
        self.register_buffer("transfer", transfer.to(torch.complex64))
        # Where the picture begins in the full convolution: the middle of both is the same.
        self._start = [
            p // 2 + m // 2 - n // 2
            for p, m, n in zip(psfs.shape[1:], scene_shape, size, strict=True)
        ]

    def shot_times(self) -> torch.Tensor:
        """Return the seconds of every instant of every shot, (shots * samples,)."""
        return self.times

    def forward(self, scene: torch.Tensor, shots: torch.Tensor) -> torch.Tensor:
        """Return the bands (n, rows, X) of the scene (n * samples, colours, Y, X)."""
        colour, band = shots % self.channels, shots // self.channels
        chosen = colour.repeat_interleave(self.samples).view(-1, 1, 1, 1)
        seen = scene.gather(1, chosen.expand(-1, 1, *scene.shape[2:]))
        mean = seen.reshape(-1, self.samples, *self.scene_shape).mean(1)
        full = irfft(rfft(mean, self._fast) * self.transfer[colour], self._fast)
        places = (self.rows[band] + self._start[0]) % self._fast[0]
        columns = torch.arange(self._size[1], device=scene.device) + self._start[1]
        taken = full.gather(1, places[:, :, None].expand(-1, -1, self._fast[1]))
        return taken[:, :, columns % self._fast[1]]


def _check_psf(psf: torch.Tensor, size: Sequence[int], n_colours: int) -> None:
    """Refuse what cannot be the picture of a point in every colour."""
    if psf.ndim != 3 or any(p > n for p, n in zip(psf.shape[1:], size, strict=True)):
        raise ConfigError(
            f"a psf of size {tuple(psf.shape[-2:])} was given for a picture of size {tuple(size)}; "
            "it cannot be larger than the picture, and must have two axes: bin or crop it alike."
        )
    if len(psf) != n_colours:
        raise ConfigError(
            f"a psf with {n_of(len(psf), 'colour')} was given for a picture with {n_colours}; one "
            "for all colours, or one for each of them is needed."
        )
    dark = psf.sum(dim=(-2, -1)).min()
    if not bool(torch.isfinite(psf).all()) or float(psf.min()) < 0 or float(dark) <= 0:
        raise ConfigError(
            "a psf with negative or missing values, or of sum 0, was given; light adds up: "
            "subtract its background and clip it at 0."
        )


def band_rows(n_rows: int, band: int, *, dual: bool) -> torch.Tensor:
    """Return the rows of every shot, (shots, band), or (shots, 2 band) with a dual shutter.

    Every row belongs to a shot; the last band may share rows with the one before it.

    Parameters
    ----------
    n_rows
        Rows of the picture.
    band
        Neighbouring rows of one shot.
    dual
        Whether the mirror image of each band, from the other edge, belongs to it.
    """
    swept = (n_rows + 1) // 2 if dual else n_rows
    band = min(band, swept)
    starts = [min(start, swept - band) for start in range(0, swept, band)]
    rows = torch.tensor(starts)[:, None] + torch.arange(band)
    return torch.cat([rows, n_rows - 1 - rows], dim=1) if dual else rows
