"""One damaged file, read in a process of its own that may not grow by more than 300 MB."""

import hashlib
import json
import logging
import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GROWTH = 300 * 2**20
SECONDS = 2.0
_WAIT = 30.0
"""Wall seconds after which a trial counts as hanging, on a machine that does other work, too."""


@dataclass(frozen=True)
class Trial:
    """How reading one file went.

    `kind` is `refused`, `same`, `other` (read, but other values than the sound file), or, as a
    fault, `crash`, `hang`, `memory`, or `error`, an exception that is none of ours.
    """

    kind: str
    text: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0
    digest: str = ""

    @property
    def is_fault(self) -> bool:
        return self.kind not in {"refused", "same", "other"} or self.seconds > SECONDS


def warm_up(paths: list[Path]) -> None:
    """Read sound files, so that nothing has to be imported later."""
    import dask

    dask.config.set(scheduler="synchronous")
    logging.disable(logging.WARNING)  # tifffile tells damage to our listener only by its log
    logging.disable(logging.NOTSET)
    logging.getLogger("tifffile").propagate = False
    logging.getLogger("napari_cellinr").propagate = False
    logging.getLogger("napari_cellinr").addHandler(logging.NullHandler())
    for path in paths:
        for limit in (None, 0):
            _read(path, limit)


def attempt(path: Path, digest: str = "", limit: int | None = None) -> Trial:
    """Return how reading all of a file goes, in a copy of this process.

    Parameters
    ----------
    digest
        Of the sound file, to tell `same` from `other`.
    limit
        Bytes above which arrays are lazy; what is usual if not given.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _child(path, limit, theirs)
    os.close(theirs)
    try:
        ready, _, _ = select.select([ours], [], [], _WAIT)
        with os.fdopen(ours, "rb") as pipe:
            answer = pipe.read() if ready else b""
    finally:
        if not ready:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if not ready or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return Trial("hang")
    if not answer:
        return Trial("crash", f"status {status}")
    trial = Trial(**json.loads(answer))
    return Trial(**{**vars(trial), "kind": "same"}) if trial.digest == digest != "" else trial


def digest_of(path: Path) -> str:
    """Return the digest of everything that a sound file holds."""
    return _read(path, None)


def _child(path: Path, limit: int | None, pipe: int) -> None:
    """Read, answer and end, without ever returning."""
    try:
        begin = _memory("VmSize")
        resident = _memory("VmRSS")
        resource.setrlimit(resource.RLIMIT_AS, (begin + GROWTH, begin + GROWTH))
        resource.setrlimit(resource.RLIMIT_CPU, (15, 16))
        started = time.process_time()
        answer = _outcome(path, limit)
        answer["seconds"] = time.process_time() - started
        answer["megabytes"] = max(0.0, (_memory("VmHWM") - resident) / 2**20)
        with os.fdopen(pipe, "wb") as out:
            out.write(json.dumps(answer).encode())
    finally:
        os._exit(0)


def _outcome(path: Path, limit: int | None) -> dict[str, str]:
    from napari_cellinr.errors import CellINRError

    try:
        return {"kind": "other", "digest": _read(path, limit)}
    except CellINRError as error:
        if isinstance(error.__cause__, MemoryError):
            return {"kind": "memory", "text": str(error)}
        return {"kind": "refused", "text": str(error)}
    except MemoryError:
        return {"kind": "memory", "text": traceback.format_exc()[-1500:]}
    except BaseException:
        return {"kind": "error", "text": traceback.format_exc()[-1500:]}


def _read(path: Path, limit: int | None) -> str:
    from napari_cellinr.io import read_all

    digest = hashlib.sha256()
    for image in read_all(path, lazy_above=limit):
        digest.update(f"{image.axes}{image.shape}{image.dtype}".encode())
        for part in _parts(image.data):
            digest.update(part.tobytes())
    return digest.hexdigest()


def _parts(data: Any) -> Iterator[Any]:
    """Yield an array piece by piece, so that a large one needs little memory."""
    if not hasattr(data, "blocks"):
        yield data
        return
    for block in data.blocks.ravel():
        yield block.compute()


def _memory(name: str) -> int:
    """Return a size of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0
