"""Tiles against the whole, of a movie whose truth is known."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from one import SETTINGS

from napari_cellinr import Image, api, read, write
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.io.zarr.regions import read_region
from napari_cellinr.methods import method_of_action
from napari_cellinr.runs.scale import layout
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.methods import denoise, reconstruct, superresolve
from napari_cellinr.runs.scale.parts import part_job
from napari_cellinr.runs.scale.plan import Part
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.runs.scale.layout import Needs

NEAR = 9
"""Pixels from an edge that count as beside it: one more than are blended."""


@dataclass(frozen=True)
class Case:
    """What is computed as a whole and in four tiles.

    Parameters
    ----------
    action
        The method.
    settings
        Besides the usual ones.
    shape, frames
        Of the movie.
    with_speed
        Whether the speed of the motion is compared, too.
    """

    action: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, int] = (512, 512)
    frames: int = 7
    with_speed: bool = False


_MOVING = {"optics": {"kind": "time-lapse"}}
CASES = {
    "superresolve": Case("superresolve", SETTINGS["superresolve"]),
    "superresolve match": Case("superresolve", {**SETTINGS["superresolve"], "noise": "match"}),
    "superresolve remove": Case("superresolve", {**SETTINGS["superresolve"], "noise": "remove"}),
    "denoise": Case("denoise"),
    "reconstruct": Case("reconstruct", _MOVING, (256, 256), 5, with_speed=True),
}


def light(times: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return blobs that drift in different directions, above a background, at some times."""
    generator = np.random.default_rng(0)
    places = generator.uniform(0, 1, (shape[0] * shape[1] // 1500, 2)) * shape
    found = []
    for time in times:
        frame = np.full(shape, 20.0, np.float32)
        for place in places:
            moved = place + 1.5 * time * np.array([np.sin(place[1] / 90), np.cos(place[0] / 110)])
            ranges = [
                (max(0, int(x) - 12), min(n, int(x) + 13))
                for x, n in zip(moved, shape, strict=True)
            ]
            if any(end <= first for first, end in ranges):
                continue
            grid = np.ogrid[tuple(slice(*one) for one in ranges)]
            distance = sum((axis - x) ** 2 for axis, x in zip(grid, moved, strict=True))
            frame[tuple(slice(*one) for one in ranges)] += 150 * np.exp(-distance / 18)
        found.append(frame)
    return np.stack(found)


def compared(name: str) -> dict[str, float]:
    """Return how tiles differ from the whole, and from the truth at their seams.

    Parameters
    ----------
    name
        Of the case.
    """
    case = CASES[name]
    finer = light(np.arange(2 * case.frames - 1) / 2, case.shape)
    generator = np.random.default_rng(1)
    noisy = generator.poisson(finer[::2]) + generator.normal(0, 2, finer[::2].shape)
    made = slice(1, None, 2) if case.action == "superresolve" else slice(None)
    truth = finer[made] if case.action == "superresolve" else finer[::2]
    sd = float(np.sqrt(np.mean((noisy - finer[::2]) ** 2)))
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name).resolve()
        units = ("second", "micrometer", "micrometer")
        image = Image(noisy.astype(np.float32), axes="TYX", scale=(2.0, 0.2, 0.2), units=units)
        write(folder / "in.zarr", image)
        wholes = [as_whole(image, case, seed) for seed in (0, 1)]
        tiles, hard = in_tiles(folder, case)
    (whole, speed), (other, other_speed) = wholes
    offsets = [one.mean() for one in quarters(tiles["result"] - whole)]
    found = {
        "difference": rms((tiles["result"] - whole)[made]) / sd,
        "other_seed": rms((other - whole)[made]) / sd,
        "offsets": float(np.std(offsets)) / sd,
        "psnr_whole": psnr(whole[made], truth),
        "psnr_tiles": psnr(tiles["result"][made], truth),
        "seam_tiles": seam(tiles["result"][made] - truth),
        "seam_hard": seam(hard[made] - truth),
        "seam_whole": seam(whole[made] - truth),
    }
    if case.with_speed:
        usual = rms(speed)
        found["speed"] = rms(tiles["speed"] - speed) / usual
        found["speed_other_seed"] = rms(other_speed - speed) / usual
        found["speed_seam_tiles"] = seam(tiles["speed"])
        found["speed_seam_whole"] = seam(speed)
    return found


def as_whole(image: Image, case: Case, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the result of a whole movie, and the speed of its motion (the result if it has none).

    Parameters
    ----------
    image
        The movie.
    case
        What is done.
    seed
        Of the random numbers.
    """
    fitted = getattr(api, case.action)(image, **case.settings, seed=seed)
    role = "speed" if case.with_speed else "result"
    return fitted.image("result").array(), fitted.image(role).array()


def in_tiles(folder: Path, case: Case) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """Return the images that four tiles make, and the result before they are blended.

    Parameters
    ----------
    folder
        Where the movie is.
    case
        What is done.
    """
    length = case.shape[0] // 2

    def boxes(image: Image, needs: Needs, memory: float) -> tuple[list[Part], float]:
        n_frames = image.sizes["T"]
        tiles = layout._tiles(layout.frame_shape(image), (length, length), needs)
        found = [
            Part(0, frames, layout._near(frames, needs, n_frames), own, wide)
            for frames in layout.blocks(n_frames, min(needs.most_frames, n_frames))
            for own, wide in zip(*tiles, strict=True)
        ]
        return found, memory

    config = method_of_action(case.action).config(**case.settings)
    roles = ("result", "speed") if case.with_speed else ("result",)
    outputs = {role: str(folder / f"{role}.zarr") for role in roles}
    modules = {"denoise": denoise, "superresolve": superresolve, "reconstruct": reconstruct}
    with patch.object(modules[case.action], "boxes", boxes):
        plan = make_plan(case.action, Source(str(folder / "in.zarr")), config, outputs, 1e12)
    for number in range(len(plan.parts)):
        finish(part_job(plan, number, Monitor()))
    hard = read_region(plan.places[0], (slice(None),) * 3)
    found = finish(run_plan(plan))
    assert found.is_complete, found.failed
    return {role: read(outputs[role]).array() for role in roles}, hard


def quarters(values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return the part of each tile."""
    return [part for half in np.split(values, 2, axis=1) for part in np.split(half, 2, axis=2)]


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
        middle = error.shape[axis] // 2
        beside[middle - NEAR : middle + NEAR - 1] = True
        found.append(means[beside].mean() / means[~beside].mean())
    return float(np.mean(found))
