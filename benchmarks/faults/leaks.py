"""Memory that many fits in a row keep.

Fits of small images, one after the other in one process; the memory of the process is measured
after the first few and after the last. What napari itself keeps is measured by showing and removing
the layers of one result as often, without fits, and is subtracted.
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


def shown_with_dock(method: str) -> Shown:
    """Return a viewer with a small image and the dock of a method."""
    from napari_cellinr.ui.docks.denoise import DenoiseDock
    from napari_cellinr.ui.docks.reconstruct import ReconstructDock
    from napari_cellinr.ui.docks.superresolve import SuperresolveDock

    docks = {
        "denoise": DenoiseDock,
        "superresolve": SuperresolveDock,
        "reconstruct": ReconstructDock,
    }
    config, shape, axes = settings(method)
    return Shown(small_image(0, shape), docks[method], config, axes)


def fit_shown(shown: Shown, seed: int) -> list[Any]:
    """Fit an image with a seed; return the layers of the result."""
    shown.layer.data = small_image(seed, shown.layer.data.shape)
    shown.begin()
    if not shown.ends(by_stop=False) or len(shown.names) < 2:
        raise SystemExit(f"the fit has no result: {shown.said[-1:]}")
    shown.said.clear()
    return [layer for layer in shown.viewer.layers if layer is not shown.layer]


def in_the_viewer(method: str) -> Callable[[int], None]:
    """Return a function that fits an image in a viewer, and removes the layers of the result."""
    shown = shown_with_dock(method)

    def fit(seed: int) -> None:
        fit_shown(shown, seed)
        shown.clear()

    return fit


def in_napari_alone(method: str) -> Callable[[int], None]:
    """Return a function that shows and removes the layers of one and the same fit."""
    from napari.layers import Layer

    shown = shown_with_dock(method)
    kept = [layer.as_layer_data_tuple() for layer in fit_shown(shown, 0)]
    shown.clear()

    def show(seed: int) -> None:
        shown.layer.data = small_image(seed, shown.layer.data.shape)
        for data, options, kind in kept:
            shown.viewer.add_layer(Layer.create(data.copy(), dict(options), kind))
        shown.clear()

    return show


PLACES = {"api": in_the_api, "viewer": in_the_viewer, "napari": in_napari_alone}
METHODS = ("denoise", "superresolve", "reconstruct")


def run(tries: int | None, seed: int) -> list[Outcome]:
    """Return how much memory `tries` fits keep, for each method in the API and in a viewer."""
    n_fits = tries or FITS
    outcomes = []
    for method in METHODS:
        kept = grown("api", method, n_fits, seed)
        outcomes.append(outcome(f"{method} in the API", n_fits, kept, f"{kept / 1e6:+.1f} MB"))
    for method in METHODS:
        kept, alone = (grown(place, method, n_fits, seed) for place in ("viewer", "napari"))
        measured = f"{kept / 1e6:+.1f} MB, napari alone {alone / 1e6:+.1f} MB"
        outcomes.append(outcome(f"{method} in the viewer", n_fits, kept - max(0, alone), measured))
    return outcomes


def outcome(name: str, n_fits: int, kept: float, measured: str) -> Outcome:
    """Return one line of the page."""
    lost = int(not kept <= MOST)
    return Outcome(f"{n_fits} fits of {name}", n_fits, lost, "10 MB at most are kept", measured)


def grown(place: str, method: str, n_fits: int, seed: int) -> float:
    """Return the growth of the memory in bytes; not a number if the process failed."""
    done = run_shown(Path(__file__), place, method, n_fits, seed)
    sizes = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    if done.returncode or not sizes:
        print(done.stderr, file=sys.stderr)
        return float("nan")
    return sizes[-1][-1] - sizes[-1][0]


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
