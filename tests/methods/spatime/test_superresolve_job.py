"""The job of super-resolution: lattices, stopping, keeping, and what it refuses."""

import tracemalloc

import numpy as np
import pytest

from napari_cellinr import Image, SpatimeConfig, read, superresolve
from napari_cellinr.api import iter_superresolve, render
from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import PreviewRequest
from napari_cellinr.fitting.saved.query import Query
from napari_cellinr.fitting.saved.stored import header_of, stored
from napari_cellinr.io import write_in_steps
from napari_cellinr.methods.spatime.output_grid import output_grid
from napari_cellinr.methods.spatime.restored import checked_noise
from napari_cellinr.methods.spatime.result import check_memory
from napari_cellinr.methods.spatime.state import SuperresolutionState

UNITS = ("second", *("micrometer",) * 3)
QUICK = {"preset": "preview", "refinement": 0.15, "steps": 0}


@pytest.fixture(scope="module")
def movie():
    t, z, y, x = np.indices((4, 4, 16, 20)).astype(float)
    data = 90 * np.exp(-((z - 1.5) ** 2 + (y - 8) ** 2 + (x - 5 - 3 * t) ** 2) / 10) + 10
    data = data.astype(np.float32)
    return Image(data, "TZYX", (30, 1, 0.25, 0.25), UNITS, "movie", (5, 0.5, 0, 0))


@pytest.fixture(scope="module")
def fitted(movie):
    return superresolve(movie, scale={"t": 2, "z": 2}, **QUICK)


def kept(fitted):
    return stored(header_of(fitted), {k: v.numpy() for k, v in fitted.state.items()})


def test_size_place_and_steps(movie, fitted):
    image = fitted.images[0]
    assert image.shape == (7, 8, 16, 20)
    assert image.scale == (15, 0.5, 0.25, 0.25)
    assert image.translate == pytest.approx((5, 0.25, 0, 0))
    assert image.units == movie.units
    assert fitted.method == "spatime"
    assert fitted.roles == ("result",)
    means = image.array()[::2].reshape(4, 4, 2, 16, 20).mean(axis=2)
    assert np.abs(means - movie.array()).max() < 3


def test_a_kept_fit_renders_the_result_and_any_other_lattice(fitted, rendered_as_told):
    fit, image = kept(fitted), fitted.images[0]
    again = rendered_as_told(fit, Query())[0]
    np.testing.assert_array_equal(again.array(), image.array())
    plane = rendered_as_told(fit, Query(times=(22.5,), crop={"Z": slice(1, 2)}))[0]
    assert plane.shape == (1, 2, 16, 20)
    assert plane.translate[:2] == pytest.approx((27.5, 1.25))
    other = rendered_as_told(fit, Query(scale={"t": 3, "y": 1.5}))[0]
    assert other.shape == (10, 4, 24, 20)
    with pytest.raises(ConfigError, match="between 0 and 90"):
        render(fit, Query(times=(91.0,)))


def test_explicit_times_and_uneven_stamps(movie, rendered_as_told):
    fitted = superresolve(movie, times=(0, 10, 20), **QUICK)
    assert fitted.images[0].scale[0] == 10
    again = rendered_as_told(kept(fitted), Query())[0]
    np.testing.assert_array_equal(again.array(), fitted.images[0].array())
    uneven = superresolve(movie, stamps=(0, 10, 40, 50), times=(10, 40), motion="never", **QUICK)
    np.testing.assert_array_equal(uneven.images[0].array(), movie.array()[1:3])


def test_isotropic_and_target_steps(movie):
    iso = superresolve(movie.take("T", 0), isotropic=True, **QUICK).images[0]
    assert iso.scale == (0.25, 0.25, 0.25)
    assert iso.shape == (16, 16, 20)
    finer = superresolve(movie.take("T", 0), target_voxel={"z": 0.4}, **QUICK).images[0]
    assert finer.shape[0] == 10


def test_channels_are_fitted_each(movie):
    data = np.stack([movie.array(), 2 * movie.array()], 1)[:, :, 1]
    both = superresolve(Image(data, "TCYX"), scale={"t": 2}, **QUICK).images[0].array()
    assert both.shape == (7, 2, 16, 20)
    np.testing.assert_allclose(both[:, 1], 2 * both[:, 0], rtol=0.02, atol=1)


def test_integers_and_planes_are_taken(movie):
    image = Image(movie.array()[:, 1].astype(np.uint8), "TYX")
    assert superresolve(image, scale={"t": 2, "x": 1.5}, **QUICK).images[0].shape == (7, 16, 30)


