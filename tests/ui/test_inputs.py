"""What a dock says of the chosen layer follows the layer, whoever changes it."""

import numpy as np
import pytest
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QLabel

from napari_cellinr.image import Image
from napari_cellinr.ui.layers.watch import EVENTS, REST, LayerWatch
from napari_cellinr.ui.session import checks

pytestmark = pytest.mark.gui

FITS = ("Denoise", "Super-resolve", "Reconstruct motion")


def random(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.fixture(params=FITS)
def dock(viewer, request):
    """Return each dock, with a movie that it can work on."""
    labels, units = ("t", "y", "x"), ("second", "micrometer", "micrometer")
    limits = {"contrast_limits": (0, 1)}
    viewer.add_image(random(4, 20, 20), name="movie", axis_labels=labels, units=units, **limits)
    _, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", request.param)
    if request.param == "Super-resolve":
        dock.form.section.boxes["T"].setText("2")
        dock.form.section.boxes["T"].textEdited.emit("2")
    assert dock.panel.run_button.isEnabled()
    return dock


def said(dock):
    return " ".join(one.text() for one in dock.source.findChildren(QLabel) if not one.isHidden())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((4, 20, 20), np.nan, np.float32), "not finite"),
        (np.full((4, 20, 20), 3, np.float32), "Every value is 3"),
    ],
)
def test_values_that_no_fit_can_work_on_keep_from_a_run(dock, viewer, qtbot, values, words):
    viewer.layers["movie"].data = values
    qtbot.waitUntil(lambda: words in said(dock))
    assert not dock.panel.run_button.isEnabled()
    assert not dock.panel.preview_button.isEnabled()
    viewer.layers["movie"].data = random(4, 20, 20)
    qtbot.waitUntil(dock.panel.run_button.isEnabled)
    assert words not in said(dock)


def test_an_array_that_was_changed_in_place_is_looked_at_again(dock, viewer, qtbot):
    movie = viewer.layers["movie"]
    values = movie.data
    values[1] = np.nan
    movie.data = values
    qtbot.waitUntil(lambda: "not finite" in said(dock))
    assert not dock.panel.run_button.isEnabled()


def test_what_is_known_of_the_axes_follows_the_layer(dock, viewer, qtbot):
    movie = viewer.layers["movie"]
    movie.scale = (2, 0.5, 0.5)
    qtbot.waitUntil(lambda: "0.5×0.5 µm, every 2\u00a0s" in said(dock))
    movie.units = ("pixel",) * 3
    qtbot.waitUntil(lambda: "enter it in µm, and t in seconds," in said(dock))
    movie.axis_labels = ("z", "y", "x")
    qtbot.waitUntil(lambda: "ZYX   4×20×20" in said(dock))
    movie.axis_labels = ("a", "b", "c")
    qtbot.waitUntil(lambda: "please check" in said(dock))
    assert not dock.panel.run_button.isEnabled()
    dock.source.axes.edit.setText("tyx")
    dock.source.axes.button.click()
    assert "TYX   4×20×20" in said(dock)
    movie.axis_labels = ("z", "y", "x")  # what was said last counts
    qtbot.waitUntil(lambda: "ZYX   4×20×20" in said(dock))


def test_axes_are_checked_while_they_are_typed(dock, viewer, qtbot):
    viewer.layers["movie"].axis_labels = ("a", "b", "c")
    line = dock.source.axes
    qtbot.waitUntil(lambda: not line.edit.isHidden())
    line.edit.clear()
    qtbot.keyClicks(line.edit, "tq")
    assert "'TQ'" in line.label.text()
    assert "color" in line.label.styleSheet()
    assert not line.button.isEnabled()
    line.edit.clear()
    qtbot.keyClicks(line.edit, "tyx")
    assert "please check" in line.label.text()
    assert line.label.styleSheet() == ""
    assert line.button.isEnabled()
    assert line.edit.text() == "tyx"


def callbacks(layer):
    return sum(len(getattr(layer.events, name).callbacks) for name in EVENTS)


def test_only_the_chosen_layer_is_listened_to(dock, viewer):
    movie = viewer.layers["movie"]
    other = viewer.add_image(random(4, 20, 20), name="other", axis_labels=tuple("tyx"))
    before = callbacks(movie), callbacks(other)
    dock.source.choose(other.unique_id)
    assert (callbacks(movie), callbacks(other)) == (before[0] - 4, before[1] + 4)
    dock.source.choose(movie.unique_id)
    dock.source.choose(movie.unique_id)
    assert (callbacks(movie), callbacks(other)) == before
    viewer.layers.remove(movie)
    dock.source.choose(other.unique_id)
    assert callbacks(movie) < before[0]


def test_a_dock_that_is_gone_does_not_listen(dock, viewer, qtbot):
    movie = viewer.layers["movie"]
    dock.deleteLater()
    qtbot.wait(50)
    movie.scale = (3, 1, 1)
    assert not [one for one in movie.events.scale.callbacks if "_on_event" in str(one)]


class Lazy:
    """An array of which parts can be read, but never the whole."""

    def __init__(self, values):
        self._values = values
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

    def __getitem__(self, key):
        part = self._values[key]
        assert part.size < self._values.size, "the whole of a lazy array was read"
        return part

    def __array__(self, *args, **kwargs):
        raise AssertionError("a lazy array was read")


def test_lazy_arrays_are_not_read(dock, viewer, qtbot):
    viewer.layers["movie"].data = Lazy(random(7, 20, 20))
    qtbot.waitUntil(lambda: "TYX   7×20×20" in said(dock))
    assert dock.panel.run_button.isEnabled()


def test_files_in_memory_are_left_to_the_job(viewer, tmp_path):
    mapped = np.memmap(tmp_path / "a.raw", np.float32, "w+", shape=(4, 20, 20))
    assert checks.image_fault(Image(mapped, "TYX")) == ""


def test_a_layer_that_changes_all_the_time_costs_a_tenth_of_it(viewer, qtbot):
    layer = viewer.add_image(random(4, 20, 20), name="live")
    parent = QObject()
    watch = LayerWatch(parent)
    heard = []

    def answer():
        heard.append(0)
        qtbot.wait(20)

    watch.changed.connect(answer)
    watch.watch(layer)
    for _ in range(30):
        layer.data = random(4, 20, 20)
    qtbot.waitUntil(lambda: heard == [0])
    qtbot.waitUntil(lambda: watch._later.interval() >= REST * 20)
    watch.watch(None)
    layer.data = random(4, 20, 20)
    qtbot.wait(300)
    assert heard == [0]
