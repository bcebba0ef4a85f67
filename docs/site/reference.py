"""The reference pages of the documentation site, written from the code."""

from __future__ import annotations

import argparse
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import napari_cellinr
from napari_cellinr.cli import make_parser
from napari_cellinr.config.optics import KINDS, template
from napari_cellinr.macro.schema import recipe_schema
from napari_cellinr.methods import METHODS

if TYPE_CHECKING:
    from napari_cellinr.config.base import Config

__all__ = ["API", "pages"]

API = {
    "jobs": (
        "Denoise, super-resolve, reconstruct",
        ("denoise", "superresolve", "reconstruct", "compute_in_parts", "render", "compare"),
    ),
    "images": ("Images and files", ("Image", "read", "read_all", "write")),
    "fits": (
        "Fits and their results",
        (
            *("Fitted", "Query", "load_fit", "save_fit", "continue_fit", "warm_start"),
            *("write_motion", "write_figure", "write_movie"),
        ),
    ),
    "running": (
        "Running jobs",
        (
            *("iter_denoise", "iter_superresolve", "iter_reconstruct"),
            *("Progress", "PreviewRequest"),
        ),
    ),
    "settings": (
        "Settings and forward models",
        (
            *("CellINRConfig", "SpatimeConfig", "NSTMConfig", "setting", "Optics"),
            *("ForwardModel", "Measurement", "register_forward_model"),
        ),
    ),
    "errors": (
        "Errors and warnings",
        (
            *("CellINRError", "AxesError", "ConfigError", "DataError", "FileError", "FitError"),
            *("CellINRWarning", "FileWarning", "FitWarning"),
        ),
    ),
}
"""Title and names of each page about Python."""


def pages() -> dict[str, str]:
    """Return the Markdown of every generated page, by its path in the site."""
    found = {f"reference/api/{name}.md": _api(*page) for name, page in API.items()}
    for name, parser in _commands().items():
        found[f"reference/commands/{name}.md"] = _command(name, parser)
    for method in METHODS.values():
        found[f"reference/settings/{method.action}.md"] = _settings(method.action, method.config)
    found["reference/optics.md"] = _optics()
    found["reference/report.md"] = _report()
    found["reference/recipe.md"] = _recipe()
    return found


def _api(title: str, names: tuple[str, ...]) -> str:
    lines = [f"# {title}", "", "```python", "from napari_cellinr import ..."]
    lines += ["```", ""]
    for name in names:
        home = napari_cellinr._HOMES[name]
        options = "    options:\n      heading_level: 2\n      show_root_full_path: false\n"
        lines += [f"::: napari_cellinr.{home}.{name}", options]
    return "\n".join(lines)


def _commands() -> dict[str, Any]:
    """Return the parsers of all commands, by name."""
    action = next(a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def _command(name: str, parser: Any) -> str:
    text = parser.format_all()
    return f"# napari-cellinr {name}\n\n{parser.description}\n\n```text\n{text.rstrip()}\n```\n"


def _settings(action: str, config: type[Config]) -> str:
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    presets, usual = config.choices("preset"), config().as_dict()
    for name in config.model_fields:
        default = json.dumps(usual[name])
        choices = [f"`{choice}`" for choice in config.choices(name)]
        allowed = f" One of {', '.join(choices)}." if choices and name != "device" else ""
        unit = f" Unit: {config.unit(name)}." if config.unit(name) else ""
        star = " \\*" if config.is_advanced(name) else ""
        text = f"{config.help(name)}{unit}{allowed}".replace("|", "\\|").replace("\n", " ")
        rows.append(f"| `{name}`{star} | `{default}` | {text} |")
    head = (
        f"# Settings of {action}\n\nIn Python: `{action}(image, setting=value)`; on the command "
        f"line: an option of its own, or `--set setting=value`; in the dock: a field. \\* marks "
        "advanced settings.\n\n"
    )
    tables = [f"{head}" + "\n".join(rows), "\n## Presets\n", "A preset is a set of defaults:\n"]
    for preset in presets:
        changed = config(preset=preset).as_dict()
        differ = {k: v for k, v in changed.items() if usual[k] != v and k != "preset"}
        told = ", ".join(f"`{name}={value}`" for name, value in differ.items())
        tables.append(f"- `{preset}`: {told or 'the defaults above'}")
    return "\n".join(tables) + "\n"


def _optics() -> str:
    parts = [
        "# Settings of microscopes\n\nThe file of `--optics FILE.json`, as `napari-cellinr optics "
        "KIND` prints it; [Microscopes](../guide/optics.md) explains the kinds.\n"
    ]
    parts += [f"## {kind}\n\n```json\n{template(kind).rstrip()}\n```\n" for kind in KINDS]
    return "\n".join(parts)


def _report() -> str:
    text = (files("napari_cellinr.fitting") / "report.schema.json").read_text("utf-8")
    schema = json.loads(text)
    rows = ["| key | type | meaning |", "|---|---|---|"]
    for name, value in schema["properties"].items():
        kind = value.get("type", "one of " + ", ".join(map(str, value.get("enum", ["any"]))))
        kind = " or ".join(kind) if isinstance(kind, list) else kind
        star = "" if name in schema["required"] else " (some methods)"
        meaning = str(value.get("description", "")).replace("|", "\\|")
        rows.append(f"| `{name}`{star} | {kind} | {meaning} |")
    return (
        "# The report\n\n`--report FILE.json`, and `fitted.report` in Python. Its JSON Schema is "
        "`report.schema.json` in `napari_cellinr.fitting`.\n\n" + "\n".join(rows) + "\n"
    )


def _recipe() -> str:
    steps = recipe_schema()["properties"]["steps"]["items"]["oneOf"]
    rows = ["| action | layers it needs | arguments |", "|---|---|---|"]
    for step in steps:
        given = step["properties"]
        arguments = given["arguments"].get("properties", {})
        names = ", ".join(f"`{name}`" for name in arguments) or "a number for each axis"
        fewest = given["sources"]["minItems"]
        rows.append(f"| `{given['action']['const']}` | {fewest} | {names} |")
    return (
        "# Macros and recipes\n\nA recipe is a JSON file; [Macros and recipes by hand]"
        "(../guide/recipes.md) shows whole ones. Its JSON Schema is `recipe.schema.json` in "
        "`napari_cellinr.macro`: editors check and complete recipes with it.\n\n"
        "```json\n"
        '{"format": "napari-cellinr recipe", "version": 1, "steps": []}\n```\n\n'
        "## Actions\n\n" + "\n".join(rows) + "\n"
    )
