"""One editor per kind of setting; each shows and returns values exactly."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sized
from typing import TYPE_CHECKING, Any, Final, get_args

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QLineEdit, QSpinBox, QWidget

from napari_cellinr.ui.widgets.labels import title_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic.fields import FieldInfo
    from qtpy.QtGui import QStandardItemModel, QWheelEvent

    from napari_cellinr.config.base import Settings

__all__ = ["ChoiceField", "Field", "make_field", "range_text"]

_LARGEST: Final = 2**31 - 1


class Field(QWidget):
    """An editor of one value; emits `changed` when the user has edited it."""

    changed = Signal()

    @abstractmethod
    def value(self) -> Any:
        """Return the entered value; a number as the text that was typed."""

    @abstractmethod
    def set_value(self, value: Any) -> None:
        """Show a value without emitting `changed`."""

    def _fill(self, *widgets: QWidget) -> None:
        """Lay the widgets out in a row; the last one takes the remaining width."""
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in widgets:
            layout.addWidget(widget)
        layout.setStretch(len(widgets) - 1, 1)


class ChoiceField(Field):
    """A choice from a list."""

    def __init__(self, choices: tuple[Any, ...]) -> None:
        super().__init__()
        self._box = _QuietComboBox()
        self._box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._box.setMinimumContentsLength(2)
        for choice in choices:
            self._box.addItem(str(choice), choice)
        self._box.activated.connect(lambda _: self.changed.emit())
        self._fill(self._box)

    def value(self) -> Any:
        """Return the selected value."""
        return self._box.currentData()

    def set_value(self, value: Any) -> None:
        """Select a value, or nothing for None.

        One that is not listed, such as one of several GPUs, is added.
        """
        self.offer([value])
        self._box.setCurrentIndex(-1 if value is None else self._box.findData(value))

    def prompt(self, text: str) -> None:
        """Show a grey text while nothing is chosen."""
        self._box.setPlaceholderText(text)

    def offer(self, values: Sequence[Any]) -> None:
        """Add choices that are not listed yet."""
        for value in values:
            if value is not None and self._box.findData(value) < 0:
                self._box.addItem(str(value), value)

    def disable(self, reasons: Mapping[str, str]) -> None:
        """Disable the given choices, with the reason as their tooltip."""
        model: QStandardItemModel = self._box.model()
        for row in range(self._box.count()):
            reason = reasons.get(self._box.itemData(row), "")
            model.item(row).setEnabled(not reason)
            self._box.setItemData(row, reason or None, Qt.ItemDataRole.ToolTipRole)


class WholeField(Field):
    """A whole number within bounds."""

    def __init__(self, lowest: int, highest: int) -> None:
        super().__init__()
        self._box = _QuietSpinBox()
        self._box.setRange(lowest, highest)
        self._box.setMinimumWidth(60)
        self._box.valueChanged.connect(lambda _: self.changed.emit())
        self._fill(self._box)

    def value(self) -> int:
        """Return the number."""
        return int(self._box.value())

    def set_value(self, value: Any) -> None:
        """Show a number."""
        self._box.blockSignals(True)
        self._box.setValue(value)
        self._box.blockSignals(False)


class TextField(Field):
    """A number or a word as text: Qt's spin boxes for decimal numbers would round silently.

    A value without a text form, such as a table, is returned unchanged until it is edited.
    """

    def __init__(self, unit: str = "") -> None:
        super().__init__()
        self._value: Any = ""
        self._shown = ""
        self._edit = QLineEdit()
        self._edit.setMinimumWidth(34)
        self._edit.textEdited.connect(lambda _: self.changed.emit())
        self._fill(self._edit)
        if unit:
            self.layout().addWidget(title_label(unit))

    def value(self) -> Any:
        """Return the text, or the unchanged value if it is not a number or word."""
        text = self._edit.text().strip()
        is_plain = isinstance(self._value, str | int | float)
        return text if is_plain or text != self._shown else self._value

    def prompt(self, text: str) -> None:
        """Show a grey text while the field is empty."""
        self._edit.setPlaceholderText(text)

    def set_value(self, value: Any) -> None:
        """Show a value; the text of a number gives exactly that number."""
        self._value = value
        self._shown = "" if isinstance(value, Sized) and not len(value) else str(value).strip()
        self._edit.setText(self._shown)
        self._edit.setCursorPosition(0)


class SwitchField(Field):
    """Yes or no."""

    def __init__(self) -> None:
        super().__init__()
        self._box = QCheckBox()
        self._box.clicked.connect(lambda _: self.changed.emit())
        self._fill(self._box)

    def value(self) -> bool:
        """Return whether the box is checked."""
        return bool(self._box.isChecked())

    def set_value(self, value: Any) -> None:
        """Check the box or not."""
        self._box.setChecked(value)


class OptionalField(Field):
    """An optional value: a check box, and an editor if it is checked."""

    def __init__(self, inner: Field, blank: str) -> None:
        super().__init__()
        self._inner = inner
        self._box = QCheckBox()
        self._blank = QLabel(blank)
        self._box.clicked.connect(self._on_clicked)
        inner.changed.connect(self.changed)
        both = QWidget()
        row = QHBoxLayout(both)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._blank)
        row.addWidget(inner)
        self._fill(self._box, both)
        self._show_inner()

    def value(self) -> Any:
        """Return the value, or None if the box is not checked."""
        return self._inner.value() if self._box.isChecked() else None

    def set_value(self, value: Any) -> None:
        """Show a value, or None."""
        self._box.setChecked(value is not None)
        if value is not None:
            self._inner.set_value(value)
        self._show_inner()

    def _on_clicked(self) -> None:
        self._show_inner()
        self.changed.emit()

    def _show_inner(self) -> None:
        self._inner.setVisible(self._box.isChecked())
        self._blank.setVisible(not self._box.isChecked())


def make_field(config_type: type[Settings], name: str, *, optional: bool | None = None) -> Field:
    """Return the editor of a setting.

    Parameters
    ----------
    config_type
        The class of the settings.
    name
        Name of the setting.
    optional
        Whether it has a check box, with which it can be left empty; that of its type if not given.
    """
    info = config_type.model_fields[name]
    kinds = get_args(info.annotation) or (info.annotation,)
    field = _plain_field(config_type, name, info, kinds)
    if not (type(None) in kinds if optional is None else optional):
        return field
    return OptionalField(field, "none" if name.startswith("max_") else "auto")


def _plain_field(
    config_type: type[Settings], name: str, info: FieldInfo, kinds: tuple[Any, ...]
) -> Field:
    choices = config_type.choices(name)
    if choices:
        return ChoiceField(choices)
    if bool in kinds:
        return SwitchField()
    lowest, highest = _bounds(info)
    if int in kinds and lowest is not None and highest is not None and highest <= _LARGEST:
        return WholeField(int(lowest), int(highest))
    return TextField(config_type.unit(name))


def range_text(config_type: type[Settings], name: str) -> str:
    """Return the allowed range of a setting as text, such as `above 0, at most 1`.

    Parameters
    ----------
    config_type
        The class of the settings.
    name
        Name of the setting.

    Returns
    -------
    str
        The range; empty if the setting has none.
    """
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    found = {
        key: value
        for rule in config_type.model_fields[name].metadata
        for key in words
        if (value := getattr(rule, key, None)) is not None
    }
    return ", ".join(f"{words[key]} {found[key]:g}" for key in words if key in found)


def _bounds(info: FieldInfo) -> tuple[float | None, float | None]:
    """Return the smallest and largest allowed value of a whole number, or None."""
    bounds: dict[str, float | None] = {"ge": None, "le": None}
    for rule in info.metadata:
        for key in bounds:
            bounds[key] = getattr(rule, key, bounds[key])
    return bounds["ge"], bounds["le"]


class _QuietComboBox(QComboBox):
    """A combo box that ignores the mouse wheel, so that the dock scrolls."""

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Let the parent scroll."""
        event.ignore()


class _QuietSpinBox(QSpinBox):
    """A spin box that ignores the mouse wheel, so that the dock scrolls."""

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Let the parent scroll."""
        event.ignore()
