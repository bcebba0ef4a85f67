"""Kinds of microscope: the registry, and how their settings are read from and written as JSON.

A kind called `some-kind` whose settings are in the module `config.optics.FILE` is built by the
function `some_kind` of the module `acquisition.FILE`, from the forward model in `optics`.
"""

from __future__ import annotations

import json
import re
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator, SerializeAsAny

from napari_cellinr.config.optics.base import Optics
from napari_cellinr.errors import ConfigError
from napari_cellinr.text import parsed_json, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "KINDS",
    "AnyOptics",
    "Optics",
    "add_kind",
    "optics_from_dict",
    "optics_from_json",
    "table",
    "template",
]

_REGISTRY: Final = {
    "time-lapse": "repeated.TimeLapse",
    "line-scan": "repeated.LineScan",
    "point-scan": "repeated.PointScan",
    "z-scan": "repeated.ZScan",
    "exposure": "exposure.Exposure",
    "dpc": "dpc.DPC",
    "sim2d": "sim.SIM2D",
    "sim3d": "sim.SIM3D",
    "rolling-shutter": "rolling_shutter.RollingShutter",
}
"""Module and class of the settings of every kind, in the order in which kinds are offered."""


def _settings(place: str) -> type[Optics]:
    """Return the class that `module.Class` of this package names."""
    module, _, name = place.partition(".")
    found: type[Optics] = getattr(import_module(f"{__name__}.{module}"), name)
    return found


_kinds: Final = {kind: _settings(place) for kind, place in _REGISTRY.items()}

KINDS: Mapping[str, type[Optics]] = MappingProxyType(_kinds)
"""The class of the settings by kind of microscope."""


def add_kind(settings: type[Optics]) -> str:
    """Add a kind of microscope, and return its name; a kind of this package is not replaced.

    Parameters
    ----------
    settings
        Its settings, with a default for `kind`.

    Raises
    ------
    ConfigError
        If the name is not lower-case words joined by `-`, or is that of a kind of this package.
    """
    kind = str(settings.model_fields["kind"].default)
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", kind):
        raise ConfigError(
            f"kind {kind!r} was given; a name of lower-case letters, digits and - is needed, such "
            "as my-microscope."
        )
    if kind in _REGISTRY:
        raise ConfigError(f"kind {kind!r} exists in this package; choose another name.")
    _kinds[kind] = settings
    return kind


def __getattr__(name: str) -> Any:
    """Return the class of settings of this name, such as `DPC`."""
    for cls in KINDS.values():
        if cls.__name__ == name:
            return cls
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def optics_from_dict(values: Mapping[str, Any]) -> Optics:
    """Return the settings of a microscope from plain values.

    Parameters
    ----------
    values
        Settings by name, with `kind`. Names that begin with `_` are comments and are ignored.

    Returns
    -------
    Optics
        The checked settings, of the class that `KINDS` has for the kind.

    Raises
    ------
    ConfigError
        If the kind is missing or unknown, or a value is not allowed.
    """
    kept = {name: value for name, value in values.items() if not name.startswith("_")}
    kind = kept.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        given = f"kind {shortened(kind)} was given" if "kind" in kept else "no kind was given"
        raise ConfigError(f"optics: {given}; allowed are {', '.join(KINDS)}.")
    return KINDS[kind](**kept)


def _as_optics(value: Any) -> Any:
    """Return settings from plain values; anything else as it is, for pydantic to check."""
    return optics_from_dict(value) if isinstance(value, dict) else value


AnyOptics: TypeAlias = Annotated[SerializeAsAny[Optics], BeforeValidator(_as_optics)]
"""Settings of any kind of microscope: the type of a field of another configuration."""


def optics_from_json(text: str) -> Optics:
    """Return the settings that a JSON text holds, as `template` and `as_json` write it.

    Raises
    ------
    ConfigError
        If the text is not a JSON object, the kind is unknown, or a value is not allowed.
    """
    try:
        values = parsed_json(text)
    except ValueError as error:
        raise ConfigError(f"the optics are not valid JSON ({error}).") from error
    if not isinstance(values, dict):
        raise ConfigError(
            'the optics are valid JSON, but not an object such as {"kind": "time-lapse"}.'
        )
    return optics_from_dict(values)


def template(kind: str) -> str:
    """Return valid settings of a kind as JSON text; `_help` explains every setting.

    Raises
    ------
    ConfigError
        If the kind is not known.
    """
    cls = type(optics_from_dict({"kind": kind}))
    values: dict[str, Any] = cls.example().as_dict()
    values["_help"] = {name: _help(cls, name) for name in cls.model_fields}
    for name in cls.TYPICAL:
        values["_help"][name] += " An example: give the value of your microscope."
    return json.dumps(values, indent=2, ensure_ascii=False)


def _help(cls: type[Optics], name: str) -> str:
    """Return the help text of a setting with its unit and the words that are allowed."""
    unit, choices = cls.unit(name), cls.choices(name)
    text = f"{cls.help(name)} Unit: {unit}." if unit else cls.help(name)
    return f"{text} One of: {', '.join(map(str, choices))}." if len(choices) > 1 else text


def table() -> str:
    """Return the table of the guide, Markdown: each kind, what it records, what to give."""
    rows = ["| kind | records | axes | give at least |", "|---|---|---|---|"]
    for kind, cls in KINDS.items():
        axes = " or ".join(cls.AXES) or "any; all but Y and X count the raw frames"
        named = ", ".join(f"`{name}`" for name in cls.ESSENTIAL).replace(" or ", "` or `")
        rows.append(f"| `{kind}` | {cls.summary().rstrip('.')} | {axes} | {named or 'nothing'} |")
    return "\n".join(rows)
