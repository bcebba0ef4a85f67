"""Open a file, a series of files, a saved fit or a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from napari_cellinr.errors import FileError
from napari_cellinr.macro.actions.base import Action, Parsed
from napari_cellinr.macro.naming import CELLINR, first, layer_stem
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.source import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.scripts.command_line import ShellScript
    from napari_cellinr.macro.scripts.lines import Code, Line
    from napari_cellinr.macro.scripts.python import PythonScript
    from napari_cellinr.macro.steps import Step

__all__ = ["ACTIONS", "Open", "use_call"]

_PARAMETERS: Final[Mapping[str, tuple[int, str]]] = {
    "open": (1, "a path, along and reader"),
    "use": (2, "the name of a layer, a path, along, files and reader"),
}
"""Number of positional arguments of each method, and its parameters in words."""


def use_call(layer: str, source: Source) -> Code:
    """Return the call that opens a file unless its layer is already in the viewer.

    Parameters
    ----------
    layer
        Name of the layer.
    source
        What the layer was read from.
    """
    arguments = (lines.value(layer), lines.value(source.path))
    return lines.call("use", *arguments, of=CELLINR, keywords=source.how)


class Open(Action):
    """Open a file, a series of files, a saved fit or a sample."""

    name = "open"
    methods: ClassVar = ("open", "use")
    functions = ("read", "read_all", "load_fit", "render")
    opens: ClassVar = True

    def to_console(self, step: Step) -> Code:
        """Return the step as a call of `cellinr.use`, for the first layer of the file."""
        return use_call(first(step.results), step.source)

    def console_calls(self, step: Step, used: Collection[str]) -> list[Code]:
        """Return one call for each layer of the file that is used; as for `Action`."""
        names = [name for name in step.results if name in used]
        return [use_call(name, step.source) for name in names] or [self.to_console(step)]

    def to_python(self, step: Step, script: PythonScript) -> None:
        """Read a file with a single layer; of others, each layer is read where it is used."""
        name = first(step.results)
        if len(step.results) == 1 and name not in script.images:
            script.read(name, step.source)

    def to_command(self, step: Step, script: ShellScript) -> list[Line]:
        """Return no line, because commands read their input files themselves."""
        for name in step.results:
            script.note_source(name, step.source)
        return []

    def parse(self, method: str, positional: list[Any], keywords: dict[str, Any]) -> Parsed:
        """Return what a call of `cellinr.open` or `cellinr.use` says."""
        n_positional, parameters = _PARAMETERS[method]
        if set(keywords) - {"along", "files", "reader"} or len(positional) != n_positional:
            raise FileError(f"cellinr.{method} takes {parameters}; write it like that.")
        source = Source(path=positional[-1], **keywords)
        return Parsed((source,), results=tuple(positional[:-1]))

    def run_at_once(self, step: Step, replay: Replay) -> None:
        """Read the layers that are not known yet."""
        for name in step.results or (layer_stem(step.source.path),):
            if name not in replay.images:
                replay.read(name, step.source)

    def run_in_viewer(self, step: Step, console: Any) -> None:
        """Open the file unless its layer is in the viewer."""
        console.use(first(step.results), step.source.path, **step.source.how)


ACTIONS = (Open(),)
