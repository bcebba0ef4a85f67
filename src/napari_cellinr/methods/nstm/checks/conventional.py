"""Whether the conventional result explains held-out pixels better than the reconstruction does."""

from __future__ import annotations

import logging
import math
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from napari_cellinr.classic.deconvolve import FADED
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.resources.available import available_memory
from napari_cellinr.fitting.resources.memory import free
from napari_cellinr.methods.nstm.checks.halves import is_significant, of_blocks
from napari_cellinr.methods.nstm.conventional import scenes_of
from napari_cellinr.optics.dpc import DPCModel
from napari_cellinr.optics.sim import SIMModel

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.acquisition import Measurement
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.methods.nstm.problem import NSTMProblem

__all__ = ["conventional_errors", "conventional_warnings", "warnings_of"]

logger = logging.getLogger(__name__)

COMPARING = "comparing with the conventional result"
"""Caption for users."""

NAMES: dict[type, str] = {DPCModel: "Tikhonov", SIMModel: "Wiener"}
"""Name for users of the methods with which results are compared, by what they are for. The result
for other optics is one scene at rest for all frames, as a fit without motion is."""

BYTES, OF_EACH = 200.0, 40.0
"""Memory of a filter per voxel of the scene, and in addition for each order of light."""


def conventional_warnings(
    problem: NSTMProblem, monitor: Monitor
) -> Generator[Progress, Message, list[str]]:
    """Return a warning if the conventional result explains held-out pixels better, else nothing.

    It is skipped without time or memory for it, and whatever goes wrong in it: the result is there.

    Parameters
    ----------
    problem
        The result.
    monitor
        Of the job.
    """
    optics = problem.optics
    if type(optics) not in NAMES or monitor.stopped or monitor.is_late:
        return []
    orders = len(optics.carriers) if isinstance(optics, SIMModel) else 0
    needed = (BYTES + OF_EACH * orders) * math.prod(optics.scene_shape)
    if needed > available_memory():
        return []
    found = yield from in_background(COMPARING, partial(_safely, problem), monitor, needed=True)
    return found or []


def _safely(problem: NSTMProblem) -> list[str]:
    """Return what `warnings_of` says; nothing if it fails."""
    try:
        return warnings_of(problem)
    except Exception as error:  # whatever a conventional method raises for an unusual recording
        logger.info("not compared with the conventional result: %s", error)
        error.__traceback__ = None  # its stack frames hold the arrays that filled the memory
        free()
        return []


def warnings_of(problem: NSTMProblem) -> list[str]:
    """Return a warning if the conventional result explains held-out pixels better, else nothing.

    A paired test of blocks, as for motion against rest.

    Parameters
    ----------
    problem
        A fit to recordings by `dpc`, `sim2d` or `sim3d`.
    """
    usual, held = conventional_errors(problem)
    if not held.any():
        return []
    errors = problem.squared_errors().cpu()
    ours, theirs = (float(each[held].mean().sqrt()) for each in (errors, usual))
    is_less = f"{theirs:.2f}" != f"{ours:.2f}" and theirs < ours
    if not (is_less and is_significant(of_blocks(errors - usual, held))):
        return []
    return [
        f"The conventional result ({NAMES[type(problem.optics)]}) explains the held-out pixels "
        f"better than this reconstruction ({theirs:.2f} against {ours:.2f} σ). Use it, or compare "
        "with it: the dock Compare shows it, and --output conventional=FILE saves it."
    ]


def conventional_errors(problem: NSTMProblem) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the squared errors of the conventional result, and which pixels may be compared.

    It does not see held-out pixels, nor those without data: there it gets what the fit predicts.
    Its scenes are at rest during the frames that they were made from.

    Parameters
    ----------
    problem
        A fit.

    Returns
    -------
    tuple of torch.Tensor
        In variances of the noise, and bool; both of the shape of the frames, on the CPU. Edges
        at which a filter fades are not compared.
    """
    measurement = problem.measurement
    model = deepcopy(measurement.model).cpu()  # filters need 64 bits, which not all devices have
    frames = torch.from_numpy(measurement.frames)
    unseen = torch.from_numpy(problem.plan.held | problem.plan.bad)
    filled = torch.where(unseen, frames + problem.residual().cpu(), frames)
    given = replace(measurement, model=model, frames=filled.numpy())
    errors = ((_at_rest(given) - frames) / problem.sigmas.cpu()) ** 2
    edge = FADED if isinstance(model, SIMModel) else 0
    inside = torch.zeros(frames.shape, dtype=torch.bool)
    inside[..., edge : inside.shape[-2] - edge, edge : inside.shape[-1] - edge] = True
    return errors, problem.held.cpu() & inside


def _at_rest(measurement: Measurement) -> torch.Tensor:
    """Return the frames of the conventional scenes, each at rest in its set of frames."""
    model = measurement.model
    predicted = torch.zeros(measurement.frames.shape)
    found, sets = scenes_of(measurement)
    with torch.no_grad():
        for values, shots in zip(found, sets, strict=True):
            scene = _with_padding(torch.from_numpy(values), measurement)[None]
            for shot in shots:
                predicted[shot] = model(scene, torch.tensor([shot]))[0]
    return predicted


def _with_padding(scene: torch.Tensor, measurement: Measurement) -> torch.Tensor:
    """Return a scene (channels, [Z,] Y, X) that goes on at its borders as far as the model's."""
    model = measurement.model
    scene = scene.reshape(model.channels, *scene.shape[-len(model.scene_shape) :])
    widths = [width for width in reversed(model.padding) for _ in range(2)]
    return functional.pad(scene[None], widths, mode="replicate")[0] if any(widths) else scene
