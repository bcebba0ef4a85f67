"""docs/benchmarks/files.md, from what the runs have kept."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
REPORT = Path(__file__).parents[2] / "docs" / "benchmarks" / "files.md"

HEAD = """# Files: hostile ones, and large ones

Made by `python benchmarks/files/fuzz.py` and `python benchmarks/files/large.py`; every number is
measured, none is written by hand.
"""

FUZZ = """## Damaged and hostile files

Each file is read by `read_all`, with all of its values, in a copy of a warmed-up process which
may not grow by more than 300 MB of address space (`RLIMIT_AS`). A *fault* is a crash, a hang, an
error that is none of ours or that came from a lack of memory, more than 2 s of CPU time, or other
values than those of the sound file although the format has a checksum (`.nii.gz`, and the chunks
of `.zarr` as we write them). Every fourth file is read lazily, so that damage is found only with
the values. The {seeds} seeds are small sound files: TIFF as written by ImageJ, by us and by
tifffile in ten layouts, NIfTI-1 and -2, plain and compressed, OME-Zarr 0.4 and 0.5, and real
files up to 50 kB where they are at hand. "Read, other values" is right where a format has no
checksum: one byte of an uncompressed TIFF is one other pixel.

{table}

The files that are made to do harm: 10¹² pixels in nine TIFF codecs, NIfTI and compressed NIfTI;
a tag of 4·10⁹ characters, a strip past the end, a directory that follows itself, a ring that
begins after the 150th directory, OME and ImageJ descriptions of 10⁹ planes, JPEG and PNG of
4·10⁹ pixels in a plane of 256, a gzip bomb of 1 GB, a small array with 1 GB behind it, a gzip
header whose file name does not end, and five header extensions that lie about their length.
"""

LARGE = """## Large files

Sparse files of 100 GB, in a process of its own each. *Opened* is `read`; the part is one corner
of one plane. Memory is how much the resident set grew, over a process that has the same imports.
Measured on two cores that were shared with about ten other jobs: the wall times are
upper bounds. The last row is about writing: CPU time, wall time and memory of `write`.

{table}
"""


def keep(name: str, result: Any) -> None:
    """Put a result beside this file."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def write() -> None:
    """Write the report from the results that there are."""
    parts = [HEAD]
    if (RESULTS / "fuzz.json").exists():
        fuzz = json.loads((RESULTS / "fuzz.json").read_text())
        table = fuzz_table(fuzz["rows"])
        parts.append(FUZZ.format(table=table, seeds=fuzz.get("seeds", "some")))
    if (RESULTS / "large.json").exists():
        parts.append(
            LARGE.format(table=large_table(json.loads((RESULTS / "large.json").read_text())))
        )
    REPORT.write_text("\n".join(parts))


def fuzz_table(rows: list[dict]) -> str:
    lines = [
        "| damage | files | refused | read, same values | read, other values | faults "
        "| longest, CPU s | most growth, MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['kind']} | {r['files']} | {r['refused']} | {r['same']} | {r['other']} "
        f"| **{r['faults']}** | {r['seconds']:.2f} | {r['megabytes']:.0f} |"
        for r in rows
    ]
    return "\n".join(lines)


def large_table(rows: list[dict]) -> str:
    lines = [
        "| file | shape | opened, CPU s | opened and part read, wall s | memory, MB |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['file']} | {'×'.join(map(str, r['shape']))} {r['dtype']} | {r['opened']:.2f} "
        f"| {r['wall']:.2f} | {r['megabytes']:.0f} |"
        for r in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    write()
