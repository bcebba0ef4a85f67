"""`napari-cellinr denoise INPUT OUTPUT`: the main job, from file to file."""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.cli.options import (
    Commands,
    Parser,
    add_command,
    add_settings,
    parse_crop,
    parse_voxel,
    read_config,
)
from napari_cellinr.cli.progress import (
    INTERRUPTED,
    Interruption,
    follow,
    say,
    say_warning,
    seconds_in_words,
)
from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.fit import Fitted
    from napari_cellinr.image import Image

__all__ = ["add", "describe_image", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.config import CellINRConfig

    parser = add_command(commands, "denoise", "remove noise and haze from an image", run)
    parser.add_argument("input", metavar="INPUT", help="image file: TIFF, OME-TIFF or NIfTI")
    parser.add_argument("output", metavar="OUTPUT", help="file for the result, such as out.tif")
    _add_reading_options(parser)
    add_settings(parser, CellINRConfig)
    saving = parser.add_argument_group("what else to save")
    for flag, help_text in {
        "--background-output": "image of the haze that was taken away",
        "--save-model": "the fitted field, to be rendered again without another fit",
        "--report": "JSON with time, steps, noise, versions and all settings",
    }.items():
        saving.add_argument(flag, metavar="FILE", help=help_text)


def _add_reading_options(parser: Parser) -> None:
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


def run(options: Namespace) -> int:
    """Return 0 after the result was written, 130 if it is partial because of Ctrl-C."""
    from napari_cellinr.config import CellINRConfig

    config = read_config(options, CellINRConfig)
    _check_outputs(options)
    image = _read(options)
    from napari_cellinr.api import iter_denoise

    interruption = Interruption()
    with interruption.caught():
        job = iter_denoise(image, config, started=options.started)
        fitted = follow(job, interruption)
        _write(options, fitted)
    for warning in fitted.report.get("warnings", ()):
        say_warning(warning)
    if interruption.happened:
        say_warning(f"stopped by Ctrl-C; the partial result is in {options.output}.")
        return INTERRUPTED
    say(_summary(options, fitted))
    return 0


def _read(options: Namespace) -> Image:
    """Return the part of the input that was asked for, with axes and voxel size as given."""
    from napari_cellinr.io import read

    image = read(options.input, axes=options.axes)
    if options.channel is not None:
        image = image.take("C", options.channel)
    if options.crop:
        image = image.crop(**options.crop)
    if options.voxel:
        image = image.with_voxel_size(**options.voxel)
    if not image.is_calibrated:
        say_warning(
            f"{options.input} does not say its voxel size, so that one voxel counts as one pixel "
            "along every axis; give it as --voxel z=…,y=…,x=… in µm."
        )
    return image


def _check_outputs(options: Namespace) -> None:
    """Raise `FileError` now if something could not be written in the end."""
    from napari_cellinr.io import check_writable

    taken = {Path(options.input).resolve(): "INPUT"}
    for flag in ("output", "background_output", "save_model", "report"):
        name = getattr(options, flag)
        if name is None:
            continue
        place = Path(name).resolve()
        if place in taken:
            raise FileError(f"{name} was given twice, also as {taken[place]}; give another name.")
        taken[place] = flag
        check_writable(Path(name))


def _write(options: Namespace, fitted: Fitted) -> None:
    from napari_cellinr.io import write

    write(Path(options.output), fitted.images[0])
    if options.background_output is not None:
        write(Path(options.background_output), fitted.images[1])
    if options.save_model is not None:
        from napari_cellinr.io.fitted import save_fitted

        save_fitted(Path(options.save_model), fitted)
    if options.report is not None:
        report = {**fitted.report, "stopped": fitted.stopped}
        report["seconds"] = round(time.monotonic() - options.started, 3)
        _write_json(Path(options.report), report)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    """Write all of the file or nothing of it."""
    text = json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).chmod(0o666 & ~_umask())
    Path(file.name).replace(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _plain(value: Any) -> Any:
    """Return `value` with null for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


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
