"""One frame that does not belong is found; what a specimen does by itself is not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.frames.bad_frames import bad_frames


def recording(seed=0, n_frames=8, size=64, offset=100.0, density=0.02):
    """Return blobs that turn into others slowly and move to the right, with noise."""
    generator = np.random.default_rng(seed)
    spots = gaussian_filter((generator.random((size, size)) < density).astype(float), 2)
    light = np.stack([np.roll(20 + 300 * spots / spots.max(), 2 * n, 1) for n in range(n_frames)])
    return (offset + generator.poisson(light)).astype(np.float32)


@pytest.mark.parametrize("offset", [0, 100, 1000])
@pytest.mark.parametrize("place", [1, 3, 6])
def test_one_frame_that_does_not_belong_is_named(offset, place):
    for seed in range(4):
        frames = recording(seed, offset=offset)
        light = frames[place] - offset
        others = {
            "unlike": recording(50 + seed, offset=offset)[0],
            "bright": offset + 10 * light,
            "dim": offset + 0.1 * light,
        }
        for kind, frame in others.items():
            bad = frames.copy()
            bad[place] = frame
            assert bad_frames(bad) == {place: kind}
        for factor, kind in ((10, "bright"), (0.1, "dim")):
            bad = frames.copy()
            bad[place] *= factor
            assert bad_frames(bad) == {place: kind}


@pytest.mark.parametrize("place", [0, 3, 7])
@pytest.mark.parametrize("largest", [400, 65535])
def test_uniform_noise_is_found_anywhere(place, largest):
    frames = recording()
    frames[place] = np.random.default_rng(1).uniform(0, largest, frames[0].shape)
    assert set(bad_frames(frames)) == {place}


def with_flash(frames, place, height, width):
    rows, columns = np.indices(frames.shape[1:])
    light = np.exp(-((rows - 30) ** 2 + (columns - 20) ** 2) / 2 / width**2)
    frames = frames.copy()
    frames[place] += height * light
    return frames


@pytest.mark.parametrize("width", [2, 5, 8])
@pytest.mark.parametrize("height", [300, 3000])
def test_an_object_that_flashes_belongs(height, width):
    for seed in range(4):
        frames = recording(seed)
        assert bad_frames(with_flash(frames, 3, height, width)) == {}
        lonely = np.random.default_rng(seed).poisson(30.0, frames.shape).astype(np.float32)
        assert "unlike" not in bad_frames(with_flash(lonely, 3, height, width)).values()


@pytest.mark.parametrize("seed", range(4))
def test_what_lasts_belongs(seed):
    frames, other = recording(seed, n_frames=12), recording(seed + 50, n_frames=12)
    light, time = frames - 100, np.arange(12)[:, None, None]
    activated = np.where(time >= 5, np.exp(-(time - 5) / 2.0), 0.05)
    appears = frames.copy()
    for n in range(4, 12):
        appears[n] = with_flash(frames, n, 600, 5)[n]
    events = {
        "bleaching": 100 + light * np.exp(-time / 2.0),
        "photo-activation": 100 + light * activated,
        "a stage that jumps": np.concatenate([frames[:6], other[6:]]),
        "a stage that jumps a little": np.concatenate(
            [frames[:6], np.roll(frames[6:], (9, 14), (1, 2))]
        ),
        "a stage that jumps and returns": np.concatenate(
            [frames[:6], np.roll(frames[6:7], (9, 14), (1, 2)), frames[7:]]
        ),
        "an object that appears": appears,
        "an object that leaves": appears[::-1],
    }
    for name, event in events.items():
        assert bad_frames(event.astype(np.float32)) == {}, name


def test_stacks_are_frames_too():
    frames = np.stack([recording(1), recording(2)], axis=1)
    assert bad_frames(frames) == {}
    frames[2] = np.stack([recording(3)[0], recording(4)[0]])
    assert bad_frames(frames) == {2: "unlike"}
