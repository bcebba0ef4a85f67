"""Settings of NSTM: motion-aware reconstruction with the forward model of a microscope."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

from pydantic import field_validator

from napari_cellinr.config.base import Config, setting
from napari_cellinr.config.optics import AnyOptics, optics_from_dict
from napari_cellinr.config.optics.repeated import TimeLapse
from napari_cellinr.errors import ConfigError
from napari_cellinr.text import shortened

__all__ = ["EXTRAS", "MOST_LAYERS", "Extra", "NSTMConfig"]

Preset = Literal["preview", "fast"]
Extra = Literal["auto", "on", "off"]
Layers = Literal["auto", "1", "2", "3", "4"]
MOST_LAYERS = 4

EXTRAS = ("brightness", "bleaching", "unexplained", "out_of_focus")
"""Names of the optional parts of the model besides scene and motion, each an `Extra`."""


class NSTMConfig(Config):
    """Settings of one motion-aware reconstruction (Cao et al. 2024, "NSTM").

    Preset `preview` takes seconds, `fast` is for final results. The two settings that matter most
    are physical: the fastest movement, and the size of the smallest structure that moves on its
    own; learning rates, grids and margins follow from them.

    Examples
    --------
    >>> from napari_cellinr import NSTMConfig
    >>> config = NSTMConfig(optics="time-lapse", fastest_movement=0.5)
    >>> config.optics.kind, config.fastest_movement
    ('time-lapse', 0.5)
    """

    NEWER: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"motion_layers": "1", "out_of_focus": "off"}
    )

    # With so few steps, motion is found only at high learning rates and with all detail from the
    # start. Restarts, optional parts and the comparison with a static scene would each double
    # the time.
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "fast": {},
            "preview": {
                "steps": 100,
                "coarse_to_fine": False,
                "restart": False,
                "check_motion": False,
                "motion_rate": 5.0,
                "learning_rate": 0.03,
                "motion_layers": "1",
                **dict.fromkeys(EXTRAS, "off"),
            },
        }
    )

    preset: Preset = setting(
        "fast", "preview: a quick look within seconds; fast: for final results."
    )
    steps: int = setting(540, "Number of optimisation steps.", ge=1, le=1_000_000)
    optics: AnyOptics = setting(
        TimeLapse(), "The microscope: its kind and the parameters of that kind."
    )
    fastest_movement: float | None = setting(
        None,
        "Fastest expected movement, in µm/s (pixels per frame if uncalibrated). Leave empty to "
        "allow for a quarter of the image width over the whole recording.",
        gt=0,
    )
    smallest_structure: float | None = setting(
        None,
        "Size of the smallest structure that moves on its own. Leave empty for a tenth of the "
        "image width.",
        unit="µm",
        gt=0,
    )
    times: str = setting(
        "",
        "Times to reconstruct: 20 for 20 equally spaced times, or 0,0.5,1.2 in seconds from the "
        "first frame (in frames if the frame time is unknown). Leave empty for the recorded times.",
    )
    reference: int = setting(
        0, "Reference frame from which displacements are measured; the first is 0.", ge=0
    )
    motion_channel: str = setting(
        "",
        "Channel of an image with several from which the motion is found; the first is 0, and all "
        "finds it from all together. The scene of every channel moves by it. Only for images "
        "with several channels.",
    )
    align: bool = setting(
        False,
        "Return the recording itself as well, each frame moved to where its material was in the "
        "reference frame.",
        advanced=True,
    )
    moving: bool = setting(
        True,
        "Estimate motion; no gives a static reconstruction for comparison.",
        advanced=True,
    )
    coarse_to_fine: bool = setting(
        True,
        "Add fine detail gradually during the fit; without it, large motion is missed.",
        advanced=True,
    )
    restart: bool = setting(
        True,
        "If the motion has not converged, repeat the fit with a higher learning rate and, where "
        "objects cross, several motions; where phase is faint, with stiffer motion. Compare small "
        "motion with a static scene.",
        advanced=True,
    )
    check_motion: bool = setting(
        True,
        "Fit two halves of the pixels as well, which tells how wrong the motion may be and whether "
        "there is any; takes two to three times as long.",
        advanced=True,
    )
    brightness: Extra = setting(
        "auto",
        "Fit a gain and an offset for every frame; auto tries it where it may help.",
        advanced=True,
    )
    bleaching: Extra = setting(
        "auto",
        "Fit one exponential decay of the brightness; auto tries it where frames get darker.",
        advanced=True,
    )
    unexplained: Extra = setting(
        "auto",
        "Fit a sparse image of what motion cannot explain, such as objects that appear or vanish.",
        advanced=True,
    )
    out_of_focus: Extra = setting(
        "auto",
        "Structured light of planes: fit light from out of focus, which has no pattern; it is not "
        "in the result. auto tries it where the frames are not explained without.",
        advanced=True,
    )
    motion_layers: Layers = setting(
        "auto",
        "Number of images that add up, each with a motion of its own, so that objects may cross. "
        "auto adds them where one motion cannot follow all objects in a plane of fluorescence.",
        advanced=True,
    )
    folding: float = setting(
        0.01,
        "Weight of the penalty on motion that folds the image over itself.",
        ge=0,
        le=100,
        advanced=True,
    )
    smoothness: float | None = setting(
        None,
        "Weight of the smoothness of the scene: 10 keeps peaks, 200 keeps noise away. Leave empty "
        "to choose it from the optics and the contrast.",
        ge=0,
        le=10_000,
        advanced=True,
    )
    stiffness: float = setting(
        1.0,
        "Resistance of the motion to bending, relative to its default.",
        gt=0,
        le=1000,
        advanced=True,
    )
    motion_rate: float = setting(
        1.0,
        "Learning rate of the motion, relative to its default.",
        gt=0,
        le=100,
        advanced=True,
    )
    learning_rate: float = setting(0.01, "Learning rate of the scene.", gt=0, le=1, advanced=True)
    neurons: int = setting(32, "Neurons in each hidden layer.", ge=4, le=1024, advanced=True)
    held_out: float = setting(
        0.02,
        "Fraction of the pixels, in small blocks, that are held out of the fit; with 24 or more "
        "frames, every twelfth frame is held out instead.",
        gt=0,
        le=0.2,
        advanced=True,
    )

    @field_validator("times", mode="before")
    @classmethod
    def _times_as_text(cls, value: Any) -> Any:
        """Accept a number, a list or a text that holds one of them."""
        if value is None:
            return ""
        if isinstance(value, list | tuple):
            value = "".join(f"{time:.12g}," for time in value)  # "3," is one time, "3" is three
            value = value if value.count(",") == 1 else value.removesuffix(",")
        text = str(value).strip()
        _read_times(text)
        return text

    @field_validator("motion_layers", mode="before")
    @classmethod
    def _layers_as_text(cls, value: Any) -> Any:
        """Accept a number."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("motion_channel", mode="before")
    @classmethod
    def _channel_as_text(cls, value: Any) -> str:
        """Accept a number, and None for an image with one channel."""
        text = "" if value is None else str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"(all|\d{1,3})?", text):
            raise ConfigError(
                f"motion_channel {shortened(str(value))} was given; allowed are all, and the "
                "number of a channel, of which the first is 0."
            )
        return text

    def single_motion_channel(self) -> int | None:
        """Return the number of the channel of the motion; None if none is chosen, or all are."""
        return int(self.motion_channel) if self.motion_channel.isdecimal() else None

    def fixed_layers(self) -> int:
        """Return the number of layers of the first fit: 1 if it is found automatically."""
        return 1 if self.motion_layers == "auto" else int(self.motion_layers)

    def following(self, other: Config) -> Self:
        """Return the settings with as many layers as the other fit has, if they do not say."""
        if self.motion_layers != "auto" or not isinstance(other, NSTMConfig):
            return self
        return self.replace(motion_layers=other.fixed_layers())

    def continued(self, steps: int) -> NSTMConfig:
        """Return the settings for additional steps, which continue the best attempt only."""
        return super().continued(steps).replace(restart=False)

    def chosen_times(self) -> int | tuple[float, ...] | None:
        """Return the number of equally spaced times, or the times in seconds, or `None`."""
        return _read_times(self.times)

    @field_validator("optics", mode="before")
    @classmethod
    def _from_plain(cls, value: Any) -> Any:
        if isinstance(value, str):
            return optics_from_dict({"kind": value})
        return optics_from_dict(value) if isinstance(value, Mapping) else value


def _read_times(text: str) -> int | tuple[float, ...] | None:
    """Return the number of times in `20`, the times in `0,0.5`, `None` for an empty text."""
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
        f"times {text!r} was given; a whole number from 1 to 10000, or increasing times from 0 "
        "such as 0,0.5,1.2 are allowed."
    )
