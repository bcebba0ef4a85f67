"""NSTM at toy size: motion is recovered, failures are said, fits can be repeated and rendered."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_cellinr import Image, NSTMConfig, reconstruct
from napari_cellinr.config.optics import KINDS, TimeLapse
from napari_cellinr.errors import ConfigError, DataError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.fitting.resources.devices import choose_device
from napari_cellinr.fitting.saved.query import Query
from napari_cellinr.fitting.saved.stored import header_of, stored
from napari_cellinr.io import write
from napari_cellinr.methods import render
from napari_cellinr.methods.nstm.attempts import _fades
from napari_cellinr.methods.nstm.checks.report import explained_part
from napari_cellinr.methods.nstm.conventional import conventional
from napari_cellinr.methods.nstm.plan import held_blocks, held_frames
from napari_cellinr.methods.nstm.recording.noise import noise_map, noise_sd
from napari_cellinr.methods.nstm.rendering.render import _weakest_contrast
from napari_cellinr.simulate.recordings import moving

NOISE = 0.05
SIZE = 40


def movie(shift=5.0, n_frames=5, noise=NOISE, size=SIZE, width=None):
    """Return smooth blobs that drift to the right and down by `shift` pixels in all."""
    generator = np.random.default_rng(0)
    width = width or size
    scene = gaussian_filter(generator.standard_normal((size, width)), 2.5)
    scene = np.clip(scene / scene.std(), 0, None)
    y, x = np.indices(scene.shape).astype(float)
    frames = []
    for part in np.linspace(-0.5, 0.5, n_frames):
        places = [y - 0.6 * shift * part, x - 0.8 * shift * part]
        frames.append(map_coordinates(scene, places, order=3, mode="reflect"))
    data = np.stack(frames) + noise * generator.standard_normal((n_frames, size, width))
    units = ("second", "micrometer", "micrometer")
    return Image(data.astype(np.float32), "TYX", (2.0, 0.5, 0.5), units, name="cells")


@pytest.fixture(scope="module")
def fitted():
    return reconstruct(movie(), steps=250)


def test_motion_is_recovered_in_micrometres(fitted):
    motion = fitted.image("motion")
    assert (motion.axes, motion.channels, motion.dtype) == ("TCYX", ("y", "x"), np.float32)
    moved = motion.array()[:, :, 8:-8, 8:-8].mean(axis=(2, 3)) / 0.5  # pixels
    expected = np.outer(np.linspace(0, 5, 5), (0.6, 0.8))
    np.testing.assert_allclose(moved, expected, atol=0.2)
    assert fitted.report["converged"], fitted.report
    assert not fitted.report["warnings"]


def test_frames_of_one_brightness_do_not_fade():
    assert not _fades(np.ones(6))
    assert _fades(np.exp(-np.arange(6) / 10))


def test_the_reference_frame_has_not_moved(fitted):
    assert np.abs(fitted.image("motion").array()[0]).max() < 0.01


def test_the_scene_has_less_noise_than_the_frames(fitted):
    truth = movie(noise=0).array()
    inside = np.s_[:, 6:-6, 6:-6]
    error = (fitted.image("result").array() - truth)[inside].std()
    assert error < 0.8 * NOISE
    assert fitted.image("result").units == ("second", "micrometer", "micrometer")


def test_speed_and_confidence(fitted):
    speed = fitted.image("speed").array()[2, 10:-10, 10:-10].mean()
    assert speed == pytest.approx(5 * 0.5 / 8, rel=0.1)  # µm/s
    confidence = fitted.image("confidence").array()
    assert 0 <= confidence.min() <= confidence.max() <= 1


def test_the_same_seed_gives_the_same_numbers():
    """In all attempts, of which one looks for layers."""
    first, second = (reconstruct(movie(size=24, n_frames=4), steps=4) for _ in range(2))
    assert "2 layers" in [attempt["attempt"] for attempt in first.report["attempts"]]
    for one, other in zip(first.images, second.images, strict=True):
        np.testing.assert_array_equal(one.array(), other.array())


def test_a_kept_fit_renders_any_time_again(fitted, rendered_as_told):
    kept = stored(header_of(fitted), {k: v.numpy() for k, v in fitted.state.items()})
    device = choose_device("cpu")
    for one, other in zip(rendered_as_told(kept, Query()), fitted.images, strict=True):
        np.testing.assert_allclose(one.array(), other.array(), atol=1e-5)
    between = rendered_as_told(kept, Query(times=(1.0, 3.0), crop={"X": slice(4, 20)}))[0]
    assert between.shape == (2, SIZE, 16)
    assert between.translate[2] == 2.0
    with pytest.raises(ConfigError, match="lasts from 0 to 8"):
        render(kept, Query(times=(9.0,)), device)


@pytest.mark.parametrize("unit", ["nanometer", "pixel"])
def test_scene_and_conventional_answer_lie_where_a_cropped_source_lies(unit):
    units = ("second", unit, unit)
    part = replace(movie(), scale=(2, 500, 500), units=units).crop(T=slice(1, 5), X=slice(4, 24))
    scene = reconstruct(part, steps=1, restart=False, check_motion=False).images[0]
    other = conventional(part, NSTMConfig(optics=TimeLapse()))
    step = scene.scale[2]
    assert step == pytest.approx(0.5 if unit == "nanometer" else 1)
    assert scene.translate == pytest.approx((2, 0, 4 * step))
    assert other.translate == pytest.approx((2 + 3, 0, 4 * step))  # the middle of 2 to 8 s


def test_colours_of_one_band_are_one_frame_to_count_from(tmp_path):
    psf = np.zeros((15, 15), np.float32)
    psf[7, 7] = 1
    path = write(tmp_path / "psf.tif", Image(psf))
    optics = {**KINDS["rolling-shutter"].TYPICAL, "kind": "rolling-shutter"}
    optics.update(psf=str(path), rows_per_shot=5)
    picture = Image(np.random.default_rng(0).random((3, 30, 30)), "CYX")
    found = reconstruct(picture, optics, steps=1, restart=False, check_motion=False, reference=2)
    assert found.images[0].sizes["T"] == 3
    with pytest.raises(ConfigError, match="reference 3 was given; the recording has 3 frames"):
        reconstruct(picture, optics, steps=1, reference=3)


def test_motion_that_has_not_converged_is_said():
    hopeless = reconstruct(
        movie(shift=16), steps=60, motion_rate=0.01, restart=False, check_motion=False
    )
    assert not hopeless.report["converged"]
    assert "not converged" in " ".join(hopeless.report["warnings"])


def test_a_restart_is_faster_and_kept_if_it_is_better():
    alone = {"unexplained": "off", "bleaching": "off"}
    found = reconstruct(movie(shift=8, size=28), steps=80, motion_rate=0.2, **alone)
    tried = found.report["attempts"]
    assert tried[1]["attempt"] == "faster motion"
    one = [attempt["held_out"] for attempt in tried if "layers" not in attempt["attempt"]]
    assert found.report["held_out"] == min(one)


def test_stopping_gives_what_there_is():
    from napari_cellinr.api import iter_reconstruct

    job = iter_reconstruct(movie())
    while next(job).step < 4:
        pass
    stopped = finish(_told_to_stop(job))
    assert stopped.stopped == "user"
    assert "stopped" in stopped.report["warnings"][-1]


def _told_to_stop(job):
    yield job.send("stop")
    return (yield from job)


def test_a_reference_outside_is_refused():
    with pytest.raises(ConfigError, match="5 frames"):
        reconstruct(movie(), steps=1, reference=5)


def test_bad_frames_are_refused_before_the_fit():
    image = movie()
    image.array()[1, 2, 3] = np.nan
    with pytest.raises(DataError, match="1 of"):
        reconstruct(image)


def test_noise_is_estimated():
    noise = np.random.default_rng(0).normal(0, 0.3, (4, 64, 64)).astype(np.float32)
    slope = np.linspace(0, 5, 64, dtype=np.float32)
    assert noise_sd(noise + slope) == pytest.approx(0.3, rel=0.05)


def test_held_out_pixels_come_in_blocks_inside_the_margin():
    held = held_blocks((4, 64, 64), (5, 5), 0.05, np.random.default_rng(0))
    assert 0.02 < held.mean() < 0.06
    assert not held[:, :5].any()
    assert not held[..., -5:].any()


def test_every_step_of_a_job_says_where_it_is():
    from napari_cellinr.api import iter_reconstruct

    config = NSTMConfig(steps=3, restart=False, check_motion=False)
    assert finish(iter_reconstruct(movie(), config)).roles == (
        "result", "motion", "speed", "confidence",
    )  # fmt: skip


@pytest.mark.parametrize("role", [1, 2])  # motion and speed
def test_uncalibrated_motion_is_in_pixels_of_the_frames(fitted, role):
    """A scene may be finer than the frames: its own pixels are nobody's measure."""
    kept = stored(header_of(fitted), {k: v.numpy() for k, v in fitted.state.items()})
    settings = {**kept.model, "voxel": None}
    coarse, fine = (
        render(
            replace(kept, model={**settings, "zoom": [zoom, zoom]}),
            Query(),
            choose_device("cpu"),
        )[role]
        for zoom in (1.0, 2.0)
    )
    np.testing.assert_allclose(fine.array(), coarse.array() / 2, rtol=1e-5)
    assert fine.units[-1] == "pixel"


