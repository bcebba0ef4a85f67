"""What is compared: each takes an image and factors, and returns values on the output lattice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.interpolate import interpolate
from napari_cellinr.classic.sampling import samplings
from napari_cellinr.classic.warping import between_frames

if TYPE_CHECKING:
    from napari_cellinr.image import Image


@dataclass(frozen=True, eq=False)
class Method:
    """One method and its settings.

    Parameters
    ----------
    name, label
        As in file names, and as in tables.
    function
        Name of a function of this module.
    settings
        For that function.
    in_time, in_space
        What it can do.
    """

    name: str
    label: str
    function: str
    settings: dict[str, Any] = field(default_factory=dict)
    in_time: bool = True
    in_space: bool = True


def conventional(image: Image, scale: dict[str, float], kind: Any) -> np.ndarray:
    return np.asarray(interpolate(image, scale, kind).array())


def warped(image: Image, scale: dict[str, float], kind: Any, **settings: Any) -> np.ndarray:
    times = samplings(image, scale)["T"].positions
    return between_frames(image.array(), times, kind, **settings)


def field_of(image: Image, scale: dict[str, float], **settings: Any) -> np.ndarray:
    """Return what the plugin makes of it, with its report."""
    from napari_cellinr.api import superresolve

    fitted = superresolve(image, scale=scale, **settings)
    field_of.report = dict(fitted.report)  # type: ignore[attr-defined]
    return np.asarray(fitted.images[0].array())


OURS = Method("spatime", "SpatimeINR", "field_of", {"preset": "fast"})
CUNERF = Method(
    "cunerf",
    "CuNeRF-style",
    "field_of",
    {"preset": "paper", "latent": 0, "steps": 400, "neurons": 64, "batch": 1024},
)
METHODS = (
    Method("linear", "linear", "conventional", {"kind": "linear"}),
    Method("cubic", "cubic", "conventional", {"kind": "cubic"}),
    Method("spline", "B-spline", "conventional", {"kind": "spline"}),
    Method("shift", "phase-correlation shift", "warped", {"kind": "shift"}, in_space=False),
    Method("ilk", "optical flow, ILK", "warped", {"kind": "ilk"}, in_space=False),
    Method("ilk-linear", "ILK, linear warp", "warped", {"kind": "ilk", "order": 1}, in_space=False),
    Method("tvl1", "optical flow, TV-L1", "warped", {"kind": "tvl1"}, in_space=False),
    CUNERF,
    OURS,
)
CANDIDATES = {
    "ilk": [{"radius": r, "gaussian": g} for r in (3, 5, 7, 10) for g in (False, True)],
    "ilk-linear": [{"radius": r, "gaussian": g} for r in (3, 5, 7, 10) for g in (False, True)],
    "tvl1": [{"attachment": a, "tightness": t} for a in (15, 50, 150) for t in (0.1, 0.3)],
}
"""Settings that are tried on the tuning seed; the best one is used everywhere."""


def by_name(name: str) -> Method:
    return next(method for method in METHODS if method.name == name)
