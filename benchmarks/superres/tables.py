"""Tables of the report."""

from __future__ import annotations

import numpy as np
from collect import FLOWS, INTERPOLATION, entry, gain, groups, mark, mean, methods_for
from common.page import number, table
from cost import ROWS, costs_found
from data import case, protocol_cases
from dropped import LABELS, TOLD, dropped_scores
from peers import OURS, Method, by_name
from phantom_tables import phantom_goals
from scipy.interpolate import CubicSpline
from scores import BINS

from napari_cellinr.classic.interpolate import resample
from napari_cellinr.metrics import psnr


def targets() -> str:
    """Return measured figures beside the goals."""
    rows = []
    for factor, least in ((2, 3.0), (4, 4.0), (6, 4.0)):
        cases = groups("simulated", "t").get(f"cells-t{factor}", [])
        rows.append(
            _gains(f"time ×{factor}, simulated cells, against cubic", cases, "cubic", least)
        )
    twice = [names[0] for group, names in groups("real", "t").items() if group.endswith("-t2")]
    found = [gain(name, ("linear", "cubic")) for name in twice]
    label = "time ×2, mean of the real series, against the better of linear and cubic"
    rows.append(_row(label, found, 0.85))
    everything = _everything("t")
    label = "time, mean of all sets, against optical flow (ILK)"
    rows.append(_row(label, [_of_group(names, ("ilk",)) for names in everything.values()], 0.5))
    label = "the same, against the best of the flows and SyN for each set"
    rows.append(_row(label, [_of_group(names, FLOWS) for names in everything.values()], 0.5))
    real = {name: gain(name, FLOWS) for names in groups("real", "t").values() for name in names}
    worst = min(real, key=lambda name: np.inf if np.isnan(real[name]) else real[name], default="")
    if worst:
        row = _row("real series, each, against the best of the flows and SyN", [real[worst]], 0.0)
        rows.append([*row[:2], f"{row[2]} ({worst})", row[3]])
    for factor, least in ((2, 1.0), (4, 2.0)):
        cases = groups("simulated", "z").get(f"cells-z{factor}", [])
        rows.append(_gains(f"z ×{factor}, simulated cells, against cubic", cases, "cubic", least))
    rows.append(_worst())
    for what in ("t4", "z4"):
        rows.append(_shape_row(what))
    rows += phantom_goals()
    return table(["goal", "at least", "measured", ""], rows)


def _everything(axis: str) -> dict[str, list[str]]:
    return groups("simulated", axis) | groups("real", axis)


def _of_group(names: list[str], peers: tuple[str, ...]) -> float:
    return float(np.mean([gain(name, peers) for name in names]))


def _gains(label: str, cases: list[str], peer: str, least: float) -> list[str]:
    return _row(label, [gain(name, (peer,)) for name in cases], least)


def _row(label: str, gains: list[float], least: float) -> list[str]:
    known = [value for value in gains if not np.isnan(value)]
    value = float(np.mean(known)) if known else float("nan")
    if known and len(known) < len(gains):
        label = f"{label} ({len(known)} of {len(gains)} were run)"
    mark = "–" if np.isnan(value) else "✓" if value >= least else "✗"
    return [label, f"{least:+.2f} dB", f"{value:+.2f} dB" if mark != "–" else "–", mark]


def _worst() -> list[str]:
    """Return the set on which ours is least above interpolation."""
    found = {}
    for axis in "tz":
        for group, names in _everything(axis).items():
            found[group] = _of_group(names, INTERPOLATION[:2])
    scores = dropped_scores()
    for name, score in scores.get(TOLD, {}).items():
        found[f"{name}, dropped planes"] = score - max(
            scores[peer].get(name, float("nan")) for peer in INTERPOLATION[:2]
        )
    known = {k: v for k, v in found.items() if not np.isnan(v)}
    label = "never below the better of linear and cubic"
    if not known:
        return [label, "-0.1 dB", "–", "–"]
    worst = min(known, key=lambda k: known[k])
    mark = "✓" if known[worst] >= -0.1 else "✗"
    return [label, "-0.1 dB", f"{known[worst]:+.2f} dB ({worst})", mark]


def _shape_row(what: str) -> list[str]:
    cases = groups("simulated", what[0]).get(f"cells-{what}", [])
    ours, cubic = (mean(cases, m, "bsa") for m in (OURS, by_name("cubic")))
    ratio = ours / cubic
    mark = "–" if np.isnan(ratio) else "✓" if ratio <= 0.5 else "✗"
    label = f"BSA, simulated cells, {'time' if what[0] == 't' else 'z'} ×4, against cubic"
    return [label, "half", "–" if mark == "–" else f"{ratio:.2f} of it", mark]


