"""Files as napari and the docks open them: folders, series, colours, channels, samples."""

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QMessageBox

from napari_cellinr.errors import AxesError, FileError
from napari_cellinr.image import Image
from napari_cellinr.io import read, write
from napari_cellinr.ui import plugin
from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.layers import numbered

pytestmark = pytest.mark.gui

ACCEPTS = QMessageBox.ButtonRole.AcceptRole


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "movie"
    place.mkdir()
    for number in (8, 9, 10):
        tifffile.imwrite(place / f"t{number}.tif", np.full((4, 5), number, np.uint8))
    return place


@pytest.fixture
def answers(monkeypatch):
    """Answer the question about numbered files, and keep what was asked."""
    asked = []

    def ask(paths):
        asked.append(paths)
        return "time", True

    monkeypatch.setattr(numbered, "ask", ask)
    numbered._remembered.clear()
    return asked


def files_page():
    from napari import settings

    return settings.get_plugin_settings("napari-cellinr").files


def test_numbered_files_are_asked_about_once(viewer, folder, answers):
    files_page().numbered_files = "ask"
    reader = plugin.get_reader(str(folder))
    ((data, attributes, kind),) = reader(str(folder))
    assert (data.shape, kind, attributes["name"]) == ((3, 4, 5), "image", "movie")
    assert attributes["axis_labels"] == ("t", "y", "x")
    assert data[:, 0, 0].tolist() == [8, 9, 10]
    paths = [str(folder / f"t{n}.tif") for n in (10, 8)]
    ((data, _, _),) = plugin.get_reader(paths)(paths)
    assert data[:, 0, 0].tolist() == [8, 10]
    assert len(answers) == 1
    files_page().numbered_files = "separate"
    assert len(plugin.read_layers(str(folder))) == 3


def test_without_a_window_there_is_no_one_to_ask(folder, monkeypatch):
    monkeypatch.setattr(numbered, "can_ask", lambda: False)
    with pytest.raises(FileError, match="stack_axis"):
        numbered.ask(sorted(folder.iterdir()))


@pytest.mark.parametrize(
    ("button", "answer"),
    [("3 time points", "time"), ("3 z planes", "z"), ("3 separate images", "separate")],
)
@pytest.mark.parametrize("is_kept", [False, True])
def test_the_question(viewer, folder, monkeypatch, button, answer, is_kept):
    def click(box):
        (wanted,) = (one for one in box.buttons() if one.text() == button)
        monkeypatch.setattr(QMessageBox, "clickedButton", lambda self: wanted)
        assert "these 3 files" in box.text()
        assert "movie" in box.checkBox().text()
        assert box.parentWidget() is not None  # otherwise it has no theme: a white box
        box.checkBox().setChecked(is_kept)
        return 0

    monkeypatch.setattr(numbered, "parent_window", lambda: viewer_window(viewer))
    monkeypatch.setattr(QMessageBox, "exec", click)
    assert numbered.ask(sorted(folder.iterdir())) == (answer, is_kept)


