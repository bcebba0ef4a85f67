"""The optical flow from which motion starts: held-out frames choose it, and a fit keeps it."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, shift
from skimage.registration import optical_flow_tvl1

from napari_cellinr import Image, superresolve
from napari_cellinr.methods.spatime import channel
from napari_cellinr.methods.spatime.between.choice import best_flow, errors_of_flows
from napari_cellinr.methods.spatime.between.flow import FLOWS, USUAL, optical_flow
from napari_cellinr.methods.spatime.between.tvl1 import tvl1_flow
from napari_cellinr.methods.spatime.series import Series

STIFFER = "stiffer TV-L1"


def texture(seed=0, shape=(48, 48)):
    values = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2.0)
    return (0.5 + 0.25 * values / values.std()).astype(np.float32)


def moving(n_frames=5):
    """A texture that moves by a row and two columns per frame, (T, Y, X)."""
    return np.stack([shift(texture(), (n, 2 * n), mode="grid-wrap") for n in range(n_frames)])


@pytest.mark.parametrize("shape", [(40, 44), (6, 24, 20), (34, 40, 36)])
@pytest.mark.parametrize("kind", FLOWS)
def test_flow_is_that_of_scikit_image(shape, kind):
    """Also with its pyramid, which begins where the shortest axis has more than 32 voxels."""
    values = np.random.default_rng(0).standard_normal(tuple(n + 4 for n in shape))
    wide = (0.5 + 2 * gaussian_filter(values, 2.0)).astype(np.float32)
    first, second = wide[..., :-4, 2:-2], wide[..., 1:-3, :-4]
    if len(shape) == 3:
        first, second = first[2:-2], second[2:-2]
    expected = optical_flow_tvl1(first, second, dtype=np.float32, **FLOWS[kind])
    np.testing.assert_allclose(tvl1_flow(first, second, **FLOWS[kind]), expected, atol=1e-3)
    assert np.abs(expected).max() > 0.3


def test_a_stack_of_one_plane_moves_as_the_plane_does():
    first, second = moving(2)
    flow = optical_flow(first[None], second[None])
    np.testing.assert_array_equal(flow[1:, 0], optical_flow(first, second))
    assert not flow[0].any()


def test_a_series_of_stacks_of_one_plane_is_superresolved():
    """It was refused by NumPy, which has no slopes along one voxel."""
    given = {"scale": {"t": 2}, "refinement": 0.15, "steps": 0}
    plane = superresolve(Image(moving(3), "TYX"), **given).image("result").array()
    stack = superresolve(Image(moving(3)[:, None], "TZYX"), **given).image("result").array()
    assert stack.shape == (5, 1, 48, 48)
    assert np.abs(stack[:, 0] - plane).mean() < 0.02 * plane.std()


@pytest.mark.parametrize(("part", "best"), [(0.97, STIFFER), (0.99, USUAL), (1.1, USUAL)])
def test_another_flow_is_chosen_only_if_its_error_is_clearly_less(part, best):
    assert best_flow({USUAL: [2.0, 1.0], STIFFER: [2.0 * part, 1.0 * part]}) == best


def opposite(n_frames=3):
    """Rows of spots of which every other one moves the other way, (T, Y, X)."""
    y, x = np.indices((48, 48))
    places = [(-1, row, col) for row in (6, 30) for col in range(-12, 72, 16)]
    places += [(1, row, col) for row in (18, 42) for col in range(-12, 72, 16)]
    spots = [
        sum(
            np.exp(-((y - row) ** 2 + (x - col - 1.5 * way * n) ** 2) / 6)
            for way, row, col in places
        )
        for n in range(n_frames)
    ]
    return np.stack(spots).astype(np.float32)


def test_every_flow_predicts_a_frame_of_steady_motion_better_than_a_blend():
    frames = moving(3)
    found = errors_of_flows([frames])
    assert set(found) == set(FLOWS)
    blend = np.mean((gaussian_filter((frames[0] + frames[2]) / 2 - frames[1], 0.5)) ** 2)
    assert all(error < 0.5 * blend for (error,) in found.values())


def test_what_moves_alike_chooses_the_stiffer_flow_and_what_passes_by_the_usual_one():
    assert best_flow(errors_of_flows([moving(3)])) == STIFFER
    assert best_flow(errors_of_flows([opposite()])) == USUAL


@pytest.mark.parametrize("best", [USUAL, STIFFER])
def test_motion_starts_from_the_flow_that_held_out_frames_choose(monkeypatch, best):
    seen = []

    def watched(first, second, spacing, kind, window):
        seen.append(kind)
        return np.zeros((2, 13, 13), np.float32)

    def compared(triples):
        assert [len(t) for t in triples] == [3] * len(triples)
        return {kind: [1.0 - 0.5 * (kind == best)] for kind in FLOWS}

    monkeypatch.setattr(channel, "path_coefficients", watched)
    monkeypatch.setattr(channel, "errors_of_flows", compared)
    fitted = superresolve(
        Image(moving(), "TYX"), scale={"t": 2}, preset="preview", refinement=0.15, steps=0
    )
    assert set(seen) == {best}
    assert fitted.report["fits"]["channel_0"]["optical_flow"] == best


def test_a_fit_keeps_its_flow_and_one_of_an_unknown_flow_has_the_usual_one():
    series = Series(moving(2), "YX", (1.0, 1.0), flow=STIFFER)
    arrays = {k: v.numpy() for k, v in series.tensors("").items()}
    for stored, expected in [(STIFFER, STIFFER), ("another", USUAL), ([], USUAL)]:
        settings = {**series.settings(), "flow": stored}
        assert Series.restored(arrays, settings, "YX", torch.device("cpu")).flow == expected
    assert series.settings()["flow"] == STIFFER