def test_stop_is_obeyed_and_keeps_what_there_is(movie):
    job = iter_superresolve(movie, SpatimeConfig(scale={"t": 2}))
    next(job)
    try:
        while True:
            job.send("stop")
    except StopIteration as finished:
        fitted = finished.value
    assert fitted.stopped == "user"
    assert fitted.images[0].shape[0] == 7
    assert fitted.report["steps"] == 7  # its frames: the one step of the fit is half of one
    assert "interpolated" in fitted.report["warnings"][-1]


@pytest.mark.parametrize("n_frames", [2, 4])
def test_the_last_step_is_the_last_one_that_was_told(movie, n_frames):
    part = movie.crop(T=slice(0, n_frames))
    told = [
        (progress.step, progress.steps)
        for progress in iter_superresolve(part, SpatimeConfig(scale={"t": 2, "z": 2}, **QUICK))
    ]
    assert told[-1][0] == told[-1][1]
    assert max(step for step, _ in told) == told[-1][1]


def test_the_time_left_is_measured_without_the_stages_before_the_steps(monkeypatch):
    """They take 60 s and the first step 20 s, with a pause of 100 s; the other steps take 1 s."""
    clock = [0.0]
    monkeypatch.setattr("napari_cellinr.fitting.monitor.time.monotonic", lambda: clock[0])
    state = SuperresolutionState(Monitor(started=0.0), steps=50)

    def left(seconds, step):
        clock[0], state.step = clock[0] + seconds, step
        return next(state.report("stage")).eta

    assert left(60, 0) is None
    assert left(20, 1) is None
    assert left(1, 2) == pytest.approx(48)
    state.monitor.paused_seconds = 100.0
    assert left(101, 3) == pytest.approx(47)
    state.restored, state.step = 30, 30  # a job that goes on
    assert left(60, 30) is None
    assert left(20, 31) is None
    assert left(1, 32) == pytest.approx(18)


