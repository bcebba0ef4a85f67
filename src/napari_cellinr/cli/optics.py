"""`napari-cellinr optics KIND`: a JSON template with the settings of a microscope."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import answer
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.io.names import place_of

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.config.optics import Optics

__all__ = ["add", "read_optics", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.config.optics import KINDS

    help_text = "print a JSON template with the settings of a microscope, with explanations"
    epilog = (
        "Save the template, adapt the values, and give the file to reconstruct --optics.\n"
        "Lengths are in µm, times in s, angles in degrees; _help may stay in the file."
    )
    parser = add_command(commands, "optics", help_text, run, epilog)
    parser.add_argument("kind", metavar="KIND", choices=list(KINDS), help=", ".join(KINDS))


def run(options: Namespace) -> int:
    """Print the template, and return 0."""
    from napari_cellinr.config.optics import template

    answer(template(options.kind))
    return 0


def read_optics(text: str) -> Optics:
    """Return the optics for the value of `--optics`: a kind, JSON, or the name of a JSON file.

    Paths inside a JSON file are relative to the folder of that file.

    Raises
    ------
    ConfigError
        If there is no such kind, or a value is not allowed.
    FileError
        If the file cannot be read.
    """
    from napari_cellinr.config.optics import KINDS, optics_from_dict, optics_from_json
    from napari_cellinr.macro.naming import SAMPLE

    if text.lstrip().startswith("{"):
        return optics_from_json(text)
    path = place_of(text)
    if text in KINDS:
        return optics_from_dict({"kind": text})
    if path.suffix.lower() != ".json" and not path.exists():
        raise ConfigError(
            f"--optics {text} was given; allowed are {', '.join(KINDS)}, or a JSON file."
        )
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError:
        raise FileError(f"{path} is not a text file in UTF-8; a JSON file is needed.") from None
    optics = optics_from_json(content)
    values = optics.as_dict()
    named = {name: str(values[name]) for name in optics.FILES if values.get(name)}
    beside = {
        name: str(path.parent / place_of(file))
        for name, file in named.items()
        if not file.startswith(SAMPLE)
    }
    return optics_from_dict({**values, **beside})
