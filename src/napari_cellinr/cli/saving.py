"""What a fit leaves on the disk: the result, the background, the fitted field and a report."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.fit import Fitted

__all__ = ["check_outputs", "save"]

_IMAGES = ("output", "background_output")
_OTHERS = ("save_model", "report")


def check_outputs(options: Namespace) -> None:
    """Raise `FileError` now if something could not be written in the end."""
    from napari_cellinr.io import SUFFIXES, check_writable

    taken = {Path(options.input).expanduser().resolve()}
    for flag in (*_IMAGES, *_OTHERS):
        name = getattr(options, flag)
        if name is None:
            continue
        place = Path(name).expanduser().resolve()
        if place in taken:
            raise FileError(f"{name} was given twice; give every file a name of its own.")
        taken.add(place)
        check_writable(name, SUFFIXES if flag in _IMAGES else ())


def save(options: Namespace, fitted: Fitted) -> None:
    """Write the result, and what else was asked for; each file complete or not at all."""
    from napari_cellinr.io import save_fitted, write
    from napari_cellinr.io.atomic import replacing

    write(options.output, fitted.images[0])
    if options.background_output is not None:
        write(options.background_output, fitted.images[1])
    if options.save_model is not None:
        save_fitted(options.save_model, header=_header(fitted), tensors=fitted.state)
    if options.report is not None:
        seconds = round(time.monotonic() - options.started, 3)
        report = {**fitted.report, "seconds": seconds, "stopped": fitted.stopped}
        with replacing(Path(options.report).expanduser(), ".json") as path:
            path.write_text(_json(report), encoding="utf-8")


def _header(fitted: Fitted) -> dict[str, Any]:
    """Return what is needed beside the tensors to know what they are."""
    image = fitted.images[0]
    keys = ("axes", "shape", "scale", "units", "translate", "name")
    header = {
        "method": "cellinr",
        "config": fitted.config.as_dict(),
        "image": {key: getattr(image, key) for key in keys},
        "history": [dict(row) for row in fitted.history],
        "stopped": fitted.stopped,
        "report": dict(fitted.report),
    }
    plain: dict[str, Any] = _plain(header)
    return plain


def _json(values: dict[str, Any]) -> str:
    return json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Return `value` with null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
