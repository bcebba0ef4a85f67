"""Chunks that are damaged before the plan is made: their parts fail, the others are kept."""

import numpy as np
import pytest

from napari_cellinr import Image, write
from napari_cellinr.config import CellINRConfig, SpatimeConfig
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.methods import measured, typical
from napari_cellinr.runs.scale.opened import limits_of
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source, sample
from napari_cellinr.runs.scale.state import State


@pytest.fixture
def recording(tmp_path):
    """Six frames, each a chunk; all of them are read at once, unless one is damaged."""
    generator = np.random.default_rng(0)
    light = 50 + 40 * np.sin(np.arange(32) / 3)[:, None] * np.sin(np.arange(32) / 3)
    frames = generator.poisson(np.stack([light] * 6)).astype(np.uint16)
    write(tmp_path / "in.zarr", Image(frames, axes="TYX"))
    return tmp_path / "in.zarr"


def damage(recording, frame):
    """Cut the chunk of a frame in the middle; return what undoes it."""
    place = recording / "0" / "c" / str(frame) / "0" / "0"
    good = place.read_bytes()
    place.write_bytes(good[: len(good) // 2])
    return lambda: place.write_bytes(good)


def planned(recording, **settings):
    config = CellINRConfig(preset="preview", steps=5, **settings)
    outputs = {"result": str(recording.with_name("out.zarr"))}
    return make_plan("denoise", Source(str(recording)), config, outputs, 1e12)


@pytest.mark.parametrize("frame", [0, 2])
def test_only_the_part_of_the_chunk_fails(recording, frame):
    repair = damage(recording, frame)
    plan = planned(recording)
    (text,) = [one for one in plan.warnings if "cannot be read" in one]
    assert "the parts that need them fail" in text
    assert text.count(str(recording)) == 1
    found = finish(run_plan(plan))
    assert set(found.failed) == {frame}
    assert found.failed[frame].startswith(f"part {frame}: ")
    assert "is damaged: a chunk of 0 cannot be read" in found.failed[frame]
    assert State(plan).done == set(range(6)) - {frame}
    repair()
    assert finish(run_plan(plan)).is_complete


def test_damage_after_planning_spoils_no_other_part_of_what_is_read_at_once(recording):
    plan = planned(recording)
    damage(recording, 4)
    found = finish(run_plan(plan))
    assert set(found.failed) == {4}


def test_a_damaged_frame_is_left_out_of_what_is_measured(recording):
    good = planned(recording)
    whole = Source(str(recording)).image().array()
    damage(recording, 2)
    image, texts = Source(str(recording)).image(is_damaged=True), []
    np.testing.assert_array_equal(
        sample(image, measured.NOISE_PIXELS, 10**6, texts), np.delete(whole, 2, 0)
    )
    assert len(texts) == 1
    assert len(sample(image, {"Y": 8, "X": 8}, 0)) == 7  # of 8 blocks
    planes = measured._Planes(image, texts)
    np.testing.assert_array_equal(planes[::2], whole[[0, 4]])
    np.testing.assert_array_equal(planes[2], whole[3])
    gains = [one.channels[0]["settings"]["gain"] for one in (good, planned(recording))]
    assert gains[0] == pytest.approx(gains[1], rel=0.2)


def test_all_parts_share_what_a_frame_gives_that_can_be_read(recording):
    """All parts read the first frame that shows something: it must not be the damaged one."""
    damage(recording, 0)
    image = Source(str(recording)).image(is_damaged=True)
    assert measured._first_frame(image, []) == 1


def test_super_resolution_chooses_where_it_can_read(recording, monkeypatch):
    damage(recording, 2)
    image, texts, tried = Source(str(recording)).image(is_damaged=True), [], []

    def shared_at(image, config, between, interval):
        tried.append(interval)
        image.take("T", interval).array()
        return {"chosen": {"at": interval}}

    monkeypatch.setattr(typical, "_shared_at", shared_at)
    found = typical.shared_by_parts(image, SpatimeConfig(), range(5), texts)
    assert tried == [2, 1]
    assert found == {"chosen": {"at": 1}}
    assert len(texts) == 1


def test_nothing_that_can_be_read_is_an_error(recording):
    for frame in range(6):
        damage(recording, frame)
    with pytest.raises(FileError, match="is damaged"):
        planned(recording)
    assert limits_of(Source(str(recording)).image()) == (0.0, 1.0)
