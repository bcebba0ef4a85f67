"""The parser of the command line: errors in one line, a short and a full help, old options."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any, Final, Never

from napari_cellinr.cli.shared.progress import say_error, say_warning
from napari_cellinr.cli.shared.streams import print_answer
from napari_cellinr.io.names import READ_ONLY, SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["RENAMED", "Commands", "Parser", "add_command"]

RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "denoise": {
        "--background-output": "--output background=",
        "--conventional": "--output conventional=",
        "--error-output": "--output error=",
        "--kept-output": "--output with-background=",
        "--save-model": "--save-fit",
        "--signal-output": "--output signal=",
        "--with-background-output": "--output with-background=",
    },
    "superresolve": {"--conventional": "--output conventional=", "--save-model": "--save-fit"},
    "reconstruct": {
        "--aligned": "--output aligned=",
        "--confidence": "--output confidence=",
        "--conventional": "--output conventional=",
        "--motion": "--output motion=",
        "--motion-error": "--output motion-error=",
        "--save-model": "--save-fit",
        "--speed": "--output speed=",
        "--tracks": "--output tracks=",
    },
    "render": {
        "--second-output": "--output second=",
        "--third-output": "--output third=",
        "--voxel": "--target-voxel",
    },
    "show-motion": {"--points": "--seeds"},
    "replay": {"--output": "--folder"},
    "batch": {"--again": "--redo", "--output": "--folder"},
}
"""New spelling of options by command and old spelling, which still works but is not in the help.

A new spelling that ends with `=` is followed by the value.
"""


class Parser(argparse.ArgumentParser):
    """A parser that prints errors as one line and accepts old spellings of options."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.usual: tuple[str, ...] = ()
        self.renamed: Mapping[str, str] = {}
        self.is_output: Callable[[str], bool] = lambda _: False

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
        self._check_files(given)
        words = list(self._one_by_one(list(self._renamed(given))))
        return super().parse_known_args(words, namespace)

    def _check_files(self, words: Sequence[str]) -> None:
        """Reject names of files that begin with a dash: argparse takes them for options."""
        for word in words:
            if word == "--":  # what follows are no options
                return
            name = word.partition("=")[0]
            is_long = name.startswith("--")
            if not _is_file_like(name, is_long=is_long) or name in self._option_string_actions:
                continue
            self.error(
                f"{word} was given, which is taken for an option since it begins with a dash; "
                f"write ./{word} for a file of this name"
            )

    def _renamed(self, words: Sequence[str]) -> Iterable[str]:
        """Yield the words with the new spellings of options, and warn about old ones."""
        rest = iter(words)
        for word in rest:
            name, sign, value = word.partition("=")
            new = self.renamed.get(name)
            if new is None:
                yield word
                continue
            shown = f"{new}FILE" if new.endswith("=") else new
            say_warning(f"{name} is now {shown}; the old spelling still works in this version.")
            if not new.endswith("="):
                yield f"{new}{sign}{value}"
            elif sign or (value := next(rest, "")):
                yield new.replace(" ", "=", 1) + value
            else:
                yield new.partition(" ")[0]  # argparse says that its value is missing

    def _one_by_one(self, words: Sequence[str]) -> Iterable[str]:
        """Yield the words with `--output A=1 B=2` as `--output A=1 --output B=2`."""
        follows = False
        for i, word in enumerate(words):
            is_value = i > 0 and words[i - 1] == "--output"
            follows = self.is_output(word) and (follows or is_value or word[:9] == "--output=")
            if follows and not is_value and not word.startswith("--"):
                yield "--output"
            yield word

    def format_help(self) -> str:
        """Return the help: the usual options, or all if they are few."""
        if not self.usual:
            return super().format_help()
        formatter = self._get_formatter()
        places = [action for action in self._actions if not action.option_strings]
        names = " ".join(str(action.metavar) for action in places)
        formatter.add_usage(f"{self.prog} {names} [options]", [], [])
        formatter.add_text(self.description)
        formatter.start_section("files")
        formatter.add_arguments(places)
        formatter.end_section()
        formatter.start_section("usual options")
        formatter.add_arguments([self._option_string_actions[name] for name in self.usual])
        formatter.end_section()
        others = len({id(action) for action in self._option_string_actions.values()})
        formatter.add_text(
            f"`{self.prog} --help-all` explains all {others} options and the other settings."
        )
        return formatter.format_help()

    def format_all(self) -> str:
        """Return the help with every option."""
        return super().format_help()


def _is_file_like(name: str, *, is_long: bool) -> bool:
    """Return whether a word with a dash is the name of a file: options have no dots or slashes."""
    if not name.startswith("-") or name in {"-", "-h"}:
        return False
    if is_long:
        return "." in name or "/" in name
    return re.match(r"-[\d.,:]", name) is None or name.lower().endswith(_ENDINGS)


_ENDINGS: Final = (*SUFFIXES, *READ_ONLY, ".cellinr", ".csv", ".json", ".py")
"""Ends of the names of files, by which they are distinguished from negative numbers."""


class _HelpAll(argparse.Action):
    """Prints the help with every option and ends the program."""

    def __call__(self, parser: Any, *_: Any) -> None:
        parser._print_message(parser.format_all())
        parser.exit()


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
        The parser of the command. Its attribute `usual` are the options that `--help` shows, if
        not all; `--help-all` shows all.
    """
    parser = commands.add_parser(
        name,
        help=help_text,
        description=f"{help_text[0].upper()}{help_text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--help-all", action=_HelpAll, nargs=0, help="show all options and exit")
    parser.set_defaults(run=run)
    parser.renamed = RENAMED.get(name, {})
    return parser
