"""All methods that denoise, on one small volume: a first look at peers that take long.

    python benchmarks/denoise/small.py [--methods n2v2 bmnd ndsafir cellinr]

Simulated membranes of a development seed, 24 × 96 × 96 voxels from the middle, default noise.
Prints a table of PSNR with the background, and CPU seconds. Results are kept in build/denoise.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from catalogue import METHODS, by_name
from common.page import table
from data import TUNING_SEEDS, simulated
from launch import run
from scores import scores

MIDDLE = (slice(12, 36),)


def main() -> None:
    names = [method.name for method in METHODS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", choices=names, default=names)
    whole = simulated("membranes", "default", TUNING_SEEDS[0])
    images = {name: getattr(whole, name)[MIDDLE] for name in ("raw", "kept", "clean", "labels")}
    case = replace(whole, group="small", name="small-membranes", **images)
    rows = []
    for method in (by_name(name) for name in parser.parse_args().methods):
        found = [(scores(case, one), one) for one in run(case, method, [method.volumes[0]]) if one]
        for scored, finished in found:
            if "kept psnr" in scored:
                cells = [f"{scored['kept psnr']:.2f}", f"{finished.record['cpu']:.0f}"]
                rows.append([method.label, *cells])
    print(table(["method", "PSNR, dB", "CPU s"], rows))


if __name__ == "__main__":
    main()
