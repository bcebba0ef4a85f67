"""Tracks and arrows: known motions give known places, and viewers get what they can show."""

import numpy as np
import pytest

from napari_cellinr.errors import AxesError, ConfigError, FileError
from napari_cellinr.image import Image
from napari_cellinr.io.tracks import grid_seeds, read_seeds, write_tracks
from napari_cellinr.motion import arrows, is_timed, known, seconds, times_of, tracks, visible_arrows

VELOCITY = (0.5, -1.0)  # micrometres per second along y and x


def drifting(n_times=4, size=(20, 30), step=0.5, interval=2.0):
    """A motion that is the same everywhere, in micrometres, with pixels of half a micrometre."""
    times = np.arange(n_times) * interval
    moved = np.array(VELOCITY)[None, :] * times[:, None]
    data = np.broadcast_to(moved[..., None, None], (n_times, 2, *size)).astype(np.float32)
    return Image(
        data,
        "TCYX",
        scale=(interval, 1, step, step),
        units=("second", "pixel", "micrometer", "micrometer"),
    )


def test_a_track_is_its_seed_and_its_displacement():
    found = tracks(drifting(), np.array([[10.0, 20.5], [1.0, 2.0]]))
    assert found.places.shape == (4, 2, 2)
    np.testing.assert_allclose(found.places[:, 0, 0], 10 + np.arange(4) * 2.0, atol=1e-5)
    np.testing.assert_allclose(found.places[:, 0, 1], 20.5 - np.arange(4) * 4.0, atol=1e-5)


def test_what_has_left_the_field_of_view_is_told():
    found = tracks(drifting(), np.array([[1.0, 2.0]]))
    assert found.inside[:, 0].tolist() == [True, False, False, False]
    assert found.as_rows().tolist() == [[0, 0, 1, 2]]


def error_of(motion, values):
    """Return an error image that is the same everywhere, one value for each time."""
    data = np.broadcast_to(np.reshape(values, (-1, 1, 1)), (len(values), *motion.shape[2:]))
    return Image(data.astype(np.float32), "TYX")


def test_a_track_ends_where_it_is_lost_and_says_so(tmp_path):
    """To both sides of the reference time, at which the error is smallest."""
    motion = drifting(6)
    error = error_of(motion, [0.2, 0.7, 0.1, 0.3, 0.6, 0.2])
    found = tracks(motion, np.array([[10.0, 28.0]]), error)
    assert found.lost[:, 0].tolist() == [True, True, False, False, True, True]
    assert found.as_rows()[:, 1].tolist() == [2, 3]
    path = tmp_path / "tracks.csv"
    write_tracks(path, found.places, found.inside, times_of(motion), found.error, found.lost)
    head, *lines = path.read_text("utf-8").splitlines()
    assert head.endswith("inside,error_px,state")
    assert lines[1].endswith(",0.700,uncertain")
    assert lines[2].endswith(",0.100,tracked")
    assert not tracks(motion, np.array([[10.0, 28.0]])).lost.any()


def test_arrows_are_shown_at_the_times_at_which_the_motion_is_known():
    motion = drifting()
    pattern = np.broadcast_to(np.indices((20, 30)).sum(0) % 12 < 6, (4, 20, 30))
    scene = Image(pattern.astype(np.float32), "TYX")
    found = visible_arrows(motion, scene, error=error_of(motion, [0, 0.1, 0.4, 0.9]))
    assert set(found.data[:, 0, 0]) == {1, 2}


def test_between_voxels_motion_is_interpolated():
    image = drifting(2)
    data = np.zeros(image.shape, np.float32)
    data[1, 1] = np.arange(30) * 0.05  # stretched along x: a tenth of a pixel per pixel
    found = tracks(image.like(data), np.array([[5.0, 7.25]]))
    np.testing.assert_allclose(found.places[1, 0], [5, 7.25 + 0.725], atol=1e-5)


def test_arrows_begin_in_the_reference_frame_and_end_at_their_time():
    found = arrows(drifting(), step=5)
    assert set(found.data[:, 0, 0]) == {1, 2, 3}  # nothing has moved at time 0
    last = found.data[found.data[:, 0, 0] == 3]
    np.testing.assert_allclose(last[:, 1], np.tile([0, 6.0, -12.0], (len(last), 1)), atol=1e-5)
    np.testing.assert_allclose(found.speed, np.hypot(*VELOCITY), atol=1e-5)


def test_long_arrows_keep_their_distance_and_short_ones_do_not():
    pattern = np.indices((120, 180)).sum(0) % 12 < 6  # texture everywhere
    for drift, distance in ((1.0, 6), (20.0, 10)):
        motion = drifting(2, pattern.shape)
        moved = np.zeros(motion.shape, np.float32)
        moved[1, 1] = drift * motion.scale[-1]
        scene = Image(np.stack([pattern] * 2).astype(np.float32), "TYX", (2.0, 0.5, 0.5))
        found = visible_arrows(motion.like(moved), scene)
        columns = np.unique(found.data[:, 0, -1])
        assert np.diff(columns).min() == distance, drift


def test_a_frame_has_no_more_arrows_than_can_be_shown():
    image = drifting(2, (200, 300))
    assert 3000 < len(arrows(image).data) <= 5000
    assert len(arrows(image, step=1, most=100).data) == 100
    assert len(arrows(image, threshold=10.0).data) == 0


def test_times_are_those_of_the_motion():
    image = drifting()
    assert times_of(image) == (0, 2, 4, 6)
    assert times_of(image.like(image.data, meta={"times": [0, 1, 5, 9]})) == (0, 1, 5, 9)
    assert is_timed(image)


