"""Recordings of the independent phantoms `moving.py`, with their settings and true motions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import map_coordinates

from napari_cellinr import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGE = 4.0  # pixels of the scene; points nearer to the edge do not count
ROWS = 64
ROW_TIME = 0.9 / ROWS  # s
CAMERA_OFFSET = 100.0  # grey levels

CASES = (
    *(("time-lapse", noise) for noise in (0.02, 0.15, 0.3)),
    ("line-scan", 0.02),
    *(("dpc", noise) for noise in (0.01, 0.03, 0.06)),
)
MOTIONS = ("turning", "uneven", "opposite", "one_still", "still")


@dataclass(frozen=True)
class Phantom:
    """A recording, and the true positions of its points.

    Parameters
    ----------
    image, optics
        The raw frames, and the settings of the microscope.
    starts, ends
        Positions of the points in view in the first and the last frame, (points, 2) in pixels of
        the scene.
    truth
        The scene at each frame, axes T Y X.
    """

    image: Image
    optics: dict[str, Any]
    starts: NDArray[Any]
    ends: NDArray[Any]
    truth: NDArray[Any]

    def errors(self, motion: Image) -> NDArray[Any]:
        """Return the error of the displacement from the first to the last frame, camera pixels."""
        steps = np.reshape(motion.scale[2:], (2, 1, 1))
        moved = np.asarray(motion.array()[-1], float) / steps
        found = np.stack([self.at_points(part) for part in moved], axis=1)
        zoom = self.truth.shape[-1] / self.image.shape[-1]
        return np.linalg.norm(found - (self.ends - self.starts), axis=1) / zoom

    def at_points(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values, axes Y X, at the points in the first frame."""
        return map_coordinates(np.asarray(values, float), self.starts.T, order=1, mode="nearest")


def phantom(kind: str, motion: str, noise: float, seed: int) -> Phantom:
    """Return a recording.

    Parameters
    ----------
    kind
        `time-lapse`, `line-scan`, `dpc` or `sim2d`.
    motion
        One of MOTIONS.
    noise
        Relative to the brightest value.
    seed
        Of specimen and noise; seeds below 1000 were used to choose settings.
    """
    import moving

    optics: dict[str, Any] = {"kind": kind}
    step = 1.0
    if kind == "line-scan":
        raw, specimen, starts, span = moving.line_scan(motion, seed, noise)
        times = starts + (ROWS - 1) / 2 * ROW_TIME / span
        grid = np.mgrid[:ROWS, :ROWS].astype(float)
        truth = np.stack([specimen.at(grid, time) for time in times])
        optics |= {"row_time": ROW_TIME, "frame_time": 1.0, "background": CAMERA_OFFSET}
    elif kind == "dpc":
        raw, truth, specimen = moving.dpc(motion, seed, noise)
        step = 0.454
        optics |= {"wavelength": 0.525, "na": 0.25, "na_illumination": 0.25, "pixel_size": step}
        optics["rotations"] = [0, 180, 90, 270]
    elif kind == "sim2d":
        raw, truth, specimen, phases = moving.sim2d(motion, seed, noise)
        step = 0.08
        optics |= {"wavelength": 0.525, "na": 1.2, "pixel_size": step}
        optics |= {"orders": [[0.25, angle] for angle in (12.0, 72.0, 132.0)]}
        optics |= {"modulations": [0.8] * 3, "background": CAMERA_OFFSET}
        optics["phases"] = [
            [phase if place // 3 == carrier else None for carrier in range(3)]
            for place, phase in enumerate(phases)
        ]
    else:
        raw, truth, _, specimen = moving.time_lapse(motion, seed, noise)
        optics["background"] = CAMERA_OFFSET
    if kind != "line-scan":
        times = np.linspace(0, 1, len(raw))
    unit = "pixel" if step == 1 else "micrometer"
    image = Image(raw, "TYX", (1.0, step, step), ("second", unit, unit))
    first, last = specimen.places(times[0]), specimen.places(times[-1])
    far = truth.shape[-1] - 1 - EDGE
    seen = np.all([(p >= EDGE) & (p <= far) for p in (first, last)], axis=(0, 2))
    return Phantom(image, optics, first[seen], last[seen], truth)
