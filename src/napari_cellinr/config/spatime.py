"""Settings of SpatimeINR: super-resolution in time and space."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import field_validator, model_validator

from napari_cellinr.config.base import CPU_SPEED, Config, gpu_warning, setting
from napari_cellinr.errors import ConfigError

__all__ = ["Motion", "NoiseOfFrames", "Planes", "SpatimeConfig", "SpatimePreset"]

SpatimePreset = Literal["fast", "preview", "paper"]
Motion = Literal["auto", "always", "never"]
Planes = Literal["thick", "thin"]
NoiseOfFrames = Literal["auto", "keep", "match", "remove"]

LARGEST = 16.0


class SpatimeConfig(Config):
    """Settings of one super-resolution.

    Preset `fast` follows motion and learns corrections from the image itself, `preview` follows
    motion roughly, `paper` is the published coordinate network with hypercube rendering.

    Examples
    --------
    >>> from napari_cellinr import SpatimeConfig
    >>> dict(SpatimeConfig(scale={"t": 2, "z": 2.5}).scale)
    {'t': 2.0, 'z': 2.5}
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "fast": {},
            "preview": {"steps": 0, "refinement": 0.4},
            "paper": {"steps": 20_000, "latent": 128},
        }
    )

    preset: SpatimePreset = setting(
        "fast",
        "preview: quick and rough; fast: best quality on a CPU; paper: the published method, "
        "needs a GPU.",
    )
    scale: Mapping[str, float] = setting(
        {},
        "Upsampling factor along each axis, such as t=2,z=2.5; any number up to 16.",
    )
    isotropic: bool = setting(
        False,
        "Make voxels isotropic: Z, Y and X get the finest of their steps; factors given as scale "
        "take precedence.",
    )
    target_voxel: Mapping[str, float] = setting(
        {},
        "Voxel size of the result along some axes, such as z=0.18, in the unit of the axis; "
        "instead of scale.",
        advanced=True,
    )
    times: tuple[float, ...] = setting(
        (),
        "Times of the frames of the result, from the first frame, in the unit of the time axis; "
        "instead of a factor in time.",
        advanced=True,
    )
    stamps: tuple[float, ...] = setting(
        (), "Time of each input frame, if they are not evenly spaced.", advanced=True
    )
    steps: int = setting(
        160,
        "Optimisation steps that learn corrections from the image; 0 for none.",
        ge=0,
        le=1_000_000,
    )
    motion: Motion = setting(
        "auto",
        "Follow motion between frames: auto tests on held-out frames how far to trust it.",
    )
    planes: Planes = setting(
        "thick",
        "thick: each plane integrates over the whole z step; thin: each plane is an optical "
        "section thinner than the step, or planes in between were not recorded.",
    )
    noise: NoiseOfFrames = setting(
        "auto",
        "auto: recorded frames are as they are, frames between them have less noise, and where "
        "finer planes or pixels are made, visible noise is removed; keep: recorded planes and "
        "pixels keep their values, too; match: noise is added to frames between frames, so that a "
        "movie does not flicker; remove: the series is denoised first.",
    )
    confidence: bool = setting(
        False,
        "Also return how well each frame between frames is determined, 0 to 1, by held-out frames.",
    )
    psf: float = setting(
        0.0,
        "Standard deviation of the microscope's blur in the plane, in the unit of Y and X, for "
        "finer pixels; 0: it is measured in the image.",
        ge=0,
        le=1e6,
        advanced=True,
    )
    latent: int = setting(
        16,
        "Length of the latent code at each position; 0 for none.",
        ge=0,
        le=512,
        advanced=True,
    )
    refinement: float = setting(
        1.0,
        "Number of motion refinement steps, relative to the default; less is faster.",
        gt=0,
        le=10,
        advanced=True,
    )
    rendering: bool = setting(
        True,
        "Preset paper: model each voxel as a mean over 16 points in it, not as one point.",
        advanced=True,
    )
    cycle: float = setting(
        1.0,
        "Preset paper: weight of the cycle-consistency loss; 0 for none.",
        ge=0,
        le=100,
        advanced=True,
    )
    neurons: int = setting(
        256, "Preset paper: neurons in each of the 8 hidden layers.", ge=4, le=4096, advanced=True
    )
    batch: int = setting(2048, "Preset paper: voxels per step.", ge=1, le=1_000_000, advanced=True)
    learning_rate: float = setting(
        2e-3, "Learning rate of the Adam optimiser.", gt=0, le=1, advanced=True
    )

    @field_validator("scale", "target_voxel", mode="before")
    @classmethod
    def _read_pairs(cls, value: Any) -> Any:
        """Accept `t=2,z=2.5` as well as a mapping; axis letters become lower case."""
        if value is None:
            return {}
        if isinstance(value, str):
            pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
            if any(not sign for _, sign, _ in pairs):
                raise ConfigError(f"{value!r} was given; pairs such as t=2,z=2.5 are needed.")
            value = {axis: number for axis, _, number in pairs}
        if not isinstance(value, Mapping):
            raise ConfigError(f"{value!r} was given; pairs such as t=2,z=2.5 are needed.")
        return {str(axis).strip().lower(): number for axis, number in value.items()}

    @field_validator("times", "stamps", mode="before")
    @classmethod
    def _read_numbers(cls, value: Any) -> Any:
        """Accept `0,1.5,3` as well as a list."""
        if value is None:
            return ()
        return tuple(p for p in value.split(",") if p.strip()) if isinstance(value, str) else value

    @field_validator("scale", "target_voxel")
    @classmethod
    def _check_pairs(cls, value: Mapping[str, float], info: Any) -> Mapping[str, float]:
        for axis, number in value.items():
            if axis not in tuple("tzyx"):
                raise ConfigError(
                    f"{info.field_name} for axis {axis!r} was given; t, z, y and x are allowed."
                )
            largest = LARGEST if info.field_name == "scale" else math.inf
            if not 0 < number <= largest:
                raise ConfigError(
                    f"{info.field_name} {axis}={number:g} was given; more than 0 and at most "
                    f"{largest:g} is allowed."
                )
        return value

    @field_validator("stamps")
    @classmethod
    def _check_stamps(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(b <= a for a, b in itertools.pairwise(value)):
            raise ConfigError(f"stamps {value} were given; each must be later than the one before.")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> SpatimeConfig:
        if self.times and "t" in {**self.scale, **self.target_voxel}:
            raise ConfigError(
                "both times and a factor or step in time were given; give only one of them."
            )
        if self.is_published and self.planes == "thin":
            raise ConfigError(
                "planes=thin was given with preset paper, which needs planes=thick; choose the "
                "preset fast or preview for thin planes."
            )
        if self.is_published and self.noise not in {"auto", "keep"}:
            raise ConfigError(
                f"noise={self.noise} was given with preset paper, which needs noise=auto; choose "
                "the preset fast or preview, or denoise the series first."
            )
        if self.confidence and (self.is_published or self.motion != "auto"):
            raise ConfigError(
                "confidence was requested, which comes from held-out frames; choose motion=auto, "
                "and the preset fast or preview."
            )
        both = sorted(set(self.scale) & set(self.target_voxel))
        if both:
            raise ConfigError(
                f"both scale and target_voxel were given for {', '.join(both)}; give only one of "
                "them."
            )
        return self

    def cost_warning(self, sizes: Mapping[str, int]) -> str:
        """Return a warning if the fit would take very long on a CPU, else an empty text.

        Parameters
        ----------
        sizes
            Number of elements by axis letter; each channel is fitted on its own.
        """
        seconds = self.steps * self._operations(sizes) / CPU_SPEED * sizes.get("C", 1)
        return gpu_warning(self, self.batch, seconds)

    def _operations(self, sizes: Mapping[str, int]) -> float:
        """Return the approximate floating-point operations of one step of the preset `paper`."""
        points = (16 if self.rendering else 1) * (2 if self.cycle else 1)
        decoder = 6 * self.batch * points * (8 * self.neurons**2 + self.latent * self.neurons)
        if not self.latent:
            return float(decoder)
        voxels = math.prod(min(32, sizes.get(axis, 1)) for axis in "ZYX")
        width, layers = max(8, self.neurons // 8), 32 if self.neurons >= 128 else 8
        return float(decoder + 6 * voxels * layers * 27 * width**2)
