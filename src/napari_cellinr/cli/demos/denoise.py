"""The demonstration of denoising: a simulated embryo, and conventional filters to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.demos.base import Demo, Panels, row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.fitting.problem import Fitted, Job
    from napari_cellinr.image import Image
    from napari_cellinr.simulate.embryo import EmbryoSample

__all__ = ["DEMO"]


def _simulate(seed: int) -> EmbryoSample:
    from napari_cellinr.simulate.embryo import embryo

    return embryo("membranes", seed=seed)


def _job(sample: EmbryoSample, started: float) -> Job:
    from napari_cellinr.api import iter_denoise
    from napari_cellinr.config import CellINRConfig

    return iter_denoise(sample.raw, CellINRConfig(), started=started)


def _images(sample: EmbryoSample, fitted: Fitted) -> Mapping[str, Image]:
    made = (sample.raw, sample.truth, sample.truth_with_background, *fitted.images[:2])
    return dict(zip(DEMO.names, made, strict=True))


def _panels(sample: EmbryoSample, fitted: Fitted) -> Panels:
    return Panels(sample.raw, fitted.images[0], sample.truth)


def _table(sample: EmbryoSample, fitted: Fitted) -> list[str]:
    """Return PSNR and SSIM, one line per image.

    Images with background are compared with the ground truth with background, others with that
    without.
    """
    from scipy.ndimage import gaussian_filter

    from napari_cellinr.classic.background import opening
    from napari_cellinr.metrics import psnr, ssim

    raw = sample.raw.array()
    smooth = gaussian_filter(raw, 0.7)
    signal, background = (image.array() for image in fitted.images[:2])
    blocks = {
        "noise removed": (
            sample.truth_with_background.array(),
            {"raw": raw, "Gaussian, σ 0.7": smooth, "CellINR": signal + background},
        ),
        "noise, background removed": (
            sample.truth.array(),
            {"raw": raw, "Gaussian − opening": smooth - opening(smooth), "CellINR": signal},
        ),
    }
    lines = []
    for title, (truth, images) in blocks.items():
        lines.append(f"{title:<26}{'PSNR':>9}{'SSIM':>8}")
        lines += [
            row(name, psnr(image, truth), ssim(image, truth)) for name, image in images.items()
        ]
    return lines


DEMO = Demo(
    names=("raw", "truth", "truth_with_background", "result", "background"),
    data="an embryo (membranes, 48×96×96 voxels)",
    action="removing noise and background (preset fast)",
    simulate=_simulate,
    job=_job,
    images=_images,
    panels=_panels,
    table=_table,
)
