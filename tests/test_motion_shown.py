"""What arrows and tracks show: places, speeds and distances of a known motion."""

import csv

import numpy as np
import pytest

from napari_cellinr.errors import ConfigError
from napari_cellinr.image import Image
from napari_cellinr.macro.motion import check_options, write_tracks_of
from napari_cellinr.motion import arrows, tracks, visible_arrows


def swinging():
    """Everything moves 2, 4 and back to 1 pixels along x, in pixels of 0.5 µm, every 2 s."""
    data = np.zeros((4, 2, 16, 24), np.float32)
    data[:, 1] = 0.5 * np.array([0, 2, 4, 1], np.float32)[:, None, None]
    units = ("second", "pixel", "micrometer", "micrometer")
    return Image(data, "TCYX", scale=(2.0, 1, 0.5, 0.5), units=units)


def textured_scene():
    pattern = np.broadcast_to(np.indices((16, 24)).sum(0) % 8 < 4, (4, 16, 24))
    return Image(pattern.astype(np.float32), "TYX")


def test_arrows_to_the_next_time_start_where_the_material_is_now():
    found = arrows(swinging(), step=8, kind="next")
    assert set(found.data[:, 0, 0]) == {0, 1, 2}  # nothing follows the last time
    for time, (now, step) in enumerate([(0, 2), (2, 2), (4, -3)]):
        here = found.data[found.data[:, 0, 0] == time]
        np.testing.assert_allclose(here[:, 0, 2] % 8, (4 + now) % 8)
        np.testing.assert_allclose(here[:, 1], np.tile([0, 0, step], (len(here), 1)), atol=1e-6)


def test_arrows_to_the_next_time_are_left_out_where_either_place_is_not_known():
    motion, error = swinging(), np.zeros((4, 16, 24), np.float32)
    error[2] = 0.6
    found = visible_arrows(
        motion, textured_scene(), every=4, error=Image(error, "TYX"), kind="next"
    )
    assert set(found.data[:, 0, 0]) == {0}


def test_a_slow_motion_has_arrows_to_the_next_time():
    motion = swinging()
    slow = motion.like(motion.data * np.float32(0.1))  # 0.2 pixels from time to time
    assert len(visible_arrows(slow, textured_scene(), kind="next").data) > 0


def test_distance_is_the_length_of_the_path_and_speed_that_of_the_material(tmp_path):
    motion = swinging()
    found = tracks(motion, np.array([[8.0, 10.0], [3.0, 4.0]]))
    np.testing.assert_allclose(found.distance(motion)[:, 0], [0, 1, 2, 3.5])
    np.testing.assert_allclose(found.speed(motion)[:, 1], [0.5, 0.5, 0.125, 0.75])
    rows = found.as_rows()
    np.testing.assert_allclose(found.of_rows(found.distance(motion)), [0, 1, 2, 3.5] * 2)
    assert rows[:4, 1].tolist() == [0, 1, 2, 3]
    write_tracks_of(tmp_path / "tracks.csv", motion, found)
    with (tmp_path / "tracks.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [float(row["distance"]) for row in table[:4]] == [0, 1, 2, 3.5]
    assert [float(row["speed"]) for row in table[:4]] == [0.5, 0.5, 0.125, 0.75]


def test_an_unknown_kind_of_arrows_is_refused():
    with pytest.raises(ConfigError, match="allowed are reference, next"):
        check_options(arrows="sideways")
