"""How long the viewer stands still while a fit runs.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/gui_stall.py [--file STACK.tif]
    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/gui_stall.py --action reconstruct

Without an action, a stack is denoised; with one, the sample of its dock is.

A timer of the main loop fires every 5 ms; a stall is the time by which a tick comes late. The
view is 2-D. Stalls within `AFTER_PREVIEW` seconds of a new preview are napari's own upload
and paint of it and are counted apart, because they would be there for any change of a layer.
The first seconds, in which torch is imported, are counted apart as well.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING

import gui_common
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

AFTER_PREVIEW = 0.25
"""Seconds after the arrival of a preview that belong to its paint."""

TARGETS = {95: 50.0, 99: 150.0}
"""Longest stall allowed in milliseconds by percentile."""


class Stopwatch:
    """Ticks of the main loop: when each came and by how many milliseconds it was late."""

    def __init__(self, interval: int = 5) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.interval = interval
        self.ticks: list[tuple[float, float]] = []
        self.previews: list[float] = []
        self._last: float | None = None
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    def measure(self, until: Callable[[], bool], limit: float) -> None:
        """Run the main loop itself, so that nothing but the viewer is measured."""
        from qtpy.QtCore import QEventLoop, QTimer

        loop = QEventLoop()
        end = time.monotonic() + limit
        watch = QTimer()
        watch.timeout.connect(lambda: (until() or time.monotonic() > end) and loop.quit())
        watch.start(100)
        self._last = None
        self._timer.start(self.interval)
        loop.exec_() if hasattr(loop, "exec_") else loop.exec()
        self._timer.stop()

    def note_preview(self) -> None:
        """Remember that a preview is shown from now on."""
        self.previews.append(time.perf_counter())

    def late(self, begin: float = 0, end: float = float("inf"), *, paints: bool) -> np.ndarray:
        """Return the stalls in milliseconds, those of paints of previews or all others."""
        rows = [(now, late) for now, late in self.ticks if begin <= now < end]
        return np.array([late for now, late in rows if self._is_paint(now, late) == paints])

    def _is_paint(self, now: float, late: float) -> bool:
        begun = now - late / 1000
        return any(begun - 0.01 <= at + AFTER_PREVIEW and now >= at for at in self.previews)

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._last is not None:
            self.ticks.append((now, max(0.0, 1000 * (now - self._last) - self.interval)))
        self._last = now


def report(name: str, late: np.ndarray) -> dict[int, float]:
    """Print one line of percentiles and return them."""
    if not late.size:
        print(f"{name:34s} none")
        return dict.fromkeys(TARGETS, 0.0)
    values = {p: float(np.percentile(late, p)) for p in (50, 95, 99)}
    text = "  ".join(f"p{p} {value:6.1f}" for p, value in values.items())
    print(f"{name:34s} {text}  max {late.max():7.1f} ms   ({late.size} ticks)")
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", help="a stack; a simulated embryo of 70×256×356 if not given")
    parser.add_argument("--action", help="open the dock and the sample of this method")
    parser.add_argument("--job", choices=("real", "fake"), default="real")
    parser.add_argument("--seconds", type=float, default=60, help="time for the fit")
    given = parser.parse_args()
    if given.job == "fake":
        gui_common.use_fake_job(given.seconds)
    if given.action:
        viewer, dock = gui_common.open_sample(given.action)
    else:
        viewer, dock = gui_common.open_dock(gui_common.stack(given.file))
    shape = viewer.layers.selection.active.data.shape
    viewer.dims.set_current_step(0, shape[0] // 2)
    dock.form.field("max_seconds").set_value(given.seconds)
    gui_common.spin(3)

    idle = Stopwatch()
    idle.measure(lambda: False, 5)
    running = Stopwatch()
    stages: list[tuple[float, str]] = []

    def on_progress(progress: object) -> None:
        stage = progress.stage  # type: ignore[attr-defined]
        if not stages or stages[-1][1] != stage:
            stages.append((time.perf_counter(), stage))

    dock.controller.progressed.connect(on_progress)
    begun = time.perf_counter()
    dock.run()
    dock.controller._run.previewed.connect(running.note_preview)
    running.measure(lambda: dock.controller.state == "idle", given.seconds + 120)
    ended = time.perf_counter()

    print(f"{shape}, {os.cpu_count()} cores; {dock.panel.status.text()}")
    report("idle viewer", idle.late(paints=False))
    first = stages[0][0] if stages else ended
    report("start, with the import of torch", running.late(begun, first, paints=False))
    for (start, stage), (stop, _) in zip(stages, [*stages[1:], (ended, "")], strict=True):
        report(f"stage: {stage}", running.late(start, stop, paints=False))
    report(f"paints of {len(running.previews)} previews", running.late(paints=True))
    values = report("fit, without paints of previews", running.late(first, ended, paints=False))
    for percentile, target in TARGETS.items():
        verdict = "holds" if values[percentile] < target else "MISSED"
        print(f"p{percentile} < {target:.0f} ms: {verdict}")
    viewer.close()


if __name__ == "__main__":
    main()
