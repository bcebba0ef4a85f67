"""Writes the files of a fit: images, saved fit and report, before its checkpoint is deleted."""

from __future__ import annotations

import json
import math
import shlex
import shutil
import time
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from napari_cellinr.cli.shared.overwrite import check_overwrite
from napari_cellinr.cli.shared.progress import say_warning
from napari_cellinr.errors import CellINRError, FileError, FitError
from napari_cellinr.io.names import place_of, without_secrets

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Generator, Mapping

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.checkpoint import Checkpoint
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.runs.request import Finish

__all__ = ["check_outputs", "check_space", "save_all", "write_report"]

_OTHERS = ("save_fit", "report")
_IMAGES = ("conventional",)

_FAILURES: Final = (CellINRError, OSError, MemoryError)

_Failure: TypeAlias = CellINRError | OSError | MemoryError
"""Why a file was not written."""

_UNCOMPRESSED: Final = (".tif", ".tiff", ".nii")
"""Extensions of files that need as many bytes as their values."""


def check_outputs(
    options: Namespace, images: tuple[str, ...], others: tuple[str, ...] = ()
) -> None:
    """Check before the fit that all output files can be written.

    Parameters
    ----------
    options
        The parsed command line.
    images, others
        Names of the options that hold paths of images, and of other files.

    Raises
    ------
    FileError
        If a file cannot be written, or must not be replaced (see `check_overwrite`).
    """
    from napari_cellinr.io import SUFFIXES, check_writable

    names = {flag: getattr(options, flag) for flag in (*images, *_IMAGES, *others, *_OTHERS)}
    seeds = getattr(options, "seeds", None)  # a table is an input, too
    table = seeds if isinstance(seeds, str) else None
    check_overwrite(options, names.values(), (options.input, table))
    for flag, name in names.items():
        if name is not None:
            check_writable(name, SUFFIXES if flag in {*images, *_IMAGES} else ())


def check_space(
    options: Namespace, image: Image, config: Config, outputs: Mapping[str, str]
) -> None:
    """Check before the fit that the disk has room for the images.

    Only what is known to be needed counts: images that are not compressed, float32. An older file
    is replaced at the end and frees nothing.

    Parameters
    ----------
    options
        The parsed command line.
    image
        The input.
    config
        The settings.
    outputs
        As for `save_all`.

    Raises
    ------
    FileError
        If there is not enough room.
    """
    size = 4 * _voxels(image, config)
    needed: dict[int, float] = {}
    for flag in outputs:
        name = getattr(options, flag)
        if name is None or not name.lower().endswith(_UNCOMPRESSED):
            continue
        folder = place_of(name).resolve().parent
        device = folder.stat().st_dev
        needed[device] = needed.get(device, 0) + size
        free = shutil.disk_usage(folder).free
        if needed[device] > free:
            raise FileError(
                f"{name} would not fit: about {needed[device] / 1e9:.2g} GB are needed in "
                f"{folder}, {free / 1e9:.2g} GB are free. Make room there, or choose another "
                "place."
            )


def _voxels(image: Image, config: Config) -> float:
    """Return the smallest number of voxels that a result can have."""
    if hasattr(config, "optics"):  # many raw frames may make one image
        return float(image.sizes["Y"] * image.sizes["X"])
    count = float(math.prod(image.shape))
    for factor in dict(getattr(config, "scale", {})).values():
        count *= factor
    return count


