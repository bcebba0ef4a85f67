"""Tiles: blended at their edges, as the whole, also where nothing is seen."""

import itertools
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr import denoise as denoise_whole
from napari_cellinr import superresolve as superresolve_whole
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods import method_of_action
from napari_cellinr.methods.spatime.between.noise import random_field
from napari_cellinr.runs.scale import layout, make
from napari_cellinr.runs.scale.methods import denoise, reconstruct, superresolve
from napari_cellinr.runs.scale.parts import part_job
from napari_cellinr.runs.scale.plan import Part
from napari_cellinr.runs.scale.run import _alike, run_plan
from napari_cellinr.runs.scale.seams import blended, keep_bands, n_kept
from napari_cellinr.runs.scale.source import Source
from napari_cellinr.runs.scale.state import State

BAND = 8

SETTINGS = {
    "denoise": {"preset": "preview"},
    "superresolve": {"scale": {"t": 2}},
    "reconstruct": {"optics": {"kind": "time-lapse"}, "steps": 10},
}


def tiles_of(shape, length, margin=16, band=BAND):
    """Return the tiles of one frame, with the numbers of voxels that they read around."""
    ranges = [
        [
            ((a, min(a + length, n)), (max(0, a - margin), min(n, a + length + margin)))
            for a in range(0, n, length)
        ]
        for n in shape
    ]
    return [
        Part(0, (0, 1), (0, 1), *(tuple(one[n] for one in place) for n in (0, 1)), band)
        for place in itertools.product(*ranges)
    ]


def joined(folder, shape, tiles, value_of):
    """Return the frame that is blended of tiles, whose values are those of a function."""
    written, files = np.zeros(shape, np.float32), {}
    for number, part in enumerate(tiles):
        wide = value_of(number, np.indices(shape))[tuple(slice(*one) for one in part.wide)]
        files[number] = folder / f"edges-{number}.npy"
        keep_bands(files[number], part, wide[None].astype(np.float32), shape)
        own = tuple(slice(*one) for one in part.own)
        written[own] = value_of(number, np.indices(shape))[own]
    for again in (False, True):  # blending again gives the same
        before = written.copy()
        for number, part in enumerate(tiles):
            own = tuple(slice(*one) for one in part.own)
            others = [(tiles[n], file) for n, file in files.items() if n != number]
            written[own] = blended(written[own], part, files[number], others, 0, shape)
        if again:
            np.testing.assert_array_equal(written, before)
    return written


@pytest.mark.parametrize("band", [8, 16])
@pytest.mark.parametrize("shape", [(96, 67), (32, 64, 40)])
def test_tiles_that_agree_are_not_changed(tmp_path, shape, band):
    values = np.random.default_rng(0).normal(0, 100, shape)
    found = joined(tmp_path, shape, tiles_of(shape, 32, band=band), lambda _, grid: values)
    np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("band", [8, 12])
def test_across_an_edge_the_result_goes_over_evenly(tmp_path, band):
    shape = (32, 64)
    tiles = tiles_of(shape, 32, band=band)
    found = joined(tmp_path, shape, tiles, lambda n, grid: np.full(shape, float(n)))
    np.testing.assert_allclose(np.diff(found[0, 32 - band : 32 + band]), 1 / (2 * band), atol=1e-6)
    assert (found[:, : 32 - band] == 0).all()
    assert (found[:, 32 + band :] == 1).all()


