"""A fit that is computed in parts: how a macro runs it, and writes it as a script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_cellinr.errors import FitError
from napari_cellinr.macro.naming import first
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.values import Kind
from napari_cellinr.methods import method_of_action

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.scripts.lines import Code
    from napari_cellinr.macro.scripts.python import PythonScript
    from napari_cellinr.macro.steps import Step

__all__ = ["PARTS", "parts_to_python", "run_in_parts"]

PARTS: Final = Kind(
    "the name of an OME-Zarr such as denoised.zarr",
    lambda value: isinstance(value, str) and value.lower().endswith(".zarr"),
)
"""The result of a run in parts."""


def parts_to_python(step: Step, script: PythonScript, variable: Code, image: Code) -> None:
    """Add a call that computes the result in parts, and name it.

    Parameters
    ----------
    step
        The step.
    script
        The script so far.
    variable
        Name for the result.
    image
        The image that it is computed from.
    """
    axes = step.arguments.get("axes")
    given = lines.call("with_axes", lines.value(axes), of=image) if axes else image
    path = lines.value(step.arguments["parts"])
    name = lines.value(step.action)
    call = script.call("compute_in_parts", name, given, path, keywords=step.settings)
    script.add(lines.assignment(variable, call))
    script.images[first(step.results)] = variable


def run_in_parts(step: Step, replay: Replay, image: Image) -> Generator[Progress, Message, None]:
    """Compute the result of a step in parts, and name it as the viewer does.

    Parameters
    ----------
    step, replay
        As for `Action.run`.
    image
        The image that it is computed from.

    Raises
    ------
    CellINRError
        If parts have failed, or the result must not be written.
    """
    from napari_cellinr.runs.scale.in_parts import PartsRequest, explanation, parts_job

    path = replay.place(Path(step.arguments["parts"]))
    config = method_of_action(step.action).config(**step.settings)
    request = PartsRequest(step.action, image, config, path, overwrite=path.exists())
    result = yield from parts_job(request)
    if result is None or not result.finished.is_complete:
        raise FitError(explanation(result, path))
    name = first(step.results) or result.levels[0].name
    replay.images[name] = result.levels[0].like(result.levels[0].data, name=name)
    replay.results.append(name)
