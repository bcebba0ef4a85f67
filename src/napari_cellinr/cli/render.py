"""`napari-cellinr render FIT OUTPUT`: images from a saved fit, without fitting again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.fitting import describe_image
from napari_cellinr.cli.shared.options import (
    add_channel,
    add_crop,
    add_device,
    add_scale,
    add_target,
    add_times,
    factors_along,
    parse_voxel,
)
from napari_cellinr.cli.shared.outputs import SYNONYMS, add_outputs
from napari_cellinr.cli.shared.overwrite import add_overwrite, check_overwrite
from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import say
from napari_cellinr.cli.shared.times import in_unit, parse_moments
from napari_cellinr.errors import ConfigError
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

__all__ = ["add", "run"]

_ORDINALS = {"second": 1, "third": 2}
"""Positions of images by the words of options of earlier versions."""


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "render a saved fit (see --save-fit) at another scale, time or crop"
    parser = add_command(commands, "render", help_text, run)
    parser.add_argument("fit", metavar="FIT", help="saved fit, such as embryo.cellinr")
    parser.add_argument("output", metavar="OUTPUT", help="file for the result, such as out.tif")
    add_scale(parser, "scale")
    add_target(parser, "voxel", type=parse_voxel, default={})
    add_times(parser, "times", type=parse_moments)
    add_crop(parser)
    add_channel(parser)
    add_outputs(parser, parser, None)
    add_overwrite(parser)
    add_device(parser)


def run(options: Namespace) -> int:
    """Write the images and return 0."""
    from napari_cellinr.api import render
    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import stored
    from napari_cellinr.io import check_writable, load_fitted, write
    from napari_cellinr.methods import method_of_fit, roles_of

    names = (options.output, *(name for _, name in options.outputs))
    check_overwrite(options, names, [options.fit])
    for name in names:
        check_writable(name)
    fit = stored(*load_fitted(options.fit))
    scale = factors_along(options.scale or {}, str(fit.source["axes"]))
    counted = "second" if method_of_fit(fit).renderable.own_grid else ""
    axes, units = str(fit.source["axes"]), fit.source["units"]
    times = options.times and in_unit(options.times, axes, units, counted)
    query = Query(scale, options.voxel, times, options.crop, options.channel)
    places = [_place_of(role, roles_of(fit), options.fit) for role, _ in options.outputs]
    images = render(fit, query, device=options.device)
    wanted = list(zip((0, *places), names, strict=True))
    for place, name in wanted:
        if place >= len(images):  # a fit of version 0.1 does not say how many images it has
            raise ConfigError(
                f"{options.fit} has {n_of(len(images), 'image')} only; leave {name} out."
            )
    for place, name in wanted:
        write(name, images[place])
        say(f"wrote {name}: {describe_image(images[place])}")
    return 0


def _place_of(role: str, roles: Sequence[str], fit: str) -> int:
    """Return the position of an image of a fit by its role, also `second` and `third`."""
    wanted = SYNONYMS.get(role, role)
    named = [SYNONYMS.get(known, known) for known in roles]
    if role in _ORDINALS:
        return _ORDINALS[role]
    if wanted in named:
        return named.index(wanted)
    raise ConfigError(
        f"--output {role}=… was given; {fit} has {', '.join(named[1:]) or 'no more'}."
    )
