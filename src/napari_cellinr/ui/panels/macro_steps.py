"""Asks for confirmation before the steps of a macro from a file are run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from napari_cellinr.errors import FileError
from napari_cellinr.macro.plan import (
    Rules,
    input_files,
    plan_lines,
    saved_files,
)
from napari_cellinr.text import one_line
from napari_cellinr.ui.session.written import opened_files
from napari_cellinr.ui.widgets.prompt import can_ask, parent_window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import napari

    from napari_cellinr.macro import Macro

__all__ = ["checked_writes", "confirm"]

_MOST_LINES: Final = 16
"""Steps that the message shows; its details list all of them."""


def checked_writes(viewer: napari.Viewer, macro: Macro) -> tuple[Path, ...]:
    """Return the files that a macro saves, checked.

    Parameters
    ----------
    viewer
        The viewer, whose opened files must not be overwritten.
    macro
        The steps.

    Raises
    ------
    FileError
        If one of them is an input of the macro, or a layer was opened from it.
    """
    inputs = input_files(macro, opened_files(viewer))
    rules = Rules(inputs=inputs, allow_outside=True, overwrite=True)
    writes = saved_files(macro)
    for place in writes:
        rules.check(place)
    return writes


def confirm(
    name: str, macro: Macro, writes: Sequence[Path], folder: str | Path | None = None
) -> bool:
    """Return whether the user agrees to the steps of a macro.

    Parameters
    ----------
    name
        Name of its file.
    macro
        The steps.
    writes
        The files that it saves; their absolute paths are shown.
    folder
        Folder of the results, if the macro does not name files; None if the results are layers.

    Raises
    ------
    FileError
        If there is no window to ask in.
    """
    if not can_ask():
        raise FileError(
            f"{name} was given, whose steps need your confirmation, but there is no window to ask "
            "in; call cellinr.replay(macro, ask=False) if you trust it."
        )
    lines = plan_lines(macro, [place.absolute() for place in writes], folder)
    box = QMessageBox(parent_window())
    box.setTextFormat(Qt.TextFormat.PlainText)  # names are not HTML
    box.setWindowTitle("Run macro")
    more = ["…"] if len(lines) > _MOST_LINES else []
    shown = [f"Run these steps of {one_line(name)}?", "", *lines[:_MOST_LINES], *more]
    box.setText("\n".join(shown))
    box.setDetailedText("\n".join(lines) if more else "")
    run = box.addButton("Run", QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    box.exec()
    return box.clickedButton() is run
