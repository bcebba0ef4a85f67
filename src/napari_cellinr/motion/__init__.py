"""Tracks of points and displacement arrows from the motion field of a reconstruction."""

from napari_cellinr.motion.arrows import (
    ARROWS,
    SHORTEST,
    ArrowKind,
    Arrows,
    arrows,
    known,
    textured,
    visible_arrows,
)
from napari_cellinr.motion.field import is_timed, seconds, times_of
from napari_cellinr.motion.tracks import Tracks, tracks

__all__ = [
    "ARROWS",
    "SHORTEST",
    "ArrowKind",
    "Arrows",
    "Tracks",
    "arrows",
    "is_timed",
    "known",
    "seconds",
    "textured",
    "times_of",
    "tracks",
    "visible_arrows",
]
