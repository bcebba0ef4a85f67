"""The sample data of the plugin by key, for the viewer and for macros that start from a sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import ConfigError, FileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_cellinr.config.optics import Optics
    from napari_cellinr.image import Image
    from napari_cellinr.simulate.cells import CellsSample
    from napari_cellinr.simulate.embryo import EmbryoSample

__all__ = [
    "SAMPLES",
    "TRUTH",
    "SampleFiles",
    "check_sample",
    "sample_files",
    "sample_images",
    "truth_name",
]

TRUTH: Final = "truth"
"""What the ground truth of a sample is called, in names of layers and in macros."""


def sample_images(key: str) -> tuple[Image, Image]:
    """Return the ground truth and the raw image of a sample; the same at every call.

    Raises
    ------
    FileError
        If there is no such sample.
    """
    check_sample(key)
    return SAMPLES[key]()


def truth_name(key: str) -> str:
    """Return the name of the ground truth of a sample, which is not simulated for it.

    Parameters
    ----------
    key
        One of `SAMPLES`.

    Examples
    --------
    >>> truth_name("embryo-series"), truth_name("moving-cells")
    ('embryo membranes truth', 'cells truth')
    """
    family, _, kind = key.partition("-")
    shown = "membranes" if kind == "series" else kind
    return f"embryo {shown} {TRUTH}" if family == "embryo" else f"{kind} {TRUTH}"


def check_sample(key: str) -> None:
    """Raise `FileError` if there is no such sample."""
    if key not in SAMPLES:
        raise FileError(f"there is no sample {key!r}; the samples are {', '.join(SAMPLES)}.")


@dataclass(frozen=True)
class SampleFiles:
    """A sample with everything that is known about it.

    Parameters
    ----------
    images
        The raw image and its ground truth, by names for files: `raw`, `truth`, and for some
        `truth_with_background`, `motion` (of the points of the first frame, in µm) and `psf`.
    optics
        Settings of the microscope, for `reconstruct`; None for other samples.
    """

    images: Mapping[str, Image]
    optics: Optics | None = None


def sample_files(key: str, size: tuple[int, int, int] | None = None, seed: int = 0) -> SampleFiles:
    """Return a sample with everything that is known about it.

    Parameters
    ----------
    key
        One of `SAMPLES`.
    size
        Number of voxels Z, Y, X; that of the sample in the viewer if None.
    seed
        Random seed; 0 is the sample in the viewer.

    Raises
    ------
    ConfigError
        If the size is not possible, or the sample has only one.
    FileError
        If there is no such sample.
    """
    check_sample(key)
    kind = key.partition("-")[2]
    if key.startswith("motion-"):
        if size is not None:
            raise ConfigError(
                f"a size was given for the sample {key}, which has only one; leave it out."
            )
        return _moving_files(kind, seed)
    if key == "moving-cells":
        recorded = _simulated_cells(size, seed)
        return SampleFiles({"raw": recorded.raw, "truth": recorded.truth})
    embryo = _simulated_series(size, seed) if kind == "series" else _simulated(kind, size, seed)
    names = ("raw", "truth", "truth_with_background")
    return SampleFiles({name: getattr(embryo, name) for name in names})


def _simulated(kind: Any, size: tuple[int, int, int] | None, seed: int) -> EmbryoSample:
    from napari_cellinr.simulate.embryo import embryo

    return embryo(kind, size or (48, 96, 96), seed)


def _simulated_series(size: tuple[int, int, int] | None, seed: int) -> EmbryoSample:
    from napari_cellinr.simulate.embryo import embryo_series

    return embryo_series(size=(6, *(size or (24, 64, 64))), seed=seed, bleaching=0.05)


def _simulated_cells(size: tuple[int, int, int] | None, seed: int) -> CellsSample:
    from napari_cellinr.simulate.cells import cells

    return cells((5, *(size or (12, 64, 64))), seed, gain=1.0, read_noise=2.0)


def _moving_files(kind: Any, seed: int) -> SampleFiles:
    from napari_cellinr.simulate.recordings import moving

    sample = moving(kind, seed)
    images = {"raw": sample.raw, "truth": sample.truth, "motion": sample.motion}
    point = {} if sample.psf is None else {"psf": sample.psf}
    return SampleFiles({**images, **point}, sample.optics)


def _embryo(kind: Any) -> tuple[Image, Image]:
    sample = _simulated(kind, None, 0)
    return sample.truth, sample.raw


def _series() -> tuple[Image, Image]:
    sample = _simulated_series(None, 0)
    return sample.truth, sample.raw


def _cells() -> tuple[Image, Image]:
    sample = _simulated_cells(None, 0)
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
