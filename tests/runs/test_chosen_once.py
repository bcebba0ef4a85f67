"""What held-out frames choose is chosen once, in the plan, and is the same in all parts."""

import numpy as np
import pytest

from napari_cellinr import Image, write
from napari_cellinr.config import SpatimeConfig
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods.spatime import channel
from napari_cellinr.methods.spatime.between.flow import FLOWS
from napari_cellinr.methods.spatime.chosen import Chosen
from napari_cellinr.runs.scale import layout, make
from napari_cellinr.runs.scale.methods import superresolve
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
    assert plan.channels[0].get("chosen") is None or plan.channels[0]["chosen"]["span"] > 0
