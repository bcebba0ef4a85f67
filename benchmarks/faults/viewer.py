"""Viewers that lose what a running fit needs.

Each fault comes after a random step of a real fit in a real viewer. Nothing may hang or be
printed, and either the result is there, or what was removed stays removed.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from outcome import Outcome
from shown import Shown, run_shown, small_image, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES = 10
STEPS = 5000
"""More than a fit makes before its fault; afterwards it is stopped."""

LATEST = 20
"""Largest number of steps before a fault."""

SHAPE = (4, 24, 24)
RESULT = "reconstructed · image"


def ready(seed: int) -> Shown:
    """Return a viewer in which a fit can be begun."""
    from napari_cellinr.config import NSTMConfig
    from napari_cellinr.ui.docks.reconstruct import ReconstructDock

    config = NSTMConfig(preset="preview", steps=STEPS, seed=seed)
    return Shown(small_image(seed, SHAPE), ReconstructDock, config, "TYX")


def begun(step: int, seed: int) -> tuple[Shown, bool]:
    """Return a viewer with a fit after some steps, and whether it got there."""
    shown = ready(seed)
    shown.begin()
    there = shown.reaches(step)
    return shown, there and shown.controller.state == "running"


def closed(step: int, seed: int) -> bool:
    """Return whether the thread of a fit ends when its viewer is closed."""
    shown, there = begun(step, seed)
    run = shown.controller._run
    shown.close()
    return there and wait_until(lambda: run.wait(0.0))


def input_removed(step: int, seed: int) -> bool:
    """Return whether a fit is cancelled without a trace when its image is removed."""
    shown, there = begun(step, seed)
    shown.viewer.layers.remove(shown.layer)
    good = there and shown.ends() and shown.names == []
    shown.close()
    return good


def input_changed(step: int, seed: int) -> bool:
    """Return whether the result of the image as it was is shown when other data take its place."""
    shown, there = begun(step, seed)
    shape = random.Random(seed).choice([SHAPE, (3, 16, 16), (2, 3, 16, 16)])
    shown.layer.data = small_image(seed + 1, shape)
    good = there and shown.ends() and len(shown.names) >= 2
    shown.close()
    return good


def output_removed(step: int, seed: int) -> bool:
    """Return whether there is a result although the layer of the running fit was removed."""
    shown, there = begun(step, seed)
    there = there and wait_until(lambda: len(shown.names) > 1)
    for layer in list(shown.viewer.layers):
        if layer is not shown.layer:
            shown.viewer.layers.remove(layer)
    there = there and shown.controller.state == "running"
    good = there and shown.ends() and RESULT in shown.names
    shown.close()
    return good


def two_viewers(step: int, seed: int) -> bool:
    """Return whether two viewers that fit at once get both results."""
    both = [ready(seed), ready(seed)]
    for one in both:
        one.begin()
    good = all(one.reaches(step) for one in both)
    good = good and all(one.ends() for one in both) and all(RESULT in one.names for one in both)
    for one in both:
        one.close()
    return good


def device_lost(step: int, seed: int) -> bool:
    """Return whether a fit whose device fails says so once, and the next one succeeds."""
    from napari_cellinr.methods.nstm.problem import NSTMProblem

    loss, calls = NSTMProblem.loss, []

    def failing(self: Any, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > step:
            raise RuntimeError("CUDA error: unspecified launch failure")
        return loss(self, *arguments)

    shown = ready(seed)
    with patch.object(NSTMProblem, "loss", failing):
        shown.begin()
        good = shown.ends(by_stop=False)
    errors = [text for kind, text in shown.said if kind == "error"]
    good = good and len(errors) == 1 and shown.names == ["image"]
    shown.begin()
    good = good and shown.reaches(step) and shown.ends() and RESULT in shown.names
    shown.close()
    return good


FAULTS: dict[str, tuple[str, Callable[[int, int], bool]]] = {
    "the viewer is closed during a fit": ("the fit ends", closed),
    "the image is removed during its fit": (
        "the fit is cancelled, no layer is left",
        input_removed,
    ),
    "other data take the place of the image": ("the result is shown", input_changed),
    "the layer of the running fit is removed": ("the result is a new layer", output_removed),
    "two viewers fit at once": ("both results are shown", two_viewers),
    "the device fails": ("one message; the next fit succeeds", device_lost),
}


def run(tries: int | None, seed: int) -> list[Outcome]:
    """Run all faults in one process.

    Parameters
    ----------
    tries
        How often each is tried; by default as often as for the page.
    seed
        Of the images, and of the steps after which the faults come.
    """
    done = run_shown(Path(__file__), tries or TRIES, seed)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    lines = [line for line in done.stderr.splitlines() if line.strip() and "it/s]" not in line]
    print(*lines, sep="\n", file=sys.stderr)
    outcomes = []
    for fault, (rule, _) in FAULTS.items():
        own = [one["good"] for one in found if one["fault"] == fault]
        lost = own.count(False) + (tries or TRIES) - len(own)
        outcomes.append(Outcome(fault, tries or TRIES, lost, rule))
    ended = int(done.returncode != 0 or bool(lines))
    rule = "exit code 0, nothing on the error stream but progress"
    measured = f"exit code {done.returncode}, {len(lines)} lines"
    return [*outcomes, Outcome("all of these in one process", 1, ended, rule, measured)]


def main(tries: int, seed: int) -> None:
    """Run all faults, and print a line of JSON for each."""
    draw = random.Random(seed)
    for number in range(tries):
        for fault, (_, attempt) in FAULTS.items():
            good = attempt(draw.randrange(1, LATEST), seed + number)
            print(json.dumps({"fault": fault, "good": good}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
