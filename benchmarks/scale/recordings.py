"""Recordings of any size that take little room: the chunks of a few frames, linked again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr import Image, write

if TYPE_CHECKING:
    from pathlib import Path

DISTINCT = 8
"""Frames that differ; the others repeat them, back and forth, so that objects never jump."""


def frames(n_frames: int, shape: tuple[int, ...], seed: int = 0) -> Image:
    """Return blobs that drift, with the noise of a camera; axes T, [Z,] Y, X, uint16.

    Parameters
    ----------
    n_frames
        Their number.
    shape
        Voxels of each along its axes.
    seed
        Of places, velocities and noise.
    """
    generator = np.random.default_rng(seed)
    count = int(np.prod(shape)) // 3000 + 1
    places = generator.uniform(0, 1, (count, len(shape))) * shape
    speeds = generator.normal(0, 1, (count, len(shape)))
    found = []
    for number in range(n_frames):
        light = np.full(shape, 20.0, np.float32)
        for place in places + number * speeds:
            ranges = [
                (max(0, int(x) - 12), min(n, int(x) + 13))
                for x, n in zip(place, shape, strict=True)
            ]
            if any(end <= first for first, end in ranges):
                continue
            grid = np.ogrid[tuple(slice(*one) for one in ranges)]
            distance = sum((axis - x) ** 2 for axis, x in zip(grid, place, strict=True))
            light[tuple(slice(*one) for one in ranges)] += 150 * np.exp(-distance / 18)
        noisy = generator.poisson(light) + generator.normal(0, 2, shape) + 100
        found.append(noisy.astype(np.uint16))
    n_axes = len(shape)
    return Image(
        np.stack(found),
        axes="T" + "ZYX"[-n_axes:],
        scale=(2.0,) + (0.2,) * n_axes,
        units=("second",) + ("micrometer",) * n_axes,
    )


def recording(path: Path, n_frames: int, shape: tuple[int, ...]) -> Path:
    """Write an OME-Zarr of so many frames, of which only the first few take room.

    Parameters
    ----------
    path
        The folder; one that exists is used as it is.
    n_frames
        Frames of the recording.
    shape
        Voxels of each along its axes.
    """
    if path.exists():
        return path
    small = path.with_suffix(".few.zarr")
    if not small.exists():
        write(small, frames(DISTINCT, shape))
    order = [*range(DISTINCT), *range(DISTINCT - 2, 0, -1)]
    path.mkdir()
    (path / "zarr.json").write_bytes((small / "zarr.json").read_bytes())
    for level in (one for one in small.iterdir() if one.is_dir()):
        facts = json.loads((level / "zarr.json").read_text("utf-8"))
        facts["shape"][0] = n_frames
        chunks = path / level.name / "c"
        chunks.mkdir(parents=True)
        (chunks.parent / "zarr.json").write_text(json.dumps(facts), "utf-8")
        files = {
            number: [one for one in (level / "c" / str(number)).rglob("*") if one.is_file()]
            for number in range(DISTINCT)
        }
        for number in range(n_frames):
            source = order[number % len(order)]
            for file in files[source]:
                place = chunks / str(number) / file.relative_to(level / "c" / str(source))
                place.parent.mkdir(parents=True, exist_ok=True)
                os.link(file, place)
    return path
