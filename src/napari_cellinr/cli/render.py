"""`napari-cellinr render MODEL OUTPUT`: images from a fit that was kept, without another fit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.fitting import describe_image
from napari_cellinr.cli.shared.options import (
    Commands,
    add_command,
    add_device,
    parse_crop,
    parse_voxel,
)
from napari_cellinr.cli.shared.progress import say
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.fitting.stored import times_of

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "render a fit that was kept with --save-model at another scale, time or crop"
    parser = add_command(commands, "render", help_text, run)
    parser.add_argument("model", metavar="MODEL", help="file of a fit, such as embryo.cellinr")
    parser.add_argument("output", metavar="OUTPUT", help="file for the result, such as out.tif")
    parser.add_argument(
        "--scale",
        metavar="z=2.5,y=1,x=1",
        type=_parse_scale,
        default={},
        help="samples for each one of the fit along an axis; one number counts for z, y and x",
    )
    parser.add_argument(
        "--voxel",
        metavar="z=0.2,y=0.1,x=0.1",
        type=parse_voxel,
        default={},
        help="wanted voxel size in the unit of the fit, instead of --scale",
    )
    parser.add_argument(
        "--times",
        metavar="T,T,…",
        type=_parse_times,
        help="times in the unit of the fit, from its first frame: 0,2.5,5 or first:last:step",
    )
    parser.add_argument(
        "--crop",
        metavar="z=0:20,y=50:150",
        type=parse_crop,
        default={},
        help="this part only: first voxel of the fit and end along each axis, counted from 0",
    )
    parser.add_argument(
        "--channel", metavar="N", type=int, help="this channel only; the first is 0"
    )
    parser.add_argument(
        "--second-output",
        metavar="FILE",
        help="file for the second image of the fit, such as the background of a denoised one",
    )
    parser.add_argument(
        "--third-output",
        metavar="FILE",
        help="file for the third image, such as a denoised one with its background",
    )
    add_device(parser)


def run(options: Namespace) -> int:
    """Return 0 after the images were written."""
    from napari_cellinr.fitting.stored import Query, stored
    from napari_cellinr.io import check_writable, load_fitted, write

    asked = (options.output, options.second_output, options.third_output)
    outputs = {place: name for place, name in enumerate(asked) if name is not None}
    places = [Path(name).expanduser().resolve() for name in (options.model, *outputs.values())]
    if len(set(places)) < len(places):
        raise FileError("one file was given twice; give every file a name of its own.")
    for name in outputs.values():
        check_writable(name)
    kept = stored(*load_fitted(options.model))
    query = Query(options.scale, options.voxel, options.times, options.crop, options.channel)
    from napari_cellinr.api import render

    images = render(kept, query, device=options.device)
    if max(outputs) >= len(images):
        which = ("second", "third")[len(images) - 1]
        raise ConfigError(f"{options.model} has no {which} image; leave --{which}-output out.")
    for place, name in outputs.items():
        write(name, images[place])
        say(f"wrote {name}: {describe_image(images[place])}")
    return 0


def _parse_scale(text: str) -> dict[str, float]:
    """Return the factor by axis letter from text such as `2` or `z=2.5,t=4`."""
    if "=" in text:
        return parse_voxel(text)
    try:
        return dict.fromkeys("ZYX", float(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor like z=2,y=1") from None


def _parse_times(text: str) -> tuple[float, ...]:
    """Return times from text such as `0,2.5,5` or `0:10:0.5`, the last one included."""
    try:
        return times_of(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
