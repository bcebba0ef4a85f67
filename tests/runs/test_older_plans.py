"""Plans of versions with another format: what is said, and how to begin again."""

import numpy as np
import pytest

from napari_cellinr import Image, compute_in_parts, read, write
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.runs.scale import plan as plans
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.parts import part_job
from napari_cellinr.runs.scale.plan import load_plan
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source
from napari_cellinr.runs.scale.state import PLAN_FILE, State

KNOWN = {"gain": 1.0, "read_noise": 2.0, "offset": 100.0, "pattern": "none", "coupling": False}
SETTINGS = {"preset": "preview", "steps": 5, **KNOWN}


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """Return an image whose result another version has begun, and the place of the result."""
    from napari_cellinr.config import CellINRConfig

    data = np.random.default_rng(0).poisson(50, (4, 24, 40)).astype(np.uint16)
    write(tmp_path / "in.tif", Image(data, "TYX", name="a"))
    place, source = tmp_path / "out.zarr", Source(str(tmp_path / "in.tif"))
    with monkeypatch.context() as patch:
        patch.setattr(plans, "FORMAT", "napari-cellinr plan 2")
        old = make_plan("denoise", source, CellINRConfig(**SETTINGS), {"result": str(place)}, 1e12)
        finish(part_job(old, 0, Monitor()))
    return read(tmp_path / "in.tif"), place, old


def test_the_version_that_made_it_is_named(begun):
    _, _, old = begun
    with pytest.raises(FileError, match=f"was made by napari-cellinr {old.version}.*--overwrite"):
        load_plan(old.folder / PLAN_FILE)


def test_it_is_kept_unless_it_may_be_replaced(begun):
    image, place, old = begun
    with pytest.raises(FileError, match="or of another version"):
        compute_in_parts("denoise", image, place, **SETTINGS)
    assert (old.folder / "part-000000.json").is_file()


def test_it_can_be_replaced_and_nothing_of_it_is_left(begun):
    image, place, old = begun
    result = compute_in_parts("denoise", image, place, overwrite=True, **SETTINGS)
    assert result.shape == image.shape
    assert not old.folder.exists()


def test_the_run_of_a_new_plan_replaces_it(begun):
    _, place, old = begun
    new = make_plan("denoise", old.source, old.config, {"result": str(place)}, 1e12)
    with pytest.raises(FileError, match="was made by napari-cellinr"):
        finish(run_plan(new))
    assert finish(run_plan(new, overwrite=True)).is_complete
    assert State(new).done == set()


def test_a_file_that_is_no_plan_is_not_replaced(begun):
    _, place, old = begun
    (old.folder / PLAN_FILE).write_text('{"format": "mine"}', encoding="utf-8")
    new = make_plan("denoise", old.source, old.config, {"result": str(place)}, 1e12)
    with pytest.raises(FileError, match="is no plan"):
        finish(run_plan(new, overwrite=True))
