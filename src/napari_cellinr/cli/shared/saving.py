"""Writes the files of a fit: images, saved fit and report."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.overwrite import check_overwrite
from napari_cellinr.cli.shared.progress import say_warning
from napari_cellinr.io.names import place_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from napari_cellinr.fitting.problem import Fitted

__all__ = ["check_outputs", "save"]

_OTHERS = ("save_fit", "report")
_IMAGES = ("conventional",)


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
    check_overwrite(options, names.values(), (options.input, getattr(options, "seeds", None)))
    for flag, name in names.items():
        if name is not None:
            check_writable(name, SUFFIXES if flag in {*images, *_IMAGES} else ())


def save(options: Namespace, fitted: Fitted, outputs: Mapping[str, str]) -> None:
    """Write the result and the other requested files; each file is complete or not written.

    Parameters
    ----------
    options
        The parsed command line.
    fitted
        The fit.
    outputs
        Role of each image by the name of the option that holds its path.

    Raises
    ------
    FileError
        If a file cannot be written.
    """
    from napari_cellinr.fitting.stored import header_of, plain
    from napari_cellinr.io import save_fitted, write
    from napari_cellinr.io.safety.atomic import replacing

    for flag, role in outputs.items():
        if getattr(options, flag) is None:
            continue
        if role not in fitted.roles:
            say_warning(f"{getattr(options, flag)} was not written: this result has no {role}.")
            continue
        write(getattr(options, flag), fitted.image(role))
    if options.save_fit is not None:
        save_fitted(options.save_fit, header=header_of(fitted), tensors=fitted.state)
    if options.report is not None:
        seconds = round(time.monotonic() - options.started, 3)
        report = plain({**fitted.report, "seconds": seconds, "stopped": fitted.stopped})
        text = json.dumps(report, indent=2, allow_nan=False) + "\n"
        with replacing(place_of(options.report), ".json") as path:
            path.write_text(text, encoding="utf-8")
