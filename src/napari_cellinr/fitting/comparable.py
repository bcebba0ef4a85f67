"""Steps of an image in one unit of length, so that their ratios are those of the voxel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cellinr.fitting.report import with_warnings
from napari_cellinr.image import UNCALIBRATED
from napari_cellinr.io.metadata.units import LENGTHS, convert

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from napari_cellinr.fitting.problem import Fitted, Job, Message, Progress
    from napari_cellinr.image import Image

__all__ = ["comparable", "with_comparable_steps"]


def with_comparable_steps(image: Image, job_of: Callable[[Image], Job]) -> Job:
    """Return the job for an image whose spatial steps can be compared with each other.

    Steps in different units of length are converted to that of the last axis. An axis of unknown
    step gets the smallest known one, which means cubes; its step is unknown again in the result,
    and a warning says so.

    Parameters
    ----------
    image
        The image, any units.
    job_of
        Returns the job for an image.
    """
    changed, assumed = comparable(image)
    if not assumed:
        return job_of(changed)
    return _restoring(job_of(changed), assumed, _assumption(image, assumed))


def comparable(image: Image) -> tuple[Image, dict[str, float]]:
    """Return the image with comparable spatial steps, and those that had to be assumed, by axis.

    If no spatial step is known, all of them stay as they are.
    """
    units = dict(zip(image.axes, image.units, strict=True))
    known = [axis for axis in "ZYX" if units.get(axis) in LENGTHS]
    unknown = [axis for axis in "ZYX" if units.get(axis) == UNCALIBRATED]
    if not known:
        return image, {}
    unit = units[known[-1]]
    steps = {axis: convert(image.steps[axis], units[axis], unit) or 1.0 for axis in known}
    assumed = dict.fromkeys(unknown, min(steps.values()))
    factors = {
        **{axis: step / image.steps[axis] for axis, step in steps.items()},
        **{axis: step / image.steps[axis] for axis, step in assumed.items()},
    }
    if all(factor == 1 for factor in factors.values()):
        return image, {}
    new_units = [unit if axis in steps else units[axis] for axis in image.axes]
    return _scaled(image, factors).like(image.data, units=tuple(new_units)), {
        axis: factors[axis] for axis in assumed
    }


def _scaled(image: Image, factors: Mapping[str, float]) -> Image:
    """Return the image with steps and position multiplied by a factor for each axis."""
    by_axis = [factors.get(axis, 1.0) for axis in image.axes]
    return replace(
        image,
        scale=tuple(step * f for step, f in zip(image.scale, by_axis, strict=True)),
        translate=tuple(p * f for p, f in zip(image.translate, by_axis, strict=True)),
    )


def _restoring(job: Job, assumed: Mapping[str, float], warning: str) -> Job:
    """Return the job with the assumed steps taken out of previews and results again."""
    back = {axis: 1 / factor for axis, factor in assumed.items()}
    fitted: Fitted = yield from _previews(job, back)
    images = tuple(_unassumed(image, back) for image in fitted.images)
    return with_warnings(replace(fitted, images=images), [warning])


def _previews(
    job: Generator[Progress, Message, Fitted], back: Mapping[str, float]
) -> Generator[Progress, Message, Fitted]:
    message: Message = None
    while True:
        try:
            progress = job.send(message)
        except StopIteration as end:
            fitted: Fitted = end.value
            return fitted
        if progress.preview is not None:
            progress = replace(progress, preview=_unassumed(progress.preview, back))
        message = yield progress


def _unassumed(image: Image, back: Mapping[str, float]) -> Image:
    """Return an image of the result without the assumed steps.

    A method that needs all steps to be known counts in pixels instead: nothing was assumed there.
    """
    units = dict(zip(image.axes, image.units, strict=True))
    if not any(units.get(axis) in LENGTHS for axis in "ZYX"):
        return image
    return _scaled(image, {a: f for a, f in back.items() if units.get(a) == UNCALIBRATED})


def _assumption(image: Image, assumed: Mapping[str, float]) -> str:
    units = zip(image.axes, image.units, strict=True)
    known = [axis for axis, unit in units if axis in "ZYX" and unit in LENGTHS]
    return (
        f"the voxel size is known along {' and '.join(known)}, but not along "
        f"{' and '.join(assumed)}, where it is assumed to be the smallest of the others. If that "
        "is wrong, give it, for example with --voxel z=0.4, with_voxel_size(Z=0.4) or in the dock."
    )
