"""Which objects of a recording one smooth motion cannot follow, and their division into layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.methods.nstm.layers.decomposition import MovingLight

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["conflicts", "crossing_part", "divided", "without_ghosts"]

SHEAR = 0.5
"""Difference of two displacements, relative to the smallest distance of the objects, up to which
one smooth motion follows both."""

SOME = 0.002
"""Light of other objects in conflict, relative to all light, up to which an object is followed."""

GHOST = 0.3
"""Light relative to that of a brighter object at the same place up to which it is no object."""

TOGETHER, FAR = 0.3, 4.0
"""Weight of the rule that objects that move alike stay together, and up to which distance, in units
of what belongs to one place."""

BEGINNINGS, PASSES = 30, 50
"""Random divisions that are improved, and passes over all objects for each of them."""


def conflicts(found: MovingLight) -> NDArray[np.float64]:
    """Return how much each pair of objects cannot be followed by one smooth motion, (n, n).

    The light of both, times the part of the difference of their displacements that is more than
    bending allows between them. The diagonal is 0.

    Parameters
    ----------
    found
        Bright places and their velocities.
    """
    faster, distance = _meetings(found)
    shear = faster / (distance + found.near)
    too_much: NDArray[np.float64] = np.clip(shear - SHEAR, 0, 1)
    np.fill_diagonal(too_much, 0)
    return np.outer(found.light, found.light) * too_much


def without_ghosts(found: MovingLight) -> MovingLight:
    """Return moving light without faint light at much brighter one with another velocity.

    The noise of bright objects is explained in part by a little light of other velocities.

    Parameters
    ----------
    found
        Bright places and their velocities.
    """
    faster, distance = _meetings(found)
    other = (distance < found.near) & (faster > found.near / 2)
    brighter = (other * found.light).max(1, initial=0)
    kept = found.light > GHOST * brighter
    return MovingLight(found.places[kept], found.velocities[kept], found.light[kept], found.near)


def _meetings(found: MovingLight) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how much the displacements of each pair differ, and their smallest distance."""
    apart = found.places[:, None] - found.places[None]
    faster = found.velocities[:, None] - found.velocities[None]
    squared = np.maximum((faster**2).sum(2), 1e-9)
    meeting = np.clip(-(apart * faster).sum(2) / squared, -0.5, 0.5)
    distance = np.linalg.norm(apart + meeting[..., None] * faster, axis=2)
    return np.sqrt(squared), distance


def _belongs_together(found: MovingLight) -> NDArray[np.float64]:
    """Return how much each pair of objects moves alike and is close, (n, n)."""
    faster, distance = _meetings(found)
    alike = np.clip(1 - faster / found.near, 0, 1) * np.exp(-distance / (FAR * found.near))
    np.fill_diagonal(alike, 0)
    return np.outer(found.light, found.light) * alike


def crossing_part(found: MovingLight, layers: NDArray[np.int64] | None = None) -> float:
    """Return the part of the light that is in conflict with other light of its layer, 0 to 1.

    Parameters
    ----------
    found
        Bright places and their velocities.
    layers
        The layer of each place; one for all if not given.
    """
    against = conflicts(found)
    if layers is not None:
        against = against * (layers[:, None] == layers)
    crossing = (against > SOME * found.light[:, None]).any(1)
    return float(found.light[crossing].sum())


def divided(found: MovingLight, n_layers: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the layer of each place such that those in conflict are apart, (n,).

    Objects that are close and move alike rather stay together. The result is the best of random
    divisions, in each of which places change their layer until no change makes it better. The
    brightest layer is the first.

    Parameters
    ----------
    found
        Bright places and their velocities.
    n_layers
        Number of layers.
    seed
        Random seed.
    """
    against = conflicts(found) - TOGETHER * _belongs_together(found)
    generator = np.random.default_rng(seed)
    best, least = np.zeros(len(found.light), np.int64), math.inf
    for _ in range(BEGINNINGS):
        layers = _improved(generator.integers(n_layers, size=len(best)), against, n_layers)
        cost = float((against * (layers[:, None] == layers)).sum())
        if cost < least:
            best, least = layers, cost
    light = np.bincount(best, found.light, minlength=n_layers)
    rank = np.argsort(np.argsort(-light, kind="stable"), kind="stable")
    ranked: NDArray[np.int64] = rank[best]
    return ranked


def _improved(
    layers: NDArray[np.int64], against: NDArray[np.float64], n_layers: int
) -> NDArray[np.int64]:
    """Return a division in which no single place has less conflict in another layer."""
    for _ in range(PASSES):
        before = layers.copy()
        for place in range(len(layers)):
            costs = np.bincount(layers, against[place], minlength=n_layers)
            if costs[layers[place]] > costs.min() + 1e-15:
                layers[place] = int(costs.argmin())
        if (layers == before).all():
            break
    return layers
