"""The form for the microscope: its kind, and the settings of that kind."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from qtpy.QtCore import Qt, Slot
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout
from superqt import QCollapsible

from napari_cellinr.config.optics import KINDS, Optics, optics_from_dict
from napari_cellinr.errors import ConfigError
from napari_cellinr.io.metadata.units import LENGTHS, TIMES
from napari_cellinr.text import parsed_json
from napari_cellinr.ui.guided.microscope import MicroscopeChoice
from napari_cellinr.ui.task import Section
from napari_cellinr.ui.widgets.fields import (
    ChoiceField,
    Field,
    OptionalField,
    TextField,
    make_field,
)
from napari_cellinr.ui.widgets.forms import FieldGrid, with_titles
from napari_cellinr.ui.widgets.labels import wrapping_label
from napari_cellinr.ui.widgets.tab_order import tab_as_seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.image import Image

__all__ = ["OpticsSection"]


class OpticsSection(Section):
    """A list of kinds of microscopes, and a field for every setting of the selected kind.

    Layers with optics in their metadata, such as the samples, fill in the fields. These values
    belong to the layer: for other layers, the fields show again what the user had entered.
    """

    names = ("optics",)

    def __init__(self) -> None:
        super().__init__()
        self.kind = ChoiceField(tuple(KINDS))
        self.kind.setToolTip("Kind of microscope that recorded the image.")
        self.kind.setAccessibleName("Microscope")
        self.grids: dict[str, OpticsGrid] = {}
        self.taken = wrapping_label()
        self.error = wrapping_label(kind="error")
        self.error.setObjectName("cellinr_error")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self.differs = wrapping_label(kind="warning")
        self.reset_button = QPushButton("Use the values of the image")
        self.reset_button.setToolTip("Take pixel size and frame interval from the image.")
        self.reset_button.clicked.connect(self.use_those_of_image)
        self.guide_button = QPushButton("Which one?")
        self.guide_button.setToolTip("Find the kind by pictures of raw frames.")
        self.guide_button.clicked.connect(self.show_choice)
        row = QHBoxLayout()
        row.addWidget(QLabel("<b>Microscope</b>"), 1)
        row.addWidget(self.guide_button)
        self._layout.addLayout(row)
        for widget in (self.kind, self.differs):
            self._layout.addWidget(widget)
        self._layout.addWidget(self.reset_button, 0, Qt.AlignmentFlag.AlignRight)
        for widget in (self.taken, self.error):
            self._layout.addWidget(widget)
        self._image: Image | None = None
        self._layer_optics: Any = None
        self._entered: dict[str, Any] = {}
        self._fault = ""
        self.kind.changed.connect(self._on_kind)
        self.set_optics(KINDS["time-lapse"]())

    @property
    def grid(self) -> OpticsGrid:
        """The fields of the selected kind."""
        kind = str(self.kind.value())
        if kind not in self.grids:
            grid = self.grids[kind] = OpticsGrid(kind)
            grid.edited.connect(self._on_edited)
            self._layout.insertWidget(4, grid)
            tab_as_seen(self)
        return self.grids[kind]

    def values(self) -> dict[str, Any]:
        """Return the optics as plain values, not validated yet."""
        return {"optics": {"kind": self.kind.value(), **self.grid.values()}}

    def set_config(self, config: Any) -> None:
        """Show the optics of a configuration, unless the layer has its own."""
        if self._layer_optics is None:
            self.set_optics(config.optics)

    def set_optics(self, optics: Optics) -> None:
        """Show these optics."""
        self.kind.set_value(optics.kind)
        self.grid.set_optics(optics)
        self._show()

    def explain(self, faults: Mapping[str, str]) -> None:
        """Show which constants neither the form nor the layer has."""
        self._fault = faults.get("optics", "")
        self._show()

    def show_image(self, image: Image | None) -> None:
        """Show what is read from the layer, and fill in the optics of its metadata."""
        self._image = image
        self.taken.setText(_known(image))
        optics = None if image is None else _stated(image)
        if optics != self._layer_optics:
            self._entered[_key(self._layer_optics)] = self.values()["optics"]
            self._layer_optics = optics
            self._restore(self._entered.get(_key(optics), optics))
        self._show()

    @Slot()
    def use_those_of_image(self) -> None:
        """Leave pixel size and frame interval empty where they differ from those of the image."""
        for name in self._differing():
            self.grid.fields[name].set_value(None)
        self._on_edited()

    @Slot()
    def show_choice(self) -> None:
        """Open the window with pictures of raw frames of every kind."""
        window = MicroscopeChoice(self._image, str(self.kind.value()), self)
        window.chosen.connect(self.choose_kind)
        window.show()

    @Slot(str)
    def choose_kind(self, kind: str) -> None:
        """Select a kind of microscope."""
        self.kind.set_value(kind)
        self._on_edited()

    def _restore(self, values: Any) -> None:
        """Show values that were entered before, unless they are not allowed."""
        with suppress(ConfigError, TypeError, ValueError):
            self.set_optics(optics_from_dict(dict(values)))

    def _differing(self) -> dict[str, str]:
        """Return the entered values that differ from those of the image, as text by setting."""
        try:
            optics = optics_from_dict(self.values()["optics"]).as_dict()
        except ConfigError:
            return {}
        stated = dict(self._layer_optics or {})
        known = {} if self._image is None else _measured(self._image)
        texts = {}
        for name, (value, unit) in known.items():
            given = optics.get(name)
            if given is None or given == stated.get(name) or _are_close(given, value):
                continue
            pair = " instead of ".join(f"{_text(one)} {unit}" for one in (given, value))
            texts[name] = f"{name.replace('_', ' ')} {pair}"
        return texts

    def _show(self) -> None:
        """Show the fields of the selected kind only, and their errors."""
        chosen = self.grid
        for grid in self.grids.values():
            grid.setVisible(grid is chosen)
        try:
            optics_from_dict(self.values()["optics"])
        except ConfigError as error:
            self.error.setText(with_titles(str(error), KINDS[str(self.kind.value())]))
        else:
            self.error.setText(self._fault)
        self.error.setVisible(bool(self.error.text()))
        differing = ", ".join(self._differing().values())
        self.differs.setText(f"Differs from the image: {differing}." if differing else "")
        for widget in (self.differs, self.reset_button):
            widget.setVisible(bool(differing))

    @Slot()
    def _on_kind(self) -> None:
        self._on_edited()

    @Slot()
    def _on_edited(self) -> None:
        self._show()
        self.changed.emit()


class OpticsGrid(Section):
    """A field for every setting of one kind; advanced settings are collapsed."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._type = KINDS[kind]
        names = [name for name in self._type.model_fields if name != "kind"]
        plain = [name for name in names if not self._type.is_advanced(name)]
        rest = [name for name in names if self._type.is_advanced(name)]
        self._parts = [_Grid(self._type, plain)]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._parts[0])
        if rest:
            more = QCollapsible("More microscope settings", expandedIcon="▾", collapsedIcon="▸")
            more.setDuration(0)
            more.layout().setContentsMargins(0, 0, 0, 0)
            more.content().layout().setContentsMargins(0, 0, 0, 0)
            self._parts.append(_Grid(self._type, rest))
            more.addWidget(self._parts[1])
            layout.addWidget(more)
        self.edited = self.changed
        for part in self._parts:
            part.changed.connect(lambda _: self.edited.emit())
        self.set_optics(self._type())

    @property
    def fields(self) -> dict[str, Field]:
        """The editors by name of the setting."""
        return {name: field for part in self._parts for name, field in part.fields.items()}

    def values(self) -> dict[str, Any]:
        """Return the entered values by name; None for a needed one that is empty."""
        values = {name: field.value() for name, field in self.fields.items()}
        empty = [name for name in self._type.TYPICAL if values[name] in ("", [])]
        return {**values, **dict.fromkeys(empty)}

    def set_optics(self, optics: Optics) -> None:
        """Show the values of optics of this kind."""
        for name, field in self.fields.items():
            value = getattr(optics, name)
            is_text = isinstance(field, TextField)
            field.set_value("" if value is None and is_text else value)


