"""The dock for motion: only what the microscope needs, arrows and tracks over the scene."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers import Vectors

from napari_cellinr import Image, NSTMConfig
from napari_cellinr.config.optics import KINDS, optics_from_dict
from napari_cellinr.fitting.problem import Fitted, Progress
from napari_cellinr.macro.motion import arrows_of, images_by_role
from napari_cellinr.motion import times_of
from napari_cellinr.simulate.recordings import moving
from napari_cellinr.ui.docks.reconstruct import TASK, ReconstructDock
from napari_cellinr.ui.layers.convert import layer_tuples
from napari_cellinr.ui.layers.live import LiveLayer
from napari_cellinr.ui.layers.motion import layers_of
from napari_cellinr.ui.layers.results import add_shown
from napari_cellinr.ui.panels.optics import OpticsSection

pytestmark = pytest.mark.gui

WORM = moving("worm")


def iter_reconstruct(image, config, monitor):
    """Yield progress, and return the truth of the worm as if it had been found."""
    for step in range(3):
        time.sleep(0.01)
        yield Progress("fitting", step, 3, {"data": 1.0}, 1.0, 0.1, 0.1)
    motion = WORM.motion.array()
    speed = WORM.motion.take("C", 0).like(
        np.linalg.norm(np.gradient(motion, 0.1, axis=0), axis=1).astype(np.float32)
    )
    confidence = speed.like(np.ones(speed.shape, np.float32))
    images = (WORM.truth, WORM.motion, speed, confidence)
    roles = ("result", "motion", "speed", "confidence")
    report = {"seconds": 1.0, "field": {"frames": times_of(WORM.motion)}}
    return Fitted(images, config, {}, (), "steps", report, method="nstm", roles=roles)


@pytest.fixture
def section(qtbot):
    made = OpticsSection()
    qtbot.addWidget(made)
    return made


@pytest.mark.parametrize("kind", list(KINDS))
def test_optics_read_back_as_they_were_shown(section, kind):
    optics = KINDS[kind].example()
    section.set_optics(optics)
    assert optics_from_dict(section.values()["optics"]) == optics
    shown = [name for name, grid in section.grids.items() if not grid.isHidden()]
    assert shown == [kind]
    assert set(section.grid.fields) == set(KINDS[kind].model_fields) - {"kind"}
    assert section.error.text() == ""


def test_constants_that_nobody_states_are_asked_for():
    """The fields of a kind begin empty, and Run waits until they are filled."""
    noise = np.random.default_rng(0).random((4, 24, 24))
    image = Image(noise, "TYX", (1.0, 0.4, 0.4), ("second", "micrometer", "micrometer"))
    faults = TASK.check(NSTMConfig(optics={"kind": "dpc"}), image)
    assert "Wavelength (µm), NA, NA illumination or LED positions" in faults["optics"]
    assert TASK.check(NSTMConfig(optics=KINDS["dpc"].example()), image) == {}


def test_needed_fields_begin_empty_and_show_the_fault(section):
    section.set_optics(KINDS["dpc"]())
    shown = section.values()["optics"]
    assert all(shown[name] is None for name in KINDS["dpc"].TYPICAL)
    assert optics_from_dict(shown) == KINDS["dpc"]()
    section.explain({"optics": "Enter na."})
    assert section.error.text() == "Enter na."
    section.explain({})
    assert section.error.text() == ""
    section.kind.set_value("rolling-shutter")
    assert section.values()["optics"]["shutter"] is None


def test_lists_and_faults(section):
    section.set_optics(KINDS["dpc"].example())
    field = section.grid.fields["rotations"]
    for text, value in (("0, 90", [0, 90]), ("[0, 90]", [0, 90]), ("north", "north")):
        field._edit.setText(text)
        assert section.values()["optics"]["rotations"] == value
    field._edit.textEdited.emit("north")
    assert "Rotations" in section.error.text()
    section.set_optics(KINDS["dpc"](na=0.5))
    section.grid.fields["na"].set_value(3)
    section.grid.edited.emit()
    assert "cannot exceed the index" in section.error.text()


def test_the_layer_says_what_it_knows(section):
    section.show_image(WORM.raw)
    assert "0.454 µm" in section.taken.text()
    assert "frame interval 0.1 s" in section.taken.text()
    assert section.kind.value() == "dpc"
    assert optics_from_dict(section.values()["optics"]) == WORM.optics
    section.kind.set_value("z-scan")
    section.show_image(WORM.raw)  # asked again: what the user chose stays
    assert section.kind.value() == "z-scan"


@pytest.fixture
def dock(viewer, put_job):
    put_job("reconstruct", iter_reconstruct)
    (data, attributes, _) = layer_tuples(WORM.raw)[0]
    viewer.add_image(data, **attributes)
    made = ReconstructDock(viewer)
    viewer.window.add_dock_widget(made, name="Reconstruct motion")
    return made


def by_type(viewer):
    return {type(layer).__name__: layer for layer in viewer.layers if layer.visible}


def test_arrows_and_tracks_lie_over_the_scene(dock, viewer, idle):
    assert dock.panel.run_button.isEnabled()
    dock.run()
    idle(dock)
    dock.dispatcher.offers.show_named("tracks")
    names = [type(layer).__name__ for layer in viewer.layers]
    shown = by_type(viewer)
    assert {"Image", "Vectors", "Tracks"} <= set(shown)
    scene = max(place for place, name in enumerate(names) if name == "Image")
    assert names.index("Vectors") > scene
    assert names.index("Tracks") > scene
    arrows = shown["Vectors"]
    assert "speed (µm/s)" in arrows.features
    per_frame = np.unique(arrows.data[:, 0, 0], return_counts=True)[1]
    assert per_frame.max() <= 5000
    assert len(arrows.data) > 200
    np.testing.assert_allclose(arrows.scale, [0.1, 0.454, 0.454], rtol=1e-5)
    # The head of an arrow is where the point is: on the body of the worm at that time.
    last = arrows.data[:, 0, 0] == 11
    heads = np.round(arrows.data[last].sum(1)[:, 1:]).astype(int)
    phase = WORM.truth.array()[11, 1]
    inside = ((heads >= 0) & (heads < phase.shape)).all(1)
    assert (phase[tuple(heads[inside].T)] > 0.05).mean() > 0.7
    assert dock.below is not None
    assert not dock.below.isHidden()


def test_new_arrows_have_the_colours_of_their_own_speeds(dock, viewer, idle):
    dock.run()
    idle(dock)
    arrows = by_type(viewer)["Vectors"]
    before = len(arrows.data)
    dock.below.every.setValue(3)
    dock.below.arrows_button.click()
    idle(dock)
    assert by_type(viewer)["Vectors"].unique_id == arrows.unique_id
    assert len(arrows.data) != before
    speeds = arrows.features["speed (µm/s)"]
    fitted = dock.dispatcher.results[dock.below._scene_id].fitted
    found = arrows_of(fitted, images_by_role(fitted), every=3)
    np.testing.assert_allclose(arrows.data, found.data)
    np.testing.assert_allclose(speeds, found.speed)
    look = {"edge_color": "speed (µm/s)", "edge_colormap": "turbo"}
    fresh = Vectors(arrows.data, features=arrows.features, **look)
    fresh.edge_contrast_limits = arrows.edge_contrast_limits  # a speed keeps its colour
    np.testing.assert_allclose(arrows.edge_color, fresh.edge_color, atol=1e-6)
    assert arrows.edge_color[speeds.argmax(), 0] != arrows.edge_color[speeds.argmin(), 0]


def test_points_of_the_user_are_followed(dock, viewer, idle):
    dock.run()
    idle(dock)
    assert not dock.below.button.isEnabled()
    place = (40, 60)
    viewer.add_points([(0, *place)], scale=(0.1, 0.454, 0.454), name="seeds")
    assert dock.below.button.isEnabled()
    dock.below.button.click()
    idle(dock)
    tracks = viewer.layers["tracks of seeds"]
    steps = WORM.motion.array()[:, :, place[0], place[1]] / 0.454
    np.testing.assert_allclose(tracks.data[:, 2:], np.array(place) + steps, atol=0.02)


def test_too_long_an_arrow_is_told_in_the_words_of_the_dock(dock, idle, monkeypatch):
    dock.run()
    idle(dock)
    none = SimpleNamespace(data=[], speed=[])
    monkeypatch.setattr("napari_cellinr.macro.motion.arrows_of", lambda *arguments: none)
    dock.below.shortest.setValue(60)
    assert "length" in dock.below.shortest.text()
    dock.below.arrows_button.click()
    idle(dock)
    assert dock.panel.status.text().startswith("No arrow is longer than 60 where")


def test_points_are_followed_where_they_lie_on_a_turned_scene(dock, viewer, idle, monkeypatch):
    dock.run()
    idle(dock)
    scene = next(one for one in viewer.layers if one.unique_id == dock.below._scene_id)
    scene.rotate = 30
    asked = []
    monkeypatch.setattr(dock.below, "_show", lambda options, name: asked.append(options["points"]))
    place = (40, 60)
    viewer.add_points([scene.data_to_world((0, *place))[1:]], name="seeds")
    dock.below.button.click()
    np.testing.assert_allclose(asked, [[place]], atol=1e-3)


def test_wrong_number_of_frames_is_said_before_a_run(dock):
    section = dock.form.section
    section.grid.fields["rotations"]._edit.setText("0, 72, 144, 216, 288")
    section.grid.edited.emit()
    assert not dock.panel.run_button.isEnabled()
    assert "multiple of 5" in TASK.check(dock.form.config(), dock.source.image())["image"]


@pytest.mark.parametrize(
    ("kind", "axes", "said"),
    [
        ("time-lapse", "ZYX", "has 1 time point; a time-lapse needs 2"),
        ("time-lapse", "TYX", ""),
        ("line-scan", "ZYX", "has 1 time point; a line-scan needs 2"),
        ("line-scan", "TZYX", "has axes TZYX; a line-scan needs TYX"),
        ("z-scan", "TYX", "has axes TYX; a z-scan needs TZYX"),
        ("z-scan", "TZYX", ""),
        ("dpc", "ZYX", ""),
    ],
)
def test_axes_that_the_microscope_does_not_have_are_said_before_a_run(kind, axes, said):
    noise = np.random.default_rng(0).random((4,) * (len(axes) - 2) + (8, 8)).astype(np.float32)
    steps = {"dpc": {"pixel_size": 0.4}, "z-scan": {"stack_time": 9}}.get(kind, {})
    optics = {"kind": kind, **KINDS[kind].TYPICAL, **steps}
    faults = TASK.check(NSTMConfig(optics=optics), Image(noise, axes))
    assert set(faults) == ({"axes"} if said else set())
    assert said in faults.get("axes", "")


@pytest.mark.parametrize("kind", ["worm", "beads", "cell", "ball"])
def test_samples_bring_their_optics(kind):
    from napari_cellinr.ui import plugin

    truth, raw = getattr(plugin, f"sample_{kind}")()
    optics = optics_from_dict(raw[1]["metadata"]["optics"])
    assert optics.kind == {"worm": "dpc", "beads": "sim3d", "cell": "z-scan"}.get(
        kind, "rolling-shutter"
    )
    assert truth[0].ndim == raw[0].ndim + (kind == "ball")


def test_arrows_follow_a_running_fit(viewer):
    """They appear with the first preview, move with the next one, and go with the end."""
    (data, attributes, _) = layer_tuples(WORM.raw)[0]
    source = viewer.add_image(data, **attributes)
    live = LiveLayer(viewer, source.unique_id, WORM.raw, "worm reconstructed", from_data=True)
    plane = WORM.truth.take("C", 1).take("T", 0)
    for length in (2.0, 3.0):
        arrows = np.array([[[10, 20], [0, length]], [[40, 50], [0.1, 0]]], np.float32)
        live.show(plane.like(plane.data, meta={"arrows": arrows}), {"T": 3})
        (shown,) = [layer for layer in viewer.layers if type(layer).__name__ == "Vectors"]
        assert shown.data.tolist() == [[[3, 10, 20], [0, 0, length]]]  # a short one is left out
        np.testing.assert_allclose(shown.scale, source.scale, rtol=1e-5)
    live.finish(WORM.truth.take("C", 1))
    assert not [layer for layer in viewer.layers if type(layer).__name__ == "Vectors"]


@pytest.fixture
def shown(make_napari_viewer):
    """A viewer on the screen, with a live layer that is still to come, and a plane for it."""
    viewer = make_napari_viewer(show=True)
    (data, attributes, _) = layer_tuples(WORM.raw)[0]
    source = viewer.add_image(data, **attributes)
    live = LiveLayer(viewer, source.unique_id, WORM.raw, "worm reconstructed", from_data=True)
    return viewer, live, WORM.truth.take("C", 1).take("T", 0)


def test_a_fit_that_begins_flat_is_seen_while_it_runs(shown):
    _, live, plane = shown
    seen = []
    for part in (1e-9, 0.1, 0.15, 1.0, 1.1):
        live.show(
            plane.like(np.asarray(plane.data) * np.float32(part) + np.float32(0.01)), {"T": 0}
        )
        seen.append(float(np.diff(live.layer.contrast_limits)[0]))
    assert seen[0] == pytest.approx(1)  # flat
    assert seen[2] == seen[1] < 0.5
    assert seen[4] == seen[3] > 2 * seen[1]  # no flicker
    layer = live.finish(WORM.truth.take("C", 1))
    layer.contrast_limits = (0.2, 0.3)
    live.show(plane.like(10 * np.asarray(plane.data)), {"T": 0})
    assert tuple(layer.contrast_limits) == (0.2, 0.3)  # the user has moved them


def test_a_fit_whose_brightness_shifts_is_seen_while_it_runs(shown):
    """Otherwise the whole image would be white, or black."""
    _, live, plane = shown
    for offset in (0.01, 5.0, 5.0 + 1e-3, 1.0):
        values = np.asarray(plane.data) + np.float32(offset)
        live.show(plane.like(values), {"T": 0})
        low, high = live.layer.contrast_limits
        assert ((values > low) & (values < high)).mean() > 0.5


def test_the_canvas_takes_the_contrast_of_a_result(shown, qtbot):
    viewer, live, plane = shown
    live.show(plane, {"T": 0})
    live._set_contrast(live.layer, (0.00229, 0.00229 + 1e-9))  # too narrow for a texture
    qtbot.wait(100)
    layer = live.finish(WORM.truth.take("C", 1))
    qtbot.wait(100)
    greys = [len(np.unique(viewer.screenshot(flash=False)))]
    layer.refresh()
    greys.append(len(np.unique(viewer.screenshot(flash=False))))
    assert greys[0] == greys[1] > 50


def test_a_quick_look_keeps_what_is_said_of_the_light():
    """What is on stays on; what would only be tried is not, which takes as long again."""
    asked = NSTMConfig(bleaching="on", steps=5000, learning_rate=0.001)
    quick = TASK.quick(asked)
    assert (quick.preset, quick.bleaching, quick.brightness) == ("preview", "on", "off")
    assert quick.steps == NSTMConfig(preset="preview").steps


def test_optics_of_a_sample_do_not_stay_for_the_next_image(section):
    own = KINDS["time-lapse"](frame_time=5.0)
    section.set_optics(own)
    values = np.zeros((4, 9, 9), np.float32)
    sample = Image(values, "TYX", meta={"optics": KINDS["dpc"](pixel_size=0.1).as_dict()})
    section.show_image(sample)
    assert section.kind.value() == "dpc"
    section.grid.fields["pixel_size"].set_value(0.3)
    section.show_image(Image(values, "TYX"))
    assert optics_from_dict(section.values()["optics"]) == own
    section.show_image(sample)  # what was changed for the sample belongs to it
    assert section.grid.fields["pixel_size"].value() in {0.3, "0.3"}
    section.show_image(None)
    assert optics_from_dict(section.values()["optics"]) == own


def test_values_that_differ_from_the_image_are_marked_and_reset(section):
    units = ("second", "micrometer", "micrometer")
    image = Image(np.zeros((4, 9, 9), np.float32), "TYX", scale=(2, 0.2, 0.2), units=units)
    section.show_image(image)
    assert section.differs.isHidden()
    section.set_optics(KINDS["dpc"](pixel_size=0.1, frame_time=2.0))
    assert "pixel size 0.1 µm instead of 0.2 µm" in section.differs.text()
    assert "frame time" not in section.differs.text()
    section.reset_button.click()
    assert section.differs.isHidden()
    assert section.reset_button.isHidden()
    assert section.values()["optics"]["pixel_size"] is None
    assert section.values()["optics"]["frame_time"] is not None


def test_every_plane_of_a_volume_shows_arrows(viewer):
    values = np.zeros((2, 3, 7, 24, 24), np.float32)
    values[1, 2] = 2.0
    motion = Image(values, "TCZYX")
    pattern = np.broadcast_to(np.indices((7, 24, 24)).sum(0) % 8 < 4, (2, 7, 24, 24))
    scene = Image(pattern.astype(np.float32), "TZYX", name="scene")
    speed, confidence = scene.like(pattern * 2.0), scene.like(np.ones(pattern.shape, np.float32))
    images = (scene, motion, speed.like(speed.data, name="speed"), confidence)
    roles = ("result", "motion", "speed", "confidence")
    report = {"field": {"frames": [0, 1]}}
    fitted = Fitted(images, NSTMConfig(), {}, (), "steps", report, method="nstm", roles=roles)
    (arrows,) = [one for one in layers_of(fitted) if one.kind == "vectors"]
    source = viewer.add_image(scene.data, axis_labels=("t", "z", "y", "x"))
    shown = add_shown(viewer, source, scene, arrows, "motion")
    for plane in range(7):
        assert np.sum(np.round(shown.data[:, 0, 1]) == plane) > 8
