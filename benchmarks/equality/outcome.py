"""What a run has left in its folder, as arrays and plain facts, and how two of them differ."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import tifffile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Outcome", "collect", "differences", "load", "save"]

Outcome = tuple[dict[str, "NDArray[Any]"], dict[str, Any]]
"""Arrays and facts, each by a name such as `out.tif axes`."""

CLOSE = 1e-6
"""Largest difference, relative to the largest value, that is said to be one of rounding."""

_REPORTED = ("steps", "held_out", "noise", "converged", "stopped", "bleaching")
_ZARR = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
_IMAGES = (".tif", ".nii", ".nii.gz", ".zarr")


def collect(folder: Path, printed: dict[str, str]) -> Outcome:
    """Return what the files of a folder hold, and what was printed.

    Parameters
    ----------
    folder
        All files in it that the package can have written are read, with its own readers, and
        those of TIFF, NIfTI and OME-Zarr also without them.
    printed
        Text by name; JSON is compared as such.
    """
    arrays: dict[str, NDArray[Any]] = {}
    facts: dict[str, Any] = {name: _parsed(text) for name, text in printed.items()}
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if name.endswith(_IMAGES):
            _add_images(path, name, arrays, facts)
        elif name.endswith(".cellinr"):
            _add_fit(path, name, arrays, facts)
        elif name.endswith(".csv"):
            arrays[name], facts[f"{name} header"] = _table(path)
        elif name.endswith("report.json"):
            report = json.loads(path.read_text("utf-8"))
            facts[name] = {key: report[key] for key in _REPORTED if key in report}
    return arrays, facts


def save(place: Path, outcome: Outcome) -> None:
    """Write an outcome into the two files `place`.npz and `place`.json."""
    np.savez_compressed(place.with_suffix(".npz"), allow_pickle=False, **outcome[0])
    place.with_suffix(".json").write_text(json.dumps(outcome[1], indent=1), "utf-8")


def load(place: Path) -> Outcome:
    """Return what `save` has written."""
    with np.load(place.with_suffix(".npz")) as arrays:
        return dict(arrays), json.loads(place.with_suffix(".json").read_text("utf-8"))


def differences(before: Outcome, now: Outcome) -> list[tuple[bool, str]]:
    """Return for each difference whether results stay the same, and a sentence on it."""
    found = []
    for old, new in zip(before, now, strict=True):
        for name in sorted(old.keys() ^ new.keys()):
            # Shape and settings of a model were tensors in version 0.1; what they give is compared
            # as the images that are rendered from the fit.
            moved = " tensor " in name and name in old
            found.append((moved, f"{name}: only {'before' if name in old else 'now'}"))
    for name in sorted(before[0].keys() & now[0].keys()):
        found += _between(name, before[0][name], now[0][name])
    facts = json.loads(json.dumps(now[1]))
    for name in sorted(before[1].keys() & facts.keys()):
        old_fact, new_fact = before[1][name], _without_new_settings(before[1][name], facts[name])
        if old_fact != new_fact:
            found.append((False, f"{name}: {old_fact} before, {new_fact} now"))
    return found


def _without_new_settings(old: Any, new: Any) -> Any:
    """Return a fact without settings of a fit that are not set, and that were not there before."""
    if not all(isinstance(fact, dict) and "config" in fact for fact in (old, new)):
        return new
    kept = {k: v for k, v in new["config"].items() if k in old["config"] or v is not None}
    return {**new, "config": kept}


def _between(name: str, old: NDArray[Any], new: NDArray[Any]) -> list[tuple[bool, str]]:
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        return [(False, f"{name}: {old.dtype}{old.shape} before, {new.dtype}{new.shape} now")]
    if old.tobytes() == new.tobytes():
        return []
    if old.dtype.kind not in "iufb":
        return [(False, f"{name}: other text")]
    first, second = old.astype(np.float64), new.astype(np.float64)
    if not np.array_equal(np.isfinite(first), np.isfinite(second)):
        return [(False, f"{name}: not finite at other places")]
    finite = np.isfinite(first)
    most = float(np.abs(first - second)[finite].max(initial=0))
    relative = most / max(float(np.abs(first[finite]).max(initial=0)), 1e-300)
    is_close = relative <= CLOSE
    sign = "<=" if is_close else ">"
    text = f"{name}: differs by at most {most:.3g}, relative {relative:.3g} {sign} {CLOSE:g}"
    return [(is_close, text)]


def _files(folder: Path) -> Iterator[Path]:
    """Return the files and OME-Zarr folders below a folder, checkpoints left out."""
    for path in sorted(folder.iterdir()):
        if path.name.endswith(".checkpoint"):
            continue
        if path.is_dir() and path.suffix != ".zarr":
            yield from _files(path)
        else:
            yield path


def _add_images(
    path: Path, name: str, arrays: dict[str, NDArray[Any]], facts: dict[str, Any]
) -> None:
    from napari_cellinr import read_all

    for number, image in enumerate(read_all(path)):
        key = f"{name} {number}"
        arrays[key] = image.array()
        facts[key] = {
            "axes": image.axes,
            "scale": image.scale,
            "units": image.units,
            "translate": image.translate,
            "channels": image.channels,
            "name": image.name,
        }
    if path.suffix == ".zarr":
        for text in sorted(path.rglob("*")):
            if text.name in _ZARR:
                key = f"{name} {text.relative_to(path).as_posix()}"
                facts[key] = json.loads(text.read_text("utf-8"))
    if ".nii" in path.suffixes:
        header = nibabel.load(path).header
        zooms = [float(step) for step in header.get_zooms()]
        facts[f"{name} header"] = [zooms, header.get_xyzt_units(), header.get_sform().tolist()]
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            facts[f"{name} ImageJ"] = file.imagej_metadata
            facts[f"{name} series"] = [[one.axes, list(one.shape)] for one in file.series]
            arrays[f"{name} pages"] = np.stack([page.asarray() for page in file.pages])


def _add_fit(path: Path, name: str, arrays: dict[str, NDArray[Any]], facts: dict[str, Any]) -> None:
    from napari_cellinr import load_fit, render

    fit = load_fit(path)
    for key, tensor in fit.tensors.items():
        arrays[f"{name} tensor {key}"] = np.asarray(tensor)
    for number, image in enumerate(render(fit, device="cpu")):
        arrays[f"{name} rendered {number}"] = image.array()
    facts[name] = {"method": fit.method, "config": dict(fit.config)}


def _table(path: Path) -> tuple[NDArray[Any], list[str]]:
    """Return the cells of a table, as numbers if all are, and its header."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    if path.name == "summary.csv":  # times and folders of this run
        rows = [[cell for cell, title in zip(row, header, strict=True) if title in _KEPT]
                for row in rows]  # fmt: skip
    try:
        return np.array(rows, np.float64), header
    except ValueError:
        return np.array(rows, np.str_), header


_KEPT = ("file", "series", "time", "state")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
