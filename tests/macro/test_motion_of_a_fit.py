"""The motion of a fit, written: what is asked for is checked before anything is rendered."""

from dataclasses import replace

import numpy as np
import pytest

from napari_cellinr import ConfigError, FileError, Image, NSTMConfig, write_motion
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.macro import motion

UNITS = ("second", "micrometer", "micrometer")


def fit(times, reference):
    """A fit of six frames, one second apart, rendered at other times."""
    scene = Image(np.zeros((len(times), 6, 8), np.float32), "TYX", (1, 1, 1), UNITS)
    moved = Image(
        np.zeros((len(times), 2, 6, 8), np.float32),
        "TCYX",
        (1, 1, 1, 1),
        ("second", "pixel", *UNITS[1:]),
        meta={"times": times},
    )
    report = {"field": {"frames": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]}}
    config = NSTMConfig(reference=reference)
    return Fitted(
        (scene, moved), config, {}, (), "steps", report, method="nstm", roles=("result", "motion")
    )


@pytest.mark.parametrize(("times", "frame"), [([0.0, 2.5, 5.0], 2), ([3.0, 4.0], 1), ([0.0], 0)])
def test_arrows_begin_in_the_rendered_frame_that_is_nearest(times, frame, monkeypatch):
    asked = []
    monkeypatch.setattr(motion, "visible_arrows", lambda *given, **named: asked.append(given[2]))
    made = fit(times, reference=4)
    motion.arrows_of(made, motion.images_by_role(made))
    assert asked == [frame]


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (True, "a number of them"),
        ("many", "a number of them"),
        ([[2.0, 3.0], [2.0, 30.0]], r"point \[2.0, 30.0\] is outside the image of 6×8"),
        ([[1.0, 2.0, 3.0]], "2 coordinates per point are needed"),
    ],
)
def test_points_that_cannot_be_followed_are_refused(points, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        write_motion(tmp_path / "paths.csv", fit([0.0, 1.0], 0), points=points)
    assert not list(tmp_path.iterdir())


def test_a_table_that_cannot_be_written_is_said_first(tmp_path, monkeypatch):
    monkeypatch.setattr(motion, "images_by_role", lambda *given: pytest.fail("rendered"))
    with pytest.raises(FileError, match="does not exist"):
        write_motion(tmp_path / "nowhere" / "paths.csv", fit([0.0], 0))


@pytest.mark.gui
def test_the_viewer_shows_the_arrows_that_are_written():
    """From the rendered frame that is nearest to the reference, whatever the times."""
    from napari_cellinr.ui.layers import motion as motion_layers

    random = np.random.default_rng(0)
    moved = np.cumsum(random.normal(0, 2, (5, 2, 1, 1)), 0) + np.zeros((5, 2, 12, 12))
    scene = Image(random.random((5, 12, 12), np.float32), "TYX", (1, 1, 1), UNITS)
    made = fit([0.0, 1.5, 3.0, 4.0, 5.0], reference=3)
    displacement = made.images[1].like(moved)
    sure = scene.like(np.ones(scene.shape, np.float32))
    images = (scene, displacement, scene, sure)
    made = replace(made, images=images, roles=("result", "motion", "speed", "confidence"))
    (shown,) = (one for one in motion_layers.layers_of(made) if one.kind == "vectors")
    found = motion.arrows_of(made, motion.images_by_role(made))
    assert len(found.data)
    np.testing.assert_array_equal(shown.data, found.data)
    assert motion.reference_of(made, images[1]) == 2
