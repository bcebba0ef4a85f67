"""Finished runs and their scores, in the form that tables need."""

from __future__ import annotations

from functools import cache

import numpy as np
from common.runs import Entry
from data import REPORTED_SEEDS, case, names
from earlier import MARK, Earlier, earlier_entry
from peers import METHODS, OURS, Method, by_name
from scores import scores
from settings import chosen_settings
from store import find_run, latest_run

INTERPOLATION = ("linear", "cubic", "spline")
FLOWS = ("ilk", "ilk-linear", "tvl1", "dis", "syn")


@cache
def entry(name: str, method: Method) -> Entry | Earlier | None:
    """Return the run of a method on a case; if need be, by an earlier state of the code."""
    subject = case(name)
    settings = chosen_settings(method, run=False)
    if settings is None:
        return earlier_entry(name, method.label)
    run = find_run(subject, method, settings)
    found = run or latest_run(subject, method, settings)
    if not found:
        return earlier_entry(name, method.label)
    return Entry(found, scores(subject, found), run is not None)


def mark(cases: list[str], method: Method) -> str:
    """Return the mark of scores that are those of the benchmark before, if some of them are."""
    return MARK if any(isinstance(entry(name, method), Earlier) for name in cases) else ""


@cache
def groups(kind: str, axis: str) -> dict[str, list[str]]:
    """Return the names of cases by their group: `simulated` or `real`, `t` or `z`."""
    found: dict[str, list[str]] = {}
    for name in names(("cells",) if kind == "simulated" else ("real",), REPORTED_SEEDS):
        subject = case(name)
        if axis in subject.scale:
            found.setdefault(subject.group, []).append(name)
    if kind == "simulated":  # the same seeds for all methods: those that ours was run on
        for group, cases in found.items():
            runs = {name: entry(name, OURS) for name in cases}
            now = [name for name, run in runs.items() if run and not isinstance(run, Earlier)]
            found[group] = now or cases
    return found


def mean(cases: list[str], method: Method, score: str) -> float:
    """Return the mean of a score over cases; NaN unless all of them were run."""
    found = [entry(name, method) for name in cases]
    if not found or any(e is None for e in found):
        return float("nan")
    return float(np.mean([e.value(score) for e in found]))


def gain(name: str, peers: tuple[str, ...], score: str = "psnr") -> float:
    """Return by how much ours is better on a case than the best of some peers that were run."""
    ours = entry(name, OURS)
    theirs = [e.value(score) for p in peers if (e := entry(name, by_name(p)))]
    known = [value for value in theirs if not np.isnan(value)]
    return ours.value(score) - max(known) if ours and known else float("nan")


def methods_for(axis: str) -> list[Method]:
    """Return the methods that can work along an axis."""
    return [m for m in METHODS if (m.in_time if axis == "t" else m.in_space)]
