"""If a file cannot be written, layer and fit stay in memory and can be saved again."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_cellinr.errors import FileError
from napari_cellinr.fitting.saved.stored import load_fit
from napari_cellinr.io import read
from napari_cellinr.io.safety import atomic
from napari_cellinr.ui.session.console import console_of

pytestmark = pytest.mark.gui

WEIGHTS = np.arange(3.0, dtype=np.float32)


@pytest.fixture
def full_disk(monkeypatch):
    """A disk without room, until it is undone."""

    def flush(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_flush", flush)
        yield patch


@pytest.fixture
def result(viewer, dock, use_job, idle):
    job = use_job()
    plain = job.fitted
    job.fitted = lambda *given: replace(plain(*given), state={"w": WEIGHTS})
    dock.run()
    idle(dock)
    return viewer.layers["denoised · membrane"]


@pytest.mark.parametrize("name", ["out.tif", "out.ome.zarr", "out.nii.gz", "out.cellinr"])
def test_a_layer_and_a_fit_that_were_not_saved(viewer, result, full_disk, tmp_path, name):
    before = np.array(result.data)
    with pytest.raises(FileError, match="No space left on device"):
        console_of(viewer).save(result.name, tmp_path / name)
    assert list(tmp_path.glob("*")) in ([], [tmp_path / "jobs"])
    assert result in viewer.layers
    np.testing.assert_array_equal(result.data, before)
    full_disk.undo()
    console_of(viewer).save(result.name, tmp_path / name)
    if name.endswith(".cellinr"):
        np.testing.assert_array_equal(load_fit(tmp_path / name).tensors["w"], WEIGHTS)
    else:
        np.testing.assert_array_equal(read(tmp_path / name).array(), before)


def test_the_button_says_it_and_saves_it_the_second_time(
    dock, result, full_disk, tmp_path, monkeypatch
):
    path = tmp_path / "out.cellinr"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    dock.fit_actions.save_fit()
    assert "No space left on device" in dock.panel.status.text()
    assert not path.exists()
    full_disk.undo()
    dock.fit_actions.save_fit()
    assert path.exists()
    np.testing.assert_array_equal(load_fit(path).tensors["w"], WEIGHTS)
