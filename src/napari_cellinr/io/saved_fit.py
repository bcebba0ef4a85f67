"""Saved fits (`.cellinr`): tensors as safetensors, everything else as JSON, never pickle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.atomic import replacing
from napari_cellinr.text import parsed_json, shortened, what_went_wrong

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FITTED_SUFFIX", "VERSION", "Tensor", "load_fitted", "save_fitted"]

FITTED_SUFFIX = ".cellinr"

VERSION = 1
"""Version of the format; files of newer versions are refused."""

_FORMAT = "napari-cellinr fitted field"


class Tensor(Protocol):
    """The part of a torch tensor that is used here, so that torch need not be imported."""

    def detach(self) -> Any:
        """Return the tensor without its gradient history."""


def save_fitted(
    path: str | PathLike[str],
    *,
    header: Mapping[str, Any],
    tensors: Mapping[str, NDArray[Any] | Tensor],
) -> None:
    """Write a saved fit; the file appears complete or not at all.

    Parameters
    ----------
    path
        Usually ends with `.cellinr`.
    header
        Plain Python values that JSON can hold: method, settings, axes, history.
    tensors
        Arrays or torch tensors by name.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    from safetensors.numpy import save

    metadata = {"format": _FORMAT, "version": str(VERSION), "header": json.dumps(dict(header))}
    arrays = {name: _array(tensor) for name, tensor in tensors.items()}
    content = save(arrays, metadata=metadata)
    with replacing(place_of(path), FITTED_SUFFIX) as temporary:
        temporary.write_bytes(content)


def load_fitted(
    path: str | PathLike[str], *, only_header: bool = False
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the header and the tensors, as NumPy arrays by name, of a saved fit.

    Parameters
    ----------
    path
        The file.
    only_header
        Whether the tensors, which may be large, are not read.

    Raises
    ------
    FileError
        If the file is missing, damaged, not a saved fit, or of a newer version.
    """
    from safetensors import SafetensorError, safe_open

    place = place_of(path)
    if not place.is_file():
        raise FileError(f"there is no file {place}; check its name and folder.")
    try:
        with safe_open(place, framework="numpy") as file:
            metadata = file.metadata() or {}
            _check_kind(place, metadata)
            header = _table(metadata["header"])
            names = [] if only_header else file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, KeyError, ValueError) as error:
        raise FileError(
            f"{place} is not a saved fit (.cellinr), or it is damaged ({what_went_wrong(error)}); "
            "give a file that was written by Save fit in napari or by --save-fit."
        ) from error
    except OSError as error:
        raise FileError(f"{place} cannot be read: {error.strerror or error}.") from error
    return header, tensors


def _table(text: str) -> dict[str, Any]:
    """Return the header; raise `ValueError` if it is no table."""
    header = parsed_json(text)
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    return header


def _check_kind(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != _FORMAT:
        raise FileError(
            f"{path} holds tensors, but not a saved fit (.cellinr); give a file that was written "
            f"by Save fit in napari or by --save-fit."
        )
    if int(metadata["version"]) > VERSION:
        raise FileError(
            f"{path} has format version {shortened(metadata['version'])}; this version of "
            f"napari-cellinr reads versions up to {VERSION}. Update napari-cellinr."
        )


def _array(tensor: NDArray[Any] | Tensor) -> NDArray[Any]:
    """Return an array in C order and little-endian, as safetensors stores it."""
    array = tensor if isinstance(tensor, np.ndarray) else tensor.detach().cpu().numpy()
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
