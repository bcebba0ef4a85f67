"""Hostile and damaged files.

Real files of each kind are changed - values of other types, huge and negative numbers, NaN, text
with control characters, missing and repeated keys, JSON nested 100 000 deep, arrays of other shapes
and types, cut and changed bytes - and read as a user would. Each is used or refused with one
sentence, within 2 s of CPU time and 300 MB above the idle process.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from outcome import Outcome

BENCHMARKS = Path(__file__).parents[1]
DATA = BENCHMARKS.parent / "tests" / "data" / "v0.1"
sys.path[:0] = [str(BENCHMARKS / "files")]

from harm import changes, pool  # noqa: E402  it needs the path
from mutate import mutation  # noqa: E402

from napari_cellinr import CellINRConfig, Image, NSTMConfig, SpatimeConfig, api  # noqa: E402
from napari_cellinr.acquisition import prepare  # noqa: E402
from napari_cellinr.config.optics import KINDS, optics_from_json, template  # noqa: E402
from napari_cellinr.errors import CellINRError  # noqa: E402
from napari_cellinr.fitting.problem import finish  # noqa: E402
from napari_cellinr.fitting.saved.query import Query  # noqa: E402
from napari_cellinr.fitting.saved.stored import load_fit, save_fit  # noqa: E402
from napari_cellinr.io import read_all, write  # noqa: E402
from napari_cellinr.macro import load_macro, script  # noqa: E402
from napari_cellinr.macro.plan import plan_lines, saved_files  # noqa: E402
from napari_cellinr.macro.scripts.notebook import notebook  # noqa: E402
from napari_cellinr.methods import (  # noqa: E402
    METHODS,
    geometry,
    roles_of,
)
from napari_cellinr.runs.request import CheckpointPlace, RunRequest, start  # noqa: E402
from napari_cellinr.runs.resume import discard, resume, unfinished  # noqa: E402
from napari_cellinr.runs.starts import New  # noqa: E402

RULE = "used, or refused with one sentence, within 2 s and 300 MB"

TRIES = 10_000

FEWER = {"images (`benchmarks/files` has more)": 1000}

RUNS = 4
"""Of so many changed checkpoints, the job of one is run; the others are only read."""

Attempt = Callable[[], Any]


def images() -> dict[str, Image]:
    """Return a small image of each kind that the methods take."""
    rng = np.random.default_rng(0)
    values = rng.poisson(30, (4, 12, 12)).astype(np.float32)
    length = ("micrometer",) * 3
    return {
        "denoise": Image(values[0], "YX", (0.2, 0.2), length[:2], name="plane"),
        "superresolve": Image(values, "TYX", (1, 0.2, 0.2), ("second", *length[:2]), name="movie"),
        "reconstruct": Image(values, "TYX", (1, 0.2, 0.2), ("second", *length[:2]), name="movie"),
    }


CONFIGS = {
    "denoise": CellINRConfig(steps=2, estimate="gaussian", device="cpu"),
    "superresolve": SpatimeConfig(scale={"t": 2}, steps=2, device="cpu"),
    "reconstruct": NSTMConfig(steps=2, device="cpu"),
}


def fits(folder: Path) -> list[Path]:
    """Return saved fits of every method, by this version and by version 0.1."""
    found = sorted((DATA / "fits").glob("*.cellinr"))
    for method in METHODS.values():
        image, config = images()[method.action], CONFIGS[method.action]
        found.append(folder / f"{method.action}.cellinr")
        save_fit(found[-1], finish(start(RunRequest(method, image, config, New()))))
    return found


def use_fit(path: Path) -> None:
    """Read a saved fit and render it, as the viewer and `render` do."""
    fit = load_fit(path)
    roles_of(fit)
    geometry(fit, Query())
    for image in api.render(fit, device="cpu"):
        image.array()


def changed_fits(folder: Path) -> Callable[[np.random.Generator], Attempt]:
    contents = [path.read_bytes() for path in fits(folder)]

    def case(rng: np.random.Generator) -> Attempt:
        path = own(folder) / "changed.cellinr"
        path.write_bytes(changes.changed_fit(contents[rng.integers(len(contents))], rng))
        return partial(use_fit, path)

    return case


def use_macro(path: Path) -> None:
    """Read a macro, list what it would do, and make scripts of it."""
    macro = load_macro(path)
    list(plan_lines(macro, saved_files(macro, "."), "."))
    for kind in ("console", "headless", "cli"):
        script(macro, kind)
    notebook(macro)


def changed_macros(folder: Path) -> Callable[[np.random.Generator], Attempt]:
    import script_text

    recipes = [json.loads(path.read_text()) for path in (DATA / "macros").glob("*.json")]
    recipes.append(script_text.recipe())
    scripts = [path.read_text() for path in (DATA / "macros").glob("*.py")]

    def case(rng: np.random.Generator) -> Attempt:
        if rng.integers(3):
            path = own(folder) / "changed.json"
            values = recipes[rng.integers(len(recipes))]
            text = changes.changed_json(values, rng).encode()
            text = mutation(text, rng) if rng.integers(10) == 0 else text
        else:
            path = own(folder) / "changed.py"
            text = changes.changed_script(scripts[rng.integers(len(scripts))], rng).encode()
        path.write_bytes(text)
        return partial(use_macro, path)

    return case


AXES = {"TYX": (6, 12, 12), "TZYX": (2, 3, 12, 12), "ZYX": (30, 12, 12), "CTYX": (1, 6, 12, 12)}


def recordings() -> list[Image]:
    """Return a small recording with each of some axes."""
    rng = np.random.default_rng(1)
    units = {"T": "second", "C": ""}
    return [
        Image(
            rng.poisson(30, shape).astype(np.float32), axes,
            tuple(1.0 if axis in "TC" else 0.2 for axis in axes),
            tuple(units.get(axis, "micrometer") for axis in axes),
        )
        for axes, shape in AXES.items()
    ]  # fmt: skip


def use_optics(text: str, image: Image) -> None:
    """Read the settings of a microscope, and prepare a recording with them."""
    optics = optics_from_json(text)
    NSTMConfig(optics=optics)
    prepare(image, optics)


def changed_optics(folder: Path) -> Callable[[np.random.Generator], Attempt]:
    settings = [json.loads(template(kind)) for kind in KINDS]
    given = recordings()
    point = folder / "psf.tif"
    write(point, Image(np.exp(-np.hypot(*np.mgrid[-4:5, -4:5])).astype(np.float32), "YX"))
    content = point.read_bytes()

    def case(rng: np.random.Generator) -> Attempt:
        values = {**settings[rng.integers(len(settings))]}
        values.pop("_help")
        if "psf" in values:
            values["psf"] = str(own(folder) / "changed.tif")
            is_changed = rng.integers(3) > 0
            Path(values["psf"]).write_bytes(mutation(content, rng) if is_changed else content)
        text = changes.changed_json(values, rng)
        return partial(use_optics, text, given[rng.integers(len(given))])

    return case


def checkpoints(folder: Path) -> list[Path]:
    """Return checkpoints of every method, by this version and by version 0.1."""
    found = [path for path in sorted((DATA / "checkpoints").iterdir()) if "paper" not in path.name]
    for method in METHODS.values():
        image, config = images()[method.action], CONFIGS[method.action]
        place = folder / "live" / method.action
        job = start(RunRequest(method, image, config, New(), CheckpointPlace(place, 0, "")))
        for _ in job:
            if len(list(place.glob("*.cellinr"))) > 1:
                break
        if place.exists():
            found.append(folder / f"{method.action}.cellinr-checkpoint")
            shutil.copytree(place, found[-1])
        job.close()
    return found


def use_checkpoint(path: Path, runs: bool) -> None:
    """Find a checkpoint, resume its job, and delete it."""
    unfinished(path.parent)
    try:
        job = start(resume(path))
        if runs:  # until it has taken what is stored, and computes again
            next(job)
            with contextlib.suppress(StopIteration):
                while True:
                    job.send("stop")
    finally:
        discard(path)


def changed_checkpoints(folder: Path) -> Callable[[np.random.Generator], Attempt]:
    sound = checkpoints(folder)

    def case(rng: np.random.Generator) -> Attempt:
        place = own(folder) / "jobs" / "changed.cellinr-checkpoint"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(sound[rng.integers(len(sound))], place)
        parts = sorted(path for path in place.iterdir())
        part = parts[rng.integers(len(parts))]
        if rng.integers(12) == 0:
            part.unlink()
        elif part.suffix == ".cellinr" and rng.integers(8):
            part.write_bytes(changes.changed_fit(part.read_bytes(), rng))
        else:
            part.write_bytes(mutation(part.read_bytes(), rng))
        return partial(use_checkpoint, place, rng.integers(RUNS) == 0)

    return case


def changed_images(folder: Path) -> Callable[[np.random.Generator], Attempt]:
    """Return images of all formats with changed bytes; `benchmarks/files/fuzz.py` tries more."""
    import fuzz
    import seeds

    sound = seeds.make(folder / "sound")

    def case(rng: np.random.Generator) -> Attempt:
        path, change = next(fuzz.mutations(sound, 1, int(rng.integers(2**31))))
        place = fuzz.damaged(own(folder), path, change)
        return partial(use_image, place)

    return case


def use_image(path: Path) -> None:
    """Read all of an image file."""
    for image in read_all(path):
        image.array()


def own(folder: Path) -> Path:
    """Return a folder of this process alone."""
    import os

    place = folder / f"process-{os.getpid()}"
    place.mkdir(exist_ok=True)
    return place


KINDS_OF_FILES = {
    "saved fits (.cellinr)": changed_fits,
    "macros and recipes": changed_macros,
    "settings and images of optics": changed_optics,
    "checkpoints": changed_checkpoints,
    "images (`benchmarks/files` has more)": changed_images,
}


def run(tries: int | None, seed: int) -> list[Outcome]:
    """Return what was found in so many changed files of each kind, by default 10 000."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        return [
            outcome(kind, case, tries or FEWER.get(kind, TRIES), seed, Path(name) / str(number))
            for number, (kind, case) in enumerate(KINDS_OF_FILES.items())
        ]


