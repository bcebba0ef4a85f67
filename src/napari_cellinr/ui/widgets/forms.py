"""The form of the settings of a method; values are shown and returned exactly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from qtpy.QtCore import Qt, Signal, Slot
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_cellinr.errors import ConfigError
from napari_cellinr.ui.widgets.fields import Field, make_field, range_text
from napari_cellinr.ui.widgets.labels import title_label, wrapping_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_cellinr.config import Config
    from napari_cellinr.config.base import Settings
    from napari_cellinr.ui.task import Section

__all__ = ["LABEL_WIDTH", "ConfigForm", "FieldGrid", "title_of", "with_titles"]

LABEL_WIDTH: Final = 122
"""Width of the label column in pixels, so that the panels of a dock are aligned."""

_TITLES: Final = {
    "batch": "Batch size",
    "dark": "Dark structures",
    "estimate": "Initial estimate",
    "held_out": "Held-out fraction",
    "max_seconds": "Time limit",
    "n_phases": "Number of phases",
    "seed": "Random seed",
}
"""Labels of settings whose names alone are not clear."""

_FIRST: Final = ("preset",)
"""Settings above all others of the method."""

_LAST: Final = ("device", "steps", "seed", "max_seconds")
"""Settings of every method that hardly change the result; the first ones under *Advanced*."""

_ABBREVIATIONS: Final = {"fwhm": "FWHM", "led": "LED", "na": "NA", "otf": "OTF", "psf": "PSF"}

_Config = TypeVar("_Config", bound="Config")


class FieldGrid(QWidget):
    """Labels and editors for several settings, with an error line below each.

    Signals
    -------
    changed
        Name of the setting that the user has edited.
    """

    changed = Signal(str)

    def __init__(self, config_type: type[Settings], names: Sequence[str]) -> None:
        super().__init__()
        self._type = config_type
        self.fields: dict[str, Field] = {}
        self._errors: dict[str, QLabel] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(4)
        grid.setColumnMinimumWidth(0, LABEL_WIDTH)
        grid.setColumnStretch(1, 1)
        for row, name in enumerate(names):
            self._add_row(grid, 2 * row, name)

    def make(self, config_type: type[Settings], name: str) -> Field:
        """Return the editor of a setting.

        Parameters
        ----------
        config_type
            The class of the settings.
        name
            Name of the setting.
        """
        return make_field(config_type, name)

    def explain(self, name: str, text: str) -> None:
        """Show an error below an editor.

        Parameters
        ----------
        name
            Name of the setting.
        text
            The error; empty to remove it.
        """
        self._errors[name].setText(text)
        self._errors[name].setVisible(bool(text))

    def _add_row(self, grid: QGridLayout, row: int, name: str) -> None:
        field = self.fields[name] = self.make(self._type, name)
        label = title_label(title_of(name))
        tip = _tip(self._type, name)
        for widget in (label, field):
            widget.setToolTip(tip)
        field.setAccessibleName(title_of(name))
        field.setAccessibleDescription(self._type.help(name))
        error = self._errors[name] = wrapping_label(kind="error")
        error.hide()
        grid.addWidget(label, row, 0)
        grid.addWidget(field, row, 1)
        grid.addWidget(error, row + 1, 0, 1, 2)
        field.changed.connect(lambda name=name: self.changed.emit(name))


class ConfigForm(QWidget, Generic[_Config]):
    """A form generated from the fields of a configuration, with help, unit and range.

    The section comes first, then the preset and the settings that decide the result; the others
    are collapsed. Errors are shown below their fields.

    Signals
    -------
    changed
        The user has edited a setting.

    Parameters
    ----------
    config_type
        The class of the settings, whose defaults are shown at first.
    section
        Edits settings that need more than plain fields, such as the microscope.
    """

    changed = Signal()

    def __init__(self, config_type: type[_Config], *, section: Section | None = None) -> None:
        super().__init__()
        self._type = config_type
        self.section = section
        own = [
            name for name in config_type.model_fields if not section or name not in section.names
        ]
        rest = [name for name in own if config_type.is_advanced(name)]
        plain = [name for name in own if name not in {*rest, *_FIRST, *_LAST}]
        self._first = FieldGrid(config_type, [name for name in _FIRST if name in own])
        self._plain = FieldGrid(config_type, plain)
        self._rest = FieldGrid(config_type, [*(name for name in _LAST if name in own), *rest])
        self._grids = (self._first, self._plain, self._rest)
        self._faults: Mapping[str, str] = {}
        self._lay_out()
        for grid in self._grids:
            grid.changed.connect(self._on_changed)
        if section is not None:
            section.changed.connect(self._on_section)
        self.set_config(config_type())

    def field(self, name: str) -> Field:
        """Return the editor of a setting."""
        return self._fields[name]

    @property
    def _fields(self) -> dict[str, Field]:
        return {name: field for grid in self._grids for name, field in grid.fields.items()}

    def values(self) -> dict[str, Any]:
        """Return the entered values by name, not validated yet."""
        entered = {name: field.value() for name, field in self._fields.items()}
        return {**entered, **(self.section.values() if self.section else {})}

    def config(self) -> _Config:
        """Return the entered settings.

        Raises
        ------
        ConfigError
            If a value is not allowed; the form also shows the error below the field.
        """
        self._check()
        return self._type(**self.values())

    def set_config(self, config: _Config) -> None:
        """Show the values of `config`."""
        for name, field in self._fields.items():
            field.set_value(getattr(config, name))
        if self.section is not None:
            self.section.set_config(config)
        self._check()

    def explain(self, faults: Mapping[str, str]) -> None:
        """Show errors that depend on the image, by name of the setting."""
        self._faults = dict(faults)
        self._check()
        if self.section is not None:
            self.section.explain(faults)

    @Slot()
    def reset(self) -> None:
        """Show the defaults of the selected preset."""
        self.set_config(self._type(preset=self.field("preset").value()))
        self.changed.emit()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        if self.section is not None:
            layout.addWidget(self.section)
        layout.addWidget(self._first)
        layout.addWidget(self._plain)
        self.advanced = QCollapsible("Advanced settings", expandedIcon="▾", collapsedIcon="▸")
        self.advanced.setDuration(0)
        self.advanced.layout().setContentsMargins(0, 0, 0, 0)
        self.advanced.content().layout().setContentsMargins(0, 0, 0, 0)
        self.advanced.addWidget(self._rest)
        layout.addWidget(self.advanced)
        self.reset_button = QPushButton("Reset to defaults")
        self.reset_button.setToolTip("Restore the defaults of the selected preset.")
        self.reset_button.clicked.connect(self.reset)
        layout.addWidget(self.reset_button, 0, Qt.AlignmentFlag.AlignRight)

    @Slot(str)
    def _on_changed(self, name: str) -> None:
        if name == "preset":
            self.reset()
            return
        self._on_section()

    @Slot()
    def _on_section(self) -> None:
        self._check()
        self.changed.emit()

    def _check(self) -> None:
        """Show the errors of all values."""
        for grid in self._grids:
            for name, field in grid.fields.items():
                fault = self._fault(name, field.value()) or self._faults.get(name, "")
                grid.explain(name, fault)

    def _fault(self, name: str, value: Any) -> str:
        try:
            self._type(**{name: value})
        except ConfigError as error:
            return with_titles(str(error), self._type)
        return ""


def title_of(name: str) -> str:
    """Return the name of a setting as a label."""
    if name in _TITLES:
        return _TITLES[name]
    words = [_ABBREVIATIONS.get(word, word) for word in name.split("_")]
    title = " ".join(words)
    return title[0].upper() + title[1:]


def _tip(config_type: type[Settings], name: str) -> str:
    """Return help, unit and range of a setting as a tooltip."""
    unit, bounds = config_type.unit(name), range_text(config_type, name)
    tip = config_type.help(name)
    tip += f" Unit: {unit}." if unit else ""
    return tip + (f" Range: {bounds}." if bounds else "")


def with_titles(text: str, config_type: type[Settings]) -> str:
    """Return a text in which settings are called as in the form, instead of by their names in code.

    Parameters
    ----------
    text
        A text such as a warning of a fit.
    config_type
        The class of the settings.
    """
    for name in config_type.model_fields:
        title = title_of(name)
        text = re.sub(rf"^{name} = ", f"{title} = ", text)
        text = re.sub(rf"(?<![\w/-]){name}=(\w+(?:\.\d+)?)", rf"“{title}: \1”", text)
        if "_" in name:  # other names are words of the language
            text = re.sub(rf"(?<![\w/-]){name}(?![\w=])", f"“{title}”", text)
    return text
