"""The option `--output ROLE=FILE`: the images and tables that a command saves besides OUTPUT."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.cli.shared.parser import Parser

__all__ = ["ROLES", "SYNONYMS", "add_outputs", "dest_of"]

ROLES: dict[str, str] = {
    "background": "the background",
    "signal": "the denoised image without background",
    "with-background": "the denoised image with background",
    "error": "the standard error of each voxel (presets fast and best)",
    "motion": "the displacement from the reference frame, in µm, axes T C Z Y X",
    "speed": "the speed, in µm/s",
    "confidence": "the confidence of the motion, or of frames between frames, 0 to 1",
    "motion-error": "the error of the motion, in pixels of the frames",
    "aligned": "the raw frames, each moved to where its material was in the reference frame",
    "tracks": "a table (.csv) of the tracks of the --seeds",
    "conventional": "the result of a conventional method, to compare with",
}
"""What is in each further output, by its role."""

SYNONYMS = {"kept": "with-background"}
"""Other names of roles: those of `Fitted.roles`."""


def dest_of(role: str) -> str:
    """Return the name of the parsed option that holds the file of a role."""
    return role if role in {"conventional", "tracks"} else f"{role.replace('-', '_')}_output"


def add_outputs(parser: Parser, group: Any, roles: Mapping[str, str] | None) -> None:
    """Declare the option `--output` of a command.

    Each file becomes an attribute of the parsed options, named by `dest_of`.

    Parameters
    ----------
    parser, group
        The parser, and the group of its options to which this one belongs.
    roles
        What is in each output, by its role; None if only the saved fit knows its roles. Then
        `outputs` of the parsed options holds pairs of role and file.
    """
    known = roles or {}
    listed = "; ".join(f"{role}: {text}" for role, text in known.items())
    group.add_argument(
        "--output",
        metavar="ROLE=FILE",
        action=_Output,
        dest="outputs",
        default=[],
        roles=None if roles is None else tuple(known),
        help="also save this output; may be repeated, also as --output ROLE=FILE ROLE=FILE. "
        + (f"Roles: {listed}" if known else "Roles are those of the fit, such as background"),
    )
    parser.is_output = lambda word: _is_output(word, known)
    parser.set_defaults(**{dest_of(role): None for role in known})


def _is_output(word: str, known: Mapping[str, str]) -> bool:
    """Return whether a word is one more value of `--output`, which takes several."""
    role = word.removeprefix("--output=").partition("=")[0]
    if "=" not in word or Path(word).exists():
        return False
    return role in {*known, *SYNONYMS} if known else re.fullmatch("[a-z-]+", role) is not None


class _Output(argparse.Action):
    """Stores the file of a role."""

    def __init__(self, *arguments: Any, roles: tuple[str, ...] | None, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.roles = roles

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        role, sign, file = str(values).partition("=")
        role = SYNONYMS.get(role, role) if self.roles is not None else role
        if not (sign and file) or (self.roles is not None and role not in self.roles):
            which = "" if self.roles is None else f"; the roles are {', '.join(self.roles)}"
            parser.error(
                f"--output {values} was given; write ROLE=FILE, such as "
                f"{(self.roles or ('background',))[0]}=file.tif{which}"
            )
        if any(role == earlier for earlier, _ in namespace.outputs):
            parser.error(f"--output {role}=… was given twice; give each role once")
        namespace.outputs = [*namespace.outputs, (role, file)]
        if self.roles is not None:
            setattr(namespace, dest_of(role), file)
