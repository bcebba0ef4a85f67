"""Makes the plan of a run: measures a sample, and divides the recording into parts."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.saved.stored import geometry
from napari_cellinr.io.names import place_of, without_secrets
from napari_cellinr.io.zarr.missing import missing_chunks
from napari_cellinr.runs.scale.changes import stamp_of
from napari_cellinr.runs.scale.methods import method_in_parts
from napari_cellinr.runs.scale.methods.results import result_of
from napari_cellinr.runs.scale.plan import Plan
from napari_cellinr.runs.scale.seams import n_kept
from napari_cellinr.runs.scale.source import digest, frame_shape, recording, with_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.config import Config
    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.plan import Part
    from napari_cellinr.runs.scale.source import Source

__all__ = ["check_space", "make_plan"]

SHARE: Final = 0.7
"""Part of the free memory that is used by the parts that are computed at the same time."""

PYRAMID: Final = 4 / 3
"""Size of all levels relative to that of the first one."""


def make_plan(
    action: str,
    source: Source,
    config: Config,
    outputs: Mapping[str, str],
    memory: float,
    workers: int = 1,
    image: Image | None = None,
) -> Plan:
    """Return the plan of a run in parts.

    Noise, grain, pattern of the camera, structure, width and levels of the background are measured
    once, on a sample that is read lazily; all parts use the same values.

    Parameters
    ----------
    action
        Such as `denoise`.
    source
        The recording.
    config
        The settings.
    outputs
        Path of the OME-Zarr for each role.
    memory
        Free memory in bytes of the computer that computes the parts.
    workers
        Number of parts that are computed there at the same time.
    image
        The recording, if it is in no file; lazy if it is large.

    Raises
    ------
    CellINRError
        If the run cannot be done in parts, or the recording cannot be read.
    """
    if without_secrets(source.path) != source.path:
        raise ConfigError(
            f"the address {without_secrets(source.path)} was given with a user, a password or "
            "parameters, which would be written into the plan; leave them out, and give them to "
            "fsspec by its variables or its file, such as FSSPEC_HTTPS."
        )
    method = method_in_parts(action)
    if image is None:
        found, known = recording(source)
    else:
        found = image.canonical()
        known = digest(found)
    stamp = stamp_of(source, found)  # before anything is measured
    result, series = result_of(found, config), with_time(found)
    # A plan does not depend on the time limit, so that neither does a result after --resume.
    channels, texts = method.measured(series, config.replace(max_seconds=None))
    parts, needed = method.layout(series, config, channels, SHARE * memory / workers)
    texts += missing_chunks(source.path, source.level) if source.path else []
    plan = Plan(
        action=action,
        source=source,
        digest=known,
        settings=config.changes(),
        channels=tuple(channels),
        outputs={role: str(place_of(path).resolve()) for role, path in outputs.items()},
        result=geometry(result),
        parts=tuple(parts),
        seconds=0.0,
        memory=needed,
        warnings=tuple(texts),
        stamp=stamp,
    )
    return replace(plan, seconds=_seconds(plan.of_parts, series))


def check_space(plan: Plan) -> str:
    """Return a warning if the results may not fit on the disk; otherwise an empty text."""
    space = frame_shape(plan.image)
    edges = sum(n_kept(part, space) for part in plan.parts if part.is_tile)
    size = 4 * (PYRAMID * math.prod(plan.result["shape"]) + edges) * len(plan.outputs)
    folder = plan.places[0].parent
    free = shutil.disk_usage(folder).free
    if size <= free:
        return ""
    return (
        f"the result may need up to {size / 1e9:.3g} GB in {folder}, before compression; "
        f"{free / 1e9:.3g} GB are free. Make room there, or choose another place."
    )


def _seconds(plan: Plan, image: Image) -> float:
    """Return the estimated seconds of the largest part on one core."""
    largest, method = max(plan.parts, key=_voxels), method_in_parts(plan.action)
    ranges = dict(zip("ZYX"[-len(largest.wide) :], largest.wide, strict=True))
    block = image.crop(T=(0, len(method.frames(plan, largest))), **ranges)
    return method.seconds(block.take("C", 0) if "C" in block.axes else block, plan, largest)


def _voxels(part: Part) -> int:
    size = math.prod(end - first for first, end in part.wide)
    return size * (part.near[1] - part.near[0])
