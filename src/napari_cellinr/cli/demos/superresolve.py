"""The demonstration of super-resolution: moving cells, of which frames and planes are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.demos.base import Demo, Panels, row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.fitting.problem import Fitted, Job
    from napari_cellinr.image import Image
    from napari_cellinr.simulate.cells import CellsSample

__all__ = ["DEMO"]

_FACTOR = 2
"""Factor in time and along z."""


def _simulate(seed: int) -> CellsSample:
    from napari_cellinr.simulate.cells import cells

    return cells((5, 8, 40, 40), seed, refine=(_FACTOR, _FACTOR))


def _job(sample: CellsSample, started: float) -> Job:
    from napari_cellinr.api import iter_superresolve
    from napari_cellinr.config import SpatimeConfig

    config = SpatimeConfig(scale={"t": _FACTOR, "z": _FACTOR})
    return iter_superresolve(sample.raw, config, started=started)


def _conventional(sample: CellsSample, fitted: Fitted) -> Image:
    from napari_cellinr.methods import METHODS

    return METHODS["spatime"].conventional(sample.raw, fitted.config)


def _images(sample: CellsSample, fitted: Fitted) -> Mapping[str, Image]:
    made = (sample.raw, sample.truth, fitted.images[0], _conventional(sample, fitted))
    return dict(zip(DEMO.names, made, strict=True))


def _panels(sample: CellsSample, fitted: Fitted) -> Panels:
    """Return the middle plane between two frames."""
    frame = 1 + 2 * (sample.truth.sizes["T"] // 4)
    before, result = _conventional(sample, fitted), fitted.images[0]
    return Panels(
        before.take("T", frame),
        result.take("T", frame),
        sample.truth.take("T", frame),
        title="linear interpolation",
    )


def _table(sample: CellsSample, fitted: Fitted) -> list[str]:
    """Return PSNR and SSIM of the frames between the recorded ones, and of all."""
    from napari_cellinr.metrics import psnr, ssim

    truth = sample.truth.array()
    made = {"linear interpolation": _conventional(sample, fitted), "SpatimeINR": fitted.images[0]}
    lines = []
    parts = {"frames between frames": slice(1, None, _FACTOR), "all frames": slice(None)}
    for title, part in parts.items():
        lines.append(f"{title:<26}{'PSNR':>9}{'SSIM':>8}")
        for name, image in made.items():
            values = image.array()[part]
            lines.append(row(name, psnr(values, truth[part]), ssim(values, truth[part])))
    return lines


DEMO = Demo(
    names=("raw", "truth", "result", "linear_interpolation"),
    data="moving cells (5 frames of 8×40×40 voxels)",
    action="computing the frames and planes in between (preset fast)",
    simulate=_simulate,
    job=_job,
    images=_images,
    panels=_panels,
    table=_table,
)