def outcome(
    kind: str,
    changed: Callable[[Path], Callable[[np.random.Generator], Attempt]],
    tries: int,
    seed: int,
    folder: Path,
    rule: str = RULE,
) -> Outcome:
    """Return what was found in changed files of one kind; faults are printed."""
    folder.mkdir(parents=True)
    case = changed(folder)
    for number in range(10):  # imports what is needed
        with contextlib.suppress(CellINRError):
            case(np.random.default_rng([seed, number, 1]))()
    counts, seconds, megabytes = {"refused": 0, "other": 0}, 0.0, 0.0
    lost = 0
    for trial in pool.trials(case, tries, seed):
        counts[trial.kind] = counts.get(trial.kind, 0) + 1
        seconds, megabytes = max(seconds, trial.seconds), max(megabytes, trial.megabytes)
        if trial.is_fault or trial.megabytes > 300:
            lost += 1
            if lost <= 20:
                cost = f"{trial.seconds:.1f} s, {trial.megabytes:.0f} MB"
                print(f"{kind}: {trial.kind}, {cost}: {trial.text[-700:]}", flush=True)
    measured = (
        f"{counts['refused']} refused, {counts['other']} used; at most {seconds:.2f} s and "
        f"{megabytes:.0f} MB"
    )
    return Outcome(f"changed {kind}", tries, lost, rule, measured)
