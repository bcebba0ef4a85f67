"""Shared by the commands that fit: reads the input, runs the job, prints how it ended."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_cellinr.cli.shared.options import (
    INPUTS,
    add_channel,
    add_crop,
    add_settings,
    add_stack,
    parse_voxel,
)
from napari_cellinr.cli.shared.outputs import ROLES, add_outputs
from napari_cellinr.cli.shared.overwrite import add_overwrite
from napari_cellinr.cli.shared.parser import Commands, Parser, add_command
from napari_cellinr.cli.shared.progress import (
    Interruption,
    follow,
    say,
    say_warning,
    seconds_in_words,
)
from napari_cellinr.cli.shared.saving import check_space, save_all
from napari_cellinr.cli.shared.scale import add_scale_options, in_parts, whole_or_resumed
from napari_cellinr.cli.shared.start_options import add_start_options, checkpoint_of, request_of
from napari_cellinr.image.rules import UNCALIBRATED
from napari_cellinr.io.findings import warnings_of
from napari_cellinr.io.names import without_secrets
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Container, Mapping, Sequence

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.image import Image
    from napari_cellinr.methods import Method
    from napari_cellinr.runs.request import Finish

__all__ = [
    "add_choice_options",
    "add_fit_command",
    "add_reading_options",
    "describe_image",
    "read_chosen",
    "read_input",
    "run_fit",
]


def add_fit_command(
    commands: Commands,
    method: Method,
    text: str,
    run: Callable[[Namespace], int],
    read_settings: Callable[[Namespace], Callable[[Image], Config]],
    roles: Sequence[str],
    leave_out: Container[str] = (),
) -> tuple[Parser, Any]:
    """Return the parser of a new command that fits, and its group of options for other outputs.

    Parameters
    ----------
    commands
        Where the command is declared.
    method
        The method: gives the name of the command, and the settings, each of which becomes an
        option.
    text
        What the command does, for `--help`.
    run
        Runs the command and returns its exit status.
    read_settings
        Reads the settings, and returns what completes them for an image.
    roles
        Roles of the further outputs, of `ROLES`, besides the conventional result.
    leave_out
        Settings that the command declares itself.
    """
    parser = add_command(commands, method.action, text, whole_or_resumed)
    parser.set_defaults(run_whole=run, read_settings=read_settings)
    parser.add_argument("input", metavar="INPUT", help=INPUTS)
    parser.add_argument("output", metavar="OUTPUT", help="file for the result, such as out.tif")
    add_reading_options(parser)
    add_settings(parser, method.config, leave_out)
    saving = parser.add_argument_group("what else to save")
    also = {
        "--save-fit": "also save the fit (.cellinr), to render it again without fitting",
        "--report": "also save a JSON report: time, steps, noise, versions and all settings",
    }
    add_outputs(parser, saving, {role: ROLES[role] for role in (*roles, "conventional")})
    for flag, help_text in also.items():
        saving.add_argument(flag, metavar="FILE", help=help_text)
    add_overwrite(saving)
    add_start_options(parser)
    add_scale_options(parser)
    return parser, saving


def add_reading_options(parser: Parser) -> None:
    """Declare the options that select a part of the input, and that give missing metadata."""
    reading = parser.add_argument_group("reading the image")
    reading.add_argument(
        "--axes",
        metavar="ZYX",
        help="the dimensions in the order of the file, with the letters T (time), C (channel), "
        "Z, Y, X; needed if the file does not name them",
    )
    add_channel(reading)
    reading.add_argument(
        "--voxel",
        metavar="z=0.4,y=0.1,x=0.1",
        type=parse_voxel,
        default={},
        help="voxel size in µm, if the file has none or a wrong one; t is in seconds",
    )
    add_crop(reading)
    add_choice_options(reading)


def add_choice_options(reading: Any) -> None:
    """Declare the options that select one of several images."""
    reading.add_argument(
        "--series", metavar="N", type=int,
        help="take this image of a file with several images; the first is 0 (default: the first)",
    )  # fmt: skip
    reading.add_argument(
        "--level", metavar="N", type=int, default=0,
        help="take this level of a pyramid; 0 is the full resolution",
    )  # fmt: skip
    add_stack(reading)


def read_chosen(options: Namespace) -> Image:
    """Return the whole image that the options select.

    Raises
    ------
    FileError
        If the file has no image of that number.
    """
    from napari_cellinr.errors import FileError
    from napari_cellinr.io import read, read_all
    from napari_cellinr.io.findings import is_first_of_several

    choice: dict[str, Any] = {
        "axes": options.axes,
        "level": options.level,
        "stack_axis": options.stack,
    }
    if not options.series:
        first: Image = read(options.input, **choice)
        if options.series is None and is_first_of_several(first):
            say_warning(
                f"{without_secrets(options.input)} holds several images; the first, {first.name}, "
                "is used. Choose another one with --series 1, 2 and so on; info lists them, and "
                "batch --every-series processes all."
            )
        return first
    images: list[Image] = read_all(options.input, **choice)
    if not 0 <= options.series < len(images):
        raise FileError(
            f"--series {options.series} was given; {without_secrets(options.input)} has "
            f"{n_of(len(images), 'image')}, counted from 0."
        )
    chosen: Image = images[options.series]
    return chosen


def read_input(options: Namespace) -> Image:
    """Return the part of the input that the options select, with their axes and voxel size."""
    image = read_chosen(options)
    if options.channel is not None:
        image = image.take("C", options.channel)
    if options.voxel:
        image = image.with_voxel_size(**options.voxel)
    if options.crop:  # after the voxel size, from which its position follows
        image = image.crop(**options.crop)
    units = zip(image.axes, image.units, strict=True)
    if {unit for axis, unit in units if axis in "ZYX"} == {UNCALIBRATED}:
        shape = "voxels are assumed to be cubes"
        if "Z" not in image.axes:
            shape = "pixels are assumed to be squares"
        sizes = ",".join(f"{axis.lower()}=…" for axis in image.axes if axis in "ZYX")
        say_warning(
            f"{without_secrets(options.input)} has no voxel size, so {shape}; give the size as "
            f"--voxel {sizes} in µm."
        )
    return image


def run_fit(
    options: Namespace,
    image: Image,
    config: Config,
    outputs: Mapping[str, str],
    others: Mapping[str, Callable[[Fitted], None]] | None = None,
    *,
    write: Finish | None = None,
) -> int:
    """Run a fit and write its result; return 0, or 128 + its number if a signal stopped it.

    Parameters
    ----------
    options
        The parsed options, checked by `check_outputs`.
    image
        The input.
    config
        The settings.
    outputs
        Role of each image that may be saved, by the name of its option, such as
        `{"output": "result", "background_output": "background"}`.
    others
        What writes each output that is not an image, by its name.
    write
        Renders and writes the result piece by piece, as the last part of the run.

    Raises
    ------
    FileError
        If there is no room for the outputs, or one cannot be written; the others are.
    """
    from napari_cellinr.runs.request import start

    if options.resume is None:
        status = in_parts(options, image, config, outputs)
        if status is not None:
            return status
    if write is None and (advice := _shortage(options, config, image)):
        say_warning(advice)
    interruption, warned = Interruption(), set(warnings_of(image))  # printed when it was read
    with interruption.caught():
        request = request_of(options, image, config)
        check_space(options, image, request.config, outputs)
        place = checkpoint_of(options)
        finish = save_all(options, outputs, _others(options, image, others or {}), write)
        job = start(replace(request, lazily=write is not None, finish=finish))
        fitted = follow(job, interruption, warned)
    for warning in fitted.report.get("warnings", ()):
        if warning not in warned:
            say_warning(warning)
    if interruption.happened:
        on = (
            f" Resume with --resume {place} --overwrite."
            if (place / "job.cellinr").exists()
            else ""
        )
        say_warning(
            f"stopped by {interruption.name}; the partial result is in {options.output}.{on}"
        )
        return interruption.status
    say(_summary(options, fitted))
    return 0


def _others(
    options: Namespace, image: Image, others: Mapping[str, Callable[[Fitted], None]]
) -> dict[str, Callable[[Fitted], None]]:
    """Return what writes the outputs that are not images of the fit, by their names."""
    if options.conventional is None:
        return dict(others)
    return {options.conventional: partial(_write_conventional, options, image), **others}


def _write_conventional(options: Namespace, image: Image, fitted: Fitted) -> None:
    """Write the conventional result of the method."""
    from napari_cellinr.io import write
    from napari_cellinr.macro.compare import compare

    conventional = compare(fitted, source=image)[1]
    write(options.conventional, conventional)
    say(f"wrote {options.conventional}: {conventional.name}")


def _shortage(options: Namespace, config: Config, image: Image) -> str:
    """Return a warning if the run needs more memory than is free; otherwise an empty text."""
    from napari_cellinr.fitting.resources.available import available_memory
    from napari_cellinr.methods import method_of_action
    from napari_cellinr.runs.estimates import advice

    method = method_of_action(options.command)
    return advice(method, image, config, available_memory())


def describe_image(image: Image) -> str:
    """Return size and voxel size, such as `70×256×356 voxels of 0.43×0.18×0.18 µm`."""
    size = "×".join(str(n) for n in image.shape)
    units = {a: u for a, u in zip(image.axes, image.units, strict=True) if a in "ZYX"}
    known = [axis for axis, unit in units.items() if unit != UNCALIBRATED]
    if not known:
        return f"{size} voxels of unknown size"
    steps = "×".join(f"{image.steps[axis]:.4g}" for axis in known)
    unit = units[known[-1]].replace("micrometer", "µm")
    text = f"{size} voxels of {steps} {unit}"
    if image.is_calibrated:
        return text
    unknown = ", ".join(axis for axis in units if axis not in known)
    return f"{text} along {', '.join(known)}, of unknown size along {unknown}"


def _summary(options: Namespace, fitted: Fitted) -> str:
    from napari_cellinr.fitting.report import field_gain

    steps = fitted.report.get("steps", 0)
    seconds = seconds_in_words(time.monotonic() - options.started)
    gain = field_gain(fitted.report)
    return (
        f"wrote {options.output}: {describe_image(fitted.images[0])}, "
        f"{n_of(steps, 'step')} in {seconds} ({_REASONS[fitted.stopped]})"
        + (f"; {gain}" if gain else "")
    )


_REASONS = {
    "converged": "converged",
    "steps": "all steps done",
    "time": "time limit reached",
    "user": "stopped",
}
