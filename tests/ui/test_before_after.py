"""Before and after: a swipe line, side by side, and a key that shows the source."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr.ui.compare.before_after import HOLD_KEY, SIDE_KEY, SWIPE_KEY
from napari_cellinr.ui.compare.swipe import LEFT, LINE
from napari_cellinr.ui.docks.batch import BatchDock
from napari_cellinr.ui.docks.compare import CompareDock
from napari_cellinr.ui.layers.camera import camera_of

pytestmark = pytest.mark.gui


@pytest.fixture
def after(viewer, dock, use_job, idle):
    job = use_job()
    plain = job.fitted
    job.fitted = lambda *given: replace(plain(*given), state={"w": np.zeros(1)})
    dock.run()
    idle(dock)
    return viewer.layers["denoised · membrane"]


def names(viewer):
    return [layer.name for layer in viewer.layers]


def visible(viewer):
    return {layer.name for layer in viewer.layers if layer.visible}


def press(viewer, key):
    """Call what a key of the canvas is bound to; return a held key's generator."""
    from napari.utils.key_bindings import coerce_keybinding

    keymap = getattr(viewer, "__wrapped__", viewer).keymap
    return keymap[coerce_keybinding(key)](viewer)


def drag(viewer, *positions):
    """Press the mouse at the first position, move it, and release it."""
    event = SimpleNamespace(type="mouse_press", position=positions[0])
    callback = viewer.mouse_drag_callbacks[-1]
    running = callback(viewer, event)
    for step in ("mouse_move",) * len(positions[1:]):
        next(running, None)
        event.type, event.position = step, positions[len(positions) - 1]
    next(running, None)
    event.type = "mouse_release"
    next(running, None)


def test_the_swipe_line_shows_the_source_on_its_left(viewer, layer, dock, after):
    hidden = viewer.add_image(np.zeros((6, 40, 48)), name="other", visible=True)
    before = visible(viewer)
    dock.fit_actions.swipe_button.click()
    left = viewer.layers[LEFT]
    assert left.data.shape == (6, 40, 24)
    np.testing.assert_array_equal(left.data, layer.data[..., :24])
    np.testing.assert_allclose(left.data_to_world((0, 0, 0)), layer.data_to_world((0, 0, 0)))
    assert names(viewer).index(LEFT) > names(viewer).index(after.name)
    assert not hidden.visible
    assert LEFT not in [dock.source.combo.itemText(i) for i in range(dock.source.combo.count())]
    dock.dispatcher.before_after.move(0.75)
    assert viewer.layers[LEFT].data.shape[-1] == 36
    dock.fit_actions.swipe_button.click()
    assert visible(viewer) == before
    assert not {LEFT, LINE} & set(names(viewer))


def test_a_result_whose_colours_add_covers_its_source_beside_the_swipe_line(
    viewer, layer, dock, use_job, idle
):
    layer.blending = "additive"
    use_job()
    dock.run()
    idle(dock)
    result = viewer.layers["denoised · membrane"]
    assert result.blending == "additive"
    before = visible(viewer)
    dock.dispatcher.before_after.toggle("swipe")
    assert result.blending == "translucent_no_depth"
    dock.dispatcher.before_after.toggle("swipe")
    assert result.blending == "additive"
    assert visible(viewer) == before


def test_the_line_is_dragged_with_the_mouse_and_the_view_is_not(viewer, layer, dock, after):
    dock.dispatcher.before_after.toggle("swipe")
    line = viewer.layers[LINE]
    start = np.array(line.data_to_world(line.data[0, 0] + [0, 9, 0]))
    end = start + np.array([0, 0, 12 * layer.scale[-1]])
    pans = camera_of(viewer).mouse_pan
    drag(viewer, start, end)
    assert viewer.layers[LEFT].data.shape[-1] == 36
    assert line.data[0, 0, 2] == 35.5
    assert camera_of(viewer).mouse_pan == pans
    drag(viewer, end - np.array([0, 0, 20 * layer.scale[-1]]), end)  # too far from the line
    assert viewer.layers[LEFT].data.shape[-1] == 36


