"""Set the voxel size and the time step of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from napari_cellinr.macro import lines
from napari_cellinr.macro.actions.base import Action
from napari_cellinr.macro.values import NUMBER, is_axis

if TYPE_CHECKING:
    from napari_cellinr.macro.command_line import ShellScript
    from napari_cellinr.macro.lines import Line
    from napari_cellinr.macro.python import PythonScript
    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.steps import Step
    from napari_cellinr.macro.values import Kind

__all__ = ["ACTIONS", "Calibrate"]


class Calibrate(Action):
    """Set the voxel size (µm) and the time step (s) of a layer, by axis."""

    name = "calibrate"
    example: ClassVar = {"Y": 0.2, "X": 0.2}

    @property
    def known_arguments(self) -> str:
        """That letters of axes are known, as the end of a sentence."""
        return "the letters of axes are known"

    def kind_of(self, argument: str) -> Kind | None:
        """Return a number for the letter of an axis."""
        return NUMBER if is_axis(argument) else None

    def to_python(self, step: Step, script: PythonScript) -> None:
        """Replace the image by one with this voxel size; results of fits have no variable."""
        image = script.images.get(step.source.layer)
        if image is None or not image.text.isidentifier():
            script.add(self.only_in_viewer(step))
            return
        calibrated = lines.call("with_voxel_size", of=image, keywords=step.arguments)
        script.add(lines.assignment(image, calibrated))

    def to_command(self, step: Step, script: ShellScript) -> list[Line]:
        """Return no line; later commands get the option `--voxel`."""
        sizes = ",".join(f"{axis}={size}" for axis, size in step.arguments.items())
        script.voxel[step.source.layer] = sizes
        return []

    def run_at_once(self, step: Step, replay: Replay) -> None:
        """Replace the image by one with this voxel size."""
        layer = step.source.layer
        replay.images[layer] = replay.image(layer).with_voxel_size(**step.arguments)


ACTIONS = (Calibrate(),)
