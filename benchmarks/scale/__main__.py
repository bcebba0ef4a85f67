"""Recordings larger than memory: planning, first parts, growth, workers, the whole, and kills.

    python benchmarks/scale [plan] [memory] [growth] [workers] [whole] [kills] [page]
        [--folder FOLDER] [--kills N] [--scheduler local] [--sizes 2,4] [--voxels 1,4]
        [--actions superresolve]

Runs these measurements (all without one; none with `page`), keeps them in
`benchmarks/scale/results`, and writes `docs/benchmarks/scale.md`. The recordings, of any size, take
a few MB of FOLDER, since the files of their chunks are links to those of a few frames. CPU seconds
count, so that other work on the computer does not.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from common.page import table, write_page  # noqa: E402

RESULTS = HERE / "results"
PLANNED = ("planned", 6000, (32, 512, 512))
"""Name, frames and shape of the recording of 100 GB that is planned."""

SIZES = {"2 GB": 1024, "4 GB": 2048, "8 GB": 4096}
PLANE = (1024, 1024)
LIMIT = 4.0
"""GiB of address space of each process."""

FORM = """\
<form id="cost-of-a-recording" data-costs="{costs}" hidden>
<p>
<label>Recording: <input name="amount" type="number" min="0" step="any" value="1" size="6"></label>
<select name="unit"><option>TB</option><option>Gvoxel</option></select>
<label>of <input name="bytes" type="number" min="1" max="8" value="2"> bytes per voxel</label>
</p>
<p>
<label>Method: <select name="method"></select></label>
<label>with <input name="microseconds" type="number" min="0" step="any"> µs per voxel of the
result</label>
</p>
<p>
<label>Workers: <input name="workers" type="number" min="1" value="16"></label>
<label>price of one for an hour: <input name="price" type="number" min="0" step="any" value="0.05">
</label>
</p>
<p><output></output></p>
</form>

