"""What was done, as data: recorded steps that can be read, saved and done again."""

from __future__ import annotations

from napari_cellinr.macro.parse import load_macro, parse_script
from napari_cellinr.macro.python import STYLES, script
from napari_cellinr.macro.recorder import Recorder
from napari_cellinr.macro.replay import iter_replay
from napari_cellinr.macro.steps import ACTIONS, FITS, Begun, Macro, Source, Step, fit_step

__all__ = [
    "ACTIONS",
    "FITS",
    "STYLES",
    "Begun",
    "Macro",
    "Recorder",
    "Source",
    "Step",
    "fit_step",
    "iter_replay",
    "load_macro",
    "parse_script",
    "script",
]
