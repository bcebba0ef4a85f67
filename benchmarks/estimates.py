"""The estimates of time and memory that the docks show, and what the runs take.

`python benchmarks/estimates.py [WORD…]` runs each case, or those with all the words in their
names, in a process of its own, and writes `docs/benchmarks/estimates.md` with what was run before.
CPU seconds count, so that other work on the machine does not.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common.page import PAGES, table, write_page
from common.runs import peak_mb

from napari_cellinr import Image, read, write
from napari_cellinr.config import Config, SpatimeConfig
from napari_cellinr.methods import method_of_action
from napari_cellinr.runs.estimates import cost
from napari_cellinr.runs.request import RunRequest, start

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
KEPT = ROOT / "build" / "estimates.json"
TEMPLATE = Path(__file__).with_suffix(".md")


def embryo(size: tuple[int, int, int]) -> Image:
    from napari_cellinr.simulate.embryo import embryo as simulated

    return simulated("membranes", size, seed=3).raw


def cells() -> Image:
    from napari_cellinr.simulate.cells import cells as simulated

    return simulated((5, 12, 64, 64), gain=1.0, read_noise=2.0).raw


def moving(kind: str) -> Image:
    from napari_cellinr.simulate.recordings import moving as simulated

    sample = simulated(kind)
    optics = sample.optics.as_dict()
    if sample.psf is not None:
        place = Path(tempfile.mkdtemp()) / "psf.tif"
        optics = {**optics, "psf": str(write(place, sample.psf))}
    return sample.raw.like(sample.raw.data, meta={"optics": optics})


def celegans(part: dict[str, slice] | None = None) -> Image:
    image = read(DATA / "celegans_membrane" / "membrane_t025.tif")
    return image.crop(**part) if part else image


def celegans_series() -> Image:
    return read(DATA / "celegans_membrane" / "membrane_t021-t030.nii.gz")


CASES = {
    "denoise, embryo 24×96×96": ("denoise", lambda: embryo((24, 96, 96)), {}),
    "denoise, embryo 48×96×96": ("denoise", lambda: embryo((48, 96, 96)), {}),
    "denoise, a plane 512×512": ("denoise", lambda: embryo((8, 512, 512)).take("Z", 4), {}),
    "denoise, C. elegans 20×128×178": (
        "denoise",
        lambda: celegans({"Z": slice(25, 45), "Y": slice(64, 192), "X": slice(89, 267)}),
        {},
    ),
    "denoise, C. elegans 70×256×356": ("denoise", celegans, {}),
    "denoise, the same, 120 s": ("denoise", celegans, {"max_seconds": 120}),
    "superresolve, cells, t=2, z=2": ("superresolve", cells, {"scale": {"t": 2, "z": 2}}),
    "superresolve, C. elegans series, t=2": (
        "superresolve",
        celegans_series,
        {"scale": {"t": 2}},
    ),
    "reconstruct, worm (dpc)": ("reconstruct", lambda: moving("worm"), {}),
    "reconstruct, cell (z-scan)": ("reconstruct", lambda: moving("cell"), {}),
    "reconstruct, ball (rolling shutter)": ("reconstruct", lambda: moving("ball"), {}),
}


def settings_of(action: str, image: Image, given: dict) -> Config:
    optics = image.meta.get("optics")
    more = {"optics": optics} if action == "reconstruct" and optics else {}
    return method_of_action(action).config(**given, **more)


def one(name: str) -> None:
    """Run a case here, and print what it took as JSON."""
    from napari_cellinr.fitting.problem import finish

    action, make, given = CASES[name]
    image = make()
    settings = settings_of(action, image, given)
    expected = cost(method_of_action(action), image, settings)
    begun, wall = time.process_time(), time.monotonic()
    fitted = finish(start(RunRequest(method_of_action(action), image, settings)))
    taken = time.process_time() - begun
    used = 1024**2 * peak_mb()
    row = {
        "shape": "×".join(map(str, image.shape)),
        "expected": expected.seconds,
        "taken": taken,
        "wall": time.monotonic() - wall,
        "memory": expected.memory,
        "used": used,
        "attempts": len(fitted.report.get("attempts", [1])),
    }
    print(json.dumps(row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="in the name of a case")
    words = parser.parse_args().words
    names = [name for name in CASES if all(word in name for word in words)]
    rows = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    for name in names:
        command = [sys.executable, __file__, "--one", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(name, done.stderr[-500:])
            continue
        rows[name] = json.loads(done.stdout.splitlines()[-1])
        row = rows[name]
        print(f"{name}: {row['taken']:.1f} of {row['expected']:.1f} s, {row}", flush=True)
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(rows), encoding="utf-8")
        write_report(rows)


def write_report(rows: dict) -> None:
    """Write the page from what was run, and from the page of super-resolution."""
    write_page(TEMPLATE, cases=case_table(rows), superres=superres_table())


def case_table(rows: dict) -> str:
    """Return the measured time and memory of the cases beside the present estimates."""
    lines = []
    for name, row in sorted(rows.items()):
        action, make, given = CASES[name]
        image = make()
        expected = cost(method_of_action(action), image, settings_of(action, image, given))
        lines.append(
            [name, row["shape"], f"{expected.seconds:.0f} s", f"{row['taken']:.0f} s",
             f"{row['taken'] / expected.seconds:.2f}", f"{expected.memory / 1e9:.2f} GB",
             f"{row['used'] / 1e9:.2f} GB", str(row["attempts"])]
        )  # fmt: skip
    head = ["case", "size", "estimated", "measured", "ratio", "estimated memory"]
    return table([*head, "measured memory", "attempts"], lines)


def superres_table() -> str:
    """Return the time that the super-resolution benchmark took beside the present estimates."""
    lines = []
    text = (PAGES / "superres.md").read_text(encoding="utf-8")
    for name, size, taken in re.findall(
        r"^\| ([a-z]+-[tz]\d) \| ([\d ×]+?) \|(?:[^|]*\|){2} (\d+) \|", text, re.MULTILINE
    ):
        shape = tuple(int(n) for n in size.split("×"))
        axes = {"mitocheck": "TYX", "brain": "ZYX"}.get(name.split("-")[0], "TZYX")
        image = Image(np.broadcast_to(np.float32(0), shape), axes)
        scale = {name[-2]: int(name[-1])}
        said = cost(method_of_action("superresolve"), image, SpatimeConfig(scale=scale)).seconds
        lines.append([name, size, f"{said:.0f} s", f"{taken} s", f"{int(taken) / said:.2f}"])
    return table(["set", "size", "estimated", "measured", "ratio"], lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2])
    else:
        main()
