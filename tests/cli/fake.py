"""A job that behaves like the real one, in no time and without torch."""

import sys
import time

import numpy as np

from napari_cellinr.errors import FitError
from napari_cellinr.fitting.problem import Fitted, Progress

REPORT_KEYS = {
    "seconds", "steps", "device", "peak_memory_mb", "held_out", "noise", "converged", "versions",
    "config", "warnings", "stopped", "method",
}  # fmt: skip


class FakeJobs:
    """Stands for the job of a method; keeps what it was called with.

    Parameters
    ----------
    pause
        Seconds per step.
    error
        What to raise in step 2.
    """

    def __init__(self, pause=0.0, error=None, warnings=()):
        self.pause = pause
        self.error = error
        self.warnings = list(warnings)
        self.calls = []

    def __call__(self, image, config, monitor, *, lazily=False):
        self.calls.append((image, config, monitor.started))
        return self._run(image, config)

    def _run(self, image, config):
        stopped, step = "steps", 0
        for step in range(1, config.steps + 1):
            time.sleep(self.pause)
            if step == 2 and self.error:
                raise FitError(self.error)
            message = yield Progress("fitting", step, config.steps, {"data": 1.0}, 1.05, eta=2.0)
            if message == "stop":
                stopped = "user"
                break
        data = np.asarray(image.data, np.float32)
        background = np.full_like(data, 5)
        signal, kept = image.like(data - 5), image.like(data)
        keeps = getattr(config, "background", "subtract") == "keep"
        result, other = (kept, signal) if keeps else (signal, kept)
        return Fitted(
            images=(result, image.like(background, name="background"), other),
            roles=("result", "background", "signal" if keeps else "kept"),
            config=config,
            state={"grid": np.arange(6, dtype=np.float32)},
            history=({"step": 1, "held_out": float("nan")},),
            stopped=stopped,
            report=self._report(config, step),
        )

    def _report(self, config, step):
        return {
            "seconds": 0.1, "steps": step, "device": "cpu", "peak_memory_mb": 1.0,
            "held_out": float("nan"), "noise": {"gain": 2.0}, "converged": False,
            "versions": {"napari-cellinr": "0"}, "config": config.as_dict(),
            "warnings": self.warnings,
        }  # fmt: skip


if __name__ == "__main__":  # a process of its own, for the tests of Ctrl-C: PAUSE WORDS…
    from dataclasses import replace

    from napari_cellinr.cli import main
    from napari_cellinr.methods import METHODS

    class TellingJobs(FakeJobs):
        def _run(self, image, config):
            print("begun", flush=True)  # noqa: T201
            return (yield from super()._run(image, config))

    METHODS["cellinr"] = replace(METHODS["cellinr"], job=TellingJobs(pause=float(sys.argv[1])))
    raise SystemExit(main(sys.argv[2:]))
