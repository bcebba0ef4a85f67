"""A macro as lines for a shell: one command per step that makes a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.macro.actions import action_of, skipped
from napari_cellinr.macro.naming import file_name, is_figure, is_fit, unreadable
from napari_cellinr.macro.scripts import lines

if TYPE_CHECKING:
    from napari_cellinr.macro.scripts.lines import Line, Words
    from napari_cellinr.macro.source import Source
    from napari_cellinr.macro.steps import Macro, Step

__all__ = ["ShellScript", "commands"]


def commands(macro: Macro) -> list[Line]:
    """Return one line per step that makes a file; saved files have the names of the macro."""
    return ShellScript(macro).lines_of(macro)


class ShellScript:
    """A shell script: the files that its commands have written, by the names of layers.

    Parameters
    ----------
    macro
        The steps.

    Attributes
    ----------
    files
        File of each layer; empty where no command can read it.
    reading
        Options that say which part of its file a layer is.
    fits
        Saved fit of each layer.
    voxel
        Voxel size that was set for a layer, as `--voxel` takes it.
    saved
        File that the macro saves a layer to.
    saved_fits
        File that the macro saves the fit of a layer to.
    needed_fits
        Layers whose fits later steps need.
    baselines
        File of the conventional result for the layers whose fits are compared with it.
    """

    def __init__(self, macro: Macro) -> None:
        self.files: dict[str, str] = {}
        self.reading: dict[str, list[Words]] = {}
        self.fits: dict[str, str] = {}
        self.voxel: dict[str, str] = {}
        self.saved_fits = {layer: path for layer, path in macro.saved if is_fit(path)}
        self.saved: dict[str, str] = {}
        for layer, path in macro.saved:
            if not is_fit(path) and not is_figure(path):
                self.saved.setdefault(layer, path)
        for source in macro.inputs:
            if source.layer:
                self.note_source(source.layer, source)
        steps = macro.repeatable
        self.needed_fits = {layer for step in steps for layer in action_of(step).fits_needed(step)}
        self.baselines = {
            layer: self.place(result)
            for step in steps
            for layer, result in action_of(step).baselines_needed(step).items()
        }

    def lines_of(self, macro: Macro) -> list[Line]:
        """Return the lines of the script."""
        found = _preparations(macro)
        for step in macro.steps:
            found += self._lines_of_step(step)
        return found

    def note_source(self, layer: str, source: Source) -> None:
        """Note what a layer is read from.

        Parameters
        ----------
        layer
            Name of the layer.
        source
            What it is read from; if no command can read that, the layer is read from a file of
            its own name, which the user has to save.
        """
        self.files[layer] = "" if unreadable(layer, source) else source.path
        options = {"stack": source.along, "series": source.series, "channel": source.channel}
        words = [
            lines.option(f"--{name}", str(value))
            for name, value in options.items()
            if value not in {"", None}
        ]
        if words:
            self.reading[layer] = words
        if is_fit(source.path):
            self.fits[layer] = source.path

    def file_of(self, layer: str) -> str:
        """Return the file of a layer; one of its own name if no file is known."""
        return self.files.get(layer) or f"{file_name(layer)}.tif"

    def place(self, layer: str) -> str:
        """Return where to write a layer: where the macro saves it, or a file of its own name."""
        return self.saved.get(layer, f"{file_name(layer)}.tif")

    def voxel_option(self, layer: str) -> list[Words]:
        """Return the option with the voxel size of a layer, if the macro sets it."""
        return [lines.option("--voxel", self.voxel[layer])] if layer in self.voxel else []

    def as_single_file(self, layer: str) -> list[Line]:
        """Return the line that writes a series, or a part of a file, as a file of its own.

        Some commands have no options that say which part of a file is meant.
        """
        reading = self.reading.pop(layer, None)
        if reading is None:
            return []
        words = [lines.place(self.files[layer]), lines.place(self.place(layer)), *reading]
        self.files[layer] = self.place(layer)
        return [lines.command("convert", *words)]

    def _lines_of_step(self, step: Step) -> list[Line]:
        if (comment := skipped(step)) is not None:
            return [comment]
        for source in step.sources:
            if source.layer and source.path and self.files.get(source.layer) == source.path:
                self.note_source(source.layer, source)
        return action_of(step).to_command(step, self)


def _preparations(macro: Macro) -> list[Line]:
    """Return comments on what the user has to do first, because no command does it."""
    found = []
    for source in macro.inputs:
        if source.reader and source.layer:
            found.append(unreadable(source.layer, source))
        elif source.files:
            found.append(
                f"{len(source.files)} of the files of {source.path} are one series: put them "
                "into a folder of their own, and give that"
            )
    return [lines.comment(text) for text in dict.fromkeys(found)]
