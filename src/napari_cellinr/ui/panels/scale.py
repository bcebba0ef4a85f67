"""The upsampling factor along each axis, and the size and voxels that follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import Slot
from qtpy.QtWidgets import QGridLayout, QLabel, QLineEdit, QPushButton

from napari_cellinr.classic.sampling import MAX_FACTOR, placed, samplings
from napari_cellinr.config import SpatimeConfig
from napari_cellinr.errors import CellINRError
from napari_cellinr.methods.spatime.output_grid import output_grid
from napari_cellinr.ui.layers.voxel_steps import SIGNS
from napari_cellinr.ui.task import Section
from napari_cellinr.ui.widgets.forms import LABEL_WIDTH
from napari_cellinr.ui.widgets.labels import wrapping_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.image import Image

__all__ = ["ScaleSection", "isotropic_factors", "number_of", "sizes_text", "usual_factors"]

_AXES: Final = {axis: f"Upsampling in {axis}" for axis in "TZYX"}


class ScaleSection(Section):
    """A factor for each axis of the image, and its size and voxels before and after."""

    names = ("scale", "isotropic", "target_voxel", "times", "stamps")

    def __init__(self) -> None:
        super().__init__()
        self._image: Image | None = None
        self._typed: set[str] = set()
        self._suggested: dict[str, float] = {}
        self._fault = ""
        self.boxes = {axis: QLineEdit() for axis in _AXES}
        self._labels = {axis: QLabel(text) for axis, text in _AXES.items()}
        self.isotropic = QPushButton("Make isotropic")
        self.summary = wrapping_label()
        self.error = wrapping_label(kind="error")
        self._lay_out()
        for axis, box in self.boxes.items():
            box.setToolTip(f"Upsampling factor along {axis}, up to 16; 1 leaves it unchanged.")
            box.setAccessibleName(self._labels[axis].text())
            box.textEdited.connect(self._on_edited)
        self.isotropic.clicked.connect(self.make_isotropic)
        self._show()

    def values(self) -> dict[str, Any]:
        """Return the factors that differ from 1; the entered text where it is not a number."""
        found: dict[str, Any] = {}
        for axis, box in self.boxes.items():
            if self._has(axis) and (value := number_of(box.text())) != 1:
                found[axis.lower()] = value
        return {"scale": found}

    def set_config(self, config: Any) -> None:
        """Show the factors of a configuration; suggested ones if it has none."""
        factors = {axis.upper(): value for axis, value in dict(config.scale or {}).items()}
        for axis, box in self.boxes.items():
            box.setText(f"{factors.get(axis, 1):g}")
        self._typed = set(self.boxes) if factors else set()
        self._suggest()
        self._show()

    def show_image(self, image: Image | None) -> None:
        """Show the axes of another image, with suggested factors where none were entered."""
        self._image = image
        self._suggest()
        self._show()

    def explain(self, faults: Mapping[str, str]) -> None:
        """Show the error of the factors, if there is one."""
        self._fault = faults.get("scale", "")
        self._show()

    def _suggest(self) -> None:
        """Enter the suggested factors along axes for which the user has entered none."""
        if self._image is None:
            return
        self._suggested = usual_factors(self._image)
        for axis in set(self.boxes) - self._typed:
            self.boxes[axis].setText(f"{self._suggested.get(axis, 1):.6g}")

    @Slot()
    def make_isotropic(self) -> None:
        """Enter the factors that make the voxels isotropic."""
        if self._image is None or not self._image.is_calibrated:
            return
        for axis, factor in isotropic_factors(self._image).items():
            self.boxes[axis].setText(f"{factor:.6g}")
        self._on_edited()

    def _has(self, axis: str) -> bool:
        """Return whether the image can be upsampled along an axis."""
        if self._image is None:
            return True
        return axis in self._image.axes and (axis != "T" or self._image.sizes["T"] > 1)

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(4)
        grid.setColumnMinimumWidth(0, LABEL_WIDTH)
        grid.setColumnStretch(1, 1)
        for row, axis in enumerate(_AXES):
            grid.addWidget(self._labels[axis], row, 0)
            grid.addWidget(self.boxes[axis], row, 1)
        for row, widget in enumerate((self.isotropic, self.error, self.summary), len(_AXES)):
            grid.addWidget(widget, row, 0, 1, 2)

    @Slot()
    def _on_edited(self) -> None:
        self._typed |= {
            axis
            for axis, box in self.boxes.items()
            if box.text() != f"{self._suggested.get(axis, 1):.6g}"
        }
        self._fault = ""  # of what was entered before
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        """Show the axes of the image, and the size and voxels of the result."""
        for axis in _AXES:
            for widget in (self._labels[axis], self.boxes[axis]):
                widget.setVisible(self._has(axis))
        known = self._image is not None and self._image.is_calibrated
        self.isotropic.setEnabled(known)
        self.isotropic.setToolTip(
            "Enter the factors that make the voxels isotropic."
            if known
            else "The voxel size is unknown: enter it above first."
        )
        summary, fault = self._outcome()
        fault = fault or self._fault
        self.summary.setText(summary)
        self.error.setText(fault)
        self.error.setVisible(bool(fault))
        self.summary.setVisible(bool(summary))

    def _outcome(self) -> tuple[str, str]:
        """Return size and voxels before and after, or an error message."""
        if self._image is None:
            return "", ""
        factors = self.values()["scale"]
        wrong = [axis for axis, value in factors.items() if not isinstance(value, float)]
        if wrong:
            return "", f"{factors[wrong[0]]!r} along {wrong[0].upper()} was given; enter a number."
        try:
            maps = samplings(self._image, factors)
            shape = output_grid(self._image, SpatimeConfig(scale=factors)).shape(self._image)
        except CellINRError as error:
            return "", str(error)
        sizes = dict(zip(self._image.axes, shape, strict=True))
        zeros = np.broadcast_to(np.float32(0), tuple(sizes.values()))
        after = placed(self._image, zeros, maps)
        units = dict(zip(after.axes, after.units, strict=True))
        steps, finer = self._image.steps, after.steps
        changes = [
            f"{axis}: {steps[axis]:.4g} → {finer[axis]:.4g} {_sign(axis, units[axis])}"
            for axis in after.axes
            if axis in maps and maps[axis].step != 1
        ]
        return "\n".join([sizes_text(self._image, after), *changes]), ""


def _sign(axis: str, unit: str) -> str:
    """Return the symbol of a unit along an axis; frames where the interval is unknown."""
    return "frames" if axis == "T" and unit == "pixel" else SIGNS.get(unit, unit)


def sizes_text(before: Image, after: Image) -> str:
    """Return the axes and sizes of two images, such as `ZYX: 6 × 8 × 8 → 15 × 8 × 8`.

    Parameters
    ----------
    before, after
        The images.
    """
    first, then = (" × ".join(map(str, image.shape)) for image in (before, after))
    axes = "" if before.axes == after.axes else f"{after.axes}: "
    return f"{before.axes}: {first} → {axes}{then}"


def usual_factors(image: Image) -> dict[str, float]:
    """Return suggested upsampling factors by axis letter.

    2 along T for a time series; else isotropic voxels for a stack with coarser Z; else 2 along Y
    and X.
    """
    if image.sizes.get("T", 1) > 1:
        return {"T": 2.0}
    along_z = isotropic_factors(image).get("Z", 1.0) if image.is_calibrated else 1.0
    if image.sizes.get("Z", 1) > 1 and along_z > 1:
        return {"Z": min(along_z, float(MAX_FACTOR))}
    return {"Y": 2.0, "X": 2.0}


def isotropic_factors(image: Image) -> dict[str, float]:
    """Return the factors along the spatial axes that make the voxels isotropic."""
    steps = {axis: step for axis, step in image.steps.items() if axis in "ZYX"}
    finest = min(steps.values())
    return {axis: step / finest for axis, step in steps.items()}


def number_of(text: str) -> float | str:
    """Return a text as number, 1 if it is empty, or the text itself if it is not a number."""
    try:
        return float(text.replace(",", ".")) if text.strip() else 1.0
    except ValueError:
        return text