def test_previews_bring_arrows_of_the_motion_so_far():
    """What a preview shows of the motion is what comes out in the end, where there is texture."""
    from napari_cellinr.api import iter_reconstruct
    from napari_cellinr.fitting.problem import PreviewRequest

    job, seen, message = (
        iter_reconstruct(movie(), NSTMConfig(steps=150, restart=False, check_motion=False)),
        [],
        None,
    )
    try:
        while True:
            progress = job.send(message)
            message = PreviewRequest({"T": 4}) if progress.step else None
            if progress.preview is not None:
                seen.append(progress.preview.meta["arrows"])
    except StopIteration as end:
        fitted = end.value
    assert seen[-1].dtype == np.float32
    moved = np.median(seen[-1][:, 1], axis=0)
    final = fitted.image("motion").array()[4, :, 8:-8, 8:-8].mean(axis=(1, 2)) / 0.5
    np.testing.assert_allclose(moved, final, atol=0.6)
    assert len(seen[0]) == 0 or np.linalg.norm(np.median(seen[0][:, 1], axis=0)) < 3


def test_what_is_still_is_shown_at_rest():
    """Motion that predicts no better than none is not shown: held-out data decide."""
    found = reconstruct(movie(shift=0), unexplained="off")
    assert not found.report["moves"], found.report["attempts"]
    assert "No motion was found" in found.report["warnings"][0]
    assert float(np.abs(found.image("motion").array()).max()) == 0
    assert found.report["attempts"][-1]["attempt"] == "static"


