"""`napari-cellinr render`: a kept fit becomes images again."""

import numpy as np
import pytest

from napari_cellinr import Image, denoise, read, write
from napari_cellinr.fitting.saved.stored import header_of
from napari_cellinr.io import save_fitted


@pytest.fixture
def model(tmp_path, sample):
    fitted = denoise(sample.raw, steps=1, estimate="gaussian")
    save_fitted(tmp_path / "fit.cellinr", header=header_of(fitted), tensors=fitted.state)
    return tmp_path / "fit.cellinr"


def test_a_kept_fit_is_rendered_at_another_scale(run, model, tmp_path):
    out, haze, both = (tmp_path / f"{name}.tif" for name in ("out", "haze", "both"))
    words = ["--target-voxel", "z=0.25", "--crop", "y=4:12", "--output", f"background={haze}"]
    words += ["--output", f"with-background={both}"]
    status, said, error = run("render", model, out, *words)
    assert (status, error) == (0, "")
    assert said.splitlines()[0] == f"wrote {out}: 16×8×20 voxels of 0.25×0.25×0.25 µm"
    assert read(haze).shape == read(out).shape == (16, 8, 20)
    above = np.maximum(read(both).array() - read(haze).array(), 0)
    assert (read(out).array() <= above + 1e-3).all()
    assert run("render", model, out, "--scale", 2, "--overwrite")[0] == 0
    assert read(out).shape == (16, 32, 40)
    assert np.isfinite(read(out).array()).all()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--scale", "big"], "a factor such as 2"),
        (["--scale", "99"], "at most 16"),
        (["--times", "0:1"], "first:last:step"),
        (["--times", "0,1"], "no time axis"),
        (["--channel", "0"], "axis 'C'"),
        (["--output", "background=out.tif"], "given twice"),
        (["--output", "motion=m.tif"], "has background, with-background"),
    ],
)
def test_wrong_options_are_one_line(run, model, tmp_path, monkeypatch, words, part):
    monkeypatch.chdir(tmp_path)
    status, _, error = run("render", model, "out.tif", *words)
    assert (status, error.count("\n")) == (2, 1)
    assert part in error
    assert not (tmp_path / "out.tif").exists()


def test_a_foreign_or_damaged_file_is_one_line(run, model, raw_file, tmp_path):
    model.write_bytes(model.read_bytes()[:-100])
    for path in (model, raw_file, tmp_path / "none.cellinr"):
        status, _, error = run("render", path, tmp_path / "out.tif")
        assert (status, error.count("\n")) == (2, 1)


def test_times_of_a_reconstruction_are_in_the_unit_of_the_file(run, tmp_path):
    """It counts in seconds; 40 ms are not 40 s, which would lie outside the recording."""
    data = np.random.default_rng(0).random((5, 16, 20), np.float32) * 100
    units = ("millisecond", "micrometer", "micrometer")
    write(tmp_path / "in.ome.tif", Image(data, "TYX", (40, 0.2, 0.2), units))
    fit, out = tmp_path / "fit.cellinr", tmp_path / "out.ome.tif"
    words = ["--preset", "preview", "--steps", 2, "--optics", "time-lapse", "--save-fit", fit]
    status, _, error = run("reconstruct", tmp_path / "in.ome.tif", tmp_path / "r.ome.tif", *words)
    assert status == 0, error
    status, _, error = run("render", fit, out, "--times", "0,20,40")
    assert status == 0, error
    assert "in the unit of the file, which is millisecond" in error
    expected = read(out)
    assert (expected.sizes["T"], expected.steps["T"]) == (3, pytest.approx(0.02))
    for times in ("0,0.02,0.04s", "0:40:20 ms"):
        status, _, error = run("render", fit, out, "--times", times, "--overwrite")
        assert (status, error) == (0, "")
        np.testing.assert_array_equal(read(out).array(), expected.array())
