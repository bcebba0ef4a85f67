"""`napari-cellinr demo`: a method on simulated data, measured against the ground truth."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Final

from napari_cellinr.cli.sample import files_of, make_folder, write_all
from napari_cellinr.cli.shared.overwrite import add_overwrite, check_overwrite
from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import (
    Interruption,
    follow,
    say,
    say_warning,
    seconds_in_words,
)
from napari_cellinr.errors import ConfigError, FileError, FitError
from napari_cellinr.methods import METHODS
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.cli.demos.base import Demo

__all__ = ["add", "run"]

SEED: Final = 100  # not among the seeds 0–9 that the defaults were chosen with

FOLDER: Final = "demo-output"

JOBS: Final = tuple(method.action for method in METHODS.values())
"""The demonstrations: modules of `cli.demos`."""

START_NAPARI = """
import napari
viewer = napari.Viewer()
viewer.open_sample("napari-cellinr", "embryo-membranes")
viewer.window.add_plugin_dock_widget("napari-cellinr")
napari.run()
"""


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "restore simulated data, and measure the quality of the result"
    parser = add_command(commands, "demo", help_text, run)
    parser.add_argument(
        "job",
        metavar="JOB",
        nargs="?",
        help=f"{', '.join(JOBS)} (default: {JOBS[0]}); each takes less than a minute",
    )
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        help=f"folder for the images (default: {FOLDER}, and {FOLDER}/JOB for a job other than "
        f"{JOBS[0]})",
    )
    parser.add_argument(
        "--gui",
        action="store_true",
        help="open napari with a simulated embryo and the Denoise dock instead",
    )
    add_overwrite(parser)


def run(options: Namespace) -> int:
    """Run the demonstration and return 0; 128 + its number after a signal."""
    return _run_napari() if options.gui else _run_headless(options)


def _run_napari() -> int:
    """Start napari in a process of its own, and return 0 once its window is closed."""
    bindings = ("PySide6", "PyQt6")
    if not any(importlib.util.find_spec(name) for name in bindings):
        raise FileError(
            "napari needs PySide6 or PyQt6 to open a window; neither is installed. "
            "Run: pip install 'napari-cellinr[gui]'"
        )
    say("starting napari; the first start takes a while")
    status = subprocess.run([sys.executable, "-c", START_NAPARI], check=False).returncode
    if status != 0:
        raise FitError(f"napari ended with exit status {status}; see its messages above.")
    return 0


def _run_headless(options: Namespace) -> int:
    from napari_cellinr.cli.shared.picture import save_picture
    from napari_cellinr.io.safety.atomic import replacing

    job, place = _chosen(options)
    demo: Demo = import_module(f"napari_cellinr.cli.demos.{job}").DEMO
    folder = make_folder(place)
    picture = folder / "picture.png"
    check_overwrite(options, [*files_of(folder, demo.names), picture])
    say(f"simulating {demo.data}, seed {SEED}")
    sample = demo.simulate(SEED)
    say(demo.action)
    interruption, started = Interruption(), time.monotonic()
    warned: set[str] = set()
    with interruption.caught():
        fitted = follow(demo.job(sample, started), interruption, warned)
        seconds = time.monotonic() - started
        paths = write_all(folder, demo.images(sample, fitted))
        with replacing(picture, ".png") as temporary:
            save_picture(temporary, demo.panels(sample, fitted))
    for warning in fitted.report.get("warnings", ()):
        if warning not in warned:
            say_warning(warning)
    steps = fitted.report.get("steps", 0)
    table = "\n".join(demo.table(sample, fitted))
    ended = f"stopped by {interruption.name} after" if interruption.happened else "finished in"
    say(f"{ended} {seconds_in_words(seconds)} ({n_of(steps, 'step')})\n\n{table}\n")
    say("written:\n" + "\n".join(f"  {path}" for path in (*paths, picture)))
    return interruption.status


def _chosen(options: Namespace) -> tuple[str, str]:
    """Return the job and the folder; a single word that is no job is the folder."""
    job, folder = options.job or JOBS[0], options.folder
    if job in JOBS:
        return job, folder or (FOLDER if job == JOBS[0] else f"{FOLDER}/{job}")
    if folder is not None:
        raise ConfigError(f"{job} was given; the jobs are {', '.join(JOBS)}.")
    return JOBS[0], job
