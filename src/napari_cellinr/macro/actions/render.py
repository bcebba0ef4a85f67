"""Render a fit at another scale, time, crop or channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from napari_cellinr.macro.actions.base import Action
from napari_cellinr.macro.naming import first, name_before, without_number
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.values import (
    AXIS_RANGES,
    COUNT_OR_NONE,
    NUMBER_PER_AXIS,
    NUMBERS_OR_NONE,
)
from napari_cellinr.methods import METHODS

if TYPE_CHECKING:
    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.scripts.command_line import ShellScript
    from napari_cellinr.macro.scripts.lines import Line, Words
    from napari_cellinr.macro.scripts.python import PythonScript
    from napari_cellinr.macro.steps import Step

__all__ = ["ACTIONS", "Render"]

_IN_SECONDS: Final = tuple(
    method.layers[0] for method in METHODS.values() if method.renderable.own_grid
)
"""How the names of results end whose times are in seconds."""


class Render(Action):
    """Render a fit at another scale, time, crop or channel; the arguments are those of `Query`."""

    name = "render"
    functions = ("render",)
    commands = ("render",)
    makes_layers: ClassVar = True
    layers = ("rendered",)
    only_numbered: ClassVar = True
    arguments: ClassVar = {
        "scale": NUMBER_PER_AXIS,
        "voxel": NUMBER_PER_AXIS,
        "times": NUMBERS_OR_NONE,
        "crop": AXIS_RANGES,
        "channel": COUNT_OR_NONE,
    }
    example: ClassVar = {"times": [0.5], "crop": {"Y": [2, 10]}}

    def to_python(self, step: Step, script: PythonScript) -> None:
        """Add a call of `render`."""
        if step.source.layer not in script.fits:
            script.add(self.only_in_viewer(step))
            return
        fit = script.fits[step.source.layer]
        name = script.new_variable(first(step.results) or "rendered")
        rendered = script.call("render", fit, keywords=step.arguments)
        script.add_images(step, name, rendered)

    def fits_needed(self, step: Step) -> tuple[str, ...]:
        """Return the layer of the fit."""
        return (step.source.layer,)

    def to_command(self, step: Step, script: ShellScript) -> list[Line]:
        """Return the command `render` with the saved fit."""
        layer, result = step.source.layer, first(step.results)
        if layer not in script.fits:
            return [self.only_in_viewer(step)]
        script.files[result] = script.place(result)
        words = [lines.place(script.fits[layer]), lines.place(script.files[result])]
        return [lines.command("render", *words, *_options(step))]

    def run_at_once(self, step: Step, replay: Replay) -> None:
        """Render the images."""
        from napari_cellinr.api import render

        replay.add_images(step, render(replay.fit_of(step.source.layer), **step.arguments))


def _options(step: Step) -> list[Words]:
    """Return the options of the command for the query."""
    query = step.arguments
    found = {
        name: ",".join(f"{axis}={size}" for axis, size in query[name].items())
        for name in ("scale", "voxel")
        if query.get(name)
    }
    if query.get("crop"):
        ends = query["crop"].items()
        found["crop"] = ",".join(f"{axis}={start}:{stop}" for axis, (start, stop) in ends)
    if query.get("times") is not None:
        # A reconstruction counts in seconds, whatever the unit of the file is.
        unit = "s" if without_number(name_before(step.source.layer)).endswith(_IN_SECONDS) else ""
        found["times"] = ",".join(map(str, query["times"])) + unit
    if query.get("channel") is not None:
        found["channel"] = str(query["channel"])
    flags = {"voxel": "target-voxel"}
    return [lines.option(f"--{flags.get(name, name)}", text) for name, text in found.items()]


ACTIONS = (Render(),)
