"""Samples stay what they are: a macro that began with one is done again, whenever and wherever."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

import napari_cellinr
from napari_cellinr.acquisition.measurement import read_array
from napari_cellinr.errors import FileError, FitError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.io import read
from napari_cellinr.macro import Source, iter_replay, load_macro, parse_script, script
from napari_cellinr.macro.replay.inputs import recorded_image
from napari_cellinr.simulate.recordings import moving
from napari_cellinr.simulate.samples import SAMPLES, sample_images, truth_name
from napari_cellinr.ui import plugin
from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.docks.reconstruct import ReconstructDock
from napari_cellinr.ui.session.actions import source_of
from napari_cellinr.ui.session.console import console_of

pytestmark = pytest.mark.gui


def test_there_are_those_of_the_manifest():
    manifest = PluginManifest.from_file(Path(napari_cellinr.__file__).parent / "napari.yaml")
    assert {one.key for one in manifest.contributions.sample_data} == set(SAMPLES)
    with pytest.raises(FileError, match="the samples are embryo-membranes"):
        sample_images("embryo")


@pytest.mark.parametrize("key", list(SAMPLES))
def test_no_step_names_a_folder_that_goes(viewer, use_job, idle, put_job, key):
    """A step is recorded with all of its settings also if the fit fails, which is quick."""
    job = use_job(steps=2, error=FitError("not wanted"), fail_at=1)
    put_job("reconstruct", job)
    dock = (ReconstructDock if key.startswith("motion") else DenoiseDock)(viewer)
    *_, layer = viewer.open_sample("napari-cellinr", key)
    dock.source.choose(layer.unique_id)
    dock.run()
    idle(dock)
    recipe = dock.dispatcher.recorder.macro.as_json()
    assert "not wanted" in recipe
    assert tempfile.gettempdir() not in recipe
    assert source_of(layer).path == f"sample:{key}"
    if key == "motion-ball":
        assert '"psf": "sample:motion-ball"' in recipe
    dock.deleteLater()


def test_the_picture_of_a_point_is_made_when_it_is_needed():
    _, (_, attributes, _) = plugin.sample_ball()
    optics = attributes["metadata"]["optics"]
    assert np.array_equal(read_array(optics["psf"], "psf"), moving("ball").psf.array())


@pytest.mark.parametrize(
    "name", ["embryo membranes raw", "embryo membranes truth", "mine", "my truth"]
)
def test_a_story_that_begins_with_a_sample(viewer, dock, use_job, tmp_path, name):
    viewer.layers.clear()
    use_job()
    cellinr = console_of(viewer)
    viewer.open_sample("napari-cellinr", "embryo-membranes")
    if name.startswith("m"):
        viewer.layers[0 if "truth" in name else -1].name = name
    cellinr.denoise(name)
    cellinr.wait()
    numbers = np.array(viewer.layers[f"denoised · {name}"].data)
    text = str(cellinr.macro)
    part = "/truth" if "truth" in name else ""
    assert f"cellinr.use({name!r}, 'sample:embryo-membranes{part}')" in text
    assert f"# data of {name}: blake2b" in text
    viewer.layers.clear()
    cellinr.clear()
    exec(compile(text, "macro", "exec"), {})
    cellinr.wait()
    assert np.array_equal(viewer.layers[f"denoised · {name}"].data, numbers)
    (tmp_path / "macro.py").write_text(text)
    (tmp_path / "macro.json").write_text(dock.dispatcher.recorder.macro.as_json())
    for file in ("macro.py", "macro.json"):
        macro, told = load_macro(tmp_path / file), []
        job = iter_replay(macro, output=tmp_path, overwrite=True, tell=told.append)
        (written,) = finish(job)
        assert np.array_equal(read(written).array(), numbers)
        assert told == []  # the data have the digest that was recorded
    assert f"give the file of layer {name!r}" in script(macro, "headless")
    with pytest.raises(FileError, match="the samples are embryo-membranes"):
        cellinr.use("other", "sample:embryo")


@pytest.mark.parametrize("key", list(SAMPLES))
def test_the_ground_truth_of_each_sample_has_an_address(key):
    truth, raw = sample_images(key)
    assert truth.name == truth_name(key)
    for layer, path, image in (
        ("mine", f"sample:{key}", raw),
        ("mine", f"sample:{key}/truth", truth),
        (truth.name, f"sample:{key}", truth),
        (f"{truth.name} [1]", f"sample:{key}/truth", truth),
    ):
        assert recorded_image(layer, Source(layer, path)) is image
    with pytest.raises(FileError, match=f"sample:{key}/truth its ground truth"):
        recorded_image("mine", Source("mine", f"sample:{key}/blur"))


@pytest.mark.parametrize("use", ["", "cellinr.use('mine', 'sample:embryo-membranes/truth')"])
def test_a_script_compares_with_the_ground_truth_of_a_sample(viewer, use_job, tmp_path, use):
    use_job()
    truth = "mine" if use else "embryo membranes truth"
    text = "\n".join([
        "cellinr.use('embryo membranes raw', 'sample:embryo-membranes')", use,
        "cellinr.denoise('embryo membranes raw')",
        f"cellinr.compare('denoised · embryo membranes raw', {truth!r})",
        f"cellinr.save('minus {truth} · denoised · embryo membranes raw', 'd.tif')",
    ])  # fmt: skip
    written = finish(iter_replay(parse_script(text), output=tmp_path))
    (against, raw) = sample_images("embryo-membranes")
    expected = raw.array() / 2 - against.array()
    assert [path.name for path in written] == ["d.tif"]
    np.testing.assert_allclose(read(written[0]).array(), expected, rtol=1e-5)
    cellinr = console_of(viewer)
    for line in filter(None, text.splitlines()[:-1]):
        eval(line, {"cellinr": cellinr})
        cellinr.wait()
    shown = viewer.layers[f"minus {truth} · denoised · embryo membranes raw"]
    np.testing.assert_allclose(shown.data, expected, rtol=1e-5)
    assert len(viewer.layers) == 4  # the sample is opened once
