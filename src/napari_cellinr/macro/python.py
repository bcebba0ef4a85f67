"""A macro as text: for the viewer, for Python without one, and for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from napari_cellinr.macro import lines
from napari_cellinr.macro.command_line import commands
from napari_cellinr.macro.motion import motion_options
from napari_cellinr.macro.steps import FITS
from napari_cellinr.macro.words import (
    FITTED_SUFFIX,
    call,
    failed,
    file_name,
    first,
    use_call,
    variable,
    why_unread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_cellinr.macro.lines import Code, Line
    from napari_cellinr.macro.steps import Macro, Source, Step
    from napari_cellinr.runs.warm_start import Beginning

__all__ = ["STYLES", "Style", "script", "script_lines"]

Style: TypeAlias = Literal["console", "headless", "cli"]

STYLES: Final[Mapping[Style, str]] = {
    "console": "For napari",
    "headless": "For Python",
    "cli": "Command line",
}
"""The renderings, with a title for each."""


_BEGINNINGS: Final[Mapping[Beginning, str]] = {
    "continue_from": "continue_fit",
    "warm_start": "warm_start",
}
"""The function for a fit that begins with another one."""


def script(macro: Macro, style: Style = "console") -> str:
    """Return the steps as text that does them again; failed ones are comments.

    Parameters
    ----------
    macro
        The steps.
    style
        `console`: Python for napari, with layers by name; a file of it can be dropped onto a
        viewer. `headless`: Python on files. `cli`: lines for a shell.
    """
    return "\n".join(line.text for line in script_lines(macro, style)) + "\n"


def script_lines(macro: Macro, style: Style) -> list[Line]:
    """Return the lines of `script`, each with what it is."""
    renderings: dict[Style, Callable[[Macro], list[Line]]] = {
        "console": _console,
        "headless": _headless,
        "cli": commands,
    }
    return [*_header(macro), *renderings[style](macro)]


def _header(macro: Macro) -> list[Line]:
    """Return comments with the versions and data that were used, and what was stopped."""
    versions = {key: value for step in macro.steps for key, value in step.versions.items()}
    used = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    notes = [
        f"{step.action} of {step.source.layer}: {step.note}"
        for step in macro.repeatable
        if step.note
    ]
    data = {
        source.layer: source.digest
        for step in macro.repeatable
        for source in step.sources
        if source.digest
    }
    read = [f"data of {layer}: blake2b {digest}" for layer, digest in data.items()]
    texts = ["Recorded by napari-cellinr", *([f"with {used}"] if used else []), *read, *notes]
    return [lines.comment(text) for text in texts]


def _console(macro: Macro) -> list[Line]:
    found = list(lines.OPENING)
    opened = {name for step in macro.repeatable if step.action == "open" for name in step.results}
    for source in macro.inputs:
        if source.layer and source.path and source.layer not in opened:
            found.append(lines.statement(use_call(source.layer, source)))
    needed = {source.layer for step in macro.repeatable for source in step.sources}
    for step in macro.steps:
        several = [name for name in step.results if name in needed]
        if step.status == "failed":
            found.append(failed(step))
        elif step.action == "open" and several:
            found += [lines.statement(use_call(name, step.source)) for name in several]
        else:
            found.append(lines.statement(call(step)))
    return found


def _headless(macro: Macro) -> list[Line]:
    return _Headless().lines(macro)


class _Headless:
    """Python on files: one variable for every image."""

    def __init__(self) -> None:
        names = [
            "compare",
            "load_fit",
            "read",
            "read_all",
            "render",
            "save_fit",
            "write",
            "write_motion",
        ]
        self._taken: set[str] = {*names, *FITS, *_BEGINNINGS.values()}
        self._fits: dict[str, Code] = {}
        self._givens: dict[str, Code] = {}
        self._tables: dict[str, str] = {}
        self._values: dict[str, Code] = {}
        self._imports: set[str] = set()
        self._lines: list[Line] = []

    def lines(self, macro: Macro) -> list[Line]:
        """Return the lines of the script."""
        for source in macro.inputs:
            if source.layer:
                self._read(source.layer, source)
        self._tables = {
            step.source.layer: str(step.arguments["path"])
            for step in macro.repeatable
            if step.action == "save" and str(step.arguments["path"]).endswith(".csv")
        }
        for step in macro.steps:
            if step.status == "failed":
                self._lines.append(failed(step))
            else:
                self._add(step)
        names = sorted(self._imports)
        imported = [lines.imports("napari_cellinr", names)] if names else []
        return [*imported, lines.BLANK, *self._lines]

    def _read(self, layer: str, source: Source) -> None:
        name = variable(layer, self._taken)
        if source.path.endswith(FITTED_SUFFIX):
            self._imports |= {"load_fit", "render"}
            read = lines.call("load_fit", lines.value(source.path))
            self._lines.append(lines.assignment(name, read))
            self._values[layer] = lines.item(lines.call("render", name), 0)
            self._fits[layer] = name
            return
        self._values[layer] = name
        why = why_unread(layer, source)
        place = f"{name.text}.tif" if why else source.place
        axis = {"stack_axis": source.along} if source.along else {}
        function = "read_all" if source.series and not why else "read"
        self._imports.add(function)
        found = lines.call(function, lines.value(place), keywords=axis)
        if source.series and not why:
            found = lines.item(found, source.series)
        if source.channel is not None and not why:
            found = _channel(found, source.channel)
        self._lines.append(lines.assignment(name, found, why))

    def _add(self, step: Step) -> None:
        for one in step.sources:  # of a file with several layers, those that are used
            if one.layer and one.path and one.layer not in self._values:
                self._read(one.layer, one)
        source = self._values.get(step.source.layer)
        if step.action == "open":
            name = first(step.results)
            if len(step.results) == 1 and name not in self._values:
                self._read(name, step.source)
        elif step.action == "calibrate":
            self._calibrate(step)
        elif (
            step.action in FITS
            and source is not None
            and (not step.beginning or step.sources[1].layer in self._fits)
        ):
            self._fit(step, source)
        elif step.action == "render" and step.source.layer in self._fits:
            self._render(step)
        elif step.action == "show_motion" and step.source.layer in self._fits:
            self._show_motion(step)
        elif step.action == "compare":
            self._compare(step)
        elif step.action == "save":
            self._save(step)
        else:
            self._only_in_the_viewer(step)

    def _only_in_the_viewer(self, step: Step) -> None:
        self._lines.append(lines.comment(f"only in the viewer: {call(step).text}"))

    def _calibrate(self, step: Step) -> None:
        image = self._values.get(step.source.layer)
        if image is None or not image.text.isidentifier():  # of a result, which has no variable
            self._only_in_the_viewer(step)
            return
        found = lines.call("with_voxel_size", of=image, keywords=step.arguments)
        self._lines.append(lines.assignment(image, found))

    def _save(self, step: Step) -> None:
        """Write an image or a fit; the motion is written where it is shown."""
        path = str(step.arguments["path"])
        if path.endswith(".csv"):
            return
        is_fit = path.endswith(FITTED_SUFFIX)
        what = (self._fits if is_fit else self._values).get(step.source.layer)
        if what is None:
            self._only_in_the_viewer(step)
            return
        function = "save_fit" if is_fit else "write"
        self._imports.add(function)
        self._lines.append(lines.statement(lines.call(function, lines.value(path), what)))

    def _fit(self, step: Step, source: Code) -> None:
        function = _BEGINNINGS[step.beginning] if step.beginning else step.action
        self._imports.add(function)
        name = variable(first(step.results) or f"{step.source.layer} result", self._taken)
        axes = step.arguments.get("axes")
        given = lines.call("with_axes", lines.value(axes), of=source) if axes else source
        begun = [self._fits[step.sources[1].layer]] if step.beginning else []
        fit = lines.call(function, *begun, given, keywords=step.settings)
        self._lines.append(lines.assignment(name, fit))
        for place, result in enumerate(step.results):
            self._values[result] = _picked(name, place, step)
            self._fits[result] = name
            self._givens[result] = given
            if place < len(step.roles) and not step.roles[place] and result in self._tables:
                self._write_motion(self._tables[result], name, {})

    def _show_motion(self, step: Step) -> None:
        shown = first(step.results) or f"{step.source.layer} motion"
        place = self._tables.get(shown, f"{file_name(shown)}.csv")
        self._write_motion(place, self._fits[step.source.layer], motion_options(step))

    def _write_motion(self, place: str, fit: Code, options: Mapping[str, Any]) -> None:
        self._imports.add("write_motion")
        written = lines.call("write_motion", lines.value(place), fit, keywords=options)
        self._lines.append(lines.statement(written))

    def _compare(self, step: Step) -> None:
        layer = step.source.layer
        known = layer in self._givens
        if len(step.sources) > 1:
            known = all(one.layer in self._values for one in step.sources[:2])
        if not known:
            self._only_in_the_viewer(step)
            return
        self._imports.add("compare")
        name = variable(first(step.results) or f"{layer} compared", self._taken)
        if len(step.sources) > 1:
            images = (self._values[one.layer] for one in step.sources[:2])
            compared = lines.call("compare", *images)
        else:
            source = {"source": self._givens[layer]}
            compared = lines.call("compare", self._fits[layer], keywords=source)
        self._lines.append(lines.assignment(name, compared))
        for place, result in enumerate(step.results):
            self._values[result] = lines.item(name, place)

    def _render(self, step: Step) -> None:
        self._imports.add("render")
        name = variable(first(step.results) or "rendered", self._taken)
        fit = self._fits[step.source.layer]
        self._lines.append(
            lines.assignment(name, lines.call("render", fit, keywords=step.arguments))
        )
        for place, result in enumerate(step.results):
            self._values[result] = lines.item(name, place)


def _channel(image: Code, channel: int) -> Code:
    return lines.call("take", lines.value("C"), lines.value(channel), of=image)


def _picked(fit: Code, place: int, step: Step) -> Code:
    """Return the expression for a result of a fit: by its role, or by its place."""
    if place >= len(step.roles):
        return lines.item(lines.attribute(fit, "images"), place)
    role, _, channel = step.roles[place].partition(":")
    image = lines.call("image", lines.value(role), of=fit)
    return _channel(image, int(channel)) if channel else image
