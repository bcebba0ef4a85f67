"""The published method: what its rendering holds, and that all of its parts can be left out."""

import numpy as np
import pytest
import torch

from napari_cellinr import Image, SpatimeConfig, superresolve
from napari_cellinr.api import iter_superresolve, render
from napari_cellinr.errors import ConfigError
from napari_cellinr.fields.hypercube import PaperField, Sizes
from napari_cellinr.fitting.problem import PreviewRequest, finish
from napari_cellinr.fitting.saved.query import Query
from napari_cellinr.fitting.saved.stored import header_of, stored
from napari_cellinr.methods.spatime.published.problem import (
    PublishedSpatimeProblem,
    _averaged,
    _thinned,
)

TINY = {
    "preset": "paper", "latent": 4, "neurons": 16, "batch": 128, "steps": 12, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def movie():
    t, z, y, x = np.indices((4, 3, 10, 12)).astype(float)
    data = 90 * np.exp(-((y - 5) ** 2 + (x - 3 - 2 * t) ** 2) / 6 - (z - 1) ** 2 / 4) + 10
    units = ("second", *("micrometer",) * 3)
    return Image(data.astype(np.float32), "TZYX", (30, 1, 0.25, 0.25), units, "movie")


def field(rendering=True, latent=4):
    torch.manual_seed(0)
    return PaperField((4, 3, 10, 12), Sizes(latent, 16, 8, 1, 1), rendering=rendering)


def test_the_weights_of_the_points_add_up_to_one():
    """A cell of constant brightness renders as that brightness, however dense its points are."""
    network = field(latent=0)
    torch.nn.init.zeros_(network.decoder.last.weight[0:1].data)
    network.decoder.last.bias.data[0] = 0.7
    centres = torch.rand(50, 4) * 3
    for generator in (None, torch.Generator().manual_seed(1)):
        found = network(centres, torch.ones(4), None, torch.zeros(2, 3), generator)
        assert found.detach() == pytest.approx(float(torch.sigmoid(torch.tensor(0.7))), abs=1e-5)


def test_inference_is_the_same_each_time():
    network = field()
    codes = network.codes(torch.rand(4, 3, 10, 12))
    corner = torch.tensor([[0.0] * 3, [1.0] * 3])
    centres = torch.rand(20, 4) * 3
    first, second = (network(centres, torch.ones(4), codes, corner) for _ in range(2))
    assert torch.equal(first, second)


def test_codes_are_interpolated_in_place():
    """A code of the voxel is found at its centre, and half of each between two."""
    from napari_cellinr.fields.hypercube import _codes_at

    codes = torch.arange(12.0).expand(1, 1, 3, 10, 12)
    places = torch.tensor([[[1.0, 4.0, 7.0], [1.0, 4.0, 7.5]]])
    corner = torch.tensor([[0.0] * 3, [1.0] * 3])
    assert _codes_at(codes, places, corner)[..., 0].tolist() == [[7.0, 7.5]]
    coarse = torch.tensor([[0.0] * 3, [2.0] * 3])  # a code for every two voxels
    assert _codes_at(codes, places, coarse)[0, 0, 0] == pytest.approx(3.25)


def test_frames_that_are_left_out_are_blended():
    frames = torch.arange(5.0)[:, None, None].expand(5, 4, 4).clone() ** 2
    assert _thinned(frames, 2, 0)[:, 0, 0].tolist() == [0, 2, 4, 10, 16]
    assert _thinned(frames, 2, 1)[:, 0, 0].tolist() == [0, 1, 5, 9, 16]
    assert _thinned(frames, 4, 0)[:, 0, 0].tolist() == [0, 4, 8, 12, 16]


@pytest.mark.parametrize("factor", [2.0, 2.4, 5.0])
def test_coarser_copies_hold_means_at_their_places(factor):
    """Of a ramp, the mean of a cell is the value at its centre, (i + ½) n / size − ½."""
    frames = torch.arange(20.0).expand(2, 12, 20).clone()
    seen, paces = _averaged(frames, factor)
    rows, size = max(3, round(12 / factor)), round(20 / factor)
    assert seen.shape == (2, rows, size)
    assert paces == [12 / rows, 20 / size]
    centres = (np.arange(size) + 0.5) * paces[1] - 0.5
    np.testing.assert_allclose(seen[0, 0], centres, atol=0.5)


def problem(movie, **settings):
    config = SpatimeConfig(**{**TINY, **settings}, scale={"t": 2})
    return PublishedSpatimeProblem(movie, movie.array(), config, torch.device("cpu"))


def test_pairs_have_factors_of_two_and_from_two_to_five(movie):
    of, random = problem(movie), np.random.default_rng(0)
    frames = torch.rand(4, 20, 30)
    paces = [of._coarser(frames, step, random)[1][1] for step in range(3, 400, 4)]
    assert set(paces[::2]) == {2.0}
    others = paces[1::2]
    assert 2 <= min(others) < 2.3
    assert 4.2 < max(others) <= 5.01
    assert of._coarser(frames, 0, random)[1] == [1.0, 1.0]


def test_the_cycle_is_over_both_halves_of_time_and_space(movie):
    """The mean over the finer cells of a field that is linear is its value in the middle."""
    of, seen = problem(movie), []

    def linear(places, cell, *_):
        seen.append((places, cell))
        return places.sum(-1)

    of.field = linear
    centres = torch.rand(5, 4) * 3
    means = of._means_of_finer(centres, None, torch.zeros(2, 3), torch.Generator())
    torch.testing.assert_close(means, centres.sum(1))
    ((places, cell),) = seen
    assert cell.tolist() == [0.5] * 4
    apart = places.reshape(5, 16, 4) - centres[:, None]
    assert sorted(set(apart[..., 0].flatten().mul(4).round().tolist())) == [-1, 1]


@pytest.mark.parametrize("off", [{}, {"latent": 0}, {"rendering": False, "cycle": 0}])
def test_every_part_can_be_left_out(movie, off):
    fitted = superresolve(movie, scale={"t": 2, "z": 2}, **{**TINY, **off})
    image = fitted.images[0]
    assert image.shape == (7, 6, 10, 12)
    assert image.scale == (15, 0.5, 0.25, 0.25)
    assert np.isfinite(image.array()).all()
    assert fitted.report["variant"] == "networks of coordinates, as published"
    first, last = fitted.history[0]["held_out"], fitted.history[-1]["held_out"]
    assert last < first


def test_a_saved_fit_renders_again(movie):
    fitted = superresolve(movie, scale={"t": 2}, **TINY)
    fit = stored(header_of(fitted), {k: v.numpy() for k, v in fitted.state.items()})
    np.testing.assert_allclose(render(fit)[0].array(), fitted.images[0].array(), rtol=1e-5)
    part = render(fit, Query(times=(45.0,), crop={"Y": slice(2, 6)}))[0]
    np.testing.assert_allclose(part.array()[0], fitted.images[0].array()[3, :, 2:6], rtol=1e-5)


def test_the_same_seed_gives_the_same_result(movie):
    first, second, other = (
        superresolve(movie, scale={"t": 2}, seed=seed, **TINY).images[0].array()
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 0


def test_a_preview_is_a_plane_of_what_is_learnt(movie):
    job = iter_superresolve(movie, SpatimeConfig(**{**TINY, "steps": 500}, scale={"t": 2}))
    next(job)
    shown = job.send(PreviewRequest({"T": 1, "Z": 2})).preview
    assert shown.shape == (1, 1, 10, 12)
    assert shown.translate[:2] == (30, 2)
    try:
        job.send("stop")
        result = finish(job)
    except StopIteration as end:
        result = end.value
    assert result.stopped == "user"


def test_no_steps_are_refused(movie):
    with pytest.raises(ConfigError, match="at least 1 step"):
        superresolve(movie, scale={"t": 2}, **{**TINY, "steps": 0})


def test_a_long_fit_on_a_cpu_is_announced():
    sizes = {"T": 15, "Z": 80, "Y": 128, "X": 178}
    assert "needs a GPU" in SpatimeConfig(preset="paper").cost_warning(sizes)
    assert SpatimeConfig(preset="paper", device="cuda").cost_warning(sizes) == ""
    assert SpatimeConfig(preset="fast").cost_warning(sizes) == ""
    assert SpatimeConfig(**TINY).cost_warning(sizes) == ""
