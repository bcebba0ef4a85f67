"""Tiles against the whole, of a movie whose truth is known."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from one import SETTINGS

from napari_cellinr import Image, read, write
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods import method_of_action
from napari_cellinr.runs.scale import layout, parts
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.methods import module_of
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPE, FRAMES, TILE = (512, 512), 7, 256
NEAR = 9
"""Pixels from an edge that count as beside it: one more than are blended."""


def light(times: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return blobs that drift in different directions, above a background, at some times."""
    generator = np.random.default_rng(0)
    places = generator.uniform(0, 1, (SHAPE[0] * SHAPE[1] // 1500, 2)) * SHAPE
    found = []
    for time in times:
        frame = np.full(SHAPE, 20.0, np.float32)
        for place in places:
            moved = place + 1.5 * time * np.array([np.sin(place[1] / 90), np.cos(place[0] / 110)])
            ranges = [
                (max(0, int(x) - 12), min(n, int(x) + 13))
                for x, n in zip(moved, SHAPE, strict=True)
            ]
            if any(end <= first for first, end in ranges):
                continue
            grid = np.ogrid[tuple(slice(*one) for one in ranges)]
            distance = sum((axis - x) ** 2 for axis, x in zip(grid, moved, strict=True))
            frame[tuple(slice(*one) for one in ranges)] += 150 * np.exp(-distance / 18)
        found.append(frame)
    return np.stack(found)


def compared(action: str) -> dict[str, float]:
    """Return how tiles differ from the whole, and from the truth at their seams."""
    finer = light(np.arange(2 * FRAMES - 1) / 2)
    generator = np.random.default_rng(1)
    noisy = generator.poisson(finer[::2]) + generator.normal(0, 2, finer[::2].shape)
    truth = finer[1::2] if action == "superresolve" else finer[::2]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        units = ("second", "micrometer", "micrometer")
        image = Image(noisy.astype(np.float32), axes="TYX", scale=(2.0, 0.2, 0.2), units=units)
        write(folder / "in.zarr", image)
        whole, other = result(folder, action), result(folder, action, seed=1)
        with patch.object(module_of(action), "boxes", in_tiles):
            tiles = result(folder, action)
            with patch.object(parts, "_blend", lambda *_: None):
                hard = result(folder, action)
    sd = float(np.sqrt(np.mean((noisy - finer[::2]) ** 2)))
    return {
        "difference": rms(tiles - whole) / sd,
        "other_seed": rms(other - whole) / sd,
        "psnr_whole": psnr(whole, truth),
        "psnr_tiles": psnr(tiles, truth),
        "seam_tiles": seam(tiles - truth),
        "seam_hard": seam(hard - truth),
        "seam_whole": seam(whole - truth),
    }


def result(folder: Path, action: str, **settings: Any) -> NDArray[np.float32]:
    """Return the frames that a plan makes."""
    config = method_of_action(action).config(**SETTINGS.get(action, {}), **settings)
    place = folder / "out.zarr"
    plan = make_plan(action, Source(str(folder / "in.zarr")), config, {"result": str(place)}, 1e12)
    found = finish(run_plan(plan, overwrite=True))
    assert found.is_complete, found.failed
    values = read(place).array()
    return values[1::2] if action == "superresolve" else values


def in_tiles(image: Image, needs: layout.Needs, memory: float) -> tuple[list[layout.Part], float]:
    """Return parts with all frames and small tiles."""
    n_frames = image.sizes["T"]
    tiles = layout._tiles(layout.frame_shape(image), (TILE, TILE), needs)
    found = [
        layout.Part(0, frames, layout._near(frames, needs, n_frames), own, wide)
        for frames in layout.blocks(n_frames, min(needs.most_frames, n_frames))
        for own, wide in zip(*tiles, strict=True)
    ]
    return found, memory


def rms(values: NDArray[np.float32]) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(values**2)))


def psnr(values: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Return the peak signal-to-noise ratio in dB, free of a constant offset."""
    error = values - truth
    return 20 * float(np.log10(np.ptp(truth) / rms(error - error.mean())))


def seam(error: NDArray[np.float32]) -> float:
    """Return the mean squared step of the error beside edges of tiles relative to elsewhere."""
    found = []
    for axis in (1, 2):
        steps = np.moveaxis(np.diff(error, axis=axis) ** 2, axis, 0)
        means = steps.reshape(len(steps), -1).mean(1)
        beside = np.zeros(len(means), bool)
        beside[TILE - NEAR : TILE + NEAR - 1] = True
        found.append(means[beside].mean() / means[~beside].mean())
    return float(np.mean(found))
