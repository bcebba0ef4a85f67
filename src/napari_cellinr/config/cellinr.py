"""Settings of CellINR: removal of noise and photo-induced background."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from napari_cellinr.config.base import Config, setting

__all__ = ["Background", "CellINRConfig", "Estimate", "Structure"]

Background = Literal["subtract", "keep"]
Structure = Literal["auto", "sheet", "filament", "blob", "none"]
Estimate = Literal["auto", "nlm-5", "nlm-4", "nlm-3", "nlm-2", "gaussian"]


class CellINRConfig(Config):
    """Settings of one denoising fit.

    `preview` answers in seconds on what is in view, `fast` is for results.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "fast": {},
            "preview": {"steps": 30, "estimate": "nlm-3"},
        }
    )

    preset: Literal["preview", "fast"] = setting("fast", "preview: seconds; fast: best on a CPU.")
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
        "Classical start; the number is the search distance of non-local means in voxels.",
        advanced=True,
    )
    blur: float = setting(
        0.7,
        "Standard deviation of the kernel that ties neighbouring voxels together.",
        unit="voxel",
        ge=0,
        le=5,
        advanced=True,
    )
    total_variation: float = setting(
        0.01, "Weight of the 3-D total variation.", ge=0, le=10, advanced=True
    )
    held_out: float = setting(
        0.02,
        "Part of the voxels that no step sees and that decides when to stop.",
        gt=0,
        le=0.2,
        advanced=True,
    )
    learning_rate: float = setting(0.005, "Step size of Adam.", gt=0, le=1, advanced=True)
