"""Set the voxel size and the time step of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from napari_cellinr.macro.actions.base import Action
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.values import AXES, NUMBER, is_axis

if TYPE_CHECKING:
    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.scripts.command_line import ShellScript
    from napari_cellinr.macro.scripts.lines import Line
    from napari_cellinr.macro.scripts.python import PythonScript
    from napari_cellinr.macro.steps import Step
    from napari_cellinr.macro.values import Kind

__all__ = ["ACTIONS", "Calibrate"]


class Calibrate(Action):
    """Set the voxel size (µm) and the time step (s) of a layer, by axis."""

    name = "calibrate"
    example: ClassVar = {"Y": 0.2, "X": 0.2}

    @property
    def known_arguments(self) -> str:
        """That axes and their letters are known, as the end of a sentence."""
        return "axes and the letters of axes are known"

    def kind_of(self, argument: str) -> Kind | None:
        """Return letters for `axes`, a number for the letter of an axis."""
        if argument == "axes":
            return AXES
        return NUMBER if is_axis(argument) else None

    def to_python(self, step: Step, script: PythonScript) -> None:
        """Replace the image by one with this voxel size; results of fits have no variable."""
        image = script.images.get(step.source.layer)
        if image is None or not image.text.isidentifier():
            script.add(self.only_in_viewer(step))
            return
        axes, steps = _parts(step)
        named = lines.call("with_axes", lines.value(axes), of=image) if axes else image
        calibrated = lines.call("with_voxel_size", of=named, keywords=steps)
        script.add(lines.assignment(image, calibrated))

    def to_command(self, step: Step, script: ShellScript) -> list[Line]:
        """Return no line; later commands get the option `--voxel`."""
        sizes = ",".join(f"{axis}={size}" for axis, size in _parts(step)[1].items())
        script.voxel[step.source.layer] = sizes
        return []

    def run_at_once(self, step: Step, replay: Replay) -> None:
        """Replace the image by one with this voxel size."""
        layer = step.source.layer
        axes, steps = _parts(step)
        image = replay.image(layer)
        named = image.with_axes(axes) if axes else image
        replay.images[layer] = named.with_voxel_size(**steps)


def _parts(step: Step) -> tuple[str, dict[str, Any]]:
    """Return the axes of a step, empty if it names none, and the sizes by axis."""
    sizes = dict(step.arguments)
    return str(sizes.pop("axes", "")), sizes


ACTIONS = (Calibrate(),)
