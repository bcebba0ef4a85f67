"""Jobs that can go on after a crash or a stop, from their checkpoint."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import FileError
from napari_cellinr.fitting.checkpoint import EVERY, JOB_FILE, Keeper, keeping
from napari_cellinr.fitting.stored import Stored, blank, digest, geometry, plain, stored
from napari_cellinr.io.safety.checkpoint_folder import CheckpointFolder
from napari_cellinr.io.safety.lock import check_free, is_held
from napari_cellinr.methods import method_of_action
from napari_cellinr.runs.warm_start import begun_with, job_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from numpy.typing import NDArray

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Job
    from napari_cellinr.image import Image
    from napari_cellinr.runs.warm_start import Beginning, MakeJob

__all__ = [
    "Other",
    "Unfinished",
    "check_new",
    "checkpoint_in",
    "checkpointed",
    "discard",
    "found_checkpoint",
    "jobs_folder",
    "new_checkpoint",
    "resumed",
    "unfinished",
]


SUFFIX: Final = ".cellinr-checkpoint"
"""End of the name of the folder of a checkpoint."""

_LONGEST_NAME: Final = 50
"""Characters of a name that are kept: with the suffix, 255 bytes are enough in any script."""

_OTHER = "other."
"""Begins the names of the tensors of a fit that a job begins with."""


@dataclass(frozen=True)
class Other:
    """The fit that a job begins with; its checkpoint holds all of it, so that the file may go.

    Parameters
    ----------
    beginning
        How.
    fit
        The fit.
    note
        What the caller wants to know of it when the job goes on, ready for JSON.
    """

    beginning: Beginning
    fit: Stored
    note: Mapping[str, str] = field(default_factory=dict)


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
        Its settings, as `Config.as_dict` gives them; of a fit that is continued, only `steps`
        counts.
    source
        Geometry and digest of the image; `name` is that of the layer or file.
    origin
        File that the image came from; empty if none.
    when
        Time of the newest checkpoint, in seconds as `time.time` counts them.
    other
        The fit that it begins with, if with one; its tensors may be left out.
    """

    path: Path
    action: str
    settings: Mapping[str, Any]
    source: Mapping[str, Any]
    origin: str
    when: float
    other: Other | None = None


def jobs_folder() -> Path:
    """Return the folder of the user for checkpoints of jobs in a viewer."""
    from platformdirs import user_state_path

    return user_state_path("napari-cellinr", appauthor=False) / "jobs"


def new_checkpoint(folder: Path | None = None) -> Path:
    """Return a name for the checkpoint of a new job, in the folder of the user if none is given."""
    from secrets import token_hex

    stamp = time.strftime("%Y%m%d-%H%M%S")
    return checkpoint_in(folder or jobs_folder(), f"{stamp}-{token_hex(3)}")


def checkpoint_in(folder: str | PathLike[str], name: str) -> Path:
    """Return the folder of a checkpoint inside a given one, such as `a.tif.cellinr-checkpoint`.

    Parameters
    ----------
    folder
        May hold anything else, which is left alone.
    name
        Of the result, or anything. Characters that a file system may refuse become `_`; a few
        hexadecimal digits then tell names apart that would be the same.
    """
    safe = re.sub(r"[^\w.+-]", "_", name).strip(".")[:_LONGEST_NAME]
    if safe != name:
        safe += f"-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:6]}"
    return Path(folder).expanduser() / f"{safe}{SUFFIX}"


