"""Settings of structured illumination: planes with any carriers, and three-beam stacks."""

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
    INDEX,
    KIND,
    NA,
    PIXEL_SIZE,
    VOXEL_SIZE,
    WAVELENGTH,
    Optics,
)
from napari_cellinr.config.optics.checks import (
    check_apertures,
    check_carriers,
    check_increasing,
    check_list,
)
from napari_cellinr.errors import ConfigError
from napari_cellinr.text import n_of

__all__ = ["SIM2D", "SIM3D", "Structured"]

_OTF = (
    "TIFF file of the optical transfer functions, radially averaged, one page per band. Leave "
    "empty to compute those of an ideal lens."
)

_INDEX = f"{INDEX} Leave empty if it is not known; sim3d without a file of otf needs it."


class Structured(Optics):
    """What both kinds of structured illumination share."""

    FILES: ClassVar[tuple[str, ...]] = ("otf",)

    wavelength: float | None = setting(None, WAVELENGTH, unit="µm", gt=0)
    na: float | None = setting(None, NA, gt=0)
    refractive_index: float | None = setting(None, _INDEX, ge=1, le=2)
    zoom: float = setting(
        2.0, "Pixels of the result per camera pixel, along y and x.", ge=1, le=4, advanced=True
    )
    otf: str | None = setting(None, _OTF)
    background: float = setting(0.0, BACKGROUND, unit="grey levels")

    @model_validator(mode="after")
    def _check_aperture(self) -> Self:
        check_apertures({"na": self.na}, self.refractive_index)
        return self


class SIM2D(Structured):
    """Structured illumination of planes with any carriers, such as lines or a lattice."""

    ESSENTIAL: ClassVar[tuple[str, ...]] = ("wavelength", "na", "pixel_size", "orders", "phases")
    TYPICAL: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "wavelength": 0.525,
            "na": 1.2,
            "orders": ((0.3, 0.0), (0.3, 60.0), (0.3, 120.0)),
            "phases": (
                *((phase, None, None) for phase in (0.0, 120.0, 240.0)),
                *((None, phase, None) for phase in (0.0, 120.0, 240.0)),
                *((None, None, phase) for phase in (0.0, 120.0, 240.0)),
            ),
        }
    )

    kind: Literal["sim2d"] = setting("sim2d", KIND)
    pixel_size: float | None = setting(None, PIXEL_SIZE, unit="µm", gt=0)
    orders: tuple[tuple[float, float], ...] | None = setting(
        None,
        "Carriers of the illumination: period, and angle of the wave vector from x towards y.",
        unit="µm, °",
    )
    phases: tuple[tuple[float | None, ...], ...] | None = setting(
        None,
        "For each frame of a set, the phase of every carrier; null where the carrier is off.",
        unit="°",
    )
    modulations: tuple[float, ...] | None = setting(
        None, "Contrast of every carrier, 0 to 1. Leave empty to estimate it from the image."
    )
    refine: bool = setting(
        True,
        "Whether to refine periods, angles and phases from the image: before the fit, and with the "
        "scene.",
    )
    frame_time: float | None = FRAME_TIME
    frame_times: tuple[float, ...] | None = setting(None, FRAME_TIMES, unit="s")

    @property
    def frames_per_set(self) -> int:
        """The number of illumination patterns; 1 while they are not known."""
        return len(self.phases or (None,))

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_carriers(self.orders, self.phases, self.modulations)
        check_increasing(self.frame_times)
        return self


