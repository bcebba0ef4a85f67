"""The rolling shutter against a sum over time steps with masks, row by row."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.rolling_shutter import RollingShutterModel, band_rows


def test_every_row_has_a_shot():
    """T5: rows of all bands cover the picture; mirrored ones with a dual shutter."""
    for n_rows, band in ((20, 4), (21, 4), (17, 3), (5, 50)):
        for dual in (True, False):
            rows = band_rows(n_rows, band, dual=dual)
            assert set(rows.flatten().tolist()) == set(range(n_rows))
            if dual:
                half = rows.shape[1] // 2
                assert torch.equal(rows[:, half:], n_rows - 1 - rows[:, :half])


@pytest.mark.parametrize("dual", [True, False])
def test_picture_of_a_moving_scene(dual):
    """Rows are those of the whole convolution at the middle of their exposure."""
    generator = np.random.default_rng(0)
    size, scene_size = (16, 18), (8, 10)
    psf = generator.random((11, 13))
    rows = band_rows(16, 1, dual=dual)
    model = RollingShutterModel(
        size, torch.tensor(psf), rows, 1.0, 4.0, scene_size, dual=dual, samples=2
    )
    times = model.shot_times().reshape(-1, 2)
    swept = torch.arange(len(rows))
    torch.testing.assert_close(times, swept[:, None] + torch.tensor([1.0, 3.0]))
    base = generator.random((2, *scene_size))
    movie = [base[0] + float(t) * base[1] for t in times.flatten()]
    scene = torch.tensor(np.array(movie))[:, None]
    bands = model(scene, swept)
    for shot, band in enumerate(bands):
        at_middle = base[0] + (shot + 2.0) * base[1]
        full = convolve2d(at_middle, psf / psf.sum())
        start = [11 // 2 + 8 // 2 - 8, 13 // 2 + 10 // 2 - 9]
        padded = np.pad(full, 8)
        picture = padded[8 + start[0] : 24 + start[0], 8 + start[1] : 26 + start[1]]
        np.testing.assert_allclose(band.numpy(), picture[rows[shot].tolist()], rtol=1e-4, atol=1e-5)


def test_colours_share_times_and_see_their_own_channel():
    """Every colour is the plain camera of its own channel and picture of a point."""
    generator = torch.Generator().manual_seed(0)
    psf = torch.rand(2, 5, 7, generator=generator)
    psf[1] *= 0.5
    rows = band_rows(12, 2, dual=False)
    settings = ((12, 14), rows, 1.0, 2.0, (6, 7))
    size, *others = settings
    model = RollingShutterModel(size, psf, *others, dual=False, colours=("red", "green"))
    scene = torch.rand(12 * 2, 2, 6, 7, generator=generator)
    frames = model(scene, torch.arange(12))
    times = model.shot_times().reshape(6, 2, 2)
    assert torch.equal(times[:, 0], times[:, 1])
    for colour, strength in enumerate((1.0, float(psf[1].sum() / psf[0].sum()))):
        plain = RollingShutterModel(size, psf[colour], *others, dual=False)
        part = scene.reshape(6, 2, 2, 2, 6, 7)[:, colour, :, colour].reshape(12, 1, 6, 7)
        expected = strength * plain(part, torch.arange(6))
        torch.testing.assert_close(frames[colour::2], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match="2 colours was given for a picture with 3"):
        RollingShutterModel(size, psf, *others, dual=False, colours=("red", "green", "blue"))


@pytest.mark.parametrize(
    ("psf", "message"), [(torch.ones(20, 4), "larger"), (-torch.ones(4, 4), "negative")]
)
def test_refusals(psf, message):
    with pytest.raises(ConfigError, match=message):
        RollingShutterModel((8, 8), psf, band_rows(8, 2, dual=True), 1.0, 1.0, (4, 4))