def found_checkpoint(folder: str | PathLike[str]) -> Path:
    """Return the folder of the checkpoint that is meant: a folder itself, or the one inside it.

    Raises
    ------
    FileError
        If there is none, or there are several.
    """
    place = Path(folder).expanduser()
    if CheckpointFolder(place).is_one or (place / JOB_FILE).exists():
        return place
    inside = sorted(path.parent for path in place.glob(f"*/{JOB_FILE}"))
    found = [path for path in inside if CheckpointFolder(path).is_one]
    if not found:
        raise FileError(
            f"{place} was given; there is no checkpoint. Give the folder that was named when the "
            "job was interrupted."
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise FileError(f"{place} holds {len(found)} checkpoints; give one of them: {names}.")
    return found[0]


def checkpointed(
    action: str,
    image: Image,
    config: Config,
    folder: str | PathLike[str],
    *,
    every: float = EVERY,
    origin: str = "",
    started: float | None = None,
    make: MakeJob | None = None,
    other: Other | None = None,
) -> Job:
    """Return a fit as a job that stores what it has reached, and what is needed to go on.

    The checkpoint is deleted when the job ends. It stays if the job was stopped or given up, or
    if the program crashed; `resumed` goes on with it, `discard` deletes it. Only files that the
    checkpoint wrote are deleted, and its folder only if nothing else is in it.

    Parameters
    ----------
    action
        `denoise`, `superresolve` or `reconstruct`.
    image, config, started
        As for `api.iter_denoise`.
    folder
        Where to store: a folder of the checkpoint's own, as from `checkpoint_in`; made after
        `every` seconds.
    every
        Seconds between two checkpoints.
    origin
        File that the image came from.
    make
        As for `runs.warm_start.begun_with`.
    other
        The fit that it begins with, as for `runs.warm_start.begun_with`.

    Raises
    ------
    ConfigError
        If it cannot begin with that fit.
    FileError
        If there is a checkpoint in the folder already, of a fit that runs or was interrupted, or
        the folder holds anything else.
    """
    place = Path(folder).expanduser()
    check_new(place)
    files = CheckpointFolder(place)
    files.check_usable(new=True)
    files.discard()  # what is left of a checkpoint that ended before it could be resumed
    keeper = _keeper(action, image, config, place, every, origin, other)
    return _job(action, image, config, keeper, started, make, other)


def check_new(place: Path) -> None:
    """Check that a folder is no checkpoint that somebody needs.

    Raises
    ------
    FileError
        If it is that of a fit that runs or was interrupted.
    """
    check_free(place)
    if (place / JOB_FILE).exists():
        raise FileError(
            f"{place} holds a fit that was interrupted; go on with it (--resume {place}), or "
            "delete the folder."
        )


def _job(
    action: str,
    image: Image,
    config: Config,
    keeper: Keeper,
    started: float | None,
    make: MakeJob | None,
    other: Other | None,
) -> Job:
    """Return a job, which may begin with another fit; its checkpoint is held while it runs."""
    if other is not None:
        return begun_with(
            other.beginning, other.fit, image, config, keeper=keeper, started=started, make=make
        )
    return keeping(job_of(make, action, image, config, started), keeper)


def _keeper(
    action: str,
    image: Image,
    config: Config,
    place: Path,
    every: float,
    origin: str,
    other: Other | None,
) -> Keeper:
    """Return a checkpoint that says what its job is."""

    def describe() -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        about: dict[str, Any] = {
            "action": action,
            "config": config.as_dict(),
            "source": {**geometry(image), "digest": digest(image)},
            "origin": origin,
        }
        tensors = {"input": image.array()}
        if other is not None:
            about["other"] = [other.beginning, other.fit.header, other.note]
            tensors |= {f"{_OTHER}{name}": array for name, array in other.fit.tensors.items()}
        return plain(about), tensors

    return Keeper(place, describe, every=every)


def resumed(
    path: str | PathLike[str],
    image: Image | None = None,
    *,
    every: float = EVERY,
    started: float | None = None,
    make: MakeJob | None = None,
) -> Job:
    """Return an interrupted job as one that goes on where its checkpoint was written.

    On the CPU, the result is that of a job without interruption, bit for bit, unless a time
    limit ended it: that counts anew.

    Parameters
    ----------
    path
        Folder of the checkpoint, or one that holds no other.
    image
        The image again, to be checked; the one that the checkpoint holds if not given.
    every
        Seconds between two checkpoints.
    started
        As for `api.iter_denoise`.
    make
        As for `runs.warm_start.begun_with`.

    Raises
    ------
    FileError
        If there is no such checkpoint, it is damaged, or that of another image, or its fit runs.
    """
    check_free(Path(path).expanduser())
    place = found_checkpoint(path)
    check_free(place)
    about, arrays = _read(place)
    source = blank(about.source).like(arrays["input"])
    if image is not None and digest(image) != about.source["digest"]:
        raise FileError(
            f"the checkpoint {path} is that of another image ({about.source['name']}); give the "
            "same image, or start anew without the checkpoint."
        )
    config = method_of_action(about.action).config(**about.settings)
    given, other = image or source, about.other
    keeper = _keeper(about.action, given, config, place, every, about.origin, other)
    return _job(about.action, given, config, keeper, started, make, other)


def unfinished(folder: Path | None = None) -> list[Unfinished]:
    """Return the jobs that can be resumed, the newest first.

    Those that run, in whatever process, are left out, and so are damaged ones.

    Parameters
    ----------
    folder
        Where to look; the folder of the user if not given.
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
    """Delete a checkpoint; nothing happens if there is none, or its job runs.

    Files in its folder that it did not write stay, and then the folder, too.
    """
    place = Path(path).expanduser()
    if not is_held(place):
        Keeper(place).discard()


def _read(path: Path, *, only_header: bool = False) -> tuple[Unfinished, dict[str, NDArray[Any]]]:
    """Return what a checkpoint says, and its arrays, which may be large, unless left out."""
    from napari_cellinr.io import load_fitted

    header, arrays = load_fitted(path / JOB_FILE, only_header=only_header)
    try:
        when = max(file.stat().st_mtime for file in path.glob("*.cellinr"))
        facts = {key: header[key] for key in ("action", "source", "origin")}
        other = _other(header, arrays)
        job = Unfinished(path, settings=header["config"], when=when, other=other, **facts)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise FileError(f"the checkpoint {path} is damaged ({error}); start anew.") from None
    return job, arrays


def _other(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Other | None:
    """Return the fit that the job of a checkpoint begins with, or None."""
    if "other" not in header:
        return None
    beginning, fit, note = header["other"]
    tensors = {
        name.removeprefix(_OTHER): array
        for name, array in arrays.items()
        if name.startswith(_OTHER)
    }
    return Other(beginning, stored(fit, tensors), note)
