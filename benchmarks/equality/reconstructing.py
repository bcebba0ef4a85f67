"""Runs of reconstruction, one for each kind of microscope."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_cellinr.config.optics import DPC, SIM2D, SIM3D

from inputs import blobs, moving, write_tiff  # isort: skip

if TYPE_CHECKING:
    from command import Folder

__all__ = ["RUNS"]

KEPT = ("--save-model", "fit.cellinr", "--report", "report.json")
IMAGES = ("--motion", "motion.tif", "--speed", "speed.tif", "--confidence", "confidence.tif")


def time_lapse(folder: Folder) -> None:
    """A time-lapse with everything that the command can write, and the motion of its fit."""
    write_tiff(folder / "in.tif", moving(5, (24, 26), 21), "TYX", finterval=0.5)
    seeds = "y,x\n5,6\n12.5,13\n20,9\n"
    (folder / "seeds.csv").write_text(seeds, "utf-8")
    words = ["--steps", 60, "--tracks", "tracks.csv", "--seeds", "seeds.csv", *IMAGES, *KEPT]
    words += ["--conventional", "conventional.tif", "--times", "7"]
    folder.cli("reconstruct", "in.tif", "out.tif", *words)
    folder.cli("show-motion", "fit.cellinr", "arrows.csv", "--every", 5, "--shortest", 0)
    folder.cli("show-motion", "fit.cellinr", "points.csv", "--points", 3)
    words = ["--times", "0.25,1,1.75", "--crop", "x=3:20"]
    folder.cli("render", "fit.cellinr", "render.tif", *words)


def compared(folder: Folder) -> None:
    """The default settings with all attempts, and the results to compare with."""
    write_tiff(folder / "in.tif", moving(4, (16, 18), 22), "TYX", finterval=0.5)
    words = ["--steps", 30, "--compare", "compared", "--set", "brightness=on"]
    words += ["--set", "bleaching=on", "--set", "unexplained=on", "--fastest-movement", 0.6]
    folder.cli("reconstruct", "in.tif", "out.tif", *words, *KEPT)


def line_scan(folder: Folder) -> None:
    """A line scan with blur."""
    write_tiff(folder / "in.tif", moving(4, (20, 22), 23), "TYX", finterval=0.5)
    optics = {"kind": "line-scan", "row_time": 0.02, "bidirectional": True, "psf_fwhm": [0.4, 0.4]}
    _reconstruct(folder, optics)


def point_scan(folder: Folder) -> None:
    """A point scan."""
    write_tiff(folder / "in.tif", moving(4, (18, 18), 24), "TYX", finterval=0.5)
    _reconstruct(folder, {"kind": "point-scan", "pixel_time": 2e-6, "row_time": 0.002})


def z_scan(folder: Folder) -> None:
    """Stacks that are recorded plane by plane."""
    write_tiff(folder / "in.tif", moving(3, (5, 16, 16), 25), "TZYX", finterval=1.0)
    _reconstruct(folder, {"kind": "z-scan", "plane_time": 0.1, "background": 100})


def dpc(folder: Folder) -> None:
    """Differential phase contrast, one pattern of light after the other."""
    write_tiff(folder / "in.tif", moving(8, (24, 24), 26, photons=400), "TYX", finterval=0.1)
    _reconstruct(folder, {**DPC.TYPICAL, "kind": "dpc", "pixel_size": 0.45})


def sim_2d(folder: Folder) -> None:
    """Structured illumination of one plane, nine patterns."""
    _write_striped(folder, [(0.3, angle, 120.0 * phase) for angle in (0, 60, 120)
                            for phase in range(3)])  # fmt: skip
    _reconstruct(folder, {**SIM2D.TYPICAL, "kind": "sim2d", "background": 100, "frame_time": 0.1})


def sim_3d(folder: Folder) -> None:
    """Three-beam structured illumination of one plane, fifteen patterns."""
    _write_striped(folder, [(0.42, angle, 72.0 * phase) for angle in (5, 65, 125)
                            for phase in range(5)])  # fmt: skip
    optics = {**SIM3D.TYPICAL, "kind": "sim3d", "angles": [5.0, 65.0, 125.0]}
    _reconstruct(folder, {**optics, "background": 100, "frame_time": 0.1})


def rolling_shutter(folder: Folder) -> None:
    """One picture of a lensless camera with a dual rolling shutter."""
    spot = blobs((31, 31), 27) - 0.1
    tifffile.imwrite(folder / "psf.tif", (1000 * spot / spot.max()).astype(np.float32))
    picture = moving(1, (32, 32), 28)[0]
    write_tiff(folder / "in.tif", picture, "YX")
    optics = {
        "kind": "rolling-shutter",
        "psf": "psf.tif",
        "psf_background": 0,
        "row_time": 1e-4,
        "exposure": 4e-4,
        "shutter": "dual",
        "rows_per_shot": 4,
        "background": 100,
    }
    _reconstruct(folder, optics)


def resumed(folder: Folder) -> None:
    """A reconstruction that is killed, and goes on."""
    write_tiff(folder / "in.tif", moving(5, (24, 26), 21), "TYX", finterval=0.5)
    words = ["--steps", 120, "--checkpoint-seconds", 0.01]
    folder.killed("out.tif.checkpoint", "reconstruct", "in.tif", "out.tif", *words)
    resume = ["--resume", "out.tif.checkpoint", "--save-model", "fit.cellinr"]
    folder.cli("reconstruct", "in.tif", "out.tif", *resume)


def continued(folder: Folder) -> None:
    """More steps of a fit, and a reconstruction of another recording that starts from it."""
    for number in (1, 2):
        frames = moving(4, (18, 20), 21, photons=80 + number)
        write_tiff(folder / f"{number}.tif", frames, "TYX", finterval=0.5)
    words = ["--preset", "preview", "--steps", 30]
    folder.cli("reconstruct", "1.tif", "out.tif", *words, "--save-model", "fit.cellinr")
    more = ["--continue-from", "fit.cellinr", "--steps", 20]
    folder.cli("reconstruct", "1.tif", "more.tif", *more)
    folder.cli("reconstruct", "2.tif", "warm.tif", *words, "--warm-start", "fit.cellinr")


def _reconstruct(folder: Folder, optics: str | dict[str, Any], steps: int = 30) -> None:
    """Reconstruct `in.tif` in a few steps, and render the fit at other times."""
    if not isinstance(optics, str):
        (folder / "optics.json").write_text(json.dumps(optics), "utf-8")
        optics = "optics.json"
    words = ["--optics", optics, "--steps", steps, "--preset", "preview"]
    folder.cli("reconstruct", "in.tif", "out.tif", *words, *IMAGES, *KEPT)
    folder.cli("render", "fit.cellinr", "render.tif", "--crop", "y=2:12")


def _write_striped(folder: Folder, patterns: list[tuple[float, float, float]]) -> None:
    """Write frames under striped light: period in µm, direction and phase in degrees."""
    size, pixel = (24, 24), 0.08
    frames = moving(len(patterns), size, 29, step=0.1, photons=300).astype(np.float64)
    y, x = np.meshgrid(*(pixel * np.arange(n) for n in size), indexing="ij")
    for frame, (period, angle, phase) in zip(frames, patterns, strict=True):
        turn = np.radians(angle)
        waves = 2 * np.pi / period * (np.cos(turn) * x + np.sin(turn) * y) + np.radians(phase)
        frame[:] = 100 + (frame - 100) * (1 + 0.6 * np.cos(waves))
    data = np.clip(frames.round(), 0, 65535).astype(np.uint16)
    write_tiff(folder / "in.tif", data, "TYX", voxel=pixel, finterval=0.1)


RUNS = {
    "reconstruct-time-lapse": time_lapse,
    "reconstruct-compared": compared,
    "reconstruct-line-scan": line_scan,
    "reconstruct-point-scan": point_scan,
    "reconstruct-z-scan": z_scan,
    "reconstruct-dpc": dpc,
    "reconstruct-sim2d": sim_2d,
    "reconstruct-sim3d": sim_3d,
    "reconstruct-rolling-shutter": rolling_shutter,
    "reconstruct-resume": resumed,
    "reconstruct-continue-warm-start": continued,
}