def save_all(
    options: Namespace,
    outputs: Mapping[str, str],
    others: Mapping[str, Callable[[Fitted], None]],
    pieces: Finish | None = None,
) -> Finish:
    """Return what writes all files of a fit as its last part; its checkpoint is deleted later.

    A file that cannot be written does not prevent the others; each is complete or not there.

    Parameters
    ----------
    options
        The parsed command line.
    outputs
        Role of each image by the name of the option that holds its path.
    others
        What writes each other file, by its name for messages.
    pieces
        Renders and writes the first image piece by piece, instead of all at once.
    """

    def finish(fitted: Fitted, monitor: Monitor) -> Generator[Progress, Message, None]:
        errors: dict[str, _Failure] = {}
        if pieces is not None:
            try:
                yield from pieces(fitted, monitor)
            except _FAILURES as error:
                errors[options.output] = error
        files = _writers(options, {} if pieces is not None else outputs)
        for name, write in {**files, **others}.items():
            yield from monitor.report(f"writing {name}")
            try:
                write(fitted)
            except _FAILURES as error:
                errors[name] = error
        for name in files.keys() - errors.keys():
            if not place_of(name).exists():
                errors[name] = FileError(f"{name} was removed as soon as it was written.")
        if errors:
            monitor.checkpoint.keep()
            raise _unsaved(errors, options, monitor.checkpoint, fitted)

    return finish


def _writers(options: Namespace, outputs: Mapping[str, str]) -> dict[str, Callable[[Fitted], None]]:
    """Return what writes each file that was requested, by its name."""
    from napari_cellinr.fitting.saved.stored import save_fit
    from napari_cellinr.io import write

    def write_image(path: str, role: str, fitted: Fitted) -> None:
        if role in fitted.roles:
            write(path, fitted.image(role))
        else:
            say_warning(f"{path} was not written: this result has no {role}.")

    found: dict[str, Callable[[Fitted], None]] = {
        getattr(options, flag): partial(write_image, getattr(options, flag), role)
        for flag, role in outputs.items()
        if getattr(options, flag) is not None
    }
    if options.save_fit is not None:
        found[options.save_fit] = partial(save_fit, options.save_fit)
    if options.report is not None:
        found[options.report] = partial(write_report, options)
    return found


def write_report(options: Namespace, fitted: Fitted) -> None:
    """Write the JSON report of a fit.

    Parameters
    ----------
    options
        The parsed command line, with `report` and `started`.
    fitted
        The fit.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    from napari_cellinr.fitting.saved.stored import plain
    from napari_cellinr.io.safety.atomic import replacing

    seconds = round(time.monotonic() - options.started, 3)
    report = plain({**fitted.report, "seconds": seconds, "stopped": fitted.stopped})
    text = json.dumps(report, indent=2, allow_nan=False) + "\n"
    with replacing(place_of(options.report), ".json") as path:
        path.write_text(text, encoding="utf-8")


def _unsaved(
    errors: Mapping[str, _Failure], options: Namespace, checkpoint: Checkpoint, fitted: Fitted
) -> CellINRError:
    """Return one error for all files that were not written, which says how to get them."""
    text = " ".join(f"{str(error).rstrip('.')}." for error in errors.values() if str(error))
    if checkpoint.exists:
        way = f"{options.command} {shlex.quote(without_secrets(options.input))} ELSEWHERE --resume"
        advice = f"napari-cellinr {way} {shlex.quote(str(checkpoint.folder))}"
    elif saved := _saved(errors, options, fitted):
        advice = f"napari-cellinr render {shlex.quote(saved)} ELSEWHERE"
    else:
        return _kind(errors)(f"{text} Start the fit again with another place for its result.")
    return _kind(errors)(f"{text} The fit itself is not lost: {advice}")


def _kind(errors: Mapping[str, _Failure]) -> type[CellINRError]:
    """Return the type of the error for several: that of the first."""
    first = next(iter(errors.values()))
    if isinstance(first, MemoryError):
        return FitError
    return type(first) if isinstance(first, CellINRError) else FileError


def _saved(errors: Mapping[str, _Failure], options: Namespace, fitted: Fitted) -> str:
    """Return where the fit is saved: as requested, or else beside the jobs of the viewer.

    Empty if it cannot be saved there either.
    """
    from secrets import token_hex

    from napari_cellinr.fitting.saved.stored import save_fit
    from napari_cellinr.runs.resume import jobs_folder

    if options.save_fit is not None and options.save_fit not in errors:
        return str(options.save_fit)
    path = jobs_folder().parent / f"{place_of(options.output).name}-{token_hex(3)}.cellinr"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_fit(path, fitted)
    except _FAILURES:
        return ""
    return str(path)
