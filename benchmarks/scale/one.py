"""A plan, and its first parts, in a process of its own; what they took is printed as JSON.

python benchmarks/scale/one.py RECORDING ACTION PARTS LIMIT_GB OUT.zarr [MEMORY_GB]

A negative number of PARTS computes all of them, and the pyramid.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time

from napari_cellinr.fitting.problem import finish
from napari_cellinr.fitting.resources.available import available_memory
from napari_cellinr.methods import method_of_action
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.parts import compute
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source

SETTINGS = {
    "superresolve": {"scale": {"t": 2}},
    "reconstruct": {"optics": {"kind": "time-lapse"}, "steps": 20},
}


def peak() -> float:
    """Return the largest memory of this process so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(path: str, action: str, n_parts: int, limit: float, out: str, memory: float) -> None:
    """Plan, compute the first parts, and print what it took."""
    if limit:
        resource.setrlimit(resource.RLIMIT_AS, (int(limit * 2**30),) * 2)
    config = method_of_action(action).config(**SETTINGS.get(action, {}))
    started = time.process_time()
    free = memory or available_memory()
    plan = make_plan(action, Source(path), config, {"result": out}, free)
    facts = {"plan_seconds": time.process_time() - started, "plan_memory": peak(), "parts": []}
    began = time.process_time()
    if n_parts < 0:
        assert (found := finish(run_plan(plan))).is_complete, found.failed
    facts |= {"total_seconds": time.process_time() - began, "total_memory": peak()}
    for number in range(n_parts):
        started, part = time.process_time(), plan.parts[number]
        compute(plan, number)
        facts["parts"].append(
            {
                "seconds": time.process_time() - started,
                "memory": peak(),
                "voxels": math.prod(b - a for a, b in (part.frames, *part.own)),
            }
        )
    facts |= {"n_parts": len(plan.parts), "seconds": plan.seconds, "memory": plan.memory}
    facts["voxels"] = math.prod(plan.result["shape"])
    print(json.dumps(facts))


if __name__ == "__main__":
    main(*sys.argv[1:3], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5], float(sys.argv[6]))
