"""Names that no file can have, or that look like options, are one clear sentence."""

import numpy as np
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.errors import FileError

LONG = "cells " * 60
EMPTY = "error: an empty name was given; give the name of a file, such as image.tif.\n"


@pytest.fixture
def plane(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("in.tif", Image(np.ones((16, 20), np.float32), "YX"))


@pytest.mark.parametrize(
    "words",
    [
        ("denoise", "in.tif", ""),
        ("convert", "in.tif", ""),
        ("convert", "", "out.tif"),
        ("info", ""),
        ("denoise", "in.tif", "out.tif", "--save-fit", ""),
        ("render", "", "out.tif"),
    ],
)
def test_an_empty_name(run, plane, tmp_path, words):
    assert run(*words) == (2, "", EMPTY)
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]


@pytest.mark.parametrize("length", [249, 300, 5000])
@pytest.mark.parametrize(
    "words",
    [
        ("denoise", "in.tif", "{}.tif", "--preset", "preview", "--steps", "2"),
        ("convert", "in.tif", "{}.tif"),
        ("convert", "{}.tif", "out.tif"),
        ("info", "{}.tif"),
        ("sample", "embryo-nuclei", "{}.tif", "--size", "4,16,16"),
        ("denoise", "in.tif", "out.tif", "--output", "background={}.tif"),
        ("replay", "{}.py"),
    ],
)
def test_a_name_that_is_too_long(run, plane, tmp_path, words, length):
    """Most systems allow 255 bytes: 249 and `.tif` are not too long, unless more is added."""
    name = ("cells " * 1000)[:length]
    status, out, error = run(*(word.format(name) for word in words))
    if length == 249 and status == 0:
        return
    assert (status, out) == (2, "")
    errors = [line for line in error.splitlines() if line.startswith("error")]
    assert len(errors) == 1
    assert len(errors[0]) < 400
    if length > 249:
        assert "too long for this system" in errors[0]
        assert "choose a shorter one" in errors[0]
    assert "Errno" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]


def test_names_that_are_too_long_in_python(plane):
    for action in (read, lambda name: write(name, np.ones((4, 5)))):
        with pytest.raises(FileError, match="too long for this system"):
            action(f"{LONG}.tif")


@pytest.mark.parametrize("name", ["-x.tif", "-5.tif", "--x.tif", "-x", "-folder/x.tif"])
@pytest.mark.parametrize(
    "words",
    [
        ("convert", "in.tif", "{}"),
        ("convert", "{}", "out.tif"),
        ("denoise", "in.tif", "{}", "--steps", "2"),
        ("denoise", "in.tif", "out.tif", "--save-fit", "{}"),
        ("info", "{}"),
    ],
)
def test_a_name_that_begins_with_a_dash(run, plane, tmp_path, name, words):
    status, out, error = run(*(word.format(name) for word in words))
    assert (status, out, error.count("\n")) == (2, "", 1)
    assert f"write ./{name} for a file of this name" in error
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]


def test_both_ways_to_give_a_name_that_begins_with_a_dash(run, plane):
    assert run("convert", "in.tif", "./-x.tif")[0] == 0
    assert run("convert", "--", "-x.tif", "-y.tif")[0] == 0
    assert read("-y.tif").shape == (16, 20)


def test_numbers_below_zero_and_options_are_no_names_of_files(run, plane):
    assert run("-h")[0] == 0
    error = run("denoise", "in.tif", "out.tif", "--set", "offset=-2", "--offset", "-2.5")[2]
    assert "for a file of this name" not in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("superresolve", "in.tif", "o.tif", "--scale", "17"), "--scale 17 was given; more than 0"),
        (
            ("denoise", "in.tif", "o.tif", "--axes", "ZYX"),
            "shape (16, 20); one letter for each of its 2 dimensions is needed, such as YX, not 3.",
        ),
    ],
)
def test_messages_name_no_axis_that_the_image_lacks(run, plane, words, said):
    status, out, error = run(*words)
    assert (status, out) == (2, "")
    assert said in error
    assert "z=" not in error.splitlines()[-1]
