"""Factors, sizes and any time: what the dock for super-resolution adds to the others."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtWidgets import QLabel

from napari_cellinr import SpatimeConfig, api
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.image import Image
from napari_cellinr.ui.docks.superresolve import TASK, SuperresolveDock
from napari_cellinr.ui.layers.provenance import Result
from napari_cellinr.ui.panels.scale import ScaleSection, isotropic_factors
from napari_cellinr.ui.panels.time import STEPS_PER_FRAME, TimePanel
from napari_cellinr.ui.preferences import Preferences
from napari_cellinr.ui.session import controller
from napari_cellinr.ui.session.controller import controller_of

pytestmark = pytest.mark.gui

MOVIE = {
    "name": "movie",
    "scale": (30.0, 1.0, 0.25, 0.25),
    "translate": (0.0, 5.0, 0.0, 0.0),
    "units": ("second", *("micrometer",) * 3),
    "axis_labels": ("t", "z", "y", "x"),
}


def movie(units=MOVIE["units"]):
    return Image(np.zeros((5, 6, 8, 10), np.float32), "TZYX", MOVIE["scale"], units)


@pytest.fixture
def section(qtbot):
    made = ScaleSection()
    qtbot.addWidget(made)
    made.set_config(SimpleNamespace(scale={"t": 2, "z": 2.5}))
    return made


def test_factors_read_back_as_they_were_shown(section):
    section.show_image(movie())
    assert section.values() == {"scale": {"t": 2.0, "z": 2.5}}
    section.boxes["Y"].setText("1,5")
    assert section.values()["scale"]["y"] == 1.5


def test_size_and_voxels_before_and_after(section):
    section.show_image(movie())
    text = section.summary.text()
    assert "5 × 6 × 8 × 10 → 9 × 15 × 8 × 10" in text
    assert "T: 30 → 15 s" in text
    assert "Z: 1 → 0.4 µm" in text
    assert "Y:" not in text
    assert section.error.isHidden()


def test_an_unknown_frame_interval_is_counted_in_frames(section):
    section.show_image(movie(("pixel", *("micrometer",) * 3)))
    assert "T: 30 → 15 frames" in section.summary.text()


def test_only_axes_that_can_be_refined_are_offered(section):
    section.show_image(Image(np.zeros((6, 8, 10)), "ZYX"))
    assert section.boxes["T"].isHidden()
    assert section.values() == {"scale": {"z": 2.5}}
    one_frame = Image(np.zeros((1, 6, 8, 10)), "TZYX")
    section.show_image(one_frame)
    assert section.values() == {"scale": {"z": 2.5}}


@pytest.mark.parametrize(
    ("typed", "said"), [("17", "at most 16"), ("0", "more than 0"), ("x", "enter a number")]
)
def test_what_is_wrong_is_said_at_once(section, typed, said):
    section.show_image(movie())
    section.boxes["Z"].setText(typed)
    section.boxes["Z"].textEdited.emit(typed)
    assert said in section.error.text()
    assert section.summary.text() == ""


def test_factors_that_suit_the_image_are_there_until_others_are_typed(qtbot):
    section = ScaleSection()
    qtbot.addWidget(section)
    section.set_config(SimpleNamespace(scale=None))
    assert section.values() == {"scale": {}}
    stack = Image(np.zeros((6, 8, 10)), "ZYX", (1, 0.4, 0.4), ("um",) * 3)
    uneven = Image(np.zeros((6, 8, 10)), "ZYX", (20, 0.4, 0.4), ("um",) * 3)
    unknown = Image(np.zeros((6, 8, 10)), "ZYX", (3, 1, 1))
    for image, factors in (
        (movie(), {"t": 2}),
        (stack, {"z": 2.5}),
        (uneven, {"z": 16}),
        (unknown, {"y": 2, "x": 2}),
        (movie(), {"t": 2}),
    ):
        section.show_image(image)
        assert section.values() == {"scale": factors}
    section.boxes["T"].setText("3")
    section.boxes["T"].textEdited.emit("3")
    section.show_image(movie())  # such as after any change of layers
    assert section.values() == {"scale": {"t": 3}}
    section.show_image(stack)  # for which nothing was typed
    assert section.values() == {"scale": {"z": 2.5}}
    section.show_image(movie())
    assert section.values() == {"scale": {"t": 3}}
    section.set_config(SimpleNamespace(scale=None))  # reset
    assert section.values() == {"scale": {"t": 2}}


def test_isotropic_needs_a_voxel_size(section, qtbot):
    section.show_image(movie(units=("pixel",) * 4))
    assert not section.isotropic.isEnabled()
    assert "unknown" in section.isotropic.toolTip()
    section.show_image(movie())
    with qtbot.waitSignal(section.changed):
        section.isotropic.click()
    assert section.values()["scale"] == {"t": 2.0, "z": 4.0}
    assert isotropic_factors(movie()) == {"Z": 4, "Y": 1, "X": 1}


@pytest.fixture
def rendered(monkeypatch):
    """Queries that were made; each is answered by planes that hold the wanted time."""
    queries = []

    def render(stored, query, *, device="auto"):
        queries.append(query)
        data = np.full((1, 2, 16, 20), query.times[0], np.float32)
        scale, translate = (30, 0.5, 0.125, 0.125), (query.times[0], 5.75, -0.0625, -0.0625)
        return (Image(data, "TZYX", scale, MOVIE["units"], "plane", translate),)

    monkeypatch.setattr(api, "render", render)
    return queries


def shown(viewer):
    made = TimePanel(controller_of(viewer))
    source = viewer.add_image(np.ones((5, 6, 8, 10), np.float32), **MOVIE)
    fitted = Fitted((movie(),), SimpleNamespace(as_dict=dict), {}, (), "steps", {}, "spatime")
    made.show_result(fitted, source, source)
    return made


def test_any_time_on_the_plane_that_is_shown(viewer, rendered, idle, qtbot):
    panel = shown(viewer)
    qtbot.addWidget(panel)
    assert panel.slider.maximum() == 4 * STEPS_PER_FRAME
    viewer.dims.set_point(1, 5.0 + 1.0)
    holder = SimpleNamespace(controller=panel._controller)
    for frame in (1.5, 2.25):
        panel.slider.setValue(round(frame * STEPS_PER_FRAME))
        qtbot.waitUntil(lambda n=frame: bool(rendered) and rendered[-1].times == (30 * n,))
        idle(holder)
        assert rendered[-1].crop == {"Z": slice(1, 2)}
        assert f"frame {frame:.2f}" in panel.label.text()
        layer = viewer.layers["at time · movie"]
        assert np.asarray(layer.data).max() == 30 * frame
    assert len(viewer.layers) == 2
    np.testing.assert_allclose(layer.scale[-2:], 0.125)
    np.testing.assert_allclose(layer.translate[-2:], -0.0625)


def test_without_frames_there_is_no_slider(viewer, qtbot):
    panel = TimePanel(controller_of(viewer))
    qtbot.addWidget(panel)
    source = viewer.add_image(np.ones((6, 8, 10)), axis_labels=("z", "y", "x"))
    fitted = Fitted((movie(),), SimpleNamespace(as_dict=dict), {}, (), "steps", {}, "spatime")
    panel.show_result(fitted, source, source)
    assert panel.slider.isHidden()


def test_the_dock_estimates_and_checks_before_a_run(viewer, qtbot):
    viewer.add_image(np.random.default_rng(0).random((5, 6, 8, 10)).astype(np.float32), **MOVIE)
    dock = SuperresolveDock(viewer)
    viewer.window.add_dock_widget(dock, name="Super-resolve")
    section = dock.form.section
    assert dock.panel.run_button.isEnabled()
    section.boxes["T"].setText("1")
    section.boxes["T"].textEdited.emit("1")
    assert not dock.panel.run_button.isEnabled()
    assert "All factors are 1" in section.error.text()
    assert not any("factor" in one.text() for one in dock.source.findChildren(QLabel))
    section.boxes["T"].setText("2")
    section.boxes["T"].textEdited.emit("2")
    assert dock.panel.run_button.isEnabled()
    assert section.error.isHidden()
    assert "GB of memory" in dock.panel.cost.text()
    assert dict(dock.form.config().scale) == {"t": 2}
    section.boxes["T"].setText("40")
    section.boxes["T"].textEdited.emit("40")
    assert not dock.panel.run_button.isEnabled()


def test_any_time_is_not_offered_of_a_preview(viewer, qtbot):
    layer = viewer.add_image(np.ones((5, 6, 8, 10), np.float32), **MOVIE)
    dock = SuperresolveDock(viewer)
    qtbot.addWidget(dock)
    fitted = Fitted((movie(),), SpatimeConfig(), {}, (), "steps", {}, "spatime")
    result = Result(TASK, SpatimeConfig(), fitted, movie(), layer, (layer,), quick=True)
    dock.controller.finished.emit(result)
    assert dock.below.isHidden()
    dock.controller.finished.emit(replace(result, quick=False))
    assert not dock.below.isHidden()


def test_a_run_gives_finer_layers_and_any_time(viewer, qtbot, idle, monkeypatch):
    monkeypatch.setattr(controller, "preferences", lambda: Preferences(preview_seconds=0))
    seen = []
    viewer.layers.events.inserted.connect(
        lambda event: seen.append((event.value.name, event.value.data.shape))
    )
    t, y, x = np.indices((3, 24, 32)).astype(float)
    data = (100 * np.exp(-((y - 12) ** 2 + (x - 10 - 4 * t) ** 2) / 12)).astype(np.float32)
    place = {"axis_labels": ("t", "y", "x"), "units": ("second", "micrometer", "micrometer")}
    viewer.add_image(data, name="movie", scale=(30, 0.5, 0.5), **place)
    dock = SuperresolveDock(viewer)
    viewer.window.add_dock_widget(dock, name="Super-resolve")
    dock.form.set_config(SpatimeConfig(preset="preview", scale={"t": 2, "x": 2}, refinement=0.1))
    dock.run()
    idle(dock, 60_000)
    assert ("super-resolved · movie (running)", (5, 24, 64)) in seen
    result = viewer.layers["super-resolved · movie"]
    assert result.data.shape == (5, 24, 64)
    np.testing.assert_allclose(result.scale, (15, 0.5, 0.25))
    np.testing.assert_allclose(result.translate, (0, 0, -0.125))
    assert [str(u) for u in result.units] == ["second", "micrometer", "micrometer"]
    assert not dock.below.isHidden()
    dock.below.slider.setValue(round(1.25 * STEPS_PER_FRAME))
    qtbot.waitUntil(lambda: "at time · movie" in viewer.layers, timeout=30_000)
    idle(dock)
    plane = np.asarray(viewer.layers["at time · movie"].data)
    assert plane.shape[-2:] == (24, 64)
    assert plane.max() > 50
