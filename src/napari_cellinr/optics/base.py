"""The interface of forward models: size of the scene, times, and raw frames of a scene."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    import torch

__all__ = ["ForwardModel"]


class ForwardModel(nn.Module, ABC):
    """The physics of one microscope: a linear map without data and without parameters of its own.

    The scene is a grid of voxels: `zoom` times as many as the raw frame has, and `padding` more
    on each side. Scene index 0 is the corner of the padding. Every raw frame is called a shot.

    Attributes
    ----------
    channels
        Number of channels of the scene.
    channel_names
        Name of each channel, one word.
    scene_shape
        Size (Z, Y, X) or (Y, X) of the scene, with its padding.
    data_shape
        Size (shots, [Z,] Y, X) of the raw frames.
    padding
        Voxels of the scene beyond each side of the field of view, one number per axis.
    zoom
        Voxels of the scene per voxel of the raw frame, one number per axis.
    loss_margin
        Voxels along each edge of a raw frame that the data loss leaves out, one number per axis,
        because the model is periodic there and the specimen is not.
    nonnegative
        Whether values of the scene below 0 are penalised: few and small ones are left.
    patterned
        Whether frames show the scene under different patterns of light.
    samples
        Instants that stand for one exposure; see `shot_times`.

    Examples
    --------
    >>> import torch
    >>> from napari_cellinr import ForwardModel
    >>> class Ideal(ForwardModel):
    ...     def shot_times(self):
    ...         return torch.arange(self.data_shape[0])
    ...
    ...     def forward(self, scene, shots):
    ...         return scene[:, 0]
    >>> issubclass(Ideal, torch.nn.Module)
    True
    """

    channels: int = 1
    channel_names: tuple[str, ...] = ("intensity",)
    scene_shape: tuple[int, ...]
    data_shape: tuple[int, ...]
    padding: tuple[int, ...]
    zoom: tuple[float, ...]
    loss_margin: tuple[int, ...]
    nonnegative: bool = True
    patterned: bool = False
    samples: int = 1

    @property
    def is_direct(self) -> bool:
        """Whether each frame is the scene at its time, neither blurred nor modulated nor mixed."""
        return False

    @property
    def n_shots(self) -> int:
        """The number of raw frames."""
        return self.data_shape[0]

    @abstractmethod
    def shot_times(self) -> torch.Tensor:
        """Return the time of every instant of every shot in seconds, (shots * samples,).

        The instants of one shot follow each other. A scan records rows or planes one after the
        other: its times have the shape (shots, [Z or 1,] Y or 1, X or 1) and fit the padded scene.
        """

    def frame_times(self) -> torch.Tensor:
        """Return the time in seconds at which the result shows each shot, (shots,) float64.

        It is on the CPU: the mean over the places of a shot that is not one instant; of samples,
        the first.
        """
        times = self.shot_times().cpu().double()  # MPS has no float64
        return times.reshape(len(times), -1)[:: self.samples].mean(1)

    def adjustable(self) -> list[torch.Tensor]:
        """Return what a fit may change of the light, in a copy of this model; usually nothing.

        Tensors of the model, float32, of which a change by 0.01 changes frames by a few percent.
        """
        return []

    def illumination(self) -> dict[str, list[Any]]:
        """Return the pattern of the light as it is now, ready for JSON; empty if there is none."""
        return {}

    @abstractmethod
    def forward(self, scene: torch.Tensor, shots: torch.Tensor) -> torch.Tensor:
        """Return the raw frames (n, [Z,] Y, X) of `shots`.

        Parameters
        ----------
        scene
            The scene (n * samples, channels, *scene_shape) at the times of each shot, real.
        shots
            Indices (n,) of the shots, int64.

        Returns
        -------
        torch.Tensor
            Frames (n, *data_shape[1:]) with the dtype of the scene.
        """
