"""Memory and time of a reconstruction, estimated from measured runs; does not load torch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_cellinr.config.nstm import MOST_LAYERS
from napari_cellinr.errors import FitError
from napari_cellinr.fitting.resources.available import available_memory
from napari_cellinr.methods.method import Cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.config import NSTMConfig
    from napari_cellinr.fitting.problem import Progress
    from napari_cellinr.image import Image

__all__ = [
    "SHORTER",
    "attempts_of",
    "check_memory",
    "check_steps",
    "cost",
    "lasting",
    "later_steps",
    "steps_of_others",
    "steps_of_scene",
    "usual_steps",
]

MOVING, RESTING = 2, 1
"""Fits that check a motion: to two parts of the pixels, and to the first one at rest; of a phase
and of several layers, to both at rest."""

SHORTER = 0.5
"""Steps of each of them relative to those of the whole fit."""

STEP_SECONDS = (6.5e-3, 1.6e-7)
"""CPU seconds per step, and per step and pixel of the raw frames.

Measured: 10, 18, 33 and 178 ms for 33, 98, 147 and 1049 thousand pixels.
"""

VOLUME_STEP_SECONDS = (6.5e-3, 3.1e-7)
"""The same for volumes, whose points have eight neighbours: 56 to 82 ms for 197 thousand."""

BLURRED_STEP_SECONDS = (6.5e-3, 5.5e-7)
"""The same for volumes with a point spread function: 74 to 97 ms for 151 thousand."""

VOLUME_ATTEMPTS = 3
"""Fits of volumes in motion: measured three of the sample *cell*, and four of two others, of the
benchmark. None explains the frames up to their noise, so that all are made, however good they are.
Of 36 planes in motion there, 30 were fitted once.
"""

ROLLING_STEP_SECONDS = (6.5e-3, 1.5e-6)
"""The same for a rolling shutter, whose rows each see the scene at another time: 28 ms for 14."""

PARTS, PART_PIXELS, PART_SECONDS = 200, 25, 2e-3
"""Largest number of parts of a phase whose motion is looked at, pixels of each, and CPU seconds of
each per pair of frames: measured 1.4 to 2.4 ms for 3 to 8 frames of 64 × 64 and 256 × 256."""

PART_FRAMES = (3, 8)
"""Frames of recordings whose parts are looked at; as in `phases`, which loads torch."""

PART_FITS, PART_CHECKS = 2, 0.5
"""Fits with the motion of parts, and how often one is checked, too, since it is better: of 23
development recordings of phase contrast in motion, made in 20 and checked in 10."""

STIFFER_FITS = 1
"""Fits with stiffer motion, where phase is faint."""

EACH_LAYER = 0.5
"""Time of each further layer relative to that of the first."""

BYTES = (3.5e8, 530.0)
"""Peak memory in bytes, and per pixel of the raw frames: measured 0.37 to 0.44 GB for the same."""

FEW_FRAMES_BYTES = (3.5e8, 250.0, 1000.0, 500.0)
"""The same, and per point of the scene with its margins: up to `MANY_POINTS`, and beyond.

