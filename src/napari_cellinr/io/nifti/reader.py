"""Reading and writing NIfTI-1 and NIfTI-2; the affine is kept and no axis is flipped."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np

from napari_cellinr.errors import FileWarning, warn
from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.io.findings import with_warnings
from napari_cellinr.io.lazy import lazy_above
from napari_cellinr.io.metadata.record import note, restore
from napari_cellinr.io.metadata.units import Step, convert, known_step
from napari_cellinr.io.nifti.file import Head, read_head, read_values
from napari_cellinr.io.safety.failures import explained_reading

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read", "world_of", "write"]

_ORDER = "XYZTC"
"""The dimensions of NIfTI, fastest first; the fifth holds the values of one voxel."""

_SPATIAL = {"meter": "meter", "mm": "millimeter", "micron": "micrometer"}
_TEMPORAL = {"sec": "second", "msec": "millisecond", "usec": "microsecond"}
_TOLERANCE = 1e-3
"""Relative difference between the steps of a header and of its affine; above is a fault."""

_LARGEST_NIFTI_1 = 2**15 - 1
"""Largest number of elements along an axis in NIfTI-1."""


def read(path: Path, name: str, axes: str | None = None, *, limit: int | None = None) -> Image:
    """Return the image in a NIfTI file, axes in the order C, T, Z, Y, X.

    Slope and intercept of the header are applied. If the file has an affine, `meta["affine"]`
    holds it as nested lists (4 × 4, voxel indices x, y, z to world coordinates),
    `meta["affine_unit"]` its unit and `meta["affine_code"]` its sform or qform code.

    Parameters
    ----------
    path
        An existing file.
    name
        Name of the image.
    axes
        Axes, one letter per dimension, instead of those of the format.
    limit
        Bytes above which the array is lazy; `lazy_above()` if not given.

    Raises
    ------
    FileError
        If the file is not a NIfTI image of real numbers, or damaged.
    AxesError
        If `axes` do not fit.
    """
    with explained_reading(path, partial(_damage, path)):
        head = read_head(path)
        data = read_values(path, head, lazy_above() if limit is None else limit)
        image = _to_image(head, data, path, name)
    return image if axes is None else image.with_axes(axes)


def _damage(path: Path, error: Exception) -> str:
    return f"{path} is not a NIfTI file, or damaged ({error}); copy it again from its source."


def _to_image(head: Head, data: Any, path: Path, name: str) -> Image:
    n_known = min(data.ndim, len(_ORDER))
    letters = (_ORDER[:n_known] + "QRSUV"[: data.ndim - n_known])[::-1]
    steps = _steps(head)
    used = [steps.get(axis) or (1.0, UNCALIBRATED) for axis in letters]
    image = Image(
        data,
        axes=letters,
        scale=tuple(step for step, _ in used),
        units=tuple(unit for _, unit in used),
        name=name,
        meta={"source": str(path), **_affine(head)},
    )
    texts = (*_unusable(head, letters, path), *_doubts(head, image, path))
    return with_warnings(restore(image, head.comment), texts)


def _unusable(head: Head, axes: str, path: Path) -> list[str]:
    """Return sentences about steps that are no positive numbers, and a time without a unit."""
    space, time = head.header.get_xyzt_units()
    sizes = dict(zip("XYZT", (*head.shape, 1, 1, 1, 1), strict=False))
    texts = []
    for axis, step in zip("XYZT", head.steps, strict=True):
        has_unit = time in _TEMPORAL if axis == "T" else space in _SPATIAL
        if axis not in axes or sizes[axis] == 1:
            continue
        if has_unit and not 0 < step < math.inf:
            texts.append(f"{path} states a step of {step:g} along {axis}; it is read as unknown.")
        elif axis == "T" and not has_unit and step not in {0.0, 1.0}:
            texts.append(
                f"{path} states a step of {step:g} along T without a unit of time; it is read as "
                "unknown. Give the time step, for example with --voxel t=2 or "
                "with_voxel_size(T=2)."
            )
    return texts


def _doubts(head: Head, image: Image, path: Path) -> tuple[str, ...]:
    """Return sentences about steps without a unit, or that contradict the affine."""
    header = head.header
    places = [i for i, axis in enumerate("XYZ") if axis in image.axes]
    steps = np.array(head.steps)[places]
    letters = ["xyz"[i] for i in places]
    names = ", ".join(f"{axis}={step:g}" for axis, step in zip(letters, steps, strict=True))
    texts = []
    if header.get_xyzt_units()[0] not in _SPATIAL and not np.isin(steps, (0.0, 1.0)).all():
        texts.append(
            f"{path} states steps without a unit ({names}); they are read as unknown, so that "
            "voxels count as cubes. Give the voxel size, for example with --voxel "
            "z=0.5,y=0.1,x=0.1 or with_voxel_size(Z=0.5, Y=0.1, X=0.1)."
        )
    if "affine" in image.meta:
        columns = np.linalg.norm(np.array(image.meta["affine"])[:3, places], axis=0)
        known = np.isfinite(steps) & (steps > 0)
        if (columns > 0).all() and not np.allclose(
            columns[known], steps[known], rtol=_TOLERANCE, atol=0
        ):
            shown = zip(letters, columns, strict=True)
            others = ", ".join(f"{axis}={step:.6g}" for axis, step in shown)
            texts.append(
                f"{path} states steps ({names}) that contradict those of its affine ({others}); "
                "the former are used. Give the right voxel size with --voxel or with_voxel_size()."
            )
    return tuple(texts)


def _steps(head: Head) -> dict[str, Step | None]:
    """Return the known steps by axis letter."""
    space, time = head.header.get_xyzt_units()
    units = dict.fromkeys("XYZ", _SPATIAL.get(space, UNCALIBRATED))
    units["T"] = _TEMPORAL.get(time, UNCALIBRATED)
    return {axis: known_step(v, units[axis]) for axis, v in zip("XYZT", head.steps, strict=True)}


def _affine(head: Head) -> dict[str, Any]:
    header = head.header
    code = int(header["sform_code"]) or int(header["qform_code"])
    if code == 0:
        return {}  # the file states no affine; nibabel would make one up
    with np.errstate(invalid="ignore"):
        matrix = header.get_best_affine()
    if not np.isfinite(matrix).all():
        return {}
    unit = _SPATIAL.get(header.get_xyzt_units()[0], UNCALIBRATED)
    return {"affine": matrix.tolist(), "affine_unit": unit, "affine_code": code}


def write(path: Path, image: Image) -> None:
    """Write an image as NIfTI, gzip-compressed if the name ends with `.gz`.

    Parameters
    ----------
    path
        File to write; an existing one is replaced.
    image
        Known axes in any order. The affine in `meta` is written back, adapted to crops and to a
        new voxel size; without one, world axes are parallel to those of the array.

    Raises
    ------
    AxesError
        If an axis is unknown.
    """
    ordered = image.canonical()
    space, time = _units(ordered)
    array = _five_dimensional(ordered)
    large = max(array.shape) > _LARGEST_NIFTI_1
    kind: Any = nibabel.Nifti2Image if large else nibabel.Nifti1Image
    header = kind.header_class()
    header.set_data_dtype(array.dtype)
    matrix, code = world_of(ordered, space)
    file = kind(array, matrix, header)
    file.set_sform(matrix, code)
    file.header["pixdim"][4] = _converted(ordered, "T", time)
    file.header.set_xyzt_units(
        {pint: word for word, pint in _SPATIAL.items()}.get(space, "unknown"),
        {pint: word for word, pint in _TEMPORAL.items()}.get(time, "unknown"),
    )
    text = note(image).encode()
    file.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", text))
    nibabel.save(file, path)


def _five_dimensional(image: Image) -> NDArray[Any]:
    """Return the array with axes X, Y, Z, T, C, without trailing axes that the image lacks."""
    present = [axis for axis in _ORDER if axis in image.axes]
    last = _ORDER.index(present[-1])
    array = image.array().transpose([image.axes.index(axis) for axis in present])
    array = array.reshape([image.sizes.get(axis, 1) for axis in _ORDER[: last + 1]])
    return array.astype({"bool": "uint8", "float16": "float32"}.get(array.dtype.name, array.dtype))


def _units(image: Image) -> tuple[str, str]:
    """Return the spatial and the time unit for the header; `pixel` if unknown."""
    spatial = {u for a, u in zip(image.axes, image.units, strict=True) if a in "ZYX"}
    if UNCALIBRATED in spatial:
        space = UNCALIBRATED
    else:
        space = spatial.pop() if spatial <= {*_SPATIAL.values()} and len(spatial) == 1 else ""
        space = space or "micrometer"
    time = image.units[image.axes.index("T")] if "T" in image.axes else UNCALIBRATED
    return space, time if time in {UNCALIBRATED, *_TEMPORAL.values()} else "second"


def _converted(image: Image, axis: str, unit: str) -> float:
    """Return the step along an axis in `unit`; 1 if it is unknown."""
    if axis not in image.axes or unit == UNCALIBRATED:
        return 1.0
    return convert(image.steps[axis], image.units[image.axes.index(axis)], unit) or 1.0


def world_of(image: Image, unit: str) -> tuple[NDArray[np.float64], int]:
    """Return the affine from voxel indices x, y, z to world coordinates, and its header code.

    Parameters
    ----------
    image
        The image; the affine of its source is in its metadata.
    unit
        Unit of the world coordinates.
    """
    steps = np.array([_converted(image, axis, unit) for axis in "XYZ"])
    # Number of voxels that crops have removed at the start of each axis.
    moved = np.array(
        [
            image.translate[image.axes.index(a)] / image.steps[a] if a in image.axes else 0.0
            for a in "XYZ"
        ]
    )
    matrix = np.array(image.meta.get("affine", np.eye(4)), dtype=np.float64)
    if "affine" not in image.meta or image.meta.get("affine_unit") != unit:
        if "affine" in image.meta:
            warn("The affine is not written: its unit differs from the voxel size's.", FileWarning)
        matrix = np.diag([*steps, 1.0])
        matrix[:3, 3] = moved * steps
        return matrix, 2 if moved.any() else 1
    if unit != UNCALIBRATED:
        stretch = steps / np.linalg.norm(matrix[:3, :3], axis=0)
        stretch = np.where([math.isclose(s, 1, rel_tol=1e-4) for s in stretch], 1.0, stretch)
        matrix[:3, :3] *= stretch
    matrix[:3, 3] += matrix[:3, :3] @ moved
    return matrix, int(image.meta.get("affine_code", 2))
