"""A time series that grows is followed, with the noise model of its first frames."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import zarr

from napari_cellinr import Image, read, write
from napari_cellinr.errors import AxesError
from napari_cellinr.macro import Macro, Source, Step, iter_replay, load_macro, parse_script
from napari_cellinr.ui.console import console_of
from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.following import new_frames
from napari_cellinr.ui.following.new_frames import grown_to, noise_of

pytestmark = pytest.mark.gui

NOISE = {"gain": 2.0, "read_noise": 3.0, "offset": 100.0}
SERIES = np.random.default_rng(3).random((9, 16, 20), dtype=np.float32)


@pytest.fixture
def followed(viewer, use_job, idle):
    """A viewer with three denoised frames, the dock, and the fake job."""
    job = use_job(steps=2)
    plain = job.fitted

    def fitted(image, config, stopped):
        made = plain(image, config, stopped)
        return replace(
            made, report={**made.report, "noise": [NOISE, {**NOISE, "gain": 4.0}, NOISE]}
        )

    job.fitted = fitted
    layer = viewer.add_image(SERIES[:3], name="live", axis_labels=("t", "y", "x"))
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    dock.form.field("steps").set_value(33)
    dock.form.changed.emit()
    dock.run()
    idle(dock)
    return layer, dock, job


def test_new_frames_are_appended_with_the_noise_of_the_first_ones(viewer, followed, idle, qtbot):
    layer, dock, job = followed
    result = viewer.layers[-1]
    panel = dock.below
    assert panel.button.isVisibleTo(dock)
    panel.button.click()
    assert panel.following.is_active
    panel.following.look()
    assert result.data.shape[0] == 3  # nothing is new
    for count in (5, 9):
        layer.data = SERIES[:count]
        panel.following.look()
        qtbot.waitUntil(lambda n=count: result.data.shape[0] == n, timeout=20_000)
        idle(dock)
        assert result.data.shape == (count, 16, 20)
        np.testing.assert_allclose(result.data, SERIES[:count] / 2)
    assert [len(image.data) for image in job.images] == [3, 2, 4]
    for config in job.configs[1:]:
        assert (config.gain, config.read_noise, config.offset, config.steps) == (2, 3, 100, 33)
    assert "4 new frames, 9 in all" in dock.panel.status.text()
    panel.button.click()
    assert panel.following is None
    layer.data = np.concatenate([SERIES, SERIES])
    qtbot.wait(50)
    assert result.data.shape[0] == 9


def test_frames_that_are_appended_to_a_zarr_array_are_denoised_unasked(
    viewer, followed, idle, qtbot, monkeypatch
):
    layer, dock, _ = followed
    monkeypatch.setattr(new_frames, "INTERVAL", 20)
    array = zarr.create_array({}, shape=(3, 16, 20), dtype="float32", chunks=(1, 16, 20))
    array[:] = SERIES[:3]
    layer.data = array
    result = viewer.layers[-1]
    dock.below.button.click()
    array.append(SERIES[3:7])
    qtbot.waitUntil(lambda: result.data.shape[0] == 7)
    np.testing.assert_allclose(result.data, SERIES[:7] / 2)
    idle(dock)
    dock.below.button.click()


def test_a_script_denoises_the_new_frames_alone(viewer, followed, idle, qtbot, tmp_path):
    """It cannot wait for them; with the noise model of the first ones, its values are the same."""
    layer, dock, _ = followed
    cellinr, result = console_of(viewer), viewer.layers[-1]
    dock.below.button.click()
    for count in (5, 9):
        layer.data = SERIES[:count]
        dock.below.following.look()
        qtbot.waitUntil(lambda n=count: result.data.shape[0] == n, timeout=20_000)
        idle(dock)
    dock.below.button.click()
    text = str(cellinr.macro)
    noise = "steps=33, gain=2.0, read_noise=3.0, offset=100.0"
    assert [line for line in text.splitlines() if line.startswith("cellinr.")] == [
        "cellinr.denoise('live', steps=33, seed=0)",
        "cellinr.crop('live', T=[3, 5])",
        f"cellinr.denoise('region · live', {noise}, seed=0)",
        "cellinr.crop('live', T=[5, 9])",
        f"cellinr.denoise('region · live [1]', {noise}, seed=0)",
    ]
    for first, last in ((3, 4), (5, 8)):
        assert f"frames {first} to {last} of live came while it was followed, and were" in text
    assert "appended to denoised · live; a replay makes them a layer of their own" in text

    write(tmp_path / "live.tif", Image(SERIES, "TYX"))
    names = ["denoised · region · live", "denoised · region · live [1]"]
    cellinr.save_macro(tmp_path / "live.json")
    for recorded in (parse_script(text), load_macro(tmp_path / "live.json")):
        # The data of the fit that was followed have grown, those of the new frames are the same.
        told, out = [], tmp_path / str(len(list(tmp_path.iterdir())))
        macro = Macro((Step("open", (Source(path=str(tmp_path / "live.tif")),), results=("live",)),
                       *recorded.steps))  # fmt: skip
        list(iter_replay(macro, output=out, tell=told.append))
        found = {len(one.data): np.asarray(one.data) for one in map(read, out.iterdir())}
        assert set(found) == {9, 2, 4}
        np.testing.assert_allclose(found[2], result.data[3:5])
        np.testing.assert_allclose(found[4], result.data[5:])
        assert not [one for one in told if "region" in one and "differ" in one]

    viewer.layers.remove(result)
    cellinr.replay()
    cellinr.wait()
    np.testing.assert_allclose(viewer.layers[names[0]].data, SERIES[3:5] / 2)
    np.testing.assert_allclose(viewer.layers[names[1]].data, SERIES[5:] / 2)


def test_it_ends_when_the_layer_is_removed(viewer, followed):
    layer, dock, _ = followed
    dock.below.button.click()
    following = dock.below.following
    viewer.layers.remove(layer)
    following.look()
    assert not following.is_active
    assert not dock.below.button.isChecked()


def test_arrays_and_files_of_zarr_that_grow_are_noticed(viewer, tmp_path):
    array = zarr.create_array({}, shape=(2, 8, 8), dtype="float32", chunks=(1, 8, 8))
    layer = viewer.add_image(array, axis_labels=("t", "y", "x"), contrast_limits=(0, 1))
    assert grown_to(layer, 0, 2) == 2
    array.append(np.ones((3, 8, 8), np.float32))
    assert grown_to(layer, 0, 2) == 5
    assert layer.extent.data[1, 0] == 4

    path = tmp_path / "live.zarr"
    write(path, Image(SERIES[:2], "TYX"))
    (opened,) = viewer.open(str(path), plugin="napari-cellinr")
    assert grown_to(opened, 0, 2) == 2
    write(path, Image(SERIES[:6], "TYX"))
    assert grown_to(opened, 0, 2) == 6
    np.testing.assert_allclose(np.asarray(opened.data), SERIES[:6])


def test_a_fit_without_a_noise_model_is_refused():
    assert noise_of(SimpleNamespace(report={"noise": NOISE})) == NOISE
    with pytest.raises(AxesError, match="no noise model"):
        noise_of(SimpleNamespace(report={"noise": None}))
