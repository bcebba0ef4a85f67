"""A macro as lines for a shell: one command per step that makes a file."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.macro.motion import motion_options
from napari_cellinr.macro.steps import FITS
from napari_cellinr.macro.words import FITTED_SUFFIX, call, failed, file_name, first, why_unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.macro.steps import Macro, Source, Step

__all__ = ["commands"]

_OPTIONS: Final[Mapping[str, str]] = {
    "background": "--background-output",
    "signal": "--signal-output",
    "kept": "--kept-output",
    "motion": "--motion",
    "speed": "--speed",
    "confidence": "--confidence",
}
"""Option of the command of a fit that writes the image of a role, besides its result."""


def commands(macro: Macro) -> list[str]:
    """Return one line per step that makes a file; what is saved has the name it was given."""
    return _Commands(macro).lines()


class _Commands:
    """The files of a macro by the names of their layers."""

    def __init__(self, macro: Macro) -> None:
        self._macro = macro
        saving = [step for step in macro.repeatable if step.action == "save"]
        paths = [(step.source.layer, str(step.arguments["path"])) for step in saving]
        self._kept = {layer: path for layer, path in paths if path.endswith(FITTED_SUFFIX)}
        self._saved: dict[str, str] = {}
        for layer, path in paths:
            if not path.endswith(FITTED_SUFFIX):
                self._saved.setdefault(layer, path)
        self._files: dict[str, str] = {}
        self._reading: dict[str, list[str]] = {}
        self._models: dict[str, str] = {}
        for source in macro.inputs:
            if source.layer:
                self._note(source.layer, source)
        self._voxel: dict[str, str] = {}
        self._asked = {
            step.source.layer
            for step in macro.repeatable
            if step.action in {"render", "show_motion"}
        }
        self._asked |= {step.sources[1].layer for step in macro.repeatable if step.beginning}
        self._conventional = {
            step.source.layer: self._place(step.results[1])
            for step in macro.repeatable
            if step.action == "compare" and len(step.sources) == 1 and len(step.results) > 1
        }

    def lines(self) -> list[str]:
        """Return the lines."""
        found = self._unread()
        for step in self._macro.steps:
            if step.status == "failed":
                found.append(failed(step))
            else:
                found += self._lines_of(step)
        return found

    def _note(self, layer: str, source: Source) -> None:
        """Note what a layer is read from; a file of its own name where no command can read it."""
        self._files[layer] = "" if why_unread(layer, source) else source.path
        options = {"stack": source.along, "series": source.series, "channel": source.channel}
        words = {
            f"--{name}": str(value) for name, value in options.items() if value not in {"", None}
        }
        if words:
            self._reading[layer] = [word for pair in words.items() for word in pair]
        if source.path.endswith(FITTED_SUFFIX):
            self._models[layer] = source.path

    def _unread(self) -> list[str]:
        """Return comments on what is to be done before, because no command does it."""
        found = []
        for source in self._macro.inputs:
            if source.reader and source.layer:
                found.append(f"# {why_unread(source.layer, source)}")
            elif source.files:
                found.append(
                    f"# {len(source.files)} of the files of {source.path} are one series: put them "
                    "into a folder of their own, and give that"
                )
        return list(dict.fromkeys(found))

    def _lines_of(self, step: Step) -> list[str]:
        layer, result = step.source.layer, first(step.results)
        for source in step.sources:
            if source.layer and source.path and self._files.get(source.layer) == source.path:
                self._note(source.layer, source)
        if step.action == "open":
            for name in step.results:
                self._note(name, step.source)
        elif step.action == "calibrate":
            steps = ",".join(f"{axis}={value}" for axis, value in step.arguments.items())
            self._voxel[layer] = steps
        elif step.action in FITS and (not step.beginning or step.sources[1].layer in self._models):
            return [self._fit(step)]
        elif step.action == "render" and layer in self._models:
            self._files[result] = self._place(result)
            return [_render(step, self._models[layer], self._files[result])]
        elif step.action == "show_motion" and layer in self._models:
            place = self._saved.get(result, f"{file_name(result or f'{layer} motion')}.csv")
            return [_show_motion(step, self._models[layer], place)]
        elif step.action == "compare":
            return self._compare(step)
        elif step.action == "save":
            return self._save(step)
        else:
            return [f"# only in the viewer: {call(step)}"]
        return []

    def _save(self, step: Step) -> list[str]:
        """Return the line that writes what no line before has written."""
        layer, path = step.source.layer, str(step.arguments["path"])
        there = self._files.get(layer, "")
        if path.endswith((FITTED_SUFFIX, ".csv")) or not there or there == path:
            return []
        words = ["napari-cellinr", "convert", there, path, *self._reading.get(layer, [])]
        voxel = self._voxel.get(layer)
        return [shlex.join([*words, *(["--voxel", voxel] if voxel else [])])]

    def _place(self, layer: str) -> str:
        """Return the file of a layer that was made: where it was saved, or one of its name."""
        return self._saved.get(layer, f"{file_name(layer)}.tif")

    def _fit(self, step: Step) -> str:
        """Return the line of a fit, and note the files of its results."""
        layer, result = step.source.layer, first(step.results)
        source = self._files.get(layer) or f"{file_name(layer)}.tif"
        words = ["napari-cellinr", step.action, source, self._place(result or "result")]
        self._files[result] = words[-1]
        words += self._reading.get(layer, [])
        words += self._other_outputs(step)
        if "axes" in step.arguments:
            words += ["--axes", str(step.arguments["axes"])]
        if layer in self._voxel:
            words += ["--voxel", self._voxel[layer]]
        if step.beginning:
            flag = f"--{step.beginning.replace('_', '-')}"
            words += [flag, self._models[step.sources[1].layer]]
        if step.beginning == "continue_from":
            words += ["--steps", str(step.arguments["steps"])]
        else:
            for name, value in step.settings.items():
                words += _setting(name, value)
        wanted = [self._kept[result] for result in step.results if result in self._kept]
        if wanted or self._asked & set(step.results):
            model = wanted[0] if wanted else f"{file_name(result)}{FITTED_SUFFIX}"
            self._models.update(dict.fromkeys(step.results, model))
            words += ["--save-model", model]
        conventional = [one for name, one in self._conventional.items() if name in step.results]
        if conventional:
            words += ["--conventional", conventional[0]]
        return shlex.join(words)

    def _other_outputs(self, step: Step) -> list[str]:
        """Return the options for the images that were saved besides the result."""
        roles = step.roles
        if step.action == "denoise" and not roles:
            keeps = step.arguments.get("background") == "keep"
            roles = ("result", "background", "signal" if keeps else "kept")
        words = []
        for result, role in list(zip(step.results, roles, strict=False))[1:]:
            if result in self._saved and role in _OPTIONS:
                words += [_OPTIONS[role], self._saved[result]]
                self._files[result] = self._saved[result]
        return words

    def _compare(self, step: Step) -> list[str]:
        layer = step.source.layer
        lines = [line for source in step.sources for line in self._joined(source.layer)]
        if len(step.sources) > 1:
            against = step.sources[1].layer
            other = self._files.get(against) or f"{file_name(against)}.tif"
        else:
            other = self._conventional.get(layer, "conventional.tif")
            self._files.update(dict.fromkeys(step.results[1:], other))
        result = first(step.results) or f"{layer} difference"
        self._files[result] = self._place(result)
        source = self._files.get(layer) or f"{file_name(layer)}.tif"
        words = ["napari-cellinr", "compare", source, other, "--difference", self._files[result]]
        return [*lines, shlex.join(words)]

    def _joined(self, layer: str) -> list[str]:
        """Return the line that makes one file of a series or a part, where no option says which."""
        reading = self._reading.pop(layer, None)
        if reading is None:
            return []
        words = ["napari-cellinr", "convert", self._files[layer], self._place(layer), *reading]
        self._files[layer] = self._place(layer)
        return [shlex.join(words)]


def _setting(name: str, value: Any) -> list[str]:
    """Return the option for a setting."""
    if name == "optics":
        return ["--optics", value["kind"] if set(value) == {"kind"} else json.dumps(value)]
    if isinstance(value, dict):
        value = ",".join(f"{axis}={number}" for axis, number in value.items())
    elif isinstance(value, list):
        value = ",".join(map(str, value))
    return ["--set", f"{name}={value}"]


def _render(step: Step, model: str, place: str) -> str:
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


def _show_motion(step: Step, model: str, place: str) -> str:
    """Return the line that writes the motion of a kept fit."""
    words = ["napari-cellinr", "show-motion", model, place]
    for name, value in motion_options(step).items():
        words += [f"--{name}", json.dumps(value)]
    return shlex.join(words)
