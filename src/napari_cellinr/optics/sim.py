"""Structured illumination: the scene times fringes, blurred; planes and stacks, any carriers.

One raw frame is

    y_s = sum_g h_g * [ (g = 0) + sum_{o in g} q_o cos(2 pi k_o . r + phi_so) ] x,

with order o of contrast q_o, wave vector k_o and phase phi_so, and one blur h_g for each group
of orders: three-beam light has another axial blur for its first order than for its second
(Gustafsson et al. 2008, Biophysical Journal 94, 4957). r is counted from the first pixel. k_o,
phi_so and q_o may be fitted with the scene: what is estimated from moving frames beforehand is
wrong by up to a third of a period over the field (docs/decisions/pattern-of-light.md).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from napari_cellinr.optics.base import ForwardModel
from napari_cellinr.optics.blur import extend_times
from napari_cellinr.optics.fourier import crop, fast_shape, irfft, rfft

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["ADJUSTABLE", "SIMModel", "fine_size", "low_frequencies"]

ADJUSTABLE = ("carrier_shift", "phase_shift", "contrast_shift")
"""What may be fitted with the scene."""

CONTRAST_UNIT = 6.0
"""Logarithm of the contrast that counts as a cycle of the phase: too high a contrast is corrected
before phases turn to hide it."""


class SIMModel(ForwardModel):
    """Raw frames of structured illumination, on the pixels of the camera.

    What is fitted with the scene are differences from what is given, 0 at first: `carrier_shift` in
    cycles over the field, (orders, 2), `phase_shift` in cycles at its middle, (patterns, orders),
    and `contrast_shift`, (orders,), of the logarithm, in units of `CONTRAST_UNIT`.

    Parameters
    ----------
    data_shape
        Size (shots, [Z,] Y, X) of the raw frames; shot i has pattern i modulo their number.
    times
        Seconds of every shot, (shots,), or of every plane, (shots, Z, 1, 1).
    carriers
        Wave vector (y, x) of every order, (orders, 2), in cycles per camera pixel.
    phases, contrasts
        Phase in radians and contrast of every order in every pattern, (patterns, orders).
    transfers
        Transfer function of every group, (groups, [Z,] Y, X // 2 + 1), complex, on
        `SIMModel.grid(size, planes)`; it must be 0 at the finest frequency of the camera.
    groups
        Group of every order, (orders,) int64.
    zoom
        Pixels of the scene per camera pixel.
    planes
        Planes that the scene has more above and below.
    margin
        Pixels at the edges of the frames that do not count.
    adjusts
        Which of `ADJUSTABLE` are fitted with the scene.
    """

    patterned = True
    times: torch.Tensor
    carriers: torch.Tensor
    phases: torch.Tensor
    contrasts: torch.Tensor
    transfers: torch.Tensor
    groups: torch.Tensor
    carrier_shift: torch.Tensor
    phase_shift: torch.Tensor
    contrast_shift: torch.Tensor

    def __init__(
        self,
        data_shape: Sequence[int],
        times: torch.Tensor,
        carriers: torch.Tensor,
        phases: torch.Tensor,
        contrasts: torch.Tensor,
        transfers: torch.Tensor,
        groups: torch.Tensor,
        *,
        zoom: float = 2.0,
        planes: int = 0,
        margin: int = 4,
        adjusts: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.data_shape = tuple(data_shape)
        size = self.data_shape[1:]
        fine = fine_size(size[-2:], zoom)
        depth = size[:-2]
        self.padding = (planes,) * len(depth) + (0, 0)
        self.scene_shape = (*(n + 2 * planes for n in depth), *fine)
        self.zoom = (1.0,) * len(depth) + (fine[0] / size[-2], fine[1] / size[-1])
        self.loss_margin = (0,) * len(depth) + (margin, margin)
        self._grid = self.grid(size, planes)
        self.register_buffer("times", extend_times(times, self.padding).float())
        for name, values in (("carriers", carriers), ("phases", phases), ("contrasts", contrasts)):
            self.register_buffer(name, values.double().float())
        self.register_buffer("transfers", transfers.to(torch.complex64))
        self.register_buffer("groups", groups)
        self.adjusts = tuple(name for name in ADJUSTABLE if name in adjusts)
        shapes = (carriers.shape, phases.shape, contrasts.shape[1:])
        for name, shape in zip(ADJUSTABLE, shapes, strict=True):
            self.register_buffer(name, torch.zeros(tuple(shape)))

    @staticmethod
    def grid(size: Sequence[int], planes: int = 0) -> tuple[int, ...]:
        """Return the size of the grid in camera pixels on which transfer functions are sampled.

        Parameters
        ----------
        size
            Planes, if any, rows and columns of the raw frames.
        planes
            Planes that the scene has more above and below.
        """
        return (*fast_shape([n + 2 * planes for n in size[:-2]]), *size[-2:])

    def shot_times(self) -> torch.Tensor:
        """Return the seconds of every shot, (shots,) or (shots, Z, 1, 1)."""
        return self.times

    def adjustable(self) -> list[torch.Tensor]:
        """Return the values of the light that are fitted with the scene."""
        return [getattr(self, name) for name in self.adjusts]

    def light(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return carriers, phases and contrasts as they are now.

        Returns
        -------
        carriers : torch.Tensor
            Wave vectors (y, x) in cycles per camera pixel, (orders, 2).
        phases, contrasts : torch.Tensor
            Phase in radians at the first pixel, and contrast, (patterns, orders).
        """
        field = torch.tensor(self.data_shape[-2:], dtype=torch.float32, device=self.carriers.device)
        moved = self.carrier_shift / field
        # A phase counts from the first pixel, but is known in the middle: there, it stays.
        middle = (moved * (field - 1) / 2).sum(1)
        phases = self.phases + 2 * math.pi * (self.phase_shift - middle)
        contrasts = self.contrasts * torch.exp(CONTRAST_UNIT * self.contrast_shift)
        return self.carriers + moved, phases, contrasts

    def illumination(self) -> dict[str, list[Any]]:
        """Return wave vectors (y, x) in cycles per camera pixel, phases in degrees, contrasts.

        Rows of phases and contrasts are patterns; where an order is off, they are None and 0.
        """
        with torch.no_grad():
            carriers, phases, contrasts = (part.cpu().double() for part in self.light())
        shown = torch.rad2deg(phases) % 360
        rows = zip(shown.tolist(), contrasts.tolist(), strict=True)
        return {
            "carriers": carriers.tolist(),
            "phases": [[p if q else None for p, q in zip(*row, strict=True)] for row in rows],
            "contrasts": contrasts.tolist(),
        }

    def fringes(self, shots: torch.Tensor) -> torch.Tensor:
        """Return the light of every group, (n, groups, Y, X), on the pixels of the scene."""
        carriers, phases, contrasts = self.light()
        pattern = shots % len(phases)
        rows, columns = (
            torch.arange(n, device=self.carriers.device) / zoom
            for n, zoom in zip(self.scene_shape[-2:], self.zoom[-2:], strict=True)
        )
        along_y = 2 * math.pi * carriers[:, 0, None] * rows
        along_x = 2 * math.pi * carriers[:, 1, None] * columns
        angle = along_y[:, :, None] + along_x[:, None, :] + phases[pattern][:, :, None, None]
        waves = contrasts[pattern][:, :, None, None] * torch.cos(angle)
        light = waves.new_zeros((len(shots), len(self.transfers), *waves.shape[-2:]))
        light[:, 0] = 1
        return light.index_add(1, self.groups, waves)

    def forward(self, scene: torch.Tensor, shots: torch.Tensor) -> torch.Tensor:
        """Return the raw frames (n, [Z,] Y, X) of the scene (n, 1, [Z,] Y, X)."""
        light = self.fringes(shots)
        if scene.ndim == 5:
            light = light[:, :, None]
        fine = (*self._grid[:-2], *self.scene_shape[-2:])
        spectrum = low_frequencies(rfft(light * scene, fine), self._grid[-2:])
        frames = irfft((spectrum * self.transfers).sum(1), self._grid)
        share = math.prod(self._grid[-2:]) / math.prod(fine[-2:])
        return share * crop(frames, self.padding, self.data_shape[1:])


def fine_size(size: Sequence[int], zoom: float) -> tuple[int, ...]:
    """Return the size of the scene along y and x, at least `zoom` times that of a frame.

    Parameters
    ----------
    size
        Size (Y, X) of a raw frame.
    zoom
        Pixels of the scene per camera pixel; rounded up to sizes that transform quickly.
    """
    return fast_shape([math.ceil(n * zoom - 1e-9) for n in size])


def low_frequencies(spectrum: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Return the frequencies of a spectrum that a coarser grid has, too.

    Parameters
    ----------
    spectrum
        Transform of real values on the fine grid, (…, Y, X // 2 + 1), complex.
    size
        Size (Y, X) of the coarser grid.
    """
    n_rows, n_columns = size
    top = spectrum[..., : (n_rows + 1) // 2, : n_columns // 2 + 1]
    bottom = spectrum[..., spectrum.shape[-2] - n_rows // 2 :, : n_columns // 2 + 1]
    return torch.cat([top, bottom], dim=-2)
