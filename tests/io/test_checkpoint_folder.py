"""The folder of a checkpoint: another process finds and deletes what one has written."""

import pytest

from napari_cellinr.fitting.checkpoint import Checkpoint
from napari_cellinr.io.safety.checkpoint_folder import CheckpointFolder
from napari_cellinr.io.saved_fit import save_fitted
from napari_cellinr.methods.cellinr.tiling import tiles_scope

SCOPES = [
    "",
    "frame-0",
    "frame-12.batch-128",
    tiles_scope("frame-0", (64, 64)),
    tiles_scope("frame-3", (6, 64, 128)),
    "channel-1",
    "attempt-1.recompute",
    "channel-0.batch-100",
]


@pytest.mark.parametrize("scope", SCOPES)
def test_another_process_finds_and_deletes_a_part(tmp_path, scope):
    checkpoint = Checkpoint(tmp_path / "a", lambda: ({"action": "denoise", "source": {}}, {}))
    checkpoint.enter(scope)
    entry = checkpoint.entry("steps")
    entry.save({"step": 3}, {})
    found = CheckpointFolder(tmp_path / "a")
    assert found.find(entry.name) is not None
    assert Checkpoint(tmp_path / "a").read(entry.name) == ({"step": 3}, {})
    found.discard()
    assert not (tmp_path / "a").exists()


def test_a_name_that_the_manifest_would_not_accept_is_refused(tmp_path):
    folder = CheckpointFolder(tmp_path / "a")
    folder.claim()
    with pytest.raises(ValueError, match="must match"):
        folder.place_for("frame 0/steps")
    assert CheckpointFolder(tmp_path / "a").names == ()


OLD, NEW = "frame-0.tiles-64×64.steps.0", "frame-0.tiles-64x64.steps.0"


@pytest.mark.parametrize("has_manifest", [False, True], ids=["0.1", "with a manifest"])
def test_tiles_that_an_older_version_stored_are_found_and_deleted(tmp_path, has_manifest):
    place = tmp_path / "a"
    place.mkdir()
    save_fitted(place / "job.cellinr", header={"action": "denoise", "source": {}}, tensors={})
    save_fitted(place / f"{OLD}.cellinr", header={}, tensors={})
    folder = CheckpointFolder(place)
    if has_manifest:
        folder.claim()
        folder = CheckpointFolder(place)
    assert folder.find(NEW) == place / f"{OLD}.cellinr"
    folder.discard()
    assert not place.exists()
