"""Finished runs from the cache, with their scores, in the form that tables need."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from catalogue import OURS, Method, by_name
from choose import best_pair_run, chosen_settings
from common.runs import Entry
from data import REPORTED_SEEDS, real_pairs, simulated
from scores import scores
from store import find_run

if TYPE_CHECKING:
    from data import Case

DENOISING_PEERS = ("gaussian", "tv", "wavelet", "nlm", "bm4d", "bm4d-raw", "n2v")


@cache
def entries(method: Method, kind: str, level: str) -> dict[int, Entry]:
    """Return the finished runs of a method on the reported seeds."""
    settings = chosen_settings(method, kind, level)
    if settings is None:
        return {}
    found = {}
    for seed in REPORTED_SEEDS:
        case = simulated(kind, level, seed)
        if run := find_run(case, method, settings):
            found[seed] = Entry(run, scores(case, run))
    return found


@cache
def pair_entries(method: Method) -> list[tuple[Case, Entry]]:
    """Return the runs of a method on the real pairs."""
    found = []
    for case in real_pairs():
        if run := best_pair_run(case, method):
            found.append((case, Entry(run, scores(case, run))))
    return found


def mean(found: dict[int, Entry], name: str) -> float:
    """Return the mean of a score over the seeds; NaN without any."""
    values = [entry.value(name) for entry in found.values()]
    return float(np.mean(values)) if values else float("nan")


def gain(kind: str, level: str, peer: str, score: str) -> float:
    """Return by how much CellINR is better than a peer, over the seeds that both have."""
    ours, theirs = (entries(method, kind, level) for method in (OURS, by_name(peer)))
    common = [seed for seed in ours if seed in theirs]
    values = [ours[seed].value(score) - theirs[seed].value(score) for seed in common]
    return float(np.mean(values)) if values else float("nan")


def gain_over_best(kind: str, level: str, score: str) -> tuple[float, str]:
    """Return the smallest gain over the denoising peers, and the label of that peer."""
    gains = {peer: gain(kind, level, peer, score) for peer in DENOISING_PEERS}
    known = {peer: value for peer, value in gains.items() if not np.isnan(value)}
    if not known:
        return float("nan"), "none"
    best = min(known, key=lambda peer: known[peer])
    return known[best], by_name(best).label


__all__ = ["entries", "gain", "gain_over_best", "mean", "pair_entries"]
