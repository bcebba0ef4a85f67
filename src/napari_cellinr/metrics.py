"""Image quality metrics: a result compared with the ground truth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import find_objects, gaussian_filter
from skimage.measure import marching_cubes
from skimage.metrics import structural_similarity

from napari_cellinr.errors import AxesError, CellINRError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["bsa", "dice", "lpips", "psnr", "sphericity", "ssim", "value_range"]

_SURFACE_BLUR = 1.0  # voxels; smooths the voxel steps of the surface of a mask
_SSIM_WINDOW = 7  # voxels; the usual size of the uniform window of Wang et al. 2004


def psnr(result: ArrayLike, truth: ArrayLike, data_range: float | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite if the arrays are equal.

    Parameters
    ----------
    result, truth
        Arrays of the same shape, any axes, real.
    data_range
        Peak value in the unit of the arrays; maximum minus minimum of `truth` if not given.

    Raises
    ------
    AxesError
        If the shapes differ or the arrays are empty.
    ConfigError
        If the range is not positive, which it is not for a constant truth.
    """
    values, reference = _pair(result, truth)
    peak = value_range(reference) if data_range is None else data_range
    _check_range(peak)
    error = float(np.mean((values - reference) ** 2))
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def ssim(result: ArrayLike, truth: ArrayLike, data_range: float | None = None) -> float:
    """Return the structural similarity (Wang et al. 2004), the mean of all planes.

    Parameters
    ----------
    result, truth
        Arrays of the same shape, real; the last two axes are a plane of at least 3 × 3 pixels.
        The window is 7 × 7 pixels, or the largest odd size that fits into a smaller plane.
    data_range
        Range of the values in their unit; maximum minus minimum of `truth` if not given.

    Raises
    ------
    AxesError
        If the shapes differ, the arrays are empty, or a plane is smaller than 3 × 3.
    ConfigError
        If the range is not positive, which it is not for a constant truth.
    """
    values, reference = _pair(result, truth)
    if reference.ndim < 2 or min(reference.shape[-2:]) < 3:
        raise AxesError(
            f"arrays of shape {reference.shape} were given; SSIM needs planes of at least 3 × 3."
        )
    span = value_range(reference) if data_range is None else data_range
    _check_range(span)
    smallest = min(_SSIM_WINDOW, *reference.shape[-2:])
    window = smallest - (smallest + 1) % 2
    planes = zip(_planes(values), _planes(reference), strict=True)
    similarities = [
        structural_similarity(a, b, win_size=window, data_range=span)  # type: ignore[no-untyped-call]
        for a, b in planes
    ]
    return float(np.mean(similarities))


def dice(first: ArrayLike, second: ArrayLike) -> float:
    """Return the Dice overlap 2|A∩B| / (|A|+|B|) of two masks, 0 to 1; 1 if both are empty.

    Parameters
    ----------
    first, second
        Arrays of the same shape, any axes; all nonzero values are inside.

    Raises
    ------
    AxesError
        If the shapes differ or the arrays are empty.
    """
    a, b = np.asarray(first) != 0, np.asarray(second) != 0
    _check_shapes(a, b)
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def sphericity(mask: ArrayLike, voxel: Sequence[float]) -> float:
    """Return the sphericity (36π V²)^⅓ / S of one object, 1 for a ball; 0 if there is no object.

    SpatimeINR, eq. 15. Surface area S and volume V are those of a marching-cubes mesh, in
    physical units, after a slight blur that smooths the voxel steps. With voxels four times as
    long in z as in x, some steps remain, and a ball has 0.95.

    Parameters
    ----------
    mask
        Axes ZYX; all nonzero values are inside.
    voxel
        Voxel size Z, Y, X, all in the same unit.

    Raises
    ------
    AxesError
        If there are not three axes and three positive sizes.
    """
    inside = np.asarray(mask) != 0
    step = np.asarray(voxel, np.float64)
    if inside.ndim != 3 or step.shape != (3,) or not np.all(step > 0):
        raise AxesError(
            f"a mask of shape {inside.shape} and voxel size {tuple(voxel)} were given; a mask "
            "with axes ZYX and three positive sizes are needed."
        )
    if not inside.any():
        return 0.0
    soft = gaussian_filter(np.pad(inside, 5).astype(np.float32), _SURFACE_BLUR)
    if soft.max() <= 0.5:
        return 0.0
    mesh: Any = marching_cubes(soft, 0.5, spacing=tuple(step))  # type: ignore[no-untyped-call]
    corners = mesh[0][mesh[1]] - mesh[0].mean(axis=0)  # (triangles, 3 corners, 3 axes)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    surface = float(np.linalg.norm(normals, axis=1).sum()) / 2
    volume = abs(float(np.einsum("ij,ij->", corners[:, 0], normals))) / 6
    return (36 * math.pi * volume**2) ** (1 / 3) / surface if surface > 0 else 0.0


