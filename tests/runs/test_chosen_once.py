"""What held-out frames choose is chosen once, in the plan, and is the same in all parts."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_cellinr import Image, write
from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.config import SpatimeConfig
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods.spatime import channel
from napari_cellinr.methods.spatime.between.flow import FLOWS
from napari_cellinr.methods.spatime.chosen import LEVELS, Chosen
from napari_cellinr.runs.scale import layout, make
from napari_cellinr.runs.scale.methods import measured, superresolve, typical
from napari_cellinr.runs.scale.parts import part_job
from napari_cellinr.runs.scale.plan import Part, load_plan, save_plan
from napari_cellinr.runs.scale.source import Source

N_FRAMES, SHAPE = 6, (32, 64)


@pytest.fixture
def source(tmp_path):
    """A movie whose left half is five times as bright as the right one."""
    generator = np.random.default_rng(0)
    grid = np.indices(SHAPE)
    frames = []
    for time in range(N_FRAMES):
        light = np.zeros(SHAPE)
        for x in (10, 26, 42, 58):
            distance = (grid[0] - 16) ** 2 + (grid[1] - x - time) ** 2
            light += (500 if x < 32 else 100) * np.exp(-distance / 18)
        frames.append(generator.poisson(light + 20))
    units = ("second", "micrometer", "micrometer")
    write(
        tmp_path / "in.zarr",
        Image(np.asarray(frames, np.float32), axes="TYX", scale=(2.0, 0.2, 0.2), units=units),
    )
    return Source(str(tmp_path / "in.zarr"))


def by_brightness(triples):
    """Return errors by which bright frames choose one flow, and dark ones another."""
    usual, other = FLOWS
    is_bright = np.mean([frames.mean() for frames in triples]) > 0.15
    return {usual: [1.0], other: [0.5 if is_bright else 2.0]}


def planned(source, tmp_path, monkeypatch, width, frames=N_FRAMES, **settings):
    """Return a plan with tiles of this width, in blocks of at most so many frames."""

    def boxes(image, needs, memory):
        tiles = layout._tiles(SHAPE, (SHAPE[0], width), layout.Needs(0, 0, 0, 1, 0, margins=(8, 8)))
        found = [Part(0, (0, frames), (0, frames), *one) for one in zip(*tiles, strict=True)]
        return found, 1.0

    monkeypatch.setattr(superresolve, "boxes", boxes)
    config = SpatimeConfig(scale={"t": 2}, **settings)
    return make.make_plan("superresolve", source, config, {"result": tmp_path / "o.zarr"}, 1e12)


@pytest.mark.parametrize("noise", ["keep", "remove"])
def test_all_parts_use_what_the_plan_has_chosen(source, tmp_path, monkeypatch, noise):
    monkeypatch.setattr(channel, "errors_of_flows", by_brightness)
    plan = planned(source, tmp_path, monkeypatch, 32, frames=3, noise=noise)
    save_plan(plan, tmp_path / "plan.json")
    chosen = Chosen.restored(load_plan(tmp_path / "plan.json").channels[0]["chosen"])
    seen, job = [], superresolve.superresolve_job

    def watched(*arguments, **named):
        fitted = yield from job(*arguments, **named)
        seen.append(fitted.model["channels"][0])
        return fitted

    monkeypatch.setattr(superresolve, "superresolve_job", watched)
    assert len(plan.parts) == 4
    for number in range(4):
        finish(part_job(plan, number, Monitor()))
    assert [one["flow"] for one in seen] == [chosen.flow] * 4
    assert [one["blending"]["attenuation"] for one in seen] == [chosen.attenuation] * 4


def test_what_is_chosen_does_not_depend_on_the_number_of_parts(source, tmp_path, monkeypatch):
    monkeypatch.setattr(channel, "errors_of_flows", by_brightness)
    plans = [planned(source, tmp_path, monkeypatch, width) for width in (16, 32, 64)]
    assert [len(plan.parts) for plan in plans] == [4, 2, 1]
    assert plans[0].channels == plans[1].channels == plans[2].channels


def test_a_plan_chooses_what_the_whole_chooses(source, tmp_path, monkeypatch):
    image = source.image()
    config = SpatimeConfig(scale={"t": 2})
    fitted = finish(superresolve.superresolve_job(image, config, Monitor()))
    plan = planned(source, tmp_path, monkeypatch, 32)
    assert Chosen.restored(plan.channels[0]["chosen"]) == Chosen.of_fit(fitted)


def test_grey_levels_of_parts_are_those_of_the_whole(source):
    """A part that is darker is compared on the same scale, so that its motion is as stiff."""
    image = source.image()
    dark = image.crop(X=slice(32, 64))
    chosen = Chosen.of_fit(finish(superresolve.superresolve_job(image, config_of(), Monitor())))
    within = superresolve.Within(chosen=chosen)
    seen = []

    class Watched(channel.ChannelFit):
        def close(self):
            seen.append((self.series.low, self.series.span, self._noise))
            super().close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_cellinr.methods.spatime.job.ChannelFit", Watched)
        finish(superresolve.superresolve_job(dark, config_of(), Monitor(), within=within))
    assert seen == [(chosen.low, chosen.span, chosen.noise)]


def config_of():
    return SpatimeConfig(scale={"t": 2})


def test_a_recording_that_shows_nothing_is_planned(tmp_path, monkeypatch):
    write(tmp_path / "in.zarr", Image(np.zeros((N_FRAMES, *SHAPE), np.float32), axes="TYX"))
    plan = planned(Source(str(tmp_path / "in.zarr")), tmp_path, monkeypatch, 32)
    assert plan.channels[0]["chosen"] is None


CORNER = 28
"""Voxels along each side of the specimen in one corner of a large frame."""


def specimen_in_a_corner(background, noise, beads):
    """Return a movie of a texture in one corner, beside which there is little or nothing."""
    generator = np.random.default_rng(0)
    texture = gaussian_filter(generator.standard_normal((CORNER, CORNER + N_FRAMES)), 2)
    texture = np.clip(300 + 100 * texture / texture.std(), 0, None)
    frames = np.zeros((N_FRAMES, 240, 240))
    for time in range(N_FRAMES):
        frames[time, 2 : 2 + CORNER, 2 : 2 + CORNER] = texture[:, time : time + CORNER]
    if beads:
        frames[:, 120:122, 120:122] = 900
    frames += background + noise * generator.standard_normal(frames.shape)
    return Image(frames.astype(np.float32), axes="TYX")


@pytest.mark.parametrize(
    ("background", "noise", "beads"), [(0, 0, False), (0, 0, True), (20, 5, False)]
)
def test_a_typical_part_without_the_specimen_chooses_nothing(monkeypatch, background, noise, beads):
    """The tile in which it is gives the same result as if nothing had been chosen."""
    monkeypatch.setitem(measured.STRUCTURE_VOXELS, 2, (48, 48))
    image = specimen_in_a_corner(background, noise, beads)
    config = config_of()
    (facts,), _ = superresolve.METHOD.measured(image, config)
    assert facts["chosen"] is None
    part = Part(0, (0, 2 * N_FRAMES - 1), (0, N_FRAMES), ((0, 32), (0, 32)), ((0, 40), (0, 40)))
    plan = SimpleNamespace(channels=[facts], config=config)
    tile = image.crop(Y=slice(0, 40), X=slice(0, 40))
    found = finish(superresolve.METHOD.job(tile, plan, part, Monitor())).images[0].array()
    own = finish(superresolve.superresolve_job(tile, config, Monitor())).images[0].array()
    np.testing.assert_array_equal(found, own)
    assert np.isfinite(found).all()


def test_the_range_of_grey_levels_is_that_of_all_windows(monkeypatch):
    """Beside the part with the most contrast, another one is brighter than all of it."""
    monkeypatch.setitem(measured.STRUCTURE_VOXELS, 2, (48, 48))
    image = specimen_in_a_corner(0, 0, beads=False)
    frames = np.roll(image.array(), (104, 104), (1, 2)) + 10 * np.indices((240, 240))[1]
    frames = frames.astype(np.float32)
    (facts,), _ = superresolve.METHOD.measured(Image(frames, axes="TYX"), config_of())
    chosen = Chosen.restored(facts["chosen"])
    assert chosen.low == pytest.approx(360, abs=20)  # of the left window, which begins at 36
    assert chosen.low + chosen.span >= 2020  # of the right window, which ends at 204
    starts = 96, 36, 156
    windows = [frames[2, y : y + 48, x : x + 48] for y in starts for x in starts]
    expected = np.std(windows)
    assert chosen.contrast[1] * chosen.span == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("span", "contrast"), [(1e-9, 0.0), (1e-9, 1e-30), (1e9, 1e9)])
def test_no_grey_levels_in_a_plan_are_fatal(source, span, contrast):
    noise = Noise(0.0, 1e-6)
    chosen = Chosen(
        flow=next(iter(FLOWS)),
        attenuation=0.0,
        motion_reliability=None,
        low=0.0,
        span=span,
        noise=noise,
        contrasts=(contrast,) * len(LEVELS),
        variance=contrast,
        power=contrast,
        change=contrast,
        shape=SHAPE,
    )
    within = superresolve.Within(chosen=chosen)
    fitted = finish(
        superresolve.superresolve_job(source.image(), config_of(), Monitor(), within=within)
    )
    assert np.isfinite(fitted.images[0].array()).all()


@pytest.mark.parametrize("motion", ["auto", "never", "always"])
@pytest.mark.parametrize("noise", ["keep", "match"])
def test_one_fit_is_made_for_all_that_parts_share(source, monkeypatch, noise, motion):
    fits, job = [], superresolve.superresolve_job

    def counted(image, config, *arguments, **named):
        fits.append(config)
        return job(image, config, *arguments, **named)

    monkeypatch.setattr(typical, "superresolve_job", counted)
    config = SpatimeConfig(scale={"t": 2}, noise=noise, motion=motion, max_seconds=500.0)
    (facts,), _ = superresolve.METHOD.measured(source.image(), config)
    assert [one.max_seconds for one in fits] == [500.0] * (noise == "match" or motion == "auto")
    assert ("lacking" in facts) == (noise == "match")
    assert ("chosen" in facts) == (motion == "auto")


def test_a_fit_that_its_time_limit_stops_says_nothing_for_parts(source):
    config = SpatimeConfig(scale={"t": 2}, noise="match", max_seconds=1e-3)
    (facts,), _ = superresolve.METHOD.measured(source.image(), config)
    assert "lacking" not in facts
    assert "chosen" not in facts


@pytest.mark.parametrize("reliability", [0.0, 1.0])
def test_parts_trust_motion_as_far_as_the_whole_does(source, monkeypatch, reliability):
    image = source.image()
    chosen = Chosen.of_fit(finish(superresolve.superresolve_job(image, config_of(), Monitor())))
    assert 0 <= chosen.motion_reliability <= 1
    asked, trust_of = [], channel.trust_of

    def watched(interval, evidence, given):
        asked.append(given)
        return trust_of(interval, evidence, given)

    monkeypatch.setattr(channel, "trust_of", watched)
    within = superresolve.Within(chosen=replace(chosen, motion_reliability=reliability))
    part = image.crop(X=slice(32, 64))
    fitted = finish(superresolve.superresolve_job(part, config_of(), Monitor(), within=within))
    assert set(asked) == {reliability}
    assert fitted.model["channels"][0]["motion_reliability"] == reliability
