"""Restoration of live microscopy by neural fields that are fitted to one data set.

The public names are loaded on first use: importing the package loads neither torch nor Qt.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cellinr.acquisition import Measurement, register_forward_model
    from napari_cellinr.api import (
        denoise,
        iter_denoise,
        iter_reconstruct,
        iter_superresolve,
        reconstruct,
        render,
        superresolve,
    )
    from napari_cellinr.config import CellINRConfig, NSTMConfig, SpatimeConfig
    from napari_cellinr.config.base import setting
    from napari_cellinr.config.optics import Optics
    from napari_cellinr.errors import (
        AxesError,
        CellINRError,
        CellINRWarning,
        ConfigError,
        DataError,
        FileError,
        FileWarning,
        FitError,
        FitWarning,
    )
    from napari_cellinr.fitting.problem import Fitted, PreviewRequest, Progress
    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import load_fit, save_fit
    from napari_cellinr.image import Image
    from napari_cellinr.io import read, read_all, write
    from napari_cellinr.macro.compare import compare
    from napari_cellinr.macro.figures import write_figure, write_movie
    from napari_cellinr.macro.motion import write_motion
    from napari_cellinr.optics.base import ForwardModel
    from napari_cellinr.runs.scale.in_parts import compute_in_parts
    from napari_cellinr.runs.warm_start import continue_fit, warm_start

# OpenMP reads this when torch is loaded. Its threads spin while they wait, by default: a fit that
# shares its cores with other programs took up to eight times as long, an undisturbed one no less.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

try:
    __version__ = version("napari-cellinr")
except PackageNotFoundError:
    __version__ = "0.0.0"

_HOMES = {
    "AxesError": "errors",
    "CellINRConfig": "config",
    "CellINRError": "errors",
    "CellINRWarning": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "FileError": "errors",
    "FileWarning": "errors",
    "FitError": "errors",
    "FitWarning": "errors",
    "Fitted": "fitting.problem",
    "ForwardModel": "optics.base",
    "Image": "image",
    "Measurement": "acquisition",
    "NSTMConfig": "config",
    "Optics": "config.optics",
    "PreviewRequest": "fitting.problem",
    "Progress": "fitting.problem",
    "Query": "fitting.saved.query",
    "SpatimeConfig": "config",
    "compare": "macro.compare",
    "compute_in_parts": "runs.scale.in_parts",
    "continue_fit": "runs.warm_start",
    "denoise": "api",
    "iter_denoise": "api",
    "iter_reconstruct": "api",
    "iter_superresolve": "api",
    "load_fit": "fitting.saved.stored",
    "read": "io",
    "read_all": "io",
    "reconstruct": "api",
    "register_forward_model": "acquisition",
    "render": "api",
    "save_fit": "fitting.saved.stored",
    "setting": "config.base",
    "superresolve": "api",
    "warm_start": "runs.warm_start",
    "write": "io",
    "write_figure": "macro.figures",
    "write_motion": "macro.motion",
    "write_movie": "macro.figures",
}

__all__ = [
    "AxesError",
    "CellINRConfig",
    "CellINRError",
    "CellINRWarning",
    "ConfigError",
    "DataError",
    "FileError",
    "FileWarning",
    "FitError",
    "FitWarning",
    "Fitted",
    "ForwardModel",
    "Image",
    "Measurement",
    "NSTMConfig",
    "Optics",
    "PreviewRequest",
    "Progress",
    "Query",
    "SpatimeConfig",
    "__version__",
    "compare",
    "compute_in_parts",
    "continue_fit",
    "denoise",
    "iter_denoise",
    "iter_reconstruct",
    "iter_superresolve",
    "load_fit",
    "read",
    "read_all",
    "reconstruct",
    "register_forward_model",
    "render",
    "save_fit",
    "setting",
    "superresolve",
    "warm_start",
    "write",
    "write_figure",
    "write_motion",
    "write_movie",
]


def __getattr__(name: str) -> Any:
    """Return a public name, loading the module that it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