@pytest.mark.parametrize(
    ("axes", "shape", "memory"),
    [("TYX", (5, 1024, 1024), 2e9), ("TZYX", (5, 256, 256, 256), 17.5e9)],
)
def test_motion_is_blended_over_more_voxels_where_tiles_are_long_enough(axes, shape, memory):
    image = Image(np.broadcast_to(np.float32(0), shape), axes)
    config = method_of_action("reconstruct").config(**SETTINGS["reconstruct"])
    parts, _ = reconstruct.METHOD.layout(image, config, [{}], memory)
    assert all(part.is_tile for part in parts)
    shortest = min(end - first for first, end in parts[0].own)
    assert {part.band for part in parts} == {min(24, shortest // 2)}
    assert shortest == (16 if axes == "TZYX" else 512)


def test_only_edges_inside_the_image_are_kept():
    (whole,) = tiles_of((32, 32), 32)
    assert n_kept(whole, (32, 32)) == 0
    left, _ = tiles_of((32, 64), 32)
    assert n_kept(left, (32, 64)) == 32 * 2 * BAND


def test_edges_that_are_missing_are_named(tmp_path):
    left, right = tiles_of((32, 64), 32)
    with pytest.raises(FileError, match="cannot be read"):
        blended(np.zeros((32, 32), np.float32), left, tmp_path / "a.npy", [(right, tmp_path)], 0,
                (32, 64))  # fmt: skip


def cells(n_frames, shape, every=1.0):
    """Return the light of a movie of blobs that drift in different directions."""
    generator = np.random.default_rng(0)
    places = generator.uniform(0, 1, (40, 2)) * shape
    grid = np.meshgrid(*map(np.arange, shape), indexing="ij")
    frames = []
    for time in np.arange(n_frames) * every:
        light = np.full(shape, 20.0)
        for place in places:
            speed = 1.5 * np.array([np.sin(place[1] / 40), np.cos(place[0] / 50)])
            moved = place + time * speed
            light += 150 * np.exp(-sum((g - x) ** 2 for g, x in zip(grid, moved, strict=True)) / 18)
        frames.append(light + 100)
    return np.stack(frames)


def recorded(folder, data):
    steps = (2.0, 0.2, 0.2)
    units = ("second", "micrometer", "micrometer")
    write(folder / "in.zarr", Image(data, axes="TYX", scale=steps, units=units))
    return Source(str(folder / "in.zarr"))


def in_tiles(monkeypatch, length, most_frames=1000):
    """Let plans have tiles of this length, in blocks of at most so many frames."""

    def boxes(image, needs, memory):
        shape, n_frames = layout.frame_shape(image), image.sizes["T"]
        tiles = layout._tiles(shape, (length,) * len(shape), needs)
        count = min(needs.most_frames, n_frames, most_frames)
        found = [
            Part(0, frames, layout._near(frames, needs, n_frames), own, wide)
            for frames in layout.blocks(n_frames, count)
            for own, wide in zip(*tiles, strict=True)
        ]
        return found, 1.0

    for module in (denoise, superresolve, reconstruct):
        monkeypatch.setattr(module, "boxes", boxes)


def planned(source, folder, action, name="out", memory=1e12, **settings):
    config = method_of_action(action).config(**SETTINGS[action], **settings)
    outputs = {"result": str(folder / f"{name}.zarr")}
    return make.make_plan(action, source, config, outputs, memory)


def result_of(plan):
    found = finish(run_plan(plan))
    assert found.is_complete, found.failed
    return read(plan.places[0]).array()


def test_super_resolution_in_tiles_is_like_the_whole(tmp_path, monkeypatch):
    truth = cells(9, (128, 128), 0.5)
    noisy = np.random.default_rng(1).poisson(truth[::2] - 100) + 100.0
    source = recorded(tmp_path, noisy.astype(np.float32))
    whole = result_of(planned(source, tmp_path, "superresolve", "whole"))
    other = result_of(planned(source, tmp_path, "superresolve", "other", seed=1))
    in_tiles(monkeypatch, 64)
    plan = planned(source, tmp_path, "superresolve")
    assert len(plan.parts) == 4
    tiles = result_of(plan)

    def rms(values):
        return float(np.sqrt(np.mean(values[1::2] ** 2)))

    np.testing.assert_array_equal(tiles[::2], whole[::2])  # recorded frames stay as they are
    assert rms(tiles - whole) < 0.8 * rms(other - whole)
    assert 20 * np.log10(rms(tiles - truth) / rms(whole - truth)) < 0.1
    steps = np.mean(np.diff((tiles - truth)[1::2], axis=2) ** 2, (0, 1))
    seam = slice(64 - BAND - 1, 64 + BAND)
    assert steps[seam].mean() < 1.1 * np.delete(steps, np.r_[seam]).mean()


def test_memory_for_super_resolution_is_kept_by_tiles(tmp_path):
    data = np.broadcast_to(np.float32(1), (6, 32, 512, 512))
    image = Image(data, axes="TZYX")
    config = method_of_action("superresolve").config(scale={"t": 2})
    found, memory = superresolve.METHOD.layout(image, config, [{}], 2.5e9)
    assert memory <= 2.5e9
    assert {part.own for part in found} == set(
        itertools.product([(0, 32)], [(0, 256), (256, 512)], [(0, 256), (256, 512)])
    )
    times = sorted({part.frames for part in found})
    assert [end for _, end in times[:-1]] == [first for first, _ in times[1:]]
    assert (times[0][0], times[-1][1]) == (0, 11)
    assert len(found) == 4 * len(times)


@pytest.mark.parametrize("noise", ["match", "remove"])
@pytest.mark.parametrize("parts", ["tiles", "blocks"])
def test_noise_of_super_resolution_is_treated_as_in_the_whole(tmp_path, monkeypatch, noise, parts):
    """Without motion, which is found from random places, so that only noise can differ."""
    truth = cells(9, (128, 128), 0.5) if parts == "tiles" else cells(21, (64, 64), 0.5)
    noisy = np.random.default_rng(1).poisson(truth[::2] - 100) + 100.0
    source = recorded(tmp_path, noisy.astype(np.float32))
    settings = {"noise": noise, "motion": "never"}
    whole = superresolve_whole(read(source.path), scale={"t": 2}, **settings).images[0].array()
    if parts == "tiles":
        in_tiles(monkeypatch, 64)
    else:
        monkeypatch.setattr(superresolve, "MOST_FRAMES", 2)
    plan = planned(source, tmp_path, "superresolve", **settings)
    assert len(plan.parts) == (4 if parts == "tiles" else 5)
    found = result_of(plan)
    sd = float(np.sqrt(np.mean((noisy - truth[::2]) ** 2)))
    rms = float(np.sqrt(np.mean((found - whole) ** 2)))
    assert rms < 0.01 * sd


def test_denoising_in_parts_is_like_the_whole(tmp_path, monkeypatch):
    """Tiles of odd numbers of voxels and frames, with noise that is estimated."""
    light = cells(7, (160, 192)) - 100
    noisy = np.random.default_rng(1).poisson(light) + 100.0
    source = recorded(tmp_path, noisy.astype(np.float32))
    settings = {"background": "keep"}
    whole = denoise_whole(read(source.path), **settings).images[0].array()
    in_tiles(monkeypatch, 96, most_frames=3)
    monkeypatch.setitem(SETTINGS, "denoise", {})
    plan = planned(source, tmp_path, "denoise", **settings)
    assert len(plan.parts) == 12
    found, sd = result_of(plan), float(np.sqrt(np.mean((noisy - light - 100) ** 2)))
    assert float(np.sqrt(np.mean((found - whole) ** 2))) < 0.01 * sd


def test_random_fields_are_the_same_whatever_part_is_made():
    whole = random_field((3, 5), [(-20, 200), (-70, 90)], (0.0, 1.5))
    part = random_field((3, 5), [(40, 150), (-10, 70)], (0.0, 1.5))
    np.testing.assert_allclose(part, whole[60:170, 60:140], atol=1e-6)
    assert whole.std() == pytest.approx(1, abs=0.02)
    assert not np.array_equal(whole, random_field((3, 6), [(-20, 200), (-70, 90)], (0.0, 1.5)))


def test_a_kill_while_tiles_are_blended_changes_nothing(tmp_path, monkeypatch):
    source = recorded(tmp_path, cells(4, (64, 128)).astype(np.float32))
    in_tiles(monkeypatch, 64)
    plan = planned(source, tmp_path, "superresolve", "whole")
    values = result_of(plan)
    killed = planned(source, tmp_path, "superresolve")
    for number in range(len(killed.parts)):
        finish(part_job(killed, number, Monitor()))
    job = part_job(killed, len(killed.parts), Monitor())
    for _ in range(4):
        next(job)
    job.close()
    assert State(killed).done == {0, 1}
    np.testing.assert_array_equal(result_of(killed), values)
    assert not killed.folder.exists()


def test_what_is_said_about_lost_edges_helps(tmp_path, monkeypatch):
    source = recorded(tmp_path, cells(3, (64, 128)).astype(np.float32))
    in_tiles(monkeypatch, 64)
    plan = planned(source, tmp_path, "superresolve")
    for number in range(len(plan.parts)):
        finish(part_job(plan, number, Monitor()))
    State(plan).bands(0, "result").unlink()
    (text,) = finish(run_plan(plan)).failed.values()
    assert f"Delete {plan.folder}, and begin again with --overwrite" in text
    shutil.rmtree(plan.folder)
    found = finish(run_plan(planned(source, tmp_path, "superresolve"), overwrite=True))
    assert found.is_complete, found.failed


@pytest.mark.parametrize("action", ["denoise", "superresolve", "reconstruct"])
def test_tiles_beside_a_recording_are_left_as_they_are(tmp_path, monkeypatch, action):
    data = np.zeros((3, 64, 192), np.float32)
    data[..., :64] = np.random.default_rng(0).poisson(cells(3, (64, 64)))
    source = recorded(tmp_path, data)
    in_tiles(monkeypatch, 64)
    values = result_of(planned(source, tmp_path, action))
    assert (values[..., 128 + reconstruct.BAND :] == 0).all()
    assert values[..., :64].std() > 1


def test_a_part_with_an_error_of_another_kind_fails(tmp_path, monkeypatch):
    data = cells(3, (64, 64)).astype(np.float32)
    data[1, 5, 5] = np.nan
    source = recorded(tmp_path, data)
    found = finish(run_plan(planned(source, tmp_path, "superresolve")))
    assert "not finite" in found.failed[0]


def test_space_for_edges_is_counted(tmp_path, monkeypatch):
    source = recorded(tmp_path, cells(3, (64, 128)).astype(np.float32))
    in_tiles(monkeypatch, 64)
    plan = planned(source, tmp_path, "superresolve")
    edges = 2 * 5 * 64 * 2 * BAND
    needed = 4 * (4 / 3 * 5 * 64 * 128 + edges)
    monkeypatch.setattr(make.shutil, "disk_usage", lambda _: SimpleNamespace(free=needed - 1))
    assert "Make room there" in make.check_space(plan)
    monkeypatch.setattr(make.shutil, "disk_usage", lambda _: SimpleNamespace(free=needed + 1))
    assert make.check_space(plan) == ""


def test_warnings_that_differ_in_numbers_only_are_counted():
    texts = ["noise of 5.3 grey levels.", "noise of 5.4 grey levels.", "dark.", "dark."]
    assert _alike(texts) == [
        "noise of 5.3 grey levels. The same kind of warning concerns another part.",
        "dark.",
    ]
    assert _alike(texts[:1] * 3) == texts[:1]
