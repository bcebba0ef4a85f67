"""A macro as text: for the viewer, for Python without one, and for the command line."""

from __future__ import annotations

import keyword
import re
import shlex
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from napari_cellinr.macro.steps import FITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_cellinr.macro.steps import Macro, Step

__all__ = ["STYLES", "Style", "call", "script", "variable"]

Style: TypeAlias = Literal["console", "headless", "cli"]

STYLES: Final[Mapping[Style, str]] = {
    "console": "For napari",
    "headless": "For Python",
    "cli": "Command line",
}
"""The renderings, with a title for each."""

SAMPLE: Final = "sample:"
"""What the path of a sample of this plugin begins with."""

FITTED_SUFFIX: Final = ".cellinr"
"""The end of the names of kept fits, as in `io`, which is not needed for text."""

_IN_VIEWER = {"compare", "show_motion"}


def script(macro: Macro, style: Style = "console") -> str:
    """Return the steps as text that does them again; failed ones are left out.

    Parameters
    ----------
    macro
        The steps.
    style
        `console`: Python for napari, with layers by name; a file of it can be dropped onto a
        viewer. `headless`: Python on files. `cli`: lines for a shell.
    """
    renderings: dict[Style, Callable[[Macro], list[str]]] = {
        "console": _console,
        "headless": _headless,
        "cli": _commands,
    }
    return "\n".join([*_header(macro), *renderings[style](macro)]) + "\n"


def call(step: Step) -> str:
    """Return the step as a call of a method of `cellinr`."""
    names = [repr(source.layer) for source in step.sources]
    if step.action == "open":
        return f"cellinr.use({_first(step.results)!r}, {step.source.path!r})"
    if step.action == "save":
        return f"cellinr.save({names[0]}, {step.arguments['path']!r})"
    settings = {**step.arguments, **({} if step.seed is None else {"seed": step.seed})}
    return f"cellinr.{step.action}({', '.join([*names, *_keywords(settings)])})"


def variable(name: str, taken: set[str]) -> str:
    """Return a name for a variable that is like the name of a layer, and note it as taken."""
    word = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "image"
    word = f"image_{word}" if word[0].isdigit() or keyword.iskeyword(word) else word
    found, number = word, 2
    while found in taken:
        found, number = f"{word}_{number}", number + 1
    taken.add(found)
    return found


def _header(macro: Macro) -> list[str]:
    """Return comments with the versions that were used, and what was stopped."""
    versions = {key: value for step in macro.steps for key, value in step.versions.items()}
    used = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    notes = [
        f"# {step.action} of {step.source.layer}: {step.note}"
        for step in macro.repeatable
        if step.note
    ]
    return ["# Recorded by napari-cellinr", *([f"# with {used}"] if used else []), *notes]


def _console(macro: Macro) -> list[str]:
    lines = [
        "import napari",
        "from napari_cellinr.ui.console import console_of",
        "",
        "viewer = napari.current_viewer()",
        "cellinr = console_of(viewer)",
    ]
    opened = {name for step in macro.repeatable if step.action == "open" for name in step.results}
    for source in macro.inputs:
        if source.layer and source.path and source.layer not in opened:
            lines.append(f"cellinr.use({source.layer!r}, {source.path!r})")
    return lines + [call(step) for step in macro.repeatable]


def _headless(macro: Macro) -> list[str]:
    return _Headless().lines(macro)


class _Headless:
    """Python on files: one variable for every image."""

    def __init__(self) -> None:
        self._taken: set[str] = {"load_fit", "read", "render", "save_fit", "write", *FITS}
        self._fits: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._imports = {"read"}
        self._lines: list[str] = []

    def lines(self, macro: Macro) -> list[str]:
        """Return the lines of the script."""
        for source in macro.inputs:
            if source.layer:
                self._read(source.layer, source.path)
        for step in macro.repeatable:
            self._add(step)
        names = ", ".join(sorted(self._imports))
        return [f"from napari_cellinr import {names}", "", *self._lines]

    def _read(self, layer: str, path: str) -> None:
        name = variable(layer, self._taken)
        known = path and not path.startswith(SAMPLE)
        if path.endswith(FITTED_SUFFIX):
            self._imports |= {"load_fit", "render"}
            self._lines.append(f"{name} = load_fit({path!r})")
            self._values[layer], self._fits[layer] = f"render({name})[0]", name
            return
        place = path if known else f"{name}.tif"
        hint = "" if known else f"  # give the file of layer {layer!r}"
        self._lines.append(f"{name} = read({place!r}){hint}")
        self._values[layer] = name

    def _add(self, step: Step) -> None:
        source = self._values.get(step.source.layer, "")
        if step.action == "open":
            name = _first(step.results)
            if name not in self._values:
                self._read(name, step.source.path)
        elif step.action == "calibrate":
            given = ", ".join(_keywords(step.arguments))
            self._lines.append(f"{source} = {source}.with_voxel_size({given})")
        elif step.action in FITS:
            self._fit(step, source)
        elif step.action == "render" and step.source.layer in self._fits:
            self._render(step)
        elif step.action == "save" and str(step.arguments["path"]).endswith(FITTED_SUFFIX):
            self._imports.add("save_fit")
            fit = self._fits.get(step.source.layer, "")
            self._lines.append(f"save_fit({step.arguments['path']!r}, {fit})")
        elif step.action == "save":
            self._imports.add("write")
            self._lines.append(f"write({step.arguments['path']!r}, {source})")
        else:
            self._lines.append(f"# only in the viewer: {call(step)}")

    def _fit(self, step: Step, source: str) -> None:
        self._imports.add(step.action)
        name = variable(_first(step.results) or f"{step.source.layer} result", self._taken)
        axes = step.arguments.get("axes")
        given = f"{source}.with_axes({axes!r})" if axes else source
        arguments = ", ".join([given, *_keywords(step.settings)])
        self._lines.append(f"{name} = {step.action}({arguments})")
        for place, result in enumerate(step.results):
            self._values[result] = f"{name}.images[{place}]"
            self._fits[result] = name

    def _render(self, step: Step) -> None:
        self._imports.add("render")
        name = variable(_first(step.results) or "rendered", self._taken)
        arguments = ", ".join([self._fits[step.source.layer], *_keywords(step.arguments)])
        self._lines.append(f"{name} = render({arguments})")
        for place, result in enumerate(step.results):
            self._values[result] = f"{name}[{place}]"


