"""Compare SpatimeINR with its peers and write docs/benchmarks/superres.md.

    python benchmarks/superres/run.py                             everything
    python benchmarks/superres/run.py --parts cells --methods linear cubic
    python benchmarks/superres/run.py --parts ablation            a part: cells real denoised
                                                                  dropped cost ablation latent
                                                                  frames noise
    python benchmarks/superres/run.py --report                    only the report

Results are kept in build/superres, one per case, so a stopped run goes on where it was, and
only what changed is run again.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from common.options import parser_of
from cost import run_costs
from data import REPORTED_SEEDS, case, names
from dropped import run_dropped
from peers import METHODS, by_name
from scores import scores
from settings import chosen_settings
from store import make_run
from studies import STUDIES, run_study

if TYPE_CHECKING:
    import argparse

PARTS = ("cells", "real", "denoised", "dropped", "cost", *STUDIES)


def main() -> None:
    options = _options()
    if not options.report:
        subjects = [name for name in _subjects(options) if options.only in name]
        for name in options.methods:
            for subject in subjects:
                _run(name, subject, options.threads)
        for part in options.parts:
            if part in STUDIES:
                run_study(part)
        if "dropped" in options.parts:
            run_dropped()
        if "cost" in options.parts:
            run_costs()
    if not options.no_report:
        from report import write_report

        write_report()


def _options() -> argparse.Namespace:
    known = [method.name for method in METHODS]
    parser = parser_of(__doc__.split("\n")[0], known, REPORTED_SEEDS)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--peers-python", help="Python with the packages of requirements.txt")
    parser.add_argument("--only", default="", help="cases with this in their name")
    options = parser.parse_args()
    if options.peers_python:
        os.environ["PEERS_PYTHON"] = options.peers_python
    return options


def _subjects(options: argparse.Namespace) -> list[str]:
    found = names(tuple(options.parts), tuple(options.seeds))
    if "denoised" in options.parts:
        real = names(("real",))
        found += [f"{name}-denoised" for name in real if name.split("-")[1].startswith("t")]
    return found


def _run(name: str, subject: str, n_threads: int) -> None:
    method, target = by_name(name), case(subject)
    if not (method.in_time if target.in_time else method.in_space):
        return
    begun = time.monotonic()
    run = make_run(target, method, chosen_settings(method), n_threads)
    if run:
        found = scores(target, run)
        shown = " ".join(f"{key} {found[key]:.4g}" for key in ("psnr", "bsa") if key in found)
        cost = f"{run.record['cpu']:.0f} CPU-s"
        if time.monotonic() - begun > 0.2:
            print(f"{time.strftime('%H:%M:%S')} {name} {subject}: {shown}, {cost}", flush=True)


if __name__ == "__main__":
    os.nice(10)
    main()
