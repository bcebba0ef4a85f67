"""How much finer a result is to be along each axis, and what that makes of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import Slot
from qtpy.QtWidgets import QGridLayout, QLabel, QLineEdit, QPushButton

from napari_cellinr.classic.sampling import MAX_FACTOR, placed, samplings
from napari_cellinr.errors import CellINRError
from napari_cellinr.ui.panels.voxel_steps import SIGNS
from napari_cellinr.ui.task import Section
from napari_cellinr.ui.widgets.forms import LABEL_WIDTH
from napari_cellinr.ui.widgets.labels import wrapping_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.image import Image

__all__ = ["ScaleSection", "isotropic_factors", "number_of", "sizes_text", "usual_factors"]

_AXES: Final = {"T": "Finer in time ×", "Z": "Finer along Z ×", "Y": "along Y ×", "X": "along X ×"}


class ScaleSection(Section):
    """A factor for each axis that the image has; below, its size and voxels before and after."""

    names = ("scale", "isotropic", "target_voxel", "times", "stamps")

    def __init__(self) -> None:
        super().__init__()
        self._image: Image | None = None
        self._typed: set[str] = set()
        self._suggested: dict[str, float] = {}
        self._fault = ""
        self.boxes = {axis: QLineEdit() for axis in _AXES}
        self._labels = {axis: QLabel(text) for axis, text in _AXES.items()}
        self.isotropic = QPushButton("Make it isotropic")
        self.summary = wrapping_label()
        self.error = wrapping_label(kind="error")
        self._lay_out()
        for axis, box in self.boxes.items():
            box.setToolTip(f"Samples along {axis} for each one that there is, up to 16.")
            box.setAccessibleName(self._labels[axis].text())
            box.textEdited.connect(self._on_edited)
        self.isotropic.clicked.connect(self.make_isotropic)
        self._show()

    def values(self) -> dict[str, Any]:
        """Return the factors that differ from 1, as they were typed where they are no numbers."""
        found: dict[str, Any] = {}
        for axis, box in self.boxes.items():
            if self._has(axis) and (value := number_of(box.text())) != 1:
                found[axis.lower()] = value
        return {"scale": found}

    def set_config(self, config: Any) -> None:
        """Show the factors of a configuration; without any, those that suit the image."""
        factors = {axis.upper(): value for axis, value in dict(config.scale or {}).items()}
        for axis, box in self.boxes.items():
            box.setText(f"{factors.get(axis, 1):g}")
        self._typed = set(self.boxes) if factors else set()
        self._suggest()
        self._show()

    def show_image(self, image: Image | None) -> None:
        """Offer the axes of another image, with factors that suit it where none were typed."""
        self._image = image
        self._suggest()
        self._show()

    def explain(self, faults: Mapping[str, str]) -> None:
        """Say what is wrong with the factors of the image."""
        self._fault = faults.get("scale", "")
        self._show()

    def _suggest(self) -> None:
        """Enter the usual factors of the image along axes for which nothing was typed."""
        if self._image is None:
            return
        self._suggested = usual_factors(self._image)
        for axis in set(self.boxes) - self._typed:
            self.boxes[axis].setText(f"{self._suggested.get(axis, 1):.6g}")

    @Slot()
    def make_isotropic(self) -> None:
        """Enter the factors that give all spatial axes the finest step."""
        if self._image is None or not self._image.is_calibrated:
            return
        for axis, factor in isotropic_factors(self._image).items():
            self.boxes[axis].setText(f"{factor:.6g}")
        self._on_edited()

    def _has(self, axis: str) -> bool:
        """Return whether the image can become finer along an axis."""
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
        """Show which axes there are, and what the factors make of the image."""
        for axis in _AXES:
            for widget in (self._labels[axis], self.boxes[axis]):
                widget.setVisible(self._has(axis))
        known = self._image is not None and self._image.is_calibrated
        self.isotropic.setEnabled(known)
        self.isotropic.setToolTip(
            "Enter the factors that give Z, Y and X the finest step of them."
            if known
            else "The voxel size is not known: enter it above first."
        )
        summary, fault = self._outcome()
        fault = fault or self._fault
        self.summary.setText(summary)
        self.error.setText(fault)
        self.error.setVisible(bool(fault))
        self.summary.setVisible(bool(summary))

    def _outcome(self) -> tuple[str, str]:
        """Return size and steps before and after, or what is wrong."""
        if self._image is None:
            return "", ""
        factors = self.values()["scale"]
        wrong = [axis for axis, value in factors.items() if not isinstance(value, float)]
        if wrong:
            return "", f"{factors[wrong[0]]!r} along {wrong[0].upper()} is not a number."
        try:
            maps = samplings(self._image, factors)
        except CellINRError as error:
            return "", str(error)
        sizes = {**self._image.sizes, **{axis: one.n_out for axis, one in maps.items()}}
        zeros = np.broadcast_to(np.float32(0), tuple(sizes.values()))
        after = placed(self._image, zeros, maps)
        units = dict(zip(after.axes, after.units, strict=True))
        steps, finer = self._image.steps, after.steps
        changes = [
            f"{axis}: {steps[axis]:.4g} → {finer[axis]:.4g} {SIGNS.get(units[axis], units[axis])}"
            for axis in after.axes
            if axis in maps and maps[axis].step != 1
        ]
        return "\n".join([sizes_text(self._image, after), *changes]), ""


def sizes_text(before: Image, after: Image) -> str:
    """Return the axes and sizes of two images, such as `ZYX: 6 × 8 × 8 → 15 × 8 × 8`."""
    first, then = (" × ".join(map(str, one.shape)) for one in (before, after))
    axes = "" if before.axes == after.axes else f"{after.axes}: "
    return f"{before.axes}: {first} → {axes}{then}"


def usual_factors(image: Image) -> dict[str, float]:
    """Return the factors to begin with: along the axis that an image most likely lacks samples of.

    Twice the frames of a series; else planes as close as pixels are, where they are farther apart;
    else twice the pixels.
    """
    if image.sizes.get("T", 1) > 1:
        return {"T": 2.0}
    along_z = isotropic_factors(image).get("Z", 1.0) if image.is_calibrated else 1.0
    if image.sizes.get("Z", 1) > 1 and along_z > 1:
        return {"Z": min(along_z, float(MAX_FACTOR))}
    return {"Y": 2.0, "X": 2.0}


def isotropic_factors(image: Image) -> dict[str, float]:
    """Return the factor along Z, Y and X, as far as there are, that makes the voxels cubes."""
    steps = {axis: step for axis, step in image.steps.items() if axis in "ZYX"}
    finest = min(steps.values())
    return {axis: step / finest for axis, step in steps.items()}


def number_of(text: str) -> float | str:
    """Return a number, 1 for nothing, or the text if it is none."""
    try:
        return float(text.replace(",", ".")) if text.strip() else 1.0
    except ValueError:
        return text
