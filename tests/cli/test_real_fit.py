"""The command line with the real method, at toy size."""

import json

import numpy as np
import pytest

from napari_cellinr import Image, read, write


@pytest.fixture
def embryo_folder(run, tmp_path):
    run("sample", "embryo-membranes", tmp_path, "--size", "12,40,40", "--seed", 3)
    return tmp_path


def test_denoise_and_compare(run, embryo_folder):
    raw, truth, out, haze, report, model = (
        embryo_folder / name
        for name in (
            "raw.tif", "truth.tif", "out.nii.gz", "haze.tif", "report.json", "model.cellinr",
        )
    )  # fmt: skip
    words = ["--steps", 20, "--device", "cpu", "--output", f"background={haze}"]
    words += ["--save-fit", model]
    status, text, error = run("denoise", raw, out, "--report", report, *words)
    assert (status, error) == (0, "")
    assert text.startswith(f"wrote {out}: 12×40×40 voxels of 0.5×0.25×0.25 µm")
    before, after = (json.loads(run("compare", path, truth)[1]) for path in (raw, out))
    assert after["psnr"] > before["psnr"] + 3
    facts = json.loads(report.read_text())
    assert facts["steps"] <= 20
    assert facts["device"].startswith("cpu")
    assert facts["noise"]
    assert facts["versions"]["torch"]
    assert model.stat().st_size > 1000
    assert read(haze).array().mean() > 1


def test_same_seed_gives_the_same_file(run, embryo_folder):
    words = ["denoise", embryo_folder / "raw.tif"]
    options = ["--steps", 5, "--device", "cpu", "--crop", "z=0:6,y=0:24,x=0:24"]
    for name in ("a.tif", "b.tif"):
        assert run(*words, embryo_folder / name, *options)[0] == 0
    first, second = (read(embryo_folder / name) for name in ("a.tif", "b.tif"))
    np.testing.assert_array_equal(first.array(), second.array())
    assert first.shape == (6, 24, 24)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (np.full((4, 16, 16), np.nan, np.float32), "NaN"),
        (np.full((4, 16, 16), 7, np.uint8), "every value"),
        (np.arange(16, dtype=np.float32).reshape(1, 16), "1 row and"),
    ],
)
def test_images_without_content(run, tmp_path, values, part):
    path = write(tmp_path / "in.tif", Image(values, units=("micrometer",) * values.ndim))
    status, _, error = run("denoise", path, tmp_path / "out.tif")
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert part in error
    assert not (tmp_path / "out.tif").exists()


def test_ambiguous_axes_name_the_option(run, tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "in.tif", np.zeros((3, 5, 16, 16), np.uint8), metadata=None)
    status, _, error = run("denoise", tmp_path / "in.tif", tmp_path / "out.tif")
    assert status == 2
    assert "--axes" in error.splitlines()[-1]
