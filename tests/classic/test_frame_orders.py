"""Channels among the time points, and frames that are all stored several times, are named."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, reconstruct, superresolve
from napari_cellinr.classic.frames.orders import order_texts, period_of


def series(n=6, step=1, seed=0, size=64):
    """Blobs that move on by `step` columns per frame, with noise."""
    random = np.random.default_rng(seed)
    scene = 4000 * gaussian_filter((random.random((size, size)) < 0.01).astype(float), 3) + 30
    clean = np.stack([np.roll(scene, step * t, 1) for t in range(n)])
    return random.poisson(clean).astype(np.float32)


def interleaved(n_channels, **settings):
    channels = [series(seed=seed, **settings) for seed in range(n_channels)]
    return np.stack(channels, 1).reshape(-1, *channels[0].shape[1:])


@pytest.mark.parametrize("n_channels", [2, 3, 4])
@pytest.mark.parametrize("step", [0, 2])
def test_channels_among_time_points_are_found(n_channels, step):
    assert period_of(interleaved(n_channels, step=step)) == n_channels


@pytest.mark.parametrize("step", [0, 1, 3, 6])
def test_what_moves_is_no_channel(step):
    assert order_texts(series(8, step)) == []


def test_noise_is_no_channel():
    assert period_of(np.random.default_rng(0).normal(100, 9, (12, 64, 64))) == 0


def test_frames_that_are_all_stored_twice_are_named():
    (text,) = order_texts(np.repeat(series(), 2, 0))
    assert text.startswith("6 of 12 frames are the same as the frame before them to the bit")
    assert order_texts(np.repeat(series(), 1, 0)) == []


def test_a_motion_to_and_fro_is_named_beside_channels():
    there, back = series(1)[0], np.roll(series(1)[0], 12, 1)
    (text,) = order_texts(np.stack([there, back] * 4) + np.arange(8).reshape(-1, 1, 1))
    assert "channels of an image were read as time points, or what is seen moved to and fro" in text


@pytest.mark.parametrize("method", [superresolve, reconstruct])
def test_results_name_them(method):
    quick = {
        superresolve: {"scale": {"t": 2}, "motion": "never", "steps": 0},
        reconstruct: {"steps": 3, "check_motion": False, "restart": False},
    }[method]
    for frames, what in (
        (interleaved(2, n=3, size=48), "Every second frame is like the others of its kind"),
        (np.repeat(series(3, size=48), 2, 0), "3 of 6 frames are the same as the frame before"),
    ):
        fitted = method(Image(frames, "TYX"), preset="preview", **quick)
        assert any(text.startswith(what) for text in fitted.warnings)
    fitted = method(Image(series(size=48), "TYX"), preset="preview", **quick)
    assert not any("to the bit" in text or "its kind" in text for text in fitted.warnings)
