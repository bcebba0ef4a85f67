"""Runs of denoising."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inputs import moving, write_ome, write_tiff  # isort: skip

if TYPE_CHECKING:
    from command import Folder

__all__ = ["RUNS"]

PAPER = ("--preset", "paper", "--set", "neurons=8", "--set", "points=4", "--set", "batch=256")


def fast(folder: Folder) -> None:
    """A stack with the preset fast, and every file that the command can write."""
    folder.cli("sample", "embryo-membranes", "sample", "--size", "8,24,24", "--seed", 1)
    others = ("background", "signal", "kept")
    words = [word for name in others for word in (f"--{name}-output", f"{name}.tif")]
    words += ["--save-model", "fit.cellinr", "--report", "report.json"]
    words += ["--conventional", "conventional.tif"]
    folder.cli("denoise", "sample/raw.tif", "out.tif", *words)
    words = ["--scale", "z=2.5", "--crop", "y=2:20,x=1:19", "--second-output", "second.tif"]
    folder.cli("render", "fit.cellinr", "render.tif", *words, "--third-output", "third.tif")
    folder.cli("compare", "out.tif", "sample/truth.tif", keep="scores")
    folder.cli("compare", "out.tif", "sample/truth.tif", "--difference", "difference.tif")


def preview(folder: Folder) -> None:
    """A part of a plane with the preset preview and other settings."""
    write_tiff(folder / "in.tif", moving(1, (32, 36), 3)[0], "YX")
    words = ["--preset", "preview", "--background", "keep", "--structure", "filament"]
    words += ["--crop", "y=2:30,x=0:34", "--voxel", "y=0.1,x=0.1", "--seed", 5]
    words += ["--set", "gain=2", "--set", "read_noise=3", "--report", "report.json"]
    folder.cli("denoise", "in.tif", "out.tif", *words, "--save-model", "fit.cellinr")
    folder.cli("render", "fit.cellinr", "render.tif", "--voxel", "y=0.05,x=0.08")


def paper(folder: Folder) -> None:
    """The published method with a small network."""
    write_tiff(folder / "in.tif", moving(1, (5, 20, 20), 4)[0], "ZYX")
    words = [*PAPER, "--steps", 20, "--save-model", "fit.cellinr", "--report", "report.json"]
    folder.cli("denoise", "in.tif", "out.tif", *words, "--background-output", "background.tif")
    folder.cli("render", "fit.cellinr", "render.tif", "--scale", "z=2,y=1.5")


def series(folder: Folder) -> None:
    """Frames that are denoised together."""
    write_tiff(folder / "in.tif", moving(3, (5, 24, 24), 5), "TZYX", finterval=2.0)
    words = ["--bleaching", "correct", "--save-model", "fit.cellinr", "--report", "report.json"]
    folder.cli("denoise", "in.tif", "out.tif", *words)
    folder.cli("render", "fit.cellinr", "render.tif", "--times", "2,4", "--scale", "z=2")


def frames(folder: Folder) -> None:
    """The same frames, each for itself."""
    write_tiff(folder / "in.tif", moving(3, (5, 24, 24), 5), "TZYX", finterval=2.0)
    words = ["--set", "coupling=no", "--save-model", "fit.cellinr", "--report", "report.json"]
    folder.cli("denoise", "in.tif", "out.tif", *words)


def channels(folder: Folder) -> None:
    """Two channels with names, and one of them alone."""
    data = np.stack([moving(1, (5, 20, 24), seed)[0] for seed in (6, 7)], axis=1)
    names = {"Channel": {"Name": ["membranes", "nuclei"]}}
    steps = {f"PhysicalSize{axis}": 0.2 for axis in "XY"} | {"PhysicalSizeZ": 0.5}
    write_ome(folder / "in.ome.tif", data, "ZCYX", **names, **steps)
    folder.cli("denoise", "in.ome.tif", "out.ome.tif", "--save-model", "fit.cellinr")
    folder.cli("render", "fit.cellinr", "render.tif", "--channel", 1)
    folder.cli("denoise", "in.ome.tif", "one.tif", "--channel", 1, "--preset", "preview")


def tiles(folder: Folder) -> None:
    """A stack in tiles, because the process is told that little memory is free."""
    write_tiff(folder / "in.tif", moving(1, (4, 24, 64), 8)[0], "ZYX")
    words = ["--save-model", "fit.cellinr", "--report", "report.json", "--steps", 30]
    folder.cli("denoise", "in.tif", "out.tif", *words, free=2_600_000)
    if "tiles" not in (folder / "report.json").read_text("utf-8"):
        raise RuntimeError("the stack was not fitted in tiles")
    folder.cli("render", "fit.cellinr", "render.tif", "--scale", 1.5)


def resumed(folder: Folder) -> None:
    """A fit that is killed, and goes on from its checkpoint; the same without a break."""
    write_tiff(folder / "in.tif", moving(1, (6, 24, 24), 9)[0], "ZYX")
    words = [*PAPER, "--steps", 150]
    often = ["--checkpoint-seconds", 0.01]
    folder.killed("out.tif.checkpoint", "denoise", "in.tif", "out.tif", *words, *often)
    resume = ["--resume", "out.tif.checkpoint", "--save-model", "fit.cellinr"]
    folder.cli("denoise", "in.tif", "out.tif", *resume)
    folder.cli("denoise", "in.tif", "whole.tif", *words)


def series_resumed(folder: Folder) -> None:
    """A series that is killed while it is denoised together, and goes on."""
    write_tiff(folder / "in.tif", moving(3, (5, 24, 24), 5), "TZYX", finterval=2.0)
    often = ["--checkpoint-seconds", 0.01]
    folder.killed("out.tif.checkpoint", "denoise", "in.tif", "out.tif", *often)
    folder.cli("denoise", "in.tif", "out.tif", "--resume", "out.tif.checkpoint")


def continued(folder: Folder) -> None:
    """More steps of a fit, and a fit of another image that starts from it."""
    for number in (1, 2):
        write_tiff(
            folder / f"{number}.tif", moving(1, (5, 24, 24), 9, photons=80 + number)[0], "ZYX"
        )
    folder.cli("denoise", "1.tif", "out.tif", "--steps", 10, "--save-model", "fit.cellinr")
    more = ["--continue-from", "fit.cellinr", "--steps", 15, "--save-model", "more.cellinr"]
    folder.cli("denoise", "1.tif", "more.tif", *more)
    folder.cli("denoise", "2.tif", "warm.tif", "--warm-start", "fit.cellinr", "--steps", 15)


RUNS = {
    "denoise-fast": fast,
    "denoise-preview": preview,
    "denoise-paper": paper,
    "denoise-series-together": series,
    "denoise-series-by-frame": frames,
    "denoise-two-channels": channels,
    "denoise-tiles": tiles,
    "denoise-resume": resumed,
    "denoise-series-resume": series_resumed,
    "denoise-continue-warm-start": continued,
}
