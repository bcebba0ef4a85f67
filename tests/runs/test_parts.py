"""A recording that is computed in parts: as the whole, in any order, again after a kill."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import ConfigError, FileError, FileWarning, FitError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.runs.scale.layout import Needs, boxes
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.methods.denoise import _hot_pixels
from napari_cellinr.runs.scale.methods.measured import measured
from napari_cellinr.runs.scale.parts import part_job
from napari_cellinr.runs.scale.plan import load_plan, save_plan
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source
from napari_cellinr.runs.scale.state import State

PLENTY = 1e12


def movie(n_frames: int = 6, shape: tuple[int, ...] = (48, 48)) -> Image:
    """Return a noisy movie of blobs that move."""
    generator = np.random.default_rng(0)
    grid = np.meshgrid(*map(np.arange, shape), indexing="ij")
    frames = []
    for frame in range(n_frames):
        light = np.full(shape, 20.0)
        for number in range(8):
            centre = [(number * 37 * (axis + 3) + 2 * frame) % n for axis, n in enumerate(shape)]
            distance = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True))
            light += 150 * np.exp(-distance / 18)
        frames.append(generator.poisson(light) + generator.normal(0, 2, shape) + 100)
    data = np.stack(frames).astype(np.uint16)
    return Image(
        data,
        axes="TZYX"[-data.ndim :] if data.ndim == 4 else "TYX",
        scale=(2.0,) + (0.2,) * len(shape),
        units=("second",) + ("micrometer",) * len(shape),
        name="movie",
    )


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "in.zarr"
    write(path, movie())
    return path


def planned(recording, tmp_path, frames_each=2, **settings):
    """Return a plan whose blocks have so many frames."""
    plan = make_plan(
        "denoise",
        Source(str(recording)),
        CellINRConfig(**settings),
        {"result": str(tmp_path / "out.zarr")},
        PLENTY,
    )
    image = plan.source.image()
    needs = Needs(0.0, 1.0, 0.0, frames_each, 2, others=1)
    parts, _ = boxes(image, needs, PLENTY)
    return type(plan)(**{**vars(plan), "parts": tuple(parts)})


def values_of(plan):
    return read(plan.places[0]).array()


@pytest.fixture(scope="module")
def in_order(recording, tmp_path_factory):
    """The plan, and the result of its parts in their order."""
    plan = planned(recording, tmp_path_factory.mktemp("parts"))
    found = finish(run_plan(plan))
    assert found.is_complete
    assert not found.failed
    return plan, values_of(plan)


def test_shifted_rows_are_named_before_parts_are_computed():
    usual = movie(shape=(64, 64))
    shifted = usual.array().copy()
    shifted[:, 1::2] = np.roll(shifted[:, 1::2], 3, -1)
    settings = CellINRConfig(gain=1.0, read_noise=2.0, pattern="none")
    for values, expected in ((usual.array(), 0), (shifted, 1)):
        texts = measured(usual.like(values), settings)[1]
        assert sum("shifted by 3.0 pixels to the right" in text for text in texts) == expected


def test_blocks_give_what_one_part_gives(recording, tmp_path, in_order):
    plan, values = in_order
    whole = planned(recording, tmp_path, frames_each=100)
    assert len(plan.parts) == 3
    assert len(whole.parts) == 1
    finish(run_plan(whole))
    expected = values_of(whole)
    noise = np.sqrt(plan.channels[0]["settings"]["gain"] * 60 + 4)
    assert np.sqrt(np.mean((values - expected) ** 2)) < 0.03 * noise


def test_one_part_gives_what_denoise_gives(recording, tmp_path):
    from napari_cellinr import denoise

    plan = planned(recording, tmp_path, frames_each=100)
    finish(run_plan(plan))
    settings = {k: v for k, v in plan.channels[0]["settings"].items() if k != "pattern"}
    fitted = denoise(read(recording), **settings)
    np.testing.assert_allclose(values_of(plan), fitted.images[0].array(), atol=1e-3)


def test_any_order_and_a_kill_give_the_same(recording, tmp_path, in_order):
    _, values = in_order
    plan = planned(recording, tmp_path)
    for number in (2, 0):
        finish(part_job(plan, number, Monitor()))
    killed = part_job(plan, 1, Monitor())
    for _ in range(3):
        next(killed)
    killed.close()
    assert State(plan).done == {0, 2}
    with pytest.warns(FileWarning, match="is not finished"):
        read(plan.places[0])
    assert finish(run_plan(plan)).is_complete
    np.testing.assert_array_equal(values_of(plan), values)
    assert not plan.folder.exists()


def test_levels_and_calibration_of_the_result(in_order, recording):
    plan, _ = in_order
    found, given = read(plan.places[0]), read(recording)
    assert (found.axes, found.scale, found.units) == (given.axes, given.scale, given.units)
    assert found.dtype == np.float32


def test_a_plan_is_the_same_after_it_was_saved(in_order, tmp_path):
    plan, _ = in_order
    save_plan(plan, tmp_path / "plan.json")
    again = load_plan(tmp_path / "plan.json")
    assert again.identity() == plan.identity()
    assert again.config == plan.config
    (tmp_path / "other.json").write_text('{"format": "other"}')
    with pytest.raises(FileError, match="is no plan"):
        load_plan(tmp_path / "other.json")


def test_another_recording_is_noticed(recording, tmp_path):
    plan = planned(recording, tmp_path)
    other = type(plan)(**{**vars(plan), "digest": "0" * 32})
    found = finish(run_plan(other))
    assert "another recording" in found.failed[0]
    assert found.done == 0


def test_an_output_of_another_plan_is_left_alone(recording, tmp_path):
    plan = planned(recording, tmp_path)
    State(plan).begin()
    other = planned(recording, tmp_path, seed=1)
    with pytest.raises(FileError, match="belongs to another plan"):
        finish(run_plan(other))


def test_levels_wait_for_their_parts(recording, tmp_path):
    plan = planned(recording, tmp_path)
    with pytest.raises(ConfigError, match="which is not finished"):
        finish(part_job(plan, len(plan.parts), Monitor()))
    with pytest.raises(ConfigError, match="counted from 0"):
        finish(part_job(plan, plan.n_parts, Monitor()))


def test_tiles_are_whole_chunks_and_overlap_in_what_they_read():
    image = Image(np.broadcast_to(np.uint16(0), (3, 40, 600, 700)), axes="TZYX")
    needs = Needs(0.0, 1.0, 10.0, 4, 2, 1, margins=(20, 60, 60), steps=(16, 48, 48))
    parts, memory = boxes(image, needs, 17 * 40 * 400 * 500)
    assert memory <= 17 * 40 * 400 * 500
    covered = np.zeros((3, 40, 600, 700), np.uint8)
    for part in parts:
        space = tuple(slice(*one) for one in part.own)
        covered[(slice(*part.frames), *space)] += 1
        sizes, chunks = (40, 600, 700), (16, 256, 256)
        for own, wide, size, chunk in zip(part.own, part.wide, sizes, chunks, strict=True):
            assert own[0] % chunk == 0
            assert own[1] % chunk == 0 or own[1] == size
            assert wide[0] <= max(0, own[0] - 20)
            assert wide[1] >= min(size, own[1] + 20)
    assert (covered == 1).all()


def test_tiles_with_many_frames_are_chosen_before_few_whole_frames():
    image = Image(np.broadcast_to(np.uint16(0), (64, 1024, 1024)), axes="TYX")
    needs = Needs(0.0, 1.0, 0.0, 16, 2, margins=(32, 32), steps=(1, 1))
    parts, memory = boxes(image, needs, 7 * 1024 * 1024)  # 3 whole frames, or 16 of a tile
    assert parts[0].frames == (0, 16)
    assert parts[0].own == ((0, 512), (0, 512))
    assert memory == 20 * 544 * 544
    whole, _ = boxes(image, needs, 20 * 1024 * 1024)
    assert whole[0].frames == (0, 16)
    assert not whole[0].is_tile


def test_frames_that_share_nothing_are_not_divided_into_tiles():
    image = Image(np.broadcast_to(np.uint16(0), (5, 1024, 1024)), axes="TYX")
    needs = Needs(0.0, 0.0, 1.0, 1, 0, margins=(32, 32), steps=(1, 1))
    parts, _ = boxes(image, needs, 1024 * 1024)
    assert [part.frames for part in parts] == [(n, n + 1) for n in range(5)]
    with pytest.raises(FitError, match="not enough memory for the smallest part"):
        boxes(image, needs, 1000)


def test_clusters_of_hot_pixels_are_those_of_the_plan(tmp_path):
    """Two frames are too few to tell hot pixels from a specimen; the whole recording does."""
    image, hot = movie(10), (slice(20, 22), slice(30, 32))
    data = np.array(image.data)
    data[:, *hot] = 3000
    write(tmp_path / "in.zarr", image.like(data))
    plan = planned(tmp_path / "in.zarr", tmp_path, background="keep")
    assert plan.channels[0]["hot"] == [[20, 30], [20, 31], [21, 30], [21, 31]]
    finished = finish(run_plan(plan))
    assert any("cluster of hot pixels" in text for text in finished.warnings)
    assert values_of(plan)[:, *hot].max() < 400


def test_a_part_of_an_image_has_the_hot_pixels_of_its_place():
    pixels = {"hot": [[5, 7], [30, 31]]}
    part = SimpleNamespace(wide=((4, 20), (6, 40)))
    mask = _hot_pixels(pixels, part)
    assert mask.shape == (16, 34)
    np.testing.assert_array_equal(np.argwhere(mask), [[1, 1]])
    assert _hot_pixels({}, part) is None


def test_copied_frames_are_no_pattern_of_the_camera_in_a_plan():
    """The noise of a frame that is stored again and again is the same, as offsets are."""
    usual = movie(1, (64, 64))
    settings = CellINRConfig(gain=1.0, read_noise=2.0, offset=100.0)
    _, texts = measured(usual.like(np.repeat(usual.array(), 8, 0)), settings)
    assert not any("offsets" in text for text in texts)


def test_clusters_of_hot_pixels_are_no_pattern_of_the_camera_in_a_plan():
    image, hot = movie(10), (slice(20, 22), slice(30, 32))
    data = np.array(image.data)
    data[:, *hot] = 3000
    settings = CellINRConfig(gain=1.0, read_noise=2.0, offset=100.0)
    found, texts = measured(image.like(data), settings)
    assert found[0]["offsets"] is None
    assert not any("offsets" in text for text in texts)
