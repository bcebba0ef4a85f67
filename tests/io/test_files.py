"""Reading and writing by the end of the name, and what goes wrong with files."""

import os
import stat
import sys

import numpy as np
import pytest

import napari_cellinr
from napari_cellinr.errors import FileError
from napari_cellinr.image import Image
from napari_cellinr.io import SUFFIXES, check_writable, read, read_all, write
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety import atomic
from napari_cellinr.io.tiff import writer as tiff_writer

ROOT = sys.platform != "win32" and os.geteuid() == 0


@pytest.mark.parametrize("function", [read, read_all])
def test_missing_file(tmp_path, function):
    with pytest.raises(FileError, match=r"there is no file .*none\.tif"):
        function(tmp_path / "none.tif")


@pytest.mark.parametrize("name", ["folder", "folder.tif"])
def test_folder(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(FileError, match="is a folder; give one file in it"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["image.png", "image", ".tif", "image.gz", "image.tif.txt"])
def test_unknown_suffix(tmp_path, stack, name):
    (tmp_path / name).write_bytes(b"")
    for refusing in (read, check_writable, lambda path: write(path, stack)):
        with pytest.raises(FileError, match=r"allowed are \.ome\.tif, .*\.nii"):
            refusing(tmp_path / name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_writable(tmp_path, suffix):
    check_writable(tmp_path / f"image{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_writable_for_other_kinds_of_files(tmp_path):
    check_writable(str(tmp_path / "field.cellinr"), (".cellinr",))
    check_writable(tmp_path / "anything", ())
    with pytest.raises(FileError, match=r"allowed are \.json"):
        check_writable(tmp_path / "report.txt", (".json",))


def test_check_does_not_touch_what_is_there(tmp_path):
    path = tmp_path / "image.tif"
    path.write_bytes(b"old")
    os.utime(path, (1, 1))
    check_writable(path)
    assert path.read_bytes() == b"old"
    assert path.stat().st_mtime == 1
    assert list(tmp_path.iterdir()) == [path]


def test_no_such_folder(tmp_path, stack):
    for refusing in (check_writable, lambda path: write(path, stack)):
        with pytest.raises(FileError, match=r"does not exist\. Make it first"):
            refusing(tmp_path / "none" / "image.tif")


def test_output_is_a_folder(tmp_path, stack):
    (tmp_path / "image.tif").mkdir()
    for refusing in (check_writable, lambda path: write(path, stack)):
        with pytest.raises(FileError, match="is a folder; give the name of a file in it"):
            refusing(tmp_path / "image.tif")


@pytest.mark.skipif(ROOT, reason="root may write everywhere")
def test_protected(tmp_path):
    (tmp_path / "image.tif").touch(mode=0o444)
    with pytest.raises(FileError, match="write-protected"):
        check_writable(tmp_path / "image.tif")
    tmp_path.chmod(0o555)
    with pytest.raises(FileError, match="in which you may write"):
        check_writable(tmp_path / "other.tif")
    tmp_path.chmod(0o755)  # so that pytest can clean up


def test_folder_that_refuses(monkeypatch, tmp_path):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    with pytest.raises(FileError, match=r"Permission denied\. Choose a folder"):
        check_writable(tmp_path / "image.tif")


def test_unreadable(monkeypatch, tmp_path, stack):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    paths = [write(tmp_path / name, stack) for name in ("image.tif", "image.nii")]
    monkeypatch.setattr("io.FileIO", refuse)
    for path in paths:
        with pytest.raises(FileError, match="Permission denied"):
            read(path)


def test_empty_image(tmp_path):
    with pytest.raises(FileError, match=r"empty image of shape \(0, 5\)"):
        write(tmp_path / "image.tif", Image(np.zeros((0, 5))))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device"), FileError),
        (RuntimeError("other"), RuntimeError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_failure_leaves_the_old_file(tmp_path, monkeypatch, stack, error, expected):
    path = tmp_path / "image.tif"
    path.write_bytes(b"old")

    def fail(place, *args, **options):
        place.write_bytes(b"half")
        raise error

    monkeypatch.setattr(tiff_writer.tifffile, "imwrite", fail)
    with pytest.raises(expected):
        write(path, stack)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions and links of Unix")
def test_permissions_and_links_are_kept(tmp_path, stack):
    path, link = tmp_path / "image.tif", tmp_path / "link.tif"
    write(path, stack)
    path.chmod(0o640)
    link.symlink_to(path)
    assert write(link, stack.like(stack.data + 1)) == link
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert np.array_equal(read(path).data, stack.data + 1)


def test_data_are_on_the_disk_before_the_rename(tmp_path, monkeypatch):
    order = []
    kinds = {True: "folder", False: "contents"}

    def note(number):
        order.append(kinds[stat.S_ISDIR(os.fstat(number).st_mode)])

    monkeypatch.setattr(atomic.os, "fsync", note)
    with atomic.replacing(tmp_path / "a.txt", ".txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "a.txt").exists()
        assert temporary.parent == tmp_path
    assert order == ["contents", "folder"]
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("name", ["a.tif", "a.zarr", "a.cellinr"])
def test_what_was_not_written_is_still_in_memory(tmp_path, monkeypatch, name):
    """A fit whose file failed can be written elsewhere, or again."""
    image = Image(np.random.default_rng(0).poisson(50, (16, 16)).astype(np.float32), "YX")
    fit = napari_cellinr.denoise(image, steps=2, estimate="gaussian")
    values = fit.images[0].array().copy()

    def save():
        path = tmp_path / name
        return (
            napari_cellinr.save_fit(path, fit)
            if name == "a.cellinr"
            else write(path, fit.images[0])
        )

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_flush", full)
        with pytest.raises(FileError, match="No space left on device"):
            save()
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(fit.images[0].array(), values)
    save()
    if name == "a.cellinr":
        found = napari_cellinr.render(napari_cellinr.load_fit(tmp_path / name))[0].array()
        np.testing.assert_allclose(found, values, atol=1e-3 * np.ptp(values))
    else:
        np.testing.assert_array_equal(read(tmp_path / name).array(), values)


def test_home_folder(tmp_path, monkeypatch, stack):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write("~/image.tif", stack)
    assert read("~/image.tif").shape == stack.shape


@pytest.mark.parametrize("name", ["a\0b.tif", "\ud800.tif", "~\ud800/a.tif"])
def test_characters_that_no_file_name_may_have(name):
    with pytest.raises(FileError, match="no file name may have"):
        place_of(name)
    with pytest.raises(FileError, match="no file name may have"):
        read(name)


def test_a_name_that_is_no_text_of_this_system_is_still_a_name():
    assert place_of("\udcff.tif").name == "\udcff.tif"
