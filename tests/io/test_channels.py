"""Channels are merged behind time and split again without any change."""

import numpy as np
import pytest

from napari_cellinr.image import Image
from napari_cellinr.io.series.channels import MOST_CHANNELS, joined, separated


@pytest.mark.parametrize(
    ("axes", "shape"), [("TYX", (3, 4, 5)), ("ZYX", (3, 4, 5)), ("YX", (4, 5))]
)
def test_what_is_joined_comes_apart_again(axes, shape):
    generator = np.random.default_rng(0)
    steps = {"scale": (0.5, 0.2, 0.1)[-len(axes) :], "translate": (7.0, 8.0, 9.0)[-len(axes) :]}
    images = [Image(generator.random(shape), axes, name=name, **steps) for name in ("DNA", "actin")]
    whole = joined(images)
    place = 1 if axes[0] == "T" else 0
    assert whole.axes == axes[:place] + "C" + axes[place:]
    assert whole.channels == ("DNA", "actin")
    for index, (one, image) in enumerate(zip(separated(whole), images, strict=True)):
        np.testing.assert_array_equal(one.array(), image.array())
        assert (one.axes, one.scale, one.translate) == (axes, image.scale, image.translate)
        assert one.name.endswith(image.name)
        assert one.meta["part"] == {"channel": index}


@pytest.mark.parametrize("n", [0, MOST_CHANNELS + 1])
def test_very_many_channels_stay_together(n):
    image = Image(np.zeros((n, 2, 2)), "CYX") if n else Image(np.zeros((2, 2)))
    assert separated(image) == [image]
