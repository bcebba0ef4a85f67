"""What the options of the commands share: the parser, and values such as `z=0.4,y=0.1,x=0.1`."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any, Never, TypeVar

from napari_cellinr.errors import ConfigError
from napari_cellinr.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_cellinr.config import Config

AnyConfig = TypeVar("AnyConfig", bound="Config")

__all__ = [
    "Commands",
    "Parser",
    "add_command",
    "add_device",
    "add_settings",
    "parse_crop",
    "parse_size",
    "parse_voxel",
    "read_config",
]


class Parser(argparse.ArgumentParser):
    """A parser that reports a wrong option as one line, like every other error."""

    def error(self, message: str) -> Never:
        """End the program with exit status 2."""
        self.exit(2, f"error: {' '.join(one_line(message).split())} (see {self.prog} --help)\n")


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Parser]
else:
    Commands = Any


def add_command(
    commands: Commands, name: str, help_text: str, run: Callable[[Any], int], epilog: str = ""
) -> Parser:
    """Return the parser of the new command `name`, which is done by `run`."""
    parser = commands.add_parser(
        name,
        help=help_text,
        description=f"{help_text[0].upper()}{help_text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_device(parser: Parser) -> None:
    """Add the option that says where to compute, for commands without settings."""
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="where to compute; auto takes a GPU if there is one",
    )


def add_settings(parser: Parser, config: type[Config]) -> None:
    """Add one option for each setting that most users need, and `--set` for all of them."""
    settings = parser.add_argument_group("settings of the method")
    for name in config.model_fields:
        if not config.is_advanced(name):
            choices = config.choices(name)
            if config.model_fields[name].default is False:  # said by the word alone
                settings.add_argument(
                    f"--{name.replace('_', '-')}",
                    dest=f"setting_{name}",
                    action="store_const",
                    const="true",
                    help=_help(config, name).replace("%", "%%"),
                )
                continue
            settings.add_argument(
                f"--{name.replace('_', '-')}",
                dest=f"setting_{name}",
                choices=choices or None,
                metavar=None if choices else {"s": "S"}.get(config.unit(name), "N"),
                help=_help(config, name).replace("%", "%%"),
            )
    settings.add_argument(
        "--set",
        dest="assignments",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="any setting by its name, also those listed below; may be repeated",
    )
    more = [_advanced(config, name) for name in config.model_fields if config.is_advanced(name)]
    parser.epilog = "\n".join(["more settings, for --set NAME=VALUE:", *more])


def _advanced(config: type[Config], name: str) -> str:
    """Return the entry of a setting that has no option of its own, laid out like argparse's."""
    indent = " " * 24
    return textwrap.fill(f"  {name:<20}  {_help(config, name)}", width=80, subsequent_indent=indent)


def _help(config: type[Config], name: str) -> str:
    """Return the help of a setting with its unit and what it is if it is not given."""
    default = config.model_fields[name].default
    unit = "" if default is None else config.unit(name)
    usual = [f"default {'none' if default is None else default} {unit}".strip()]
    for preset, values in config.PRESETS.items():
        if values.get(name, default) != default:
            usual.append(f"{preset}: {values[name]}")
    return f"{config.help(name).rstrip('.')} ({'; '.join(usual)})"


def read_config(options: argparse.Namespace, config: type[AnyConfig]) -> AnyConfig:
    """Return the settings that were given as options or by `--set`, checked.

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
            raise ConfigError(f"--set {text} was given; NAME=VALUE is needed, such as gain=2.")
        pairs.append((name, value))
    return pairs


def parse_voxel(text: str) -> dict[str, float]:
    """Return the step by axis letter from text such as `z=0.4,y=0.1,x=0.1`."""
    steps = {}
    for axis, value in _pairs(text, "z=0.4,y=0.1,x=0.1"):
        try:
            steps[axis] = float(value)
        except ValueError:
            raise _wrong(f"{value!r} along {axis} is not a number") from None
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
            raise _wrong(f"{value!r} along {axis} is not a range such as 0:20")
    return ranges


def parse_size(text: str) -> tuple[int, int, int]:
    """Return three positive whole numbers from text such as `48,96,96`."""
    try:
        z, y, x = (int(part) for part in text.split(","))
    except ValueError:
        z = y = x = 0
    if min(z, y, x) < 1:
        raise _wrong(f"{text!r} was given; three whole numbers such as 48,96,96 are needed")
    return z, y, x


def _pairs(text: str, example: str) -> list[tuple[str, str]]:
    """Return the axis letters, upper case, each with what was given for it."""
    pairs = []
    for part in text.split(","):
        axis, sign, value = (word.strip() for word in part.partition("="))
        if not sign or axis.upper() not in set("TCZYX"):
            raise _wrong(f"{part!r} was given; something like {example} is needed")
        pairs.append((axis.upper(), value))
    if len(dict(pairs)) != len(pairs):
        raise _wrong(f"{text!r} names an axis twice")
    return pairs


def _wrong(text: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(text)
