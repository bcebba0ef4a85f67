"""Of a merged layer of several channels, a reconstruction has the scene of one: it lies at that."""

from dataclasses import replace

import numpy as np
import pytest

from napari_cellinr import Image
from napari_cellinr.fitting.problem import Fitted, PreviewRequest, Progress
from napari_cellinr.fitting.saved.stored import digest, geometry
from napari_cellinr.methods.nstm.recording.channels import motion_source
from napari_cellinr.ui.docks.reconstruct import ReconstructDock
from napari_cellinr.ui.layers.convert import to_image
from napari_cellinr.ui.layers.live import LiveLayer

pytestmark = pytest.mark.gui

MOTION_CHANNEL = 1


class OneChannel:
    """A reconstruction without torch: the frames of the motion channel, which move by a pixel."""

    def __init__(self):
        self.previews = []

    def __call__(self, image, config, monitor):
        frames = motion_source(image, config)
        for step in range(1, 4):
            message = yield Progress("fitting", step, 3, {"data": 1.0}, 1.0, 1.0, 1.0)
            while message is not None:
                preview, index = None, {}
                if isinstance(message, PreviewRequest) and message.index:
                    index = message.index
                    preview = frames.take("T", index["T"])
                    self.previews.append(dict(index))
                message = yield Progress(
                    "fitting", step, 3, {"data": 1.0}, 1.0, 1.0, 1.0, preview, index
                )
        moved = np.zeros((len(frames.data), 2, *frames.shape[1:]), np.float32)
        moved += np.arange(len(moved), dtype=np.float32).reshape(-1, 1, 1, 1)
        speed = frames.like(np.ones(frames.shape, np.float32), name="speed")
        images = (frames, Image(moved, "TCYX"), speed, speed.like(speed.data, name="confidence"))
        report = {"seconds": 1.0, "field": {"frames": list(range(len(moved)))}}
        source = {**geometry(image), "digest": digest(image)}
        roles = ("result", "motion", "speed", "confidence")
        return Fitted(images, config, {}, (), "steps", report, "nstm", roles, source)


@pytest.fixture
def merged(viewer):
    rng = np.random.default_rng(0)
    both = rng.random((5, 2, 24, 24), dtype=np.float32)
    viewer.add_image(both, name="both", axis_labels=("t", "c", "y", "x"))
    return next(iter(viewer.layers))


def run(viewer, put_job, idle, job, channel=str(MOTION_CHANNEL)):
    put_job("reconstruct", job)
    dock = ReconstructDock(viewer)
    viewer.window.add_dock_widget(dock, name="Reconstruct motion")
    dock.form.field("motion_channel").set_value(channel)
    dock._allow()
    dock.run()
    idle(dock)
    return dock


def test_a_scene_lies_at_its_channel_and_is_not_repeated_in_the_others(
    merged, viewer, put_job, idle
):
    dock = run(viewer, put_job, idle, OneChannel())
    scene = next(one for one in viewer.layers if one.name.startswith("reconstructed"))
    assert scene.data.shape == (5, 1, 24, 24)
    np.testing.assert_array_equal(scene.data[:, 0], merged.data[:, MOTION_CHANNEL])
    place = (2, MOTION_CHANNEL, 3, 4)
    np.testing.assert_allclose(scene.data_to_world((2, 0, 3, 4)), merged.data_to_world(place))
    for channel, seen in enumerate((None, merged.data[place])):
        at = (2, channel, 3, 4)
        viewer.dims.set_point(range(4), merged.data_to_world(at))
        assert scene.get_value(at, world=True) == seen
    dock.dispatcher.offers.show_named("speed")
    dock.dispatcher.offers.show_named("tracks")
    arrows = next(one for one in viewer.layers if type(one).__name__ == "Vectors")
    tracks = next(one for one in viewer.layers if type(one).__name__ == "Tracks")
    at = [arrows.data_to_world(one)[1] for one in arrows.data[:, 0]]
    at += [tracks.data_to_world(one)[1] for one in tracks.data[:, 1:]]
    assert set(at) == {MOTION_CHANNEL}


