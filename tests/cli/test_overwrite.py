"""No command writes one of its inputs, or replaces a file without `--overwrite`."""

import os

import numpy as np
import pytest

from napari_cellinr import Image, read, write


@pytest.fixture
def zarr(tmp_path, sample):
    return write(tmp_path / "self.zarr", sample.raw)


def contents(path):
    """Return the bytes of a file, or of all files in a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(file): file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize("command", ["convert", "denoise"])
@pytest.mark.parametrize("way", ["same", "dots", "symlink", "hard link", "of a link"])
def test_a_file_never_replaces_itself(run, jobs, raw_file, tmp_path, command, way, overwrite):
    source, link = tmp_path / "raw.tif", tmp_path / "link.tif"
    if way in {"symlink", "of a link"}:
        link.symlink_to(source)
    elif way == "hard link":
        os.link(source, link)
    names = {
        "same": (source, source),
        "dots": (source, tmp_path / "." / ".." / tmp_path.name / "raw.tif"),
        "of a link": (link, source),
    }
    before = contents(source)
    status, _, error = run(command, *names.get(way, (source, link)), *overwrite)
    assert (status, error.count("\n")) == (2, 1)
    assert "would overwrite the input" in error
    assert contents(source) == before
    assert jobs.calls == []


@pytest.mark.parametrize("command", ["convert", "denoise"])
@pytest.mark.parametrize("output", ["self.zarr", "self.zarr/0/inner.tif", "self.zarr/b.zarr"])
def test_nothing_is_written_into_a_zarr_that_is_read(run, jobs, zarr, tmp_path, command, output):
    before = contents(zarr)
    status, _, error = run(command, zarr, tmp_path / output, "--overwrite")
    assert (status, error.count("\n")) == (2, 1)
    assert "would overwrite the input" in error
    assert contents(zarr) == before


def test_a_folder_that_holds_the_input_is_not_replaced(run, zarr, sample):
    inner = write(zarr / "inner.tif", sample.raw)
    status, _, error = run("convert", inner, zarr, "--overwrite")
    assert (status, error.count("\n")) == (2, 1)
    assert inner.exists()


@pytest.mark.parametrize("name", ["out.tif", "out.zarr", "out.nii.gz"])
def test_an_existing_file_is_replaced_only_if_told(run, raw_file, tmp_path, name):
    out = tmp_path / name
    write(out, Image(np.zeros((2, 4, 5), np.float32), "ZYX"))
    before = contents(out)
    status, _, error = run("convert", raw_file, out)
    assert (status, error) == (
        2, f"error: {out} exists; choose another name, or give --overwrite to replace it.\n"
    )  # fmt: skip
    assert contents(out) == before
    assert run("convert", raw_file, out, "--overwrite")[::2] == (0, "")
    assert read(out).shape == (8, 16, 20)


def test_every_file_of_a_fit_is_looked_at_before_it(run, jobs, raw_file, tmp_path):
    options = ("--output=background=", "--output=conventional=", "--save-fit=", "--report=")
    for number, option in enumerate(options):
        other = tmp_path / f"precious{number}.tif"
        other.write_bytes(b"precious")
        status, _, error = run("denoise", raw_file, tmp_path / "out.tif", f"{option}{other}")
        assert (status, other.read_bytes()) == (2, b"precious")
        assert "--overwrite" in error
        assert not (tmp_path / "out.tif").exists()
    assert jobs.calls == []


def test_the_same_file_twice_is_refused(run, jobs, raw_file, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").symlink_to(tmp_path / "one")
    words = [tmp_path / "one" / "o.tif", "--output", f"background={tmp_path / 'two' / 'o.tif'}"]
    status, _, error = run("denoise", raw_file, *words)
    assert (status, error.count("\n")) == (2, 1)
    assert "given twice" in error


def test_samples_and_differences_are_not_replaced(run, raw_file, tmp_path):
    words = ["sample", "embryo-nuclei", tmp_path / "s", "--size", "8,16,16"]
    assert run(*words)[0] == 0
    before = contents(tmp_path / "s")
    assert run(*words, "--seed", 1)[0] == 2
    assert run("demo", tmp_path / "s")[0] == 2
    raw, truth = tmp_path / "s" / "raw.tif", tmp_path / "s" / "truth.tif"
    assert run("compare", raw, truth, "--difference", truth, "--overwrite")[0] == 2
    assert contents(tmp_path / "s") == before
    assert run(*words, "--seed", 1, "--overwrite")[0] == 0
    assert contents(tmp_path / "s") != before
    difference = tmp_path / "d.tif"
    assert run("compare", raw, truth, "--difference", difference)[0] == 0
    assert run("compare", raw, truth, "--difference", difference)[0] == 2


def test_a_fit_is_not_replaced_by_its_motion_or_rendering(run, tmp_path):
    fit, table = tmp_path / "worm.cellinr", tmp_path / "t.csv"
    fit.write_bytes(b"precious")
    table.write_bytes(b"precious")
    (tmp_path / "link.csv").symlink_to(fit)
    for command, output, why in (
        ("show-motion", table, "exists"),
        ("show-motion", tmp_path / "link.csv", "would overwrite the input"),
        ("render", fit, "would overwrite the input"),
    ):
        status, _, error = run(command, fit, output)
        assert (status, why in error) == (2, True)
    assert {fit.read_bytes(), table.read_bytes()} == {b"precious"}


def test_reconstruct_looks_at_the_folder_of_comparisons(run, raw_file, tmp_path):
    folder = tmp_path / "compared"
    folder.mkdir()
    (folder / "static.tif").write_bytes(b"precious")
    words = ["--optics", "dpc", "--compare", folder]
    status, _, error = run("reconstruct", raw_file, tmp_path / "o.tif", *words)
    assert (status, "static.tif exists" in error) == (2, True)
