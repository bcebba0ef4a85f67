"""Settings of CellINR: removal of noise and photo-induced background."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from napari_cellinr.config.base import Config, setting

__all__ = ["Background", "Bleaching", "CellINRConfig", "Estimate", "Preset", "Structure"]

Preset = Literal["preview", "fast", "paper"]
Background = Literal["subtract", "keep"]
Structure = Literal["auto", "sheet", "filament", "blob", "none"]
Bleaching = Literal["keep", "correct"]
Estimate = Literal["auto", "groups", "nlm-5", "nlm-4", "nlm-3", "nlm-2", "gaussian"]

CPU_SPEED = 5e10
"""Operations of one core per second, measured with the networks of the preset `paper`."""

WORTH_A_WARNING = 900.0
"""Seconds above which a user should know before the fit begins."""


class CellINRConfig(Config):
    """Settings of one denoising fit.

    `preview` answers in seconds on what is in view, `fast` is for results, `paper` is the
    published method, which needs a GPU.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "fast": {},
            "preview": {"steps": 30, "estimate": "nlm-3"},
            "paper": {"steps": 50_000, "total_variation": 0.15, "learning_rate": 2e-3},
        }
    )

    preset: Preset = setting(
        "fast", "preview: seconds; fast: best on a CPU; paper: as published, needs a GPU."
    )
    steps: int = setting(120, "Largest number of optimisation steps.", ge=1, le=1_000_000)
    background: Background = setting(
        "subtract", "subtract removes the smooth haze; keep leaves it in the result."
    )
    structure: Structure = setting(
        "auto", "What is to be kept apart from haze: membranes, filaments, nuclei or by the data."
    )
    background_width: float | None = setting(
        None,
        "Width above which brightness counts as haze; none chooses by the data.",
        unit="voxel in x",
        gt=2,
        advanced=True,
    )
    coupling: bool = setting(
        True, "Preset fast: let the frames of a time series help each other.", advanced=True
    )
    bleaching: Bleaching = setting(
        "keep",
        "keep leaves the brightness of the frames of a series; correct makes their mean signal "
        "that of the first one.",
    )
    dark: bool = setting(
        False,
        "Structures are darker than their surroundings; with the background subtracted, the "
        "result says by how much.",
        advanced=True,
    )
    gain: float | None = setting(
        None, "Grey levels per photon; none is estimated.", unit="grey levels", gt=0, advanced=True
    )
    read_noise: float | None = setting(
        None,
        "Standard deviation of the camera noise; none is estimated.",
        unit="grey levels",
        ge=0,
        advanced=True,
    )
    estimate: Estimate = setting(
        "auto",
        "Classical start: groups of alike patches, or non-local means with a search distance in "
        "voxels.",
        advanced=True,
    )
    kernel_spacing: int = setting(
        16,
        "Distance over which local kernels change in 3-D, more in planes; a small one fits noise.",
        unit="voxel",
        ge=2,
        le=64,
        advanced=True,
    )
    total_variation: float = setting(
        0.002, "Weight of the 3-D total variation.", ge=0, le=10, advanced=True
    )
    held_out: float = setting(
        0.02,
        "Part of the voxels that no step sees and that decides when to stop.",
        gt=0,
        le=0.2,
        advanced=True,
    )
    learning_rate: float = setting(0.001, "Step size of Adam.", gt=0, le=1, advanced=True)
    final_learning_rate: float = setting(
        2e-5,
        "Preset paper: step size of Adam in the last step, to which it falls.",
        gt=0,
        le=1,
        advanced=True,
    )
    blind_convolution: bool = setting(
        True,
        "Preset paper: learn each voxel as a mean over points of its cell, not as a point.",
        advanced=True,
    )
    points: int = setting(
        27,
        "Preset paper: points in the cell of a voxel, as many again are added where they count.",
        ge=1,
        le=1000,
        advanced=True,
    )
    batch: int = setting(
        4096, "Preset paper: voxels of one step.", unit="voxel", ge=1, le=1_000_000, advanced=True
    )
    neurons: int = setting(
        256, "Preset paper: neurons in each of the 8 hidden layers.", ge=4, le=4096, advanced=True
    )

    @property
    def fits_in_batches(self) -> bool:
        """Whether a step takes some of the voxels, so that its memory depends on their number."""
        return self.is_published

    def cost_warning(self, sizes: Mapping[str, int]) -> str:
        """Return a sentence on the time that a CPU would need, if it is too long; else empty.

        Parameters
        ----------
        sizes
            Number of elements by axis letter: every time point and channel is fitted by itself.
        """
        seconds = self.cpu_seconds() * sizes.get("T", 1) * sizes.get("C", 1)
        if not self.is_published or self.device in {"cuda", "mps"} or seconds < WORTH_A_WARNING:
            return ""
        return (
            f"preset paper with {self.steps} steps of {self.batch} voxels needs a GPU: on one core "
            f"of a CPU it takes about {_duration(seconds)}. Choose a GPU, fewer and smaller steps, "
            "or the preset fast."
        )

    def cpu_seconds(self) -> float:
        """Return the estimated time of the steps of the preset `paper` for one image."""
        evaluations = self.batch * (3 * self.points if self.blind_convolution else 1)
        operations = 6 * 8 * self.neurons**2  # forward and backward, a product and a sum each
        return self.steps * evaluations * operations / CPU_SPEED


def _duration(seconds: float) -> str:
    """Return a time in words, such as `12 days`."""
    for unit, length in (("days", 86400), ("hours", 3600)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 60:.0f} minutes"
