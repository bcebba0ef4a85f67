"""What a run will cost, before it begins: memory and time, from runs that were measured.

Nothing here loads torch, so that a dock can say it before the first run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from napari_cellinr.methods.cellinr.costs import DENOISING_BYTES, tiles_needed

if TYPE_CHECKING:
    from napari_cellinr.config import CellINRConfig, Config, NSTMConfig, SpatimeConfig
    from napari_cellinr.image import Image

__all__ = ["Cost", "advice", "cost", "denoising", "reconstructing", "shortage"]

DENOISING_SECONDS = (1.5, 2.2e-5)
"""CPU seconds for a frame and for each of its voxels: 6, 18 and 54 s for 0.2, 0.8, 2.4 million."""

COARSE_SECONDS = (0.5, 6e-6)
"""The same where the start is a cheaper estimate than groups of patches."""

KEPT_BYTES = 24.0
"""For each voxel of the whole input: it, two results, and the fields that are kept."""

STEP_SECONDS = (6.5e-3, 1.3e-7)
"""CPU seconds of a step of reconstruction, and for each pixel of the raw frames.

From 10, 18, 33 and 178 ms for 33, 98, 147 and 1049 thousand pixels.
"""

VOLUME_STEP_SECONDS = (6.5e-3, 3.1e-7)
"""The same for volumes, whose points have eight neighbours: 56 to 82 ms for 197 thousand."""

RECONSTRUCTION_BYTES = (3.5e8, 530.0)
"""Largest memory, and for each pixel of the raw frames: from 0.37 to 0.44 GB for the same."""


@dataclass(frozen=True)
class Cost:
    """What a run needs.

    Parameters
    ----------
    seconds
        Time on one core of 2023; a GPU needs less.
    memory
        Largest memory in bytes.
    """

    seconds: float
    memory: float


def cost(action: str, config: Config, image: Image) -> Cost | None:
    """Return what a fit will need, or None if that is not known.

    Parameters
    ----------
    action
        `denoise`, `superresolve` or `reconstruct`.
    config
        Its settings.
    image
        The input; its values are not looked at.
    """
    found: Cost | None
    if action == "denoise":
        found = denoising(cast("CellINRConfig", config), image)
    elif action == "superresolve":
        found = _superresolving(cast("SpatimeConfig", config), image)
    elif action == "reconstruct":
        found = reconstructing(cast("NSTMConfig", config), image)
    else:
        return None
    if config.max_seconds is None or found is None:
        return found
    return Cost(min(found.seconds, config.max_seconds), found.memory)


def denoising(config: CellINRConfig, image: Image) -> Cost:
    """Return what denoising needs: frames one after the other."""
    n_frames = image.sizes.get("T", 1) * image.sizes.get("C", 1)
    n_voxels = math.prod(image.shape)
    frame = n_voxels / n_frames
    memory = _line(DENOISING_BYTES, frame) + KEPT_BYTES * n_voxels
    if config.preset == "paper":
        return Cost(n_frames * config.cpu_seconds(), memory)
    usual = config.estimate in {"auto", "groups"}
    seconds = _line(DENOISING_SECONDS if usual else COARSE_SECONDS, frame)
    return Cost(n_frames * seconds, memory)


def reconstructing(config: NSTMConfig, image: Image) -> Cost:
    """Return what one attempt of a reconstruction needs; a difficult motion takes up to four."""
    n_pixels = math.prod(image.shape)
    step = VOLUME_STEP_SECONDS if image.sizes.get("Z", 1) > 1 else STEP_SECONDS
    seconds = config.steps * _line(step, n_pixels)
    return Cost(seconds, _line(RECONSTRUCTION_BYTES, n_pixels))


def advice(action: str, config: Config, image: Image, free: float) -> str:
    """Return a sentence if a run needs more memory than is free, and what will be done about it.

    Parameters
    ----------
    action, config, image
        As for `cost`.
    free
        Memory that is free, in bytes.
    """
    needed = cost(action, config, image)
    if needed is not None and action == "denoise" and config.preset != "paper":
        frame = [image.sizes[axis] for axis in "ZYX" if axis in image.axes]
        count = tiles_needed(frame, free)
        if count > 1:
            return (
                f"about {needed.memory / 1e9:.2g} GB are needed, {free / 1e9:.2g} GB are free, so "
                f"that it will be fitted in {count} tiles. "
                "Close other programs to fit it as a whole."
            )
    return shortage(needed, free)


def shortage(needed: Cost | None, free: float) -> str:
    """Return a sentence if a run needs more memory than is free; else an empty text.

    Parameters
    ----------
    needed
        What the run needs.
    free
        Memory that is free, in bytes.
    """
    if needed is None or needed.memory <= free:
        return ""
    return (
        f"it may not fit into memory: about {needed.memory / 1e9:.2g} GB are needed, "
        f"{free / 1e9:.2g} GB are free. Crop the image, or close other programs."
    )


def _superresolving(config: SpatimeConfig, image: Image) -> Cost | None:
    """Return what super-resolution needs; None where the settings are not complete."""
    from napari_cellinr.errors import CellINRError
    from napari_cellinr.methods.spatime.output_grid import cpu_seconds, lattice_of, memory_needed

    try:
        source = image.canonical()
        lattice = lattice_of(source, config)
    except CellINRError:
        return None
    return Cost(cpu_seconds(source, lattice, config), memory_needed(source, lattice))


def _line(numbers: tuple[float, float], size: float) -> float:
    return numbers[0] + numbers[1] * size
