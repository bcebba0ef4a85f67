"""Save a figure or a movie of layers beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from napari_cellinr.errors import FileError
from napari_cellinr.macro.actions.base import Action, Parsed
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.source import Source
from napari_cellinr.macro.values import (
    ANY,
    AXIS_RANGES,
    FILE_NAME,
    NUMBER,
    NUMBER_PER_AXIS,
    TEXT,
    TEXTS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.image import Image
    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.scripts.command_line import ShellScript
    from napari_cellinr.macro.scripts.lines import Line
    from napari_cellinr.macro.scripts.python import PythonScript
    from napari_cellinr.macro.steps import Step

__all__ = ["ACTIONS", "Figure", "Movie", "draw"]

_COMMON: Final = {
    "path": FILE_NAME, "at": NUMBER_PER_AXIS, "crop": AXIS_RANGES, "limits": ANY,
    "colormaps": TEXTS, "difference": ANY, "dpi": NUMBER,
}  # fmt: skip


class Figure(Action):
    """Save a figure of the same plane of layers, with scale bar, time stamp and colour bars."""

    name = "figure"
    function: ClassVar[str] = "write_figure"
    functions = ("write_figure",)
    n_sources: ClassVar = (1, 2)
    arguments: ClassVar = _COMMON
    required: ClassVar = ("path",)
    example: ClassVar[Any] = {"path": "figure.png", "at": {"T": 1}}

    def to_python(self, step: Step, script: PythonScript) -> None:
        """Add a call of `write_figure` or `write_movie`."""
        names = [source.layer for source in step.sources]
        if any(name not in script.images for name in names):
            script.add(self.only_in_viewer(step))
            return
        options = {key: value for key, value in step.arguments.items() if key != "path"}
        path = lines.value(self.writes(step))
        images = [script.images[name] for name in names]
        script.add(lines.statement(script.call(self.function, path, *images, keywords=options)))

    def to_command(self, step: Step, script: ShellScript) -> list[Line]:
        """Return a comment: figures are drawn by scripts for Python and for napari."""
        return [lines.comment(f"drawn by the script for Python: {self.writes(step)}")]

    def parse(self, method: str, positional: list[Any], keywords: dict[str, Any]) -> Parsed:
        """Return what a call says; who replays it says what may be replaced."""
        if not isinstance(keywords.pop("overwrite", False), bool):
            raise FileError(f"cellinr.{method} takes overwrite=True or overwrite=False.")
        return Parsed(tuple(Source(layer) for layer in positional), keywords)

    def run_at_once(self, step: Step, replay: Replay) -> None:
        """Draw the figure or the movie."""
        images = [replay.image(source.layer) for source in step.sources]
        draw(step, replay.place(Path(self.writes(step))), images)

    def writes(self, step: Step) -> str:
        """Return the path."""
        return str(step.arguments["path"])


class Movie(Figure):
    """Save a movie of layers beside each other along an axis."""

    name = "movie"
    function = "write_movie"
    functions = ("write_movie",)
    arguments: ClassVar = {**_COMMON, "along": TEXT, "rate": NUMBER}
    example: ClassVar[Any] = {"path": "movie.gif", "along": "T"}


def draw(step: Step, place: Path, images: Sequence[Image]) -> Path:
    """Draw the figure or the movie of a step, and return its file.

    Parameters
    ----------
    step
        The step.
    place
        The file to write.
    images
        The images, from left to right.

    Raises
    ------
    CellINRError
        As for `write_figure` and `write_movie`.
    """
    from napari_cellinr.macro import figures

    functions = {action.name: action.function for action in ACTIONS}
    options = {key: value for key, value in step.arguments.items() if key != "path"}
    getattr(figures, functions[step.action])(place, *images, **options)
    return place


ACTIONS = (Figure(), Movie())
