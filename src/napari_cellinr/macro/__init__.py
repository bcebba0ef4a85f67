"""Macros: recorded steps that can be read, saved as scripts and replayed."""

from __future__ import annotations

from napari_cellinr.macro.actions import ACTIONS, FITS
from napari_cellinr.macro.fit_step import InitialFit, fit_step, new_frames_steps
from napari_cellinr.macro.recorder import Recorder
from napari_cellinr.macro.replay.run import iter_replay
from napari_cellinr.macro.scripts.parse import load_macro, parse_script
from napari_cellinr.macro.scripts.python import STYLES, script
from napari_cellinr.macro.source import Source
from napari_cellinr.macro.steps import Macro, Step

__all__ = [
    "ACTIONS",
    "FITS",
    "STYLES",
    "InitialFit",
    "Macro",
    "Recorder",
    "Source",
    "Step",
    "fit_step",
    "iter_replay",
    "load_macro",
    "new_frames_steps",
    "parse_script",
    "script",
]
