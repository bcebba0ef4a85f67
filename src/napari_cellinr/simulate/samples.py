"""The sample data of the plugin by key, for the viewer and for macros that start from a sample."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_cellinr.image import Image

__all__ = ["SAMPLES", "check_sample", "sample_images"]


def sample_images(key: str) -> tuple[Image, Image]:
    """Return the ground truth and the raw image of a sample; the same at every call.

    Raises
    ------
    FileError
        If there is no such sample.
    """
    check_sample(key)
    return SAMPLES[key]()


def check_sample(key: str) -> None:
    """Raise `FileError` if there is no such sample."""
    if key not in SAMPLES:
        raise FileError(f"there is no sample {key!r}; the samples are {', '.join(SAMPLES)}.")


def _embryo(kind: Any) -> tuple[Image, Image]:
    from napari_cellinr.simulate.embryo import embryo

    sample = embryo(kind)
    return sample.truth, sample.raw


def _series() -> tuple[Image, Image]:
    from napari_cellinr.simulate.embryo import embryo_series

    sample = embryo_series(size=(6, 24, 64, 64), bleaching=0.05)
    return sample.truth, sample.raw


def _cells() -> tuple[Image, Image]:
    from napari_cellinr.simulate.cells import cells

    sample = cells((5, 12, 64, 64), gain=1.0, read_noise=2.0)
    return sample.truth, sample.raw


def _moving(kind: Any) -> tuple[Image, Image]:
    from dataclasses import replace

    from napari_cellinr.simulate.recordings import moving
    from napari_cellinr.simulate.shapes import SAMPLE_POINT

    sample = moving(kind)
    raw, truth = sample.raw, sample.truth
    if sample.psf is not None:  # simulated when it is needed, not stored in a file
        optics = {**sample.optics.as_dict(), "psf": SAMPLE_POINT}
        raw = replace(raw, meta={**raw.meta, "optics": optics})
    if "C" in truth.axes:
        truth = replace(truth.take("C", 1), name=truth.name)
    return truth, raw


SAMPLES: Final[Mapping[str, Callable[[], tuple[Image, Image]]]] = {
    "embryo-membranes": partial(_embryo, "membranes"),
    "embryo-nuclei": partial(_embryo, "nuclei"),
    "embryo-series": _series,
    "moving-cells": _cells,
    "motion-worm": partial(_moving, "worm"),
    "motion-beads": partial(_moving, "beads"),
    "motion-cell": partial(_moving, "cell"),
    "motion-ball": partial(_moving, "ball"),
}
"""Simulating function by key; the keys are those of the manifest."""
