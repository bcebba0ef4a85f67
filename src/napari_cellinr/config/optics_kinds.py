"""What each kind of microscope is, and when it records what; flat, so that JSON is simple."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from napari_cellinr.config.base import Settings, setting
from napari_cellinr.config.optics_checks import (
    check_carriers,
    check_frequencies,
    check_led_positions,
    check_list,
    check_rising,
)
from napari_cellinr.errors import ConfigError

__all__ = [
    "DPC",
    "SIM2D",
    "SIM3D",
    "LineScan",
    "Optics",
    "PointScan",
    "RollingShutter",
    "TimeLapse",
    "ZScan",
]

_FRAME_TIME = "Time from one frame to the next; none takes it from the image, or counts frames."
_PIXEL = "Size of a camera pixel in the specimen; none takes it from the image."
_VOXEL = "Steps along z, y and x (y and x for planes); none takes them from the image."
_PSF = "TIFF file of the blur, on the pixels of the image; none for no blur, or psf_fwhm."
_FWHM = "Full widths at half maximum of a Gaussian blur along z, y, x (y, x for planes)."
_WAVELENGTH = "Wavelength of the light that is recorded, in vacuum."
_NA = "Numerical aperture of the objective."
_INDEX = "Refractive index of the immersion medium; the numerical aperture cannot exceed it."
_OTF = "TIFF file of the transfer functions, complex, one page per band; none takes the ideal ones."
_BACKGROUND = "Grey level of the camera without light, subtracted first."
_TIMES = "Time of every raw frame, rising; none spaces them evenly by frame_time."
_STARTS = "Time at which every repeat begins, rising; none spaces them evenly."
_OPTIONAL_TIME: Any = setting(None, _FRAME_TIME, unit="s", gt=0)


class Optics(Settings):
    """What every kind of microscope shares: a kind."""

    kind: str = setting("", "Kind of microscope.")

    @classmethod
    def example(cls) -> Self:
        """Return settings that are valid as they stand: what needs a file names one."""
        return cls()


class _Blurred(Optics):
    """A microscope that records the scene itself, perhaps blurred."""

    psf: str | None = setting(None, _PSF)
    psf_fwhm: tuple[float, ...] | None = setting(None, _FWHM, unit="µm")
    background: float = setting(0.0, _BACKGROUND, unit="grey levels", advanced=True)

    @model_validator(mode="after")
    def _check_psf(self) -> Self:
        if self.psf is not None and self.psf_fwhm is not None:
            raise ConfigError("psf and psf_fwhm were both given; give one of them.")
        if self.psf_fwhm is not None:
            check_list("psf_fwhm", self.psf_fwhm, (2, 3), positive=True)
        return self


class TimeLapse(_Blurred):
    """Whole frames or stacks, each at one instant."""

    kind: Literal["time-lapse"] = setting("time-lapse", "Kind of microscope.")
    frame_time: float | None = _OPTIONAL_TIME
    frame_times: tuple[float, ...] | None = setting(None, _TIMES, unit="s", advanced=True)
    voxel_size: tuple[float, ...] | None = setting(None, _VOXEL, unit="µm")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_rising("frame_times", self.frame_times)
        check_list("voxel_size", self.voxel_size, (2, 3), positive=True)
        return self


class LineScan(_Blurred):
    """Planes that are recorded row by row."""

    kind: Literal["line-scan"] = setting("line-scan", "Kind of microscope.")
    row_time: float = setting(0.01, "Time from one row to the next.", unit="s", gt=0)
    frame_time: float | None = _OPTIONAL_TIME
    bidirectional: bool = setting(False, "Whether every other frame is recorded from below.")
    frame_times: tuple[float, ...] | None = setting(None, _STARTS, unit="s", advanced=True)
    voxel_size: tuple[float, ...] | None = setting(None, _VOXEL, unit="µm")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_rising("frame_times", self.frame_times)
        check_list("voxel_size", self.voxel_size, (2,), positive=True)
        return self


class PointScan(_Blurred):
    """Planes that are recorded pixel by pixel."""

    kind: Literal["point-scan"] = setting("point-scan", "Kind of microscope.")
    pixel_time: float = setting(2e-6, "Time from one pixel to the next.", unit="s", gt=0)
    row_time: float = setting(0.002, "Time from one row to the next.", unit="s", gt=0)
    frame_time: float | None = _OPTIONAL_TIME
    bidirectional: bool = setting(False, "Whether every other row is recorded from the right.")
    frame_times: tuple[float, ...] | None = setting(None, _STARTS, unit="s", advanced=True)
    voxel_size: tuple[float, ...] | None = setting(None, _VOXEL, unit="µm")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_rising("frame_times", self.frame_times)
        check_list("voxel_size", self.voxel_size, (2,), positive=True)
        return self


class ZScan(_Blurred):
    """Stacks that are recorded plane by plane while the specimen moves."""

    kind: Literal["z-scan"] = setting("z-scan", "Kind of microscope.")
    plane_time: float = setting(0.05, "Time from one plane to the next.", unit="s", gt=0)
    stack_time: float | None = setting(
        None, "Time from one stack to the next; none takes it from the image.", unit="s", gt=0
    )
    plane_order: Literal["rising", "falling", "alternating", "interleaved"] = setting(
        "rising",
        "Order of the planes: alternating turns round with every stack, interleaved is 0 2 … 1 3 …",
    )
    row_time: float = setting(
        0.0, "Time from one row of a plane to the next.", unit="s", ge=0, advanced=True
    )
    frame_times: tuple[float, ...] | None = setting(None, _STARTS, unit="s", advanced=True)
    voxel_size: tuple[float, ...] | None = setting(None, _VOXEL, unit="µm")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_rising("frame_times", self.frame_times)
        check_list("voxel_size", self.voxel_size, (3,), positive=True)
        return self


class DPC(Optics):
    """Differential phase contrast: thin specimens, lit from one side after the other."""

    kind: Literal["dpc"] = setting("dpc", "Kind of microscope.")
    wavelength: float = setting(0.525, _WAVELENGTH, unit="µm", gt=0)
    na: float = setting(0.25, _NA, gt=0)
    na_illumination: float = setting(0.25, "Largest numerical aperture of the illumination.", gt=0)
    na_inner: float = setting(
        0.0, "Smallest numerical aperture of the illumination.", ge=0, advanced=True
    )
    refractive_index: float = setting(1.0, _INDEX, ge=1, le=2)
    pixel_size: float | None = setting(None, _PIXEL, unit="µm", gt=0)
    rotations: tuple[float, ...] = setting(
        (0.0, 180.0, 90.0, 270.0),
        "Direction of the lit half disc in each pattern: 0 the half with larger y, 90 smaller x.",
        unit="°",
    )
    led_positions: tuple[tuple[tuple[float, float], ...], ...] | None = setting(
        None,
        "Instead of rotations: for each pattern a list of LEDs, each by numerical aperture y, x.",
        advanced=True,
    )
    frame_time: float | None = _OPTIONAL_TIME
    frame_times: tuple[float, ...] | None = setting(None, _TIMES, unit="s")
    normalise: bool = setting(
        True, "Whether to turn grey levels into contrast; no if they are contrast already."
    )
    background_window: float = setting(
        0.5,
        "Width of the mean by which uneven light is divided; larger keeps coarser phase.",
        unit="of the image",
        gt=0,
        le=4,
        advanced=True,
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        apertures = {"na": self.na, "na_illumination": self.na_illumination}
        check_frequencies(apertures, self.refractive_index)
        if self.na_inner >= self.na_illumination:
            raise ConfigError(
                f"na_inner {self.na_inner:g} was given; less than na_illumination "
                f"{self.na_illumination:g} is needed, or no light is left."
            )
        if self.led_positions is None:
            check_list("rotations", self.rotations, None)
        else:
            check_led_positions(self.led_positions, self.refractive_index)
        check_rising("frame_times", self.frame_times)
        return self


class _Structured(Optics):
    """What both kinds of structured illumination share."""

    wavelength: float = setting(0.525, _WAVELENGTH, unit="µm", gt=0)
    na: float = setting(1.2, _NA, gt=0)
    refractive_index: float = setting(1.518, _INDEX, ge=1, le=2)
    zoom: float = setting(
        2.0, "Pixels of the result per camera pixel, along y and x.", ge=1, le=4, advanced=True
    )
    otf: str | None = setting(None, _OTF)
    background: float = setting(0.0, _BACKGROUND, unit="grey levels")

    @model_validator(mode="after")
    def _check_aperture(self) -> Self:
        check_frequencies({"na": self.na}, self.refractive_index)
        return self


class SIM2D(_Structured):
    """Structured illumination of planes: any carriers, each frame with its own phases."""

    kind: Literal["sim2d"] = setting("sim2d", "Kind of microscope.")
    pixel_size: float | None = setting(None, _PIXEL, unit="µm", gt=0)
    orders: tuple[tuple[float, float], ...] = setting(
        ((0.3, 0.0), (0.3, 60.0), (0.3, 120.0)),
        "Carriers of the light, each by period and direction of its wave vector from x towards y.",
        unit="µm, °",
    )
    phases: tuple[tuple[float | None, ...], ...] = setting(
        (
            *((phase, None, None) for phase in (0.0, 120.0, 240.0)),
            *((None, phase, None) for phase in (0.0, 120.0, 240.0)),
            *((None, None, phase) for phase in (0.0, 120.0, 240.0)),
        ),
        "For each frame of a set, the phase of every carrier; null where the carrier is off.",
        unit="°",
    )
    modulations: tuple[float, ...] | None = setting(
        None, "Contrast of every carrier, 0 to 1; none is found from the data."
    )
    refine: bool = setting(
        True, "Whether to refine period, direction and start of the phases from the data."
    )
    frame_time: float | None = _OPTIONAL_TIME
    frame_times: tuple[float, ...] | None = setting(None, _TIMES, unit="s")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_carriers(self.orders, self.phases, self.modulations)
        check_rising("frame_times", self.frame_times)
        return self


class SIM3D(_Structured):
    """Three-beam structured illumination: directions times phases, planes or stacks."""

    kind: Literal["sim3d"] = setting("sim3d", "Kind of microscope.")
    wavelength_excitation: float = setting(
        0.488, "Wavelength of the light that excites, in vacuum.", unit="µm", gt=0
    )
    voxel_size: tuple[float, ...] | None = setting(None, _VOXEL, unit="µm")
    periods: tuple[float, ...] = setting(
        (0.42, 0.42, 0.42),
        "Period of the first order for each direction: twice the finest line spacing.",
        unit="µm",
    )
    angles: tuple[float, ...] = setting(
        (0.0, 60.0, 120.0),
        "Direction of the wave vector for each direction, from x towards y.",
        unit="°",
    )
    n_phases: int = setting(5, "Phases of each direction, in equal steps.", ge=5, le=15)
    phase_step: float | None = setting(
        None,
        "Shift of the pattern from one phase to the next; none is 360° by the number of phases.",
        unit="°",
        advanced=True,
    )
    modulations: tuple[tuple[float, float], ...] | None = setting(
        None, "Contrast of first and second order for each direction; none is found from the data."
    )
    start_phases: tuple[tuple[float, float], ...] | None = setting(
        None,
        "Phase of first and second order in the first frame of each direction, counted from the "
        "first pixel; only used with refine off.",
        unit="°",
        advanced=True,
    )
    refine: bool = setting(
        True, "Whether to find periods, angles and start phases from the data; off once known."
    )
    frame_order: Literal["direction-z-phase", "z-direction-phase", "direction-phase-z"] = setting(
        "direction-z-phase", "Order in which the planes follow each other; the last runs fastest."
    )
    otf_steps: tuple[float, float] | None = setting(
        None,
        "Steps along z and the radius of the stack that the file of the OTF was made from; "
        "none is the voxel size.",
        unit="µm",
        advanced=True,
    )
    padding: int = setting(
        2, "Planes that are added above and below.", unit="plane", ge=0, le=64, advanced=True
    )
    frame_time: float | None = setting(
        None, "Time from one raw frame to the next; none counts raw frames.", unit="s", gt=0
    )
    frame_times: tuple[float, ...] | None = setting(
        None,
        "Time of every raw plane, in the order of the file; none counts by the times below.",
        unit="s",
        advanced=True,
    )
    phase_time: float | None = setting(
        None, "Time from one phase to the next; none is that of its frames.", unit="s", gt=0
    )
    plane_time: float | None = setting(
        None, "Time from one plane to the next; none is that of its frames.", unit="s", gt=0
    )
    direction_time: float | None = setting(
        None, "Time from one direction to the next; none is that of its frames.", unit="s", gt=0
    )
    set_time: float | None = setting(
        None, "Time from one whole set to the next; none is that of its frames.", unit="s", gt=0
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_list("voxel_size", self.voxel_size, (2, 3), positive=True)
        check_list("periods", self.periods, None, positive=True)
        check_list("angles", self.angles, (len(self.periods),))
        for name in ("modulations", "start_phases"):
            pairs = getattr(self, name)
            if pairs is not None and len(pairs) != len(self.periods):
                raise ConfigError(
                    f"{len(pairs)} {name} were given for {len(self.periods)} directions; one "
                    "pair for each direction is needed."
                )
        return self


class RollingShutter(Optics):
    """A camera without lens whose rows are exposed one after the other: one picture, a movie."""

    kind: Literal["rolling-shutter"] = setting("rolling-shutter", "Kind of microscope.")
    psf: str = setting("psf.tif", "TIFF file of the picture of a point, on the pixels of the data.")
    psf_background: float | None = setting(
        None, "Grey level of that picture without light; none takes its corner.", advanced=True
    )
    row_time: float = setting(
        27.52e-6, "Time from the start of one row to that of the next.", unit="s", gt=0
    )
    exposure: float = setting(1.32e-3, "Time for which each row is exposed.", unit="s", gt=0)
    shutter: Literal["single", "dual"] = setting(
        "dual", "single: from the top down; dual: from top and bottom to the middle."
    )
    rows_per_shot: int = setting(
        9, "Neighbouring rows that are taken for simultaneous.", unit="row", ge=1, advanced=True
    )
    samples: int = setting(
        2, "Instants by which an exposure is replaced.", ge=1, le=8, advanced=True
    )
    background: float = setting(0.0, _BACKGROUND, unit="grey levels")
    pixel_size: float | None = setting(None, _PIXEL, unit="µm", gt=0)
    field: float = setting(
        0.5, "Part of the sensor, along y and x, that the scene spans.", gt=0, le=1, advanced=True
    )
