"""Small simulated inputs, made with NumPy and tifffile only: moving blobs with camera noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["blobs", "moving", "write_ome", "write_tiff"]

_SPOTS = 7


def blobs(shape: tuple[int, ...], seed: int = 0, shift: float = 0.0) -> NDArray[np.float64]:
    """Return bright blobs on a dim background, 0 to about 1.

    Parameters
    ----------
    shape
        Voxels along [Z,] Y, X.
    seed
        Random seed of the places of the blobs.
    shift
        Displacement of all blobs along Y and X, in voxels; every other blob moves the other way.
    """
    generator = np.random.default_rng(seed)
    places = generator.uniform(0.15, 0.85, (_SPOTS, len(shape))) * np.array(shape)
    widths = generator.uniform(1.2, 2.5, _SPOTS)
    grid = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    image = np.full(shape, 0.1)
    for number, (place, width) in enumerate(zip(places, widths, strict=True)):
        moved = place.copy()
        moved[-2:] += shift * (1 if number % 2 else -0.5)
        squares = [(axis - centre) ** 2 for axis, centre in zip(grid, moved, strict=True)]
        image += np.exp(-np.sum(squares, axis=0) / (2 * width**2))
    return image


def moving(
    n_frames: int, shape: tuple[int, ...], seed: int = 0, *, step: float = 0.6, photons: float = 80
) -> NDArray[np.uint16]:
    """Return noisy frames (T, [Z,] Y, X) of moving blobs, grey levels with an offset of 100.

    Parameters
    ----------
    n_frames
        Number of frames.
    shape
        Voxels of a frame.
    seed
        Random seed.
    step
        Movement from one frame to the next, in voxels.
    photons
        Mean photon count of a bright voxel; one photon is two grey levels.
    """
    generator = np.random.default_rng(seed + 1000)
    frames = np.stack([blobs(shape, seed, step * number) for number in range(n_frames)])
    counts = generator.poisson(photons * frames) * 2.0
    noisy = 100 + counts + generator.normal(0, 3, frames.shape)
    return np.clip(noisy.round(), 0, 65535).astype(np.uint16)


def write_tiff(
    path: Path, data: NDArray[Any], axes: str, *, voxel: float = 0.2, **more: Any
) -> Path:
    """Write an ImageJ TIFF with voxels of `voxel` µm (twice as much along Z) and return its path.

    Parameters
    ----------
    path
        The file.
    data
        In the order of `axes`, which is one of ImageJ's: T, Z, C, Y, X.
    axes
        Letter of each dimension.
    voxel
        Pixel size in µm.
    more
        Entries of ImageJ's metadata, such as `finterval` or `Labels`.
    """
    metadata = {"axes": axes, "unit": "um", "spacing": 2 * voxel, **more}
    resolution = (1 / voxel, 1 / voxel)
    tifffile.imwrite(path, data, imagej=True, resolution=resolution, metadata=metadata)
    return path


def write_ome(path: Path, data: NDArray[Any], axes: str, **more: Any) -> Path:
    """Write an OME-TIFF with the entries `more` of its metadata and return its path."""
    tifffile.imwrite(
        path, data, ome=True, photometric="minisblack", metadata={"axes": axes, **more}
    )
    return path
