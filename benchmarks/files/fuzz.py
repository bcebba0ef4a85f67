"""Damaged and malicious files against the readers: `python benchmarks/files/fuzz.py`.

Every damaged file is read, with all of its values, in a process of its own that may not grow by
more than 300 MB. Writes docs/benchmarks/files.md.
"""

import argparse
import collections
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import mutate
import report
import seeds
import trial

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"

Case = tuple[str, bytes]
CHECKED = (".nii.gz", ".zarr")
"""Formats in which all that is stored has a checksum: no value may change without an error."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--flips", type=int, default=120, help="per file, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that were faults")
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = run(folder, options.mutations, options.flips, options.seed, options.keep)
        n_seeds = len(list((folder / "sound").iterdir())) + len(seeds.real(DATA))
    if not options.no_report:
        facts = {"python": platform.python_version(), "seeds": n_seeds, "rows": results}
        report.keep("fuzz", facts)
        report.write()
    print(report.fuzz_table(results))
    sys.exit(any(row["faults"] for row in results))


def run(folder: Path, n_mutations: int, n_flips: int, seed: int, keep: Path | None) -> list[dict]:
    """Return one row of counts for each kind of damage."""
    sound = seeds.make(folder / "sound") + seeds.real(DATA)
    bombs = seeds.bombs(folder / "bombs")
    trial.warm_up(seeds.make(folder / "warm"))
    digests = {path: digest(path) for path in sound}
    kinds = {
        "malicious": lambda: ((path, None) for path in bombs),
        "cut off at every 64th byte": lambda: per_file(sound, mutate.truncations),
        "one byte inverted": lambda: per_file(sound, lambda c: mutate.flips(c, n_flips)),
        f"{n_mutations} random mutations": lambda: mutations(sound, n_mutations, seed),
    }
    rows = []
    for kind, cases in kinds.items():
        rows.append(row(kind, cases(), digests, folder, keep))
        print(rows[-1], flush=True)
    return rows


def digest(path: Path) -> str:
    try:
        return trial.digest_of(path)
    except Exception:
        return ""  # a file that is refused in any case


def target_of(path: Path) -> list[Path]:
    """Return the files of which a sound file consists."""
    return [p for p in sorted(path.rglob("*")) if p.is_file()] if path.is_dir() else [path]


def per_file(sound: list[Path], change: object) -> Iterator[tuple[Path, Case]]:
    for path in sound:
        for part in target_of(path):
            inside = str(part.relative_to(path)) if path.is_dir() else ""
            for content in change(part.read_bytes()):
                yield path, (inside, content)


def mutations(sound: list[Path], count: int, seed: int) -> Iterator[tuple[Path, Case]]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        path = sound[rng.integers(len(sound))]
        parts = target_of(path)
        part = parts[rng.integers(len(parts))]
        inside = str(part.relative_to(path)) if path.is_dir() else ""
        yield path, (inside, mutate.mutation(part.read_bytes(), rng))


def row(
    kind: str,
    cases: Iterator[tuple[Path, Case | None]],
    digests: dict[Path, str],
    folder: Path,
    keep: Path | None,
) -> dict:
    counts: collections.Counter[str] = collections.Counter()
    seconds = megabytes = 0.0
    faults = []
    started = time.process_time(), time.monotonic()
    for number, (path, case) in enumerate(cases):
        place = path if case is None else damaged(folder / "trial", path, case)
        # Every fourth file is also read lazily, so that errors come only with the values.
        result = trial.attempt(place, digests.get(path, ""), 0 if number % 4 == 3 else None)
        counts[result.kind] += 1
        seconds, megabytes = max(seconds, result.seconds), max(megabytes, result.megabytes)
        silent = result.kind == "other" and path.name.endswith(CHECKED) and digests.get(path)
        wrong = silent and (path.suffix == ".gz" or is_chunk(case))
        if result.is_fault or wrong or (case is None and result.kind != "refused"):
            text = f"{path.name}: {'wrong values' if wrong else result.kind}"
            faults.append(f"{text} {result.seconds:.1f} s {result.text[-700:]}")
            print(kind, faults[-1], flush=True)
            if keep and case is not None:
                save(keep, f"{len(faults)}-{kind[:8].replace(' ', '-')}", path, case)
    return {
        "kind": kind,
        "files": sum(counts.values()),
        **{key: counts[key] for key in ("refused", "same", "other")},
        "faults": len(faults),
        "seconds": seconds,
        "megabytes": megabytes,
        "wall": time.monotonic() - started[1],
    }


def is_chunk(case: Case | None) -> bool:
    return case is not None and not case[0].endswith((".json", ".zarray", ".zattrs", ".zgroup"))


def damaged(place: Path, path: Path, case: Case) -> Path:
    """Return the path of a copy of a file, or folder, with one damaged part."""
    place.mkdir(exist_ok=True)
    inside, content = case
    if not inside:
        copy = place / path.name
        copy.write_bytes(content)
        return copy
    copy = place / path.name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    (copy / inside).write_bytes(content)
    return copy


def save(keep: Path, name: str, path: Path, case: Case) -> None:
    keep.mkdir(parents=True, exist_ok=True)
    (keep / f"{name}-{Path(case[0]).name or path.name}").write_bytes(case[1])


if __name__ == "__main__":
    main()
