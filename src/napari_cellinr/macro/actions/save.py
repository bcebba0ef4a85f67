"""Save a layer: an image, its fit, or its motion as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from napari_cellinr.errors import FileError
from napari_cellinr.macro.actions.base import Action, Parsed
from napari_cellinr.macro.naming import CELLINR, FITTED_SUFFIX, is_fit
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.source import Source
from napari_cellinr.macro.values import FILE_NAME

if TYPE_CHECKING:
    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.scripts.command_line import ShellScript
    from napari_cellinr.macro.scripts.lines import Code, Line
    from napari_cellinr.macro.scripts.python import PythonScript
    from napari_cellinr.macro.steps import Step

__all__ = ["ACTIONS", "Save"]


class Save(Action):
    """Save a layer: an image, with the suffix `.cellinr` its fit, with `.csv` its motion."""

    name = "save"
    functions = ("save_fit", "write")
    arguments: ClassVar = {"path": FILE_NAME}
    required: ClassVar = ("path",)
    example: ClassVar = {"path": "saved.tif"}

    def to_console(self, step: Step) -> Code:
        """Return the step as a call of `cellinr.save`, with the path in second place."""
        arguments = (lines.value(step.source.layer), lines.value(step.arguments["path"]))
        return lines.call("save", *arguments, of=CELLINR)

    def to_python(self, step: Step, script: PythonScript) -> None:
        """Write an image or a fit; a table of motion is written where the motion is shown."""
        path = self.writes(step)
        if path.endswith(".csv"):
            return
        saved = (script.fits if is_fit(path) else script.images).get(step.source.layer)
        if saved is None:
            script.add(self.only_in_viewer(step))
            return
        function = "save_fit" if is_fit(path) else "write"
        script.add(lines.statement(script.call(function, lines.value(path), saved)))

    def to_command(self, step: Step, script: ShellScript) -> list[Line]:
        """Return the line that converts a file; other files are outputs of earlier commands."""
        layer, path = step.source.layer, self.writes(step)
        existing = script.files.get(layer, "")
        if path.endswith((FITTED_SUFFIX, ".csv")) or not existing or existing == path:
            return []
        words = [lines.place(existing), lines.place(path), *script.reading.get(layer, [])]
        return [lines.command("convert", *words, *script.voxel_option(layer))]

    def parse(self, method: str, positional: list[Any], keywords: dict[str, Any]) -> Parsed:
        """Return what a call of `cellinr.save` says; who replays it says what may be replaced."""
        if not isinstance(keywords.pop("overwrite", False), bool) or set(keywords) - {"path"}:
            raise FileError("cellinr.save takes the name of a layer, a path, and overwrite.")
        (path,) = [*positional[1:], *keywords.values()]
        return Parsed((Source(positional[0]),), {"path": path})

    def run_at_once(self, step: Step, replay: Replay) -> None:
        """Write the file."""
        path, layer = Path(self.writes(step)), step.source.layer
        if path.suffix == ".csv":
            replay.write_table(path, layer)
        elif is_fit(path.name):
            replay.write_fit(path, layer)
        else:
            replay.write_image(path, replay.image(layer))

    def writes(self, step: Step) -> str:
        """Return the path."""
        return str(step.arguments["path"])


ACTIONS = (Save(),)
