"""Microscopes that record the same planes or stacks again and again: time-lapse and scans."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from napari_cellinr.config.base import setting
from napari_cellinr.config.optics.base import (
    BACKGROUND,
    FRAME_TIME,
    FRAME_TIMES,
    KIND,
    START_TIMES,
    VOXEL_SIZE,
    Optics,
)
from napari_cellinr.config.optics.checks import check_increasing, check_list
from napari_cellinr.errors import ConfigError

__all__ = ["LineScan", "PointScan", "Repeated", "TimeLapse", "ZScan"]

_PSF = (
    "TIFF file of the point spread function, with the voxels of the image. Leave empty for no "
    "blur, or give psf_fwhm."
)
_FWHM = (
    "Full widths at half maximum of a Gaussian point spread function along z, y and x (y and x "
    "for planes). Leave empty for no blur."
)


class Repeated(Optics):
    """Frames or stacks of the specimen itself, in focus or blurred by a point spread function."""

    FILES: ClassVar[tuple[str, ...]] = ("psf",)

    psf: str | None = setting(None, _PSF)
    psf_fwhm: tuple[float, ...] | None = setting(None, _FWHM, unit="µm")
    background: float = setting(0.0, BACKGROUND, unit="grey levels", advanced=True)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.psf is not None and self.psf_fwhm is not None:
            raise ConfigError("psf and psf_fwhm were both given; give one of them.")
        check_increasing(getattr(self, "frame_times", None))
        check_list("psf_fwhm", self.psf_fwhm, (2, 3), positive=True)
        return self


class TimeLapse(Repeated):
    """Whole frames or stacks, each recorded at one instant."""

    AXES: ClassVar[tuple[str, ...]] = ("TYX", "TZYX")

    kind: Literal["time-lapse"] = setting("time-lapse", KIND)
    frame_time: float | None = FRAME_TIME
    frame_times: tuple[float, ...] | None = setting(None, FRAME_TIMES, unit="s", advanced=True)
    voxel_size: tuple[float, ...] | None = setting(None, VOXEL_SIZE, unit="µm")


class LineScan(Repeated):
    """Planes recorded row by row."""

    AXES: ClassVar[tuple[str, ...]] = ("TYX",)
    ESSENTIAL: ClassVar[tuple[str, ...]] = ("row_time", "frame_time or frame_times")
    TYPICAL: ClassVar[Mapping[str, Any]] = MappingProxyType({"row_time": 0.01})

    kind: Literal["line-scan"] = setting("line-scan", KIND)
    row_time: float | None = setting(None, "Time from one row to the next.", unit="s", gt=0)
    frame_time: float | None = FRAME_TIME
    bidirectional: bool = setting(
        False, "Whether every other frame is scanned from the last row to the first."
    )
    frame_times: tuple[float, ...] | None = setting(None, START_TIMES, unit="s", advanced=True)
    voxel_size: tuple[float, ...] | None = setting(None, VOXEL_SIZE, unit="µm")


class PointScan(Repeated):
    """Planes recorded pixel by pixel."""

    AXES: ClassVar[tuple[str, ...]] = ("TYX",)
    ESSENTIAL: ClassVar[tuple[str, ...]] = ("pixel_time", "row_time", "frame_time or frame_times")
    TYPICAL: ClassVar[Mapping[str, Any]] = MappingProxyType({"pixel_time": 2e-6, "row_time": 0.002})

    kind: Literal["point-scan"] = setting("point-scan", KIND)
    pixel_time: float | None = setting(None, "Time from one pixel to the next.", unit="s", gt=0)
    row_time: float | None = setting(None, "Time from one row to the next.", unit="s", gt=0)
    frame_time: float | None = FRAME_TIME
    bidirectional: bool = setting(
        False, "Whether every other row is scanned from the last pixel to the first."
    )
    frame_times: tuple[float, ...] | None = setting(None, START_TIMES, unit="s", advanced=True)
    voxel_size: tuple[float, ...] | None = setting(None, VOXEL_SIZE, unit="µm")


class ZScan(Repeated):
    """Stacks recorded plane by plane while the specimen moves."""

    AXES: ClassVar[tuple[str, ...]] = ("TZYX",)
    ESSENTIAL: ClassVar[tuple[str, ...]] = ("plane_time", "stack_time or frame_times")
    TYPICAL: ClassVar[Mapping[str, Any]] = MappingProxyType({"plane_time": 0.05})

    kind: Literal["z-scan"] = setting("z-scan", KIND)
    plane_time: float | None = setting(None, "Time from one plane to the next.", unit="s", gt=0)
    stack_time: float | None = setting(
        None,
        "Time from one stack to the next. Leave empty to take it from the image.",
        unit="s",
        gt=0,
    )
    plane_order: Literal["rising", "falling", "alternating", "interleaved"] = setting(
        "rising",
        "Order in which planes are recorded. alternating: the direction changes with every stack; "
        "interleaved: first planes 0, 2, 4 …, then 1, 3, 5 …",
    )
    row_time: float = setting(
        0.0, "Time from one row of a plane to the next.", unit="s", ge=0, advanced=True
    )
    frame_times: tuple[float, ...] | None = setting(None, START_TIMES, unit="s", advanced=True)
    voxel_size: tuple[float, ...] | None = setting(None, VOXEL_SIZE, unit="µm")
