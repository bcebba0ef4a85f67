"""The check of a motion by fits to two halves of the pixels: laws, and what a fit does with it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, shift

from napari_cellinr import Image, NSTMConfig, reconstruct
from napari_cellinr.acquisition import prepare
from napari_cellinr.api import iter_reconstruct
from napari_cellinr.config.optics import TimeLapse
from napari_cellinr.fitting.problem import Progress, finish
from napari_cellinr.fitting.saved.query import Query
from napari_cellinr.fitting.saved.stored import header_of, stored
from napari_cellinr.methods.nstm.checks import halves
from napari_cellinr.methods.nstm.checks.halves import (
    of_blocks,
    predicts_better,
)
from napari_cellinr.methods.nstm.checks.parts import error_of, part_seen, parts_of
from napari_cellinr.methods.nstm.costs import cost, lasting
from napari_cellinr.methods.nstm.plan import plan


class Errors:
    """A fit with known squared errors, of which a checkerboard of blocks is held out."""

    def __init__(self, squares):
        self.squares = squares
        blocks = torch.arange(8)[:, None] + torch.arange(8)
        odd = (blocks % 2 == 0).repeat_interleave(4, 0).repeat_interleave(4, 1)
        self.held = odd.expand_as(squares)

    def squared_errors(self):
        return self.squares


def movie(pixels=3.0, noise=0.05, size=24):
    """Return blobs that drift to the right by so many pixels in all, in five frames."""
    generator = np.random.default_rng(0)
    scene = np.clip(gaussian_filter(generator.standard_normal((size, size)), 2.0) * 8, 0, None)
    frames = [shift(scene, (0, pixels * part), mode="reflect") for part in np.linspace(0, 1, 5)]
    data = np.stack(frames) + noise * generator.standard_normal((5, size, size))
    units = ("second", "pixel", "pixel")
    return Image(data.astype(np.float32), "TYX", (2.0, 1, 1), units, name="cells")


@pytest.mark.parametrize(("gain", "moves"), [(0.0, False), (-0.5, False), (0.5, True)])
def test_motion_is_needed_if_unseen_blocks_say_so(gain, moves):
    noise = torch.randn(4, 32, 32, generator=torch.Generator().manual_seed(0))
    resting = Errors(2 + gain + 0.5 * noise)
    assert predicts_better([Errors(torch.full((4, 32, 32), 2.0))], [resting]) == moves


def test_two_fits_with_a_quarter_unseen_each_tell_together_what_one_does_not():
    values = torch.full((4, 32, 32), 2.0)
    step = 0.12 * (2 * (torch.arange(8) // 2 % 2) - 1).repeat_interleave(4)  # of whole blocks
    moving, resting = Errors(values), Errors(values + 0.03 + step)
    assert not predicts_better([moving], [resting])  # 0.03 is 2.8 standard errors of 128 blocks
    assert predicts_better([moving, moving], [resting, resting])


class Half(Errors):
    """A fit to a part of the pixels; `name` says whether it began with the motion of the whole."""

    def __init__(self, name, squares):
        super().__init__(squares)
        self.model = name

    def held_out(self):
        return float(self.squares.mean().sqrt())


@pytest.mark.parametrize(("again", "kept"), [(1.0, "whole"), (2.0, "own")])
@pytest.mark.parametrize(("part", "fits"), [(0.5, [2, 1, 0]), (0.75, [3, 2, 1, 0])])
@pytest.mark.parametrize(("error", "fails"), [(1.2, False), (1.0, True)])
def test_a_half_that_missed_the_motion_is_fitted_again(
    monkeypatch, again, kept, part, fits, error, fails
):
    """It keeps the motion of the whole only if that predicts its unseen pixels better."""
    left, guides = [], []
    squares = {"own": 2.0, "whole": again, "rest": 3.0}

    def fit(whole, seen, number, monitor, *, moving=True, start=None, guided=False, later=0):
        left.append(later)
        guides.append(guided)
        name = "rest" if not moving else "own" if start is None else "whole"
        yield from ()
        return Half(name, torch.full((4, 32, 32), squares[name]))

    monkeypatch.setattr(halves, "_fit", fit)
    seen = torch.ones(1, dtype=torch.bool)
    monkeypatch.setattr(halves, "parts_of", lambda whole: (seen, ~seen))
    monkeypatch.setattr(halves, "_compared", lambda *_: halves._Compared(5.0, 9.0, False))
    monkeypatch.setattr(halves, "contradiction", lambda found: None)
    monkeypatch.setattr(halves, "delays_of", lambda optics: None)
    whole = SimpleNamespace(
        model="model of the whole",
        optics=None,
        part_seen=part,
        held_out=lambda: error,
        by_flow=None,
    )
    assert finish(halves.fit_halves(whole, None)).models == (kept, kept)
    assert left == [*fits, 1, 0]
    assert guides == [False] * len(fits) + [fails] * 2
    left.clear()
    whole.by_flow = True  # without the light of each layer, its motion would be given in vain
    assert finish(halves.fit_halves(whole, None)).models == ("own", "own")
    assert left == fits


@pytest.mark.parametrize(
    ("moving", "size", "small"),
    [(0.3, 7.0, False), (0.3, 0.2, True), (0.05, 7.0, True), (1, 0.4, False)],
)
def test_a_part_that_moves_is_enough(monkeypatch, moving, size, small):
    """Motion of most of the specimen may be zero; error 0.3 pixels everywhere."""
    noise = np.random.default_rng(0).standard_normal((1, 1, 20, 20))
    scene = gaussian_filter(noise, (0, 0, 1, 1)).astype(np.float32)
    far = np.where(np.arange(20)[:, None] < moving * 20, size, 0.0) * np.ones((20, 20))

    class Rendered:
        def __init__(self, *_, **__):
            self.settings = {"frames": [0.0, 1.0], "zoom": (1.0, 1.0)}

        def errors(self, times, reference):
            return np.full((len(times), 20, 20), 0.3)

        def displacement(self, times, reference):
            return np.stack([np.zeros_like(far), far])[None].repeat(len(times), 0)

        def scene(self, times):
            return scene

    monkeypatch.setattr(halves, "Rendering", Rendered)
    plan = SimpleNamespace(shape=SimpleNamespace(layers=1))
    config = SimpleNamespace(reference=0)
    whole = SimpleNamespace(
        model=None, device=None, plan=plan, config=config, model_settings=lambda: None
    )
    found = halves._compared(whole, [], None)
    assert found.error == pytest.approx(0.3)
    assert found.is_small == small


def test_pixels_of_one_block_are_one_witness():
    values = torch.zeros(1, 32, 32)
    values[0, :4, :4] = 7
    means = of_blocks(values, Errors(values).held)
    assert len(means) == 32
    assert means.max() == 7
    assert (means > 0).sum() == 1


def test_the_remaining_time_includes_later_fits():
    half_done = Progress("fitting", 50, 100, eta=10.0)
    assert lasting(half_done, 200).eta == pytest.approx(50)
    assert lasting(half_done, 0).eta == 10
    assert lasting(Progress("fitting", 100, 100, eta=0.0), 200).eta == 0


@pytest.mark.parametrize(
    ("layers", "nonnegative", "part"), [(1, True, 0.5), (2, True, 0.75), (1, False, 0.75)]
)
def test_parts_are_blocks_and_leave_out_other_pixels(layers, nonnegative, part):
    class Whole:
        config, device = NSTMConfig(), torch.device("cpu")
        frames = torch.zeros(3, 30, 41)

    Whole.part_seen = part_seen(layers, nonnegative=nonnegative)

    first, second = parts_of(Whole())
    assert (first | second).all()
    for seen in (first, second):
        assert seen.shape == (3, 30, 41)
        assert part - 0.1 < float(seen.float().mean()) < part + 0.1
        corner = seen[:, :28, :40].reshape(3, 7, 4, 10, 4).float().mean((2, 4))
        assert set(corner.unique().tolist()) == {0.0, 1.0}


def test_the_error_is_scaled_by_the_number_of_pixels():
    """Differences of fits of three quarters are √3 times smaller than errors of the same size."""
    generator = np.random.default_rng(0)
    apart = generator.random((2, 3, 20, 20)).astype(np.float32)
    zoom = (1.0, 1.0)
    halves_of = error_of(apart, seen=0.5, layers=1, zoom=zoom)
    np.testing.assert_array_equal(halves_of, apart.max(0))
    layered = error_of(apart, seen=0.75, layers=2, zoom=zoom)
    np.testing.assert_allclose(layered, np.sqrt(3) * apart.max(0), rtol=1e-6)
    even = np.stack([np.full((3, 20, 20), d, np.float32) for d in (0.3, 0.4)])
    phase = error_of(even, seen=0.75, layers=1, zoom=zoom)
    np.testing.assert_allclose(phase, np.sqrt(3 * (0.3**2 + 0.4**2) / 2), rtol=1e-5)


def test_the_error_of_a_phase_is_that_of_a_neighbourhood_of_its_own_time():
    apart = np.zeros((2, 3, 41, 41), np.float32)
    apart[0, 1, 20, 20] = 1
    found = error_of(apart, seen=0.75, layers=1, zoom=(1.0, 1.0))
    assert not found[[0, 2]].any()
    # The squared kernel of a Gaussian of 3 pixels: exp(−d²/2σ²) / 2πσ² of 3/2.
    assert found[1, 20, 20] == pytest.approx(np.sqrt(1.5 / (2 * np.pi * 9)), rel=0.02)
    assert found[1, 20, 26] == pytest.approx(found[1, 20, 20] * np.exp(-1), rel=0.02)


@pytest.fixture(scope="module")
def checked():
    return reconstruct(movie(), steps=120, restart=False, unexplained="off", bleaching="off")


def test_the_error_of_the_motion_is_an_image_in_pixels(checked):
    assert checked.roles[-1] == "motion-error"
    error, confidence = (
        np.asarray(checked.image(role).array()) for role in ("motion-error", "confidence")
    )
    assert error.shape == checked.image("speed").shape
    assert error.min() >= 0
    np.testing.assert_allclose(confidence, 0.25 / (0.25 + error**2), rtol=1e-4)
    assert checked.report["motion_error"] > 0
    assert checked.report["moves"]


def test_a_saved_fit_renders_the_error_again(checked, rendered_as_told):
    kept = stored(header_of(checked), {k: v.numpy() for k, v in checked.state.items()})
    images = rendered_as_told(kept, Query())
    for one, other in zip(images, checked.images, strict=True):
        np.testing.assert_allclose(one.array(), other.array(), atol=1e-4)


def test_noise_without_structure_gets_no_motion():
    image = movie(0.0, noise=1.0)
    noise = np.random.default_rng(1).standard_normal(image.shape).astype(np.float32)
    found = reconstruct(image.like(noise), steps=60, restart=False, unexplained="off")
    assert not found.report["moves"]
    assert "No motion was found" in " ".join(found.report["warnings"])


def test_a_stop_during_the_check_leaves_the_result_and_says_so(monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)
    job, message = iter_reconstruct(movie(), NSTMConfig(steps=12, restart=False)), None
    stages = []
    try:
        while True:
            progress = job.send(message)
            stages.append(progress.stage)
            message = "stop" if "half 1" in progress.stage else None
    except StopIteration as finished:
        fitted = finished.value
    assert any("checking the motion: half of the pixels at rest" in stage for stage in stages)
    assert "motion-error" not in fitted.roles
    assert "was not checked" in " ".join(fitted.report["warnings"])
    assert not fitted.config.check_motion  # so that the settings repeat this result


def test_a_check_costs_what_is_estimated():
    image = movie()
    alone, both = (cost(image, NSTMConfig(check_motion=check)).seconds for check in (False, True))
    assert both == pytest.approx(2.5 * alone)
    phase = {"optics": {"kind": "dpc", "wavelength": 0.5, "na": 0.3, "pixel_size": 0.4}}
    phase["restart"] = (
        False  # else parts are looked at after a check, which test_phase_parts counts
    )
    for more, checks in ((phase, 2.0), ({"motion_layers": 2}, (1.0 + 1.5) / 1.5)):
        alone, both = (
            cost(image, NSTMConfig(check_motion=check, **more)).seconds for check in (False, True)
        )
        assert both == pytest.approx((1 + checks) * alone)


def test_a_preview_is_not_checked():
    config = NSTMConfig(preset="preview", steps=3)
    assert not config.check_motion
    assert finish(iter_reconstruct(movie(), config)).roles[-1] == "confidence"


def test_a_part_that_fails_begins_with_the_motion_of_the_whole():
    """The motion is the same until half of the steps are done, and is fitted from then on."""
    image, config = movie(), NSTMConfig(steps=8, coarse_to_fine=False)
    measurement = prepare(image, TimeLapse())
    problem = halves._GuidedProblem(
        measurement, plan(measurement, config), config, image, torch.device("cpu")
    )
    moving = problem.param_groups()[1]["params"]
    for step, changes in ((0, False), (3, False), (4, True), (7, True)):
        for parameter in moving:
            parameter.grad = None
        sum(problem.loss(step, torch.Generator()).values()).backward()
        assert all((parameter.grad is not None) == changes for parameter in moving)