def test_times_are_in_frames_where_the_interval_is_not_known():
    image = drifting()
    unknown = image.like(image.data, scale=(1, *image.scale[1:]), units=("pixel", *image.units[1:]))
    assert times_of(unknown) == (0, 1, 2, 3)
    assert not is_timed(unknown)
    assert seconds is times_of  # the former name


@pytest.mark.parametrize("axes", ["TCYX", "TZYX"])
def test_an_image_that_is_no_motion_is_refused(axes):
    with pytest.raises(AxesError, match="a motion field has"):
        tracks(Image(np.zeros((2, 3, 8, 8), np.float32), axes), np.zeros((1, 2)))


def test_seeds_of_another_dimension_are_refused():
    with pytest.raises(AxesError, match="one row of 2 coordinates"):
        tracks(drifting(), np.zeros((3, 3)))


def test_seeds_lie_evenly_in_the_image():
    points = grid_seeds((20, 30), 3)
    assert points.shape == (9, 2)
    np.testing.assert_allclose(points.mean(0), [9.5, 14.5], rtol=1e-6)
    assert grid_seeds((10, 40, 40), 4).shape == (16, 3)
    with pytest.raises(ConfigError, match="at least 1"):
        grid_seeds((20, 30), 0)


@pytest.mark.parametrize(
    "text", ["x,y\n3,4\n5,6.5\n", "index,axis-0,axis-1,axis-2\n0,0,4,3\n1,0,6.5,5\n"]
)
def test_seeds_are_read_by_the_names_of_their_columns(tmp_path, text):
    path = tmp_path / "seeds.csv"
    path.write_text(text)
    np.testing.assert_allclose(read_seeds(path, (20, 30)), [[4, 3], [6.5, 5]])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a,b\n1,2\n", "y, x in voxels"),
        ("y,x\n", "no points"),
        ("y,x\n1,two\n", "not numbers"),
        ("y,x\n1,31\n", "outside the image"),
        ("y,x\n1,nan\n", "outside the image"),
        ("", "none"),
    ],
)
def test_seeds_that_cannot_be_are_refused(tmp_path, text, what):
    path = tmp_path / "seeds.csv"
    path.write_text(text)
    with pytest.raises(FileError, match=what):
        read_seeds(path, (20, 30))


def test_tracks_are_written_line_by_line(tmp_path):
    found = tracks(drifting(2), np.array([[1.0, 2.0]]))
    write_tracks(tmp_path / "tracks.csv", found.places, found.inside, (0.0, 2.0))
    lines = (tmp_path / "tracks.csv").read_text().splitlines()
    assert lines[0] == "track_id,t,z,y,x,time_s,inside"
    assert lines[1:] == ["0,0,0.0000,1.0000,2.0000,0,1", "0,1,0.0000,3.0000,-2.0000,2,0"]


def test_motion_is_known_where_confidence_is_a_half_or_more():
    pattern = (np.indices((20, 30)).sum(0) % 8 < 4).astype(np.float32)
    scene = Image(np.stack([np.zeros_like(pattern), pattern]), "TYX")
    confidence = np.stack([np.zeros_like(pattern), np.full_like(pattern, 0.5)])
    confidence[1, :, 15:] = 0.49
    assert not known(scene, None, 0).any()
    assert known(scene, None, 1).all()
    found = known(scene, Image(confidence, "TYX"), 1)
    assert found[:, :15].all()
    assert not found[:, 15:].any()


def test_arrows_start_in_the_middle_of_their_steps_and_short_ones_are_left_out():
    motion = drifting(2)  # 1 µm along y, -2 µm along x, 2.236 µm in all
    assert set(arrows(motion, step=(5, 10)).data[:, 0, 1]) == {2, 7, 12, 17}
    assert set(arrows(motion, step=(5, 10)).data[:, 0, 2]) == {5, 15, 25}
    assert len(arrows(motion, step=5, threshold=2.2).data) == 24
    assert len(arrows(motion, step=5, threshold=2.3).data) == 0


def test_the_field_of_view_ends_at_the_outer_edges_of_its_voxels():
    motion = drifting(1)  # nothing moves at the first time
    seeds = [[-0.4, 0.0], [-0.6, 0.0], [19.4, 29.4], [19.6, 0.0], [0.0, 29.6]]
    assert tracks(motion, np.array(seeds)).inside[0].tolist() == [True, False, True, False, False]


def test_times_begin_where_the_recording_does():
    image = drifting(3)
    shifted = image.like(image.data, translate=(10.0, 0, 0, 0))
    assert times_of(shifted) == (10, 12, 14)


def test_arrows_of_a_volume_are_in_every_plane():
    """The viewer shows one plane at a time."""
    values = np.zeros((2, 3, 9, 40, 40), np.float32)
    values[1, 2] = 2.0
    motion = Image(values, "TCZYX", (1.0, 1.0, 1.0, 1.0, 1.0))
    pattern = np.broadcast_to(np.indices((9, 40, 40)).sum(0) % 8 < 4, (2, 9, 40, 40))
    scene = Image(pattern.astype(np.float32), "TZYX")
    for every in (None, 5):
        found = visible_arrows(motion, scene, every=every)
        planes, counts = np.unique(found.data[:, 0, 1], return_counts=True)
        assert planes.tolist() == list(range(9))
        assert counts.min() >= 36
        assert len(found.data) <= 5000