def protocol() -> str:
    """Return scores of plain interpolation of dropped frames, on whole series."""
    rows = []
    for name, (series, peak) in protocol_cases().items():
        for factor in (2, 3, 4):
            low = series[::factor]
            last = (len(low) - 1) * factor
            dropped = np.array([i for i in range(last) if i % factor])
            if len(low) < 3:
                continue
            kept = np.arange(len(low)) * factor
            results = [resample(low, dropped / factor, 0, k) for k in ("linear", "cubic", "spline")]
            results.append(CubicSpline(kept, low, axis=0)(dropped))
            values = [number(psnr(r, series[dropped], peak), 1) for r in results]
            rows.append([f"{name} ×{factor}", str(len(low)), *values])
    header = ["series", "frames", "linear", "cubic (Keys)", "B-spline", "cubic spline (SciPy)"]
    return table(header, rows)


def simulated(axis: str) -> str:
    """Return PSNR, SSIM, Dice and BSA of all methods on simulated cells."""
    found = groups("simulated", axis)
    rows = []
    for method in methods_for(axis):
        row = [method.label]
        for cases in found.values():
            psnr_, ssim_, dice_, bsa_ = (
                mean(cases, method, s) for s in ("psnr", "ssim", "dice", "bsa")
            )
            row.append(
                f"{number(psnr_, 2)} / {number(ssim_, 3)} / {number(dice_, 3)} "
                f"/ {number(1000 * bsa_, 2)}{mark(cases, method)}"
            )
        rows.append(row)
    return table(
        ["method", *(group.replace("cells-", "").replace(axis, "×") for group in found)], rows
    )


def real(
    axis: str, score: str = "psnr", suffix: str = "", *, word: str = "", digits: int = 2
) -> str:
    """Return one score of all methods on the real series with a word; the best is bold."""
    every = [name + suffix for names in groups("real", axis).values() for name in names]
    found = [name for name in every if word in name]
    columns = {m: [_value(name, m, score) for name in found] for m in methods_for(axis)}
    best = [
        np.nanmax([values[i] for values in columns.values()] + [-np.inf]) for i in range(len(found))
    ]
    rows = []
    for method, values in columns.items():
        cells = [
            (f"**{number(v, digits)}**" if v >= b - 0.5 * 0.1**digits else number(v, digits))
            + ("" if np.isnan(v) else mark([name], method))
            for v, b, name in zip(values, best, found, strict=True)
        ]
        rows.append([method.label, *cells])
    if axis == "t" and score == "psnr" and not suffix:
        rows.append(["*the dropped frame, denoised*", *(number(_bound(n), 2) for n in found)])
    return table(["method", *(_short(name) for name in found)], rows)


def _bound(name: str) -> float:
    """Return the score of the denoised truth itself, which knows everything but the noise."""
    noisy, smooth = case(name), case(f"{name}-denoised")
    part = noisy.scored
    return psnr(smooth.truth[part], noisy.truth[part], noisy.peak)


def _short(name: str) -> str:
    source, what, *_ = name.split("-")
    return f"{source} ×{what[1:]}"


def _value(name: str, method: Method, score: str) -> float:
    found = entry(name, method)
    return found.value(score) if found else float("nan")


def by_speed() -> str:
    """Return PSNR where there is something, by displacement per input frame."""
    rows = []
    shown = [by_name(n) for n in ("linear", "cubic", "ilk", "spatime")]
    for group, names in _everything("t").items():
        for name_of_bin in BINS:
            share = np.mean([_value(n, by_name("linear"), f"share {name_of_bin}") for n in names])
            if np.isnan(share) or share < 0.02:
                continue
            values = [
                number(float(np.mean([_value(n, m, f"psnr {name_of_bin}") for n in names])), 1)
                for m in shown
            ]
            rows.append([group, name_of_bin, f"{100 * share:.0f} %", *values])
    return table(["set", "displacement", "share", *(m.label for m in shown)], rows)


def costs() -> str:
    """Return CPU seconds and memory of ours and of the flow peers."""
    rows = []
    for axis in "tz":
        for group, names in _everything(axis).items():
            low = case(names[0]).low
            size = " × ".join(map(str, low.shape))
            row = [group, size]
            for method in map(by_name, ("ilk", "dis", "syn", "cunerf", "spatime")):
                cost = mean(names, method, "cpu")
                row.append(number(cost, 0) + ("" if np.isnan(cost) else mark(names, method)))
            row.append(number(mean(names, OURS, "peak_mb"), 0))
            rows.append(row)
    header = [
        "set",
        "input",
        "ILK, CPU-s",
        "DIS, CPU-s",
        "SyN, CPU-s",
        "CuNeRF-style, CPU-s",
        "SpatimeINR, CPU-s",
        "peak, MB",
    ]
    return table(header, rows)


def dropped() -> str:
    """Return PSNR of dropped planes by method."""
    found = dropped_scores()
    names = list(dict.fromkeys(name for values in found.values() for name in values))
    rows = [
        [LABELS[m], *(number(values.get(n, float("nan")), 2) for n in names)]
        for m, values in found.items()
    ]
    return table(["method", *(f"{name} ×3" for name in names)], rows)


def large() -> str:
    """Return memory and time of large runs."""
    rows = [
        [ROWS[name], *(number(one[k], 0) for k in ("cpu", "wall", "peak_mb", "result_mb"))]
        for name, one in costs_found().items()
    ]
    return table(["run", "CPU-s", "wall-s at most", "peak, MB", "result, MB"], rows)
