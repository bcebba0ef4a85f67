"""The pattern of the camera is subtracted, named, and left where that is wanted."""

import numpy as np
import pytest

from napari_cellinr import CellINRConfig, Image
from napari_cellinr.classic.camera.camera_pattern import CameraPattern
from napari_cellinr.methods.cellinr.recording import camera
from napari_cellinr.methods.cellinr.recording.camera import (
    PlainPlanes,
    find_offsets,
    without_pattern,
)
from napari_cellinr.methods.cellinr.recording.defects import find_defects

LINES = np.random.default_rng(1).normal(0, 8, (48, 1))


def striped(axes):
    shape = {"T": 3, "C": 2, "Z": 6, "Y": 48, "X": 48}
    size = tuple(shape[axis] for axis in axes)
    return Image(np.random.default_rng(2).normal(100, 4, size) + LINES, axes)


def corrected(image, **settings):
    places = list(np.ndindex(*(image.sizes[axis] for axis in image.axes if axis in "TC")))
    return without_pattern(image, find_defects(image, places), CellINRConfig(**settings))[:2]


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TYX", "CZYX", "TCZYX"])
def test_stripes_are_subtracted_from_each_channel(axes):
    image = striped(axes)
    result, texts = corrected(image)
    assert result.array().std() == pytest.approx(4, rel=0.15)
    assert len(texts) == (2 if "C" in axes else 1)
    assert all("rows" in text and "pattern=none" in text for text in texts)


def test_nothing_is_subtracted_where_there_is_nothing_or_it_is_to_stay():
    image = striped("ZYX")
    assert corrected(image, pattern="none") == (image, [])
    even = image.like(image.array() - LINES, name="even")
    assert corrected(even) == (even, [])


def test_a_blank_frame_stays_blank():
    image = striped("TYX")
    data = image.array().copy()
    data[1] = 0
    result, texts = corrected(image.like(data, name="blank"))
    assert len(texts) == 1
    assert not result.array()[1].any()


def test_planes_are_looked_at_once_if_no_more_are_used_at_the_second_time(monkeypatch):
    planes = np.random.default_rng(2).normal(100, 4, (20, 800, 800)).astype(np.float32)
    planes = np.broadcast_to(planes[:1] + np.repeat(LINES, 17, 0)[:800], planes.shape)
    looked_at = []

    def find(images):
        looked_at.append(images.shape)
        return CameraPattern(np.zeros(images.shape[1:], np.float32), ("rows",))

    monkeypatch.setattr(camera, "find_pattern", find)
    find_offsets(planes)
    assert looked_at == [(10, 800, 800)]
    find_offsets(planes[:, :400, :400])
    assert looked_at[1:] == [(10, 400, 400), (20, 400, 400)]


def test_clusters_are_replaced_in_the_planes_that_are_looked_at_only(monkeypatch):
    planes = np.random.default_rng(2).normal(100, 4, (4000, 48, 48)).astype(np.float32)
    hot, replaced = np.zeros((48, 48), bool), []
    hot[20:22, 30:32] = True
    planes[:, hot] = 3000
    usual = camera.interpolated

    def interpolated(frame, missing):
        replaced.append(frame.shape)
        return usual(frame, missing)

    monkeypatch.setattr(camera, "interpolated", interpolated)
    found = find_offsets(PlainPlanes(planes, hot))
    assert found is None
    assert 0 < len(replaced) < 1000


def test_copies_among_the_planes_that_are_looked_at_count_once():
    planes = np.random.default_rng(2).normal(100, 4, (6, 48, 48)).astype(np.float32)
    copied = PlainPlanes(np.repeat(planes, 5, 0), None)
    np.testing.assert_array_equal(copied[::1], planes)
    np.testing.assert_array_equal(copied[7], planes[1])
