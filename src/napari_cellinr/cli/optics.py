"""`napari-cellinr optics KIND`: a JSON template of a microscope, to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellinr.cli.options import Commands, add_command
from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.config.optics import Optics

__all__ = ["add", "read_optics", "run"]

_FILES = ("psf", "otf")


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.config.optics import KINDS

    help_text = "print the settings of a kind of microscope as JSON, with explanations"
    epilog = (
        "Save it, change what is different, and give the file to reconstruct --optics.\n"
        "Lengths are in µm, times in s, angles in degrees; _help may stay in the file."
    )
    parser = add_command(commands, "optics", help_text, run, epilog)
    parser.add_argument("kind", metavar="KIND", choices=list(KINDS), help=", ".join(KINDS))


def run(options: Namespace) -> int:
    """Print the template, and return 0."""
    from napari_cellinr.config.optics import template

    print(template(options.kind))
    return 0


def read_optics(text: str) -> Optics:
    """Return the optics that a word on the command line means: a kind, or a JSON file.

    Files that the JSON names lie beside it, unless their path is absolute.

    Raises
    ------
    ConfigError
        If the kind is unknown, or a value in the file is not allowed.
    FileError
        If the file cannot be read.
    """
    from napari_cellinr.config.optics import KINDS, optics_from_dict, optics_from_json

    path = Path(text)
    if text in KINDS or path.suffix.lower() != ".json":
        return optics_from_dict({"kind": text})
    try:
        optics = optics_from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise FileError(f"{path} is not a text file; a JSON file is needed.") from None
    values = optics.as_dict()
    for name in _FILES:
        if isinstance(values.get(name), str):
            values[name] = str(path.parent / values[name])
    return optics_from_dict(values)
