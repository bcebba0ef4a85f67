"""A macro never writes its inputs, and nowhere else than it was told to."""

import os
from pathlib import Path

import numpy as np
import pytest
from test_macro import fake_job

from napari_cellinr import Image, read, write
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.problem import Fitted, Progress, finish
from napari_cellinr.macro import Macro, Source, Step, iter_replay, load_macro
from napari_cellinr.macro.batch.run import iter_batch


@pytest.fixture
def image(tmp_path, monkeypatch, put_job):
    """Return an image file in the current folder."""
    put_job("denoise", fake_job)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return write(work / "a.tif", Image(np.ones((2, 4, 5), np.float32), "ZYX"))


def macro(image, path):
    return Macro(
        (
            Step("denoise", (Source("a", str(image)),), {}, ("a denoised",), seed=0),
            Step("save", (Source("a denoised"),), {"path": str(path)}),
        )
    )


def test_outside_of_the_folder_only_if_told(image, tmp_path):
    link = image.parent / "link"
    link.symlink_to(tmp_path)
    for path in (tmp_path / "b.tif", "../b.tif", "link/b.tif"):
        with pytest.raises(FileError, match=r"outside of the folder .*--allow-outside"):
            finish(iter_replay(macro(image, path)))
        assert not (tmp_path / "b.tif").exists()
    finish(iter_replay(macro(image, tmp_path / "b.tif"), allow_outside=True))
    assert (tmp_path / "b.tif").is_file()
    (written,) = finish(iter_replay(macro(image, tmp_path / "c.tif"), output="out"))
    assert written.resolve() == image.parent / "out" / "c.tif"
    assert not (tmp_path / "c.tif").exists()


@pytest.mark.skipif(os.name == "nt", reason="these are paths of another system")
def test_paths_of_windows_on_another_system(image):
    """A file of the whole name once appeared, such as C:\\out\\b.tif in the current folder."""
    folder = image.parent / "out"
    folder.mkdir()
    finish(iter_replay(macro(image, r"out\b.tif")))
    assert (folder / "b.tif").is_file()
    with pytest.raises(FileError, match=r"a path of Windows, .*--folder"):
        finish(iter_replay(macro(image, r"C:\out\c.tif")))
    finish(iter_replay(macro(image, r"C:\out\c.tif"), output=folder))
    assert sorted(p.name for p in folder.iterdir()) == ["b.tif", "c.tif"]
    assert sorted(p.name for p in image.parent.iterdir()) == ["a.tif", "out"]


@pytest.mark.skipif(os.name == "nt", reason="these are paths of another system")
@pytest.mark.parametrize(
    "path", ["C:/out/c.tif", "C:c.tif", "//srv/share/c.tif", r"\\srv\share\c.tif"]
)
def test_drives_and_servers_of_windows_on_another_system(image, path):
    """A folder C: once appeared beside the macro, or a file C:c.tif in the folder."""
    folder = image.parent / "out"
    folder.mkdir()
    with pytest.raises(FileError, match=r"a path of Windows, .*--folder"):
        finish(iter_replay(macro(image, path)))
    assert finish(iter_replay(macro(image, path), output=folder)) == [folder / "c.tif"]
    assert [p.name for p in folder.iterdir()] == ["c.tif"]
    assert sorted(p.name for p in image.parent.iterdir()) == ["a.tif", "out"]


@pytest.mark.skipif(os.name == "nt", reason="these are paths of another system")
@pytest.mark.parametrize("style", ["script", "recipe"])
def test_a_macro_of_windows_reads_and_writes_in_folders(image, style):
    (image.parent / "data").mkdir()
    image.rename(image.parent / "data" / "a.tif")
    if style == "script":
        Path("m.py").write_text(
            r"""
cellinr.open("data\\a.tif")
cellinr.denoise("a")
cellinr.save("denoised · a", "out\\c.tif")
""",
            encoding="utf-8",
        )
        loaded = load_macro("m.py")
    else:
        Path("m.json").write_text(macro(r"data\a.tif", r"out\c.tif").as_json())
        loaded = load_macro("m.json")
    assert finish(iter_replay(loaded)) == [Path("out/c.tif")]
    assert read("out/c.tif").shape == (2, 4, 5)
    with pytest.raises(FileError, match="never writes its inputs"):
        finish(iter_replay(macro(r"data\a.tif", r"data\a.tif"), overwrite=True))


@pytest.mark.skipif(os.name == "nt", reason="no file of Windows has this name")
def test_a_file_with_a_backslash_in_its_name_is_read(image):
    image.rename(image.parent / r"data\a.tif")
    assert finish(iter_replay(macro(r"data\a.tif", "c.tif"))) == [Path("c.tif")]