@pytest.mark.parametrize(
    ("moving", "static", "part"), [(1, 5, 1), (5, 5, 0), (6, 5, 0), (2.4, 14.1, 0.976)]
)
def test_part_of_the_changes_that_motion_explains(moving, static, part):
    assert explained_part(moving, static) == pytest.approx(part, abs=1e-3)


def test_bleaching_is_told_from_motion():
    """An exponential curve is found for all frames, and the scene is as bright as at first."""
    image = movie(shift=4)
    left = np.exp(-np.linspace(0, 0.5, 5)).astype(np.float32)
    dim, alone = image.array() * left[:, None, None], {"unexplained": "off", "brightness": "off"}
    found = reconstruct(image.like(dim), steps=150, restart=False, check_motion=False, **alone)
    assert "with bleaching" in [attempt["attempt"] for attempt in found.report["attempts"]]
    assert found.report["bleached"] == pytest.approx(1 - np.exp(-0.5), abs=0.05)
    bright = found.image("result").array().mean(axis=(1, 2))
    assert bright[-1] == pytest.approx(bright[0], rel=0.1)


def test_noise_that_grows_with_light_is_weighed():
    generator = np.random.default_rng(0)
    light = np.linspace(0.1, 1, 96)[None, None, :].repeat(96, 1).repeat(3, 0)
    frames = light + 0.02 * np.sqrt(light) * generator.standard_normal(light.shape)
    sigmas = noise_map(frames.astype(np.float32), counts=True)
    np.testing.assert_allclose(sigmas.mean((0, 1)), 0.02 * np.sqrt(light[0, 0]), rtol=0.25)
    even = noise_map(frames.astype(np.float32), counts=False)
    assert even.min() == even.max()