class _Grid(FieldGrid):
    """Labels and editors, also for lists and files."""

    def make(self, config_type: Any, name: str) -> Field:
        """Return the editor of a setting."""
        info = config_type.model_fields[name]
        optional = type(None) in get_args(info.annotation)
        needed = name in config_type.TYPICAL
        inner: Field
        if name in config_type.FILES:
            inner = FileField()
        elif "tuple" in str(info.annotation):
            inner = ListField(config_type.unit(name), str(info.annotation).count("tuple["))
        else:
            inner = make_field(config_type, name, optional=optional and not needed)
            optional = False
        if needed:
            if isinstance(inner, TextField | ChoiceField):
                inner.prompt("needed")
            return inner
        empty = "none" if name in config_type.FILES else "automatic"
        return OptionalField(inner, empty) if optional else inner


class ListField(TextField):
    """A list of numbers, or of lists, as JSON: `0.43, 0.18, 0.18` or `[0, 120], [0, null]`."""

    def __init__(self, unit: str, depth: int) -> None:
        super().__init__(unit)
        self._depth = depth

    def value(self) -> Any:
        """Return the lists, with or without outer brackets; the text where it is not JSON."""
        text = str(super().value())
        try:
            found = parsed_json(f"[{text}]")
        except ValueError:
            return text
        return found[0] if len(found) == 1 and _depth(found) > self._depth else found

    def set_value(self, value: Any) -> None:
        """Show lists without the outer brackets."""
        text = json.dumps(value or [])
        super().set_value(text[1:-1] if not value or isinstance(value, list | tuple) else text)


