"""The settings of each method as typed keywords, so that editors complete and check them.

`tests/config/test_keywords.py` compares them with the classes of settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from napari_cellinr.config.base import Device
    from napari_cellinr.config.cellinr import (
        Annealing,
        Background,
        Bleaching,
        Estimate,
        Pattern,
        Structure,
    )
    from napari_cellinr.config.nstm import Extra, Preset
    from napari_cellinr.config.spatime import Motion, NoiseOfFrames, Planes

__all__ = ["DenoiseSettings", "ReconstructSettings", "SuperresolveSettings"]

AnyDevice: TypeAlias = "Device | str | torch.device"
"""`auto`, `cpu`, `cuda`, `mps`, one of several GPUs such as `cuda:1`, or a device of torch."""


class DenoiseSettings(TypedDict, total=False):
    """Settings of `denoise` besides the preset."""

    device: AnyDevice
    seed: int
    steps: int
    max_seconds: float | None
    background: Background
    structure: Structure
    background_width: float | None
    coupling: bool
    bleaching: Bleaching
    dark: bool
    gain: float | None
    read_noise: float | None
    offset: float | None
    grain: float | None
    pattern: Pattern
    camera_offset: str | None
    camera_gain: str | None
    camera_variance: str | None
    estimate: Estimate
    rounds: int
    repeats: int
    kernel_spacing: int
    total_variation: float
    held_out: float
    learning_rate: float
    final_learning_rate: float
    annealing: Annealing
    blind_convolution: bool
    points: int
    batch: int
    neurons: int


class SuperresolveSettings(TypedDict, total=False):
    """Settings of `superresolve` besides preset and scale."""

    device: AnyDevice
    seed: int
    steps: int
    max_seconds: float | None
    isotropic: bool
    target_voxel: Mapping[str, float]
    times: Sequence[float]
    stamps: Sequence[float]
    motion: Motion
    planes: Planes
    noise: NoiseOfFrames
    confidence: bool
    psf: float
    latent: int
    refinement: float
    rendering: bool
    cycle: float
    neurons: int
    batch: int
    learning_rate: float


class ReconstructSettings(TypedDict, total=False):
    """Settings of `reconstruct` besides the optics."""

    preset: Preset
    device: AnyDevice
    seed: int
    steps: int
    max_seconds: float | None
    fastest_movement: float | None
    smallest_structure: float | None
    times: str
    reference: int
    motion_channel: str | int | None
    align: bool
    moving: bool
    coarse_to_fine: bool
    restart: bool
    check_motion: bool
    motion_layers: str | int
    brightness: Extra
    bleaching: Extra
    unexplained: Extra
    out_of_focus: Extra
    folding: float
    smoothness: float | None
    stiffness: float
    motion_rate: float
    learning_rate: float
    neurons: int
    held_out: float
