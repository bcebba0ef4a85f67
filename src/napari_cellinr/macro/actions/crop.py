"""Take a region of a layer, to process it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from napari_cellinr.macro.actions.base import Action
from napari_cellinr.macro.naming import first, result_name
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.values import RANGE, is_axis

if TYPE_CHECKING:
    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.scripts.command_line import ShellScript
    from napari_cellinr.macro.scripts.lines import Line
    from napari_cellinr.macro.scripts.python import PythonScript
    from napari_cellinr.macro.steps import Step
    from napari_cellinr.macro.values import Kind

__all__ = ["ACTIONS", "Crop"]


class Crop(Action):
    """Take a region of a layer: for each axis the first voxel and the end, counted from 0."""

    name = "crop"
    makes_layers: ClassVar = True
    layers = ("region",)
    example: ClassVar = {"Y": [2, 10]}

    @property
    def known_arguments(self) -> str:
        """That letters of axes are known, as the end of a sentence."""
        return "the letters of axes are known"

    def kind_of(self, argument: str) -> Kind | None:
        """Return a range for the letter of an axis."""
        return RANGE if is_axis(argument) else None

    def to_python(self, step: Step, script: PythonScript) -> None:
        """Add a line that takes the region."""
        image = script.images.get(step.source.layer)
        if image is None:
            script.add(self.only_in_viewer(step))
            return
        name = script.new_variable(_result(step))
        script.add(lines.assignment(name, lines.call("crop", of=image, keywords=step.arguments)))
        script.images[_result(step)] = name

    def to_command(self, step: Step, script: ShellScript) -> list[Line]:
        """Return no line; later commands get the option `--crop`."""
        layer, region = step.source.layer, _result(step)
        ranges = ",".join(
            f"{axis}={start}:{stop}" for axis, (start, stop) in step.arguments.items()
        )
        script.files[region] = script.file_of(layer)
        script.reading[region] = [*script.reading.get(layer, []), lines.option("--crop", ranges)]
        if layer in script.voxel:
            script.voxel[region] = script.voxel[layer]
        return []

    def run_at_once(self, step: Step, replay: Replay) -> None:
        """Take the region."""
        replay.images[_result(step)] = replay.image(step.source.layer).crop(**step.arguments)


def _result(step: Step) -> str:
    """Return the name of the region."""
    return first(step.results) or result_name("region", step.source.layer)


ACTIONS = (Crop(),)
