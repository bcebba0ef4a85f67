"""What every command that fits shares: reading the input, running the job, saying how it went."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_cellinr.cli.shared.options import (
    Commands,
    Parser,
    add_command,
    add_settings,
    parse_crop,
    parse_voxel,
)
from napari_cellinr.cli.shared.progress import (
    INTERRUPTED,
    Interruption,
    follow,
    say,
    say_warning,
    seconds_in_words,
)
from napari_cellinr.cli.shared.saving import save
from napari_cellinr.cli.shared.warm_start import add_going_on_options, checkpoint_of, request_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping

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
    outputs: Mapping[str, str],
) -> tuple[Parser, Any]:
    """Return the parser of a new command that fits, and its group of what else to save.

    Parameters
    ----------
    commands
        Where the command is declared.
    method
        What it fits with: gives the word on the command line, and the settings, each of which
        becomes an option.
    text
        What the command does, for `--help`.
    run
        What the command does.
    outputs
        Help of the images besides the result by option, such as `--background-output`.
    """
    parser = add_command(commands, method.action, text, run)
    parser.add_argument("input", metavar="INPUT", help="image: TIFF, NIfTI, OME-Zarr, or a folder")
    parser.add_argument("output", metavar="OUTPUT", help="file for the result, such as out.tif")
    add_reading_options(parser)
    add_settings(parser, method.config)
    saving = parser.add_argument_group("what else to save")
    also = {
        "--save-fit": "also save the fit (.cellinr), to render it again without fitting",
        "--conventional": "also save the result of a conventional method, to compare with",
        "--report": "also save a JSON report: time, steps, noise, versions and all settings",
    }
    for flag, help_text in {**outputs, **also}.items():
        saving.add_argument(flag, metavar="FILE", help=help_text)
    add_going_on_options(parser)
    return parser, saving


def add_reading_options(parser: Parser) -> None:
    """Declare the options that say what of the input is meant, and what it does not say itself."""
    reading = parser.add_argument_group("reading the image")
    reading.add_argument(
        "--axes",
        metavar="ZYX",
        help="meaning of the dimensions, in the order of the file, with the letters T (time), "
        "C (channel), Z, Y, X; needed where the file does not say",
    )
    reading.add_argument(
        "--channel", metavar="N", type=int, help="take this channel only; the first is 0"
    )
    reading.add_argument(
        "--voxel",
        metavar="z=0.4,y=0.1,x=0.1",
        type=parse_voxel,
        default={},
        help="voxel size in µm, where the file has none or a wrong one; t is in seconds",
    )
    reading.add_argument(
        "--crop",
        metavar="z=0:20,y=50:150",
        type=parse_crop,
        default={},
        help="take this part only: first voxel and end along each axis, counted from 0",
    )
    add_choice_options(reading)


def add_choice_options(reading: Any) -> None:
    """Declare the options that say which image of several is meant."""
    reading.add_argument(
        "--series", metavar="N", type=int, default=0,
        help="take this image of a file that holds several; the first is 0",
    )  # fmt: skip
    reading.add_argument(
        "--level", metavar="N", type=int, default=0,
        help="take this level of a pyramid; 0 is the full resolution",
    )  # fmt: skip
    reading.add_argument(
        "--stack", choices=("T", "Z"), help="what the numbered files of a folder are along"
    )


def read_chosen(options: Namespace) -> Image:
    """Return the image that was asked for, whole.

    Raises
    ------
    FileError
        If the file has no image of that number.
    """
    from napari_cellinr.errors import FileError
    from napari_cellinr.io import read, read_all

    choice: dict[str, Any] = {
        "axes": options.axes,
        "level": options.level,
        "stack_axis": options.stack,
    }
    if options.series == 0:
        first: Image = read(options.input, **choice)
        return first
    images: list[Image] = read_all(options.input, **choice)
    if not 0 <= options.series < len(images):
        raise FileError(
            f"image {options.series} of {options.input} was asked for; it has "
            f"{len(images)}, counted from 0."
        )
    chosen: Image = images[options.series]
    return chosen


def read_input(options: Namespace) -> Image:
    """Return the part of the input that was asked for, with axes and voxel size as given."""
    image = read_chosen(options)
    if options.channel is not None:
        image = image.take("C", options.channel)
    if options.voxel:
        image = image.with_voxel_size(**options.voxel)
    if options.crop:  # after the voxel size, from which its position follows
        image = image.crop(**options.crop)
    if not image.is_calibrated:
        say_warning(
            f"{options.input} does not say its voxel size, so that one voxel counts as one pixel "
            "along every axis; give it as --voxel z=…,y=…,x=… in µm."
        )
    return image


def run_fit(
    options: Namespace,
    image: Image,
    config: Config,
    outputs: Mapping[str, str],
    also: Callable[[Fitted], None] | None = None,
    *,
    write: Finish | None = None,
) -> int:
    """Return 0 after the result was written, 130 if it is partial because of Ctrl-C.

    Parameters
    ----------
    options
        What was typed; `check_outputs` has looked at it.
    image
        The input.
    config
        The settings.
    outputs
        Role of each image that may be saved by the name of its option, such as
        `{"output": "result", "background_output": "background"}`.
    also
        Writes what is no image.
    write
        Renders and writes the result piece by piece, as the last part of the run.
    """
    from napari_cellinr.runs.request import start

    if write is None and (advice := _shortage(options, config, image)):
        say_warning(advice)
    interruption = Interruption()
    with interruption.caught():
        request = request_of(options, image, config)
        place = checkpoint_of(options)
        job = start(replace(request, lazily=write is not None, finish=write))
        fitted = follow(job, interruption)
        save(options, fitted, outputs if write is None else {})
        if options.conventional is not None:
            _write_conventional(options, image, fitted)
        if also is not None:
            also(fitted)
    for warning in fitted.report.get("warnings", ()):
        say_warning(warning)
    if interruption.happened:
        on = f" Go on with --resume {place}." if (place / "job.cellinr").exists() else ""
        say_warning(f"stopped by Ctrl-C; the partial result is in {options.output}.{on}")
        return INTERRUPTED
    say(_summary(options, fitted))
    return 0


def _write_conventional(options: Namespace, image: Image, fitted: Fitted) -> None:
    """Write the conventional answer of the method."""
    from napari_cellinr.io import write
    from napari_cellinr.macro.compare import compare

    conventional = compare(fitted, source=image)[1]
    write(options.conventional, conventional)
    say(f"wrote {options.conventional}: {conventional.name}")


def _shortage(options: Namespace, config: Config, image: Image) -> str:
    """Return a sentence if the run needs more memory than is free; else an empty text."""
    from psutil import virtual_memory

    from napari_cellinr.methods import method_of_action
    from napari_cellinr.runs.estimates import advice

    method = method_of_action(options.command)
    return advice(method, image, config, virtual_memory().available)


def describe_image(image: Image) -> str:
    """Return size and voxel size, such as `70×256×356 voxels of 0.43×0.18×0.18 µm`."""
    spatial = [i for i, axis in enumerate(image.axes) if axis in "ZYX"]
    size = "×".join(str(n) for n in image.shape)
    if not image.is_calibrated:
        return f"{size} voxels, size of a voxel unknown"
    steps = "×".join(f"{image.scale[i]:.4g}" for i in spatial)
    unit = image.units[spatial[-1]].replace("micrometer", "µm")
    return f"{size} voxels of {steps} {unit}"


def _summary(options: Namespace, fitted: Fitted) -> str:
    steps = fitted.report.get("steps", 0)
    seconds = seconds_in_words(time.monotonic() - options.started)
    return (
        f"wrote {options.output}: {describe_image(fitted.images[0])}, "
        f"{steps} steps in {seconds} ({_REASONS[fitted.stopped]})"
    )


_REASONS = {
    "converged": "no more to gain",
    "steps": "all steps done",
    "time": "time was up",
    "user": "stopped",
}
