"""A macro as a notebook: its Python on files, one cell for each step, with a word before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_cellinr.macro.scripts import script

if TYPE_CHECKING:
    from napari_cellinr.macro.steps import Macro

__all__ = ["NOTEBOOK_SUFFIX", "notebook"]

NOTEBOOK_SUFFIX = ".ipynb"


def notebook(macro: Macro) -> str:
    """Return a notebook, in the format 4.5 of Jupyter, that does the steps on files.

    What was recorded of versions, data and failures is text; imports, and each step, are cells
    of their own, so that they can be run and changed one by one.
    """
    lines = script(macro, "headless").splitlines()
    notes = [line.lstrip("# ") for line in lines if line.startswith("# ")]
    code = [line for line in lines if line and not line.startswith("# ")]
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
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def _cell(kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": text}
    return cell if kind == "markdown" else {**cell, "execution_count": None, "outputs": []}
