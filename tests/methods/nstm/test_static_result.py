"""What is said of a result that is static although motion was looked for."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr.methods.nstm.checks import report
from napari_cellinr.methods.nstm.checks.halves import Halves
from napari_cellinr.methods.nstm.rendering.render import Rendering


@pytest.mark.parametrize(
    ("static", "moved", "said", "forbids"),
    [
        (1.08, 1.08, "No motion was found", False),
        (1.10, 1.08, "No motion was found", False),
        (1.28, 1.08, "could not be determined", True),
    ],
)
def test_a_static_result_is_doubted_where_a_moving_one_fits_better(static, moved, said, forbids):
    text = report._no_motion(static, moved, None, explained=True)
    assert said in text
    assert f"{static:.2f}" in text
    assert ("Do not measure displacements" in text) == forbids


@pytest.mark.parametrize(
    ("error", "moved", "said", "forbids"),
    [
        (0.35, 0.13, "so the result is static.", False),
        (0.74, 0.25, "so the result is static.", False),
        (1.67, 0.78, "hardly tell motion: fits to two halves", True),
        (2.74, 4.48, "that differ by 2.7 pixels", True),
        (0.60, 3.89, "found similar motion of 3.9 pixels", True),
    ],
)
def test_that_nothing_moves_is_doubted_where_the_frames_hardly_tell(error, moved, said, forbids):
    """Noisy frames of DPC, in which an object moves by 7 pixels, fit a static image as well."""
    rejected = Halves((), False, 1.1, 1.1, error=error, moved=moved)
    text = report._no_motion(1.1, 1.1, rejected, explained=True)
    assert said in text
    assert ("Do not take the specimen to be at rest" in text) == forbids


@pytest.mark.parametrize(
    ("smallest", "said", "forbids"),
    [
        (3.0, "exclude motion of 3 pixels or more", False),
        (5.0, "hardly tell motion", True),
        (math.inf, "much more likely if they move", True),
        (None, "hardly tell motion", True),
    ],
)
def test_rest_is_believed_where_parts_exclude_half_of_the_largest_motion(smallest, said, forbids):
    """Halves that differ by 1.7 pixels do not tell rest; the likelihood of parts may."""
    rejected = Halves((), False, 1.1, 1.1, error=1.7, moved=0.8, smallest=smallest)
    text = report._no_motion(1.1, 1.1, rejected, explained=True, reach=8.0)
    assert said in text
    if smallest == math.inf:
        unexplained = report._no_motion(1.1, 1.1, rejected, explained=False, reach=8.0)
        assert 0 < unexplained.index("check the optics") < unexplained.index(said)
    assert ("Do not take the specimen to be at rest" in text) == forbids


def test_motion_is_not_determined_where_frames_have_no_contrast():
    """A fit of a few pixels may end with a scene of one value."""
    settings = {"noise": 1.0, "unit": 1.0, "transmitted": 0.0, "zoom": (1, 1)}
    scene = np.random.default_rng(0).random((2, 1, 8, 8)).astype(np.float32)
    found = Rendering._confidence(SimpleNamespace(settings=settings), scene)
    np.testing.assert_array_equal(found, np.zeros((2, 8, 8)))
