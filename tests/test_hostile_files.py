"""Damaged files of ours are used, or refused with one sentence: the short form of the long run.

`benchmarks/faults/hostile.py` does the same for 10 000 files of each kind.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_cellinr import CellINRConfig, Image, denoise, reconstruct, render
from napari_cellinr.cli import main
from napari_cellinr.config.optics import optics_from_json
from napari_cellinr.errors import CellINRError, ConfigError, DataError, FileError
from napari_cellinr.fitting.saved.stored import load_fit
from napari_cellinr.io import load_fitted, read, save_fitted
from napari_cellinr.macro import Macro

FAULTS = Path(__file__).parents[1] / "benchmarks" / "faults"
FIT = Path(__file__).parent / "data" / "v0.1" / "fits" / "denoise.cellinr"
DEEP = "[" * 100_000

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")


@on_linux
@pytest.mark.skipif(not FAULTS.is_dir(), reason="the benchmarks are not part of this copy")
@pytest.mark.filterwarnings("ignore")  # children of fork read files and end
@pytest.mark.parametrize("kind", range(4))
def test_changed_files_of_each_kind(kind, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FAULTS))
    import hostile

    name, changed = list(hostile.KINDS_OF_FILES.items())[kind]
    found = hostile.outcome(name, changed, 100, 1, tmp_path / "files")
    assert found.lost == 0, found
    assert not found.measured.startswith("0 refused")


@on_linux
@pytest.mark.skipif(not FAULTS.is_dir(), reason="the benchmarks are not part of this copy")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", range(3))
def test_changed_marks_locks_and_lists(kind, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FAULTS))
    import marks

    name, changed = list(marks.KINDS_OF_FILES.items())[kind]
    found = marks.outcome(name, changed, 60, 1, tmp_path / "files", marks.RULE)
    assert found.lost == 0, found


@pytest.mark.parametrize("read_text", [Macro.from_json, optics_from_json, CellINRConfig.from_json])
def test_deeply_nested_json(read_text):
    with pytest.raises((ConfigError, FileError), match="nested too deeply"):
        read_text(DEEP)


def changed(path, tmp_path, **changes):
    """Return a copy of a saved fit with another header; None removes an entry."""
    header, tensors = load_fitted(path)
    kept = {key: value for key, value in {**header, **changes}.items() if value is not None}
    save_fitted(tmp_path / "changed.cellinr", header=kept, tensors=tensors)
    return tmp_path / "changed.cellinr"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": 3}, "its entry method is wrong"),
        ({"config": []}, "its entry config is wrong"),
        ({"history": 3}, "its entry history is wrong"),
        ({"report": None}, "there is no 'report'"),
        ({"roles": 7}, "its entry roles is wrong"),
        ({"image": {"axes": "YX"}}, "there is no 'shape'"),
        ({"image": 1}, "its entry image is wrong"),
    ],
)
def test_wrong_entries_of_a_saved_fit(changes, message, tmp_path):
    with pytest.raises(FileError, match=message):
        load_fit(changed(FIT, tmp_path, **changes))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shape", [-1, 2]), ("shape", [10**9, 10**9]), ("shape", "ab"), ("scale", [0, 1]),
        ("scale", [1]), ("axes", 3), ("translate", [1e300, 0]), ("name", []),
    ],
)  # fmt: skip
def test_wrong_geometry_of_a_saved_fit(key, value, tmp_path):
    image = load_fitted(FIT)[0]["image"]
    with pytest.raises(FileError, match="the fit cannot be used"):
        load_fit(changed(FIT, tmp_path, image={**image, key: value}))


@pytest.mark.parametrize("shape", [[12] * 8, [10**6, 10**6], ["a", 2], 3])
def test_a_model_whose_shape_is_not_that_of_its_arrays(shape, tmp_path):
    """An array of the stated shape was made first: 1.6 GB for eight axes of 12 voxels."""
    image = Image(np.random.default_rng(0).poisson(20, (24, 24)).astype(np.float32), axes="YX")
    fit = denoise(image, "preview", steps=2)
    fit.save(tmp_path / "fit.cellinr")
    header, _ = load_fitted(tmp_path / "fit.cellinr")
    frame = {**header["model"]["frames"][0], "shape": shape}
    path = changed(tmp_path / "fit.cellinr", tmp_path, model={"frames": [frame]})
    with pytest.raises(FileError, match="lacks what it is rendered from"):
        render(load_fit(path))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_arrays_that_are_not_finite(value, tmp_path):
    header, tensors = load_fitted(FIT)
    name = next(name for name, array in tensors.items() if array.dtype == np.float32)
    tensors[name] = np.full_like(tensors[name], value)
    save_fitted(tmp_path / "nan.cellinr", header=header, tensors=tensors)
    with pytest.raises(FileError, match="not finite"):
        load_fit(tmp_path / "nan.cellinr")


def test_messages_are_one_short_line():
    text = str(CellINRError("a\x1b[2J\nb" + "c" * 100_000 + "d"))
    assert text.startswith("a [2J bc")
    assert text.endswith("cd")
    assert len(text) <= 2000
    assert str(CellINRError("plain µ")) == "plain µ"


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "\x1b[2Jevil\n\u202e.tif"],
        ["denoise", "a.tif", "--output", "b.tif", "--\x1b[31mred"],
        ["\x1b[2J"],
        ["render", "\x1b]0;title\x07.cellinr", "--output", "x.tif", "--scale", "\x1b[1m"],
    ],
)
def test_control_characters_do_not_reach_the_terminal(arguments, capsys):
    try:
        status = main(arguments)
    except SystemExit as end:
        status = end.code
    assert status == 2
    printed = "".join(capsys.readouterr())
    assert len(printed.splitlines()) == 1
    assert not {"\x1b", "\x07", "\u202e"} & set(printed)


@pytest.mark.parametrize(
    ("shape", "chunks"), [((10**5, 10**4), (1, 1)), ((64_000,) * 3, (64,) * 3)]
)
@pytest.mark.parametrize("version", [2, 3])
def test_zarr_with_a_thousand_million_chunks(tmp_path, shape, chunks, version):
    place = tmp_path / "many.zarr"
    zarr.create_array(place, shape=shape, chunks=chunks, dtype="u2", zarr_format=version)
    with pytest.raises(FileError, match="1000000000 chunks"):
        read(place)


def zarr_with(tmp_path, version):
    """Return a Zarr folder and the place of its first chunk, which is missing."""
    place = tmp_path / "a.zarr"
    array = zarr.create_array(
        place, shape=(8, 8), chunks=(4, 4), dtype="u2", zarr_format=version, fill_value=1
    )
    array[:] = np.arange(64).reshape(8, 8)
    chunk = place / ("0.0" if version == 2 else "c/0/0")
    chunk.unlink()
    return place, chunk


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_with_a_link_that_leaves_the_folder(tmp_path, version):
    place, chunk = zarr_with(tmp_path, version)
    (tmp_path / "secret").write_bytes(bytes(range(32)))
    chunk.symlink_to(tmp_path / "secret")
    with pytest.raises(FileError, match="leads out of the folder"):
        read(place).array()


@on_linux
def test_zarr_with_a_pipe(tmp_path):
    place, chunk = zarr_with(tmp_path, 3)
    os.mkfifo(chunk)
    with pytest.raises(FileError, match="a pipe or a device"):
        read(place).array()


def test_zarr_that_is_itself_a_link(tmp_path):
    place, _ = zarr_with(tmp_path, 3)
    (tmp_path / "b.zarr").symlink_to(place)
    assert read(tmp_path / "b.zarr").array().shape == (8, 8)


def test_zarr_that_names_another_folder(tmp_path):
    zarr_with(tmp_path, 3)
    axes = [{"name": name, "type": "space"} for name in "yx"]
    scales = {"version": "0.5", "axes": axes, "datasets": [{"path": "../a.zarr"}]}
    group = {"zarr_format": 3, "node_type": "group"}
    (tmp_path / "b.ome.zarr").mkdir()
    facts = {**group, "attributes": {"ome": {"multiscales": [scales]}}}
    (tmp_path / "b.ome.zarr" / "zarr.json").write_text(json.dumps(facts))
    with pytest.raises(FileError, match=r"b\.ome\.zarr is not a readable Zarr folder"):
        read(tmp_path / "b.ome.zarr")


def noise(offset, dtype=np.int64):
    return np.random.default_rng(0).poisson(30, (4, 16, 16)).astype(dtype) + dtype(offset)


@pytest.mark.parametrize("offset", [1e15, 1e8, -1e15])
def test_an_offset_that_leaves_nothing_in_single_precision(offset):
    with pytest.raises(DataError, match="Subtract the offset"):
        denoise(Image(noise(offset), "TYX"), steps=1)
    with pytest.raises(DataError, match="Subtract the offset"):
        reconstruct(Image(noise(offset, np.float64), "TYX"), steps=1)


def test_an_offset_that_single_precision_holds():
    plain, moved = (
        denoise(Image(noise(offset)[0], "YX"), steps=1, estimate="gaussian", background="keep")
        for offset in (0, 10_000)
    )
    np.testing.assert_allclose(moved.images[0].array() - 10_000, plain.images[0].array(), atol=0.5)


def test_grey_levels_beyond_single_precision():
    with pytest.raises(DataError, match="more than single precision can hold"):
        denoise(Image(noise(0, np.float64)[0] * 1e300, "YX"), steps=1)
