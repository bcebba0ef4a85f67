"""Settings of a lensless camera with a rolling shutter."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from napari_cellinr.config.base import setting
from napari_cellinr.config.optics.base import BACKGROUND, KIND, PIXEL_SIZE, Optics

__all__ = ["RollingShutter"]


class RollingShutter(Optics):
    """One picture of a lensless camera whose rows are exposed one after the other."""

    AXES: ClassVar[tuple[str, ...]] = ("YX", "CYX")
    ESSENTIAL: ClassVar[tuple[str, ...]] = ("psf", "row_time", "exposure", "shutter")
    TYPICAL: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"psf": "psf.tif", "row_time": 27.52e-6, "exposure": 1.32e-3, "shutter": "dual"}
    )
    FILES: ClassVar[tuple[str, ...]] = ("psf",)

    kind: Literal["rolling-shutter"] = setting("rolling-shutter", KIND)
    psf: str | None = setting(
        None, "TIFF file of the image of a point source, with the pixels of the picture."
    )
    psf_background: float | None = setting(
        None,
        "Grey level without light in the file of psf. Leave empty to take it from the corner of "
        "that image.",
        unit="grey levels",
        advanced=True,
    )
    row_time: float | None = setting(
        None, "Time from the start of one row to that of the next.", unit="s", gt=0
    )
    exposure: float | None = setting(None, "Exposure time of each row.", unit="s", gt=0)
    shutter: Literal["single", "dual"] | None = setting(
        None,
        "single: rows are read from top to bottom; dual: from top and bottom to the middle.",
    )
    rows_per_shot: int = setting(
        9,
        "Number of neighbouring rows that are treated as simultaneous.",
        unit="row",
        ge=1,
        advanced=True,
    )
    samples: int = setting(
        2, "Number of instants that stand for one exposure.", ge=1, le=8, advanced=True
    )
    background: float = setting(0.0, BACKGROUND, unit="grey levels")
    pixel_size: float | None = setting(None, PIXEL_SIZE, unit="µm", gt=0)
    field: float = setting(
        0.5,
        "Size of the scene along y and x.",
        unit="of the sensor",
        gt=0,
        le=1,
        advanced=True,
    )
