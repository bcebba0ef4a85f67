"""Compare a result with another layer, or with the conventional result of its method."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from napari_cellinr.errors import FileError
from napari_cellinr.macro.actions.base import Action
from napari_cellinr.macro.naming import DOT, first, result_name, without_number
from napari_cellinr.macro.scripts import lines
from napari_cellinr.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.image import Image
    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.scripts.command_line import ShellScript
    from napari_cellinr.macro.scripts.lines import Code, Line
    from napari_cellinr.macro.scripts.python import PythonScript
    from napari_cellinr.macro.steps import Step

__all__ = ["ACTIONS", "Compare"]


_BASELINES: Final = tuple(name for method in METHODS.values() for name in method.baselines)


class Compare(Action):
    """Subtract another layer, or without one the conventional result, from a result."""

    name = "compare"
    functions = ("compare",)
    commands = ("compare",)
    n_sources: ClassVar = (1, 2)
    makes_layers: ClassVar = True
    layers = ("minus", "difference", "compared", *_BASELINES)
    named_after_image: ClassVar = True

    def to_python(self, step: Step, script: PythonScript) -> None:
        """Add a call of `compare`."""
        compared = _python_call(step, script)
        if compared is None:
            script.add(self.only_in_viewer(step))
            return
        name = script.new_variable(first(step.results) or f"{step.source.layer} compared")
        script.add_images(step, name, compared)

    def baselines_needed(self, step: Step) -> Mapping[str, str]:
        """Return the name of the conventional result, if there is no second layer."""
        if len(step.sources) == 1 and len(step.results) > 1:
            return {step.source.layer: step.results[1]}
        return {}

    def with_names(self, step: Step) -> Step:
        """Return the step with the difference first, then the conventional result."""
        conventional = [name for name in step.results if _baseline_in(name)]
        if len(step.sources) > 1 or not conventional:
            return step
        usual = result_name(f"minus {_baseline_in(conventional[0])}", step.source.layer)
        differences = [name for name in step.results if name not in conventional]
        return replace(step, results=(*(differences or [usual])[:1], *conventional))

    def to_command(self, step: Step, script: ShellScript) -> list[Line]:
        """Return the command `compare`, after those that make single files of its inputs."""
        layer = step.source.layer
        made = [line for source in step.sources for line in script.as_single_file(source.layer)]
        if len(step.sources) > 1:
            other = script.file_of(step.sources[1].layer)
        else:
            other = script.baselines.get(layer, "conventional.tif")
            script.files.update(dict.fromkeys(step.results[1:], other))
        result = first(step.results) or f"{layer} difference"
        script.files[result] = script.place(result)
        difference = lines.option("--difference", script.files[result], is_path=True)
        words = [lines.place(script.file_of(layer)), lines.place(other), difference]
        return [*made, lines.command("compare", *words)]

    def run_at_once(self, step: Step, replay: Replay) -> None:
        """Compute the difference, and the conventional result if no other layer is given."""
        replay.add_images(step, _compared(step, replay))


def _python_call(step: Step, script: PythonScript) -> Code | None:
    """Return the call of `compare`, or None if the script does not know what is compared."""
    layer = step.source.layer
    if len(step.sources) > 1:
        layers = [source.layer for source in step.sources[:2]]
        if any(name not in script.images for name in layers):
            return None
        return script.call("compare", *(script.images[name] for name in layers))
    if layer not in script.fitted:
        return None
    return script.call("compare", script.fits[layer], keywords={"source": script.fitted[layer]})


def _baseline_in(name: str) -> str:
    """Return the conventional result in a name such as `WBNS · embryo`; empty if it has none.

    Images, and layers until version 0.1, name their source first: `embryo WBNS`.
    """
    what, dot, _ = without_number(name).partition(f" {DOT} ")
    word = what.partition(" ")[0] if dot else what.rpartition(" ")[2]
    return word if word in _BASELINES else ""


def _compared(step: Step, replay: Replay) -> tuple[Image, ...]:
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.macro.compare import channel_for, compare

    layer = step.source.layer
    result = replay.image(layer)
    if len(step.sources) > 1:
        return compare(result, replay.image(step.sources[1].layer))
    fit = replay.fit_of(layer)
    if isinstance(fit, Stored):
        raise FileError(
            f"the fit of layer {layer!r} was opened from a file, which does not hold its source; "
            "name the layer to compare with."
        )
    (_, conventional) = compare(fit, source=replay.fitted[layer])
    for name in step.results[1:]:
        asked, made = _baseline_in(name), _baseline_in(conventional.name)
        if made and asked not in {"", made, "conventional"}:  # its name until version 0.1
            raise FileError(
                f"layer {name!r} is needed; the conventional result of {layer!r} is called "
                f"{result_name(made, replay.fitted[layer].name)!r}. Use this name in the macro."
            )
    baseline = channel_for(result, conventional)
    return compare(result, baseline)[0], baseline


ACTIONS = (Compare(),)
