"""Settings of a time-lapse whose exposures are too long to be instants."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from napari_cellinr.config.base import setting
from napari_cellinr.config.optics.base import (
    BACKGROUND,
    FRAME_TIME,
    KIND,
    START_TIMES,
    VOXEL_SIZE,
    Optics,
)
from napari_cellinr.config.optics.checks import check_increasing, check_list

__all__ = ["Exposure"]


class Exposure(Optics):
    """Time-lapse whose frames or stacks collect light for a finite time while things move."""

    AXES: ClassVar[tuple[str, ...]] = ("TYX", "TZYX")
    ESSENTIAL: ClassVar[tuple[str, ...]] = ("exposure_fraction or exposure_time",)
    TYPICAL: ClassVar[Mapping[str, Any]] = MappingProxyType({"exposure_fraction": 1.0})

    kind: Literal["exposure"] = setting("exposure", KIND)
    exposure_fraction: float | None = setting(
        None,
        "Exposure time as a fraction of the shortest frame interval; not used if exposure_time is "
        "given.",
        gt=0,
        le=1,
    )
    exposure_time: float | None = setting(
        None,
        "Exposure time of every frame. Leave empty to use exposure_fraction.",
        unit="s",
        gt=0,
    )
    blur_sigma: tuple[float, ...] | None = setting(
        None,
        "Standard deviations of a Gaussian blur along z, y and x (y and x for planes). Leave "
        "empty for no blur.",
        unit="µm",
    )
    samples: int = setting(
        5,
        "Number of instants that stand for one exposure; more follow faster motion and take more "
        "time and memory.",
        ge=2,
        le=16,
        advanced=True,
    )
    background: float = setting(0.0, BACKGROUND, unit="grey levels", advanced=True)
    frame_time: float | None = FRAME_TIME
    frame_times: tuple[float, ...] | None = setting(None, START_TIMES, unit="s", advanced=True)
    voxel_size: tuple[float, ...] | None = setting(None, VOXEL_SIZE, unit="µm")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_increasing(self.frame_times)
        check_list("blur_sigma", self.blur_sigma, (2, 3), positive=True)
        return self
