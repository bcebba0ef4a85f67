"""Compare CellINR with its peers and write docs/benchmarks/denoise.md.

    python benchmarks/denoise/run.py                       everything
    python benchmarks/denoise/run.py --only pairs          a part: membranes nuclei pairs celegans
    python benchmarks/denoise/run.py --seeds 100 --methods nlm cellinr
    python benchmarks/denoise/run.py --report              only the report, of what there is

Results are kept in build/denoise, so a stopped run goes on where it was. Peers with an
environment of their own are left out where it was not made; see requirements.txt.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from catalogue import METHODS, OURS, by_name
from choose import best_pair_run, chosen_settings
from common.options import parser_of
from data import REPORTED_SEEDS, celegans, real_pairs, simulated, simulated_groups
from launch import run
from report import write_report
from scores import scores

if TYPE_CHECKING:
    import argparse

    from catalogue import Method
    from choose import Runner

PARTS = ("membranes", "nuclei", "pairs", "celegans")


def main() -> None:
    options = _options()
    os.nice(10)
    runner = partial(_announced, n_threads=options.threads)
    if not options.report:
        methods = [by_name(name) for name in options.methods]
        for method in methods:
            _run_method(method, options, runner)
    if not options.no_report:
        write_report()


def _options() -> argparse.Namespace:
    names = [method.name for method in METHODS]
    parser = parser_of(__doc__.split("\n")[0], names, REPORTED_SEEDS)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--levels", nargs="+", default=("default", "low light", "paper"))
    return parser.parse_args()


def _run_method(method: Method, options: argparse.Namespace, runner: Runner) -> None:
    """Run one method on everything that was asked for."""
    for kind, level in simulated_groups():
        if kind in options.only and level in options.levels:
            _run_simulated(method, kind, level, options.seeds, runner)
    if "pairs" in options.only:
        cases = real_pairs()
        if not cases:
            print("no real pairs: the folder ../shared/data is absent")
        for case in cases:
            best = best_pair_run(case, method, runner)
            if best:
                print(f"  {method.name} {case.name}: {scores(case, best)['kept psnr']:.2f} dB")
    if "celegans" in options.only and method is OURS and (case := celegans()):
        runner(case, method, [{}])


def _run_simulated(method: Method, kind: str, level: str, seeds: list[int], runner: Runner) -> None:
    """Choose the settings, then run and score the reported seeds."""
    if method.n_seeds == 1 and level != "default":
        return
    settings = chosen_settings(method, kind, level, runner)
    if settings is None:
        return
    for seed in seeds[: method.n_seeds]:
        case = simulated(kind, level, seed)
        (finished,) = runner(case, method, [settings])
        if finished:
            found = scores(case, finished)
            kept = found.get("kept psnr", float("nan"))
            cost = f"{finished.record['wall']:.0f} s, CPU {finished.record['cpu']:.0f} s"
            print(f"  {method.name} {case.name}: {kept:.2f} / {found['clean psnr']:.2f} dB, {cost}")


def _announced(case, method, candidates, n_threads):  # noqa: ANN001, ANN202
    """Run, saying so where it is new."""
    begun = time.monotonic()
    finished = run(case, method, candidates, n_threads)
    if time.monotonic() - begun > 1:
        print(f"{time.strftime('%H:%M:%S')} {method.name} {case.name}", flush=True)
    return finished


if __name__ == "__main__":
    main()
