"""The format of recipes as JSON Schema, for editors and for programs that write recipes.

The package ships it as `recipe.schema.json` beside this file; `python -m
napari_cellinr.macro.schema` prints it, to be stored again after a change of an action or a
setting.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.macro.actions import ACTIONS, FITS
from napari_cellinr.macro.steps import RECIPE_VERSION
from napari_cellinr.macro.values import (
    ANY,
    AXES,
    AXIS_RANGES,
    COUNT_OR_NONE,
    FILE_NAME,
    NUMBER,
    NUMBER_PER_AXIS,
    NUMBERS_OR_NONE,
    TEXT,
    TEXTS,
)
from napari_cellinr.methods import method_of_action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.macro.actions import Action
    from napari_cellinr.macro.values import Kind

__all__ = ["PLACE", "recipe_schema"]

PLACE: Final = Path(__file__).with_name("recipe.schema.json")
"""The schema as the package ships it."""

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_NUMBER: Final = {"type": "number"}
_AXIS: Final = "^[A-Za-z]$"

_KINDS: Final[Mapping[Kind, Mapping[str, Any]]] = {
    ANY: {},
    AXES: {"type": "string", "pattern": "^[A-Za-z]*$"},
    AXIS_RANGES: {
        "type": "object",
        "patternProperties": {_AXIS: {"type": "array", "minItems": 2, "maxItems": 2}},
        "additionalProperties": False,
    },
    COUNT_OR_NONE: {"anyOf": [_COUNT, {"type": "null"}]},
    FILE_NAME: {"type": "string", "minLength": 1},
    NUMBER: _NUMBER,
    NUMBER_PER_AXIS: {
        "type": "object",
        "patternProperties": {_AXIS: _NUMBER},
        "additionalProperties": False,
    },
    NUMBERS_OR_NONE: {"anyOf": [{"type": "array", "items": _NUMBER}, {"type": "null"}]},
    TEXT: _TEXT,
    TEXTS: {"type": "array", "items": _TEXT},
}
"""JSON Schema of each kind of argument."""

_SOURCE: Final = {
    "type": "object",
    "description": "What a step works on: a layer, a file, or a layer that was read from a file.",
    "additionalProperties": False,
    "properties": {
        "layer": {**_TEXT, "description": "Name of a layer; not for a file that is opened."},
        "path": {**_TEXT, "description": "File, folder of numbered files, or pattern."},
        "along": {"enum": ["", "T", "Z"], "description": "Axis of numbered files."},
        "files": {
            "type": "array",
            "items": _TEXT,
            "description": "Those of a folder; all if none.",
        },
        "reader": {**_TEXT, "description": "Plugin of napari that reads the file."},
        "digest": {**_TEXT, "description": "Digest of the data, to notice that they differ."},
        "series": {**_COUNT, "description": "Number of the image in its file."},
        "channel": {**_COUNT, "description": "Number of the channel."},
    },
}

_COMMON: Final = {
    "results": {
        "type": "array",
        "items": _TEXT,
        "description": "Names of the layers that the step makes.",
    },
    "roles": {"type": "array", "items": _TEXT, "description": "What each result is."},
    "seed": {**_COUNT, "description": "Random seed of a fit."},
    "beginning": {
        "enum": ["", "continue_from", "warm_start"],
        "description": "How a fit starts from its second source.",
    },
    "versions": {"type": "object", "additionalProperties": _TEXT},
    "status": {"enum": ["done", "stopped", "failed"], "description": "A failed step is skipped."},
    "disabled": {"type": "boolean", "description": "Whether the step is skipped."},
    "note": {**_TEXT, "description": "Why it failed."},
}


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a recipe, with all actions and settings."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Recipe of napari-cellinr",
        "type": "object",
        "required": ["format", "version", "steps"],
        "additionalProperties": False,
        "properties": {
            "format": {"const": "napari-cellinr recipe"},
            "version": {"type": "integer", "minimum": 1, "maximum": RECIPE_VERSION},
            "steps": {"type": "array", "items": {"oneOf": [_step(a) for a in ACTIONS.values()]}},
        },
        "$defs": {"source": _SOURCE},
    }


_PARTS: Final = {"type": "string", "pattern": r"\.[zZ][aA][rR][rR]$"}


def _step(action: Action) -> dict[str, Any]:
    fewest, most = action.n_sources
    is_fit = action.name in FITS
    sources = {
        "type": "array",
        "items": {"$ref": "#/$defs/source"},
        "minItems": fewest,
        "maxItems": 2 if is_fit else most,
    }
    needed = ["action", "sources", *(["arguments"] if action.required else [])]
    return {
        "type": "object",
        "title": (action.__doc__ or "").partition("\n")[0]
        if not is_fit
        else f"Fit: {action.name}.",
        "required": needed,
        "additionalProperties": False,
        "properties": {
            "action": {"const": action.name},
            "sources": sources,
            "arguments": _arguments(action),
            **_COMMON,
        },
    }


def _arguments(action: Action) -> dict[str, Any]:
    if action.name in FITS:
        return _settings(action.name)
    if action.name == "calibrate":
        return dict(_KINDS[NUMBER_PER_AXIS])
    return {
        "type": "object",
        "required": list(action.required),
        "additionalProperties": False,
        "properties": {name: _KINDS[kind] for name, kind in action.arguments.items()},
    }


def _settings(name: str) -> dict[str, Any]:
    """Return the schema of the settings of a method: their help, and their choices."""
    config = method_of_action(name).config
    parts = {"description": "OME-Zarr that is computed in parts.", **_PARTS}
    found: dict[str, Any] = {"axes": _KINDS[AXES], "parts": parts}
    for setting in config.model_fields:
        choices = config.choices(setting)
        is_free = setting == "device" or not choices
        found[setting] = {"description": config.help(setting)} | (
            {} if is_free else {"enum": list(choices)}
        )
    return {"type": "object", "additionalProperties": False, "properties": found}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(recipe_schema(), indent=1, ensure_ascii=False) + "\n")