It counts with few frames, and for narrow images, whose margins are as large as they are. Measured:
0.61, 0.93, 0.85 GB for 3 × 2 × 25000, 3 × 500 × 640 and 3 × 16 × 20000 pixels.
"""

OTHERS = 20
"""Bytes per pixel of each other channel, whose frames, noise and held-out pixels stay in memory."""

FOLLOWED = ("time-lapse", "line-scan", "point-scan", "z-scan")
"""Kinds of microscopes of which all channels of a recording are reconstructed."""

MANY_POINTS = 450_000
"""As in `fields.pointwise`, which loads torch."""


def cost(image: Image, config: NSTMConfig) -> Cost:
    """Return time and memory of the fits that most recordings need, and of the check of the motion.

    For phase contrast in few frames, those with the motion of parts are counted, since most
    recordings in which something moves need them.

    Parameters
    ----------
    image
        The raw frames; only their shape counts.
    config
        The settings.
    """
    others, total = steps_of_others(image, config), math.prod(image.shape)
    if config.motion_channel and "C" in image.axes:
        image = image.take("C", 0)
    n_pixels = math.prod(image.shape)
    base, each = _step_seconds(image, config)
    steps = usual_steps(image, config) + others
    return Cost(
        steps * (base + each * n_pixels) + _parts_seconds(image, config),
        max(BYTES[0] + BYTES[1] * n_pixels, _with_margins(image)) + OTHERS * (total - n_pixels),
        _note(image, config),
    )


def _note(image: Image, config: NSTMConfig) -> str:
    """Return how much longer, or shorter, other recordings take."""
    if not config.moving:
        return ""
    if attempts_of(image, config) > 1:
        return "An easy motion takes half of it, a difficult one up to twice as long."
    return "A difficult motion takes up to five times as long."


def attempts_of(image: Image, config: NSTMConfig) -> int:
    """Return how many fits with one motion most recordings of this kind need.

    Parameters
    ----------
    image
        The raw frames; only their shape counts.
    config
        The settings.
    """
    again = config.moving and config.restart and image.sizes.get("Z", 1) > 1
    return VOLUME_ATTEMPTS if again else 1


def _step_seconds(image: Image, config: NSTMConfig) -> tuple[float, float]:
    """Return seconds per step, and per step and pixel."""
    if config.optics.kind == "rolling-shutter":
        return ROLLING_STEP_SECONDS
    if image.sizes.get("Z", 1) == 1:
        return STEP_SECONDS
    optics: Any = config.optics
    is_blurred = getattr(optics, "psf", None) or getattr(optics, "psf_fwhm", None)
    return BLURRED_STEP_SECONDS if is_blurred else VOLUME_STEP_SECONDS


def usual_steps(image: Image, config: NSTMConfig) -> float:
    """Return the steps of all fits that most recordings need, of those with one layer each.

    Parameters
    ----------
    image
        The raw frames; only their shape counts.
    config
        The settings.
    """
    checks = check_steps(config)
    steps = _layers(config) * config.steps * attempts_of(image, config) + checks
    if _looks_at_parts(image, config):
        steps += (STIFFER_FITS + PART_FITS) * config.steps + PART_CHECKS * checks
    return steps


def _looks_at_parts(image: Image, config: NSTMConfig) -> bool:
    """Return whether the motion of parts is looked at where that of a fit is not known."""
    frames = math.prod(image.shape) // _plane(image)
    looks = config.moving and config.check_motion and config.restart
    return looks and config.optics.kind == "dpc" and PART_FRAMES[0] <= frames <= PART_FRAMES[1]


def _plane(image: Image) -> int:
    """Return the pixels of a plane."""
    return image.sizes.get("Y", 1) * image.sizes.get("X", 1)


def _parts_seconds(image: Image, config: NSTMConfig) -> float:
    """Return the seconds of all looks at the motion of parts: one, and one by each fit's check."""
    if not _looks_at_parts(image, config):
        return 0.0
    pixels = _plane(image)
    pairs = math.comb(math.prod(image.shape) // pixels, 2)
    looks = 1 + MOVING * PART_CHECKS
    return looks * PART_SECONDS * pairs * min(PARTS, pixels / PART_PIXELS)


def steps_of_scene(config: NSTMConfig) -> int:
    """Return the steps of the fit of a scene whose motion is known: half of those with motion.

    Parameters
    ----------
    config
        The settings.
    """
    return max(1, config.steps // 2)


def steps_of_others(image: Image, config: NSTMConfig) -> int:
    """Return the steps of the fits of the other channels than that of the motion.

    Parameters
    ----------
    image
        The raw frames with all their channels; only their axes and shape count.
    config
        The settings.
    """
    count = image.sizes.get("C", 1)
    if count == 1 or not config.motion_channel or config.optics.kind not in FOLLOWED:
        return 0
    return (count - (config.single_motion_channel() is not None)) * steps_of_scene(config)


def check_steps(config: NSTMConfig) -> float:
    """Return the steps of all fits that check the motion at least, of those with one layer each.

    Parameters
    ----------
    config
        The settings.
    """
    if not (config.moving and config.check_motion):
        return 0.0
    both = config.fixed_layers() > 1 or config.optics.kind == "dpc"
    resting = 2 * RESTING if both else RESTING
    return SHORTER * config.steps * (resting + MOVING * _layers(config))


def lasting(progress: Progress, later: float) -> Progress:
    """Return progress whose remaining time is that of the job, with later fits.

    Parameters
    ----------
    progress
        Of a fit.
    later
        Number of steps of the later ones.
    """
    left = progress.steps - progress.step
    if progress.eta is None or left <= 0:
        return progress
    return replace(progress, eta=progress.eta * (1 + later / left), is_of_job=True)


def later_steps(config: NSTMConfig, left: Sequence[bool]) -> float:
    """Return the steps that follow a fit, the check included, in steps of that fit.

    All attempts that are left count, although the next one may explain the frames: a time that
    gets shorter is better than one that gets longer. Those with layers have the most, as has the
    check then, until it is known how many there are.

    Parameters
    ----------
    config
        The settings of the fit.
    left
        For each attempt that follows, whether it has several layers.
    """
    fits = [
        config.replace(motion_layers=max(MOST_LAYERS * several, config.fixed_layers()))
        for several in left
    ]
    steps = config.steps * sum(map(_layers, fits)) + check_steps(fits[-1] if fits else config)
    return steps / _layers(config)


def _layers(config: NSTMConfig) -> float:
    """Return the time of a step relative to that with one layer."""
    return 1 + EACH_LAYER * (config.fixed_layers() - 1) if config.moving else 1.0


def check_memory(image: Image, config: NSTMConfig) -> None:
    """Refuse frames whose fit on the CPU does not fit into memory, before it starts.

    Linux ends a process that takes more than there is, and its result is lost.

    Parameters
    ----------
    image
        The raw frames; only their shape counts.
    config
        The settings.

    Raises
    ------
    FitError
        If more is needed than is free.
    """
    needed = cost(image, config).memory - BYTES[0]  # the process has its libraries already
    available = available_memory()
    if needed > available:
        size = " × ".join(map(str, image.shape))
        raise FitError(
            f"the reconstruction of {size} pixels needs about {needed / 1e9:.2g} GB of memory, of "
            f"which {available / 1e9:.2g} GB are free; choose a crop or fewer frames, close other "
            "programs, or reconstruct a time-lapse in parts: napari-cellinr reconstruct INPUT "
            "OUTPUT.ome.zarr --parts."
        )


def _with_margins(image: Image) -> float:
    """Return the memory with motion of up to an eighth of the image, if nothing else is known."""
    base, per_pixel, per_point, beyond = FEW_FRAMES_BYTES
    sizes = [size for axis, size in image.sizes.items() if axis in "ZYX" and size > 1]
    points = math.prod(n + 2 * math.ceil(max(1, n / 8)) for n in sizes)
    many = max(0, points - MANY_POINTS)
    return base + per_pixel * math.prod(image.shape) + per_point * (points - many) + beyond * many
