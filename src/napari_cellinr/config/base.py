"""The base class of all settings: presets, allowed ranges, help texts and clear errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from napari_cellinr.errors import ConfigError
from napari_cellinr.text import n_of, parsed_json, shortened

if TYPE_CHECKING:
    from pydantic.config import JsonDict
    from pydantic.fields import FieldInfo

__all__ = [
    "CHECKPOINT_SECONDS",
    "CPU_SPEED",
    "Config",
    "Device",
    "Settings",
    "gpu_warning",
    "setting",
]

Device = Literal["auto", "cpu", "cuda", "mps"]

DeviceName = Annotated[
    Device | Annotated[str, Field(pattern=r"^cuda:\d{1,3}$")],
    # torch is not imported here: a device of torch is known by its name.
    BeforeValidator(lambda given: str(given) if type(given).__name__ == "device" else given),
]
"""A kind of device, or one of several GPUs such as `cuda:1`; a `torch.device` is accepted."""

CHECKPOINT_SECONDS = 60.0
"""Default time between two checkpoints in seconds."""

CPU_SPEED = 5e10
"""Floating-point operations per second of one core, measured with the `paper` networks."""

WORTH_A_WARNING = 900.0
"""Estimated seconds above which the user is warned before the fit starts."""


def setting(
    default: Any, text: str, *, unit: str = "", advanced: bool = False, **bounds: Any
) -> Any:
    """Return a pydantic field with help text, unit and bounds, for docks and the command line.

    Parameters
    ----------
    default
        The default value.
    text
        Help text of one or two sentences, shown as tooltip and by `--help`.
    unit
        Unit of a number, such as `voxel` or `s`; empty for a number without unit.
    advanced
        Whether the dock shows it under the advanced settings only.
    **bounds
        `ge`, `gt`, `le`, `lt`: the allowed range of a number, as in pydantic.

    Examples
    --------
    >>> from napari_cellinr import Optics, setting
    >>> class Slow(Optics):
    ...     kind: str = setting("slow", "Kind of microscope.")
    ...     delay: float = setting(0.5, "Time before each frame.", unit="s", gt=0)
    >>> Slow().delay, Slow.unit("delay")
    (0.5, 's')
    """
    extra: JsonDict = {"unit": unit, "advanced": advanced}
    return Field(default, description=text, json_schema_extra=extra, **bounds)


class Settings(BaseModel):
    """Settings with help, unit and bounds: immutable, every value checked, no unknown names.

    Raises
    ------
    ConfigError
        If a name is unknown or a value out of bounds; the message lists what is allowed.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(_explain(type(self), error)) from None

    def as_dict(self) -> dict[str, Any]:
        """Return all values as plain Python types that JSON can hold."""
        return self.model_dump(mode="json")

    def as_json(self) -> str:
        """Return all values as JSON text."""
        return json.dumps(self.as_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the settings that `as_json` wrote.

        Raises
        ------
        ConfigError
            If the text is not a JSON object, or a setting in it is not valid.
        """
        try:
            values = parsed_json(text)
        except ValueError as error:
            raise ConfigError(
                f"the settings are not valid JSON ({error}); a JSON object such as "
                '{"steps": 50} is needed.'
            ) from error
        if not isinstance(values, dict):
            raise ConfigError(
                f"the settings are JSON of type {type(values).__name__}; a JSON object such as "
                '{"steps": 50} is needed.'
            )
        return cls(**values)

    @classmethod
    def choices(cls, name: str) -> tuple[Any, ...]:
        """Return the choices of a field that has a fixed list of them, else an empty tuple."""
        return _literals(cls.model_fields[name])

    @classmethod
    def unit(cls, name: str) -> str:
        """Return the unit of the field `name`; empty if it has none."""
        return str(_extra(cls.model_fields[name]).get("unit", ""))

    @classmethod
    def is_advanced(cls, name: str) -> bool:
        """Return whether the field `name` is an advanced setting."""
        return bool(_extra(cls.model_fields[name]).get("advanced", False))

    @classmethod
    def help(cls, name: str) -> str:
        """Return the help text of the field `name`."""
        return cls.model_fields[name].description or ""

    @classmethod
    def parse(cls, assignments: Mapping[str, str]) -> dict[str, Any]:
        """Return keyword arguments from command-line texts such as `{"steps": "50"}`.

        `none` and an empty text become `None`, unless `none` is one of the choices; other texts
        are converted when the settings are made.

        Raises
        ------
        ConfigError
            If a name is unknown; the message lists the valid ones.
        """
        values: dict[str, Any] = {}
        for name, text in assignments.items():
            if name not in cls.model_fields:
                raise ConfigError(_unknown(cls, name))
            value = text.strip()
            is_none = value.lower() in {"none", ""} and value not in cls.choices(name)
            values[name] = None if is_none else value
        return values


class Config(Settings):
    """Settings of one fit, with presets.

    A preset is a set of defaults; a value that is given takes precedence over the preset's.
    `NEWER` are the values that settings had, in effect, before there were such settings.

    Raises
    ------
    ConfigError
        If a name is unknown or a value out of bounds; the message lists what is allowed.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    FILES: ClassVar[tuple[str, ...]] = ()
    NEWER: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    preset: str = setting("", "A set of default values.")
    device: DeviceName = setting(
        "auto",
        "Where to compute; auto uses a GPU if there is one, cuda:1 is the second of several.",
    )
    seed: int = setting(0, "Random seed; the same seed gives the same result.", ge=0)
    steps: int = setting(100, "Maximum number of optimisation steps.", ge=1, le=1_000_000)
    max_seconds: float | None = setting(
        None,
        "Time limit for the whole job, from reading to writing. Leave empty for no limit.",
        unit="s",
        gt=0,
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, values: Any) -> Any:
        default = cls.model_fields["preset"].default
        name = values.get("preset", default)
        if not isinstance(name, str) or name not in cls.PRESETS:
            allowed = ", ".join(cls.PRESETS)
            raise ConfigError(f"preset {name!r} was given; allowed are {allowed}.")
        return {**cls.PRESETS[name], **values, "preset": name}

    @classmethod
    def of_stored(cls, settings: Mapping[str, Any]) -> Self:
        """Return the settings that a saved fit or checkpoint holds, also one of an older version.

        Parameters
        ----------
        settings
            All settings by name, as `as_dict` returned them.
        """
        return cls(**{**cls.NEWER, **settings})

    def can_start_from(self, other: Config) -> bool:
        """Return whether a fit with these settings can start from one with others."""
        return isinstance(other, type(self))

    def following(self, other: Config) -> Self:
        """Return the settings with which a fit with these ones starts from one with others."""
        return self

    @property
    def is_published(self) -> bool:
        """Whether the fit is done as its authors published it, with a network of coordinates."""
        return self.preset == "paper"

    def continued(self, steps: int) -> Self:
        """Return the settings with which a fit with these ones does so many more steps."""
        return self.replace(steps=self.steps + steps, max_seconds=None)

    def replace(self, **changes: Any) -> Self:
        """Return a configuration with `changes`, checked again.

        If the preset changes, values that still equal the old preset's defaults become those of
        the new preset; all others stay.
        """
        return type(self)(**{**self.changes(), **changes})

    def changes(self) -> dict[str, Any]:
        """Return the values that differ from the preset's, and the preset if not the default."""
        usual = type(self)(preset=self.preset).as_dict()
        default = type(self).model_fields["preset"].default
        kept = {key: value for key, value in self.as_dict().items() if value != usual[key]}
        return kept if self.preset == default else {"preset": self.preset, **kept}


def gpu_warning(config: Config, batch: int, seconds: float) -> str:
    """Return a warning if the preset `paper` would take very long on a CPU, else an empty text.

    Parameters
    ----------
    config
        Settings of the fit.
    batch
        Voxels per step.
    seconds
        Estimated duration on one core of a CPU.
    """
    if not config.is_published or config.device[:4] in {"cuda", "mps"} or seconds < WORTH_A_WARNING:
        return ""
    return (
        f"preset paper with {n_of(config.steps, 'step')} of {n_of(batch, 'voxel')} needs a GPU: on "
        f"one core of a CPU it takes about {_duration(seconds)}. Choose a GPU, fewer steps, "
        "smaller batches or networks, or the preset fast."
    )


def _duration(seconds: float) -> str:
    """Return a duration as text, such as `12 days`."""
    for unit, length in (("days", 86400), ("hours", 3600)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 60:.0f} minutes"


def _literals(info: FieldInfo) -> tuple[Any, ...]:
    """Return the values of a `Literal`, also of an optional one."""
    arguments = get_args(info.annotation)
    if arguments and all(isinstance(argument, str) for argument in arguments):
        return arguments
    inner = (value for argument in arguments for value in get_args(argument))
    return tuple(value for value in inner if isinstance(value, str))


def _extra(info: FieldInfo) -> Mapping[str, Any]:
    extra = info.json_schema_extra
    return extra if isinstance(extra, Mapping) else {}


def _unknown(cls: type[Settings], name: str) -> str:
    return f"there is no setting {shortened(name)}; the settings are {', '.join(cls.model_fields)}."


def _explain(cls: type[Settings], error: ValidationError) -> str:
    """Return one sentence about the first error."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        return str(cause)  # raised by a validator of ours and wrapped by pydantic
    name = ".".join(str(part) for part in first["loc"][:1])
    if first["type"] == "extra_forbidden":
        return _unknown(cls, name)
    allowed = first["msg"][0].lower() + first["msg"][1:]
    return f"{name} = {shortened(first['input'], 200)} was given; {allowed}."
