"""Show the motion of a reconstruction: arrows, or the paths of points."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from napari_cellinr.macro.actions.base import Action
from napari_cellinr.macro.naming import file_name, first
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.values import ANY, TEXT

if TYPE_CHECKING:
    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.scripts.command_line import ShellScript
    from napari_cellinr.macro.scripts.lines import Line
    from napari_cellinr.macro.scripts.python import PythonScript
    from napari_cellinr.macro.steps import Step

__all__ = ["ACTIONS", "ShowMotion"]


class ShowMotion(Action):
    """Show the motion of a reconstruction; without a viewer, it is written as a table."""

    name = "show_motion"
    functions = ("write_motion",)
    commands = ("show-motion",)
    makes_layers: ClassVar = True
    layers = ("motion", "tracks")
    named_after_image: ClassVar = True
    arguments: ClassVar = {
        "every": ANY, "shortest": ANY, "points": ANY, "name": TEXT, "arrows": TEXT,
    }  # fmt: skip
    example: ClassVar = {"every": 2, "shortest": 0.0}

    def to_python(self, step: Step, script: PythonScript) -> None:
        """Add a call of `write_motion`."""
        layer = step.source.layer
        if layer not in script.fits:
            script.add(self.only_in_viewer(step))
            return
        shown = first(step.results) or f"{layer} motion"
        path = script.tables.get(shown, f"{file_name(shown)}.csv")
        script.write_motion(path, script.fits[layer], _options(step))

    def fits_needed(self, step: Step) -> tuple[str, ...]:
        """Return the layer of the fit."""
        return (step.source.layer,)

    def to_command(self, step: Step, script: ShellScript) -> list[Line]:
        """Return the command `show-motion` with the saved fit."""
        layer, result = step.source.layer, first(step.results)
        if layer not in script.fits:
            return [self.only_in_viewer(step)]
        path = script.saved.get(result, f"{file_name(result or f'{layer} motion')}.csv")
        options = _options(step).items()
        flags = {"points": "seeds"}
        words = [lines.option(f"--{flags.get(name, name)}", _text(to)) for name, to in options]
        fit = lines.place(script.fits[layer])
        return [lines.command("show-motion", fit, lines.place(path), *words)]

    def run_at_once(self, step: Step, replay: Replay) -> None:
        """Check the options; the table is written when it is saved, or at the end."""
        from napari_cellinr.macro.motion import check_options, images_by_role

        fit, options = replay.fit_of(step.source.layer), _options(step)
        check_options(**options)
        images_by_role(fit)  # raises an error if the fit has no motion
        replay.tables[first(step.results) or f"{step.source.layer} motion"] = fit, options


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _options(step: Step) -> dict[str, Any]:
    """Return the arguments as `write_motion` takes them, without the name of the layer."""
    return {key: value for key, value in step.arguments.items() if key != "name"}


ACTIONS = (ShowMotion(),)
