"""Files of measured optical transfer functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.acquisition.measurement import read_array
from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    import torch

__all__ = ["read_otf"]


def read_otf(
    path: str, given: tuple[float, float] | None, voxel: tuple[float, float]
) -> tuple[torch.Tensor, tuple[float, float]]:
    """Return radial transfer functions (bands, radii, kz), and the steps of radius and kz.

    The file holds one page per band with a row for each radius; real and imaginary parts of
    kz alternate, kz in the order of an FFT. Band 0 is 1 at the origin afterwards.

    Parameters
    ----------
    path
        TIFF file with real numbers.
    given
        Voxel size along z and the radius of the stack that it was made from, in micrometres, or
        None for that of the image.
    voxel
        Voxel size of the image along z and the radius, in micrometres.

    Returns
    -------
    torch.Tensor
        Transfer functions (bands, radii, kz), complex128.
    tuple of float
        Step of the radius and of kz in cycles per micrometre.

    Raises
    ------
    FileError
        If the file cannot be read or holds no such table.
    """
    import torch

    pages = read_array(path, "otf")
    pages = pages[None] if pages.ndim == 2 else pages
    if pages.ndim != 3 or pages.shape[2] % 2 or pages.shape[0] > 3:
        raise FileError(
            f"otf: {path} holds an array of shape {pages.shape}; one to three pages are needed, "
            "each with radii by kz, real and imaginary parts side by side."
        )
    table = pages[..., 0::2].astype(np.float64) + 1j * pages[..., 1::2].astype(np.float64)
    if abs(table[0, 0, 0]) == 0:
        raise FileError(f"otf: {path} is 0 at its origin; its first value must not be.")
    table = table / table[0, 0, 0].real
    step_z, step_r = given or voxel
    steps = (1 / (2 * (table.shape[1] - 1) * step_r), 1 / (table.shape[2] * step_z))
    return torch.from_numpy(table), steps
