"""Layers that napari itself makes of others: they keep the metadata, but are in no file."""

import numpy as np
import pytest
import tifffile
from napari.layers import _layer_actions

from napari_cellinr.errors import FileError
from napari_cellinr.ui.console import console_of

pytestmark = pytest.mark.gui


@pytest.fixture
def movie_file(tmp_path):
    path = tmp_path / "movie.ome.tif"
    values = np.random.default_rng(0).integers(0, 200, (4, 2, 20, 24)).astype(np.uint16)
    names = {"Channel": {"Name": ["membrane", "nuclei"]}}
    tifffile.imwrite(path, values, metadata={"axes": "TCYX", **names})
    return path


def project(viewer, axis):
    viewer.layers.selection.active = viewer.layers["movie membrane"]
    _layer_actions._project(viewer.layers, axis=axis, mode="max")


def merge(viewer):
    viewer.layers.selection = {viewer.layers["movie membrane"], viewer.layers["movie nuclei"]}
    _layer_actions._merge_stack(viewer.layers)
    return viewer.layers[-1]


def denoised(dock):
    return [step for step in dock.dispatcher.recorder.macro.steps if step.action == "denoise"]


def test_a_projection_is_not_recorded_as_the_file_of_the_stack(viewer, dock, movie_file, use_job):
    use_job("denoise")
    cellinr = console_of(viewer)
    cellinr.open(movie_file)
    project(viewer, axis=0)
    name = str(viewer.layers[-1].name)
    cellinr.denoise(name)
    cellinr.wait()
    (step,) = denoised(dock)
    assert (step.sources[0].layer, step.sources[0].path) == (name, "")
    cellinr.denoise("movie membrane")
    cellinr.wait()
    step = denoised(dock)[-1]
    assert step.sources[0].path == str(movie_file)


def test_merged_channels_are_not_recorded_as_one_channel(viewer, dock, movie_file, use_job):
    use_job("denoise")
    cellinr = console_of(viewer)
    cellinr.open(movie_file)
    cellinr.denoise(merge(viewer), axes="CTYX")
    cellinr.wait()
    (step,) = denoised(dock)
    assert step.sources[0].path == ""


def test_what_was_merged_is_not_saved_over_its_file(viewer, dock, movie_file):
    before = movie_file.read_bytes()
    cellinr = console_of(viewer)
    cellinr.open(movie_file)
    merged = merge(viewer)
    with pytest.raises(FileError, match="would overwrite"):
        cellinr.save(merged, movie_file, overwrite=True)
    assert movie_file.read_bytes() == before
