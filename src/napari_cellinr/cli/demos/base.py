"""What a demonstration consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_cellinr.fitting.problem import Fitted, Job
    from napari_cellinr.image import Image

__all__ = ["Demo", "Panels", "row"]


@dataclass(frozen=True)
class Panels:
    """What the picture of a demonstration shows; axes YX, or ZYX of which the middle is shown.

    Parameters
    ----------
    before, result, truth
        Images of the same shape.
    title
        Title of the first one, such as `raw`.
    """

    before: Image
    result: Image
    truth: Image
    title: str = "raw"


@dataclass(frozen=True)
class Demo:
    """A demonstration of one method.

    Parameters
    ----------
    names
        Names of the image files that it writes, without suffix.
    data, action
        What is simulated, and what is done with it, in words.
    simulate
        Returns the sample; takes its random seed.
    job
        Returns the job; takes the sample and `time.monotonic()` of its start.
    images
        Returns the images by name; takes the sample and the fit.
    panels
        Returns what the picture shows; takes the sample and the fit.
    table
        Returns lines with scores; takes the sample and the fit.
    """

    names: tuple[str, ...]
    data: str
    action: str
    simulate: Callable[[int], Any]
    job: Callable[[Any, float], Job]
    images: Callable[[Any, Fitted], Mapping[str, Image]]
    panels: Callable[[Any, Fitted], Panels]
    table: Callable[[Any, Fitted], list[str]]


def row(name: str, decibels: float, similarity: float) -> str:
    """Return a line of a table of scores.

    Parameters
    ----------
    name
        Name of the image.
    decibels, similarity
        Its PSNR and its SSIM.
    """
    return f"  {name:<24}{decibels:>6.1f} dB{similarity:>8.3f}"
