"""Options of the commands that fit: checkpoints, going on after one, and starting from a fit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.cli.shared.options import Parser
    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Job
    from napari_cellinr.fitting.stored import Stored
    from napari_cellinr.image import Image
    from napari_cellinr.runs.resume import Other
    from napari_cellinr.runs.warm_start import Beginning, MakeJob

__all__ = ["add_going_on_options", "checkpoint_of", "make_fit"]

EVERY = 60.0
"""Seconds between two checkpoints; the same as `checkpoint.EVERY`, without importing it."""


def add_going_on_options(parser: Parser) -> None:
    """Declare the options."""
    group = parser.add_argument_group("going on, and starting from another fit")
    group.add_argument(
        "--resume",
        metavar="FOLDER",
        help="go on with a fit that was interrupted, with its settings, from its checkpoint or the "
        "folder that holds it",
    )
    group.add_argument(
        "--continue-from",
        metavar="MODEL",
        help="do --steps more steps of a fit of the same image that was kept with --save-model",
    )
    group.add_argument(
        "--warm-start",
        metavar="MODEL",
        help="begin with the kept fit of another image of the same size, where that is better",
    )
    group.add_argument(
        "--checkpoint",
        metavar="FOLDER",
        help="store what is reached in this folder, in a new one OUTPUT.cellinr-checkpoint; that "
        "is deleted when the fit ends, nothing else is (default: the folder of OUTPUT)",
    )
    group.add_argument(
        "--checkpoint-seconds",
        metavar="S",
        type=_parse_seconds,
        default=EVERY,
        help=f"time between two checkpoints; 0 stores none (default: {EVERY:g} s)",
    )


def checkpoint_of(options: Namespace) -> Path:
    """Return the folder of the checkpoint: of a new one, one inside the folder that was given.

    Raises
    ------
    FileError
        If there is none to go on with, or several.
    """
    from napari_cellinr.runs import resume

    if options.resume:
        return resume.found_checkpoint(options.resume)
    output = Path(options.output).expanduser()
    folder = Path(options.checkpoint).expanduser() if options.checkpoint else output.parent
    return resume.checkpoint_in(folder, output.name)


def make_fit(options: Namespace, image: Image, config: Config, make: MakeJob | None = None) -> Job:
    """Return the job that the options ask for: a new one, or one that goes on.

    Parameters
    ----------
    options
        What was typed.
    image
        The input.
    config
        The settings.
    make
        As for `runs.warm_start.begun_with`.

    Raises
    ------
    ConfigError, FileError
        If the options contradict each other, or a file does not belong to the image.
    """
    names = ("resume", "continue_from", "warm_start")
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} were given; give one of them.")
    from napari_cellinr.runs import resume
    from napari_cellinr.runs import warm_start as going_on

    started, every = options.started, options.checkpoint_seconds
    if options.resume:
        _refuse_settings(options, "--resume")
        return resume.resumed(
            options.resume, image, every=every or EVERY, started=started, make=make
        )
    other = _other(options)
    if not every:
        if other is None:
            return going_on.job_of(make, options.command, image, config, started)
        return going_on.begun_with(
            other.beginning, other.fit, image, config, started=started, make=make
        )
    place = checkpoint_of(options)
    if options.checkpoint:  # none is made inside another one
        resume.check_new(place.parent)
    return resume.checkpointed(
        options.command,
        image,
        config,
        place,
        every=every,
        origin=str(options.input),
        started=started,
        make=make,
        other=other,
    )


def _other(options: Namespace) -> Other | None:
    """Return the fit to begin with, if one is.

    Raises
    ------
    ConfigError, FileError
        If it is one of another method or cannot be read, or a setting is not allowed with it.
    """
    from napari_cellinr.methods import method_of_fit
    from napari_cellinr.runs.resume import Other

    beginning: Beginning = "continue_from" if options.continue_from else "warm_start"
    path = getattr(options, beginning)
    if not path:
        return None
    if beginning == "continue_from":
        _refuse_settings(options, "--continue-from", "steps")
        _check_steps(options)
    fit = _load(path)
    action = method_of_fit(fit).action
    if action != options.command:
        raise ConfigError(
            f"{path} was given, which is a fit of {action}; {options.command} needs one of "
            f"{options.command}."
        )
    return Other(beginning, fit)


def _load(path: str) -> Stored:
    from napari_cellinr.fitting.stored import stored
    from napari_cellinr.io import load_fitted

    return stored(*load_fitted(path))


def _refuse_settings(options: Namespace, flag: str, *allowed: str) -> None:
    """Raise `ConfigError` if a setting was given that is taken from a file."""
    given = [
        name.removeprefix("setting_")
        for name, value in vars(options).items()
        if name.startswith("setting_") and value is not None
    ]
    given += [text.partition("=")[0] for text in options.assignments]
    wrong = [name for name in given if name not in allowed]
    if wrong:
        raise ConfigError(
            f"setting {wrong[0]!r} was given with {flag}; the settings are those of the fit that "
            "goes on. Leave it out."
        )


def _check_steps(options: Namespace) -> None:
    """Raise `ConfigError` if the number of more steps is missing or none."""
    try:
        steps = int(options.setting_steps)
    except (TypeError, ValueError):
        steps = 0
    if steps < 1:
        raise ConfigError(
            f"--steps {options.setting_steps} was given with --continue-from; the number of more "
            "steps, 1 or more, is needed."
        )


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} was given; seconds from 0 are needed")
    return seconds
