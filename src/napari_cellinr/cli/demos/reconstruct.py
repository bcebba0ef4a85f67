"""The demonstration of motion: a worm in a phase-contrast microscope, and its true motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.cli.demos.base import Demo, Panels, row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted, Job
    from napari_cellinr.image import Image
    from napari_cellinr.simulate.recordings import MotionSample

__all__ = ["DEMO"]

_PHASE = 1
"""Channel of the phase; channel 0 is the absorption."""

_SHOTS = 4
"""Raw frames that the conventional method needs for one image."""


def _simulate(seed: int) -> MotionSample:
    from napari_cellinr.simulate.recordings import moving

    return moving("worm", seed)


def _job(sample: MotionSample, started: float) -> Job:
    from napari_cellinr.api import iter_reconstruct
    from napari_cellinr.config import NSTMConfig

    config = NSTMConfig(preset="preview", optics=sample.optics)
    return iter_reconstruct(sample.raw, config, started=started)


def _conventional(sample: MotionSample, fitted: Fitted) -> Image:
    from napari_cellinr.methods import METHODS

    return METHODS["nstm"].conventional(sample.raw, fitted.config)


def _images(sample: MotionSample, fitted: Fitted) -> Mapping[str, Image]:
    made = (
        sample.raw,
        sample.truth,
        sample.motion,
        fitted.image("result"),
        fitted.image("motion"),
        _conventional(sample, fitted),
    )
    return dict(zip(DEMO.names, made, strict=True))


def _panels(sample: MotionSample, fitted: Fitted) -> Panels:
    """Return the phase in the middle of the recording."""
    conventional = _conventional(sample, fitted)
    place = conventional.sizes["T"] // 2
    planes = [
        _centred(image.take("C", _PHASE).take("T", frame))
        for image, frame in (
            (conventional, place),
            (fitted.image("result"), _frame(place)),
            (sample.truth, _frame(place)),
        )
    ]
    return Panels(planes[0], planes[1], planes[2], title="conventional")


def _centred(image: Image) -> Image:
    """Return an image without its mean, which phase contrast does not determine."""
    return image.like(_without_mean(image.array()))


def _without_mean(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(values - values.mean(axis=(-2, -1), keepdims=True), np.float32)


def _frame(place: int) -> int:
    """Return the raw frame in the middle of those of an image of the conventional method."""
    return _SHOTS * place + _SHOTS // 2


def _table(sample: MotionSample, fitted: Fitted) -> list[str]:
    """Return PSNR and SSIM of the phase, and the error of the motion."""
    from napari_cellinr.metrics import psnr, ssim

    conventional = _conventional(sample, fitted)
    frames = [_frame(place) for place in range(conventional.sizes["T"])]
    truth = _without_mean(sample.truth.array()[frames, _PHASE])
    made = {
        "conventional": conventional.array()[:, _PHASE],
        "NSTM": fitted.image("result").array()[frames, _PHASE],
    }
    lines = [f"{'phase':<26}{'PSNR':>9}{'SSIM':>8}"]
    for name, values in made.items():
        shown = _without_mean(values)
        lines.append(row(name, psnr(shown, truth), ssim(shown, truth)))
    found, true = fitted.image("motion"), sample.motion.array()
    step = found.scale[-1]
    error = np.linalg.norm(found.array() - true, axis=1) / step
    moved = np.linalg.norm(true, axis=1) / step
    return [
        *lines,
        f"motion from the first frame: {np.median(moved):.1f} pixels in the median, "
        f"error {np.median(error):.1f}",
    ]


DEMO = Demo(
    names=("raw", "truth", "true_motion", "result", "motion", "conventional"),
    data="a worm in a phase-contrast microscope (12 frames of 96×128 pixels)",
    action="reconstructing it and its motion (preset preview)",
    simulate=_simulate,
    job=_job,
    images=_images,
    panels=_panels,
    table=_table,
)
