"""Results on disk, so that a stopped benchmark goes on where it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from data import ROOT, Case

from napari_cellinr.classic.noise import estimate_noise

if TYPE_CHECKING:
    from catalogue import Method

    from napari_cellinr.classic.anscombe import Noise

BUILD = ROOT / "build" / "denoise"
HERE = Path(__file__).parent
PACKAGE = ROOT / "src" / "napari_cellinr"

_CLASSIC = ("anscombe", "background", "estimate", "features", "groups", "noise", "structure")
_METHODS = ("cellinr", "kernels", "sample", "start")


@dataclass(frozen=True)
class Run:
    """What one method made of one image, and what it cost.

    Parameters
    ----------
    arrays
        File with the results by name: `kept`, `clean` and others.
    record
        Settings, seconds, memory and whatever else the method reports.
    """

    arrays: Path
    record: dict[str, Any]

    def load(self, name: str) -> np.ndarray | None:
        """Return one result as float32, or None if the method does not make it."""
        with np.load(self.arrays) as stored:
            return stored[name].astype(np.float32) if name in stored else None


@cache
def noise_of(case: Case) -> Noise:
    """Return the noise as the plugin estimates it; the same for every method."""
    return estimate_noise(case.raw)


def run_path(case: Case, method: Method, settings: dict[str, Any]) -> Path:
    """Return where the run is kept, without suffix: a name made of all that it depends on."""
    digest = hashlib.sha1(case.raw.tobytes(), usedforsecurity=False)
    facts = [settings, case.raw.shape, case.scale, _code(method.module)]
    if method.environment == "peers" or method.module == "peers_classic":
        facts.append(asdict(noise_of(case)))
    digest.update(json.dumps(facts, sort_keys=True).encode())
    return BUILD / "runs" / case.name / f"{method.name}-{digest.hexdigest()[:12]}"


def find_run(case: Case, method: Method, settings: dict[str, Any]) -> Run | None:
    """Return a finished run, or None."""
    path = run_path(case, method, settings)
    record = path.with_suffix(".json")
    if not record.exists():
        return None
    return Run(path.with_suffix(".npz"), json.loads(record.read_text()))


@cache
def _code(module: str) -> str:
    """Return a digest of the code that a method consists of."""
    if module == "ours":
        names = ("fit.py", "optimise.py", "classic", "config", "fields", "jobs", "methods")
        roots = [PACKAGE / name for name in names]
    else:
        roots = [PACKAGE / "classic" / name for name in ("anscombe.py", "background.py")]
    files = [HERE / f"{module}.py"]
    for root in roots:
        files += sorted(root.rglob("*.py")) if root.is_dir() else [root]
    return digest_of(files)


def digest_of(files: list[Path]) -> str:
    """Return a digest of the contents of files."""
    digest = hashlib.sha1(usedforsecurity=False)
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def find_runs(case: Case, method: Method, candidates: list[dict[str, Any]]) -> list[Run | None]:
    """Return the finished runs with all these settings, None where there is none."""
    return [find_run(case, method, settings) for settings in candidates]
