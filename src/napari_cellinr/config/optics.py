"""Optics of any kind: told apart by `kind`, read from and written as JSON."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field

from napari_cellinr.config.optics_kinds import (
    DPC,
    SIM2D,
    SIM3D,
    LineScan,
    Optics,
    PointScan,
    RollingShutter,
    TimeLapse,
    ZScan,
)
from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DPC",
    "KINDS",
    "SIM2D",
    "SIM3D",
    "AnyOptics",
    "LineScan",
    "Optics",
    "PointScan",
    "RollingShutter",
    "TimeLapse",
    "ZScan",
    "optics_from_dict",
    "optics_from_json",
    "template",
]

AnyOptics: TypeAlias = Annotated[
    TimeLapse | LineScan | PointScan | ZScan | DPC | SIM2D | SIM3D | RollingShutter,
    Field(discriminator="kind"),
]
"""Any kind of microscope, told apart by `kind`: the type of a field of another configuration."""

KINDS: Mapping[str, type[Optics]] = MappingProxyType(
    {
        cls.model_fields["kind"].default: cls
        for cls in (TimeLapse, LineScan, PointScan, ZScan, DPC, SIM2D, SIM3D, RollingShutter)
    }
)
"""The class of the settings by kind of microscope."""


def optics_from_dict(values: Mapping[str, Any]) -> Optics:
    """Return the optics that plain values describe; names that begin with `_` are notes.

    Raises
    ------
    ConfigError
        If the kind is missing or unknown, or a value is not allowed.
    """
    kept = {name: value for name, value in values.items() if not name.startswith("_")}
    kind = kept.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        given = f"kind {kind!r} was given" if "kind" in kept else "no kind was given"
        raise ConfigError(f"optics: {given}; allowed are {', '.join(KINDS)}.")
    return KINDS[kind](**kept)


def optics_from_json(text: str) -> Optics:
    """Return the optics that a JSON text describes, as `template` and `as_json` write them.

    Raises
    ------
    ConfigError
        If the text is no JSON object, the kind is unknown, or a value is not allowed.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"optics that are no JSON were given ({error}).") from error
    if not isinstance(values, dict):
        raise ConfigError("optics were given as JSON, but not as an object of names.")
    return optics_from_dict(values)


def template(kind: str) -> str:
    """Return the JSON text of valid optics of a kind, with `_help` on every key and its unit.

    Raises
    ------
    ConfigError
        If the kind is not known.
    """
    cls = type(optics_from_dict({"kind": kind}))
    values: dict[str, Any] = cls.example().as_dict()
    values["_help"] = {name: _help(cls, name) for name in cls.model_fields}
    return json.dumps(values, indent=2, ensure_ascii=False)


def _help(cls: type[Optics], name: str) -> str:
    """Return the help of a key with its unit and the words that are allowed."""
    unit, choices = cls.unit(name), cls.choices(name)
    text = f"{cls.help(name)} Unit: {unit}." if unit else cls.help(name)
    return f"{text} One of: {', '.join(map(str, choices))}." if len(choices) > 1 else text
