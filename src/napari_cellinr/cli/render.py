"""`napari-cellinr render FIT OUTPUT`: images from a saved fit, without fitting again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.fitting import describe_image
from napari_cellinr.cli.shared.options import (
    Commands,
    add_command,
    add_device,
    parse_crop,
    parse_voxel,
)
from napari_cellinr.cli.shared.overwrite import add_overwrite, check_overwrite
from napari_cellinr.cli.shared.progress import say
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.saved.stored import times_of

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "render a saved fit (see --save-fit) at another scale, time or crop"
    parser = add_command(commands, "render", help_text, run)
    parser.add_argument("fit", metavar="FIT", help="saved fit, such as embryo.cellinr")
    parser.add_argument("output", metavar="OUTPUT", help="file for the result, such as out.tif")
    parser.add_argument(
        "--scale",
        metavar="z=2.5,y=1,x=1",
        type=_parse_scale,
        default={},
        help="upsampling factor relative to the fitted image; a single number is for z, y and x",
    )
    parser.add_argument(
        "--voxel",
        metavar="z=0.2,y=0.1,x=0.1",
        type=parse_voxel,
        default={},
        help="voxel size of the result in the unit of the fitted image, instead of --scale",
    )
    parser.add_argument(
        "--times",
        metavar="T,T,…",
        type=_parse_times,
        help="times from the first frame, in the unit of the fitted image: 0,2.5,5 or "
        "first:last:step",
    )
    parser.add_argument(
        "--crop",
        metavar="z=0:20,y=50:150",
        type=parse_crop,
        default={},
        help="part of the fitted image: first:end in voxels along each axis, counted from 0",
    )
    parser.add_argument(
        "--channel", metavar="N", type=int, help="render only this channel; the first is 0"
    )
    parser.add_argument(
        "--second-output",
        metavar="FILE",
        help="also save the second image of the fit, such as the background",
    )
    parser.add_argument(
        "--third-output",
        metavar="FILE",
        help="also save the third image, such as the denoised image with background",
    )
    add_overwrite(parser)
    add_device(parser)


def run(options: Namespace) -> int:
    """Write the images and return 0."""
    from napari_cellinr.fitting.saved.stored import Query, stored
    from napari_cellinr.io import check_writable, load_fitted, write

    names = (options.output, options.second_output, options.third_output)
    outputs = {index: name for index, name in enumerate(names) if name is not None}
    check_overwrite(options, names, [options.fit])
    for name in outputs.values():
        check_writable(name)
    fit = stored(*load_fitted(options.fit))
    query = Query(options.scale, options.voxel, options.times, options.crop, options.channel)
    from napari_cellinr.api import render

    images = render(fit, query, device=options.device)
    if max(outputs) >= len(images):
        which = ("second", "third")[len(images) - 1]
        raise ConfigError(f"{options.fit} has no {which} image; leave --{which}-output out.")
    for index, name in outputs.items():
        write(name, images[index])
        say(f"wrote {name}: {describe_image(images[index])}")
    return 0


def _parse_scale(text: str) -> dict[str, float]:
    """Return the factor by axis letter from text such as `2` or `z=2.5,t=4`."""
    if "=" in text:
        return parse_voxel(text)
    try:
        return dict.fromkeys("ZYX", float(text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} was given; write a factor such as 2, or factors such as z=2,y=1"
        ) from None


def _parse_times(text: str) -> tuple[float, ...]:
    """Return times from text such as `0,2.5,5` or `0:10:0.5` (both ends included)."""
    try:
        return times_of(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
