"""The note of a file restores what was written, as long as the file does not say otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from napari_cellinr.image import Image
from napari_cellinr.io.metadata.record import note, restore

WRITTEN = Image(
    np.zeros((1, 3, 4)), "ZYX", (0.4, 0.1, 0.1), ("micrometer",) * 3, translate=(1.0, 2.0, 3.0)
)


def as_the_file_says(scale):
    return Image(np.zeros((3, 4)), "YX", scale, ("micrometer",) * 2)


def test_rounded_steps_and_lost_axes_come_back():
    found = restore(as_the_file_says((float(np.float32(0.1)), 0.1000001)), note(WRITTEN))
    assert (found.axes, found.scale, found.translate) == ("ZYX", WRITTEN.scale, WRITTEN.translate)
    assert found.shape == (1, 3, 4)


@pytest.mark.parametrize("step", [0.1001, 0.102, 0.2])
def test_a_step_that_was_changed_since_counts(step):
    found = restore(as_the_file_says((step, 0.1)), note(WRITTEN))
    assert found.scale == (0.4, step, 0.1)


@pytest.mark.parametrize("text", [None, "", "[", "{}", '{"napari_cellinr": 1}'])
def test_what_is_no_note_is_ignored(text):
    image = as_the_file_says((0.1, 0.1))
    assert restore(image, text) is image


def test_a_note_for_another_shape_is_ignored():
    image = replace(as_the_file_says((0.1, 0.1)), data=np.zeros((3, 5)))
    assert restore(image, note(WRITTEN)) is image
