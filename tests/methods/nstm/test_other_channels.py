"""Several channels: one motion, from one of them or from all together, and a scene of each."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from napari_cellinr import Image, NSTMConfig, load_fit, reconstruct, render, save_fit
from napari_cellinr.errors import ConfigError
from napari_cellinr.methods.nstm.costs import cost, steps_of_others
from napari_cellinr.methods.nstm.recording.channels import motion_source, weights_of

PIXELS, SIZE, MARGIN, FRAMES, NOISE = 4.0, 32, 8, 6, 2.0
UNITS = ("second", "pixel", "micrometer", "micrometer")


def light(seed, peak, pixels=PIXELS):
    """Return blobs that move to the right by so many pixels in all, axes TYX."""
    generator = np.random.default_rng(seed)
    wide = SIZE + 2 * MARGIN
    scene = np.clip(gaussian_filter(generator.standard_normal((wide, wide)), 2.0), 0, None)
    inner = (slice(MARGIN, -MARGIN),) * 2
    parts = np.linspace(0, 1, FRAMES)
    frames = [shift(scene, (0, pixels * part))[inner] for part in parts]
    return np.stack(frames) * peak / scene.max()


def recording(*channels):
    """Return channels with noise and an offset, axes TCYX."""
    data = np.stack(channels, axis=1)
    data = 100 + data + np.random.default_rng(9).normal(0, NOISE, data.shape)
    return Image(
        data.astype(np.float32), "TCYX", (2.0, 1.0, 0.5, 0.5), UNITS, channels=("DNA", "actin")
    )


TRUTH = (light(0, 100), light(1, 40))
QUICK = {
    "steps": 150, "check_motion": False, "restart": False, "motion_layers": 1,
    "optics": {"kind": "time-lapse", "background": 100.0},
}  # fmt: skip


@pytest.fixture(scope="module", params=["0", "all"])
def fitted(request):
    return reconstruct(recording(*TRUTH), motion_channel=request.param, **QUICK)


def test_every_channel_has_its_scene_at_its_place_with_its_brightness(fitted):
    scene = fitted.image("result")
    assert scene.axes == "TCYX"
    assert scene.channels == ("DNA", "actin")
    assert scene.scale == (2.0, 1.0, 0.5, 0.5)
    for number, truth in enumerate(TRUTH):
        found = scene.array()[:, number]
        assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > 0.98
        slope = np.polyfit(truth.ravel(), found.ravel(), 1)[0]
        assert slope == pytest.approx(1, abs=0.05)
        assert np.sqrt(np.mean((found - truth) ** 2)) < 0.8 * NOISE
    assert not any("not explained" in text for text in fitted.report["warnings"])
    moved = fitted.image("motion").array()[-1, 1, 4:-4, 4:-10].mean() / 0.5
    assert moved == pytest.approx(PIXELS, abs=0.4)


def test_a_saved_fit_has_all_channels(fitted, tmp_path):
    place = tmp_path / "channels.cellinr"
    save_fit(place, fitted)
    images = render(load_fit(place))
    again = images[0] if isinstance(images, tuple | list) else images
    np.testing.assert_allclose(again.array(), fitted.image("result").array(), rtol=1e-5, atol=1e-3)
    assert (again.axes, again.channels) == ("TCYX", ("DNA", "actin"))


def test_a_channel_that_stands_still_is_named():
    image = recording(light(0, 100), light(1, 100, pixels=0.0))
    found = reconstruct(image, motion_channel=0, **QUICK)
    (text,) = [text for text in found.report["warnings"] if "not explained" in text]
    assert text.startswith("actin is not explained by the motion of DNA")
    assert "motion_channel=1" in text
    (facts,) = found.report["channels"]
    assert (facts["channel"], facts["name"]) == (1, "actin")
    assert facts["noise"] == pytest.approx(NOISE, rel=0.5)


def test_the_mean_of_all_channels_has_the_most_contrast_for_its_noise():
    """Of one structure in channels with contrasts a and noises s, no other mean has more."""
    contrasts, noises = np.array([3.0, 1.0, 0.0]), np.array([1.0, 2.0, 1.0])
    weights = weights_of(contrasts, noises)
    assert weights.sum() == pytest.approx(1)
    assert weights[2] == 0

    def quality(w):
        return (w @ contrasts) / np.sqrt(w**2 @ noises**2)

    assert quality(weights) == pytest.approx(np.sqrt(((contrasts / noises) ** 2).sum()))
    others = np.random.default_rng(0).random((100, 3))
    assert max(map(quality, others)) <= quality(weights)
    np.testing.assert_allclose(weights_of(np.zeros(2), np.ones(2)), [0.5, 0.5])


def test_the_motion_of_all_is_found_from_their_mean():
    image = recording(*TRUTH)
    mean = motion_source(image, NSTMConfig(motion_channel="all", optics=QUICK["optics"]))
    assert mean.axes == "TYX"
    first, second = (image.array()[:, number] for number in (0, 1))
    part = np.polyfit((first - second).ravel(), (mean.array() - second).ravel(), 1)[0]
    assert 0.5 < part < 0.9  # contrast 100 to 40, the same noise: 0.71
    np.testing.assert_allclose(mean.array(), part * first + (1 - part) * second, atol=0.01)


@pytest.mark.parametrize("given", [0, "0", None, "", "all", 7])
def test_channels_are_named_by_a_number_or_all(given):
    config = NSTMConfig(motion_channel=given)
    assert config.motion_channel == ("" if given is None else str(given))
    number = None if given in (None, "", "all") else int(given)
    assert config.single_motion_channel() == number


@pytest.mark.parametrize("given", [-1, "first", True, 1.5])
def test_other_names_of_channels_are_refused(given):
    with pytest.raises(ConfigError, match=r"motion_channel .* was given; allowed are all"):
        NSTMConfig(motion_channel=given)


def test_the_estimate_counts_the_other_channels():
    three = Image(np.zeros((4, 3, 16, 16), np.float32), "TCYX")
    one, every = (
        NSTMConfig(steps=100, motion_channel=0),
        NSTMConfig(steps=100, motion_channel="all"),
    )
    assert steps_of_others(three, one) == 2 * 50
    assert steps_of_others(three, every) == 3 * 50
    assert steps_of_others(three, NSTMConfig(steps=100)) == 0
    single = cost(three.take("C", 0), one)
    assert cost(three, every).seconds > cost(three, one).seconds > single.seconds
