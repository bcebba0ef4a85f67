"""Restoration of live microscopy by neural fields that are fitted to one data set.

The public names are loaded on first use: importing the package loads neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cellinr.api import denoise, reconstruct, render, superresolve
    from napari_cellinr.config import CellINRConfig, NSTMConfig, SpatimeConfig
    from napari_cellinr.errors import (
        AxesError,
        CellINRError,
        ConfigError,
        FileError,
        FitError,
    )
    from napari_cellinr.fitting.saved.stored import load_fit, save_fit
    from napari_cellinr.image import Image
    from napari_cellinr.io import read, read_all, write
    from napari_cellinr.macro.compare import compare
    from napari_cellinr.macro.motion import write_motion
    from napari_cellinr.runs.warm_start import continue_fit, warm_start

try:
    __version__ = version("napari-cellinr")
except PackageNotFoundError:
    __version__ = "0.0.0"

_HOMES = {
    "AxesError": "errors",
    "CellINRConfig": "config",
    "CellINRError": "errors",
    "ConfigError": "errors",
    "FileError": "errors",
    "FitError": "errors",
    "Image": "image",
    "NSTMConfig": "config",
    "SpatimeConfig": "config",
    "compare": "macro.compare",
    "continue_fit": "runs.warm_start",
    "denoise": "api",
    "load_fit": "fitting.saved.stored",
    "read": "io",
    "read_all": "io",
    "reconstruct": "api",
    "render": "api",
    "save_fit": "fitting.saved.stored",
    "superresolve": "api",
    "warm_start": "runs.warm_start",
    "write": "io",
    "write_motion": "macro.motion",
}

__all__ = [
    "AxesError",
    "CellINRConfig",
    "CellINRError",
    "ConfigError",
    "FileError",
    "FitError",
    "Image",
    "NSTMConfig",
    "SpatimeConfig",
    "__version__",
    "compare",
    "continue_fit",
    "denoise",
    "load_fit",
    "read",
    "read_all",
    "reconstruct",
    "render",
    "save_fit",
    "superresolve",
    "warm_start",
    "write",
    "write_motion",
]


def __getattr__(name: str) -> Any:
    """Return a public name, loading the module that it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
