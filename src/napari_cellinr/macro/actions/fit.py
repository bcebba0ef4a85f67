"""Fit an image: one class for the actions of all methods."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final, get_args

from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.macro.actions.base import Action, Parsed
from napari_cellinr.macro.actions.fitted_layers import images_by_layer
from napari_cellinr.macro.actions.in_parts import PARTS, parts_to_python, run_in_parts
from napari_cellinr.macro.naming import CELLINR, FITTED_SUFFIX, file_name, first
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.source import Source
from napari_cellinr.macro.values import ANY, AXES, is_count
from napari_cellinr.methods import METHODS, method_of_action
from napari_cellinr.runs.starts import Beginning
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from napari_cellinr.fitting.problem import Fitted, Job, Message, Progress
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image
    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.scripts.command_line import ShellScript
    from napari_cellinr.macro.scripts.lines import Code, Line, Words
    from napari_cellinr.macro.scripts.python import PythonScript
    from napari_cellinr.macro.steps import Step
    from napari_cellinr.macro.values import Kind

__all__ = ["ACTIONS", "Fit", "fitted_by"]

_STARTING_FUNCTIONS: Final[Mapping[Beginning, str]] = {
    "continue_from": "continue_fit",
    "warm_start": "warm_start",
}
"""Function for a fit that starts from another fit."""

_POSITIONAL: Final[Mapping[str, tuple[str, ...]]] = {"denoise": ("preset",)}
"""Settings that may follow the layer without their name, as in the console."""

_OUTPUTS: Final[Mapping[str, str]] = {
    "kept": "with-background",
    **{
        role: role
        for role in (
            "background", "signal", "error", "motion", "speed", "confidence", "motion-error",
            "aligned",
        )
    },
}  # fmt: skip
"""Role of the option `--output` by the role of an image, besides the result."""


def fitted_by(step: Step, image: Image, start: Fitted | Stored | None = None) -> Job:
    """Return the job of a step that fits; the only place where a macro starts a fit.

    Parameters
    ----------
    step
        The step.
    image
        The image that is fitted.
    start
        The fit to start from, if the step says so.

    Raises
    ------
    ConfigError
        If settings are not allowed, or the fit cannot start from the other one.
    """
    from napari_cellinr.runs.request import RunRequest
    from napari_cellinr.runs.request import start as start_run
    from napari_cellinr.runs.starts import New, start_from

    method = method_of_action(step.action)
    config = method.config(**step.settings)
    if step.beginning and start is not None:
        other = start_from(step.beginning, start, config.steps)
        return start_run(RunRequest(method, image, config, other))
    return start_run(RunRequest(method, image, config, New()))


class Fit(Action):
    """Fit an image with a method, from scratch or starting from another fit.

    Parameters
    ----------
    name
        Action of the method, such as `denoise`.
    """

    makes_layers: ClassVar = True
    example: ClassVar = {"preset": "preview", "steps": 2}

    def __init__(self, name: str) -> None:
        self.name = name
        self.functions = (name, *_STARTING_FUNCTIONS.values(), "compute_in_parts")
        self.commands = (name,)
        self.layers = method_of_action(name).layers

    def check(
        self, sources: Sequence[Source], arguments: Mapping[str, Any], beginning: str = ""
    ) -> None:
        """Check that a step is complete; as for `Action`."""
        super().check(sources, arguments, beginning)
        if beginning == "continue_from" and not is_count(arguments.get("steps")):
            raise ConfigError(
                f"{self.name} was given continue_from without steps; a number is needed."
            )
        if beginning and "parts" in arguments:
            raise ConfigError(
                f"{self.name} was given parts and {beginning}; in parts, no fit starts from "
                "another one. Leave one of them out."
            )

    def check_sources(self, sources: Sequence[Source], beginning: str) -> None:
        """Check that a fit that starts from another fit, and only such, has a second source."""
        ways = get_args(Beginning)
        if not beginning:
            super().check_sources(sources, beginning)
        elif beginning not in ways or len(sources) != 2:
            raise ConfigError(
                f"{beginning!r} was given for {self.name} of {n_of(len(sources), 'layer')}; "
                f"{' or '.join(ways)} is needed, and as second source the fit to start from."
            )

    def kind_of(self, argument: str) -> Kind | None:
        """Return letters for `axes`, anything for a setting, which is checked before the fit."""
        if argument in {"axes", "parts"}:
            return AXES if argument == "axes" else PARTS
        return ANY if argument in self._settings_known else None

    @property
    def known_arguments(self) -> str:
        """The settings of the method, as the end of a sentence."""
        return f"known are {', '.join(['axes', 'parts', *self._settings_known])}"

    def to_console(self, step: Step) -> Code:
        """Return the step as a call of a method of `cellinr`."""
        settings = {**step.arguments, **({} if step.seed is None else {"seed": step.seed})}
        layers = [source.layer for source in step.sources]
        if step.beginning:
            settings = {step.beginning: layers.pop(), **settings}
        return lines.call(self.name, *map(lines.value, layers), of=CELLINR, keywords=settings)

    def to_python(self, step: Step, script: PythonScript) -> None:
        """Add a call of the function of the method, and name its images."""
        image = script.images.get(step.source.layer)
        if image is None or (step.beginning and step.sources[1].layer not in script.fits):
            script.add(self.only_in_viewer(step))
            return
        fit = script.new_variable(first(step.results) or f"{step.source.layer} result")
        if "parts" in step.arguments:
            parts_to_python(step, script, fit, image)
            return
        axes = step.arguments.get("axes")
        given = lines.call("with_axes", lines.value(axes), of=image) if axes else image
        function = _STARTING_FUNCTIONS[step.beginning] if step.beginning else self.name
        start = [script.fits[step.sources[1].layer]] if step.beginning else []
        call = script.call(function, *start, given, keywords=step.settings)
        script.add(lines.assignment(fit, call))
        for index, result in enumerate(step.results):
            script.images[result] = _image_of(fit, index, step)
            script.fits[result] = fit
            script.fitted[result] = given
            is_motion = index < len(step.roles) and not step.roles[index]
            if is_motion and result in script.tables:
                script.write_motion(script.tables[result], fit, {})

    def fits_needed(self, step: Step) -> tuple[str, ...]:
        """Return the layer of the fit to start from."""
        return (step.sources[1].layer,) if step.beginning else ()

    def to_command(self, step: Step, script: ShellScript) -> list[Line]:
        """Return the command of the method, and note the files of its results."""
        if step.beginning and step.sources[1].layer not in script.fits:
            return [self.only_in_viewer(step)]
        layer, result = step.source.layer, first(step.results)
        source = script.file_of(layer)
        script.files[result] = script.place(result or "result")
        words = [
            lines.place(source),
            lines.place(script.files[result]),
            *script.reading.get(layer, []),
            *self._other_outputs(step, script),
            *([lines.flag("--parts")] if "parts" in step.arguments else []),
            *_input_options(step, script),
            *_setting_options(step, script),
            *_later_needs(step, script),
        ]
        return [lines.command(self.name, *words)]

    def parse(self, method: str, positional: list[Any], keywords: dict[str, Any]) -> Parsed:
        """Return what a call says; the fit to start from is an argument by name."""
        positional = _without_preset(self.name, positional, keywords)
        seed = keywords.pop("seed", None)
        beginning = ""
        for way in get_args(Beginning):
            if way in keywords:
                beginning = way
                positional.append(keywords.pop(way))
        sources = tuple(Source(layer) for layer in positional)
        return Parsed(sources, keywords, seed=seed, beginning=beginning)

    def run(self, step: Step, replay: Replay) -> Generator[Progress, Message, None]:
        """Fit the image, and name its results as the viewer does."""
        image = replay.image(step.source.layer)
        if "axes" in step.arguments:
            image = image.with_axes(step.arguments["axes"])
        replay.compare_digest(step, image)
        if "parts" in step.arguments:
            yield from run_in_parts(step, replay, image)
            return
        start = replay.fit_of(step.sources[1].layer) if step.beginning else None
        fitted = yield from fitted_by(step, image, start)
        images = images_by_layer(step, fitted, replay.images)
        replay.results.append(next(iter(images)))
        replay.images.update(images)
        layers = [*images, *step.results]
        replay.fits.update(dict.fromkeys(layers, fitted))
        replay.fitted.update(dict.fromkeys(layers, image))

    def run_in_viewer(self, step: Step, console: Any) -> None:
        """Start the fit in a viewer."""
        start = {step.beginning: step.sources[1].layer} if step.beginning else {}
        others = {key: step.arguments[key] for key in ("parts",) if key in step.arguments}
        axes = step.arguments.get("axes", "")
        fit = getattr(console, self.name)
        fit(step.source.layer, axes=axes, **start, **others, **step.settings)

    def writes(self, step: Step) -> str:
        """Return the OME-Zarr of a result that is computed in parts; empty otherwise."""
        return str(step.arguments.get("parts", ""))

    @property
    def _settings_known(self) -> Mapping[str, Any]:
        return method_of_action(self.name).config.model_fields

    def _other_outputs(self, step: Step, script: ShellScript) -> list[Words]:
        """Return the options for the images that are saved besides the result."""
        roles, known = step.roles, method_of_action(self.name).roles
        if not roles and "background" in known:
            third = "signal" if step.arguments.get("background") == "keep" else "kept"
            roles = (*known, third)
        words = []
        for result, role in list(zip(step.results, roles, strict=False))[1:]:
            if result in script.saved and role in _OUTPUTS:
                words.append(lines.option("--output", f"{_OUTPUTS[role]}={script.saved[result]}"))
                script.files[result] = script.saved[result]
        return words


def _without_preset(name: str, positional: list[Any], keywords: dict[str, Any]) -> list[Any]:
    """Return the positional arguments without the preset, which becomes one by name."""
    known = ("layer", *_POSITIONAL.get(name, ()))
    if len(positional) > len(known):
        raise FileError(
            f"cellinr.{name} was given {len(positional)} arguments without a name; "
            f"{' and '.join(known)} may be given like that, others as name=value."
        )
    for argument, value in zip(known[1:], positional[1:], strict=False):
        if argument in keywords:
            raise FileError(f"cellinr.{name} was given {argument} twice; give it once.")
        presets = method_of_action(name).config.PRESETS
        if value not in presets:
            raise FileError(
                f"cellinr.{name} was given the {argument} {value!r:.60}; allowed are "
                f"{', '.join(presets)}."
            )
        keywords[argument] = value
    return positional[:1]


def _image_of(fit: Code, index: int, step: Step) -> Code:
    """Return the expression for a result of a fit: by its role, or by its position."""
    if index >= len(step.roles):
        return lines.item(lines.attribute(fit, "images"), index)
    role, _, channel = step.roles[index].partition(":")
    image = lines.call("image", lines.value(role), of=fit)
    if not channel:
        return image
    return lines.call("take", lines.value("C"), lines.value(int(channel)), of=image)


def _input_options(step: Step, script: ShellScript) -> list[Words]:
    """Return the options that describe the input: axes, voxel size, and the fit to start from."""
    words = []
    if "axes" in step.arguments:
        words.append(lines.option("--axes", str(step.arguments["axes"])))
    words += script.voxel_option(step.source.layer)
    if step.beginning:
        flag = f"--{step.beginning.replace('_', '-')}"
        words.append(lines.option(flag, script.fits[step.sources[1].layer], is_path=True))
    return words


def _setting_options(step: Step, script: ShellScript) -> list[Words]:
    """Return the options for the settings; a fit that is continued takes only more steps."""
    if step.beginning == "continue_from":
        return [lines.option("--steps", str(step.arguments["steps"]))]
    return [_setting(name, value) for name, value in step.settings.items()]


def _setting(name: str, value: Any) -> Words:
    """Return the option for a setting."""
    if name == "optics" and isinstance(value, dict):
        kind = str(value["kind"]) if set(value) == {"kind"} else ""
        is_word = kind.replace("-", "").isalnum()
        return lines.option("--optics", kind if is_word else json.dumps(value))
    if isinstance(value, dict):
        value = ",".join(f"{axis}={number}" for axis, number in value.items())
    elif isinstance(value, list):
        value = ",".join(map(str, value))
    return lines.option("--set", f"{name}={value}")


def _later_needs(step: Step, script: ShellScript) -> list[Words]:
    """Return the options for the files that later commands, or the user, need of this fit."""
    words = []
    named = [script.saved_fits[result] for result in step.results if result in script.saved_fits]
    if named or script.needed_fits & set(step.results):
        path = named[0] if named else f"{file_name(first(step.results))}{FITTED_SUFFIX}"
        script.fits.update(dict.fromkeys(step.results, path))
        words.append(lines.option("--save-fit", path, is_path=True))
    baselines = [path for layer, path in script.baselines.items() if layer in step.results]
    if baselines:
        words.append(lines.option("--output", f"conventional={baselines[0]}"))
    return words


ACTIONS = tuple(Fit(method.action) for method in METHODS.values())
