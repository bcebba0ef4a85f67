"""Settings of NSTM: motion-aware reconstruction around any microscope."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from napari_cellinr.config.base import Config, setting
from napari_cellinr.config.optics import AnyOptics, optics_from_dict
from napari_cellinr.config.optics.repeated import TimeLapse
from napari_cellinr.errors import ConfigError

__all__ = ["EXTRAS", "Extra", "NSTMConfig"]

Preset = Literal["preview", "fast"]
Extra = Literal["auto", "on", "off"]

EXTRAS = ("brightness", "bleaching", "unexplained")
"""Settings of what a fit may have besides scene and motion, each of them an `Extra`."""


class NSTMConfig(Config):
    """Settings of one motion-aware reconstruction.

    `preview` answers in seconds, `fast` is for results. What decides whether a fit succeeds is
    given in physical units: how far things move, and how small the smallest thing is that moves
    on its own; learning rates, grids and margins follow from that.
    """

    # So few steps find motion only at high rates and with all detail from the beginning. Restarts,
    # extras that are tried, and a comparison with a scene at rest would each take as long again.
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "fast": {},
            "preview": {
                "steps": 100,
                "coarse_to_fine": False,
                "restart": False,
                "motion_rate": 5.0,
                "learning_rate": 0.03,
                **dict.fromkeys(EXTRAS, "off"),
            },
        }
    )

    preset: Preset = setting("fast", "preview: seconds; fast: for results.")
    steps: int = setting(600, "Number of optimisation steps.", ge=1, le=1_000_000)
    optics: AnyOptics = setting(
        TimeLapse(), "The microscope: its kind, and what that kind needs to be known."
    )
    fastest_movement: float | None = setting(
        None,
        "Fastest movement that is expected, in µm/s (pixels per frame where uncalibrated); none "
        "allows for a quarter of the image over the whole recording.",
        gt=0,
    )
    smallest_structure: float | None = setting(
        None,
        "Size of the smallest structure that moves on its own; none is a tenth of the image.",
        unit="µm",
        gt=0,
    )
    times: str = setting(
        "",
        "Times to reconstruct: 20 for 20 equally spaced ones, or 0,0.5,1.2 in seconds (frames "
        "where not known) from the first frame; empty takes those of the data.",
    )
    reference: int = setting(0, "Frame from which displacements are counted; the first is 0.", ge=0)
    moving: bool = setting(
        True,
        "Whether things move; no gives the static reconstruction to compare with.",
        advanced=True,
    )
    coarse_to_fine: bool = setting(
        True, "Whether fine detail is added late; without, large motion is missed.", advanced=True
    )
    restart: bool = setting(
        True,
        "Whether a fit whose motion has not converged is repeated faster, and small motion is "
        "compared with none.",
        advanced=True,
    )
    brightness: Extra = setting(
        "auto",
        "A gain and an offset for every frame; auto tries it where it may help.",
        advanced=True,
    )
    bleaching: Extra = setting(
        "auto",
        "Light that fades by one exponential curve; auto tries it where frames get darker.",
        advanced=True,
    )
    unexplained: Extra = setting(
        "auto",
        "A sparse image of what motion does not explain: what appears or vanishes.",
        advanced=True,
    )
    folding: float = setting(
        0.01, "Weight of the penalty on motion that folds space over.", ge=0, le=100, advanced=True
    )
    motion_rate: float = setting(
        1.0, "Factor for the learning rate of the motion.", gt=0, le=100, advanced=True
    )
    learning_rate: float = setting(0.01, "Learning rate of the scene.", gt=0, le=1, advanced=True)
    neurons: int = setting(32, "Neurons in each hidden layer.", ge=4, le=1024, advanced=True)
    held_out: float = setting(
        0.02,
        "Part of the pixels, in small blocks, that no step sees; of 24 or more frames, every "
        "twelfth as a whole instead.",
        gt=0,
        le=0.2,
        advanced=True,
    )

    @field_validator("times", mode="before")
    @classmethod
    def _times_as_text(cls, value: Any) -> Any:
        """Take a number, a list or a text; a text that holds neither is refused."""
        if value is None:
            return ""
        if isinstance(value, list | tuple):
            value = "".join(f"{time:.12g}," for time in value)  # 3, is a time, 3 a number of them
            value = value if value.count(",") == 1 else value.removesuffix(",")
        text = str(value).strip()
        _read_times(text)
        return text

    def continued(self, steps: int) -> NSTMConfig:
        """Return the settings for so many more steps; the attempt that was kept goes on alone."""
        return super().continued(steps).replace(restart=False)

    def chosen_times(self) -> int | tuple[float, ...] | None:
        """Return the number of equally spaced times, or the times from the first frame, or none."""
        return _read_times(self.times)

    @field_validator("optics", mode="before")
    @classmethod
    def _from_plain(cls, value: Any) -> Any:
        if isinstance(value, str):
            return optics_from_dict({"kind": value})
        return optics_from_dict(value) if isinstance(value, Mapping) else value


def _read_times(text: str) -> int | tuple[float, ...] | None:
    """Return what a text such as `20` or `0,0.5` means; none if it is empty."""
    if not text:
        return None
    try:
        if "," not in text and "." not in text:
            count = int(text)
            if 1 <= count <= 10_000:
                return count
        else:
            times = tuple(float(part) for part in text.split(",") if part.strip())
            rising = all(a < b for a, b in itertools.pairwise(times))
            if times and rising and all(0 <= time < math.inf for time in times):
                return times
    except ValueError:
        pass
    raise ConfigError(
        f"times {text!r} was given; a number from 1 to 10000, or rising times from 0 on such as "
        "0,0.5,1.2 are allowed."
    )