def test_of_many_frames_whole_ones_are_held_out():
    held = held_frames((26, 20, 20), (0, 2), torch.linspace(0, 1, 26).view(26, 1, 1))
    assert np.flatnonzero(held.any((1, 2))).tolist() == [6, 18]
    assert held[6, :, 2:-2].all()
    assert not held[6, :, :2].any()
    few = torch.linspace(0, 1, 8).view(8, 1, 1)
    assert not held_frames((8, 20, 20), (0, 0), few).any()
    rows = torch.rand(26, 20, 1)
    assert not held_frames((26, 20, 20), (0, 0), rows).any()


@pytest.mark.parametrize(("height", "width"), [(28, 60), (60, 28)])
def test_the_shape_of_the_image_does_not_matter(height, width):
    """Displacements have units of what is expected, not of the sides of the image."""
    found = reconstruct(
        movie(size=height, width=width), steps=200, restart=False, check_motion=False
    )
    moved = found.image("motion").array()[-1, :, 6:-6, 6:-6].mean(axis=(1, 2)) / 0.5
    np.testing.assert_allclose(moved, (3, 4), atol=0.3)


def test_frames_may_have_gains_of_their_own():
    image = movie(shift=4)
    gains = np.array([1.0, 0.8, 1.15, 0.9, 1.1], np.float32)
    uneven = image.like(image.array() * gains[:, None, None])
    found = reconstruct(
        uneven, steps=250, restart=False, check_motion=False, brightness="on", unexplained="off"
    )
    assert found.report["brightness"]
    assert found.report["misfit"] < 1.25
    bright = found.image("result").array()[:, 8:-8, 8:-8].mean(axis=(1, 2))
    assert np.ptp(bright) / bright.mean() < 0.2 < np.ptp(gains)


def test_what_appears_does_not_corrupt_the_scene():
    """A spot that is there for one frame goes into the sparse image, if unseen pixels agree."""
    image = movie(shift=4)
    y, x = np.indices((SIZE, SIZE))
    spot = 3 * np.exp(-((y - 14) ** 2 + (x - 26) ** 2) / 18)
    shown = image.array().copy()
    shown[2] += spot.astype(np.float32)
    found = reconstruct(
        image.like(shown), steps=300, restart=False, check_motion=False, bleaching="off"
    )
    assert [a["attempt"] for a in found.report["attempts"]][-1].startswith("with what motion")
    assert found.report["unexplained"]
    truth = movie(shift=4, noise=0).array()
    wrong = (found.image("result").array() - truth)[2, 10:19, 22:31].mean()
    assert wrong < 0.25 * spot[10:19, 22:31].mean()


def test_confidence_needs_structure_in_every_direction():
    y, x = np.indices((40, 40)).astype(np.float32)
    stripes, blobs = np.sin(x / 2), np.sin(x / 2) * np.sin(y / 2)
    along = _weakest_contrast(stripes)[8:-8, 8:-8].max()
    assert along < 1e-6 < 0.01 < _weakest_contrast(blobs)[8:-8, 8:-8].min()


def test_the_preview_of_the_sample_is_quick_and_shows_its_motion():
    """One attempt with few steps; the worm moves as it really does, if not as far."""
    worm = moving("worm")
    fitted = reconstruct(worm.raw, worm.optics, preset="preview")
    assert len(fitted.report["attempts"]) == 1
    assert fitted.report["steps"] <= 100
    found, true = fitted.image("motion").array(), worm.motion.array()
    assert np.corrcoef(found.ravel(), true.ravel())[0, 1] > 0.7
