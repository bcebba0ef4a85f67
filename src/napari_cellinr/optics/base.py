"""What every microscope must say: which scene it sees, when, and what it records of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch

__all__ = ["ForwardModel"]


class ForwardModel(nn.Module, ABC):
    """The physics of one microscope: linear, without data, without unknowns.

    The scene lies on a lattice of pixels that has `padding` more of them on each side than a
    raw frame, times `zoom`: scene index 0 is the padded corner. Every raw frame is one *shot*.

    Attributes
    ----------
    channels
        Number of channels of the scene.
    channel_names
        What each channel is, one word each.
    scene_shape
        Size (Z, Y, X) or (Y, X) of the scene, with its padding.
    data_shape
        Size (shots, [Z,] Y, X) of the raw frames.
    padding
        Pixels of the scene on each side of the field of view, one number per axis.
    zoom
        Pixels of the scene per pixel of the field of view, one number per axis.
    loss_margin
        Pixels of a raw frame along each edge that the data loss leaves out, one number per
        spatial axis: what is periodic there is not so in the specimen.
    nonnegative
        Whether the scene cannot be below 0.
    samples
        Instants by which one exposure is replaced; see `shot_times`.
    """

    channels: int = 1
    channel_names: tuple[str, ...] = ("intensity",)
    scene_shape: tuple[int, ...]
    data_shape: tuple[int, ...]
    padding: tuple[int, ...]
    zoom: tuple[float, ...]
    loss_margin: tuple[int, ...]
    nonnegative: bool = True
    samples: int = 1

    @property
    def n_shots(self) -> int:
        """The number of raw frames."""
        return self.data_shape[0]

    @abstractmethod
    def shot_times(self) -> torch.Tensor:
        """Return the time of every shot in seconds, (shots * samples,) or with a time per place.

        A scan records its rows or planes one after the other: then the shape is (shots,
        Z or 1, Y or 1, X or 1), or (shots, Y or 1, X or 1), and fits the padded scene. The
        samples of one shot follow each other.
        """

    def frame_times(self) -> torch.Tensor:
        """Return the time in seconds at which the result shows each shot, (shots,) float64.

        The mean over the places of a shot that is not one instant; of samples, the first.
        """
        times = self.shot_times().double()
        return times.reshape(len(times), -1)[:: self.samples].mean(1)

    @abstractmethod
    def forward(self, scene: torch.Tensor, shots: torch.Tensor) -> torch.Tensor:
        """Return the raw frames (n, [Z,] Y, X) of `shots`.

        Parameters
        ----------
        scene
            The scene (n * samples, channels, [Z,] Y, X) at the time or times of each shot.
        shots
            Indices (n,) of the shots, int64.
        """
