"""Simulated recordings of moving specimens, with the true motion of each point.

The specimens are functions of space, moved in closed form: no image is ever interpolated, so that
the truth does not favour any reconstruction method.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch

from napari_cellinr.config.optics import optics_from_dict
from napari_cellinr.errors import ConfigError
from napari_cellinr.image import Image
from napari_cellinr.optics.blur import BlurModel, plane_times
from napari_cellinr.optics.dpc import DPCModel, half_discs, transfer_functions
from napari_cellinr.optics.fourier import gaussian_psf
from napari_cellinr.optics.otf import ideal_bands
from napari_cellinr.optics.rolling_shutter import RollingShutterModel, band_rows
from napari_cellinr.optics.sim import SIMModel
from napari_cellinr.simulate.shapes import (
    SENSOR,
    Ball,
    Beads,
    Cell,
    Specimen,
    Worm,
    caustic,
    pictured,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_cellinr.config.optics import Optics
    from napari_cellinr.optics.base import ForwardModel

__all__ = ["MOTIONS", "MotionKind", "MotionSample", "moving"]

MotionKind: TypeAlias = Literal["worm", "beads", "cell", "ball"]
"""Worm (phase contrast), beads (structured illumination), cell (z-scan), ball (rolling shutter)."""


@dataclass(frozen=True, eq=False)
class MotionSample:
    """A simulated recording and its ground truth.

    Parameters
    ----------
    raw
        The recorded frames.
    truth
        The specimen at the time of each frame, axes T, [C, Z,] Y, X.
    motion
        Forward displacement of each point of the first frame, axes T, C, [Z,] Y, X with
        C = z, y, x or y, x, in micrometres.
    optics
        Settings of the microscope.
    psf
        Point-spread function, axes YX, for a microscope that reads it from a file.
    """

    raw: Image
    truth: Image
    motion: Image
    optics: Optics
    psf: Image | None = None


def moving(kind: MotionKind, seed: int = 0, *, noise: float = 0.01) -> MotionSample:
    """Return a simulated recording of a moving specimen.

    Parameters
    ----------
    kind
        `worm`: phase contrast; `beads`: three-beam structured illumination; `cell`: z-scan;
        `ball`: rolling shutter.
    seed
        Random seed.
    noise
        Standard deviation of the noise, as a fraction of the brightest signal.

    Raises
    ------
    ConfigError
        If the kind is not known.
    """
    if kind not in MOTIONS:
        raise ConfigError(f"kind {kind!r} was given; {', '.join(MOTIONS)} are allowed.")
    return MOTIONS[kind](np.random.default_rng(seed), noise)


def _worm(generator: np.random.Generator, noise: float) -> MotionSample:
    """Return an undulating, creeping worm under alternating half-disc illumination (DPC)."""
    n_frames, size, pixel, wavelength, na = 12, (96, 128), 0.454, 0.525, 0.25
    rotations = (0.0, 180.0, 90.0, 270.0)
    sources = half_discs(DPCModel.grid(size), pixel, wavelength, rotations, na)
    functions = transfer_functions(sources, pixel, wavelength, na)
    times = 0.1 * torch.arange(n_frames, dtype=torch.float64)
    model = DPCModel((n_frames, *size), times, *functions)
    worm = Worm(size, generator)
    frames, truth = _record(model, worm)
    raw = 1000 * (1 + frames + noise * generator.standard_normal(frames.shape))
    settings = {
        "kind": "dpc",
        "wavelength": wavelength,
        "na": na,
        "na_illumination": na,
        "rotations": rotations,
        "pixel_size": pixel,
        "frame_time": 0.1,
    }
    step = (0.1, pixel, pixel)
    return _sample("worm", raw, truth, worm, times / times[-1], settings, step, "TCYX")


def _beads(generator: np.random.Generator, noise: float) -> MotionSample:
    """Return beads on a vibrating stage, one plane, 3 directions × 5 phases (3-D SIM)."""
    size, pixel, na, wavelength, index = (64, 64), 0.08, 1.2, 0.525, 1.33
    period, angles = 0.42, (5.0, 65.0, 125.0)
    grid = (1, *SIMModel.grid(size))
    transfers = ideal_bands(grid, (1.0, pixel, pixel), (na, wavelength, index), 0.0)[:, 0]
    phases, contrasts = np.zeros((15, 6)), np.zeros((15, 6))
    carriers = np.zeros((6, 2))
    for direction, angle in enumerate(angles):
        for order in (1, 2):
            column, rows = 2 * direction + order - 1, slice(5 * direction, 5 * direction + 5)
            start = generator.uniform(-math.pi, math.pi)
            phases[rows, column] = start + order * 2 * math.pi / 5 * np.arange(5)
            contrasts[rows, column] = (0.8, 0.6)[order - 1]
            turn = math.radians(angle)
            carriers[column] = order * pixel / period * np.array([math.sin(turn), math.cos(turn)])
    times = 0.02 * torch.arange(15, dtype=torch.float64)
    light = torch.tensor(carriers), torch.tensor(phases), torch.tensor(contrasts)
    groups = torch.tensor([1, 2] * 3)
    model = SIMModel((15, *size), times, *light, transfers, groups, zoom=2.0)
    beads = Beads(model.scene_shape, generator)
    frames, truth = _record(model, beads)
    raw = _camera(frames, noise, generator)
    settings = {
        "kind": "sim3d",
        "na": na,
        "wavelength": wavelength,
        "refractive_index": index,
        "wavelength_excitation": 0.488,
        "frame_order": "direction-z-phase",
        "voxel_size": (pixel, pixel),
        "periods": (period,) * 3,
        "angles": angles,
        "start_phases": [np.degrees(phases[5 * d, 2 * d : 2 * d + 2]).tolist() for d in range(3)],
        "modulations": ((0.8, 0.6),) * 3,
        "refine": False,
        "frame_time": 0.02,
        "background": 100.0,
    }
    step = (0.02, pixel, pixel)
    return _sample(
        "beads", raw, truth[:, 0], beads, times / times[-1], settings, step, "TYX", zoom=2
    )


def _cell(generator: np.random.Generator, noise: float) -> MotionSample:
    """Return a drifting, rotating cell, recorded plane by plane; the blur is exact in time."""
    n_stacks, size, step = 4, (12, 56, 56), (0.4, 0.2, 0.2)
    starts = 1.0 * torch.arange(n_stacks, dtype=torch.float64)
    times = plane_times(starts, size[0], 0.06)
    psf = gaussian_psf((0.8, 1.0, 1.0), (2, 3, 3))
    model = BlurModel((n_stacks, *size), times, psf)
    cell = Cell(size, generator)
    frames = np.zeros((n_stacks, *size))
    places = [np.arange(n) - pad for n, pad in zip(model.scene_shape, model.padding, strict=True)]
    span = float(times.max())
    for stack in range(n_stacks):
        for plane in range(size[0]):
            # Out-of-focus light shows the specimen at the time of the recorded plane.
            scene = cell.at(places, float(times[stack, plane]) / span)
            whole = model(torch.tensor(scene)[None], torch.tensor([stack]))
            frames[stack, plane] = whole[0, plane].numpy()
    raw = _camera(frames, noise, generator)
    truth = np.stack([cell.at([np.arange(n) for n in size], float(t) / span) for t in starts])
    settings = {
        "kind": "z-scan",
        "plane_time": 0.06,
        "stack_time": 1.0,
        "voxel_size": step,
        "psf_fwhm": tuple(2.3548 * sigma * s for sigma, s in zip((0.8, 1, 1), step, strict=True)),
        "background": 100.0,
    }
    relative = starts / span
    return _sample("cell", raw, truth[:, 0], cell, relative, settings, (1.0, *step), "TZYX")


def _ball(generator: np.random.Generator, noise: float) -> MotionSample:
    """Return a flying ball in one image of a lensless camera with a dual rolling shutter."""
    size, scene_size = SENSOR, (60, 60)
    psf = caustic(size, generator)
    rows = band_rows(size[0], 4, dual=True)
    model = RollingShutterModel(
        size, torch.tensor(psf), rows, 1e-4, 4e-4, scene_size, dual=True, samples=2
    )
    ball = Ball(scene_size, generator)
    bands, truth = _record(model, ball)
    picture = np.zeros(size)
    picture[rows.numpy()] = bands
    raw = _camera(picture, noise, generator)
    settings = {
        "kind": "rolling-shutter",
        "row_time": 1e-4,
        "exposure": 4e-4,
        "shutter": "dual",
        "rows_per_shot": 4,
        "background": 100.0,
        "psf_background": 0.0,
        "psf": "psf.tif",
    }
    instants, step = model.times[::2] / model.times.max(), (4e-4, 1.0, 1.0)
    sample = _sample("ball", raw, truth[::2, 0], ball, instants, settings, step, "TYX")
    point = Image(pictured(psf), axes="YX", name="psf of the ball")
    return MotionSample(sample.raw, sample.truth, sample.motion, sample.optics, point)


MOTIONS: dict[str, Callable[[np.random.Generator, float], MotionSample]] = {
    "worm": _worm,
    "beads": _beads,
    "cell": _cell,
    "ball": _ball,
}
"""Simulating function by kind."""


def _record(model: ForwardModel, specimen: Specimen) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the raw frames, and the scene (shots * samples, C, Y, X) at their times."""
    times = model.shot_times().double()
    places = [np.arange(n) for n in model.scene_shape]
    span = float(times.max())
    scene = np.stack([specimen.at(places, float(time) / span) for time in times])
    frames = model(torch.tensor(scene), torch.arange(model.n_shots))
    return frames.numpy(), scene


