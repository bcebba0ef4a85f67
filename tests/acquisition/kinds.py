"""Recordings that every registered kind of microscope can take, and settings that are unusual."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_cellinr.acquisition import prepare
from napari_cellinr.config.optics import KINDS, Optics, optics_from_dict
from napari_cellinr.errors import CellINRError
from napari_cellinr.image import Image
from napari_cellinr.io import write

SIZES = {"T": 3, "C": 1, "Z": 7, "Y": 24, "X": 26}
PIXELS = (0.4, 0.2, 0.1, 0.05)  # µm; structured light refuses the coarse ones
INTERVAL = 9.0  # s; longer than any scan


@dataclass(frozen=True)
class Case:
    """A microscope with a recording of it."""

    image: Image
    optics: Optics

    @property
    def measured(self):
        return prepare(self.image, self.optics)


def microscope(values):
    """Return settings from plain values; constants that are not among them have example values."""
    return optics_from_dict({**KINDS[values["kind"]].TYPICAL, **values})


def recordings(optics, axes=None, sizes=None):
    """Yield random grey levels with the axes of a kind, of two sets or one, of finer pixels."""
    axes = axes or (optics.AXES[0] if optics.AXES else "TYX")
    for n_sets in (2, 1):
        n_frames = SIZES["T"] if optics.AXES else n_sets * optics.frames_per_set
        shape = [{**SIZES, "T": n_frames, **(sizes or {})}[axis] for axis in axes]
        values = 100 + 50 * np.random.default_rng(0).random(shape)
        yield from (calibrated(values, axes, pixel) for pixel in PIXELS)


def calibrated(values, axes, pixel):
    steps = {"T": (INTERVAL, "second"), "C": (1.0, "pixel")}
    known = [steps.get(axis, (pixel, "micrometer")) for axis in axes]
    return Image(values, axes, *zip(*known, strict=True))


def case(folder, kind, settings=None, axes=None, sizes=None):
    """Return a recording that a kind accepts; files that the settings need are made."""
    given = {**KINDS[kind].example().as_dict(), **(settings or {})}
    for name in KINDS[kind].FILES:
        if given[name] is not None:
            point = np.random.default_rng(1).random((5, 7)).astype(np.float32)
            given[name] = str(write(folder / f"{name}.tif", Image(point)))
    optics = optics_from_dict(given)
    images = recordings(optics, axes, sizes)
    return Case(next(image for image in images if not refusal(image, optics)), optics)


def refusal(image, optics):
    """Return the message with which an image is refused, or nothing."""
    try:
        prepare(image, optics)
    except CellINRError as error:
        return str(error)
    return ""


STACK = {"sizes": {"Z": 10, "Y": 18, "X": 18}, "axes": "ZYX"}
UNUSUAL: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "time-lapse, blurred stacks": ("time-lapse", {"psf_fwhm": (0.9, 1, 1)}, {"axes": "TZYX"}),
    "line-scan, blurred": ("line-scan", {"psf_fwhm": (1, 1), "bidirectional": True}, {}),
    "point-scan, bidirectional": ("point-scan", {"bidirectional": True}, {}),
    "z-scan, blurred": ("z-scan", {"psf_fwhm": (1, 1, 1), "plane_order": "interleaved"}, {}),
    "exposure, blurred stacks": ("exposure", {"blur_sigma": (0.5, 0.5, 0.5)}, {"axes": "TZYX"}),
    "dpc, LEDs": ("dpc", {"led_positions": (((0.1, 0),), ((-0.1, 0),))}, {}),
    "sim2d, lattice": (
        "sim2d",
        {
            "orders": ((0.4, 10), (0.4, 100)),
            "phases": ((0, 0), (120, 0), (240, 0), (0, 120), (120, 240)),
            "modulations": (0.8, 0.8),
            "refine": False,
            "zoom": 1.6,
        },
        {},
    ),
    "sim3d, stack": ("sim3d", {"periods": (0.4,), "angles": (10,), "refine": False}, STACK),
    "rolling-shutter, colours": ("rolling-shutter", {}, {"axes": "CYX", "sizes": {"C": 3}}),
    "rolling-shutter, single": ("rolling-shutter", {"shutter": "single", "samples": 3}, {}),
}
"""Kind, settings and recording of what defaults do not reach."""