class FileField(TextField):
    """The name of a file, typed or chosen."""

    def __init__(self) -> None:
        super().__init__()
        button = QPushButton("…")
        button.setToolTip("Choose a file.")
        button.setFixedWidth(28)
        button.clicked.connect(self._choose)
        self.layout().addWidget(button)

    @Slot()
    def _choose(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a file", "", "Images (*.tif *.tiff)")
        if path:
            self.set_value(path)
            self.changed.emit()


def _depth(value: Any) -> int:
    """Return how deeply lists are nested."""
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _stated(image: Image) -> dict[str, Any] | None:
    """Return the optics in the metadata of an image; None without valid ones."""
    try:
        return optics_from_dict(dict(image.meta["optics"])).as_dict()
    except (KeyError, ConfigError, TypeError, ValueError):
        return None


def _key(optics: Any) -> str:
    """Return what tells the optics of one layer from those of another; empty for no optics."""
    return "" if optics is None else json.dumps(optics, default=str, sort_keys=True)


def _measured(image: Image) -> dict[str, tuple[Any, str]]:
    """Return pixel size, voxel size (µm) and frame time (s) of an image, where they are known."""
    found: dict[str, tuple[Any, str]] = {}
    units = dict(zip(image.axes, image.units, strict=True))
    space = [axis for axis in "ZYX" if axis in units and units[axis] in LENGTHS]
    steps = [image.steps[axis] * LENGTHS[units[axis]] / LENGTHS["micrometer"] for axis in space]
    if "X" in space:
        found = {"pixel_size": (steps[-1], "µm"), "voxel_size": (steps, "µm")}
    if units.get("T") in TIMES:
        found["frame_time"] = (image.steps["T"] * TIMES[units["T"]] / TIMES["second"], "s")
    return found


def _are_close(given: Any, value: Any) -> bool:
    """Return whether two numbers, or lists of them, differ by rounding only."""
    one, other = np.ravel(given), np.ravel(value)
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-3))


def _text(value: Any) -> str:
    return "×".join(f"{number:.4g}" for number in np.ravel(value))


def _known(image: Image | None) -> str:
    """Return a sentence with the voxel size and frame interval of the layer."""
    if image is None:
        return ""
    lengths, times = [], ""
    for axis, step, unit in zip(image.axes, image.scale, image.units, strict=True):
        if axis in "ZYX" and unit in LENGTHS:
            lengths.append(f"{axis.lower()} {step * LENGTHS[unit] / LENGTHS['micrometer']:.4g} µm")
        elif axis == "T" and unit in TIMES:
            times = f"frame interval {step * TIMES[unit] / TIMES['second']:.4g} s"
    found = ", ".join(filter(None, [*lengths, times]))
    if not found:
        return "The layer has no pixel size and no frame interval: enter the known values."
    return f"Automatic fields use the values of the layer: {found}."
