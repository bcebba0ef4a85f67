"""The start of a fit with several layers: the light and the motion that were found for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from napari_cellinr.config.nstm import MOST_LAYERS
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.adam import Adam
from napari_cellinr.methods.nstm.checks.residual import is_local
from napari_cellinr.methods.nstm.layers.decomposition import (
    SIDE,
    MovingLight,
    background_level,
    moving_light,
)
from napari_cellinr.methods.nstm.layers.division import crossing_part, divided, without_ghosts
from napari_cellinr.methods.nstm.layers.objects import MovingObjects, affine, moving_objects
from napari_cellinr.methods.nstm.model import ALL_LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.methods.nstm.problem import NSTMProblem
    from napari_cellinr.optics.base import ForwardModel

__all__ = [
    "CROSSING",
    "can_have_layers",
    "check_layers",
    "layers_needed",
    "light_of",
    "objects_of",
    "start_layers",
]

CROSSING = "looking for objects that cross"
"""Caption for users."""

NARROW = 8
"""Least number of pixels along the shorter side of what is decomposed."""

FEW_FRAMES = 4
"""Smallest number of frames whose light can be divided by its motion."""

MUCH, LEFT = 0.1, 0.05
"""Part of the light in conflict above which there are layers, and that may be left with them."""

STEPS, RATE = 150, 0.02
"""Steps in which the model learns the start, and their learning rate, which falls to a tenth."""

MOTION_WEIGHT = 10.0
"""Weight of the squared error of the motion, relative to the largest expected displacement, against
that of the light, relative to its contrast."""

BRIGHT = 0.5
"""Brightness of the start relative to the brightest pixel: blurred objects are less bright."""


def can_have_layers(optics: ForwardModel) -> bool:
    """Return whether light of this microscope adds up, in planes that show it where it is.

    Parameters
    ----------
    optics
        The forward model.
    """
    if len(optics.scene_shape) != 2 or optics.n_shots < FEW_FRAMES:
        return False
    sides = optics.data_shape[1:]
    wide = NARROW * max(sides) <= SIDE * min(sides) and min(sides) > 1
    single = optics.channels == 1 and optics.samples == 1
    return wide and single and optics.nonnegative and is_local(optics)


def check_layers(config: NSTMConfig, optics: ForwardModel) -> None:
    """Raise `ConfigError` if several layers are requested for a recording that cannot have them.

    Parameters
    ----------
    config
        The settings.
    optics
        The forward model.
    """
    if config.fixed_layers() > 1 and config.moving and not can_have_layers(optics):
        raise ConfigError(
            f"motion_layers {config.motion_layers} was given; several need a plane of "
            f"fluorescence, no narrow strip, in {FEW_FRAMES} or more frames that show it where it "
            "is, such as a time lapse. Give 1, or auto."
        )


def light_of(problem: NSTMProblem) -> MovingLight:
    """Return the moving light of the pixels that a fit counts.

    Parameters
    ----------
    problem
        The fit.
    """
    pixels = zip(problem.plan.shape.displacement, problem.optics.zoom, strict=True)
    reach = [2 * far / zoom for far, zoom in pixels]
    frames, counted = problem.frames.cpu(), (problem.seen > 0).cpu()
    found = moving_light(frames, counted, problem.moments.cpu(), reach, problem.plan.noise)
    return without_ghosts(found)


def layers_needed(found: MovingLight) -> int:
    """Return the number of layers that objects that cross need; 1 if one motion follows them all.

    Parameters
    ----------
    found
        Moving light of the recording.
    """
    if crossing_part(found) <= MUCH:
        return 1
    numbers = range(2, MOST_LAYERS)
    few = (n for n in numbers if crossing_part(found, divided(found, n)) <= LEFT)
    return next(few, MOST_LAYERS)


def objects_of(problem: NSTMProblem, number: int | None = None) -> MovingObjects | None:
    """Return the objects that move on their own in the pixels that a fit counts; None if one does.

    Parameters
    ----------
    problem
        The fit.
    number
        Of objects, where it is known.
    """
    if problem.config.optics.frames_per_set > 1:
        return None  # frames with different patterns of light are not comparable
    frames, counted = problem.frames.cpu(), (problem.seen > 0).cpu()
    moments, noise = problem.moments.cpu(), problem.plan.noise
    most, least = number or MOST_LAYERS, number or 1
    found = moving_objects(frames, counted, moments, noise, most, least=least)
    return found if len(found) > 1 else None


def start_layers(
    problem: NSTMProblem, monitor: Monitor, found: MovingLight | MovingObjects | None = None
) -> None:
    """Set the model of a fit with several layers to what was found in its pixels.

    Of moving light, each layer gets the bright places that `divided` gives it. Between them its
    motion is the mean of theirs, weighted by light and by the inverse fourth power of the distance.
    Of objects, each layer gets one, with its affine motion.

    Parameters
    ----------
    problem
        The fit, which is changed.
    monitor
        Of the job; nothing more is learnt once it is stopped.
    found
        Moving light or objects of its pixels. If not given, they are computed as `by_flow` of the
        problem says, or, if that is None, objects if there are as many as layers, else light.
    """
    n_layers = problem.plan.shape.layers
    if found is None and problem.by_flow is not False:
        found = objects_of(problem, n_layers if problem.by_flow else None)
        if found is not None and len(found) != n_layers:
            found = None
    problem.by_flow = isinstance(found, MovingObjects)
    if isinstance(found, MovingObjects):
        motion, light = _targets_of_objects(problem, found)
    else:
        found = found or light_of(problem)
        motion, light = _targets(problem, found, divided(found, n_layers))
    model = problem.model
    spread = float(light.amax() - light.amin()) or 1.0
    scale = model.displacement.clamp(min=1.0).reshape(1, -1, 1, 1)
    parameters = list(model.parameters())
    adam = Adam([{"params": parameters, "lr": RATE, "betas": (0.9, 0.99), "eps": 1e-15}])
    with torch.enable_grad():
        for step in range(STEPS):
            if monitor.stopped:
                return
            adam.forget_gradients()
            apart = (model.motion(problem.times, ALL_LEVELS) - motion) / scale
            darker = (model.canonical(ALL_LEVELS) - light) / spread
            loss = MOTION_WEIGHT * apart.square().mean() + darker.square().mean()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step(0.1 ** (step / STEPS))


def _targets(
    problem: NSTMProblem, found: MovingLight, layers: NDArray[np.int64]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return motion and light of all layers, in the form of `model.motion` and `.canonical`."""
    shape, device = problem.plan.shape, problem.device
    zoom, padding = problem.optics.zoom, problem.optics.padding
    moments = problem.moments.reshape(-1, 1, 1) - 0.5
    ends = [n - 1.0 for n in shape.scene]
    lattice = torch.stack(
        torch.meshgrid(*_axes((0.0, 0.0), ends, shape.motion_lattice, device), indexing="ij")
    )
    canonical = _axes(shape.low, shape.high, shape.canonical, device)
    motions, lights = [], []
    for layer in range(shape.layers):
        mine = layers == layer
        places = _tensor((found.places[mine] + 0.5) * zoom - 0.5 + padding, device)
        speeds = _tensor(found.velocities[mine] * zoom, device)
        light = _tensor(found.light[mine], device)
        near = found.near * float(np.mean(zoom))
        now = places + speeds * moments  # (times, n, 2)
        apart = (lattice - now[..., None, None]).square().sum(2)
        weight = light[:, None, None] / (apart + near**2).square()
        mean = torch.einsum("tnyx,nc->tcyx", weight, speeds)
        mean = mean / weight.sum(1)[:, None].clamp(min=1e-20)
        motions.append(-mean * moments[..., None])
        rows, columns = (
            torch.exp(-((axis - place[:, None]) ** 2) / (2 * (near / 1.5) ** 2))
            for axis, place in zip(canonical, places.T, strict=True)
        )
        lights.append(torch.einsum("n,ny,nx->yx", light, rows, columns))
    seen = problem.frames[problem.seen > 0]
    dark = background_level(seen)
    bright = torch.stack(lights)
    bright = bright / bright.amax().clamp(min=1e-12) * BRIGHT * (float(seen.max()) - dark)
    bright[0] += dark
    return torch.cat(motions, 1), bright


