"""Long exposures: the mean over what moves, and a motion that a plain time-lapse gets wrong."""

import numpy as np
import pytest
import torch
from kinds import microscope
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_cellinr import Image, reconstruct
from napari_cellinr.acquisition import prepare
from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.exposure import ExposureModel

STEP = 0.5  # µm
UNITS = ("second", "micrometer", "micrometer")


def recording(n_frames=3, interval=2.0, unit="second"):
    values = np.random.default_rng(0).random((n_frames, 24, 26))
    return Image(values, "TYX", (interval, STEP, STEP), (unit, *UNITS[1:]))


def prepared(image=None, **settings):
    return prepare(image or recording(), microscope({"kind": "exposure", **settings}))


def test_a_point_that_moves_evenly_leaves_an_even_trace():
    """From column 2 to 6 in one exposure: 1/4 in each column on the way, half of it at the ends."""
    model = ExposureModel((1, 5, 9), torch.zeros(1), 4.0, 5)
    assert model.shot_times().tolist() == [0, 1, 2, 3, 4]
    scene = torch.zeros(5, 1, 5, 9)
    for instant in range(5):
        scene[instant, 0, 2, 2 + instant] = 1
    trace = model(scene, torch.tensor([0]))[0, 2]
    assert trace.tolist() == [0, 0, 1 / 8, 1 / 4, 1 / 4, 1 / 4, 1 / 8, 0, 0]


def test_exposure_from_a_fraction_or_in_seconds():
    """Frames 2 s apart are open for half of it, or for the seconds given; shown in the middle."""
    model = prepared(exposure_fraction=0.5, samples=2).model
    assert model.shot_times().tolist() == [0, 1, 2, 3, 4, 5]
    assert model.frame_times().tolist() == [0.5, 2.5, 4.5]
    model = prepared(exposure_time=2.0, samples=3).model
    assert model.shot_times().tolist() == [0, 1, 2, 2, 3, 4, 4, 5, 6]
    uneven = prepared(frame_times=(0, 1, 5), samples=2).model
    assert uneven.shot_times().tolist() == [0, 1, 1, 2, 5, 6]


def test_the_blur_has_the_given_width():
    model = prepared(blur_sigma=(2 * STEP, STEP)).model
    scene = torch.zeros(model.samples, 1, *model.scene_shape)
    scene[..., model.scene_shape[0] // 2, model.scene_shape[1] // 2] = 1
    spot = model(scene, torch.tensor([0]))[0].double()
    for axis, sigma in ((0, 2.0), (1, 1.0)):
        profile = spot.sum(1 - axis)
        places = torch.arange(len(profile), dtype=torch.float64)
        mean = (profile * places).sum()
        assert float((profile * (places - mean) ** 2).sum()) == pytest.approx(sigma**2, rel=0.02)


@pytest.mark.parametrize(
    ("settings", "image", "message"),
    [
        ({"exposure_time": 3.0}, recording(), "exposures cannot overlap"),
        ({"exposure_time": 1.0}, recording(unit="pixel"), "frame interval is not known"),
        ({"blur_sigma": (1, 1, 1)}, recording(), "2 are needed"),
        ({"blur_sigma": (99, 1)}, recording(), "cannot be larger than the image"),
        ({}, recording(1), "at least 2 repeats"),
    ],
)
def test_refusals(settings, image, message):
    with pytest.raises(ConfigError, match=message) as caught:
        prepared(image, **settings)
    assert "\n" not in str(caught.value)


AMPLITUDE, PERIOD, N_FRAMES, SIZE = 8.0, 8.0, 5, 32  # pixels, frames, frames, pixels


def shift(times):
    """Return the displacement along x in pixels: fastest 6 pixels per frame."""
    return AMPLITUDE * np.sin(2 * np.pi * np.asarray(times) / PERIOD)


@pytest.fixture(scope="module")
def swinging():
    """Return a swinging specimen seen through an open shutter, and what is true of it."""
    generator = np.random.default_rng(0)
    specimen = gaussian_filter(generator.standard_normal((SIZE + 40, SIZE + 40)), 2)
    specimen = np.clip(specimen / specimen.std(), 0, None)
    y, x = np.indices((SIZE, SIZE)).astype(float) + 20

    def at(time):
        return map_coordinates(specimen, [y, x - shift(time)], order=3)

    exposed = [
        np.mean([at(frame + (part + 0.5) / 32) for part in range(32)], axis=0)
        for frame in range(N_FRAMES)
    ]
    noise = 0.05 * generator.standard_normal((N_FRAMES, SIZE, SIZE))
    frames = (np.stack(exposed) + noise).astype(np.float32)
    truth = np.stack([at(frame + 0.5) for frame in range(N_FRAMES)])
    return Image(frames, "TYX", (1, STEP, STEP), UNITS, name="swinging"), truth


def errors(found, truth):
    """Return errors of the motion at the times of the result in pixels, and of the scene."""
    motion, scene = found.image("motion"), found.image("result")
    times = motion.translate[0] + motion.scale[0] * np.arange(N_FRAMES)
    moved = motion.array()[:, :, 8:-8, 8:-8].mean((2, 3)) / STEP
    true = np.stack([0 * times, shift(times) - shift(times[0])], axis=1)
    apart = np.sqrt(((moved - true) ** 2).sum(1).mean())
    return apart, (scene.array() - truth)[:, 6:-6, 6:-6].std()


def test_motion_during_exposures_is_recovered(swinging):
    """A time-lapse takes frames for instants: motion is late by half a frame, the scene smeared."""
    image, truth = swinging
    quick = {"steps": 200, "restart": False, "check_motion": False}
    quick |= {"unexplained": "off", "bleaching": "off"}
    exposed = reconstruct(image, microscope({"kind": "exposure", "samples": 4}), **quick)
    instants = reconstruct(image, "time-lapse", **quick)
    motion, scene = errors(exposed, truth)
    other_motion, other_scene = errors(instants, truth)
    assert motion < 0.6
    assert other_motion > 3
    assert scene < 0.85 * other_scene