def bsa(result: ArrayLike, truth: ArrayLike, voxel: Sequence[float]) -> float:
    """Return the biological shape accuracy: the mean squared error of the sphericity; 0 is best.

    SpatimeINR, eq. 16: the mean over all objects and time points of the truth. Objects missing
    in the result have sphericity 0.

    Parameters
    ----------
    result, truth
        Label images of the same shape, axes ZYX or TZYX, integers, 0 outside; the same number
        is the same object.
    voxel
        Voxel size Z, Y, X, all in the same unit.

    Raises
    ------
    AxesError
        If the shapes differ, or axes or sizes are missing.
    ConfigError
        If the truth has no objects.
    """
    found, expected = np.asarray(result), np.asarray(truth)
    _check_shapes(found, expected)
    if expected.ndim not in (3, 4):
        raise AxesError(f"labels of shape {expected.shape} were given; ZYX or TZYX are needed.")
    frames = zip(*(a.reshape(-1, *a.shape[-3:]) for a in (found, expected)), strict=True)
    errors = []
    for labels, true_labels in frames:
        boxes, true_boxes = (find_objects(a.astype(np.int64)) for a in (labels, true_labels))
        for i, true_box in enumerate(true_boxes):
            if true_box is not None:
                box = boxes[i] if i < len(boxes) else None
                shape = sphericity(labels[box] == i + 1, voxel) if box else 0.0
                errors.append((shape - sphericity(true_labels[true_box] == i + 1, voxel)) ** 2)
    if not errors:
        raise ConfigError(
            "the truth has no objects, so that there is no shape to compare; give labels above 0."
        )
    return float(np.mean(errors))


def lpips(result: ArrayLike, truth: ArrayLike, data_range: float | None = None) -> float:
    """Return the learned perceptual distance (LPIPS, Zhang et al. 2018), mean of all planes.

    AlexNet features; 0 is best.

    Parameters
    ----------
    result, truth
        Arrays of the same shape, real; the last two axes are a plane.
    data_range
        Range of the values in their unit; maximum minus minimum of `truth` if not given.

    Raises
    ------
    AxesError
        If the shapes differ or the arrays are empty.
    CellINRError
        If the package `lpips` or the weights that it needs are not on this computer.
    """
    values, reference = _pair(result, truth)
    span = value_range(reference) if data_range is None else data_range
    _check_range(span)
    network, torch = _lpips_network()
    low = float(reference.min())
    total, count = 0.0, 0
    with torch.no_grad():
        for pair in zip(_planes(values), _planes(reference), strict=True):
            planes = [torch.from_numpy(2 * (p - low) / span - 1).float().clamp(-1, 1) for p in pair]
            colour = [plane.expand(1, 3, *plane.shape) for plane in planes]
            total, count = total + float(network(*colour)), count + 1
    return total / count


def _lpips_network() -> tuple[Any, Any]:
    """Return the LPIPS network and torch, without any download."""
    try:
        import lpips as package
        import torch
    except ImportError as missing:
        raise CellINRError(
            "LPIPS needs the package lpips, which is not installed; run pip install lpips, and "
            "then use it once with a network connection, so that it can download the weights of "
            "AlexNet."
        ) from missing
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    if not any(folder.glob("alexnet-*.pth")):
        raise CellINRError(
            f"LPIPS needs the weights of AlexNet, which are not in {folder}; run "
            'python -c "import lpips; lpips.LPIPS()" once with a network connection.'
        )
    return package.LPIPS(net="alex", verbose=False), torch


def value_range(array: ArrayLike) -> float:
    """Return maximum minus minimum, in the unit of the array."""
    values = np.asarray(array, np.float64)
    return float(values.max() - values.min())


def _pair(result: ArrayLike, truth: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both arrays as float64, so that sums over many voxels stay exact."""
    values, reference = np.asarray(result, np.float64), np.asarray(truth, np.float64)
    _check_shapes(values, reference)
    return values, reference


def _planes(array: NDArray[Any]) -> NDArray[Any]:
    return array.reshape(-1, *array.shape[-2:])


def _check_shapes(first: NDArray[Any], second: NDArray[Any]) -> None:
    if first.shape != second.shape:
        raise AxesError(
            f"arrays of shape {first.shape} and {second.shape} were given; "
            "both need the same shape. Crop or transpose one of them."
        )
    if first.size == 0:
        raise AxesError(
            f"arrays of shape {first.shape} were given; at least one element is needed."
        )


def _check_range(span: float) -> None:
    if not (math.isfinite(span) and span > 0):
        raise ConfigError(
            f"the data range is {span}; it must be positive. Give data_range if the truth is "
            "constant."
        )