def _targets_of_objects(
    problem: NSTMProblem, found: MovingObjects
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return motion and light of all layers, of which each is one object, like `_targets`."""
    shape, device = problem.plan.shape, problem.device
    sizes = np.array(problem.optics.data_shape[1:])
    zoom, padding = (
        np.reshape(values, (2, 1, 1)).astype(np.float64)
        for values in (problem.optics.zoom, problem.optics.padding)
    )

    def pixels(low: Sequence[float], high: Sequence[float], count: Sequence[int]) -> Any:
        axes = [np.linspace(*ends) for ends in zip(low, high, count, strict=True)]
        return (np.stack(np.meshgrid(*axes, indexing="ij")) - padding + 0.5) / zoom - 0.5

    lattice = pixels((0.0, 0.0), [n - 1.0 for n in shape.scene], shape.motion_lattice)
    motions = [
        np.stack([zoom * affine(part, lattice, (sizes - 1) / 2, inverse=True) for part in motion])
        for motion in found.motions
    ]
    steps = np.reshape((sizes - 1) / np.maximum(np.array(found.images.shape[1:]) - 1, 1), (2, 1, 1))
    places = pixels(shape.low, shape.high, shape.canonical) / steps
    lights = [map_coordinates(one, places, order=1, mode="nearest") for one in found.images]
    light = _tensor(np.stack(lights), device)
    light[0] += background_level(problem.frames[problem.seen > 0])
    return _tensor(np.concatenate(motions, 1), device), light


def _axes(
    low: Sequence[float], high: Sequence[float], count: Sequence[int], device: torch.device
) -> list[torch.Tensor]:
    """Return equally spaced positions along each axis, voxels of the scene."""
    return [
        torch.linspace(first, last, n, device=device)
        for first, last, n in zip(low, high, count, strict=True)
    ]


def _tensor(values: NDArray[np.float64], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device)
