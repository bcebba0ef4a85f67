"""Tables and goals of what was measured on the independent phantoms."""

from __future__ import annotations

import numpy as np
from common.page import number, table
from peers import OURS
from phantoms import SEEDS, stored_scores
from store import code_of

_INTERPOLATION = ("linear", "cubic")


def phantom_tables() -> dict[str, str]:
    """Return the tables by their names in the page."""
    return {
        "phantoms_time": _in_time(),
        "phantoms_pixels": _gains("pixels", ("ours", "psf")),
        "phantoms_planes": _gains("planes", ("ours",)),
        "phantoms_joint": _gains("joint", ("ours",)),
        "phantoms_flicker": _flicker(),
    }


def phantom_goals() -> list[list[str]]:
    """Return rows of the table of goals."""
    time, pixels = _cases("time"), _cases("pixels")
    moving = [c for c in time if c.split()[0] in {"smooth", "fast"}]
    events = [c for c in time if c.split()[0] in {"mitosis", "appear"}]
    jumps = [c for c in time if c.startswith("jump")]
    clean = [c for c in pixels if "photons" not in c]
    cubic = ("cubic",)
    better = "over the better of linear and cubic"
    rows = [
        _least(f"phantoms: smooth and fast cells ×2, ×3, {better}", "time", moving, 4.0),
        _least(f"phantoms: cells that divide or appear ×2, ×3, {better}", "time", events, 1.0),
        _least(f"phantoms: cells that jump ×2, ×3, {better}", "time", jumps, -0.1),
        _least(f"phantoms: noise of 3 %, z ×2, {better}", "planes", _cases("planes"), 0.5),
        _least("phantoms: y and x ×2, against cubic", "pixels", clean, 1.0, cubic),
        _least("phantoms: t, z, y and x ×2, against cubic", "joint", _cases("joint"), 2.0, cubic),
    ]  # fmt: skip
    for noise in ("match", "remove"):
        rows.append(_flicker_goal(noise))
    for peer, label, most in (("ilk", "ILK", 3.0), ("dis", "DIS", 8.0)):
        rows.append(_cost_goal(peer, label, most))
    return rows


def outdated_phantoms() -> list[str]:
    """Return the cases whose newest scores are those of earlier code."""
    code = code_of(OURS)
    return sorted({f"{p} ({c})" for (p, c, _), r in _reported().items() if r["code"] != code})


def _reported() -> dict[tuple[str, str, int], dict]:
    return {key: r for key, r in stored_scores().items() if key[2] in SEEDS}


def _cases(part: str) -> list[str]:
    return list(dict.fromkeys(case for p, case, _ in _reported() if p == part))


def _of(part: str, case: str) -> list:
    """Return the scores of a case, one for each seed."""
    return [r["scores"] for (p, c, _), r in sorted(_reported().items()) if (p, c) == (part, case)]


def _mean(found: list, method: str, score: str = "psnr") -> float:
    values = [one[method][score] for one in found if method in one]
    return float(np.mean(values)) if values else float("nan")


def _gain(found: list, method: str, peers: tuple[str, ...]) -> float:
    """Return the mean over seeds of the gain over the best of some peers."""
    gains = [s[method]["psnr"] - max(s[p]["psnr"] for p in peers) for s in found]
    return float(np.mean(gains)) if gains else float("nan")


def _in_time() -> str:
    rows = []
    for case in _cases("time"):
        found = _of("time", case)
        shown = [number(_mean(found, m), 2) for m in ("linear", "cubic", "ilk", "dis", "ours")]
        cost = [number(_mean(found, m, "cpu"), 1) for m in ("ours", "ilk", "dis")]
        gain = f"{_gain(found, 'ours', _INTERPOLATION):+.2f}"
        rows.append([case, str(len(found)), *shown, gain, " / ".join(cost)])
    header = ["cells", "seeds", "linear", "cubic", "ILK", "DIS", "SpatimeINR", "gain"]
    return table([*header, "CPU-s: SpatimeINR / ILK / DIS"], rows)


def _gains(part: str, methods: tuple[str, ...]) -> str:
    labels = {"ours": "SpatimeINR", "psf": "blur known"}
    rows = []
    for case in _cases(part):
        found = _of(part, case)
        shown = [number(_mean(found, m), 2) for m in (*_INTERPOLATION, *methods)]
        gain = f"{_gain(found, 'ours', _INTERPOLATION):+.2f}"
        cost = number(_mean(found, "ours", "cpu"), 1)
        rows.append([case, str(len(found)), *shown, gain, cost])
    header = ["case", "seeds", "linear", "cubic", *(labels[m] for m in methods), "gain", "CPU-s"]
    return table(header, rows)


def _flicker() -> str:
    rows = []
    for case in _cases("flicker"):
        found = _of("flicker", case)
        row = [case, str(len(found))]
        for noise in ("keep", "match", "remove"):
            given, made = (_mean(found, f"{noise}: {frames}") for frames in ("given", "made"))
            row.append(f"{number(given, 2)} / {number(made, 2)}")
        rows.append(row)
    return table(["cells", "seeds", "`keep`", "`match`", "`remove`"], rows)


def _least(
    label: str, part: str, cases: list[str], least: float, peers: tuple[str, ...] = _INTERPOLATION
) -> list[str]:
    """Return the row of a goal that the worst case, averaged over its seeds, has to reach."""
    gains = {case: _gain(_of(part, case), "ours", peers) for case in cases}
    if not gains:
        return [label, f"{least:+.1f} dB", "–", "–"]
    worst = min(gains, key=lambda case: gains[case])
    shown = f"{gains[worst]:+.2f} dB ({worst}) to {max(gains.values()):+.2f} dB"
    if len(gains) == 1:
        shown = f"{gains[worst]:+.2f} dB"
    return [label, f"{least:+.1f} dB", shown, "✓" if gains[worst] >= least else "✗"]


def _flicker_goal(noise: str) -> list[str]:
    """Return the row of the largest difference where frames are determined: at rest and smooth."""
    label = f"phantoms: given and made frames with `noise={noise}`, difference in PSNR"
    differences = {}
    for case in ("at rest", "smooth"):
        for number_of, one in enumerate(_of("flicker", case)):
            gap = one[f"{noise}: given"]["psnr"] - one[f"{noise}: made"]["psnr"]
            differences[f"{case}, seed {SEEDS[number_of]}"] = abs(gap)
    if not differences:
        return [label, "at most 0.5 dB", "–", "–"]
    worst = max(differences, key=lambda case: differences[case])
    mark = "✓" if differences[worst] <= 0.5 else "✗"
    return [label, "at most 0.5 dB", f"{differences[worst]:.2f} dB ({worst})", mark]


def _cost_goal(peer: str, label: str, most: float) -> list[str]:
    found = [s for case in _cases("time") for s in _of("time", case)]
    ratio = _mean(found, "ours", "cpu") / _mean(found, peer, "cpu")
    goal = [f"phantoms: CPU seconds of time ×2 and ×3, in those of {label}", f"at most {most:.0f}×"]
    if np.isnan(ratio):
        return [*goal, "–", "–"]
    return [*goal, f"{ratio:.1f}×", "✓" if ratio <= most else "✗"]
