"""What napari finds in the manifest works."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.plugins.io import save_layers
from npe2 import PluginManifest

import napari_cellinr
from napari_cellinr import api
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.problem import Fitted, finish
from napari_cellinr.fitting.saved.stored import save_fit
from napari_cellinr.image import Image
from napari_cellinr.io import read
from napari_cellinr.macro import iter_replay
from napari_cellinr.ui import plugin
from napari_cellinr.ui.layers.provenance import OTHER_IMAGES
from napari_cellinr.ui.session.console import console_of
from napari_cellinr.ui.session.dispatcher import dispatcher_of
from napari_cellinr.ui.session.job import devices

pytestmark = pytest.mark.gui

MANIFEST = Path(napari_cellinr.__file__).parent / "napari.yaml"


@pytest.fixture
def manifest():
    return PluginManifest.from_file(MANIFEST)


def test_every_command_can_be_imported(manifest):
    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_every_contribution_names_a_command(manifest):
    ids = {command.id for command in manifest.contributions.commands}
    contributed = manifest.contributions
    for one in (*contributed.widgets, *contributed.readers, *contributed.writers):
        assert one.command in ids


def test_the_manifest_on_top_is_the_one_in_the_package():
    top = Path(__file__).parents[2] / "napari.yaml"
    assert top.read_text() == MANIFEST.read_text()


def test_the_reader_keeps_calibration(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.zeros((2, 3, 8, 9), np.uint8),
        imagej=True,
        resolution=(5, 5),
        metadata={"axes": "ZCYX", "spacing": 1.5, "unit": "um"},
    )
    layers = plugin.get_reader(str(path))(str(path))
    assert len(layers) == 3
    for data, attributes, kind in layers:
        assert kind == "image"
        assert data.shape == (2, 8, 9)
        assert attributes["axis_labels"] == ("z", "y", "x")
        np.testing.assert_allclose(attributes["scale"], (1.5, 0.2, 0.2))
    assert plugin.get_reader("a.csv") is None


def test_the_writer_writes_what_the_reader_reads(tmp_path, stack):
    path = str(tmp_path / "out.ome.tif")
    attributes = {
        "name": "a",
        "scale": (0.5, 0.25, 0.25),
        "units": ("micrometer",) * 3,
        "axis_labels": ("z", "y", "x"),
    }
    assert plugin.write_image(path, stack, attributes) == [path]
    data, read, _ = plugin.read_layers(path)[0]
    np.testing.assert_array_equal(data, stack)
    np.testing.assert_allclose(read["scale"], attributes["scale"])
    assert read["units"] == attributes["units"]


def test_layers_without_named_axes_are_saved_and_others_say_why_not(viewer, stack, tmp_path):
    viewer.add_image(stack, name="plain")
    viewer.add_image(np.zeros((4, 5, 3), np.uint8), rgb=True, name="colours")
    path = str(tmp_path / "plain.tif")
    viewer.layers["plain"].save(path, plugin="napari-cellinr")
    data, attributes, _ = plugin.read_layers(path)[0]
    assert np.array_equal(data, stack)
    assert attributes["axis_labels"] == ("z", "y", "x")
    with pytest.raises(FileError, match="Split its channels"):
        viewer.layers["colours"].save(str(tmp_path / "b.tif"), plugin="napari-cellinr")
    with pytest.raises(FileError, match="all channels of one file need the same"):
        plugin.write_channels(path, [(stack, {}, "image"), (stack[1:], {}, "image")])


def test_the_sample_has_its_truth():
    truth, raw = plugin.sample_embryo()
    assert truth[0].shape == raw[0].shape
    assert truth[1]["scale"] == raw[1]["scale"]
    assert "truth" in truth[1]["name"]


def test_the_cells_have_a_finer_truth_with_the_same_edges():
    truth, raw = plugin.sample_cells()
    assert truth[0].shape[0] == 6 * (raw[0].shape[0] - 1) + 1
    assert truth[0].shape[1] == 4 * raw[0].shape[1]
    assert raw[1]["scale"][0] == 6 * truth[1]["scale"][0]
    edges = [a["translate"][1] - a["scale"][1] / 2 for _, a, _ in (truth, raw)]
    assert edges[0] == pytest.approx(edges[1])


def test_napari_finds_dock_sample_reader_and_writer(viewer, tmp_path):
    _frame, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", "Denoise")
    assert dock.source.layer() is None
    viewer.open_sample("napari-cellinr", "embryo-membranes")
    assert len(viewer.layers) == 2
    assert dock.panel.run_button.isEnabled()
    path = str(tmp_path / "embryo.tif")
    viewer.layers[1].save(path, plugin="napari-cellinr")
    (again,) = viewer.open(path, plugin="napari-cellinr")
    np.testing.assert_allclose(again.scale, viewer.layers[1].scale)
    assert again.units == viewer.layers[1].units
    assert again.axis_labels == ("z", "y", "x")


def test_napari_shows_why_nothing_was_written(viewer, tmp_path):
    """More axes than any image has; `AxesError` alone would make napari say that nobody can."""
    viewer.add_image(np.zeros((2,) * 6), name="a")
    viewer.add_image(np.zeros((2,) * 6), name="b")
    for name, layers in (("one.tif", [viewer.layers["a"]]), ("both.tif", list(viewer.layers))):
        with pytest.raises(FileError, match="6 "):
            save_layers(str(tmp_path / name), layers, plugin="napari-cellinr")


def test_the_child_process_reports_devices(capfd):
    devices.write_report()
    report = json.loads(capfd.readouterr().out)
    assert set(report) == {"cpu", "cuda", "mps"}


def test_devices_are_asked_for_once(qtbot, monkeypatch):
    monkeypatch.undo()
    asked = devices.DeviceList()
    with qtbot.waitSignal(asked.updated, timeout=60_000):
        asked.load()
        asked.load()
    assert set(asked.reasons) <= {"cuda", "mps"}
    assert all(asked.reasons.values())


def test_a_kept_fit_opens_as_its_result(viewer, stack, tmp_path, monkeypatch):
    path = tmp_path / "embryo.cellinr"
    config = CellINRConfig()
    result = Image(stack, "ZYX", name="embryo denoised")
    save_fit(path, Fitted((result,), config, {}, (), "steps", {}))
    images = (result, result.like(stack + 1, name="embryo background"))
    monkeypatch.setattr(api, "render", lambda fit: images)  # the real one has its own tests
    (first,) = viewer.open(path, plugin="napari-cellinr")
    np.testing.assert_array_equal(first.data, stack)
    assert first.visible
    assert first.metadata[OTHER_IMAGES] == ["embryo background"]  # a layer on request
    path.write_bytes(b"broken")
    with pytest.raises(FileError, match="not a saved fit"):
        plugin.read_fits(str(path))


def test_a_renamed_image_of_a_saved_fit_is_found_by_a_replay(viewer, stack, tmp_path, monkeypatch):
    path, again = tmp_path / "fit.cellinr", tmp_path / "again"
    result = Image(stack, axes="ZYX", name="embryo denoised")
    save_fit(path, Fitted((result,), CellINRConfig(), {}, (), "steps", {}))
    images = (result, result.like(stack + 1, name="embryo background"))
    monkeypatch.setattr(api, "render", lambda fit: images)
    cellinr = console_of(viewer)
    (layer,) = cellinr.open(path)
    (name,) = layer.metadata[OTHER_IMAGES]
    dispatcher_of(viewer).offers.show_named(name).name = "mine"
    cellinr.save("mine", tmp_path / "a.tif")
    macro = dispatcher_of(viewer).recorder.macro
    finish(iter_replay(macro, output=again))
    np.testing.assert_array_equal(read(again / "a.tif").array(), stack + 1)
    viewer.layers.clear()
    (tmp_path / "a.tif").unlink()
    exec(compile(str(cellinr.macro), "macro", "exec"), {})
    np.testing.assert_array_equal(read(tmp_path / "a.tif").array(), stack + 1)


def test_samples_agree_in_their_units(manifest):
    """Otherwise napari uses no units at all, for whatever is open beside them."""
    commands = {
        one.id: one.python_name.partition(":")[2] for one in manifest.contributions.commands
    }
    for sample in manifest.contributions.sample_data:
        for _, attributes, _ in getattr(plugin, commands[sample.command])():
            lengths = [
                "second" if axis == "t" else "micrometer" for axis in attributes["axis_labels"]
            ]
            assert list(attributes["units"]) == lengths, attributes["name"]
