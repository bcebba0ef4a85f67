"""What a fit writes is on the disk, with its folders, before its checkpoint goes."""

import os

import pytest

from napari_cellinr.fitting.checkpoint import Checkpoint
from napari_cellinr.io.safety import atomic, owned

WORDS = ["--steps", 5, "--set", "estimate=gaussian", "--checkpoint-seconds", 0.001]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["out.zarr", "out.tif"])
def test_files_and_folders_are_flushed_before_the_checkpoint_goes(
    run, raw_file, tmp_path, monkeypatch, name, overwrite
):
    out, place = tmp_path / name, tmp_path / f"{name}.cellinr-checkpoint"
    if overwrite:
        assert run("denoise", raw_file, out, *WORDS)[0] == 0
    order = []

    def note(owner, function, tell):
        usual = getattr(owner, function)

        def told(*arguments):
            order.extend(tell(*arguments))
            return usual(*arguments)

        monkeypatch.setattr(owner, function, told)

    def inode(number):
        return [("flushed", os.fstat(number).st_ino)]

    def tree(_):
        whole = [out, *(out.rglob("*") if out.is_dir() else ())]
        return [("checkpoint", place.is_dir()), *(("needed", one.stat().st_ino) for one in whole)]

    note(os, "fsync", inode)
    for owner in (atomic, owned):
        note(owner, "move_into_place", lambda _, target: [("placed", target.name)])
    note(atomic, "swap_folders", lambda _, target: [("placed", target.name)])
    note(Checkpoint, "delete", tree)
    assert run("denoise", raw_file, out, *WORDS, *(["--overwrite"] if overwrite else []))[0] == 0
    assert not place.exists()
    gone = order.index(("checkpoint", True))
    placed = order.index(("placed", name))
    needed = {number for what, number in order[gone:] if what == "needed"}
    assert len(needed) > (5 if name == "out.zarr" else 0)
    flushed = {number for what, number in order[:placed] if what == "flushed"}
    assert needed <= flushed  # also before the name is given: a rename must not overtake contents
    parent = ("flushed", tmp_path.stat().st_ino)
    assert placed < order.index(parent, placed) < gone  # the name itself, too