class EveryChannel(OneChannel):
    """The same with the scenes of all channels."""

    def __call__(self, image, config, monitor):
        fitted = yield from super().__call__(image, config, monitor)
        scenes = {"units": [1.0, 1.0], "motion": config.single_motion_channel()}
        images = (image, *fitted.images[1:])
        return replace(fitted, images=images, model={**fitted.report["field"], "scenes": scenes})


@pytest.mark.parametrize("channel", ["all", "1"])
def test_the_scenes_of_all_channels_lie_at_their_channels(merged, viewer, put_job, idle, channel):
    dock = run(viewer, put_job, idle, EveryChannel(), channel)
    scene = next(one for one in viewer.layers if one.name.startswith("reconstructed"))
    np.testing.assert_array_equal(scene.data, merged.data)
    place = (2, 1, 3, 4)
    np.testing.assert_allclose(scene.data_to_world(place), merged.data_to_world(place))
    dock.dispatcher.offers.show_named("tracks")
    tracks = next(one for one in viewer.layers if type(one).__name__ == "Tracks")
    at = {tracks.data_to_world(one)[1] for one in tracks.data[:, 1:]}
    assert at == {0 if channel == "all" else 1}


def test_a_running_reconstruction_lies_at_its_channel_whichever_one_is_displayed(
    merged, viewer, put_job, idle
):
    given = to_image(merged)
    live = LiveLayer(
        viewer, merged.unique_id, given, "running", from_data=True, channel=MOTION_CHANNEL
    )
    viewer.dims.set_point(range(4), (2, 0, 3, 4))
    request = live.request()
    plane = given.take("C", MOTION_CHANNEL).take("T", request.index["T"])
    arrows = np.ones((3, 2, 2), np.float32)
    for _ in range(2):
        live.show(plane.like(plane.data, meta={"arrows": arrows}), request.index)
    shown, moving = live.layer, viewer.layers[-1]
    assert shown.data.shape == (5, 1, 24, 24)
    np.testing.assert_array_equal(shown.data[2, 0], merged.data[2, MOTION_CHANNEL])
    assert shown.data_to_world((2, 0, 3, 4))[1] == MOTION_CHANNEL
    assert {tuple(moving.data_to_world(one[0])[:2]) for one in moving.data} == {(2, MOTION_CHANNEL)}
    live.show(plane, {})  # as in the 3-D view
    assert live.layer.data_to_world((0, 0, 0, 0))[1] == MOTION_CHANNEL
    live.remove()


def test_more_arrows_and_tracks_lie_at_the_channel_as_well(merged, viewer, put_job, idle):
    dock = run(viewer, put_job, idle, OneChannel())
    scene = next(one for one in viewer.layers if one.name.startswith("reconstructed"))
    dock.dispatcher.show_motion(scene, {"every": 6}, "")
    idle(dock)
    points = viewer.add_points([[2, MOTION_CHANNEL, 11, 12]], ndim=4, name="points")
    dock.below.box.setCurrentIndex(dock.below.box.findText("points"))
    dock.below.follow()
    idle(dock)
    arrows = next(one for one in viewer.layers if type(one).__name__ == "Vectors")
    tracks = next(one for one in viewer.layers if type(one).__name__ == "Tracks")
    assert len(np.unique(arrows.data[:, 0, 2])) == 4
    at = [arrows.data_to_world(one)[1] for one in arrows.data[:, 0]]
    at += [tracks.data_to_world(one)[1] for one in tracks.data[:, 1:]]
    assert set(at) == {MOTION_CHANNEL}
    np.testing.assert_allclose(tracks.data[0, -2:], (11, 12))
    assert points.ndim == 4


def test_the_conventional_result_lies_at_the_channel_as_well(merged, viewer, put_job, idle):
    dock = run(viewer, put_job, idle, OneChannel())
    scene = next(one for one in viewer.layers if one.name.startswith("reconstructed"))
    dock.dispatcher.compare(scene)
    idle(dock)
    minus = next(one for one in viewer.layers if one.name.startswith("minus"))
    other = next(one for one in viewer.layers if one.name.startswith("conventional"))
    assert {one.data_to_world((0, 0, 0, 0))[1] for one in (minus, other)} == {MOTION_CHANNEL}
