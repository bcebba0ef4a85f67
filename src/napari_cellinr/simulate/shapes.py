"""Simulated specimens: functions of space with a motion in closed form."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "SAMPLE_POINT",
    "SENSOR",
    "Ball",
    "Beads",
    "Cell",
    "Specimen",
    "Worm",
    "caustic",
    "pictured",
    "sample_point",
]

SAMPLE_POINT: Final = "sample:motion-ball"
"""Value of the optics setting `psf` that stands for the point-spread function of the ball."""

SENSOR: Final = (120, 120)
"""Pixels (Y, X) of the lensless camera that records the ball."""


class Specimen(ABC):
    """A specimen: brightness as a function of material coordinates, and their motion.

    Parameters
    ----------
    size
        Size ([Z,] Y, X) of the field of view, in pixels.
    generator
        Random generator.
    """

    def __init__(self, size: Sequence[int], generator: np.random.Generator) -> None:
        self.size = np.asarray(size, float)
        self.build(generator)

    @abstractmethod
    def build(self, generator: np.random.Generator) -> None:
        """Draw the random properties of the specimen."""

    @abstractmethod
    def forward(self, points: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        """Return the positions of material points, shape of `points`, pixels.

        Parameters
        ----------
        points
            Material coordinates in pixels, shape (axes, …).
        s
            Time relative to the recording, 0 to 1.
        """

    @abstractmethod
    def backward(self, points: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        """Return the material coordinates of positions, the inverse of `forward`.

        Parameters
        ----------
        points
            Positions in pixels, shape (axes, …).
        s
            Time relative to the recording, 0 to 1.
        """

    @abstractmethod
    def value(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the channels (C, …) of the specimen at material points (axes, …)."""

    def at(self, places: Sequence[NDArray[np.generic]], s: float) -> NDArray[np.float64]:
        """Return the specimen on a regular grid, shape (C, …).

        Parameters
        ----------
        places
            Positions along each axis in pixels, shape (n,) each.
        s
            Time relative to the recording, 0 to 1.
        """
        grid = np.stack(np.meshgrid(*places, indexing="ij")).astype(float)
        values: NDArray[np.float64] = self.value(self.backward(grid, s))
        return values

    def displacement(self, size: Sequence[int], start: float, s: float) -> NDArray[np.float64]:
        """Return the displacement of the material at each pixel, shape (axes, *size), pixels.

        Parameters
        ----------
        size
            Number of pixels along each axis.
        start, s
            Times between which it moves, 0 to 1; pixels are positions at time `start`.
        """
        grid = np.indices(size).astype(float)
        moved: NDArray[np.float64] = self.forward(self.backward(grid, start), s) - grid
        return moved


