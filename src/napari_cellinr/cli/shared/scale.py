"""Runs in parts: recordings that are larger than memory, on this computer or on a cluster."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.cli.shared.progress import (
    Interruption,
    follow,
    say,
    say_error,
    say_warning,
    seconds_in_words,
)
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from napari_cellinr.config import Config
    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.plan import Plan
    from napari_cellinr.runs.scale.source import Source

__all__ = [
    "add_scale_options",
    "add_worker_options",
    "in_parts",
    "run_parts",
    "source_of",
    "whole_or_resumed",
]

_STOPPED: Final = 128 + 2
"""Exit status after the time limit: that of a run that Ctrl-C has stopped."""

_NEEDS_WHOLE = ("save_fit", "report", "conventional", "continue_from", "warm_start", "tracks")
"""Options for which the whole result has to be in memory."""


def add_scale_options(parser: Any) -> None:
    """Declare the options of a command that can compute in parts."""
    group = parser.add_argument_group("larger than memory")
    group.add_argument(
        "--parts",
        action="store_true",
        help="compute in parts even if the memory is enough; OUTPUT has to be OUT.zarr",
    )
    add_worker_options(group)


def add_worker_options(group: Any) -> None:
    """Declare the options that say where parts are computed."""
    group.add_argument(
        "--workers", metavar="N", type=int, default=1,
        help="number of images or parts that are computed at the same time (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "--scheduler",
        metavar="local|ADDRESS|slurm",
        help="compute images or parts by workers of Dask: started here, those of a scheduler at an "
        "address, or jobs of SLURM (needs the extra cluster)",
    )


def whole_or_resumed(options: Namespace) -> int:
    """Run a command; with `--resume OUT.zarr.parts`, compute the parts that are not finished.

    Parameters
    ----------
    options
        The parsed options, with the functions of the command as `run_whole` and
        `read_settings`.

    Raises
    ------
    ConfigError
        If the folder is that of another run, or there is nothing to go on with.
    FileError
        If there is no such folder.
    """
    from napari_cellinr.runs.scale.plan import PARTS, load_plan, notes_folder
    from napari_cellinr.runs.scale.state import PLAN_FILE

    options.devices = _devices(options)
    folder = None if options.resume is None else place_of(options.resume)
    if folder is not None and not folder.exists():
        output = place_of(options.output).resolve()
        if folder.resolve() == notes_folder(output) and output.exists():
            raise ConfigError(
                f"there is nothing to go on with: {folder} is deleted when a result is complete, "
                f"and {options.output} is there. To compute it again, give --overwrite, not "
                "--resume."
            )
        if folder.suffix == PARTS:
            raise FileError(
                f"--resume {folder} was given, and there is no such folder; give the one that was "
                "printed when the run was interrupted."
            )
    if folder is None or not (folder / PLAN_FILE).is_file():
        status: int = options.run_whole(options)
        return status
    plan = load_plan(folder / PLAN_FILE)
    if plan.action != options.command or plan.places[0] != place_of(options.output).resolve():
        raise ConfigError(
            f"{folder} is that of napari-cellinr {plan.action} … {plan.places[0]}; repeat that "
            "command with --resume."
        )
    _check_same_settings(options, plan)
    return run_parts(options, plan)


def _check_same_settings(options: Namespace, plan: Plan) -> None:
    """Raise `ConfigError` if a setting was given that is not that of the run that goes on.

    Device and time limit may differ.
    """
    from napari_cellinr.cli.shared.fitting import read_input

    given = {
        name.removeprefix("setting_")
        for name, value in vars(options).items()
        if name.startswith("setting_") and value is not None
    }
    given |= {text.partition("=")[0].strip() for text in options.assignments}
    if getattr(options, "frames", None) is not None:
        given.add("times")
    if not (given := given - {"device", "max_seconds"}):
        return
    chosen = options.read_settings(options)(read_input(options))
    for name in sorted(given):
        new, old = getattr(chosen, name), getattr(plan.config, name)
        if new != old:
            raise ConfigError(
                f"{name}={new} was given with --resume, and the run that goes on has {name}={old}; "
                "leave it out, or give --overwrite, not --resume, to begin anew."
            )


def _devices(options: Namespace) -> list[str]:
    """Return the devices of several workers; the setting becomes their common kind."""
    given = options.setting_device or ""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if len(names) < 2:
        return []
    options.setting_device = names[0].partition(":")[0]
    options.parts, options.workers = True, max(options.workers, len(names))
    return names


def in_parts(
    options: Namespace, image: Image, config: Config, outputs: Mapping[str, str]
) -> int | None:
    """Compute in parts if that is requested or necessary; return the status, or None if not.

    Parameters
    ----------
    options
        The parsed options, checked by `check_outputs`.
    image
        The input.
    config
        The settings.
    outputs
        Role of each image that may be saved, by the name of its option.

    Raises
    ------
    ConfigError
        If parts are requested and not possible.
    """
    from napari_cellinr.fitting.resources.available import available_memory
    from napari_cellinr.methods import method_of_action
    from napari_cellinr.runs.estimates import cost

    free = available_memory()
    needed = cost(method_of_action(options.command), image.canonical(), config)
    is_forced = options.parts or options.scheduler is not None or options.workers > 1
    if not is_forced and (needed is None or needed.memory <= free):
        return None
    paths = {
        role: getattr(options, flag)
        for flag, role in outputs.items()
        if getattr(options, flag) is not None
    }
    reason = _why_not(options, image, config, list(paths.values()))
    if reason and is_forced:
        raise ConfigError(reason)
    if reason:
        return None
    from napari_cellinr.runs.scale.make import make_plan

    _check_workers(options)
    plan = make_plan(options.command, source_of(options), config, paths, free, options.workers)
    if not is_forced:
        assert needed is not None
        say(
            f"about {needed.memory / 1e9:.2g} GB of memory are needed, {free / 1e9:.2g} GB are "
            f"free: the recording is computed in {n_of(len(plan.parts), 'part')}."
        )
    return run_parts(options, plan)


def _check_workers(options: Namespace) -> None:
    if options.workers < 1:
        raise ConfigError(f"--workers {options.workers} was given; 1 or more are needed.")


def _why_not(options: Namespace, image: Image, config: Config, paths: Sequence[str]) -> str:
    """Return why a run cannot be done in parts; an empty text if it can."""
    from napari_cellinr.runs.scale.methods.results import why_not

    other = [path for path in paths if not path.lower().rstrip("/").endswith(".zarr")]
    if other:
        return f"{other[0]} was given; in parts, results are written as OME-Zarr (OUT.zarr)."
    given = [name for name in _NEEDS_WHOLE if getattr(options, name, None) is not None]
    if given:
        return (
            f"--{given[0].replace('_', '-')} was given, which needs the whole result in memory; "
            "leave it out to compute in parts."
        )
    return why_not(image, config)


def source_of(options: Namespace) -> Source:
    """Return the recording that the options describe."""
    from napari_cellinr.runs.scale.source import Source

    given = str(options.input)
    return Source(
        path=given if "://" in given else str(place_of(given).absolute()),
        axes=options.axes,
        level=options.level,
        series=options.series or 0,
        stack=options.stack,
        channel=options.channel,
        voxel=dict(options.voxel),
        crop={axis: (part.start, part.stop) for axis, part in options.crop.items()},
    )


def run_parts(options: Namespace, plan: Plan) -> int:
    """Compute the parts of a plan that are not finished; return the exit status.

    Parameters
    ----------
    options
        The parsed options.
    plan
        The plan.
    """
    from napari_cellinr.fitting.resources.devices import choose_device
    from napari_cellinr.runs.scale.executors import open_workers
    from napari_cellinr.runs.scale.make import check_space
    from napari_cellinr.runs.scale.run import run_plan
    from napari_cellinr.runs.scale.state import State

    if advice := check_space(plan):
        say_warning(advice)
    if options.scheduler in {None, "local"}:
        for name in options.devices:
            choose_device(name)  # says which there are
    several = options.workers > 1 or options.scheduler is not None
    workers = (
        open_workers(
            options.scheduler, options.workers, devices=options.devices, memory=plan.memory
        )
        if several
        else None
    )
    if options.overwrite and options.resume is None:
        State(plan).forget()  # only now: without workers, finished parts are kept
    if workers is not None and workers.link:
        say(f"progress of the workers: {workers.link}")
    interruption, ended = Interruption(), False
    try:
        with interruption.caught():
            job = run_plan(plan, workers, overwrite=options.overwrite, started=options.started)
            found = follow(job, interruption)
        ended = not found.stopped
    finally:
        if workers is not None:
            workers.close(stop=not ended)
    for text in found.warnings:
        say_warning(text)
    on = f"finished parts are kept; go on with --resume {plan.folder}"
    if interruption.happened:
        say_warning(
            f"stopped by {interruption.name} after {found.done} of {n_of(found.total, 'part')}; "
            f"{on}"
        )
        return interruption.status
    if found.is_late and not found.failed:
        say_warning(
            f"stopped by the time limit of {plan.config.max_seconds:g} s after {found.done} of "
            f"{n_of(found.total, 'part')}; {on}"
        )
        return _STOPPED
    for number, text in found.failed.items():
        say_error(text if text.startswith("part ") else f"part {number}: {text}")
    if not found.is_complete:
        are = n_of(found.done, f"of {found.total} parts is", f"of {found.total} parts are")
        say_error(f"{are} finished; {on}")
        return 1
    from napari_cellinr.cli.shared.fitting import describe_image

    seconds = seconds_in_words(time.monotonic() - options.started)
    say(
        f"wrote {', '.join(plan.outputs.values())}: {describe_image(plan.image)}, "
        f"{n_of(len(plan.parts), 'part')} in {seconds}"
    )
    return 0
