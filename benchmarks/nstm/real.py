"""Real and others' recordings of coded light, for which there is no truth of ours."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from data import REAL, Recording

from napari_cellinr import Image, read, write
from napari_cellinr.simulate.recordings import moving

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCRATCH = Path(tempfile.gettempdir()) / "cellinr-nstm"


def sim3d_simulated() -> Recording:
    """Return three planes of the simulation of others, in 3 directions times 5 phases.

    It is static and without noise: no motion should be found.
    """
    raw = np.asarray(read(REAL / "sim3d_simulated" / "raw.tif").array(), np.float32)
    raw = raw.reshape(3, 9, 5, 64, 64)[:, 3:6].reshape(-1, 64, 64)
    angles = np.degrees([0.8043, 1.8555, -0.2388]).tolist()
    optics = {
        "kind": "sim3d", "na": 1.42, "refractive_index": 1.515, "voxel_size": [0.125, 0.08, 0.08],
        "periods": [0.407] * 3, "angles": angles, "frame_order": "direction-z-phase",
        "wavelength": 0.525,
        "otf": str(REAL / "sim3d_simulated" / "otf.tif"),
    }  # fmt: skip
    return Recording(Image(raw, "ZYX"), optics)


def lattice_sim_actin() -> Recording:
    """Return a part of 128 × 128 pixels of the real actin in a lattice of light, one set."""
    raw = np.asarray(read(REAL / "lattice_sim_actin" / "lattice_sim_5_phases.tif").array())
    optics = {
        "kind": "sim2d", "wavelength": 0.61, "na": 1.42, "pixel_size": 0.0975,
        "orders": [[0.47, -19.8], [0.47, 71.2]],
        "phases": [[0, 0], [120, 0], [240, 0], [0, 120], [120, 240]], "background": 100,
    }  # fmt: skip
    part = np.asarray(raw, np.float32).reshape(5, *raw.shape[-2:])[:, 192:320, 192:320]
    return Recording(Image(part, "TYX"), optics)


def diffusercam() -> Recording:
    """Return the real image through a diffuser, binned 20 times, treated as a rolling shutter.

    It was recorded with a global shutter: nothing moves, whatever the times of the rows.
    """
    folder = REAL / "diffusercam"
    psf, raw = (_binned(folder / f"{name}_sample.tif", 20) for name in ("psf", "rawdata_hand"))
    SCRATCH.mkdir(exist_ok=True)
    optics: dict[str, Any] = {
        "kind": "rolling-shutter", "psf": str(write(SCRATCH / "psf.tif", Image(psf, axes="YX"))),
        "field": 1.0, "rows_per_shot": 6, "samples": 1, "shutter": "single",
        "row_time": 27.52e-6, "exposure": 1.32e-3,
        "background": float(psf[:10, :10].mean()),
    }  # fmt: skip
    return Recording(Image(raw, axes="YX"), optics)


def sample(kind: str) -> Recording:
    """Return one of the samples that the program offers, with the motion that it really makes."""
    made = moving(kind)
    optics = made.optics.as_dict()
    if made.psf is not None:
        SCRATCH.mkdir(exist_ok=True)
        optics["psf"] = str(write(SCRATCH / f"{kind}.tif", made.psf))
    steps = np.reshape(made.motion.scale[2:], (1, -1, *[1] * (len(made.motion.shape) - 2)))
    return Recording(made.raw, optics, moved=np.asarray(made.motion.array()) / steps)


def _binned(path: Path, factor: int) -> NDArray[np.float32]:
    values = np.squeeze(np.asarray(read(path).array(), np.float32))
    rows, columns = (n // factor for n in values.shape)
    binned: NDArray[np.float32] = values.reshape(rows, factor, columns, factor).mean((1, 3))
    return binned