class SIM3D(Structured):
    """Three-beam structured illumination of planes or stacks, all directions and phases."""

    ESSENTIAL: ClassVar[tuple[str, ...]] = (
        "wavelength",
        "na",
        "refractive_index or otf",
        "wavelength_excitation or otf",
        "voxel_size",
        "periods",
        "angles",
        "frame_order",
    )
    TYPICAL: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "wavelength": 0.525,
            "na": 1.2,
            "refractive_index": 1.518,
            "wavelength_excitation": 0.488,
            "periods": (0.42, 0.42, 0.42),
            "angles": (0.0, 60.0, 120.0),
            "frame_order": "direction-z-phase",
        }
    )

    kind: Literal["sim3d"] = setting("sim3d", KIND)
    wavelength_excitation: float | None = setting(
        None, "Wavelength of the excitation light in vacuum.", unit="µm", gt=0
    )
    voxel_size: tuple[float, ...] | None = setting(None, VOXEL_SIZE, unit="µm")
    periods: tuple[float, ...] | None = setting(
        None,
        "Period of the first order for each direction: twice the finest line spacing.",
        unit="µm",
    )
    angles: tuple[float, ...] | None = setting(
        None,
        "Angle of the wave vector for each direction, from x towards y.",
        unit="°",
    )
    n_phases: int = setting(5, "Number of phases of each direction, equally spaced.", ge=5, le=15)
    phase_step: float | None = setting(
        None,
        "Phase shift of the pattern from one frame to the next. Leave empty for 360° divided by "
        "the number of phases.",
        unit="°",
        advanced=True,
    )
    modulations: tuple[tuple[float, float], ...] | None = setting(
        None,
        "Contrast of first and second order for each direction, 0 to 1. Leave empty to estimate "
        "it from the image.",
    )
    start_phases: tuple[tuple[float, float], ...] | None = setting(
        None,
        "Phase of first and second order in the first frame of each direction, at the centre of "
        "the first pixel; only used if refine is off. Leave empty for 0.",
        unit="°",
        advanced=True,
    )
    refine: bool = setting(
        True,
        "Whether to estimate periods, angles and start phases from the image. Switch off once "
        "they are known.",
    )
    frame_order: Literal["direction-z-phase", "z-direction-phase", "direction-phase-z"] | None = (
        setting(None, "Order of the raw frames; what is named last changes fastest.")
    )
    otf_steps: tuple[float, float] | None = setting(
        None,
        "Voxel size along z and along the radius of the stack from which the file of otf was "
        "made. Leave empty for that of the image.",
        unit="µm",
        advanced=True,
    )
    padding: int = setting(
        2,
        "Planes added above and below for light from outside the stack.",
        unit="plane",
        ge=0,
        le=64,
        advanced=True,
    )
    frame_time: float | None = setting(
        None,
        "Time from one raw frame to the next. Leave empty to count raw frames.",
        unit="s",
        gt=0,
    )
    frame_times: tuple[float, ...] | None = setting(
        None,
        "Time of every raw frame, in the order of the file. Leave empty to use the times below.",
        unit="s",
        advanced=True,
    )
    phase_time: float | None = setting(
        None,
        "Time from one phase to the next. Leave empty for the time that its frames take.",
        unit="s",
        gt=0,
    )
    plane_time: float | None = setting(
        None,
        "Time from one plane to the next. Leave empty for the time that its frames take.",
        unit="s",
        gt=0,
    )
    direction_time: float | None = setting(
        None,
        "Time from one direction to the next. Leave empty for the time that its frames take.",
        unit="s",
        gt=0,
    )
    set_time: float | None = setting(
        None,
        "Time from one complete set to the next. Leave empty for the time that its frames take.",
        unit="s",
        gt=0,
    )

    @property
    def frames_per_set(self) -> int:
        """The number of directions times phases, the raw frames of one plane."""
        return len(self.periods or (0.0,)) * self.n_phases

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_list("periods", self.periods, None, positive=True)
        if self.periods is None:
            return self
        check_list("angles", self.angles, (len(self.periods),))
        for name in ("modulations", "start_phases"):
            pairs = getattr(self, name)
            if pairs is not None and len(pairs) != len(self.periods):
                raise ConfigError(
                    f"{name} with {n_of(len(pairs), 'pair')} was given for "
                    f"{n_of(len(self.periods), 'direction')}; one pair for each direction is "
                    "needed."
                )
        return self
