"""Runs of super-resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inputs import moving, write_ome, write_tiff  # isort: skip

if TYPE_CHECKING:
    from command import Folder

__all__ = ["RUNS"]

KEPT = ("--save-model", "fit.cellinr", "--report", "report.json")
PAPER = ("--preset", "paper", "--set", "neurons=8", "--set", "latent=4", "--set", "batch=256")


def in_time(folder: Folder) -> None:
    """Twice as many frames, and others of the same fit."""
    write_tiff(folder / "in.tif", moving(4, (24, 28), 11, step=1.5), "TYX", finterval=2.0)
    words = ["--scale", "t=2", "--motion", "always", "--conventional", "conventional.tif"]
    folder.cli("superresolve", "in.tif", "out.tif", *words, *KEPT)
    words = ["--times", "0.5,1.25,2", "--crop", "y=2:20"]
    folder.cli("render", "fit.cellinr", "render.tif", *words)


def in_depth(folder: Folder) -> None:
    """Finer planes of one stack."""
    write_tiff(folder / "in.tif", moving(1, (8, 20, 20), 12)[0], "ZYX")
    folder.cli("superresolve", "in.tif", "out.tif", "--scale", "z=2.5", "--steps", 20, *KEPT)
    words = ["--planes", "thin", "--isotropic", "--preset", "preview"]
    folder.cli("superresolve", "in.tif", "thin.tif", *words)
    folder.cli("render", "fit.cellinr", "render.tif", "--scale", "z=1.5,y=2")


def in_both(folder: Folder) -> None:
    """More frames and finer planes of two channels."""
    data = np.stack([moving(3, (6, 18, 18), seed) for seed in (13, 14)], axis=2)
    names = {"Channel": {"Name": ["a", "b"]}, "TimeIncrement": 3.0, "TimeIncrementUnit": "s"}
    steps = {f"PhysicalSize{axis}": 0.2 for axis in "XY"} | {"PhysicalSizeZ": 0.5}
    write_ome(folder / "in.ome.tif", data, "TZCYX", **names, **steps)
    words = ["--scale", "t=2,z=2", "--steps", 20, *KEPT]
    folder.cli("superresolve", "in.ome.tif", "out.ome.tif", *words)
    words = ["--times", "0,1.5,3,4.5,6", "--target-voxel", "z=0.25", "--preset", "preview"]
    folder.cli("superresolve", "in.ome.tif", "out.zarr", *words)
    folder.cli("render", "fit.cellinr", "render.tif", "--channel", 1, "--times", "4")


def paper(folder: Folder) -> None:
    """The published method with small networks."""
    write_tiff(folder / "in.tif", moving(3, (16, 20), 15), "TYX", finterval=2.0)
    folder.cli("superresolve", "in.tif", "out.tif", "--scale", "t=2", "--steps", 20, *PAPER, *KEPT)
    folder.cli("render", "fit.cellinr", "render.tif", "--scale", "y=2,x=2", "--times", "1")


def resumed(folder: Folder) -> None:
    """Fits with the presets fast and paper that are killed, and go on."""
    write_tiff(folder / "in.tif", moving(4, (5, 20, 20), 16), "TZYX", finterval=2.0)
    often = ["--checkpoint-seconds", 0.01]
    for name, words in {
        "out": ["--scale", "t=2,z=2", "--steps", 30],
        "paper": ["--scale", "t=2", "--steps", 100, *PAPER],
    }.items():
        folder.killed(
            f"{name}.tif.checkpoint", "superresolve", "in.tif", f"{name}.tif", *words, *often
        )
        resume = ["--resume", f"{name}.tif.checkpoint", "--save-model", f"{name}.cellinr"]
        folder.cli("superresolve", "in.tif", f"{name}.tif", *resume)


def continued(folder: Folder) -> None:
    """More steps of a fit of the published method, and one that starts from it."""
    for number in (1, 2):
        frames = moving(3, (16, 20), 15, photons=80 + number)
        write_tiff(folder / f"{number}.tif", frames, "TYX", finterval=2.0)
    words = ["--scale", "t=2", *PAPER, "--steps", 15, "--save-model", "fit.cellinr"]
    folder.cli("superresolve", "1.tif", "out.tif", *words)
    more = ["--continue-from", "fit.cellinr", "--steps", 10]
    folder.cli("superresolve", "1.tif", "more.tif", *more)
    warm = [*words[:-2], "--warm-start", "fit.cellinr"]
    folder.cli("superresolve", "2.tif", "warm.tif", *warm)


RUNS = {
    "superresolve-t": in_time,
    "superresolve-z": in_depth,
    "superresolve-t-z-channels": in_both,
    "superresolve-paper": paper,
    "superresolve-resume": resumed,
    "superresolve-continue-warm-start": continued,
}
