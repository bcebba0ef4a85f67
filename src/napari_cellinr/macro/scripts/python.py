"""A macro as text: a script for the viewer, for Python without one, or for a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from napari_cellinr.macro.actions import ACTIONS, action_of, skipped
from napari_cellinr.macro.actions.open import use_call
from napari_cellinr.macro.naming import is_fit, is_other_image, unreadable, variable
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.scripts.command_line import commands

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_cellinr.macro.scripts.lines import Code, Line
    from napari_cellinr.macro.source import Source
    from napari_cellinr.macro.steps import Macro, Step

__all__ = ["STYLES", "PythonScript", "Style", "script", "script_lines"]

Style: TypeAlias = Literal["console", "headless", "cli"]

STYLES: Final[Mapping[Style, str]] = {
    "console": "For napari",
    "headless": "For Python",
    "cli": "Command line",
}
"""The kinds of scripts, with a title for each."""


def script(macro: Macro, style: Style = "console") -> str:
    """Return a script that repeats the steps; failed steps are comments.

    Parameters
    ----------
    macro
        The steps.
    style
        `console`: Python for napari that works on layers by name; its file can be dropped onto a
        viewer. `headless`: Python that works on files. `cli`: lines for a shell.
    """
    return "\n".join(line.text for line in script_lines(macro, style)) + "\n"


def script_lines(macro: Macro, style: Style) -> list[Line]:
    """Return the lines of `script`, each with its kind.

    Parameters
    ----------
    macro, style
        As for `script`.
    """
    styles: dict[Style, Callable[[Macro], list[Line]]] = {
        "console": _console,
        "headless": lambda macro: PythonScript().lines_of(macro),
        "cli": commands,
    }
    needed = macro.needed
    return [*_header(needed), *styles[style](needed)]


def _header(macro: Macro) -> list[Line]:
    """Return comments with versions, checksums of the data, and notes on steps that stopped."""
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
    steps = macro.repeatable
    opened = {name for step in steps if action_of(step).opens for name in step.results}
    for source in macro.inputs:
        if source.layer and source.path and source.layer not in opened:
            found.append(lines.statement(use_call(source.layer, source)))
    used = {source.layer for step in steps for source in step.sources}
    for step in macro.steps:
        if (comment := skipped(step)) is not None:
            found.append(comment)
        else:
            found += map(lines.statement, action_of(step).console_calls(step, used))
    return found


class PythonScript:
    """A Python script that works on files, with a variable for each image and each fit.

    Attributes
    ----------
    images
        Expression of the image of each layer.
    fits
        Variable of the fit of each layer that a fit has made.
    fitted
        Expression of the image that was fitted, for each of these layers.
    tables
        File of the table of motion, for each layer whose motion is saved.
    """

    def __init__(self) -> None:
        self.images: dict[str, Code] = {}
        self.fits: dict[str, Code] = {}
        self.fitted: dict[str, Code] = {}
        self.tables: dict[str, str] = {}
        self._taken = {name for action in ACTIONS.values() for name in action.functions}
        self._imports: set[str] = set()
        self._lines: list[Line] = []

    def lines_of(self, macro: Macro) -> list[Line]:
        """Return the lines of the script."""
        for source in macro.inputs:
            if source.layer:
                self.read(source.layer, source)
        self.tables = {layer: path for layer, path in macro.saved if path.endswith(".csv")}
        for step in macro.steps:
            self._add_step(step)
        names = sorted(self._imports)
        imported = [lines.imports("napari_cellinr", names)] if names else []
        return [*imported, lines.BLANK, *self._lines]

    def add(self, line: Line) -> None:
        """Add a line."""
        self._lines.append(line)

    def new_variable(self, name: str) -> Code:
        """Return an unused variable with a name like that of a layer."""
        return variable(name, self._taken)

    def call(
        self, function: str, *arguments: Code, keywords: Mapping[str, Any] | None = None
    ) -> Code:
        """Return a call of a function of the package, which is then imported.

        Parameters
        ----------
        function
            Name of the function.
        *arguments
            Positional arguments.
        keywords
            Arguments by name: expressions, or plain values.
        """
        self._imports.add(function)
        return lines.call(function, *arguments, keywords=keywords)

    def add_images(self, step: Step, name: Code, call: Code) -> None:
        """Add a call that returns images, and name them as the results of a step.

        Parameters
        ----------
        step
            The step.
        name
            Variable for what the call returns.
        call
            The call.
        """
        self.add(lines.assignment(name, call))
        for index, result in enumerate(step.results):
            self.images[result] = lines.item(name, index)

    def write_motion(self, path: str, fit: Code, options: Mapping[str, Any]) -> None:
        """Add a call that writes the motion of a fit as a table.

        Parameters
        ----------
        path
            The file.
        fit
            Variable of the fit.
        options
            As `write_motion` takes them.
        """
        call = self.call("write_motion", lines.value(path), fit, keywords=options)
        self.add(lines.statement(call))

    def read(self, layer: str, source: Source) -> None:
        """Add the line that reads the image or the saved fit of a layer.

        Parameters
        ----------
        layer
            Name of the layer.
        source
            What the layer was read from.
        """
        name = self.new_variable(layer)
        if is_fit(source.path):
            self.add(lines.assignment(name, self.call("load_fit", lines.value(source.path))))
            if not is_other_image(layer):
                self.images[layer] = lines.item(self.call("render", name), 0)
            self.fits[layer] = name
            return
        self.images[layer] = name
        reason = unreadable(layer, source)
        if reason:
            image = self._read_call(f"{name.text}.tif", source.along)
        else:
            image = self._read_call(source.place, source.along, source.series)
            if source.channel is not None:
                channel = lines.value(source.channel)
                image = lines.call("take", lines.value("C"), channel, of=image)
        self.add(lines.assignment(name, image, reason))

    def _read_call(self, place: str | list[str], along: str, series: int | None = None) -> Code:
        axis = {"stack_axis": along} if along else {}
        if series:
            images = self.call("read_all", lines.value(place), keywords=axis)
            return lines.item(images, series)
        return self.call("read", lines.value(place), keywords=axis)

    def _add_step(self, step: Step) -> None:
        if (comment := skipped(step)) is not None:
            self.add(comment)
            return
        for source in step.sources:  # of a file with several layers, only those that are used
            if source.layer and source.path and source.layer not in self.images:
                self.read(source.layer, source)
        action_of(step).to_python(step, self)
