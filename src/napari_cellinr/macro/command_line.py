"""A macro as lines for a shell: one command per step that makes a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.macro import lines
from napari_cellinr.macro.motion import motion_options
from napari_cellinr.macro.steps import FITS
from napari_cellinr.macro.words import FITTED_SUFFIX, call, failed, file_name, first, why_unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.macro.lines import Line, Words
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


def commands(macro: Macro) -> list[Line]:
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
        self._reading: dict[str, list[Words]] = {}
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

    def lines(self) -> list[Line]:
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
        words = [
            lines.option(f"--{name}", str(value))
            for name, value in options.items()
            if value not in {"", None}
        ]
        if words:
            self._reading[layer] = words
        if source.path.endswith(FITTED_SUFFIX):
            self._models[layer] = source.path

    def _unread(self) -> list[Line]:
        """Return comments on what is to be done before, because no command does it."""
        found = []
        for source in self._macro.inputs:
            if source.reader and source.layer:
                found.append(why_unread(source.layer, source))
            elif source.files:
                found.append(
                    f"{len(source.files)} of the files of {source.path} are one series: put them "
                    "into a folder of their own, and give that"
                )
        return [lines.comment(text) for text in dict.fromkeys(found)]

    def _lines_of(self, step: Step) -> list[Line]:
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
            return [lines.comment(f"only in the viewer: {call(step).text}")]
        return []

    def _save(self, step: Step) -> list[Line]:
        """Return the line that writes what no line before has written."""
        layer, path = step.source.layer, str(step.arguments["path"])
        there = self._files.get(layer, "")
        if path.endswith((FITTED_SUFFIX, ".csv")) or not there or there == path:
            return []
        words = [lines.place(there), lines.place(path), *self._reading.get(layer, [])]
        voxel = self._voxel.get(layer)
        words += [lines.option("--voxel", voxel)] if voxel else []
        return [lines.command("convert", *words)]

    def _place(self, layer: str) -> str:
        """Return the file of a layer that was made: where it was saved, or one of its name."""
        return self._saved.get(layer, f"{file_name(layer)}.tif")

    def _fit(self, step: Step) -> Line:
        """Return the line of a fit, and note the files of its results."""
        layer, result = step.source.layer, first(step.results)
        source = self._files.get(layer) or f"{file_name(layer)}.tif"
        self._files[result] = self._place(result or "result")
        words = [lines.place(source), lines.place(self._files[result])]
        words += self._reading.get(layer, [])
        words += self._other_outputs(step)
        if "axes" in step.arguments:
            words.append(lines.option("--axes", str(step.arguments["axes"])))
        if layer in self._voxel:
            words.append(lines.option("--voxel", self._voxel[layer]))
        if step.beginning:
            flag = f"--{step.beginning.replace('_', '-')}"
            words.append(lines.option(flag, self._models[step.sources[1].layer], is_path=True))
        if step.beginning == "continue_from":
            words.append(lines.option("--steps", str(step.arguments["steps"])))
        else:
            for name, value in step.settings.items():
                words.append(_setting(name, value))
        wanted = [self._kept[result] for result in step.results if result in self._kept]
        if wanted or self._asked & set(step.results):
            model = wanted[0] if wanted else f"{file_name(result)}{FITTED_SUFFIX}"
            self._models.update(dict.fromkeys(step.results, model))
            words.append(lines.option("--save-model", model, is_path=True))
        conventional = [one for name, one in self._conventional.items() if name in step.results]
        if conventional:
            words.append(lines.option("--conventional", conventional[0], is_path=True))
        return lines.command(step.action, *words)

    def _other_outputs(self, step: Step) -> list[Words]:
        """Return the options for the images that were saved besides the result."""
        roles = step.roles
        if step.action == "denoise" and not roles:
            keeps = step.arguments.get("background") == "keep"
            roles = ("result", "background", "signal" if keeps else "kept")
        words = []
        for result, role in list(zip(step.results, roles, strict=False))[1:]:
            if result in self._saved and role in _OPTIONS:
                words.append(lines.option(_OPTIONS[role], self._saved[result], is_path=True))
                self._files[result] = self._saved[result]
        return words

    def _compare(self, step: Step) -> list[Line]:
        layer = step.source.layer
        made = [line for source in step.sources for line in self._joined(source.layer)]
        if len(step.sources) > 1:
            against = step.sources[1].layer
            other = self._files.get(against) or f"{file_name(against)}.tif"
        else:
            other = self._conventional.get(layer, "conventional.tif")
            self._files.update(dict.fromkeys(step.results[1:], other))
        result = first(step.results) or f"{layer} difference"
        self._files[result] = self._place(result)
        source = self._files.get(layer) or f"{file_name(layer)}.tif"
        difference = lines.option("--difference", self._files[result], is_path=True)
        words = [lines.place(source), lines.place(other), difference]
        return [*made, lines.command("compare", *words)]

    def _joined(self, layer: str) -> list[Line]:
        """Return the line that makes one file of a series or a part, where no option says which."""
        reading = self._reading.pop(layer, None)
        if reading is None:
            return []
        words = [lines.place(self._files[layer]), lines.place(self._place(layer)), *reading]
        self._files[layer] = self._place(layer)
        return [lines.command("convert", *words)]


def _setting(name: str, value: Any) -> Words:
    """Return the option for a setting."""
    if name == "optics" and isinstance(value, dict):
        kind = str(value["kind"]) if set(value) == {"kind"} else ""
        is_word = kind.replace("-", "").isalnum()
        return lines.option("--optics", kind if is_word else json.dumps(value))
    if isinstance(value, dict):
        value = ",".join(f"{axis}={number}" for axis, number in value.items())
    elif isinstance(value, list):
        value = ",".join(map(str, value))
    return lines.option("--set", f"{name}={value}")


def _render(step: Step, model: str, place: str) -> Line:
    """Return the line that renders a kept fit."""
    words = [lines.place(model), lines.place(place)]
    for name in ("scale", "voxel"):
        if step.arguments.get(name):
            steps = step.arguments[name].items()
            text = ",".join(f"{axis}={value}" for axis, value in steps)
            words.append(lines.option(f"--{name}", text))
    if step.arguments.get("crop"):
        ends = step.arguments["crop"].items()
        text = ",".join(f"{axis}={start}:{stop}" for axis, (start, stop) in ends)
        words.append(lines.option("--crop", text))
    if step.arguments.get("times") is not None:
        words.append(lines.option("--times", ",".join(map(str, step.arguments["times"]))))
    if step.arguments.get("channel") is not None:
        words.append(lines.option("--channel", str(step.arguments["channel"])))
    return lines.command("render", *words)


def _show_motion(step: Step, model: str, place: str) -> Line:
    """Return the line that writes the motion of a kept fit."""
    options = motion_options(step).items()
    words = [lines.option(f"--{name}", json.dumps(value)) for name, value in options]
    return lines.command("show-motion", lines.place(model), lines.place(place), *words)