def _camera(
    frames: NDArray[Any], noise: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return noisy grey levels of a camera: offset 100, signal up to 4000."""
    signal = frames / frames.max()
    grain = noise * np.sqrt(np.clip(signal, 0.05, None)) * generator.standard_normal(frames.shape)
    levels: NDArray[np.float64] = 100 + 4000 * (signal + grain)
    return levels


def _sample(
    name: str,
    raw: NDArray[Any],
    truth: NDArray[Any],
    specimen: Specimen,
    instants: torch.Tensor,
    settings: dict[str, Any],
    step: tuple[float, ...],
    truth_axes: str,
    *,
    zoom: int = 1,
) -> MotionSample:
    """Return the calibrated recording with its ground truth."""
    spatial = step[1:]
    optics = optics_from_dict(settings)
    meta = {"simulated": name, "optics": optics.as_dict()}
    raw_axes = {3: "TYX", 4: "TZYX", 2: "YX"}[raw.ndim]
    truth_axes = {"ball": "TYX", "beads": "TYX"}.get(name, truth_axes)
    fine = tuple(s / zoom for s in spatial)
    size = truth.shape[-len(spatial) :]
    moves = np.stack([specimen.displacement(size, float(instants[0]), float(s)) for s in instants])
    return MotionSample(
        raw=_calibrated(raw, raw_axes, (step[0], *spatial), name, meta),
        truth=_calibrated(truth, truth_axes, (step[0], *fine), f"{name} truth", meta),
        motion=_calibrated(
            moves * np.reshape(fine, (-1, *(1 for _ in size))),
            "TC" + "ZYX"[-len(size) :],
            (step[0], *fine),
            f"{name} motion",
            meta,
        ),
        optics=optics,
    )


def _calibrated(
    data: NDArray[Any],
    axes: str,
    steps: tuple[float, ...],
    name: str,
    meta: dict[str, Any],
) -> Image:
    """Return a float32 image; `steps` are those along T in s and the spatial axes in µm."""
    spatial = dict(zip("ZYX"[-(len(steps) - 1) :], steps[1:], strict=True))
    scale = tuple(spatial.get(axis, steps[0] if axis == "T" else 1.0) for axis in axes)
    units = tuple("second" if a == "T" else "pixel" if a == "C" else "micrometer" for a in axes)
    data = np.asarray(data, np.float32)
    return Image(data, axes=axes, scale=scale, units=units, name=name, meta=meta)
