"""What a form shows reads back as the very same settings."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

import napari_cellinr.config as configs
from napari_cellinr.config import CellINRConfig, Config
from napari_cellinr.errors import ConfigError
from napari_cellinr.ui.widgets.boxes import NameBox
from napari_cellinr.ui.widgets.fields import OptionalField
from napari_cellinr.ui.widgets.forms import ConfigForm
from napari_cellinr.ui.widgets.labels import wrapping_label

pytestmark = pytest.mark.gui

CONFIGS = [
    getattr(configs, name)
    for name in configs.__all__
    if isinstance(getattr(configs, name), type)
    and issubclass(getattr(configs, name), Config)
    and getattr(configs, name).PRESETS
]

ODD = [
    {"learning_rate": 2e-5, "held_out": 0.1015625, "total_variation": 1 / 3},
    {"max_seconds": 12.5, "gain": 1e-300, "read_noise": 0.0, "background_width": 2.0000000000001},
    {"seed": 2**62, "steps": 1_000_000, "held_out": 0.2, "device": "mps", "structure": "blob"},
]


@pytest.fixture
def form(qtbot):
    form = ConfigForm(CellINRConfig)
    qtbot.addWidget(form)
    return form


@pytest.mark.parametrize("config_type", CONFIGS)
def test_every_preset_of_every_config_reads_back(config_type, qtbot):
    form = ConfigForm(config_type)
    qtbot.addWidget(form)
    assert form.config() == config_type()
    for preset in config_type.PRESETS:
        form.set_config(config_type(preset=preset))
        assert form.config() == config_type(preset=preset)


@pytest.mark.parametrize("values", ODD)
def test_odd_values_read_back_exactly(form, values):
    config = CellINRConfig(**values)
    form.set_config(config)
    assert form.config() == config
    assert form.config().as_dict() == config.as_dict()


def test_a_value_out_of_bounds_is_explained_beside_its_field(form):
    form.field("learning_rate").set_value("7")
    with pytest.raises(ConfigError, match="learning_rate"):
        form.config()
    shown = [label.text() for label in form.findChildren(QLabel) if not label.isHidden()]
    assert any("Learning rate = '7'" in text for text in shown)
    form.field("learning_rate").set_value("not a number")
    with pytest.raises(ConfigError, match="valid number"):
        form.config()


def test_presets_fill_the_form_and_reset_undoes(form):
    form.field("preset").set_value("preview")
    form.field("preset").changed.emit()
    assert form.config() == CellINRConfig(preset="preview")
    form.field("total_variation").set_value("3")
    form.reset_button.click()
    assert form.config() == CellINRConfig(preset="preview")


def test_an_optional_value_can_be_none(form):
    field = form.field("gain")
    assert isinstance(field, OptionalField)
    field.set_value(2.5)
    assert form.config().gain == 2.5
    field.set_value(None)
    assert form.config().gain is None


def test_every_field_has_help_and_advanced_ones_are_folded(form):
    for name in CellINRConfig.model_fields:
        assert CellINRConfig.help(name) in form.field(name).toolTip()
        folded = form.advanced.isAncestorOf(form.field(name))
        hardly_matters = name in {"device", "steps", "seed", "max_seconds"}
        assert folded == (CellINRConfig.is_advanced(name) or hardly_matters)
    assert not form.advanced.isExpanded()


def test_a_device_that_is_missing_says_why(form):
    form.field("device").disable({"cuda": "No GPU."})
    box = form.field("device").findChild(QComboBox)
    row = box.findData("cuda")
    assert not box.model().item(row).isEnabled()
    assert box.itemData(row, Qt.ItemDataRole.ToolTipRole) == "No GPU."
    assert box.model().item(box.findData("cpu")).isEnabled()


def test_a_label_is_as_high_as_its_lines_also_when_they_become_fewer(qtbot):
    box = QWidget()
    qtbot.addWidget(box)
    label = wrapping_label()
    QVBoxLayout(box).addWidget(label)
    box.resize(200, 400)
    box.show()
    qtbot.waitExposed(box)
    label.setText("one line")
    low = label.minimumHeight()
    assert low > 0
    label.setText("a line that is much longer than there is room for in a dock " * 5)
    assert label.minimumHeight() > 3 * low
    label.setText("one line")
    assert label.minimumHeight() == low


def test_names_from_files_are_shown_as_text_never_as_html(qtbot):
    label = wrapping_label()
    qtbot.addWidget(label)
    label.setText("<b>bold</b>")
    assert label.textFormat() == Qt.TextFormat.PlainText


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the layer has no points.", "The layer has no points."),
        ("learning_rate = '7' was given.", "learning_rate = '7' was given."),
        ("gain = -1 was given.", "gain = -1 was given."),
        ("a.tif was given.", "a.tif was given."),
        ("'a' was given.", "'a' was given."),
        ("", ""),
    ],
)
def test_errors_are_sentences_where_they_are_shown(qtbot, text, shown):
    label = wrapping_label(kind="error")
    qtbot.addWidget(label)
    label.setText(text)
    assert label.text() == shown


def test_one_of_several_gpus_is_shown_and_reads_back(form):
    form.set_config(CellINRConfig(device="cuda:1"))
    assert form.config().device == "cuda:1"
    field = form.field("device")
    field.offer(["cuda:0", "cuda:1"])
    names = [field._box.itemText(row) for row in range(field._box.count())]
    assert names == ["auto", "cpu", "cuda", "mps", "cuda:1", "cuda:0"]
    field.set_value("cuda:0")
    assert form.config().device == "cuda:0"


def test_a_long_name_of_a_file_is_broken_at_its_signs_and_not_cut_off(qtbot):
    name = "training-resources__xyc_16bit__cell_dna_mts_actin"
    label = wrapping_label(f"Layer “{name}”: done.")
    qtbot.addWidget(label)
    assert label.text() == f"Layer “{name}”: done."
    room = label.fontMetrics().horizontalAdvance(name) // 2
    label.setText(name)
    assert label.text() == name
    assert label.heightForWidth(room) > label.heightForWidth(3 * room)


def test_names_that_differ_at_their_end_are_shown_by_their_end(qtbot):
    box = NameBox()
    qtbot.addWidget(box)
    box.addItems([f"a recording with a long name, channel {number}" for number in (1, 2)])
    box.resize(150, 25)
    assert box.shown_name().endswith("1")
    box.setCurrentIndex(1)
    assert box.shown_name().endswith("2")
    assert len(box.shown_name()) < len(box.currentText())
    assert box.currentText().endswith("channel 2")
