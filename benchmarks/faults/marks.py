"""Marks of batches, lock files and lists of checkpoints that are damaged or planted.

Each is a real file of ours with changed values or bytes. What it says is used or not, within 2 s of
CPU time and 300 MB; no file that we did not write is changed or deleted, and nothing is written
outside of the folder of the results.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1] / "files")]

from harm import changes  # noqa: E402  it needs the path
from hostile import Attempt, outcome, own  # noqa: E402
from mutate import mutation  # noqa: E402

from napari_cellinr import Image, write  # noqa: E402
from napari_cellinr.errors import FileError  # noqa: E402
from napari_cellinr.io import save_fitted  # noqa: E402
from napari_cellinr.io.safety import lock  # noqa: E402
from napari_cellinr.io.safety.checkpoint_folder import IDENTITY, CheckpointFolder  # noqa: E402
from napari_cellinr.io.safety.manifest import MANIFEST_FILE  # noqa: E402
from napari_cellinr.macro import Macro, Source, Step  # noqa: E402
from napari_cellinr.macro.batch.items import Item  # noqa: E402
from napari_cellinr.macro.batch.marks import MARKS, is_current, stamp_of, write_mark  # noqa: E402
from napari_cellinr.macro.batch.run import iter_batch  # noqa: E402
from napari_cellinr.macro.batch.targets import targets_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from outcome import Outcome

TRIES = 10_000

RULE = "used or not; no other file is touched, nothing written elsewhere; within 2 s and 300 MB"

PLACES = ("../elsewhere", "/tmp/elsewhere", "a/b", "..", ".", "", "summary.csv", "a\x00b", "a\nb")
"""Names that lead out of a folder, or are no names."""

OTHERS = ("notes.txt", "mine.cellinr", ".hidden")
"""Files of somebody else in the folder of a checkpoint."""


def changed_text(content: bytes, rng: np.random.Generator) -> bytes:
    """Return JSON with changed values, among them names that lead elsewhere, or changed bytes."""
    kind = rng.integers(3)
    if kind == 0:
        return mutation(content, rng)
    if kind == 1:
        return changes.changed_json(json.loads(content), rng).encode("utf-8", "surrogatepass")
    values = json.loads(content)
    keys = list(values) if isinstance(values, dict) else list(range(len(values)))
    values[keys[rng.integers(len(keys))]] = PLACES[rng.integers(len(PLACES))]
    return json.dumps(values).encode()


def contents(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files in a folder, by path."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed_marks(folder: Path) -> Callable[[np.random.Generator], Attempt]:
    """Return batches that find a changed mark of one of their images."""
    from napari_cellinr.fitting.problem import finish

    steps = Step("denoise", (Source("a"),), {"estimate": "gaussian", "steps": 1}, ("a denoised",))
    save = Step("save", (Source("a denoised"),), {"path": "clean.tif"})
    folder.mkdir(parents=True, exist_ok=True)
    source = write(folder / "a.tif", Image(np.eye(12, dtype=np.float32), "YX"))
    macro, item, out = Macro((steps, save)), Item(source), folder / "out"
    finish(iter_batch(macro, [item], out))
    (mark,) = (out / MARKS).glob("*.json")
    content, stamp = mark.read_bytes(), stamp_of(source)
    key = json.loads(content)["key"]

    def use(place: Path) -> None:
        (target,) = targets_of(macro, [item], place)
        assert target.folder.resolve().is_relative_to(place.resolve()), target.folder
        assert target.folder.resolve() != place.resolve(), target.folder
        if is_current(target.mark, macro, item, stamp):
            assert target.mark.key == key
        others = contents(place / MARKS)
        write_mark(target.place, target.mark)
        assert set(others) <= set(contents(place / MARKS)), "a mark is gone"

    def case(rng: np.random.Generator) -> Attempt:
        place = own(folder) / "results"
        shutil.rmtree(place, ignore_errors=True)
        (place / MARKS).mkdir(parents=True)
        (place / MARKS / mark.name).write_bytes(changed_text(content, rng))
        return partial(use, place)

    return case


def changed_locks(folder: Path) -> Callable[[np.random.Generator], Attempt]:
    """Return folders with a changed lock file, in which this process wants to work."""
    sound = [
        json.dumps({"pid": 2**22 + 7, "started": 1.0, "computer": computer}).encode()
        for computer in ("elsewhere", platform.node())
    ]

    def use(place: Path) -> None:
        path = place / lock.HOLDER_FILE
        before, ours = path.read_bytes(), lock.is_holder_file(path)
        try:
            lock.hold(place)
        finally:
            lock.release(place)
            assert ours or path.read_bytes() == before, "a file that is no lock was changed"

    def case(rng: np.random.Generator) -> Attempt:
        place = own(folder) / "held"
        place.mkdir(exist_ok=True)
        (place / lock.HOLDER_FILE).write_bytes(changed_text(sound[rng.integers(2)], rng))
        return partial(use, place)

    return case


def changed_manifests(folder: Path) -> Callable[[np.random.Generator], Attempt]:
    """Return checkpoints beside files of somebody else, which a changed manifest may name."""
    folder.mkdir(parents=True, exist_ok=True)
    sound = folder / "sound"
    checkpoint = CheckpointFolder(sound)
    checkpoint.claim()
    for name in ("job", "steps.0"):
        header = {IDENTITY: checkpoint.identity, "action": "denoise", "source": {}}
        save_fitted(checkpoint.place_for(name), header=header, tensors={"a": np.zeros(3)})
    for name in OTHERS:
        (sound / name).write_text("somebody else's")
    save_fitted(sound / "fit.cellinr", header={"method": "cellinr", "report": {}}, tensors={})
    outside = folder / "elsewhere.cellinr"
    save_fitted(outside, header={IDENTITY: checkpoint.identity}, tensors={})
    lines = [line for line in (sound / MANIFEST_FILE).read_bytes().splitlines() if line]
    names = [*OTHERS, "fit.cellinr", "../elsewhere.cellinr", f"{outside}", "..", *PLACES]

    def use(place: Path) -> None:
        others = {name: (place / name).read_bytes() for name in (*OTHERS, "fit.cellinr")}
        kept = outside.read_bytes()
        found = CheckpointFolder(place)
        try:
            found.check_usable(new=False)
            for name in found.names:
                found.find(name)
        finally:
            with contextlib.suppress(FileError):
                found.discard()
            for name, content in others.items():
                assert (place / name).read_bytes() == content, f"{name} was changed"
            assert outside.read_bytes() == kept

    def case(rng: np.random.Generator) -> Attempt:
        place = own(folder) / "checkpoint"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(sound, place)
        changed: list[bytes] = [*lines]
        if rng.integers(2):
            number = rng.integers(len(changed))
            changed[number] = changed_text(lines[number], rng)
        for _ in range(rng.integers(3)):
            pair: list[Any] = ["steps.1", names[rng.integers(len(names))]]
            changed.insert(rng.integers(len(changed) + 1), json.dumps(pair).encode())
        text = b"\n".join(changed) + b"\n"
        (place / MANIFEST_FILE).write_bytes(mutation(text, rng) if rng.integers(4) == 0 else text)
        if rng.integers(10) == 0:
            (place / MANIFEST_FILE).unlink()
            (place / MANIFEST_FILE).symlink_to(sound / MANIFEST_FILE)
        return partial(use, place)

    return case


KINDS_OF_FILES = {
    "marks of batches (.done)": changed_marks,
    "lock files of checkpoints": changed_locks,
    "lists of the files of checkpoints": changed_manifests,
}


def run(tries: int | None, seed: int) -> list[Outcome]:
    """Return what was found in so many changed files of each kind, by default 10 000."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        return [
            outcome(kind, case, tries or TRIES, seed, Path(name) / f"{number}", RULE)
            for number, (kind, case) in enumerate(KINDS_OF_FILES.items())
        ]
