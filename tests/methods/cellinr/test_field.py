"""The network that corrects the initial estimate, and how its fit is judged and stored."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_cellinr import CellINRConfig, Image, denoise, load_fit, render
from napari_cellinr.api import iter_denoise
from napari_cellinr.fitting.problem import PreviewRequest
from napari_cellinr.methods.cellinr import costs
from napari_cellinr.methods.cellinr.field import mixed, rounds
from napari_cellinr.methods.cellinr.field import problem as field_problem
from napari_cellinr.methods.cellinr.field.brightest import lost_brightness
from napari_cellinr.methods.cellinr.field.calibrate import by_frequency
from napari_cellinr.methods.cellinr.field.gate import blend
from napari_cellinr.methods.cellinr.field.mixed import (
    WIDTHS,
    filtered_part,
    smoothed,
    smoothed_part,
    sparse_part,
)
from napari_cellinr.methods.cellinr.field.problem import evaluate, network_input
from napari_cellinr.methods.cellinr.field.residuals import Residual, relative_error
from napari_cellinr.methods.cellinr.model import LAYERS, ResidualField

TOY = {"preset": "best", "steps": 8, "rounds": 2, "repeats": 1, "background": "keep"}


def recording(shape=(40, 44), seed=0, photons=30.0):
    """Return an image of soft spots by a camera, and its truth, in grey levels."""
    generator = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    truth = np.full(shape, 0.1)
    for _ in range(np.prod(shape) // 120):
        place = generator.uniform(0, 1, len(shape)) * shape
        truth += np.exp(-((grid - place) ** 2).sum(-1) / 4)
    truth *= photons / truth.max()
    noisy = generator.poisson(truth) * 2.0 + 100 + generator.normal(size=shape)
    return Image(noisy.astype(np.float32), "ZYX"[-len(shape) :]), 2 * truth + 100


@pytest.fixture(scope="module")
def fitted():
    return denoise(recording()[0], **TOY)


def collect(job, answer=lambda progress: None):
    message, seen = None, []
    while True:
        try:
            progress = job.send(message)
        except StopIteration as finished:
            return finished.value, seen
        seen.append(progress)
        message = answer(progress)


def test_the_network_improves_what_it_starts_from():
    raw, truth = recording((64, 64), seed=1)
    fit = denoise(raw, **{**TOY, "steps": 80, "rounds": 1})
    start = denoise(raw, background="keep", rounds=0)
    before, after = (((f.images[0].array() - truth) ** 2).mean() for f in (start, fit))
    assert after < 0.9 * before


@pytest.mark.parametrize("n_planes", [1, 3])
def test_the_network_convolves_planes_with_their_neighbours(n_planes):
    """As a 3-D convolution does whose outermost planes are repeated."""
    torch.manual_seed(0)
    field, views = ResidualField(2, 4, n_planes), torch.randn(2, 5, 15, 17)
    torch.nn.init.normal_(field.last.weight)
    values = views[None]
    for layer in (*field.layers, field.last):
        weight = layer.weight.unflatten(1, (n_planes, -1)).transpose(1, 2)
        far = n_planes // 2
        wide = torch.nn.functional.pad(values, (0, 0, 0, 0, far, far), mode="replicate")
        values = torch.nn.functional.conv3d(wide, weight, layer.bias)
        if layer is not field.last:
            values = values.relu()
    torch.testing.assert_close(field(views)[0], values[0, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 30, 26), (6, 20, 26)])
def test_the_mean_over_orientations_turns_with_the_image(shape):
    torch.manual_seed(0)
    field = ResidualField(2, 4, 3 if shape[0] > 1 else 1)
    for layer in (field.last, field.log_error):
        torch.nn.init.normal_(layer.weight)
    views = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)

    def found(images):
        return evaluate(field, network_input(images, torch.device("cpu")), turned=True)

    whole = found(views)
    for axes in [(-1,), (-2,), (-1, -2), (-3,)]:
        for one, turned in zip(whole, found(np.flip(views, axes)), strict=True):
            np.testing.assert_allclose(np.flip(turned, axes), one, atol=1e-5)
    if shape[0] == 1:
        for one, turned in zip(whole, found(views.swapaxes(-1, -2)), strict=True):
            np.testing.assert_allclose(turned.swapaxes(-1, -2), one, atol=1e-5)


def test_the_report_says_what_the_fit_starts_from_and_what_the_network_adds(fitted):
    field = fitted.report["field"]
    assert field["rounds"] == 2
    assert field["held_out"] == fitted.report["held_out"]
    assert field["held_out_start"] == fitted.history[0]["held_out"]
    assert np.isfinite(field["expected_gain_db"])
    assert len(field["fractions"]) == 3


def test_the_standard_error_is_an_image_of_the_fit(fitted):
    assert fitted.roles == ("result", "background", "signal", "error")
    error = fitted.image("error").array()
    assert error.shape == fitted.image("result").shape
    assert (error > 0).all()


def test_the_standard_error_is_in_grey_levels():
    raw, _ = recording()
    tenfold = raw.like(raw.array() * 10)
    one, ten = (denoise(image, **TOY).image("error").array() for image in (raw, tenfold))
    np.testing.assert_allclose(ten / 10, one, rtol=0.3)


def test_the_settings_in_the_result_repeat_it(fitted):
    again = denoise(recording()[0], **fitted.config.as_dict())
    np.testing.assert_array_equal(again.images[0].array(), fitted.images[0].array())


def test_a_saved_fit_renders_all_images_again(fitted, tmp_path):
    from napari_cellinr import save_fit

    path = tmp_path / "fit.cellinr"
    save_fit(path, fitted)
    for one, other in zip(render(load_fit(path)), fitted.images, strict=True):
        np.testing.assert_allclose(one.array(), other.array(), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("stage", ["initial estimate", "fitting", "preparing the groups"])
def test_a_stop_gives_the_best_so_far_with_all_images(stage):
    told = []

    def answer(progress):
        if progress.stage.startswith(stage) and not told:
            told.append(stage)
            return "stop"
        return None

    fit, _ = collect(iter_denoise(recording()[0], CellINRConfig.model_validate(TOY)), answer)
    assert fit.stopped == "user"
    assert len(fit.images) == 4
    assert np.isfinite(fit.images[0].array()).all()


def test_a_preview_shows_the_image_as_it_improves():
    def ask(progress):
        return PreviewRequest({}) if progress.stage == "fitting" else None

    fit, seen = collect(iter_denoise(recording()[0], CellINRConfig.model_validate(TOY)), ask)
    previews = [one.preview for one in seen if one.preview is not None]
    assert previews[0].shape == fit.images[0].shape
    assert (previews[0].array() != previews[-1].array()).any()


def test_a_series_frame_by_frame_has_an_error_for_each_frame():
    frames = [recording((24, 26), seed)[0].array() for seed in range(2)]
    fit = denoise(Image(np.stack(frames), "TYX"), **TOY, coupling=False)
    assert fit.image("error").shape == (2, 24, 26)
    assert len(fit.report["field"]) == 2


def test_an_untrained_network_changes_nothing():
    views = torch.randn(4, 3, 17, 16)
    correction, _ = ResidualField(4, 8, 3)(views)
    assert correction.shape == (3, 9, 8)
    assert not correction.any()


@pytest.mark.parametrize("n_planes", [1, 3])
def test_block_by_block_is_the_same_as_at_once(monkeypatch, n_planes):
    field = ResidualField(3, 4, n_planes)
    torch.nn.init.normal_(field.last.weight)
    views = np.random.default_rng(0).normal(size=(3, 7 if n_planes > 1 else 1, 20, 22))
    views = network_input(views.astype(np.float32), torch.device("cpu"))
    at_once = evaluate(field, views)
    monkeypatch.setattr(field_problem, "BLOCK_VOXELS", 300)
    for one, other in zip(evaluate(field, views), at_once, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("plane", [3, 99, -1])
def test_a_preview_of_a_plane_that_there_is_not_does_not_end_the_fit(plane):
    job = iter_denoise(recording((3, 16, 18))[0], CellINRConfig.model_validate(TOY))
    progress = next(job)
    while progress.preview is None:
        progress = job.send(PreviewRequest({"Z": plane}))
    assert progress.preview.shape == (0, 16, 18)
    job.close()


@pytest.mark.parametrize("planes", [slice(0, 1), slice(9, 10), slice(4, 12), slice(19, 20)])
def test_some_planes_are_as_in_the_whole_and_take_only_their_neighbours(monkeypatch, planes):
    field = ResidualField(2, 4, 3)
    torch.nn.init.normal_(field.last.weight)
    views = np.random.default_rng(0).normal(size=(2, 20, 12, 14)).astype(np.float32)
    inputs = network_input(views, torch.device("cpu"))
    whole = evaluate(field, inputs)
    forward, evaluated = ResidualField.forward, []

    def noted(self, views):
        evaluated.append(views.shape[1])
        return forward(self, views)

    monkeypatch.setattr(ResidualField, "forward", noted)
    for some, all_planes in zip(evaluate(field, inputs, planes), whole, strict=True):
        np.testing.assert_allclose(some, all_planes[planes], atol=1e-5)
    assert sum(evaluated) <= planes.stop - planes.start + 2 * LAYERS


def test_held_out_voxels_decide_how_much_of_a_correction_is_applied():
    generator = np.random.default_rng(0)
    shape = (8, 60, 60)
    truth, error = generator.normal(size=(2, *shape)).astype(np.float32)
    values = truth + generator.normal(size=shape).astype(np.float32)
    held = generator.random(shape) < 0.1
    estimate = truth + 0.5 * error
    right = blend(estimate, -0.5 * error, values, held, 1.0, correlated=False)
    wrong = blend(estimate, 0.5 * error, values, held, 1.0, correlated=False)
    doubtful = blend(estimate, -0.5 * error, values, held, 0.1, correlated=True)
    assert (right.fractions > 0.8).all()
    assert (doubtful.fractions == 0).all()
    assert (wrong.fractions == 0).all()


def test_a_network_that_the_time_limit_leaves_out_is_warned_of(monkeypatch):
    monkeypatch.setattr(rounds, "round_seconds", lambda *_: 1e6)
    fit = denoise(recording()[0], **TOY, max_seconds=1000)
    assert fit.report["steps"] == 0
    assert any("network was not trained" in text for text in fit.report["warnings"])
    assert not any("network" in text for text in denoise(recording()[0], **TOY).report["warnings"])


def test_an_estimate_for_which_there_was_no_time_is_warned_of():
    raw, _ = recording((16, 64, 64))
    fit = denoise(raw, **TOY, max_seconds=0.01)
    assert fit.config.estimate != "groups"
    assert any("network was not trained" in text for text in fit.report["warnings"])


def test_rounds_that_the_time_limit_leaves_out_are_warned_of(monkeypatch):
    finish = rounds.Rounds.finish

    def slow(self, *given):
        finish(self, *given)
        self.seconds = 1e6

    monkeypatch.setattr(rounds.Rounds, "finish", slow)
    fit = denoise(recording()[0], **TOY, max_seconds=1000)
    assert fit.report["field"]["rounds"] == 1
    assert any("left out some of the rounds" in text for text in fit.report["warnings"])


def test_the_standard_error_includes_the_unknown_mean_of_offsets_of_the_camera():
    raw, _ = recording((64, 64), seed=2)
    lines = np.random.default_rng(0).normal(0, 30, 64).astype(np.float32)
    fit = denoise(raw.like(raw.array() + lines[:, None]), **TOY)
    sd = fit.report["noise"]["offset_sd"]
    assert sd == pytest.approx(lines.std() / 8, rel=0.1)
    assert fit.image("error").array().min() > sd


@pytest.mark.parametrize(("contrast", "part"), [(14, 0), (45, 0.2), (75, 0.4), (200, 0.5)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_sparse_part_rises_with_the_contrast(contrast, part, sign):
    values = np.zeros(10_000, np.float32)
    values[:20] = sign * contrast
    assert sparse_part(values) == pytest.approx(part)


def test_with_much_light_a_sparse_estimate_makes_the_result_better(monkeypatch):
    raw, truth = recording((64, 64), seed=3, photons=4000.0)
    with_it = denoise(raw, **TOY)
    assert with_it.report["field"]["sparse"] == 0.5
    monkeypatch.setattr("napari_cellinr.methods.cellinr.field.mixed.MOST_SPARSE", 0.0)
    without = denoise(raw, **TOY)
    assert without.report["field"]["sparse"] == 0
    errors = [np.square(f.images[0].array() - truth).mean() for f in (with_it, without)]
    assert errors[0] < 0.97 * errors[1]


@pytest.mark.parametrize(("contrast", "part"), [(1, 0.2), (4, 0.2), (5, 0.1), (6, 0), (200, 0)])
def test_the_smoothed_part_falls_with_the_contrast(contrast, part):
    values = np.zeros(10_000, np.float32)
    values[:20] = contrast
    assert smoothed_part(values) == pytest.approx(part)


@pytest.mark.parametrize("shape", [(128, 128), (16, 48, 48)])
def test_the_width_of_the_smoothed_image_is_the_best_one(shape):
    """It is chosen without the truth, and without knowledge of the noise."""
    generator = np.random.default_rng(4)
    clean = gaussian_filter(generator.normal(size=shape), 2.5)
    clean *= 100 / clean.std()
    noisy = (clean + generator.normal(0, 200, shape)).astype(np.float32)
    errors = [np.square(gaussian_filter(noisy, width) - clean).mean() for width in WIDTHS]
    found = np.square(smoothed(noisy, torch.device("cpu")) - clean).mean()
    assert found < 1.05 * min(errors)


def test_with_little_light_a_smoothed_image_makes_the_result_better(monkeypatch):
    raw, truth = recording((64, 64), seed=3, photons=2.0)
    with_it = denoise(raw, **TOY)
    assert with_it.report["field"]["smoothed"] == 0.2
    monkeypatch.setattr("napari_cellinr.methods.cellinr.field.mixed.MOST_SMOOTHED", 0.0)
    without = denoise(raw, **TOY)
    assert without.report["field"]["smoothed"] == 0
    errors = [np.square(f.images[0].array() - truth).mean() for f in (with_it, without)]
    assert errors[0] < 0.99 * errors[1]


@pytest.mark.parametrize(("spread", "near"), [(0.0, 0.3), (0.5, 0.2), (3.0, 0.03)])
def test_errors_by_the_frequency_of_a_brightness_are_the_true_ones(spread, near):
    """Of a truth of normal brightness, whose results err by 1."""
    generator = np.random.default_rng(0)
    truth = spread * generator.standard_normal(120_000)
    error = generator.standard_normal(len(truth))
    results = (truth + error).astype(np.float32)
    levels, factors = by_frequency(results, np.ones_like(results))
    order = np.argsort(results)
    true = [(error[part] ** 2).mean() ** 0.5 for part in np.array_split(order, len(levels))]
    # smoothed frequencies are wider, which counts most where all of the truth is one value
    np.testing.assert_allclose(factors, np.maximum(true, 0.5), atol=near)


def test_brightness_that_varies_far_more_than_results_err_says_nothing():
    results = np.linspace(0, 1e6, 5000, dtype=np.float32)
    assert (by_frequency(results, np.ones_like(results))[1] == 1).all()


def residual(noise=1.0, lost=0.0, seed=0):
    """Return the residual of a result that a pattern makes too dark at its brightest third."""
    generator = np.random.default_rng(seed)
    results = np.broadcast_to(np.linspace(0, 10, 96, dtype=np.float32), (1, 96, 96))
    pattern = gaussian_filter(generator.standard_normal(results.shape), (0, 2, 2))
    error = np.where(results > 20 / 3, (0.3 + lost) / pattern.std(), 0.3 / pattern.std()) * pattern
    drawn = noise * generator.standard_normal(results.shape)
    return Residual(results, (drawn + error).astype(np.float32), error.astype(np.float32))


def test_errors_are_those_of_synthetic_images_where_residuals_are_alike():
    _, found = relative_error([residual(seed=1)], [residual(), residual(seed=2)], correlated=False)
    np.testing.assert_allclose(found, 1, atol=0.15)


def test_errors_grow_with_the_noise_and_where_structure_is_lost():
    _, louder = relative_error([residual(noise=1.7, seed=1)], [residual()], correlated=False)
    _, lost = relative_error([residual(lost=0.6, seed=1)], [residual()], correlated=False)
    assert (louder > 1.3).all()
    assert lost[0] == pytest.approx(1, abs=0.15)
    assert lost[1] < 1.3  # next to what is lost
    assert lost[2] > 2


def test_the_residual_of_noise_with_a_grain_says_nothing():
    _, found = relative_error([residual(noise=3.0, seed=1)], [residual()], correlated=True)
    assert len(set(found)) == 1


@pytest.mark.parametrize(("lost", "least", "most"), [(0.0, 0.0, 0.1), (1.0, 0.5, 1.0)])
def test_lost_brightness_is_found_and_noise_is_not_taken_for_it(lost, least, most):
    """Results follow their own noise, in the image as in the synthetic one."""
    images = []
    for seed in range(2):
        generator = np.random.default_rng(seed)
        truth = generator.exponential(1.0, (1, 160, 160))
        noise = generator.standard_normal(truth.shape)
        results = (truth + 0.2 * noise - (1 - seed) * lost * (truth > 4)).astype(np.float32)
        errors = (truth - results).astype(np.float32)
        images.append(Residual(results, (truth + noise - results).astype(np.float32), errors))
    levels, found = lost_brightness(images[0], images[1:])
    assert (np.diff(levels) > 0).all()
    assert found[0] == 0
    assert least <= found[-1] <= most


@pytest.mark.parametrize(("scale", "side"), [(1.0, 256), (0.7, 256), (0.7, 64)])
def test_where_nothing_is_lost_chance_adds_hardly_anything(scale, side):
    """Also if synthetic images have few voxels that are as bright: the last once gained 0.19."""
    most = []
    for seed in range(30):
        generator = np.random.default_rng(seed)
        images = []
        for factor, size in ((1.0, 256), (scale, side), (scale, side)):
            results = (factor * generator.gamma(0.5, 1, (1, size, size))).astype(np.float32)
            errors = generator.normal(0, 0.2, results.shape).astype(np.float32)
            noise = generator.standard_normal(results.shape).astype(np.float32)
            images.append(Residual(results, noise + errors, errors))
        most.append(lost_brightness(images[0], images[1:])[1].max())
    assert np.mean(most) < 0.1


@pytest.mark.filterwarnings("error")
def test_classes_of_few_voxels_lose_no_brightness():
    generator = np.random.default_rng(0)
    results = generator.gamma(0.5, 1, (1, 100, 300)).astype(np.float32)
    drawn = np.minimum(generator.gamma(0.5, 1, (1, 64, 64)), 0.5).astype(np.float32)
    real = Residual(results, np.ones_like(results))
    synthetic = Residual(drawn, np.zeros_like(drawn), np.zeros_like(drawn))
    levels, found = lost_brightness(real, [synthetic])
    assert len(levels) == len(found)
    assert np.isfinite(found).all()
    assert (found >= 0).all()


def test_with_little_light_bright_structures_keep_more_of_their_brightness(monkeypatch):
    raw, truth = recording((96, 96), seed=3, photons=4.0)
    with_it = denoise(raw, background="keep").image("result").array()
    monkeypatch.setattr(rounds, "dimness", lambda result: 0.0)
    without = denoise(raw, background="keep").image("result").array()
    bright, dark = truth > np.quantile(truth, 0.97), truth < np.quantile(truth, 0.5)
    kept, before = (image[bright].mean() - image[dark].mean() for image in (with_it, without))
    assert before < kept < truth[bright].mean() - truth[dark].mean()


@pytest.mark.parametrize(("gain", "part"), [(-0.1, 0.4), (0.3, 0.4), (0.45, 0.2), (2.0, 0.0)])
def test_the_second_filter_counts_where_the_network_gains_little(gain, part):
    assert filtered_part(gain) == pytest.approx(part)


def test_the_second_filter_is_mixed_into_planes_in_that_part(monkeypatch):
    """Of what is added in stabilised values."""
    raw = recording((48, 48), seed=1)[0]
    images = []
    for part in (0.0, 0.35, 0.7):
        monkeypatch.setattr(mixed, "filtered_part", lambda gain, part=part: part)
        fit = denoise(raw, background="keep", steps=8)
        assert fit.report["field"]["filtered"] == pytest.approx(part)
        images.append(fit.state["correction"].numpy())
    np.testing.assert_allclose(images[1], (images[0] + images[2]) / 2, atol=1e-5)
    assert np.abs(images[2] - images[0]).max() > 0.01


def test_a_second_filter_for_which_there_is_no_time_is_left_out_and_warned_of(monkeypatch):
    raw = recording((48, 48), seed=1)[0]
    monkeypatch.setattr(mixed, "filtered_part", lambda gain: 0.7)
    monkeypatch.setattr(mixed, "collaborative_seconds", lambda shape: 1e6)
    fit = denoise(raw, background="keep", steps=8, max_seconds=1000)
    assert fit.report["field"]["filtered"] == 0
    assert any("second filter" in text for text in fit.report["warnings"])
    monkeypatch.setattr(mixed, "filtered_part", lambda gain: 0.0)
    fit = denoise(raw, background="keep", steps=8, max_seconds=1000)
    assert not any("second filter" in text for text in fit.report["warnings"])


def test_the_estimated_time_of_a_plane_includes_the_second_filter():
    config = CellINRConfig.model_validate(TOY)
    plane = Image(np.zeros((256, 256), np.float32), "YX")
    with_it = costs.cost(plane, config).seconds
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(costs, "SECOND_FILTER_SECONDS", 0.0)
        assert with_it - costs.cost(plane, config).seconds == pytest.approx(0.39, abs=0.05)


def test_volumes_are_not_filtered_again(monkeypatch):
    raw, _ = recording((6, 24, 24), seed=2)
    images = []
    for part in (0.0, 0.7):
        monkeypatch.setattr(mixed, "filtered_part", lambda gain, part=part: part)
        images.append(denoise(raw, **TOY).image("result").array())
    np.testing.assert_array_equal(*images)
