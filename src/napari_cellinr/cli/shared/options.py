"""The parser of the command line, and options and values that several commands share."""

from __future__ import annotations

import argparse
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final, Never, TypeVar

from napari_cellinr.cli.shared.progress import say_error, say_warning
from napari_cellinr.cli.shared.streams import print_answer
from napari_cellinr.errors import ConfigError

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


_DEVICES: Final = "{auto,cpu,cuda,cuda:N,mps}"

RENAMED: Final = {
    "--again": "--redo",
    "--kept-output": "--with-background-output",
    "--save-model": "--save-fit",
}
"""New names of options by their old ones, which still work but are not in the help."""


class Parser(argparse.ArgumentParser):
    """A parser that prints errors as one line and accepts old names of options."""

    def error(self, message: str) -> Never:
        """End the program with exit status 2."""
        say_error(f"{message} (see {self.prog} --help)")
        raise SystemExit(2)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help and version, which argparse would lose without a word on a full disk."""
        print_answer(message.rstrip("\n"))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the parsed options and the arguments that are left, as argparse does.

        Parameters
        ----------
        args
            Command line without the name of the program; `sys.argv[1:]` by default.
        namespace
            Where the options are put; a new namespace by default.
        """
        given = sys.argv[1:] if args is None else args
        return super().parse_known_args([_renamed(word) for word in given], namespace)


def _renamed(word: str) -> str:
    """Return an argument with the new name of its option, and warn if it had the old one."""
    name, sign, value = word.partition("=")
    if name not in RENAMED:
        return word
    say_warning(f"{name} is now called {RENAMED[name]}; the old name still works.")
    return f"{RENAMED[name]}{sign}{value}"


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Parser]
else:
    Commands = Any


def add_command(
    commands: Commands, name: str, help_text: str, run: Callable[[Any], int], epilog: str = ""
) -> Parser:
    """Add a command.

    Parameters
    ----------
    commands
        The commands of the main parser.
    name
        Name of the command.
    help_text
        What it does, without a capital letter and a full stop.
    run
        Executes it: takes the parsed options, returns the exit status.
    epilog
        Text below the options in its help.

    Returns
    -------
    Parser
        The parser of the command.
    """
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
    """Add the option `--device`, for commands without settings."""
    parser.add_argument(
        "--device",
        metavar=_DEVICES,
        default="auto",
        help="where to compute; auto uses a GPU if there is one, cuda:1 is the second of several",
    )


def add_settings(parser: Parser, config: type[Config]) -> None:
    """Add one option for each basic setting and each file, and `--set` for all of them.

    Parameters
    ----------
    parser
        The parser of the command.
    config
        The settings; those marked as advanced are listed below the options.
    """
    settings = parser.add_argument_group("settings of the method")
    for name in config.model_fields:
        if name in config.FILES or not config.is_advanced(name):
            choices = config.choices(name)
            if config.model_fields[name].default is False:  # a flag without a value
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
                choices=(choices or None) if name != "device" else None,
                metavar=None if choices and name != "device" else _metavar(config, name),
                help=_help(config, name).replace("%", "%%"),
            )
    settings.add_argument(
        "--set",
        dest="assignments",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="set any setting by name, including those listed below; may be repeated",
    )
    more = [
        _advanced(config, name)
        for name in config.model_fields
        if config.is_advanced(name) and name not in config.FILES
    ]
    parser.epilog = "\n".join(["more settings, for --set NAME=VALUE:", *more])


def _metavar(config: type[Config], name: str) -> str:
    """Return what stands for the value of a setting in the help."""
    if name == "device":
        return _DEVICES
    if name in config.FILES:
        return "FILE"
    return "S" if config.unit(name) == "s" else "N"


def _advanced(config: type[Config], name: str) -> str:
    """Return the help of an advanced setting, in the layout of argparse."""
    indent = " " * 24
    return textwrap.fill(f"  {name:<20}  {_help(config, name)}", width=80, subsequent_indent=indent)


def _help(config: type[Config], name: str) -> str:
    """Return the help of a setting with its unit and its defaults."""
    default = config.model_fields[name].default
    unit = "" if default is None else config.unit(name)
    usual = [f"default {'none' if default is None else default} {unit}".strip()]
    for preset, values in config.PRESETS.items():
        if values.get(name, default) != default:
            usual.append(f"{preset}: {values[name]}")
    return f"{config.help(name).rstrip('.')} ({'; '.join(usual)})"


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