NAMES = {
    "plain": ([f"plate_t{number:03d}" for number in (7, 8, 9)], "3 time points|3 z planes", ""),
    "gap": (
        [f"plate_t{number:03d}" for number in (1, 2, 4, 5)],
        "4 time points|4 z planes",
        "Numbers are missing in the names of the files (3): 2 is followed by 4.",
    ),
    "planes": ([f"slice_{number}" for number in range(8)], "8 z planes|8 time points", ""),
    "two counters": (
        [f"cells_t{time}_z{plane}" for time in range(4) for plane in range(3)],
        "4 time points × 3 z planes",
        "",
    ),
    "channels": (
        [f"cells_c{channel}_z{plane}" for channel in range(2) for plane in range(3)],
        "2 channels × 3 z planes",
        "",
    ),
    "gap of two counters": (
        [f"cells_t{time}_z{plane}" for time in (1, 2, 5) for plane in range(3)],
        "3 time points × 3 z planes",
        "Numbers are missing in the names of the files (3, 4): 2 is followed by 5.",
    ),
    "gap in dates of names with a point": (
        [f"a. 202601{at}" for at in ("01_235958", "01_235959", "02_000000", "02_000003")],
        "4 time points|4 z planes",
        "The dates or times in the names of the files are not equally spaced: a. "
        "20260102_000000.tif is followed by a. 20260102_000003.tif after 3 s, others after 1 s.",
    ),
    "a file is missing": (
        [f"cells_t{time}_z{plane}" for time in range(4) for plane in range(3)][:-1],
        "",
        "The names of the files count 't' (0 to 3) and 'z' (0 to 2), but there are 11 files "
        "instead of 4 x 3 = 12. Add the missing files, remove those of incomplete time points, or "
        "give a pattern that leaves only one number open, such as cells_t*_z0.tif.",
    ),
    "not understood": (
        ["a1_3", "a2_5", "a2_7"],
        "",
        "The names of the 3 files count 2 things: 'a' (1 to 2) and the second number (3 to 7); "
        "along one axis T they would be mixed. Give a pattern that leaves only one of them open, "
        "such as a*_3.tif. Names with t, z and c before the numbers, such as "
        "img_t001_z02_c1.tif, are read as one image with these axes.",
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_the_question_says_what_the_files_become_and_what_is_missing(
    viewer, tmp_path, monkeypatch, case
):
    names, wanted, said = NAMES[case]
    seen = []

    def look(box):
        ours = [one.text() for one in box.buttons() if box.buttonRole(one) == ACCEPTS]
        seen.extend((sorted(ours), box.informativeText(), box.defaultButton().text()))
        monkeypatch.setattr(QMessageBox, "clickedButton", lambda self: box.defaultButton())
        return 0

    monkeypatch.setattr(QMessageBox, "exec", look)
    numbered.ask([tmp_path / f"{name}.tif" for name in names])
    texts = [*filter(None, wanted.split("|")), f"{len(names)} separate images"]
    assert seen == [sorted(texts), said, texts[0]]


def viewer_window(viewer):
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock)
    return dock.window()


def test_a_cancelled_question_opens_nothing_and_is_asked_again(viewer, folder, monkeypatch):
    files_page().numbered_files = "ask"
    asked = []

    def escape(box):
        asked.append(box.escapeButton().text())
        monkeypatch.setattr(QMessageBox, "clickedButton", lambda self: box.escapeButton())

    monkeypatch.setattr(QMessageBox, "exec", escape)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock)
    dock.open([folder])
    assert "none of the 3 files was opened" in dock.panel.status.text()
    viewer.open(str(folder), plugin="napari-cellinr")
    assert len(viewer.layers) == 0
    assert len(asked) == 2
    assert files_page().numbered_files == "ask"


def test_an_answer_is_kept_for_its_folder_only(folder, tmp_path, monkeypatch):
    files_page().numbered_files = "ask"
    other = tmp_path / "stack"
    other.mkdir()
    for number in (1, 2):
        tifffile.imwrite(other / f"z{number}.tif", np.zeros((4, 5), np.uint8))
    answers = iter([("time", True), ("z", False), ("separate", False)])
    monkeypatch.setattr(numbered, "ask", lambda paths: next(answers))
    numbered._remembered.clear()
    for place, axes in ((folder, "t"), (folder, "t"), (other, "z")):
        ((_, attributes, _),) = plugin.read_layers(str(place))
        assert attributes["axis_labels"][0] == axes
    assert len(plugin.read_layers(str(other))) == 2


def test_folders_that_are_no_series(tmp_path):
    assert plugin.get_reader(str(tmp_path)) is None
    (tmp_path / "notes.txt").write_text("")
    assert plugin.get_reader(str(tmp_path)) is None


def test_napari_opens_a_zarr(viewer, tmp_path, stack):
    path = write(
        tmp_path / "a.zarr",
        Image(stack, axes="ZYX", scale=(0.5, 0.2, 0.2), units=("micrometer",) * 3),
    )
    (layer,) = viewer.open(str(path), plugin="napari-cellinr")
    np.testing.assert_allclose(layer.scale, (0.5, 0.2, 0.2))
    assert layer.axis_labels == ("z", "y", "x")
    viewer.layers[0].save(str(tmp_path / "b.zarr"), plugin="napari-cellinr")
    assert np.array_equal(read(tmp_path / "b.zarr").array(), stack)


def test_dropped_on_the_dock(viewer, folder, tmp_path, answers):
    files_page().numbered_files = "ask"
    dock = DenoiseDock(viewer)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in sorted(folder.iterdir())])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    dock.dropEvent(QDropEvent(QPointF(1, 1), Qt.DropAction.CopyAction, data, buttons, keys))
    assert [layer.data.shape for layer in viewer.layers] == [(3, 4, 5)]
    assert len(answers) == 1
    dock.deleteLater()


