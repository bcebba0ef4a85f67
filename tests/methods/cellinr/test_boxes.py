"""The parts of an image from which the network learns."""

import math

import numpy as np

from napari_cellinr.methods.cellinr.field.boxes import choose_boxes, learned_voxels


def test_a_small_image_is_taken_as_a_whole():
    assert choose_boxes(np.zeros((20, 80, 70), np.float32)) == [
        (slice(0, 20), slice(0, 80), slice(0, 70))
    ]


def test_of_a_large_image_the_part_with_most_contrast_and_the_median_are_taken():
    image = np.zeros((1, 1024, 1024), np.float32)
    image[0, 768:, 256:512] = np.random.default_rng(0).normal(size=(256, 256))
    first, second = choose_boxes(image)
    assert first == (slice(0, 1), slice(768, 1024), slice(256, 512))
    assert image[second].std() == 0


def test_the_part_with_most_contrast_may_be_anywhere():
    image = np.zeros((16, 96, 96), np.float32)
    image[:, 40:, 40:] = np.random.default_rng(0).normal(size=(16, 56, 56))
    first, _ = choose_boxes(image)
    assert first == (slice(0, 16), slice(32, 96), slice(32, 96))


def test_parts_do_not_grow_with_the_image():
    for shape in [(200, 300, 400), (40, 64, 5000), (1, 5000, 20)]:
        boxes = choose_boxes(np.zeros(shape, np.float32))
        assert len(boxes) <= 2
        for box in boxes:
            assert math.prod(piece.stop - piece.start for piece in box) <= 105_000
            assert all(0 <= p.start < p.stop <= n for p, n in zip(box, shape, strict=True))
        assert learned_voxels(shape) == sum(
            math.prod(piece.stop - piece.start for piece in box) for box in boxes
        )
