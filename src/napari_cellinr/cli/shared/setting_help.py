"""The type of a setting in the help, and its default in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, get_args

from napari_cellinr.config.base import Settings

if TYPE_CHECKING:
    from napari_cellinr.config import Config

__all__ = ["DEVICES", "help_of", "type_of"]

DEVICES: Final = "{auto,cpu,cuda,cuda:N,mps}"

_TYPES: Final = {
    "device": DEVICES,
    "optics": "KIND|FILE.json",
    "scale": "t=2,z=2.5",
    "target_voxel": "z=0.18",
    "times": "0,2.5,5",
    "stamps": "0,2.1,4",
}
"""Values of settings that are no plain numbers, as they are written."""


def type_of(config: type[Config], name: str) -> str:
    """Return what stands for the value of a setting in the help: `N` for a whole number.

    Parameters
    ----------
    config
        The settings.
    name
        Name of one of them.
    """
    annotation = config.model_fields[name].annotation
    kinds = {annotation, *get_args(annotation)}
    if name in _TYPES:
        return _TYPES[name]
    if name in config.FILES:
        return "FILE"
    if bool in kinds:
        return "yes|no"
    if config.unit(name) == "s":
        return "SECONDS"
    if float in kinds:
        return "NUMBER"
    return "N" if int in kinds else "TEXT"


def help_of(config: type[Config], name: str) -> str:
    """Return the help of a setting with its unit and its defaults in words.

    Parameters
    ----------
    config
        The settings.
    name
        Name of one of them.
    """
    text, default = _split(config.help(name))
    usual = _default_of(config, name, config.model_fields["preset"].default)
    if usual is None and default:
        known = [default]
    else:
        known = [] if usual is None else [_in_words(usual, config.unit(name))]
    for preset in config.PRESETS:
        value = _default_of(config, name, preset)
        if value != usual:
            known.append(f"{preset}: {_in_words(value, '')}")
    unit = config.unit(name)
    if usual is None and known and unit not in {"", "s"}:
        text = f"{text}, in {unit}"
    start = text[0].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text
    return f"{start} (default: {'; '.join(known)})" if known else start


def _split(text: str) -> tuple[str, str]:
    """Return the help without its sentence about an empty field, and what happens then."""
    found = re.search(r" Leave empty (?:to|for) (.*)\.$", text)
    return (text[: found.start()] if found else text).rstrip("."), found.group(1) if found else ""


def _default_of(config: type[Config], name: str, preset: str) -> Any:
    """Return the default of a setting with a preset; None if it is empty."""
    value = config.PRESETS.get(preset, {}).get(name, config.model_fields[name].default)
    return None if value is None or value in ("", (), {}) else value


def _in_words(value: Any, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Settings):
        return str(value.as_dict().get("kind", "as given"))
    number = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{number} {unit}".strip()