def test_the_dock_opens_as_the_canvas_does(viewer, tmp_path, monkeypatch):
    """Large arrays stay in their file as preferred; a colour picture is shown, not chosen."""
    monkeypatch.setattr(files_page(), "lazy_above_mb", 0.001)
    large = np.random.default_rng(0).integers(0, 99, (4, 40, 40), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "large.tif", large, imagej=True, metadata={"axes": "ZYX"})
    colours = np.random.default_rng(0).integers(0, 255, (8, 9, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "colours.tif", colours, photometric="rgb")
    dock = DenoiseDock(viewer)
    viewer.open(tmp_path / "large.tif", plugin="napari-cellinr")
    dock.open([tmp_path / "large.tif", tmp_path / "colours.tif"])
    by_canvas, dropped, picture = viewer.layers
    assert not isinstance(by_canvas.data, np.ndarray)
    assert type(dropped.data) is type(by_canvas.data)
    assert np.array_equal(np.asarray(dropped.data), large)
    assert picture.rgb
    assert dock.source.layer().name == dropped.name
    dock.deleteLater()


def test_several_files_at_once(viewer, folder):
    paths = [str(path) for path in sorted(folder.iterdir())]
    assert len(viewer.open(paths, plugin="napari-cellinr")) == 3


def test_a_colour_picture_is_shown_and_not_restored(viewer, tmp_path):
    path = tmp_path / "a.tif"
    planes = np.random.default_rng(0).integers(0, 255, (3, 8, 9), dtype=np.uint8)
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate")
    (layer,) = viewer.open(str(path), plugin="napari-cellinr")
    assert layer.rgb
    assert np.array_equal(np.asarray(layer.data), planes.transpose(1, 2, 0))
    from napari_cellinr.ui.layers.convert import to_image

    with pytest.raises(AxesError, match="Split its"):
        to_image(layer)


def test_channels_keep_names_and_colours(viewer, tmp_path):
    image = Image(
        np.random.default_rng(0).random((2, 3, 8, 9), np.float32),
        axes="CZYX",
        channels=("DNA", "actin"),
        meta={"channel_colours": ["#ff0000", "#00ff80"]},
    )
    path = write(tmp_path / "a.ome.tif", image)
    layers = viewer.open(str(path), plugin="napari-cellinr")
    assert [layer.name for layer in layers] == ["a DNA", "a actin"]
    np.testing.assert_allclose(layers[1].colormap.colors[-1], (0, 1, 128 / 255, 1), atol=0.01)
    out = str(tmp_path / "b.ome.tif")
    viewer.layers.save(out, plugin="napari-cellinr")
    again = read(out)
    assert (again.axes, again.channels) == ("CZYX", ("a DNA", "a actin"))
    assert np.array_equal(again.data, image.data)


def test_layers_that_differ_are_not_joined():
    from napari_cellinr.io.series.channels import joined

    one = Image(np.zeros((3, 4)))
    with pytest.raises(AxesError, match="all channels of one file need the same"):
        joined([one, Image(np.zeros((3, 5)))])
    with pytest.raises(AxesError, match="has channels already"):
        joined([Image(np.zeros((2, 3, 4)), axes="CYX")] * 2)


def test_layers_of_other_readers_get_a_guess(viewer, stack):
    """A scale without a unit is offered, not taken."""
    dock = DenoiseDock(viewer)
    viewer.add_image(stack, scale=(0.5, 0.2, 0.2), axis_labels=("z", "y", "x"))
    assert dock.source.voxel.edit.text() == "z=0.5, y=0.2, x=0.2"
    assert not dock.source.image().is_calibrated
    viewer.add_image(stack, axis_labels=("z", "y", "x"))
    dock.source.choose(viewer.layers[-1].unique_id)
    assert dock.source.voxel.edit.text() == "z=, y=, x="
    dock.deleteLater()


@pytest.mark.parametrize("name", ["sample_embryo", "sample_nuclei", "sample_series"])
def test_samples_have_their_truth(name):
    layers = getattr(plugin, name)()
    assert len(layers) == 2
    assert "truth" in layers[0][1]["name"]
    assert layers[0][1]["scale"] == layers[1][1]["scale"]