def _commands(macro: Macro) -> list[str]:
    """Return one line per fit, from file to file; what is saved has the name it was given."""
    saved = {
        step.source.layer: str(step.arguments["path"])
        for step in macro.repeatable
        if step.action == "save" and not str(step.arguments["path"]).endswith(FITTED_SUFFIX)
    }
    kept = {
        step.source.layer: str(step.arguments["path"])
        for step in macro.repeatable
        if step.action == "save" and str(step.arguments["path"]).endswith(FITTED_SUFFIX)
    }
    files = {source.layer: source.path for source in macro.inputs if source.layer}
    voxel: dict[str, str] = {}
    rendered = {step.source.layer for step in macro.repeatable if step.action == "render"}
    models = {layer: path for layer, path in files.items() if path.endswith(FITTED_SUFFIX)}
    lines = []
    for step in macro.repeatable:
        if step.action == "open":
            files.update(dict.fromkeys(step.results, step.source.path))
        elif step.action == "calibrate":
            steps = ",".join(f"{axis}={value}" for axis, value in step.arguments.items())
            voxel[step.source.layer] = steps
        elif step.action in FITS:
            line = _command(step, files, saved, voxel)
            wanted = [kept[result] for result in step.results if result in kept]
            if wanted or rendered & set(step.results):
                model = wanted[0] if wanted else f"{_first(step.results)}{FITTED_SUFFIX}"
                models.update(dict.fromkeys(step.results, model))
                line += f" --save-model {shlex.quote(model)}"
            lines.append(line)
        elif step.action == "render" and step.source.layer in models:
            files[_first(step.results)] = place = saved.get(
                _first(step.results), f"{_first(step.results)}.tif"
            )
            lines.append(_render_command(step, models[step.source.layer], place))
        elif step.action in _IN_VIEWER:
            lines.append(f"# only in the viewer: {call(step)}")
    return lines


def _command(
    step: Step, files: dict[str, str], saved: Mapping[str, str], voxel: Mapping[str, str]
) -> str:
    """Return the line of a fit, and note the files of its results."""
    layer = step.source.layer
    source = files.get(layer, "")
    if not source or source.startswith(SAMPLE):
        source = f"{layer}.tif"
    for place, result in enumerate(step.results):
        if place == 0 or result in saved:
            files[result] = saved.get(result, f"{result}.tif")
    words = ["napari-cellinr", step.action, source, files.get(_first(step.results), "result.tif")]
    if len(step.results) > 1 and step.results[1] in saved and step.action == "denoise":
        words += ["--background-output", saved[step.results[1]]]
    if "axes" in step.arguments:
        words += ["--axes", str(step.arguments["axes"])]
    if layer in voxel:
        words += ["--voxel", voxel[layer]]
    for name, value in step.settings.items():
        words += ["--set", f"{name}={value}"]
    return shlex.join(words)


def _render_command(step: Step, model: str, place: str) -> str:
    """Return the line that renders a kept fit."""
    words = ["napari-cellinr", "render", model, place]
    for name in ("scale", "voxel"):
        if step.arguments.get(name):
            steps = step.arguments[name].items()
            words += [f"--{name}", ",".join(f"{axis}={value}" for axis, value in steps)]
    if step.arguments.get("crop"):
        ends = step.arguments["crop"].items()
        words += ["--crop", ",".join(f"{axis}={start}:{stop}" for axis, (start, stop) in ends)]
    if step.arguments.get("times") is not None:
        words += ["--times", ",".join(map(str, step.arguments["times"]))]
    if step.arguments.get("channel") is not None:
        words += ["--channel", str(step.arguments["channel"])]
    return shlex.join(words)


def _keywords(values: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value!r}" for name, value in values.items()]


def _first(names: tuple[str, ...]) -> str:
    return names[0] if names else ""


def file_name(layer: str) -> str:
    """Return a name for the file of a layer that every system allows."""
    return PurePath(re.sub(r'[\\/:*?"<>|]+', "-", layer)).name or "image"
