"""Results on disk, so that a stopped benchmark goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.runs import Run, code_files, digest, digest_of, stored_run
from data import ROOT, Case

from napari_cellinr.classic.camera.noise import estimate_noise

if TYPE_CHECKING:
    from catalogue import Method

    from napari_cellinr.classic.camera.anscombe import Noise

BUILD = ROOT / "build" / "denoise"
HERE = Path(__file__).parent
PACKAGE = ROOT / "src" / "napari_cellinr"
_OURS = tuple(f"{name}/**/*.py" for name in ("classic", "config", "fields", "fitting", "methods"))
_PEERS = ("classic/camera/anscombe.py", "classic/background.py")


@cache
def noise_of(case: Case) -> Noise:
    """Return the noise as the plugin estimates it; the same for every method."""
    return estimate_noise(case.raw)


def run_path(case: Case, method: Method, settings: dict[str, Any]) -> Path:
    """Return where the run is kept, without suffix: a name made of all that it depends on."""
    facts = [settings, case.raw.shape, case.scale, _code(method.module)]
    if method.environment == "peers" or method.module == "peers_classic":
        facts.append(asdict(noise_of(case)))
    state = digest(case.raw.tobytes(), json.dumps(facts, sort_keys=True).encode())
    return BUILD / "runs" / case.name / f"{method.name}-{state}"


def find_run(case: Case, method: Method, settings: dict[str, Any]) -> Run | None:
    """Return a finished run, or None."""
    return stored_run(run_path(case, method, settings))


@cache
def _code(module: str) -> str:
    """Return a digest of the code that a method consists of."""
    patterns = _OURS if module == "ours" else _PEERS
    return digest_of([HERE / f"{module}.py", *code_files(PACKAGE, patterns)])


def find_runs(case: Case, method: Method, candidates: list[dict[str, Any]]) -> list[Run | None]:
    """Return the finished runs with all these settings, None where there is none."""
    return [find_run(case, method, settings) for settings in candidates]
