"""A napari viewer with a dock and a small image, for fault runs in a process of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_cellinr.config import Config

PATIENCE = 120.0
"""Seconds after which something that does not end counts as hanging."""


def run_shown(script: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a script with a screen, a virtual one where there is none, and a home of its own.

    Parameters
    ----------
    script
        What is run.
    words
        Its arguments.
    """
    command = [sys.executable, str(script), *map(str, words)]
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        if shutil.which("xvfb-run") is None:
            raise SystemExit("this fault run needs a screen; set DISPLAY, or install xvfb-run.")
        command = ["xvfb-run", "-a", "-s", "-screen 0 1280x1024x24", *command]
    with tempfile.TemporaryDirectory() as home:
        own = {
            "HOME": home,
            **{f"XDG_{k}_HOME": home for k in ("STATE", "CONFIG", "CACHE", "DATA")},
        }
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **own}
        )


def wait_until(done: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Return whether something came true within some seconds, while the viewer stays alive."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        QApplication.processEvents()
        time.sleep(0.001)
    return True


class Shown:
    """A viewer with one image and one dock, and the settings of a short fit.

    Parameters
    ----------
    data
        The image.
    dock
        Name of the class of the dock.
    config
        The settings.
    """

    def __init__(self, data: np.ndarray, dock: type, config: Config, axes: str = "YX") -> None:
        import napari

        self.viewer = napari.Viewer(show=False)
        self.layer = self.viewer.add_image(data, name="image", axis_labels=tuple(axes.lower()))
        self.dock: Any = dock(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="dock")
        self.controller = self.dock.controller
        self.task, self.config = self.dock.task, config
        self.steps = 0
        self.said: list[tuple[str, str]] = []
        self.controller.progressed.connect(self._count)
        self.controller.said.connect(lambda kind, text: self.said.append((kind, text)))

    def _count(self, progress: object) -> None:
        self.steps += 1

    def begin(self) -> None:
        """Start the fit of the image."""
        self.steps = 0
        self.dock.dispatcher.fit(self.task, self.layer, self.config)

    def reaches(self, steps: int) -> bool:
        """Return whether the fit makes so many steps."""
        return wait_until(lambda: self.steps >= steps or self.controller.state == "idle")

    def ends(self, *, by_stop: bool = True) -> bool:
        """Return whether the fit ends, by default because it is stopped and keeps its result."""
        if by_stop and self.controller.state == "running":
            self.controller.stop()
        return wait_until(lambda: self.controller.state == "idle")

    @property
    def names(self) -> list[str]:
        """Names of the layers."""
        return [one.name for one in self.viewer.layers]

    def clear(self) -> None:
        """Remove all layers but the image, and let Qt delete what belonged to them.

        An event loop deletes it by itself; `processEvents` does not.
        """
        from qtpy.QtCore import QCoreApplication, QEvent

        for layer in list(self.viewer.layers):
            if layer is not self.layer:
                self.viewer.layers.remove(layer)
        QCoreApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    def close(self) -> None:
        """Close the viewer, and let Qt delete it."""
        from qtpy.QtWidgets import QApplication

        self.viewer.close()
        QApplication.processEvents()


def small_image(seed: int, shape: tuple[int, ...] = (40, 48)) -> np.ndarray:
    """Return a smooth noisy image, float32."""
    places = np.ogrid[tuple(slice(0, size) for size in shape)]
    wave = sum(np.sin(place / (4 + i)) for i, place in enumerate(places))
    noise = np.random.default_rng(seed).normal(0, 5, shape)
    return np.asarray(100 + 20 * wave + noise, np.float32)