def _blobs(
    points: NDArray[np.float64],
    centres: NDArray[np.float64],
    widths: NDArray[np.float64],
    heights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return a sum of Gaussians at points (axes, …); centres (blobs, axes)."""
    total = np.zeros(points.shape[1:])
    for centre, width, height in zip(centres, widths, heights, strict=True):
        away = points - centre.reshape(-1, *(1,) * (points.ndim - 1))
        total += height * np.exp(-(away**2).sum(0) / (2 * width**2))
    return total


class Worm(Specimen):
    """An undulating, creeping transparent worm with granules; channels absorption, phase."""

    def build(self, generator: np.random.Generator) -> None:
        """Place granules inside the body."""
        n = 60
        self.radius = 0.13 * self.size[0]
        along = generator.uniform(0.15, 0.8, n) * self.size[1]
        across = self.size[0] / 2 + 0.8 * self.radius * generator.uniform(-1, 1, n)
        self.centres = np.stack([across, along], axis=1)
        self.widths = generator.uniform(1.0, 2.5, n)
        self.heights = generator.uniform(0.15, 0.5, n)

    def _bend(self, x: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        turn = 2 * math.pi * (x / (0.8 * self.size[1]) - 0.6 * s)
        bend: NDArray[np.float64] = 0.1 * self.size[0] * np.sin(turn)
        return bend

    def _creep(self, s: float) -> float:
        return 0.05 * float(self.size[1]) * s

    def forward(self, points: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        """Return bent and shifted points."""
        return np.stack([points[0] + self._bend(points[1], s), points[1] + self._creep(s)])

    def backward(self, points: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        """Return straightened points."""
        x = points[1] - self._creep(s)
        return np.stack([points[0] - self._bend(x, s), x])

    def value(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return absorption of the gut and phase of body and granules, in radians."""
        across = (points[0] - self.size[0] / 2) / self.radius
        along = (points[1] / self.size[1] - 0.475) / 0.37
        inside = 1 / (1 + np.exp((np.hypot(across, along**4) - 1) * self.radius / 1.2))
        granules = _blobs(points, self.centres, self.widths, self.heights)
        gut = 0.08 * inside * np.exp(-((across / 0.3) ** 2))
        return np.stack([gut, 0.5 * inside + granules * inside])


class Beads(Specimen):
    """Beads on a vibrating stage."""

    def build(self, generator: np.random.Generator) -> None:
        """Scatter the beads."""
        n = 40
        self.centres = generator.uniform(0.08, 0.92, (n, 2)) * self.size
        self.widths = np.full(n, 1.3)
        self.heights = generator.uniform(0.5, 1.0, n)

    def _shift(self, s: float) -> NDArray[np.float64]:
        swing = np.array([3.0 * math.sin(2 * math.pi * 1.2 * s), 5.0 * math.sin(2 * math.pi * s)])
        return swing.reshape(2, 1, 1)

    def forward(self, points: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        """Return shifted points."""
        return points + self._shift(s)

    def backward(self, points: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        """Return points shifted back."""
        return points - self._shift(s)

    def value(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the brightness."""
        return _blobs(points, self.centres, self.widths, self.heights)[None]


class Cell(Specimen):
    """A cell with membrane and granules that drifts and rotates in the plane."""

    def build(self, generator: np.random.Generator) -> None:
        """Place granules inside."""
        n = 45
        directions = generator.standard_normal((n, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        radii = generator.uniform(0.1, 0.85, (n, 1)) ** (1 / 2)
        self.axes = np.array([0.36, 0.33, 0.36]) * self.size
        self.centres = self.size / 2 + directions * radii * self.axes
        self.widths = generator.uniform(0.9, 1.6, n)
        self.heights = generator.uniform(0.5, 1.0, n)

    def _turned(self, points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
        centre = (self.size / 2).reshape(-1, 1, 1, 1)
        z, y, x = points - centre
        sine, cosine = math.sin(angle), math.cos(angle)
        return np.stack([z, cosine * y + sine * x, cosine * x - sine * y]) + centre

    def _drift(self, s: float) -> NDArray[np.float64]:
        drift: NDArray[np.float64] = s * np.array([0.0, 5.0, -6.0])
        return drift.reshape(-1, 1, 1, 1)

    def forward(self, points: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        """Return turned, then shifted points."""
        return self._turned(points, math.radians(20) * s) + self._drift(s)

    def backward(self, points: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        """Return points shifted, then turned back."""
        return self._turned(points - self._drift(s), -math.radians(20) * s)

    def value(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the brightness of membrane and granules."""
        away = points - (self.size / 2).reshape(-1, 1, 1, 1)
        radius = np.sqrt(((away / self.axes.reshape(-1, 1, 1, 1)) ** 2).sum(0))
        membrane = np.exp(-(((radius - 1) / 0.07) ** 2))
        granules = _blobs(points, self.centres, self.widths, self.heights)
        inside = 0.1 / (1 + np.exp((radius - 1) / 0.05))
        total: NDArray[np.float64] = 0.7 * membrane + granules + inside
        return total[None]


class Ball(Specimen):
    """A striped ball that flies along a parabola."""

    def build(self, generator: np.random.Generator) -> None:
        """Choose the pattern."""
        self.radius = 0.17 * float(self.size.min())
        self.start = np.array([0.62, 0.28]) * self.size
        self.turn = generator.uniform(0, 2 * math.pi)

    def _shift(self, s: float) -> NDArray[np.float64]:
        rise = -0.5 * s + 0.35 * s**2
        shift: NDArray[np.float64] = np.array([rise, 0.42 * s]) * self.size
        return shift.reshape(2, 1, 1)

    def forward(self, points: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        """Return shifted points."""
        return points + self._shift(s)

    def backward(self, points: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        """Return points shifted back."""
        return points - self._shift(s)

    def value(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the brightness: stripes on a disc with a soft edge."""
        y, x = points - self.start.reshape(2, 1, 1)
        edge = 1 / (1 + np.exp((np.hypot(y, x) - self.radius) / 0.7))
        along = math.cos(self.turn) * y + math.sin(self.turn) * x
        stripes = 0.65 + 0.35 * np.cos(2 * math.pi * along / self.radius)
        bright: NDArray[np.float64] = edge * stripes
        return bright[None]


def caustic(size: tuple[int, int], generator: np.random.Generator) -> NDArray[np.float64]:
    """Return the point-spread function of a diffuser camera, (Y, X), sum 1: caustic lines.

    Parameters
    ----------
    size
        Number of pixels (Y, X).
    generator
        Random generator.
    """
    from scipy.ndimage import gaussian_filter

    bumps = gaussian_filter(generator.standard_normal(size), 4)
    lines = np.exp(-((bumps / bumps.std()) ** 2) / 0.02)
    rows, columns = np.indices(size)
    radius = np.hypot(rows - size[0] / 2, columns - size[1] / 2) / (0.3 * size[0])
    pattern: NDArray[np.float64] = gaussian_filter(lines, 0.6) * np.exp(-(radius**4))
    pattern /= pattern.sum()
    return pattern


def pictured(point: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return a point-spread function as camera grey levels: float32, maximum 1000."""
    picture: NDArray[np.float32] = (1000 * point / point.max()).astype(np.float32)
    return picture


def sample_point() -> NDArray[np.float32]:
    """Return the point-spread function of the sample of a flying ball, (Y, X), float32."""
    return pictured(caustic(SENSOR, np.random.default_rng(0)))
