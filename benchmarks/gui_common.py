"""What the benchmarks of the viewer share: a stack, a dock and a job without the real method."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellinr.fitting.problem import Fitted, PreviewRequest, Progress
from napari_cellinr.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Job
    from napari_cellinr.image import Image
    from napari_cellinr.ui.docks.denoise import DenoiseDock
    from napari_cellinr.ui.docks.fit import FitDock


def stack(path: str | None) -> Image:
    """Return the image of a file, or a simulated embryo of the size of a real stack."""
    if path:
        from napari_cellinr.io import read

        return read(Path(path))
    from napari_cellinr.simulate.embryo import embryo

    return embryo("membranes", (70, 256, 356)).raw


def open_dock(image: Image) -> tuple[napari.Viewer, DenoiseDock]:
    """Return a viewer that shows the image, and the dock in it."""
    import napari

    from napari_cellinr.ui.docks.denoise import DenoiseDock
    from napari_cellinr.ui.layers.convert import add_images

    viewer = napari.Viewer(show=True)
    add_images(viewer, image)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise (CellINR restoration)", area="right")
    return viewer, dock


def open_sample(action: str) -> tuple[napari.Viewer, FitDock]:
    """Return a viewer with the sample of an action, and the dock of the action in it."""
    import napari

    from napari_cellinr.ui.task import task_of

    viewer = napari.Viewer(show=True)
    task = task_of(action)
    viewer.open_sample("napari-cellinr", task.sample)
    _, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", task.title)
    spin(1)
    return viewer, dock


def spin(seconds: float) -> None:
    """Let the viewer live for a while."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Let the viewer live until something is true; end the program after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"nothing after {seconds} s")
        spin(0.05)


def use_fake_job(seconds: float = 20.0) -> None:
    """Put a convolutional fit on random patches in the place of the real method."""

    def job(image: Image, config: Config, monitor: Monitor, **options: object) -> Job:
        return _fake(image, config, seconds)

    METHODS["cellinr"] = replace(METHODS["cellinr"], job=job)


def _fake(image: Image, config: Config, seconds: float) -> Job:
    import numpy as np
    import torch
    from scipy.ndimage import gaussian_filter

    begun = time.monotonic()
    yield Progress("estimating noise", 0, 0)
    smooth = gaussian_filter(np.asarray(image.data, np.float32), 1.0)
    smooth = smooth - np.percentile(smooth, 20)
    net = torch.nn.Sequential(
        torch.nn.Conv3d(1, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv3d(16, 1, 3, padding=1)
    )
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    raw = torch.as_tensor(smooth)[None, None]
    step, losses, reported, stopped = 0, {}, 0.0, "steps"
    steps = 400
    while step < steps and time.monotonic() - begun < seconds:
        z, y, x = (int(np.random.randint(0, max(1, n - 32))) for n in smooth.shape)
        patch = raw[..., z : z + 32, y : y + 64, x : x + 64]
        loss = ((net(patch) - patch) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if time.monotonic() - reported < 0.2:
            continue
        reported = time.monotonic()
        losses = {"data": loss.item()}
        spent = reported - begun
        fact = ("fitting", step, steps, losses, 1 + 3 / step, spent, (steps - step) * spent / step)
        message = yield Progress(*fact)
        while message is not None and message != "stop":
            preview, index = None, {}
            if isinstance(message, PreviewRequest):
                preview, index = image.like(smooth), message.index
                for axis, at in index.items():
                    preview = preview.take(axis, at)
            message = yield Progress(*fact, preview, index)
        if message == "stop":
            stopped = "user"
            break
    report = {"seconds": time.monotonic() - begun, "steps": step}
    return Fitted((image.like(smooth),), config, {}, (), stopped, report)
