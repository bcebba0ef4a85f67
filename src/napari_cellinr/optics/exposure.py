"""Frames of finite exposure time: the mean of the moving scene over the exposure, blurred.

A camera adds up the light that arrives while its shutter is open. For frame s, opened at t_s for
the time e,

    y_s = h * sum_j w_j x(t_s + e j / (n - 1)),  j = 0 … n - 1,

the trapezoidal rule for the mean over the exposure with n instants: w_j is 1 / (n - 1), half as
much for the first and the last instant. h is the point spread function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_cellinr.optics.blur import BlurModel

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ExposureModel"]


class ExposureModel(BlurModel):
    """Frames or stacks that are the mean of the scene over their exposure, perhaps blurred.

    Parameters
    ----------
    data_shape
        Size (shots, [Z,] Y, X) of the raw frames.
    starts
        Seconds at which each exposure begins, (shots,).
    exposure
        Exposure time in seconds.
    samples
        Number of instants n that stand for one exposure, at least 2.
    psf
        Point spread function ([Z,] Y, X) of odd sizes, or None for no blur.

    Raises
    ------
    ConfigError
        If the point spread function has negative values or does not fit the frames.
    """

    weights: torch.Tensor

    def __init__(
        self,
        data_shape: Sequence[int],
        starts: torch.Tensor,
        exposure: float,
        samples: int = 5,
        psf: torch.Tensor | None = None,
    ) -> None:
        instants = exposure * torch.linspace(0, 1, samples, dtype=torch.float64)
        times = (starts.double()[:, None] + instants).reshape(-1)
        super().__init__(data_shape, times, psf)
        self.samples = samples
        weights = torch.ones(samples)
        weights[[0, -1]] = 0.5
        self.register_buffer("weights", weights / (samples - 1))

    def frame_times(self) -> torch.Tensor:
        """Return the middle of every exposure in seconds, (shots,) float64."""
        return self.times.cpu().double().reshape(-1, self.samples).mean(1)

    def forward(self, scene: torch.Tensor, shots: torch.Tensor) -> torch.Tensor:
        """Return the raw frames (n, [Z,] Y, X), each a weighted mean over its exposure.

        Parameters
        ----------
        scene
            The scene (n * samples, 1, [Z,] Y, X) at the sampled times of each exposure.
        shots
            Indices (n,) of the shots, int64.
        """
        instants = scene.reshape(len(shots), self.samples, *scene.shape[1:])
        mean = torch.einsum("s,ns...->n...", self.weights.to(scene.dtype), instants)
        return super().forward(mean, shots)
