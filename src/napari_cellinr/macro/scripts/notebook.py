"""A macro as a Jupyter notebook that works on files, with a cell for each step."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from napari_cellinr.macro.scripts.python import script_lines

if TYPE_CHECKING:
    from napari_cellinr.macro.steps import Macro

__all__ = ["NOTEBOOK_SUFFIX", "notebook"]

NOTEBOOK_SUFFIX = ".ipynb"


def notebook(macro: Macro) -> str:
    """Return a notebook in Jupyter's format 4.5 that does the steps on files.

    Versions, checksums of data and failures are text. The imports and each step are cells of
    their own, so that they can be run and changed one by one.
    """
    lines = script_lines(macro, "headless")
    notes = [_plain(line.text.removeprefix("# ")) for line in lines if line.kind == "comment"]
    code = [line.text for line in lines if line.kind == "code"]
    title = notes[0] if notes else "Recorded by napari-cellinr"
    text = [f"# {title}", *(f"- {note}" for note in notes[1:])]
    cells = [_cell("markdown", "\n".join(text))]
    cells += [_cell("code", line) for line in code]
    named = [{**cell, "id": f"step-{number}"} for number, cell in enumerate(cells)]
    about = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    book = {"cells": named, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1) + "\n"


def _plain(text: str) -> str:
    """Return text that Markdown shows unchanged, without links, HTML and formulas."""
    return re.sub(r"([\\`*_{}\[\]<>#&$|~!])", r"\\\1", text)


def _cell(kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": text}
    return cell if kind == "markdown" else {**cell, "execution_count": None, "outputs": []}
