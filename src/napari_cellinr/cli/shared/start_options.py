"""Options of the commands that fit: checkpoints, resuming, continuing and warm start."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cellinr.config.base import CHECKPOINT_SECONDS
from napari_cellinr.errors import ConfigError
from napari_cellinr.io.names import place_of, without_secrets

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from napari_cellinr.cli.shared.parser import Parser
    from napari_cellinr.config import Config
    from napari_cellinr.image import Image
    from napari_cellinr.runs.request import RunRequest
    from napari_cellinr.runs.starts import Beginning, Start

__all__ = ["add_start_options", "checkpoint_of", "request_of"]


def add_start_options(parser: Parser) -> None:
    """Declare the options."""
    group = parser.add_argument_group("resume, continue and warm start")
    group.add_argument(
        "--resume",
        metavar="FOLDER",
        help="resume an interrupted fit with its own settings: the folder of its checkpoint, or "
        "the folder that contains it",
    )
    group.add_argument(
        "--continue-from",
        metavar="FIT",
        help="run --steps additional steps of a saved fit (--save-fit) of the same image",
    )
    group.add_argument(
        "--warm-start",
        metavar="FIT",
        help="start from the saved fit of another image of the same size, if that is better than "
        "starting from scratch",
    )
    group.add_argument(
        "--checkpoint",
        metavar="FOLDER",
        help="store checkpoints in a new folder OUTPUT.cellinr-checkpoint inside this folder; only "
        "that new folder is deleted when the fit ends (default: the folder of OUTPUT)",
    )
    group.add_argument(
        "--checkpoint-seconds",
        metavar="S",
        type=_parse_seconds,
        default=CHECKPOINT_SECONDS,
        help="seconds between two checkpoints; 0 switches them off "
        f"(default: {CHECKPOINT_SECONDS:g})",
    )


def checkpoint_of(options: Namespace) -> Path:
    """Return the folder of the checkpoint to resume, or of a new one.

    Raises
    ------
    FileError
        If there is no checkpoint to resume, or there are several.
    """
    from napari_cellinr.runs import resume

    if options.resume:
        return resume.found_checkpoint(options.resume)
    output = place_of(options.output)
    folder = place_of(options.checkpoint) if options.checkpoint else output.parent
    return resume.checkpoint_in(folder, output.name)


def request_of(options: Namespace, image: Image, config: Config) -> RunRequest:
    """Return the run that the options describe: new, resumed, continued or with a warm start.

    Parameters
    ----------
    options
        The parsed options.
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
        raise ConfigError(f"{' and '.join(given)} were given; only one of them is allowed.")
    from napari_cellinr.methods import method_of_action
    from napari_cellinr.runs.request import CheckpointPlace, RunRequest, check_new
    from napari_cellinr.runs.resume import resume

    started, every = options.started, options.checkpoint_seconds
    if options.resume:
        _refuse_settings(options, "--resume")
        return resume(options.resume, image, every=every or CHECKPOINT_SECONDS, started=started)
    request = RunRequest(
        method_of_action(options.command), image, config, _start(options, config), started=started
    )
    if not every:
        return request
    place = checkpoint_of(options)
    if options.checkpoint:  # none is made inside another one
        check_new(place.parent)
    named = without_secrets(str(options.input))  # a checkpoint states it
    return replace(request, checkpoint=CheckpointPlace(place, every, named))


def _start(options: Namespace, config: Config) -> Start:
    """Return how the run starts: from scratch, or from another fit."""
    from napari_cellinr.fitting.saved.stored import load_fit
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
            f"{path} was given, which is a fit of {action}; a fit of {options.command} is needed."
        )
    return start_from(beginning, fit, config.steps)


def _refuse_settings(options: Namespace, flag: str, *allowed: str) -> None:
    """Raise `ConfigError` if a setting was given although the settings are read from a file."""
    given = [
        name.removeprefix("setting_")
        for name, value in vars(options).items()
        if name.startswith("setting_") and value is not None
    ]
    given += [text.partition("=")[0] for text in options.assignments]
    wrong = [name for name in given if name not in allowed]
    if wrong:
        raise ConfigError(
            f"setting {wrong[0]!r} was given with {flag}, which uses the settings of the other "
            "fit; leave it out."
        )


def _check_steps(options: Namespace) -> None:
    """Raise `ConfigError` if the number of additional steps is missing or below 1."""
    try:
        steps = int(options.setting_steps)
    except (TypeError, ValueError):
        steps = 0
    if steps < 1:
        raise ConfigError(
            f"--steps {options.setting_steps} was given with --continue-from; the number of "
            "additional steps, 1 or more, is needed."
        )


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} was given; seconds from 0 are needed")
    return seconds