GPUs are not measured, nor is reconstruction, whose time depends on its steps: compute a part
(`napari-cellinr run-part PLAN.json 0`), and enter its time divided by its voxels."""
"""The calculator, which `docs/site/calculator.js` fills."""

MEMORY = {"denoise": 0.9e9, "superresolve": 1.5e9, "reconstruct": 1.3e9}
"""Bytes that the plan of each method may use."""


GROWING = {
    "denoise": {1: (16, 256), 4: (16, 512), 16: (16, 1024), 64: (64, 1024)},
    "superresolve": {1: (16, 256), 4: (16, 512), 16: (16, 1024), 64: (64, 1024)},
    "reconstruct": {1: (16, 256), 4: (16, 512)},
}
"""Frames, and pixels along each side of a frame, by millions of voxels."""

EVERY_PART = -1

FREE = 4e9
"""Bytes of memory that a plan may use where the growth with the voxels is measured."""


def measured(path: Path, action: str, n_parts: int, limit: float, memory: float) -> dict:
    """Return what a plan and its first parts took in a process of its own.

    Parameters
    ----------
    path
        The recording.
    action
        The method.
    n_parts
        Number of parts that are computed; `EVERY_PART` for all, and the pyramid.
    limit
        GiB of address space; 0 for no limit.
    memory
        Bytes that the plan may use.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = [path, action, n_parts, limit, Path(folder) / "out.zarr", memory]
        command = [sys.executable, str(HERE / "one.py"), *map(str, words)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    facts: dict = json.loads(done.stdout.splitlines()[-1])
    return facts


def plan(options: argparse.Namespace) -> dict:
    """Plan 100 GB."""
    from recordings import recording

    name, n_frames, shape = PLANNED
    path = recording(options.folder / f"{name}.zarr", n_frames, shape)
    return measured(path, "denoise", 0, 0, 8e9)


def memory(options: argparse.Namespace) -> dict:
    """Compute the first part of recordings of several sizes with each method."""
    from recordings import recording

    found = kept("memory")
    for size in [f"{number} GB" for number in options.sizes.split(",")]:
        path = recording(options.folder / f"{size.replace(' ', '')}.zarr", SIZES[size], PLANE)
        for action in options.actions.split(","):
            found[f"{action}, {size}"] = measured(path, action, 1, LIMIT, MEMORY[action])
    return dict(sorted(found.items()))


def growth(options: argparse.Namespace) -> dict:
    """Compute all parts of recordings of more and more voxels."""
    from recordings import recording

    found = kept("growth")
    for action in options.actions.split(","):
        for megavoxels, (n_frames, side) in GROWING[action].items():
            if options.voxels and str(megavoxels) not in options.voxels.split(","):
                continue
            path = options.folder / f"{n_frames}x{side}.zarr"
            if not path.exists():
                recording(path, n_frames, (side, side))
            name = f"{action}, {megavoxels}"
            found[name] = measured(path, action, EVERY_PART, 0, FREE)
            print(name, found[name]["total_seconds"] / found[name]["voxels"], flush=True)
    return found


def workers(options: argparse.Namespace) -> dict:
    """Compute the same parts with one and with two workers."""
    from workers import compared

    return compared(3, options.scheduler)


def whole(options: argparse.Namespace) -> dict:
    """Compare tiles with the whole, where it fits."""
    from whole import CASES, compared

    chosen = options.actions.split(",")
    names = [name for name, case in CASES.items() if {name, case.action} & {*chosen}]
    found = kept("whole") | {name: compared(name) for name in names}
    return {name: found[name] for name in CASES if name in found}


def kills(options: argparse.Namespace) -> dict:
    """Kill runs and workers."""
    from kills import run

    return run(options.kills, 0, options.scheduler)


MEASUREMENTS = {
    "plan": plan,
    "memory": memory,
    "growth": growth,
    "workers": workers,
    "whole": whole,
    "kills": kills,
}


def kept(name: str) -> dict:
    """Return what was measured last; nothing if it never was."""
    place = RESULTS / f"{name}.json"
    return json.loads(place.read_text("utf-8")) if place.is_file() else {}


def plan_text(found: dict) -> str:
    """Return the section about planning."""
    if not found:
        return ""
    return (
        "## Planning 100 GB\n\n6000 frames of 32×512×512 voxels, uint16, 48 000 chunks: "
        f"{found['plan_seconds']:.0f} CPU seconds, {found['plan_memory'] / 1e9:.2g} GB at most, "
        f"{found['n_parts']} parts."
    )


def memory_text(found: dict) -> str:
    """Return the section about memory."""
    if not found:
        return ""
    rows = [
        [
            name,
            str(one["n_parts"]),
            f"{one['memory'] / 1000000000.0:.2f} GB",
            f"{one['parts'][0]['memory'] / 1000000000.0:.2f} GB",
            f"{one['parts'][0]['seconds']:.0f} s",
        ]
        for name, one in found.items()
    ]
    head = ["recording", "parts", "estimated memory", "peak memory", "CPU time of the first part"]
    return (
        "## Memory\n\nPlan and first part of recordings of 1024×1024 pixels, uint16, in a process "
        f"with {LIMIT:g} GiB of address space; reconstruction with 20 steps, of which memory does "
        f"not depend.\n\n{table(head, rows)}"
    )


def terabyte_text(found: dict) -> str:
    """Return the section about the cost of 1 TB, computed from that of the first parts."""
    costs = costs_of(found)
    rows = []
    for action, one in costs.items():
        hours = 0.5e12 * one["factor"] * one["microseconds"] / 1e6 / 3600
        times = [f"{hours / n:,.0f} h".replace(",", " ") for n in (1, 16, 256)]
        rows.append([action, f"{one['microseconds']:.1f} µs", *times])
    if not rows:
        return ""
    head = ["method", "CPU time per voxel of the result", "1 worker", "16 workers", "256 workers"]
    form = FORM.format(costs=html.escape(json.dumps(costs)))
    return (
        "## What 1 TB costs\n\n5·10¹¹ voxels, uint16, on workers with one core each, computed from "
        "the cost per voxel of the first part above. Workers compute "
        "parts that do not depend on each other, so their time is divided by their number.\n\n"
        f"{table(head, rows)}\n\n{form}"
    )


def costs_of(found: dict) -> dict:
    """Return what one voxel of the result takes of each method, and voxels of the result per one.

    Parameters
    ----------
    found
        What was measured of memory.
    """
    costs = {}
    for name, one in found.items():
        action, part = name.partition(",")[0], one["parts"][0]
        if action not in {*costs, "reconstruct"}:
            factor = 2 if action == "superresolve" else 1
            microseconds = 1e6 * part["seconds"] / part["voxels"]
            costs[action] = {"microseconds": round(microseconds, 3), "factor": factor}
    return costs


def whole_text(found: dict) -> str:
    """Return the section about tiles and the whole."""
    if not found:
        return ""
    rows = [
        [
            name,
            f"{100 * one['difference']:.1f} %",
            f"{100 * one['other_seed']:.1f} %",
            f"{100 * one['offsets']:.2f} %",
            f"{one['psnr_tiles'] - one['psnr_whole']:+.3f} dB",
            f"{one['seam_tiles']:.2f}",
            f"{one['seam_hard']:.2f}",
            f"{one['seam_whole']:.2f}",
        ]
        for name, one in found.items()
        if "offsets" in one
    ]
    head = [
        "method", "difference to the whole", "whole with another seed", "offsets of tiles",
        "PSNR, tiles − whole", "seams, tiles", "tiles without blending", "whole",
    ]  # fmt: skip
    return (
        "## Tiles against the whole\n\nMovies of 512×512 pixels (reconstruction: 256×256) with the "
        "noise of a camera (PSNR against the truth), in four tiles. The whole is what the "
        "function of the method returns. Differences are root mean squares in parts of the "
        "standard deviation of the noise, of the frames that are made; offsets, the standard "
        "deviation of their means in the tiles. Seams: squared steps of the "
        "error from pixel to pixel within 9 pixels of an edge between tiles, relative to all "
        "others; there are none where it is no larger than in the whole, which has no edges."
        f"\n\n{table(head, rows)}{speed_text(found)}"
    )


def speed_text(found: dict) -> str:
    """Return what is said of the speed of reconstructed motion."""
    one = found.get("reconstruct", {})
    if "speed" not in one:
        return ""
    return (
        f"\n\nThe speed of the reconstructed motion differs from that of the whole by "
        f"{100 * one['speed']:.1f} % in root mean square, that of another seed by "
        f"{100 * one['speed_other_seed']:.1f} %; its seams are {one['speed_seam_tiles']:.2f} in "
        f"tiles, {one['speed_seam_whole']:.2f} in the whole."
    )


def growth_text(found: dict) -> str:
    """Return the section about the growth with the voxels."""
    rows = []
    for name, one in found.items():
        action, megavoxels = name.split(", ")
        costs = [
            1e6 * other["total_seconds"] / other["voxels"]
            for name, other in found.items()
            if name.startswith(f"{action},")
        ]
        cost = 1e6 * one["total_seconds"] / one["voxels"]
        rows.append(
            [
                action,
                f"{megavoxels} million",
                str(one["n_parts"]),
                f"{cost:.1f} µs",
                f"{100 * (cost / (sum(costs) / len(costs)) - 1):+.0f} %",
                f"{one['total_memory'] / 1e9:.2f} GB",
            ]
        )
    if not rows:
        return ""
    notes = "".join(f"\n\n{one['note']}" for one in found.values() if "note" in one)
    head = [
        "method", "voxels of the recording", "parts", "CPU time per voxel of the result",
        "from the mean of the method", "peak memory",
    ]  # fmt: skip
    return (
        "## Growth with the voxels\n\nAll parts and the pyramid of recordings of 16 or 64 frames, "
        "without the plan, one after the other in a process that may use 4 GB; reconstruction with "
        f"20 steps.\n\n{table(head, rows)}{notes}"
    )


def workers_text(found: dict) -> str:
    """Return the section about two workers."""
    if not found:
        return ""
    times = [
        f"{n} worker{'s' * (n != '1')}: " + ", ".join(f"{one:.1f}" for one in seconds)
        for n, seconds in found["seconds"].items()
    ]
    return (
        f"## Workers\n\n{found['parts']} frames are denoised, each a part, with one thread in each "
        f"worker, on two cores. Seconds without the start of the workers: {'; '.join(times)}. Two "
        f"are {found['faster']:.2f} times as fast as one (median); two processes that know nothing "
        f"of each other do {found['limit']:.2f} times the work of one on this computer."
    )


def kills_text(found: dict) -> str:
    """Return the section about kills."""
    if not found:
        return ""
    return (
        f"## Kills\n\n{found['kills']} kills at random moments, half of the process that runs the "
        f"plan and half of a worker; {found['met']} met a running plan. Results that were "
        f"incomplete or differed in any bit: {found['wrong']}."
    )


def main() -> None:
    """Measure, and write the page."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python benchmarks/scale", description=__doc__, formatter_class=raw
    )
    parser.add_argument("names", nargs="*", choices=[[], *MEASUREMENTS, "page"], metavar="NAME")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "scale-data")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--scheduler")
    parser.add_argument("--sizes", default="2,4,8", help="GB of the recordings of memory")
    parser.add_argument(
        "--voxels", default="", help="millions of voxels of growth; all if not given"
    )
    parser.add_argument(
        "--actions", default=",".join(MEMORY), help="methods of memory, and cases of whole"
    )
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    RESULTS.mkdir(exist_ok=True)
    for name in (name for name in options.names or MEASUREMENTS if name != "page"):
        found = MEASUREMENTS[name](options)
        (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1), "utf-8")
        print(name, found, flush=True)
    write_page(
        HERE / "scale.md",
        plan=plan_text(kept("plan")),
        memory=memory_text(kept("memory")),
        terabyte=terabyte_text(kept("memory")),
        growth=growth_text(kept("growth")),
        workers=workers_text(kept("workers")),
        whole=whole_text(kept("whole")),
        kills=kills_text(kept("kills")),
    )


if __name__ == "__main__":
    main()
