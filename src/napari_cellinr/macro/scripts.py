"""A macro as text: for the viewer, for Python without one, and for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from napari_cellinr.macro.commands import commands
from napari_cellinr.macro.motion import motion_options
from napari_cellinr.macro.steps import FITS
from napari_cellinr.macro.words import (
    FITTED_SUFFIX,
    call,
    failed,
    file_name,
    first,
    keywords,
    use_call,
    variable,
    why_unread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_cellinr.going_on import Beginning
    from napari_cellinr.macro.steps import Macro, Source, Step

__all__ = ["STYLES", "Style", "script"]

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
    renderings: dict[Style, Callable[[Macro], list[str]]] = {
        "console": _console,
        "headless": _headless,
        "cli": commands,
    }
    return "\n".join([*_header(macro), *renderings[style](macro)]) + "\n"


def _header(macro: Macro) -> list[str]:
    """Return comments with the versions and data that were used, and what was stopped."""
    versions = {key: value for step in macro.steps for key, value in step.versions.items()}
    used = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    notes = [
        f"# {step.action} of {step.source.layer}: {step.note}"
        for step in macro.repeatable
        if step.note
    ]
    data = {
        source.layer: source.digest
        for step in macro.repeatable
        for source in step.sources
        if source.digest
    }
    read = [f"# data of {layer}: blake2b {digest}" for layer, digest in data.items()]
    return ["# Recorded by napari-cellinr", *([f"# with {used}"] if used else []), *read, *notes]


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
            lines.append(use_call(source.layer, source))
    needed = {source.layer for step in macro.repeatable for source in step.sources}
    for step in macro.steps:
        several = [name for name in step.results if name in needed]
        if step.status == "failed":
            lines.append(failed(step))
        elif step.action == "open" and several:
            lines += [use_call(name, step.source) for name in several]
        else:
            lines.append(call(step))
    return lines


def _headless(macro: Macro) -> list[str]:
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
        self._fits: dict[str, str] = {}
        self._givens: dict[str, str] = {}
        self._tables: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._imports: set[str] = set()
        self._lines: list[str] = []

    def lines(self, macro: Macro) -> list[str]:
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
        names = ", ".join(sorted(self._imports))
        imports = [f"from napari_cellinr import {names}"] if names else []
        return [*imports, "", *self._lines]

    def _read(self, layer: str, source: Source) -> None:
        name = variable(layer, self._taken)
        if source.path.endswith(FITTED_SUFFIX):
            self._imports |= {"load_fit", "render"}
            self._lines.append(f"{name} = load_fit({source.path!r})")
            self._values[layer], self._fits[layer] = f"render({name})[0]", name
            return
        self._values[layer] = name
        why = why_unread(layer, source)
        place = f"{name}.tif" if why else source.place
        axis = f", stack_axis={source.along!r}" if source.along else ""
        hint = f"  # {why}" if why else ""
        some = bool(source.series) and not why
        read, one = ("read_all", f"[{source.series}]") if some else ("read", "")
        channel = "" if source.channel is None or why else f".take('C', {source.channel})"
        self._imports.add(read)
        self._lines.append(f"{name} = {read}({place!r}{axis}){one}{channel}{hint}")

    def _add(self, step: Step) -> None:
        for one in step.sources:  # of a file with several layers, those that are used
            if one.layer and one.path and one.layer not in self._values:
                self._read(one.layer, one)
        source = self._values.get(step.source.layer, "")
        if step.action == "open":
            name = first(step.results)
            if len(step.results) == 1 and name not in self._values:
                self._read(name, step.source)
        elif step.action == "calibrate":
            given = ", ".join(keywords(step.arguments))
            self._lines.append(f"{source} = {source}.with_voxel_size({given})")
        elif step.action in FITS and (not step.beginning or step.sources[1].layer in self._fits):
            self._fit(step, source)
        elif step.action == "render" and step.source.layer in self._fits:
            self._render(step)
        elif step.action == "show_motion" and step.source.layer in self._fits:
            self._show_motion(step)
        elif step.action == "compare":
            self._compare(step)
        elif step.action == "save" and str(step.arguments["path"]).endswith(".csv"):
            pass  # written where the motion is shown
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
        function = _BEGINNINGS[step.beginning] if step.beginning else step.action
        self._imports.add(function)
        name = variable(first(step.results) or f"{step.source.layer} result", self._taken)
        axes = step.arguments.get("axes")
        given = f"{source}.with_axes({axes!r})" if axes else source
        begun = [self._fits[step.sources[1].layer]] if step.beginning else []
        arguments = ", ".join([*begun, given, *keywords(step.settings)])
        self._lines.append(f"{name} = {function}({arguments})")
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

    def _write_motion(self, place: str, fit: str, options: Mapping[str, Any]) -> None:
        self._imports.add("write_motion")
        self._lines.append(f"write_motion({', '.join([repr(place), fit, *keywords(options)])})")

    def _compare(self, step: Step) -> None:
        layer = step.source.layer
        if len(step.sources) == 1 and layer not in self._givens:
            self._lines.append(f"# only in the viewer: {call(step)}")
            return
        self._imports.add("compare")
        name = variable(first(step.results) or f"{layer} compared", self._taken)
        if len(step.sources) > 1:
            arguments = f"{self._values[layer]}, {self._values[step.sources[1].layer]}"
        else:
            arguments = f"{self._fits[layer]}, source={self._givens[layer]}"
        self._lines.append(f"{name} = compare({arguments})")
        for place, result in enumerate(step.results):
            self._values[result] = f"{name}[{place}]"

    def _render(self, step: Step) -> None:
        self._imports.add("render")
        name = variable(first(step.results) or "rendered", self._taken)
        arguments = ", ".join([self._fits[step.source.layer], *keywords(step.arguments)])
        self._lines.append(f"{name} = render({arguments})")
        for place, result in enumerate(step.results):
            self._values[result] = f"{name}[{place}]"


def _picked(fit: str, place: int, step: Step) -> str:
    """Return the expression for a result of a fit: by its role, or by its place."""
    if place >= len(step.roles):
        return f"{fit}.images[{place}]"
    role, _, channel = step.roles[place].partition(":")
    taken = f".take('C', {channel})" if channel else ""
    return f"{fit}.image({role!r}){taken}"
