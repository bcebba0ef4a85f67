"""Options of the commands that fit: checkpoints, going on after one, and starting from a fit."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.cli.shared.options import Parser
    from napari_cellinr.config import Config
    from napari_cellinr.image import Image
    from napari_cellinr.runs.request import RunRequest
    from napari_cellinr.runs.starts import Beginning, Start

__all__ = ["add_going_on_options", "checkpoint_of", "request_of"]

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


def request_of(options: Namespace, image: Image, config: Config) -> RunRequest:
    """Return the run that the options ask for: a new one, or one that goes on.

    Parameters
    ----------
    options
        What was typed.
    image
        The input.
    config
        The settings.

    Raises
    ------
    ConfigError, FileError
        If the options contradict each other, or a file does not belong to the image.
    """
    names = ("resume", "continue_from", "warm_start")
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} were given; give one of them.")
    from napari_cellinr.methods import method_of_action
    from napari_cellinr.runs.request import CheckpointPlace, RunRequest, check_new
    from napari_cellinr.runs.resume import resume

    started, every = options.started, options.checkpoint_seconds
    if options.resume:
        _refuse_settings(options, "--resume")
        return resume(options.resume, image, every=every or EVERY, started=started)
    request = RunRequest(
        method_of_action(options.command), image, config, _start(options, config), started=started
    )
    if not every:
        return request
    place = checkpoint_of(options)
    if options.checkpoint:  # none is made inside another one
        check_new(place.parent)
    return replace(request, checkpoint=CheckpointPlace(place, every, str(options.input)))


def _start(options: Namespace, config: Config) -> Start:
    """Return how the run starts: from scratch, or from another fit.

    Raises
    ------
    ConfigError, FileError
        If it is one of another method or cannot be read, or a setting is not allowed with it.
    """
    from napari_cellinr.fitting.stored import load_fit
    from napari_cellinr.methods import method_of_fit
    from napari_cellinr.runs.starts import New, start_from

    beginning: Beginning = "continue_from" if options.continue_from else "warm_start"
    path = getattr(options, beginning)
    if not path:
        return New()
    if beginning == "continue_from":
        _refuse_settings(options, "--continue-from", "steps")
        _check_steps(options)
    fit = load_fit(path)
    action = method_of_fit(fit).action
    if action != options.command:
        raise ConfigError(
            f"{path} was given, which is a fit of {action}; {options.command} needs one of "
            f"{options.command}."
        )
    return start_from(beginning, fit, config.steps)


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
