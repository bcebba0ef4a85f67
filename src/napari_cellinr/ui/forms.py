"""Settings as a form, exactly: what is shown reads back as the very same values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from qtpy.QtCore import Qt, Signal, Slot
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_cellinr.errors import ConfigError
from napari_cellinr.ui.fields import Field, make_field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.config import Config

__all__ = ["LABEL_WIDTH", "ConfigForm"]

LABEL_WIDTH: Final = 122
"""Width in pixels of the column of labels, so that the panels of a dock are in line."""


_Config = TypeVar("_Config", bound="Config")


class ConfigForm(QWidget, Generic[_Config]):
    """A form for a configuration, made from its fields: help, unit and bounds included.

    The settings that most users never need are folded away. A value that is out of bounds
    is explained under its field.

    Signals
    -------
    changed
        The user has changed a setting.

    Parameters
    ----------
    config_type
        The class of the settings, with its defaults shown first.
    """

    changed = Signal()

    def __init__(self, config_type: type[_Config], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._type = config_type
        self._fields: dict[str, Field] = {}
        self._errors: dict[str, QLabel] = {}
        names = list(config_type.model_fields)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._grid([n for n in names if not config_type.is_advanced(n)]))
        self.advanced = QCollapsible("Advanced settings", expandedIcon="▾", collapsedIcon="▸")
        self.advanced.setDuration(0)
        self.advanced.layout().setContentsMargins(0, 0, 0, 0)
        self.advanced.content().layout().setContentsMargins(0, 0, 0, 0)
        self.advanced.addWidget(self._grid([n for n in names if config_type.is_advanced(n)]))
        layout.addWidget(self.advanced)
        self.reset_button = QPushButton("Reset to defaults")
        self.reset_button.clicked.connect(self.reset)
        layout.addWidget(self.reset_button, 0, Qt.AlignmentFlag.AlignRight)
        self.set_config(config_type())

    def field(self, name: str) -> Field:
        """Return the editor of a setting."""
        return self._fields[name]

    def values(self) -> dict[str, Any]:
        """Return what is entered by name, not checked yet."""
        return {name: field.value() for name, field in self._fields.items()}

    def config(self) -> _Config:
        """Return the settings that are entered.

        Raises
        ------
        ConfigError
            If a value is not allowed; the form shows it beside the field as well.
        """
        self._check()
        return self._type(**self.values())

    def set_config(self, config: _Config) -> None:
        """Show the values of `config`."""
        for name, field in self._fields.items():
            field.set_value(getattr(config, name))
        self._check()

    @Slot()
    def reset(self) -> None:
        """Show the defaults of the chosen preset."""
        self.set_config(self._type(preset=self._fields["preset"].value()))
        self.changed.emit()

    def _grid(self, names: Sequence[str]) -> QWidget:
        widget = QWidget()
        grid = QGridLayout(widget)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(4)
        grid.setColumnMinimumWidth(0, LABEL_WIDTH)
        grid.setColumnStretch(1, 1)
        for row, name in enumerate(names):
            self._add_row(grid, 2 * row, name)
        return widget

    def _add_row(self, grid: QGridLayout, row: int, name: str) -> None:
        """Add label and editor, and beneath them the line for an error."""
        field = self._fields[name] = make_field(self._type, name)
        error = self._errors[name] = QLabel()
        label = QLabel(_title(name))
        unit = self._type.unit(name)
        tip = self._type.help(name) + (f" Unit: {unit}." if unit else "")
        for widget in (label, field):
            widget.setToolTip(tip)
        error.setWordWrap(True)
        error.setObjectName("cellinr_error")
        error.setStyleSheet("color: #e05050;")
        error.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        error.hide()
        grid.addWidget(label, row, 0)
        grid.addWidget(field, row, 1)
        grid.addWidget(error, row + 1, 0, 1, 2)
        field.changed.connect(self._on_preset if name == "preset" else self._on_changed)

    @Slot()
    def _on_preset(self) -> None:
        self.reset()

    @Slot()
    def _on_changed(self) -> None:
        self._check()
        self.changed.emit()

    def _check(self) -> None:
        """Show what is wrong with each value by itself."""
        for name, field in self._fields.items():
            text = self._fault(name, field.value())
            self._errors[name].setText(text)
            self._errors[name].setVisible(bool(text))

    def _fault(self, name: str, value: Any) -> str:
        try:
            self._type(**{name: value})
        except ConfigError as error:
            return str(error)
        return ""


def _title(name: str) -> str:
    """Return the name of a setting as a label."""
    return name.replace("_", " ").capitalize()
