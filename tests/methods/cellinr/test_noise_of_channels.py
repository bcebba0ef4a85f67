"""Noise that is given, and what is estimated all the same."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import CellINRConfig, Image, denoise
from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.fitting.problem import Outcome
from napari_cellinr.methods.cellinr.frames import Frame, noise_part
from napari_cellinr.methods.cellinr.initial.noise import noise_of_channels


def test_noise_that_is_given_keeps_the_grain_that_is_seen():
    values = np.random.default_rng(0).normal(100, 10, (2, 64, 64))
    image = Image(np.stack([values[0], gaussian_filter(values[1], 0.7)]), "CYX")
    white, blurred = noise_of_channels(image, CellINRConfig(gain=0.1, read_noise=5))
    assert (white.gain, white.read_noise, white.offset, white.grain) == (0.1, 5, 0, 0)
    assert (blurred.gain, blurred.read_noise) == (0.1, 5)
    assert blurred.grain == noise_of_channels(image, CellINRConfig())[1].grain > 0.4


def test_fine_texture_that_looks_like_grain_is_not_smoothed_in_silence():
    """It cannot be told from grainy noise, so the user has to say; see `grain=0`."""
    generator = np.random.default_rng(1)
    texture = gaussian_filter(generator.standard_normal((64, 64)), 0.8)
    texture = (texture - texture.min()) / np.ptp(texture) * 20000 + 5000
    raw = Image(generator.poisson(texture).astype(np.uint16), axes="YX")
    settings = {"preset": "preview", "background": "keep", "steps": 2}
    warned, told = denoise(raw, **settings), denoise(raw, grain=0, **settings)
    assert any("set grain=0" in text for text in warned.report["warnings"])
    assert not any("grain" in text for text in told.report["warnings"])
    error = np.sqrt(np.mean((told.images[0].array() - texture) ** 2))
    assert error < 0.1 * texture.std()


@pytest.mark.parametrize(
    ("photons", "factor", "said"),
    [
        (30, 1, ""),
        (1000, 1, ""),  # where it is bright, neighbours predict a voxel badly: that is no warning
        (30, 1 / 9, "given too low"),
        (1000, 1 / 9, "given too low"),
        (30, 9, "given too high"),
    ],
)
def test_a_finished_fit_says_that_its_held_out_error_does_not_agree_with_the_noise(
    photons, factor, said
):
    """The noise is given, with a variance that is right, a ninth, or nine times as large."""
    generator = np.random.default_rng(2)
    spots = np.zeros((96, 96))
    spots[tuple(generator.integers(0, 96, (2, 12)))] = 1
    scene = gaussian_filter(spots, 1.2)
    light = photons * (scene / scene.max() + 0.05)
    raw = 2.0 * generator.poisson(light) + generator.normal(100, 3, light.shape)
    given = {"gain": 2.0 * factor, "read_noise": 3.0 * factor**0.5, "offset": 100.0}
    fitted = denoise(Image(raw, axes="YX"), preset="preview", background="keep", **given)
    texts = [text for text in fitted.report["warnings"] if "held-out voxels" in text]
    assert [said in text for text in texts] == ([True] if said else [])
    assert all("set gain and read_noise" in text for text in texts)


@pytest.mark.parametrize("n_images", [2, 4])
@pytest.mark.parametrize("background", ["keep", "subtract"])
def test_noise_is_that_of_the_light_with_its_background(background, n_images):
    """A result without it is below the offset of the camera, where there seemed to be no noise."""
    light = Image(np.linspace(0, 60, 256).reshape(16, 16), "YX")
    around = light.like(np.full((16, 16), 100.0))
    both = light.like(light.array() + 100)
    images = (
        (light, around, both, light) if background == "subtract" else (both, around, light, light)
    )
    facts = {"noise": {"gain": 2.0, "read_noise": 1e-4, "offset": 95.0}}
    config = CellINRConfig(background=background)
    frame = Frame(images[:n_images], config, Outcome("steps", 1, 1.0, ()), {}, {}, facts, "cpu")
    expected = np.sqrt(np.mean(Noise(2.0, 1e-4, 95.0).sd(both.array()) ** 2)) / 60
    assert noise_part(frame) == pytest.approx(expected, rel=0.02)