def test_the_line_is_in_the_plane_that_is_shown(viewer, layer, dock, after):
    dock.dispatcher.before_after.toggle("swipe")
    for plane in (1, 4):
        viewer.dims.set_current_step(0, plane)
        assert viewer.layers[LINE].data[0, 0, 0] == plane


@pytest.mark.new_viewer  # napari keeps the cameras of a grid
def test_side_by_side_shows_the_two_in_linked_views(viewer, layer, dock, after):
    viewer.add_points(np.zeros((1, 3)), name="points")
    grid = getattr(viewer, "canvas", viewer).grid
    zoom = camera_of(viewer).zoom
    press(viewer, SIDE_KEY)
    assert camera_of(viewer).zoom == pytest.approx(zoom / 2)  # what was in view stays in view
    assert visible(viewer) == {"membrane", after.name}
    assert grid.enabled
    layers = list(getattr(viewer, "__wrapped__", viewer).layers)
    given = layers if hasattr(viewer, "scene") else len(layers)  # their number before napari 0.9
    place = {one.name: grid.position(i, given) for i, one in enumerate(layers) if one.visible}
    assert place == {"membrane": (0, 0), after.name: (0, 1)}
    press(viewer, SIDE_KEY)
    assert not grid.enabled
    assert camera_of(viewer).zoom == pytest.approx(zoom)
    assert {"points", after.name} <= visible(viewer)


def test_a_key_toggles_the_line_and_another_one_shows_the_source_while_held(viewer, dock, after):
    press(viewer, SWIPE_KEY)
    assert dock.dispatcher.before_after.mode == "swipe"
    press(viewer, SWIPE_KEY)
    assert dock.dispatcher.before_after.mode == ""
    before = visible(viewer)
    held = press(viewer, HOLD_KEY)
    next(held)
    assert visible(viewer) == {"membrane"}
    assert next(held, "end") == "end"
    assert visible(viewer) == before


@pytest.mark.new_viewer  # napari keeps the cameras of a grid
def test_the_controls_of_the_compare_dock_follow_and_choose_the_layers(viewer, layer, dock, after):
    compare = CompareDock(viewer)
    viewer.window.add_dock_widget(compare, name="Compare")
    viewer.add_image(layer.data + 1, name="third", axis_labels=("z", "y", "x"))
    compare.result.setCurrentIndex(compare.result.findText(after.name))
    compare.against.setCurrentIndex(compare.against.findText("third"))
    controls = compare.before_after
    controls.swipe_button.click()
    assert visible(viewer) >= {"third", after.name, LEFT}
    np.testing.assert_array_equal(viewer.layers[LEFT].data, (layer.data + 1)[..., :24])
    controls.slider.setValue(250)
    assert viewer.layers[LEFT].data.shape[-1] == 12
    controls.side_button.click()
    assert not controls.swipe_button.isChecked()
    assert controls.side_button.isChecked()
    assert controls.hint.text() == "Left: “third”; right: “denoised · membrane”."
    viewer.layers.remove("third")
    assert not controls.side_button.isChecked()
    assert dock.dispatcher.before_after.mode == ""


@pytest.mark.parametrize("key", [SWIPE_KEY, SIDE_KEY])
@pytest.mark.new_viewer  # napari keeps the cameras of a grid
def test_the_end_removes_the_caption_and_no_later_message(viewer, dock, after, key):
    compare, batch = CompareDock(viewer), BatchDock(viewer)
    for one in (compare, batch):
        viewer.window.add_dock_widget(one)
    shown = [dock.panel.status, batch.status]
    press(viewer, key)
    compare.status.setText(dock.dispatcher.before_after.caption)
    assert all(label.text().startswith("Left: “membrane”; right:") for label in shown)
    press(viewer, key)
    assert [label.text() for label in (*shown, compare.status)] == [""] * 3
    press(viewer, key)
    dock.controller.said.emit("warning", "The motion is uncertain.")
    compare.status.setText("The score is 3.")
    press(viewer, key)
    assert dock.dispatcher.before_after.mode == ""
    assert [label.text() for label in shown] == ["The motion is uncertain."] * 2
    assert compare.status.text() == "The score is 3."


def test_without_a_result_the_keys_say_what_to_do(viewer, dock):
    press(viewer, SWIPE_KEY)
    assert "run a fit" in dock.panel.status.text()
    assert LEFT not in names(viewer)
