"""Motions with a known truth: where a point of the specimen is at a time, and back.

`forward(points, s)` takes points of axes (2, …), y before x, in pixels, to where they are at the
time s, 0 to 1; `backward` is its inverse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
PASSES = 60  # of the fixed-point iteration that inverts the local motion


@dataclass(frozen=True)
class Motion:
    """One family of motion on an image of `size` × `size` pixels with one strength."""

    family: str
    strength: float
    size: int = 64
    wavelength: float = 12.0
    cycles: float = 3.3

    def forward(self, points: Array, s: float) -> Array:
        """Return where the material points are at the time s, axes (2, …), in pixels."""
        return getattr(self, f"_{self.family}")(np.asarray(points, float), s, 1)

    def backward(self, points: Array, s: float) -> Array:
        """Return which material points are at these places at the time s."""
        points = np.asarray(points, float)
        if self.family == "local":
            places = points.copy()
            for _ in range(PASSES):
                places = points - (self._local(places, s, 1) - places)
            return places
        return getattr(self, f"_{self.family}")(points, s, -1)

    @property
    def _centre(self) -> Array:
        return np.full(2, (self.size - 1) / 2)

    def _translation(self, points: Array, s: float, sign: int) -> Array:
        shift = np.array([0.6, 0.8]) * self.strength * (s - 0.5) * sign
        return points + shift.reshape(2, *[1] * (points.ndim - 1))

    def _rotation(self, points: Array, s: float, sign: int) -> Array:
        return self._turn(points, sign * np.deg2rad(self.strength) * (s - 0.5))

    def _shear(self, points: Array, s: float, sign: int) -> Array:
        y, x = points
        return np.stack([y, x + sign * self.strength * (s - 0.5) * (y - self._centre[0])])

    def _swirl(self, points: Array, s: float, sign: int) -> Array:
        radius = 0.35 * self.size / np.sqrt(np.log(10))
        y, x = points - self._centre.reshape(2, *[1] * (points.ndim - 1))
        fall = np.exp(-(y**2 + x**2) / radius**2)
        return self._turn(points, sign * self.strength * (s - 0.5) * fall)

    def _periodic(self, points: Array, s: float, sign: int) -> Array:
        shift = np.array([0.6, 0.8]) * self.strength / 2 * np.sin(2 * np.pi * self.cycles * s)
        return points + sign * shift.reshape(2, *[1] * (points.ndim - 1))

    def _local(self, points: Array, s: float, sign: int) -> Array:
        y, x = points * (2 * np.pi / self.wavelength)
        return points + sign * self.strength * (s - 0.5) * np.stack([np.cos(y), np.sin(x)])

    def _turn(self, points: Array, angle: Array | float) -> Array:
        y, x = points - self._centre.reshape(2, *[1] * (points.ndim - 1))
        turned = np.stack(
            [np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y]
        )
        return turned + self._centre.reshape(2, *[1] * (points.ndim - 1))