def test_one_file_in_two_spellings(image):
    steps = macro(image, "./x/b.tif").steps
    for path in ("x/b.tif", "x/../x/b.tif", *([r"x\b.tif"] if os.name != "nt" else [])):
        same = Step("save", (Source("a denoised"),), {"path": path})
        written = finish(iter_replay(Macro((*steps, same)), overwrite=True))
        assert {place.resolve() for place in written} == {image.parent / "x" / "b.tif"}
        assert finish(iter_replay(Macro((*steps, same)), output="out", overwrite=True))
        other = Step("save", (Source("a"),), {"path": path})
        with pytest.raises(FileError, match=r"'a denoised' and 'a' in the same file"):
            finish(iter_replay(Macro((*steps, other)), overwrite=True))


def test_existing_files_only_if_told(image):
    place = image.parent / "b.tif"
    place.write_text("precious")
    with pytest.raises(FileError, match="--overwrite"):
        finish(iter_replay(macro(image, "b.tif")))
    assert place.read_text() == "precious"
    finish(iter_replay(macro(image, "b.tif"), overwrite=True))
    assert read(place).shape == (2, 4, 5)


def test_inputs_never(image, tmp_path):
    before = image.read_bytes()
    (tmp_path / "link.tif").symlink_to(image)
    told = {"allow_outside": True, "overwrite": True}
    for path in (image, "a.tif", "./x/../a.tif", tmp_path / "link.tif"):
        with pytest.raises(FileError, match="never writes its inputs"):
            finish(iter_replay(macro(image, path), **told))
    other = write(image.parent / "other.tif", Image(np.ones((2, 4, 5), np.float32), "ZYX"))
    with pytest.raises(FileError, match="never writes its inputs"):
        finish(iter_replay(macro(image, "other.tif"), source=other, **told))
    assert image.read_bytes() == before


def test_nothing_is_written_into_an_input_of_zarr_or_over_the_files_of_a_series(image):
    folder = image.parent
    zarr = write(folder / "in.zarr", Image(np.ones((2, 4, 5), np.float32), "ZYX"))
    told = {"allow_outside": True, "overwrite": True}
    with pytest.raises(FileError, match="never writes its inputs"):
        finish(iter_replay(macro(zarr, "in.zarr/0/b.tif"), **told))
    steps = (
        Step("denoise", (Source("t", str(folder / "t*.tif"), along="T"),), {}, ("t denoised",)),
        Step("save", (Source("t denoised"),), {"path": "t2.tif"}),
    )
    for number in (1, 2):
        write(folder / f"t{number}.tif", Image(np.ones((4, 5), np.float32), "YX"))
    with pytest.raises(FileError, match="never writes its inputs"):
        finish(iter_replay(Macro(steps), **told))


def test_results_without_a_name_replace_nothing(image):
    place = image.parent / "a denoised.tif"
    place.write_text("precious")
    told = []
    (written,) = finish(iter_replay(Macro(macro(image, "x").steps[:1]), tell=told.append))
    assert written.name == "a denoised-2.tif"
    assert place.read_text() == "precious"
    assert "exists" in told[0]


@pytest.mark.parametrize("names", [(), ("a denoised",)])
def test_two_results_of_one_image_are_both_written(image, put_job, names):
    def job(source, config, monitor):
        yield Progress("fitting", 1, 1)
        made = source.like(np.full(source.shape, config.seed, np.float32), name="a denoised")
        return Fitted((made,), config, {}, (), "steps", {})

    put_job("denoise", job)
    layer = Source("a", str(image))
    recipe = Macro(tuple(Step("denoise", (layer,), {}, names, seed=n) for n in (3, 4)))
    for _ in range(2):  # the second batch replaces the files of the first
        (row,) = finish(iter_batch(recipe, [image], image.parent / "out", again=True))
        assert [Path(path).name for path in row.written] == ["a denoised.tif", "a denoised-2.tif"]
        assert [read(path).array().max() for path in row.written] == [3, 4]


def test_two_files_of_one_name_in_one_folder_are_refused(image):
    steps = macro(image, "x/b.tif").steps
    twice = Macro((*steps, Step("save", (Source("a denoised"),), {"path": "y/b.tif"})))
    with pytest.raises(FileError, match="same name"):
        finish(iter_replay(twice, output="out"))


def test_a_batch_never_writes_any_of_its_inputs(image):
    folder = image.parent
    other = write(folder / "a denoised.tif", Image(np.full((2, 4, 5), 7, np.float32), "ZYX"))
    before = other.read_bytes()
    recipe = Macro((Step("denoise", (Source("layer"),), {}, ("layer denoised",), seed=0),))
    rows = finish(iter_batch(recipe, [image, other], folder))
    assert [row.state for row in rows] == ["done", "done"]
    assert other.read_bytes() == before
    saves = Macro((*recipe.steps, Step("save", (Source("layer denoised"),), {"path": "../b.tif"})))
    finish(iter_batch(saves, [image], folder / "out"))
    assert (folder / "out" / "a" / "b.tif").is_file()
    assert not (folder / "b.tif").exists()
