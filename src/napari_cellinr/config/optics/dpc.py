"""Settings of differential phase contrast."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from napari_cellinr.config.base import setting
from napari_cellinr.config.optics.base import (
    FRAME_TIME,
    FRAME_TIMES,
    INDEX,
    KIND,
    NA,
    PIXEL_SIZE,
    WAVELENGTH,
    Optics,
)
from napari_cellinr.config.optics.checks import (
    check_apertures,
    check_increasing,
    check_led_positions,
    check_list,
)
from napari_cellinr.errors import ConfigError

__all__ = ["DPC"]


class DPC(Optics):
    """Differential phase contrast of thin specimens, illuminated from one side after the other."""

    ESSENTIAL: ClassVar[tuple[str, ...]] = (
        "wavelength",
        "na",
        "na_illumination or led_positions",
        "pixel_size",
        "rotations or led_positions",
    )
    TYPICAL: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "wavelength": 0.525,
            "na": 0.25,
            "na_illumination": 0.25,
            "rotations": (0.0, 180.0, 90.0, 270.0),
        }
    )

    kind: Literal["dpc"] = setting("dpc", KIND)
    wavelength: float | None = setting(None, WAVELENGTH, unit="µm", gt=0)
    na: float | None = setting(None, NA, gt=0)
    na_illumination: float | None = setting(
        None, "Largest numerical aperture of the illumination (condenser or LEDs).", gt=0
    )
    na_inner: float = setting(
        0.0,
        "Numerical aperture of the illumination below which there is no light: 0 for a half disc, "
        "more for a half ring.",
        ge=0,
        advanced=True,
    )
    refractive_index: float = setting(1.0, INDEX, ge=1, le=2)
    pixel_size: float | None = setting(None, PIXEL_SIZE, unit="µm", gt=0)
    rotations: tuple[float, ...] | None = setting(
        None,
        "Angle of the illuminated half disc in each pattern: 0 is the half with larger y, 90 the "
        "half with smaller x.",
        unit="°",
    )
    led_positions: tuple[tuple[tuple[float, float], ...], ...] | None = setting(
        None,
        "LEDs of each pattern, each given by its numerical aperture along y and x. Leave empty to "
        "use rotations.",
        advanced=True,
    )
    frame_time: float | None = FRAME_TIME
    frame_times: tuple[float, ...] | None = setting(None, FRAME_TIMES, unit="s")
    normalise: bool = setting(
        True,
        "Whether to turn grey levels into contrast. Switch off if the frames are contrast already.",
    )
    background_window: float = setting(
        0.5,
        "Width of the moving mean by which uneven illumination is divided; a larger one keeps "
        "coarser phase structures.",
        unit="of the image",
        gt=0,
        le=4,
        advanced=True,
    )

    @property
    def frames_per_set(self) -> int:
        """The number of illumination patterns; 1 while they are not known."""
        return len(self.led_positions or self.rotations or (0.0,))

    @model_validator(mode="after")
    def _check(self) -> Self:
        apertures = {"na": self.na, "na_illumination": self.na_illumination}
        check_apertures(apertures, self.refractive_index)
        if self.na_illumination is not None and self.na_inner >= self.na_illumination:
            raise ConfigError(
                f"na_inner {self.na_inner:g} was given; it must be less than na_illumination "
                f"{self.na_illumination:g}, or no light is left."
            )
        if self.led_positions is None:
            check_list("rotations", self.rotations, None)
        else:
            check_led_positions(self.led_positions, self.refractive_index)
        check_increasing(self.frame_times)
        return self
