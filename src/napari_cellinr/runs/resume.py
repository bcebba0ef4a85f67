"""Checkpoints of runs: finds, reads and deletes them, and resumes interrupted runs."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.config.base import CHECKPOINT_SECONDS
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.checkpoint import JOB_FILE, Checkpoint
from napari_cellinr.fitting.saved.damage import explained_damage
from napari_cellinr.fitting.saved.header import check_job
from napari_cellinr.fitting.saved.stored import blank, digest, stored
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.checkpoint_folder import CheckpointFolder
from napari_cellinr.io.safety.lock import check_free, is_held
from napari_cellinr.methods import method_of_action
from napari_cellinr.runs.request import OTHER_FIT, CheckpointPlace, RunRequest
from napari_cellinr.runs.starts import Continued, New, Resumed, WarmStart, start_from

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from os import PathLike
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = [
    "Unfinished",
    "checkpoint_in",
    "discard",
    "found_checkpoint",
    "jobs_folder",
    "new_checkpoint",
    "resume",
    "unfinished",
]

SUFFIX: Final = ".cellinr-checkpoint"
"""Suffix of the folder of a checkpoint."""

_LONGEST_NAME: Final = 50
"""Largest number of characters of a name: with the suffix, at most 255 bytes in any script."""


@dataclass(frozen=True)
class Unfinished:
    """A job that was interrupted, as its checkpoint describes it.

    Parameters
    ----------
    path
        Folder of the checkpoint.
    action
        `denoise`, `superresolve` or `reconstruct`.
    settings
        Its settings, as `Config.as_dict` returns them; if a fit is continued, only `steps` counts.
    source
        Geometry and digest of the image; `name` is that of the layer or file.
    origin
        File that the image came from; empty if none.
    when
        Time of the newest checkpoint, in seconds as `time.time` counts them.
    start
        How it started; without the tensors of the other fit, if any.
    """

    path: Path
    action: str
    settings: Mapping[str, Any]
    source: Mapping[str, Any]
    origin: str
    when: float
    start: New | Continued | WarmStart


def jobs_folder() -> Path:
    """Return the folder for the checkpoints of jobs in napari, in the home folder of the user."""
    from platformdirs import user_state_path

    return user_state_path("napari-cellinr", appauthor=False) / "jobs"


def new_checkpoint(folder: Path | None = None) -> Path:
    """Return the folder for the checkpoint of a new job, in `jobs_folder` by default."""
    from secrets import token_hex

    stamp = time.strftime("%Y%m%d-%H%M%S")
    return checkpoint_in(folder or jobs_folder(), f"{stamp}-{token_hex(3)}")


def checkpoint_in(folder: str | PathLike[str], name: str) -> Path:
    """Return the folder of a checkpoint inside `folder`, such as `a.tif.cellinr-checkpoint`.

    Parameters
    ----------
    folder
        May hold other files, which are not touched.
    name
        Usually the name of the result. Characters that a file system may refuse become `_`, and
        a few hexadecimal digits are added so that different names stay different.
    """
    safe = re.sub(r"[^\w.+-]", "_", name).strip(".")[:_LONGEST_NAME]
    if safe != name:
        safe += f"-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:6]}"
    return place_of(folder) / f"{safe}{SUFFIX}"


def found_checkpoint(folder: str | PathLike[str]) -> Path:
    """Return the folder of a checkpoint: `folder` itself, or the only checkpoint inside it.

    Raises
    ------
    FileError
        If there is none, or there are several.
    """
    place = place_of(folder)
    if CheckpointFolder(place).is_one or (place / JOB_FILE).exists():
        return place
    inside = sorted(path.parent for path in place.glob(f"*/{JOB_FILE}"))
    found = [path for path in inside if CheckpointFolder(path).is_one]
    if not found:
        raise FileError(
            f"there is no checkpoint in {place}; give the folder that was printed when the job was "
            "interrupted."
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise FileError(f"{place} holds {len(found)} checkpoints; give one of them: {names}.")
    return found[0]


def resume(
    path: str | PathLike[str],
    image: Image | None = None,
    *,
    every: float = CHECKPOINT_SECONDS,
    started: float | None = None,
) -> RunRequest:
    """Return the request that resumes an interrupted run from its checkpoint.

    Parameters
    ----------
    path
        Folder of the checkpoint, or a folder that holds one checkpoint.
    image
        The image, to check that it is the same; the copy in the checkpoint if not given.
    every
        Seconds between two checkpoints.
    started
        As for `RunRequest`.

    Raises
    ------
    FileError
        If there is no checkpoint, it is damaged, of another image, or in use by a running job.
    """
    check_free(place_of(path))
    folder = found_checkpoint(path)
    check_free(folder)
    about, arrays = _read(folder)
    with _damage_of(folder):
        source = blank(about.source).like(arrays["input"])
    if image is not None and digest(image) != about.source["digest"]:
        raise FileError(
            f"the checkpoint {path} is that of another image ({about.source['name']}); give the "
            "same image, or start from scratch without the checkpoint."
        )
    method = method_of_action(about.action)
    return RunRequest(
        method,
        image or source,
        method.config.of_stored(about.settings),
        Resumed(about.start),
        CheckpointPlace(folder, every, about.origin),
        started=started,
    )


def unfinished(folder: Path | None = None) -> list[Unfinished]:
    """Return the jobs that can be resumed, the newest first.

    Jobs that are running in any process, and damaged checkpoints, are left out.

    Parameters
    ----------
    folder
        Folder of the checkpoints; `jobs_folder` if not given.
    """
    found = []
    for path in (folder or jobs_folder()).glob(f"*/{JOB_FILE}"):
        if is_held(path.parent):
            continue
        try:
            found.append(_read(path.parent, only_header=True)[0])
        except FileError:
            continue
    return sorted(found, key=lambda job: -job.when)


def discard(path: str | PathLike[str]) -> None:
    """Delete a checkpoint, if there is one and its job is not running.

    Files in its folder that it did not write stay, and then the folder stays, too.
    """
    place = place_of(path)
    if not is_held(place):
        Checkpoint(place).delete()


def _read(path: Path, *, only_header: bool = False) -> tuple[Unfinished, dict[str, NDArray[Any]]]:
    """Return the description of a checkpoint and, unless `only_header`, its arrays."""
    from napari_cellinr.io import load_fitted

    header, arrays = load_fitted(path / JOB_FILE, only_header=only_header)
    with _damage_of(path):
        when = max(file.stat().st_mtime for file in path.glob("*.cellinr"))
        check_job(header)
        facts = {key: header[key] for key in ("action", "source", "origin")}
        how = _start(header, arrays)
        job = Unfinished(path, settings=header["config"], when=when, start=how, **facts)
    return job, arrays


def _damage_of(path: Path) -> AbstractContextManager[None]:
    return explained_damage(f"the checkpoint {path} is damaged", "start from scratch.")


def _start(
    header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> New | Continued | WarmStart:
    """Return how the run of a checkpoint started."""
    if "other" not in header:
        return New()
    beginning, fit, note = header["other"]
    tensors = {
        name.removeprefix(OTHER_FIT): array
        for name, array in arrays.items()
        if name.startswith(OTHER_FIT)
    }
    return start_from(beginning, stored(fit, tensors), header["config"]["steps"], note)
