"""What every configuration has in common: presets, bounds, help and clear errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from pydantic.config import JsonDict
    from pydantic.fields import FieldInfo

__all__ = ["Config", "Device", "Settings", "setting"]

Device = Literal["auto", "cpu", "cuda", "mps"]


def setting(
    default: Any, text: str, *, unit: str = "", advanced: bool = False, **bounds: Any
) -> Any:
    """Return a field with its help, unit and bounds, from which forms and options are made.

    Parameters
    ----------
    default
        Value if nothing is given.
    text
        One sentence for tooltip, `--help` and reference page.
    unit
        Unit of a number, such as `voxel`, `s`; empty for a pure number.
    advanced
        Whether most users never need it.
    bounds
        `ge`, `gt`, `le`, `lt` of a number, as in pydantic.
    """
    extra: JsonDict = {"unit": unit, "advanced": advanced}
    return Field(default, description=text, json_schema_extra=extra, **bounds)


class Settings(BaseModel):
    """Named values with help, unit and bounds: frozen, every value checked, unknown names refused.

    Raises
    ------
    ConfigError
        If a name is unknown or a value out of bounds; lists what is allowed.
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
        """Return every value as plain Python, ready for JSON."""
        return self.model_dump(mode="json")

    def as_json(self) -> str:
        """Return every value as JSON text."""
        return json.dumps(self.as_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the settings that `as_json` wrote.

        Raises
        ------
        ConfigError
            If the text is no JSON object, or a setting in it is not valid.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"settings that are no JSON were given ({error}).") from error
        if not isinstance(values, dict):
            raise ConfigError("settings were given as JSON, but not as an object of names.")
        return cls(**values)

    @classmethod
    def choices(cls, name: str) -> tuple[Any, ...]:
        """Return the allowed values of a field that has a fixed list, else an empty tuple."""
        return _literals(cls.model_fields[name])

    @classmethod
    def unit(cls, name: str) -> str:
        """Return the unit of the field `name`; empty for a pure number or a word."""
        return str(_extra(cls.model_fields[name]).get("unit", ""))

    @classmethod
    def is_advanced(cls, name: str) -> bool:
        """Return whether most users never need the field `name`."""
        return bool(_extra(cls.model_fields[name]).get("advanced", False))

    @classmethod
    def help(cls, name: str) -> str:
        """Return the one-sentence help of the field `name`."""
        return cls.model_fields[name].description or ""

    @classmethod
    def parse(cls, assignments: Mapping[str, str]) -> dict[str, Any]:
        """Return the typed values of texts such as `{"steps": "50"}`, as typed on a command line.

        Raises
        ------
        ConfigError
            If a name is unknown; lists the valid ones.
        """
        values: dict[str, Any] = {}
        for name, text in assignments.items():
            if name not in cls.model_fields:
                raise ConfigError(_unknown(cls, name))
            word = text.strip()
            is_none = word.lower() in {"none", ""} and word not in cls.choices(name)
            values[name] = None if is_none else word
        return values


class Config(Settings):
    """Settings of one fit, with presets.

    A preset is a set of defaults: a value that is given wins over the preset's.

    Raises
    ------
    ConfigError
        If a name is unknown or a value out of bounds; lists what is allowed.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    preset: str = setting("", "A set of defaults for a purpose.")
    device: Device = setting("auto", "Where to compute; auto takes a GPU if there is one.")
    seed: int = setting(0, "Start of the random numbers; the same seed repeats a fit.", ge=0)
    steps: int = setting(100, "Largest number of optimisation steps.", ge=1, le=1_000_000)
    max_seconds: float | None = setting(
        None, "Time for the whole job, from reading to writing; none is unlimited.", unit="s", gt=0
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

    @property
    def is_published(self) -> bool:
        """Whether the fit is done as its authors published it, with a network of coordinates."""
        return self.preset == "paper"

    def continued(self, steps: int) -> Self:
        """Return the settings with which a fit with these ones does so many more steps."""
        return self.replace(steps=self.steps + steps, max_seconds=None)

    def replace(self, **changes: Any) -> Self:
        """Return a configuration with `changes`, checked again.

        A change of the preset brings the defaults of the new one, except for values that
        differ from those of the old one.
        """
        return type(self)(**{**self.changes(), **changes})

    def changes(self) -> dict[str, Any]:
        """Return what differs from the defaults of the preset; the preset if not the usual one."""
        usual = type(self)(preset=self.preset).as_dict()
        default = type(self).model_fields["preset"].default
        kept = {key: value for key, value in self.as_dict().items() if value != usual[key]}
        return kept if self.preset == default else {"preset": self.preset, **kept}


def _literals(info: FieldInfo) -> tuple[Any, ...]:
    """Return the values of a `Literal`, which may be one branch of an optional."""
    arguments = get_args(info.annotation)
    if arguments and all(isinstance(argument, str) for argument in arguments):
        return arguments
    inner = (value for argument in arguments for value in get_args(argument))
    return tuple(value for value in inner if isinstance(value, str))


def _extra(info: FieldInfo) -> Mapping[str, Any]:
    extra = info.json_schema_extra
    return extra if isinstance(extra, Mapping) else {}


def _unknown(cls: type[Settings], name: str) -> str:
    return f"setting {name!r} is not known; valid are {', '.join(cls.model_fields)}."


def _explain(cls: type[Settings], error: ValidationError) -> str:
    """Return one sentence about the first thing that is wrong."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        return str(cause)  # pydantic wraps what a validator raises; the sentence is complete
    name = ".".join(str(part) for part in first["loc"][:1])
    if first["type"] == "extra_forbidden":
        return _unknown(cls, name)
    allowed = first["msg"][0].lower() + first["msg"][1:]
    return f"{name} = {first['input']!r} was given; {allowed}."
