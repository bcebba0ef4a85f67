"""Options that several commands share, with their values: each is declared here once."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any, Final, TypeVar

from napari_cellinr.cli.shared.setting_help import DEVICES, help_of, type_of
from napari_cellinr.errors import ConfigError
from napari_cellinr.text import parsed_json

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from napari_cellinr.cli.shared.parser import Parser
    from napari_cellinr.config import Config

AnyConfig = TypeVar("AnyConfig", bound="Config")

__all__ = [
    "INPUTS",
    "add_assignments",
    "add_channel",
    "add_crop",
    "add_device",
    "add_folder",
    "add_scale",
    "add_seeds",
    "add_settings",
    "add_stack",
    "add_target",
    "add_times",
    "factors_along",
    "parse_factors",
    "parse_size",
    "parse_voxel",
    "read_config",
]


INPUTS: Final = (
    "image: TIFF, NIfTI, OME-Zarr, a file of a microscope (CZI, ND2, LIF, …), or a folder"
)
"""Which files commands read, for their help."""


def add_device(parser: Parser) -> None:
    """Add the option `--device`, for commands without settings."""
    from napari_cellinr.config.base import Config

    parser.add_argument(
        "--device",
        metavar=DEVICES,
        default="auto",
        help=help_of(Config, "device"),
    )


def add_settings(parser: Parser, config: type[Config], leave_out: Container[str] = ()) -> None:
    """Add one option for each basic setting and each file, and `--set` for all of them.

    Parameters
    ----------
    parser
        The parser of the command.
    config
        The settings; those marked as advanced are listed below the options.
    leave_out
        Settings that the command declares itself.
    """
    settings = parser.add_argument_group("settings of the method")
    for name in config.model_fields:
        if name in leave_out or (config.is_advanced(name) and name not in config.FILES):
            continue
        flag: dict[str, Any] = {}
        choices = config.choices(name)
        if config.model_fields[name].default is False:  # a flag without a value
            flag = {"action": "store_const", "const": "true"}
        elif choices and name != "device":
            flag = {"choices": choices}
        else:
            flag = {"metavar": type_of(config, name)}
        settings.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"setting_{name}",
            help=help_of(config, name).replace("%", "%%"),
            **flag,
        )
    add_assignments(settings)
    more = [
        _advanced(config, name)
        for name in config.model_fields
        if config.is_advanced(name) and name not in config.FILES
    ]
    parser.epilog = "\n".join(["more settings, for --set NAME=VALUE:", *more])


def _advanced(config: type[Config], name: str) -> str:
    """Return the help of an advanced setting, in the layout of argparse."""
    indent = " " * 24
    text = f"  {name}={'|'.join(config.choices(name)) or type_of(config, name)}"
    first = f"{text:<22}" if len(text) <= 22 else f"{text}\n{indent[2:]}"
    filled = textwrap.fill(
        help_of(config, name), width=80, initial_indent=indent, subsequent_indent=indent
    )
    return f"{first}  {filled.lstrip()}"


def read_config(options: argparse.Namespace, config: type[AnyConfig]) -> AnyConfig:
    """Return the settings that were given as options or by `--set`.

    Parameters
    ----------
    options
        The parsed command line.
    config
        The class of the settings.

    Raises
    ------
    ConfigError
        If a setting is unknown, given twice, or its value is not allowed.
    """
    texts = {
        name: value
        for name in config.model_fields
        if (value := getattr(options, f"setting_{name}", None)) is not None
    }
    for name, value in _assignments(options.assignments):
        if name in texts:
            raise ConfigError(f"setting {name!r} was given twice; give it once.")
        texts[name] = value
    return config(**config.parse(texts))


def _assignments(texts: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, sign, value = (word.strip() for word in text.partition("="))
        if not sign:
            raise ConfigError(f"--set {text} was given; write NAME=VALUE, such as gain=2.")
        pairs.append((name, value))
    return pairs


def add_crop(group: Any) -> None:
    """Add the option `--crop` to a group of options."""
    group.add_argument(
        "--crop",
        metavar="z=0:20,y=50:150",
        type=parse_crop,
        default={},
        help="take this part only: first voxel and end along each axis, counted from 0",
    )


def add_channel(group: Any) -> None:
    """Add the option `--channel` to a group of options."""
    group.add_argument(
        "--channel", metavar="N", type=int, help="take this channel only; the first is 0"
    )


def add_stack(group: Any) -> None:
    """Add the option `--stack` to a group of options."""
    group.add_argument(
        "--stack",
        choices=("T", "Z"),
        help="whether the numbered files of a folder are time points (T) or z planes (Z)",
    )


def add_assignments(group: Any) -> None:
    """Add the option `--set` to a parser, or to a group of options."""
    group.add_argument(
        "--set",
        dest="assignments",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="set any setting of the method by name; may be repeated",
    )


def add_folder(parser: Parser, text: str, *, required: bool = False) -> None:
    """Add the option `--folder` to a command.

    Parameters
    ----------
    parser
        The parser of the command.
    text
        What else there is to know about the folder.
    required
        Whether it must be given.
    """
    parser.add_argument(
        "--folder", metavar="FOLDER", required=required, help=f"folder for the results; {text}"
    )


def add_target(group: Any, dest: str, **keywords: Any) -> None:
    """Add the option `--target-voxel` to a group of options.

    Parameters
    ----------
    group
        The group.
    dest
        Name of the parsed option.
    **keywords
        `type` and `default` of the option.
    """
    group.add_argument(
        "--target-voxel",
        dest=dest,
        metavar="z=0.18,y=0.18,x=0.18",
        help="voxel size of the result in the unit of the file",
        **keywords,
    )


def add_scale(group: Any, dest: str) -> None:
    """Add the option `--scale` to a group of options.

    Parameters
    ----------
    group
        The group.
    dest
        Name of the parsed option, a table as `factors_along` takes it.
    """
    group.add_argument(
        "--scale",
        dest=dest,
        metavar="2|t=2,z=2.5",
        type=parse_factors,
        help="how many times finer the result is along each axis, up to 16; a single number is "
        "for z, y and x",
    )


def add_times(group: Any, dest: str, **keywords: Any) -> None:
    """Add the option `--times` to a group of options.

    Parameters
    ----------
    group
        The group.
    dest
        Name of the parsed option.
    **keywords
        `type` and `default` of the option.
    """
    group.add_argument(
        "--times",
        dest=dest,
        metavar="0,2.5,5",
        help="times of the frames of the result, from the first frame, in the unit of the file: "
        "a list, or first:last:step; a unit may follow, as in 0,20,40ms",
        **keywords,
    )


def add_seeds(group: Any) -> None:
    """Add the option `--seeds` to a group of options."""
    group.add_argument(
        "--seeds",
        metavar="FILE.csv|grid:N|[[y,x],…]",
        type=parse_seeds,
        help="points in the reference frame to track: a table with columns y, x (and z) in "
        "voxels, a grid of N×N points, or positions [y,x] in voxels (default: grid:8 in "
        "reconstruct; arrows instead of tracks in show-motion)",
    )


def parse_seeds(text: str) -> int | list[Any] | str:
    """Return the number of points along y and x, their positions in voxels, or a file of them."""
    number = text.removeprefix("grid:")
    if number.isdecimal() and int(number) > 0:
        return int(number)
    if text.startswith("["):
        try:
            found = parsed_json(text)
            points = [[float(part) for part in point] for point in found]
            if points and len({len(point) for point in points}) == 1:
                return points
        except (ValueError, TypeError):
            pass
    elif not text.startswith("grid:") and not _is_number(text):
        return text
    raise _wrong(
        f"{text!r} was given; write the name of a table, grid:8 for 8×8 points, or positions such "
        "as [[40,60]]"
    )


def parse_factors(text: str) -> dict[str, float]:
    """Return the factor by axis letter from text such as `z=2.5,t=4`; by `*` from one number."""
    if "=" in text:
        return parse_voxel(text)
    if not _is_number(text):
        raise _wrong(f"{text!r} was given; write a factor such as 2, or factors such as z=2,y=1")
    return {"*": float(text)}


def factors_along(factors: Mapping[str, float], axes: str) -> dict[str, float]:
    """Return the factor by axis letter, where `*` stands for all spatial axes.

    Parameters
    ----------
    factors
        As `parse_factors` returns them.
    axes
        Axes of the image.
    """
    if "*" not in factors:
        return dict(factors)
    return dict.fromkeys([axis for axis in axes if axis in "ZYX"], factors["*"])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse_voxel(text: str) -> dict[str, float]:
    """Return the step by axis letter from text such as `z=0.4,y=0.1,x=0.1`."""
    steps = {}
    for axis, value in _pairs(text, "z=0.4,y=0.1,x=0.1"):
        try:
            steps[axis] = float(value)
        except ValueError:
            raise _wrong(f"{value!r} along {axis} was given; write a number") from None
    return steps


def parse_crop(text: str) -> dict[str, slice]:
    """Return the range by axis letter from text such as `z=0:20,y=:100`."""
    ranges = {}
    for axis, value in _pairs(text, "z=0:20,y=50:150"):
        start, colon, stop = value.partition(":")
        try:
            ranges[axis] = slice(int(start) if start else None, int(stop) if stop else None)
        except ValueError:
            colon = ""
        if not colon:
            raise _wrong(f"{value!r} along {axis} was given; write a range such as 0:20")
    return ranges


def parse_size(text: str) -> tuple[int, int, int]:
    """Return three positive whole numbers from text such as `48,96,96`."""
    try:
        z, y, x = (int(part) for part in text.split(","))
    except ValueError:
        z = y = x = 0
    if min(z, y, x) < 1:
        raise _wrong(f"{text!r} was given; write three whole numbers above 0, such as 48,96,96")
    return z, y, x


def _pairs(text: str, example: str) -> list[tuple[str, str]]:
    """Return pairs of axis letter, upper case, and value."""
    pairs = []
    for part in text.split(","):
        axis, sign, value = (word.strip() for word in part.partition("="))
        if not sign or axis.upper() not in set("TCZYX"):
            raise _wrong(f"{part!r} was given; write values per axis, such as {example}")
        pairs.append((axis.upper(), value))
    if len(dict(pairs)) != len(pairs):
        raise _wrong(f"{text!r} names an axis twice; give each axis once")
    return pairs


def _wrong(text: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(text)