def test_a_viewer_sees_the_result_while_it_fills(movie):
    job = iter_superresolve(movie, SpatimeConfig(scale={"t": 2, "y": 2}, **QUICK))
    shown = []
    next(job)
    try:
        while True:
            progress = job.send(PreviewRequest({"T": 0, "Z": 1}))
            if progress.preview is not None:
                shown.append((progress.preview, progress.preview.array().copy()))
    except StopIteration as finished:
        result = finished.value.images[0]
    first, values = shown[0]
    assert (first.shape, first.scale) == (result.shape, result.scale)
    np.testing.assert_array_equal(values[::2, :, ::2], movie.array())  # the nearest voxels given
    assert np.shares_memory(first.data, result.data)  # it fills in place, without a copy
    changed = [np.any(one != values, axis=(1, 2, 3)).sum() for _, one in shown]
    assert changed == sorted(changed)
    assert 0 < changed[len(changed) // 2] <= changed[-1]


def test_a_lazy_result_is_that_of_memory_and_is_written_in_pieces(movie, fitted, tmp_path):
    lazy = superresolve(movie, scale={"t": 2, "z": 2}, lazily=True, **QUICK).images[0]
    whole = fitted.images[0]
    assert (lazy.shape, lazy.scale, lazy.translate) == (whole.shape, whole.scale, whole.translate)
    np.testing.assert_allclose(lazy.data[3, 2:5, :, 4], whole.array()[3, 2:5, :, 4], atol=1e-3)
    steps = list(write_in_steps(tmp_path / "out.ome.zarr", lazy))
    assert steps == [(i + 1, 7) for i in range(7)]
    np.testing.assert_allclose(read(tmp_path / "out.ome.zarr").array(), whole.array(), atol=1e-3)


def test_writing_a_lazy_result_needs_a_part_of_its_memory(movie, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_cellinr.methods.spatime.costs.AT_ONCE", 100_000)
    scale = {"t": 4, "z": 8, "y": 8, "x": 8}
    lazy = superresolve(movie, scale=scale, lazily=True, motion="never", **QUICK).images[0]
    size = 4 * np.prod(lazy.shape)
    assert lazy.shape == (13, 32, 128, 160)
    tracemalloc.start()
    list(write_in_steps(tmp_path / "out.ome.zarr", lazy))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 3
    assert read(tmp_path / "out.ome.zarr").shape == lazy.shape


def test_two_frames_are_taken_with_a_warning(movie):
    two = movie.crop(T=slice(0, 2))
    fitted = superresolve(two, scale={"t": 2}, **QUICK)
    assert fitted.images[0].shape[0] == 3
    assert "too few frames" in " ".join(fitted.report["warnings"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scale": {"t": 0}}, "more than 0"),
        ({"scale": {"z": 17}}, "at most 16"),
        ({"scale": {"q": 2}}, "t, z, y and x"),
        ({}, "no factor was given"),
        ({"scale": {"t": 1}}, r"all factors are 1 \(scale t=1 was given\)"),
        ({"scale": {"t": 1, "z": 1.01}, "noise": "match"}, "all factors are 1"),
        ({"scale": "t2"}, "pairs such as"),
        ({"times": (0, 1), "scale": {"t": 2}}, "one of them"),
        ({"target_voxel": {"z": 0.001}}, "at most 16 times"),
        ({"times": (0, 1000)}, "between 0 and 90"),
        ({"stamps": (0, 1)}, "2 time stamps were given for 4 frames"),
        ({"stamps": (0, 2, 1, 3)}, "later than the one before"),
    ],
)
def test_wrong_settings_are_one_sentence(movie, given, said):
    with pytest.raises(ConfigError, match=said) as error:
        superresolve(movie, **given)
    assert "\n" not in str(error.value)


def test_a_series_whose_noise_is_removed_may_keep_its_size(movie):
    frames = np.random.default_rng(0).poisson(movie.array()[:, 1]).astype(np.float32)
    noisy = Image(frames, "TYX")
    fitted = superresolve(noisy, scale={"t": 1}, noise="remove", max_seconds=1, **QUICK)
    assert fitted.images[0].shape == noisy.shape
    assert not np.array_equal(fitted.images[0].array(), frames)


def test_images_that_cannot_become_finer_so(movie, monkeypatch):
    monkeypatch.setattr("napari_cellinr.methods.spatime.result.available_memory", lambda: 16e9)
    with pytest.raises(ConfigError, match="one frame"):
        superresolve(movie.crop(T=slice(0, 1)), scale={"t": 2})
    with pytest.raises(ConfigError, match="only one plane"):
        superresolve(movie.crop(Z=slice(0, 1)), scale={"z": 2})
    with pytest.raises(ConfigError, match="no factor was given"):
        superresolve(movie)
    with pytest.raises(AxesError, match="axis 'T'"):
        superresolve(movie.take("T", 0), scale={"t": 2})
    with pytest.raises(ConfigError, match="voxel size is not known"):
        superresolve(Image(movie.array()), isotropic=True)
    huge = Image(np.broadcast_to(np.float32(1), (2, 400, 2000, 2000)), "TZYX")
    lattice = output_grid(huge, SpatimeConfig(scale={"z": 16}))
    with pytest.raises(ConfigError, match=r"needs about .* GB of memory.*OUTPUT\.ome\.zarr"):
        check_memory(huge, lattice)
    large = Image(np.broadcast_to(np.float32(1), (9, 40, 200, 200)), "TZYX")
    for factor in (4, 16):  # the finer, the more; in pieces, all can be done
        wanted = output_grid(large, SpatimeConfig(scale=dict.fromkeys("tzyx", factor)))
        check_memory(large, wanted, lazily=True)


def test_a_black_or_repeated_frame_is_replaced_and_named():
    """A blob that moves on: its place in the replaced frame is between those of its neighbours."""
    random, (t, y, x) = np.random.default_rng(0), np.indices((9, 24, 40)).astype(float)
    clean = 90 * np.exp(-((y - 12) ** 2 + (x - 6 - 3 * t) ** 2) / 20) + 20
    frames = (clean + random.normal(0, 1, clean.shape)).astype(np.float32)
    bad = frames.copy()
    bad[3], bad[6] = 0, bad[5]
    fitted = superresolve(Image(bad, "TYX"), scale={"t": 2}, **QUICK)
    found, texts = fitted.images[0].array(), " ".join(fitted.report["warnings"])
    assert "Frame 4 of 9 is blank: it was left out" in texts
    assert "Frame 7 of 9 is the same as the frame before it: it was left out" in texts
    for number in (3, 6):
        blend = (frames[number - 1] + frames[number + 1]) / 2
        errors = [np.mean((v - clean[number]) ** 2) for v in (found[2 * number], blend)]
        assert errors[0] < 0.7 * errors[1]
    assert found.min() > 10
    assert bad[3].max() == 0  # the input is unchanged
    kept = superresolve(
        Image(clean.astype(np.float32)[[0, 0, 1, 2, 3]], "TYX"), scale={"t": 2}, **QUICK
    )
    assert "left out" not in " ".join(kept.report["warnings"])  # without noise, it may be real


@pytest.mark.parametrize("kind", ["noise", "unlike", "bright", "dim"])
def test_a_frame_that_does_not_belong_is_replaced_and_named(kind):
    """It once was blended into the frames on both sides."""
    random, (t, y, x) = np.random.default_rng(0), np.indices((9, 48, 48)).astype(float)
    places = random.uniform(4, 44, (20, 2))
    clean = 20 + sum(90 * np.exp(-((y - r) ** 2 + (x - c - t) ** 2) / 9) for r, c in places)
    frames = (clean + random.normal(0, 1, clean.shape)).astype(np.float32)
    bad = frames.copy()
    bad[4] = {
        "noise": random.uniform(0, 255, bad[4].shape),
        "unlike": np.rot90(frames[4])[::-1],
        "bright": 10 * frames[4],
        "dim": 0.1 * frames[4],
    }[kind]
    fits = [superresolve(Image(v, "TYX"), scale={"t": 2}, **QUICK) for v in (bad, frames)]
    assert any(text.startswith("Frame 5 of 9 is ") for text in fits[0].warnings)
    assert not any("was left out" in text for text in fits[1].warnings)
    wrong, usual = (np.mean((fit.images[0].array()[::2] - clean) ** 2) for fit in fits)
    between = fits[0].images[0].array()[[7, 9]] - (clean[[3, 4]] + clean[[4, 5]]) / 2
    assert wrong < usual + 0.1 * clean.std() ** 2
    assert np.mean(between**2) < 0.1 * clean.std() ** 2


def test_a_half_black_frame_is_replaced_and_a_lost_row_interpolated():
    from napari_cellinr.methods.spatime.between.faults import (
        fault_warnings,
        faulty_frames,
        without_lost_parts,
    )

    frames = np.random.default_rng(0).poisson(50, (8, 32, 32)).astype(np.float32)
    assert faulty_frames(frames) == {}
    assert without_lost_parts(frames, ())[0] is frames
    bad = frames.copy()
    bad[3, 16:], bad[5, 10] = 0, 0
    faults = faulty_frames(bad)
    assert faults == {3: "incomplete"}
    assert "Frame 4 of 8 is incomplete" in fault_warnings(faults, 8)[0]
    repaired, (text,) = without_lost_parts(bad, faults)
    assert abs(repaired[5, 10].mean() - 50) < 3
    assert text.startswith("Frame 6 has rows or columns of one value")
    bad = frames.copy()
    bad[:, :6] = 0  # as beside a registered series
    assert faulty_frames(bad) == {}
    bad[:, :, 20] = 65535
    assert without_lost_parts(bad, ())[1][0].startswith("All frames have")


@pytest.mark.parametrize("value", [0, 65535])
def test_a_plane_without_data_spoils_no_other(value):
    """It once rang through the whole stack, in silence."""
    light = 50 + 40 * np.sin(np.arange(8) / 3)[:, None, None] * np.ones((8, 32, 32))
    volume = np.random.default_rng(0).poisson(light).astype(np.float32)
    bad, others = volume.copy(), [0, 1, 2, 4, 5, 6, 7]
    bad[3] = value
    fits = [superresolve(v, "preview", axes="ZYX", scale={"z": 2}) for v in (bad, volume)]
    found, usual = (fit.images[0].array().reshape(8, 2, 32, 32).mean(1) for fit in fits)
    assert np.abs((found - usual)[others]).max() < 0.01
    assert abs(found[3].mean() - light[3].mean()) < 5
    assert any("a plane without data" in text and "(plane 4)" in text for text in fits[0].warnings)
    assert not any("planes without data" in text for text in fits[1].warnings)


def test_a_blank_frame_that_nothing_can_replace_is_named():
    frames = np.random.default_rng(0).poisson(50, (2, 32, 32)).astype(np.float32)
    frames[0] = 0
    fit = superresolve(frames, "preview", axes="TYX", scale={"t": 2})
    assert any(text.startswith("Frame 1 has one value only") for text in fit.warnings)


def test_settings_read_back_from_text():
    config = SpatimeConfig(**SpatimeConfig.parse({"scale": "t=2,Z=2.5", "times": "none"}))
    assert dict(config.scale) == {"t": 2, "z": 2.5}
    assert SpatimeConfig.from_json(config.as_json()) == config


def test_frames_are_the_same_if_fewer_are_requested():
    """The motion before and after an interval is fitted too: it tells whether motion goes on."""
    t, y, x = np.indices((9, 24, 40)).astype(float)
    clean = 90 * np.exp(-((y - 12) ** 2 + (x - 5 - 3 * t) ** 2) / 20) + 20
    frames = np.random.default_rng(0).poisson(clean).astype(np.float32)
    whole = superresolve(Image(frames, "TYX"), scale={"t": 2}, **QUICK).images[0].array()
    few = superresolve(Image(frames, "TYX"), times=(3.5, 4.5), **QUICK)
    np.testing.assert_allclose(few.images[0].array(), whole[[7, 9]], atol=0.5)
    assert sorted(map(int, few.model["channels"][0]["motion"])) == [2, 3, 4, 5]


@pytest.mark.parametrize("damage", [{"gain": -1.0}, {"read_noise": float("nan")}])
def test_noise_of_a_damaged_file_is_refused(damage):
    usual = {"gain": 1.0, "read_noise": 2.0}
    assert checked_noise(usual).gain == 1
    with pytest.raises(ValueError, match="noise"):
        checked_noise(usual | damage)
