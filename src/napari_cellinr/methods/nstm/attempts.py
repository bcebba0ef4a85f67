"""Which fits are tried in turn, until one explains the frames."""

from __future__ import annotations

from itertools import accumulate
from operator import or_
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.config.nstm import EXTRAS
from napari_cellinr.methods.nstm.extras import can_be_out_of_focus
from napari_cellinr.methods.nstm.layers.start import can_have_layers
from napari_cellinr.methods.nstm.penalties import SMOOTHER, is_faint
from napari_cellinr.methods.nstm.recording.usable import is_comparable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.acquisition import Measurement
    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fitting.problem import Outcome
    from napari_cellinr.methods.nstm.plan import Plan
    from napari_cellinr.methods.nstm.problem import NSTMProblem

    Attempt = tuple[str, NSTMConfig, dict[str, bool]]

__all__ = [
    "ALWAYS",
    "FASTER",
    "FLICKERING",
    "LAYERS",
    "OUT_OF_FOCUS",
    "STIFFER",
    "attempts_for",
    "layers_left",
    "with_light_of",
]

FASTER = 3.0
"""Factor for the learning rate of the motion in a restart."""

STIFFER, STIFF = "stiffer motion", 20.0
"""Name of the attempt in which motion bends little, and how much less."""

FLICKERING = "with changes of brightness"
"""Name of the attempt in which each frame has a brightness of its own, before others are tried."""

ALWAYS = (FLICKERING, STIFFER)
"""Names of attempts that are made whenever they are in the list, and the fit before them leaves
something unexplained; a stiffer motion even where it leaves nothing."""

OUT_OF_FOCUS = "with light from out of focus"
"""Name of the attempt in which a part of the light has no pattern."""

LAYERS = "with layers"
"""Name of the attempt with several layers, whose number depends on what crosses."""

UNEVEN = 0.02
"""Relative variation of the mean brightness of frames above which gains are fitted."""

FEW, STRAIGHT = 4, 0.8
"""Smallest number of frames, and smallest R² of an exponential curve, to fit bleaching."""


def attempts_for(measurement: Measurement, config: NSTMConfig, planned: Plan) -> list[Attempt]:
    """Return the fits to try in turn, until one explains the frames: name, settings, extras.

    Parameters
    ----------
    measurement
        The frames, and how they were recorded.
    config
        The settings.
    planned
        Of the first fit: noise, and frames that are left out.
    """
    given = {name: getattr(config, name) == "on" for name in EXTRAS}
    attempts = [("as given", config, given)]
    frames = measurement.frames
    good = np.delete(frames, list(planned.without), axis=0)
    deviation = float(frames[~planned.bad].std(dtype=float))
    means = good.mean(axis=tuple(range(1, frames.ndim)))
    when = np.delete(planned.moments.numpy(), list(planned.without))
    if config.brightness == "auto" and _can_flicker(measurement, config) and _flickers(means, when):
        attempts.append((FLICKERING, config, {**given, "brightness": True}))
    if config.moving and config.restart and is_faint(measurement.model, deviation, planned.noise):
        stiffer = config.replace(stiffness=min(1000.0, STIFF * config.stiffness))
        attempts.append((STIFFER, stiffer, given))
    if config.out_of_focus == "auto" and can_be_out_of_focus(measurement.model):
        attempts.append((OUT_OF_FOCUS, config, {**given, "out_of_focus": True}))
    if config.moving and measurement.model.patterned and config.smoothness is None:
        config = config.replace(smoothness=SMOOTHER)
    if config.moving and config.restart:
        faster = config.replace(motion_rate=min(100.0, config.motion_rate * FASTER))
        attempts.append(("faster motion", faster, given))
    fades = given["bleaching"] or (config.bleaching == "auto" and _fades(means))
    if fades and not given["bleaching"]:
        attempts.append(("with bleaching", config, {**given, "bleaching": True}))
    uneven = float(means.std()) > UNEVEN * abs(float(means.mean())) > 0
    more = given | {
        "brightness": given["brightness"] or (config.brightness == "auto" and uneven),
        "unexplained": given["unexplained"] or config.unexplained == "auto",
    }
    several = config.motion_layers == "auto" and can_have_layers(measurement.model)
    if several and config.moving and config.restart:
        attempts.append((LAYERS, config, given))
    if more != given:
        attempts.append(("with what motion does not explain", config, more))
    return attempts


def with_light_of(
    best: tuple[NSTMProblem, Outcome] | None, extras: Mapping[str, bool]
) -> dict[str, bool]:
    """Return optional parts, with those of the light that are in the best fit so far.

    These are light from out of focus, and changes of brightness.

    Parameters
    ----------
    best
        That fit and its outcome; None before the first.
    extras
        The optional parts of the next one.
    """
    found = {} if best is None else best[0].extras.chosen
    kept = {name: True for name in ("out_of_focus", "brightness") if found.get(name)}
    return {**extras, **kept}


def layers_left(attempts: Sequence[Attempt], number: int, usual: int) -> list[bool]:
    """Return for each fit that is expected after one whether it has several layers.

    Parameters
    ----------
    attempts
        What `attempts_for` returned.
    number
        Of the present fit, from 0. If the first one has not explained the frames, all that are
        left are expected: a time left that gets longer with every fit is of no use. Those of
        `ALWAYS` are expected from the beginning.
    usual
        How many most recordings of this kind need.
    """
    always = sum(name in ALWAYS for name, _, _ in attempts[number + 1 :])
    if number == 0 or attempts[number][0] in ALWAYS:
        return [False] * (usual - 1 + always)
    left = (name == LAYERS for name, _, _ in attempts[number + 1 :])
    return list(accumulate(left, or_))  # later fits have the layers of the best one


def _can_flicker(measurement: Measurement, config: NSTMConfig) -> bool:
    """Return whether every frame shows the whole field in the same way, as those of a time lapse.

    Frames of other phases or planes have another brightness without any flicker.
    """
    optics = config.optics
    alike = is_comparable(optics) and optics.frames_per_set == 1
    return alike and measurement.model.nonnegative


def _flickers(means: NDArray[np.floating], times: NDArray[np.floating]) -> bool:
    """Return whether the mean brightness changes irregularly from frame to frame.

    Objects that come and go, and bleaching, change it steadily: each frame has nearly the mean at
    its time between those before and after it.
    """
    if len(means) < FEW or means.mean() <= 0:
        return False
    part = (times[1:-1] - times[:-2]) / (times[2:] - times[:-2])
    apart = means[1:-1] - means[:-2] - part * (means[2:] - means[:-2])
    return float(np.sqrt((apart**2).mean())) > UNEVEN * float(means.mean())


def _fades(means: NDArray[np.floating]) -> bool:
    """Return whether frames get darker along an exponential curve, by their mean brightness."""
    if len(means) < FEW or means.min() <= 0:
        return False
    logarithm, time = np.log(means), np.linspace(0, 1, len(means))
    slope, _ = np.polyfit(time, logarithm, 1)
    return bool(slope < -UNEVEN and np.corrcoef(time, logarithm)[0, 1] ** 2 > STRAIGHT)
