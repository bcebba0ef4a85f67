"""Memory that many fits in a row keep.

Fits of small images, one after the other in one process; the memory of the process is measured
after the first few and after the last.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from outcome import Outcome
from shown import Shown, run_shown, small_image

if TYPE_CHECKING:
    from collections.abc import Callable

FITS = 50
WARM_UP = 15
"""Fits before the first measurement: caches fill, and the allocator finds its size."""

MOST = 10e6
"""Largest growth in bytes."""


def settings(method: str) -> tuple[Any, tuple[int, ...], str]:
    """Return the settings of a short fit, and shape and axes of its image."""
    from napari_cellinr.config import CellINRConfig, NSTMConfig, SpatimeConfig

    if method == "denoise":
        return CellINRConfig(estimate="gaussian", steps=3), (32, 32), "YX"
    if method == "superresolve":
        config = SpatimeConfig(preset="preview", scale={"T": 2, "Y": 2}, refinement=0.1)
        return config, (4, 24, 24), "TYX"
    return NSTMConfig(preset="preview", steps=3), (3, 24, 24), "TYX"


def in_the_api(method: str) -> Callable[[int], None]:
    """Return a function that fits an image with a seed."""
    from napari_cellinr import Image, api
    from napari_cellinr.fitting.problem import finish

    config, shape, axes = settings(method)
    job = getattr(api, f"iter_{method}")

    def fit(seed: int) -> None:
        finish(job(Image(small_image(seed, shape), axes), config))

    return fit


def in_the_viewer(method: str) -> Callable[[int], None]:
    """Return a function that fits an image in a viewer, and removes the layers of the result."""
    from napari_cellinr.ui.docks.denoise import DenoiseDock
    from napari_cellinr.ui.docks.reconstruct import ReconstructDock
    from napari_cellinr.ui.docks.superresolve import SuperresolveDock

    docks = {
        "denoise": DenoiseDock,
        "superresolve": SuperresolveDock,
        "reconstruct": ReconstructDock,
    }
    config, shape, axes = settings(method)
    shown = Shown(small_image(0, shape), docks[method], config, axes)

    def fit(seed: int) -> None:
        shown.layer.data = small_image(seed, shape)
        shown.begin()
        if not shown.ends(by_stop=False) or len(shown.names) < 2:
            raise SystemExit(f"the fit has no result: {shown.said[-1:]}")
        for layer in list(shown.viewer.layers):
            if layer is not shown.layer:
                shown.viewer.layers.remove(layer)
        shown.said.clear()

    return fit


PLACES = {"api": in_the_api, "viewer": in_the_viewer}
METHODS = ("denoise", "superresolve", "reconstruct")


def run(tries: int | None, seed: int) -> list[Outcome]:
    """Return how much memory `tries` fits keep, for each method in the API and in a viewer."""
    n_fits = tries or FITS
    outcomes = []
    for place in PLACES:
        for method in METHODS:
            done = run_shown(Path(__file__), place, method, n_fits, seed)
            sizes = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
            grown = sizes[-1][-1] - sizes[-1][0] if done.returncode == 0 and sizes else None
            if grown is None:
                print(done.stderr, file=sys.stderr)
            lost = int(grown is None or grown > MOST)
            measured = "it failed" if grown is None else f"{grown / 1e6:+.1f} MB"
            name = f"{n_fits} fits of {method} in the {'viewer' if place == 'viewer' else 'API'}"
            outcomes.append(Outcome(name, n_fits, lost, "10 MB at most are kept", measured))
    return outcomes


def main(place: str, method: str, n_fits: int, seed: int) -> None:
    """Print the memory after the first fits, and after every tenth of the others, in bytes."""
    fit = PLACES[place](method)
    sizes = []
    for number in range(WARM_UP + n_fits):
        fit(seed + number)
        if number + 1 >= WARM_UP and (number + 1 - WARM_UP) % max(1, n_fits // 10) == 0:
            gc.collect()
            sizes.append(psutil.Process().memory_info().rss)
    print(json.dumps(sizes), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
