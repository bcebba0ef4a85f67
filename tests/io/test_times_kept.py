"""Times of frames that are not equally spaced stay with them: in files, parts and results."""

import json

import numpy as np
import pytest

from napari_cellinr import Image, read, render, superresolve, write
from napari_cellinr.errors import ConfigError, FileWarning
from napari_cellinr.io.metadata.record import KEY, note, restore

TIMES = [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]
UNITS = ("second", "micrometer", "micrometer")


def movie(**changes):
    values = np.random.default_rng(0).poisson(50, (6, 12, 14)).astype(np.uint16)
    meta = {"times": TIMES}
    return Image(values, "TYX", (1, 0.1, 0.1), UNITS, meta=meta).like(values, **changes)


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.nii.gz", "a.ome.zarr"])
def test_times_are_in_files(tmp_path, name):
    path = write(tmp_path / name, movie())
    with pytest.warns(FileWarning, match="not equally spaced.*longest after frame 2"):
        found = read(path)
    assert found.meta["times"] == TIMES
    assert found.steps["T"] == 1.0


def test_even_times_follow_from_the_step(tmp_path):
    even = movie(meta={"times": [2.0 * n for n in range(6)]}, scale=(2, 0.1, 0.1))
    assert "times" not in read(write(tmp_path / "a.tif", even)).meta


def test_parts_have_their_times():
    image = movie()
    assert image.crop(T=(2, 5)).meta["times"] == TIMES[2:5]
    assert image[1::2].meta["times"] == TIMES[1::2]
    assert image.crop(Y=(0, 5)).meta["times"] == TIMES


def test_a_given_step_replaces_them():
    assert "times" not in movie().with_voxel_size(T=3.0).meta
    assert movie().with_voxel_size(X=0.2).meta["times"] == TIMES


LATE = [0.0, 1.0, 2.0, 10.4, 11.4, 12.4]
"""As TIMES, but the long interval is not a whole number of time steps."""


def test_frames_between_have_times_between():
    settings = {"scale": {"t": 2}, "motion": "never"}
    found = superresolve(movie(meta={"times": LATE}), "preview", **settings).images[0]
    np.testing.assert_allclose(
        found.meta["times"], [0, 0.5, 1, 1.5, 2, 6.2, 10.4, 10.9, 11.4, 11.9, 12.4]
    )
    plain = superresolve(movie(meta={}), "preview", **settings).images[0]
    assert "times" not in plain.meta


@pytest.mark.parametrize("unit", ["second", "minute", "pixel"])
def test_missing_frames_are_made_where_intervals_are_whole_steps(unit):
    places = [0, 1, 2, 10, 11, 12]
    ramp = np.broadcast_to(np.float32(places)[:, None, None] * 10 + 5, (6, 12, 14))
    units = (unit, "micrometer", "micrometer")
    meta = {"frame_places": places}
    image = Image(ramp, "TYX", (2, 0.1, 0.1), units, translate=(7, 0, 0), meta=meta)
    fitted = superresolve(image, "preview", scale={"t": 2}, motion="never")
    found = fitted.images[0]
    assert (len(found.data), found.steps["T"], found.translate[0]) == (25, 1, 7)
    assert not {"times", "frame_places"} & set(found.meta)
    np.testing.assert_allclose(found.array()[:, 0, 0], 5 + 5 * np.arange(25), rtol=1e-6)
    (again, *_) = render(fitted, times=(5.0, 19.0))
    np.testing.assert_allclose(again.array()[:, 0, 0], [30, 100], rtol=1e-6)
    image = image.like(image.data, meta={"frame_places": [place * 3 for place in places]})
    uneven = superresolve(image, "preview", scale={"t": 2}, motion="never").images[0]
    assert len(uneven.data) == 11  # an interval of 24 steps is not filled


def test_times_of_the_result_are_true_times():
    times = tuple(np.arange(0, 12.5, 0.5))
    made = superresolve(movie(), "preview", scale={"t": 2}, motion="never").images[0]
    same = superresolve(movie(), "preview", times=times, motion="never").images[0]
    np.testing.assert_array_equal(made.array(), same.array())


def test_chosen_times_are_those_of_the_result(tmp_path):
    source = movie(meta={}, scale=(2, 0.1, 0.1), translate=(7, 0, 0))
    fitted = superresolve(source, "preview", times=[1, 2, 8], motion="never")
    found = fitted.images[0]
    assert found.meta["times"] == [1, 2, 8]
    assert (found.steps["T"], found.translate[0]) == (3.5, 8)
    assert any("not equally spaced" in text for text in fitted.report["warnings"])
    assert render(fitted, times=(0, 1, 5))[0].meta["times"] == [0, 1, 5]
    with pytest.warns(FileWarning):
        assert read(write(tmp_path / "a.tif", found)).meta["times"] == [1, 2, 8]


@pytest.mark.parametrize("times", [[2, 1], [0.5, 0.5], [0, 3, 2]])
def test_times_that_do_not_increase_are_refused(times):
    with pytest.raises(ConfigError, match="each must be later"):
        superresolve(movie(meta={}), "preview", times=times)
    with pytest.raises(ConfigError, match="each must be later"):
        render(superresolve(movie(meta={}), "preview", scale={"t": 2}), times=tuple(times))


def test_a_fit_with_stamps_renders_the_frame_of_a_time():
    frames = np.random.default_rng(0).poisson(20 * np.arange(1, 7)[:, None, None], (6, 12, 14))
    source = movie(meta={}).like(frames)
    fitted = superresolve(source, "preview", scale={"t": 1}, stamps=TIMES, motion="never")
    (found, *_) = render(fitted, times=(1.0, 10.0, 12.0))
    np.testing.assert_allclose(found.array(), frames[[1, 3, 5]], atol=1e-3)
    (again, *_) = render(fitted)
    np.testing.assert_allclose(again.array(), fitted.images[0].array(), atol=1e-3)
    assert (again.steps["T"], again.shape) == (2.4, (6, 12, 14))


def far_apart():
    """Return two frames of the movie, recorded 8 s apart, with the time step of the movie, 1 s."""
    return movie().crop(T=(2, 4))


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.nii.gz", "a.ome.zarr"])
def test_a_part_with_frames_farther_apart_has_their_step_in_its_file(tmp_path, name):
    path = write(tmp_path / name, far_apart())
    with pytest.warns(FileWarning, match="step of 1 s, but most of its frames.* 8 s apart"):
        found = read(path)
    assert (found.meta["times"], found.steps["T"], found.translate[0]) == ([2, 10], 8, 2)


def test_frames_between_those_of_such_a_part_have_their_times():
    found = superresolve(far_apart(), "preview", scale={"t": 2}, motion="never").images[0]
    assert found.meta["times"] == [2, 6, 10]


@pytest.mark.parametrize("last", [10**400, float("inf"), 1e300, "12", 11.0])
def test_damaged_times_are_left_out_and_the_file_opens(last):
    facts = json.loads(note(movie()))
    facts[KEY]["times"][-1] = last
    found = restore(movie(meta={}), json.dumps(facts))
    assert "times" not in found.meta
    assert found.steps["T"] == 1.0
