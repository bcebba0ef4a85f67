"""Motion that explains itself: arrows, colour bar, tracks, table; older motion is hidden."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Tracks, Vectors

from napari_cellinr.config import NSTMConfig
from napari_cellinr.image import Image
from napari_cellinr.ui.docks.reconstruct import TASK, ReconstructDock
from napari_cellinr.ui.layers.live_arrows import LiveArrows
from napari_cellinr.ui.layers.motion import track_layer
from napari_cellinr.ui.motion.track_table import TrackTable, summary_of
from napari_cellinr.ui.panels.motion import MotionPanel
from napari_cellinr.ui.session.dispatcher import dispatcher_of

pytestmark = pytest.mark.gui

MOVIE = np.random.default_rng(1).random((4, 24, 32), dtype=np.float32)
PLACED = {
    "scale": (2.0, 0.5, 0.5),
    "units": ("second", "micrometer", "micrometer"),
    "axis_labels": ("t", "y", "x"),
}


@pytest.fixture
def dispatcher(viewer, use_job):
    """A viewer with a movie whose reconstruction moves by 2 µm along x between two times."""
    job = use_job("reconstruct", steps=2)
    plain = job.fitted

    def fitted(image, config, stopped):
        made = plain(image, config, stopped)
        moved = np.zeros((4, 2, 24, 32), np.float32)
        moved[:, 1] = 2.0 * np.arange(4, dtype=np.float32)[:, None, None]
        units = ("second", "pixel", "micrometer", "micrometer")
        motion = Image(moved, "TCYX", scale=(2.0, 1, 0.5, 0.5), units=units, name="motion")
        sure = made.images[3].like(np.ones(image.shape, np.float32), name="confidence")
        images = (made.images[0], motion, made.images[2], sure)
        return replace(made, images=images, state={"w": np.zeros(1)})

    job.fitted = fitted
    viewer.add_image(MOVIE, name="worm", **PLACED)
    return dispatcher_of(viewer)


@pytest.fixture
def reconstruct(dispatcher, qtbot):
    def run():
        dispatcher.fit(TASK, "worm", NSTMConfig())
        qtbot.waitUntil(lambda: not dispatcher.is_busy, timeout=20_000)
        return list(dispatcher.results.values())[-1]

    return run


@pytest.fixture
def panel(viewer, dispatcher, reconstruct):
    result = reconstruct()
    panel = MotionPanel(dispatcher.controller)
    viewer.window.add_dock_widget(panel, name="Motion")
    panel.show_result(result.fitted, result.layers[0], result.source)
    return panel


def of_kind(viewer, kind):
    return [one for one in viewer.layers if type(one).__name__ == kind.__name__]


def test_the_colours_are_explained_as_soon_as_the_fit_ends(viewer, dispatcher, qtbot):
    """Without a click on any layer."""
    dock = ReconstructDock(viewer)
    viewer.window.add_dock_widget(dock, name="Reconstruct motion")
    assert dock.below.colour_bar.isHidden()
    dispatcher.fit(TASK, "worm", NSTMConfig())
    qtbot.waitUntil(lambda: not dispatcher.is_busy, timeout=20_000)
    assert not dock.below.colour_bar.isHidden()
    assert dock.below.colour_bar.high.text().endswith("µm/s")


def test_arrows_colours_and_tracks_say_what_they_are(
    viewer, dispatcher, panel, reconstruct, qtbot, tmp_path
):
    assert [layer.name for layer in viewer.layers] == [
        "worm", "reconstructed · worm", "motion · worm",
    ]  # fmt: skip
    panel.recolour()  # which adds the tracks
    (arrows,), (tracks,) = of_kind(viewer, Vectors), of_kind(viewer, Tracks)
    assert tracks.name == "tracks · worm"
    assert tracks.color_by == "speed (µm/s)"
    np.testing.assert_allclose(tracks.properties["speed (µm/s)"], 1.0)
    bar = panel.colour_bar
    tracks.visible = False
    assert bar.isVisibleTo(panel)
    assert bar.low.text().startswith("speed")
    assert bar.high.text().endswith("µm/s")
    assert "reference frame" in bar.toolTip()

    panel.kind.setCurrentIndex(1)
    panel.arrows_button.click()
    qtbot.waitUntil(lambda: not dispatcher.is_busy)
    assert of_kind(viewer, Vectors) == [arrows]
    np.testing.assert_allclose(arrows.data[:, 1], np.tile([0, 0, 4], (len(arrows.data), 1)))
    assert "the place at the next time" in bar.toolTip()
    step = dispatcher.recorder.last
    assert step.arguments["arrows"] == "next"

    tracks.visible = True
    panel.colour.setCurrentIndex(panel.colour.findText("tracks by time"))
    panel.recolour()
    assert tracks.color_by == "time (s)"
    viewer.layers.selection.active = tracks
    assert bar.low.text() == "time 0"
    assert bar.high.text().endswith(" s")

    columns, rows = summary_of(tracks)
    assert columns[3:] == (
        "distance (µm)", "displacement (µm)", "mean speed (µm/s)", "largest speed (µm/s)",
    )  # fmt: skip
    whole = [row for row in rows if row[2] == 6.0]
    np.testing.assert_allclose([row[3:] for row in whole], [[6, 6, 1, 1]] * len(whole), rtol=1e-5)
    panel.table_button.click()
    (window,) = panel.findChildren(TrackTable)
    assert window.table.rowCount() == len(rows)
    window.save_as(tmp_path / "tracks.csv")
    with (tmp_path / "tracks.csv").open() as file:
        table = list(csv.DictReader(file))
    assert float(table[3]["distance"]) == pytest.approx(6)
    window.close()

    reconstruct()
    older = [arrows.visible, tracks.visible]
    assert older == [False, False]
    assert [one.visible for one in of_kind(viewer, Vectors)] == [False, True]


@pytest.mark.parametrize(
    ("time_unit", "length_unit", "names"),
    [
        ("second", "micrometer", {"speed (µm/s)", "time (s)", "distance (µm)"}),
        ("pixel", "micrometer", {"speed (µm/frame)", "time (frames)", "distance (µm)"}),
        ("second", "pixel", {"speed (pixels/s)", "time (s)", "distance (pixels)"}),
        ("pixel", "pixel", {"speed (pixels/frame)", "time (frames)", "distance (pixels)"}),
    ],
)
def test_units_of_tracks_are_named_as_far_as_they_are_known(time_unit, length_unit, names):
    units = (time_unit, "pixel", length_unit, length_unit)
    motion = Image(np.zeros((4, 2, 24, 32), np.float32), "TCYX", units=units)
    grid = Image(MOVIE, "TYX", units=(time_unit, length_unit, length_unit))
    shown = track_layer(motion, grid, np.array([[3.0, 4.0]]), "tracks")
    assert names <= shown.settings["features"].keys()


def test_the_arrows_of_a_running_fit_are_grey(viewer, stack):
    given = Image(stack[:4], "TYX", name="worm")
    source = viewer.add_image(stack[:4], name="worm", axis_labels=("t", "y", "x"))
    preview = given.take("T", 1)
    shown = preview.like(preview.data, meta={"arrows": [[[4.0, 5.0], [0.0, 3.0]]]})
    live = LiveArrows(viewer, given, "worm motion (running)")
    live.show(source, given, shown, {"T": 1})
    (arrows,) = of_kind(viewer, Vectors)
    red, green, blue, _ = arrows.edge_color[0]
    assert red == green == blue


def test_spacing_and_length_of_arrows_are_not_cut(panel, qtbot):
    """In a dock as wide as napari makes it."""
    qtbot.wait(50)
    for box in (panel.every, panel.shortest):
        text = box.specialValueText()
        assert box.text() == text
        assert box.fontMetrics().horizontalAdvance(text) <= box.lineEdit().contentsRect().width()
