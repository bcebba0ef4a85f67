"""Pictures of the whole window in each state of the docks, for docs/benchmarks/docks.md.

xvfb-run -a -s "-screen 0 1280x800x24" python benchmarks/docks_states.py docs/benchmarks
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gui_common
import numpy as np
from PIL import Image as Picture

from napari_cellinr.runs import resume
from napari_cellinr.simulate.embryo import embryo
from napari_cellinr.ui.layers.convert import add_images
from napari_cellinr.ui.preferences import Preferences
from napari_cellinr.ui.session import controller
from napari_cellinr.ui.task import task_of

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 1000
"""Width of a picture in pixels."""


class States:
    """A viewer whose window is photographed."""

    prefix = "docks-"

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self.folder, self._size = folder, size
        self.viewer = self._viewer()

    def _viewer(self) -> Any:
        import napari

        viewer = napari.Viewer(show=True)
        viewer.window.resize(*self._size)
        gui_common.spin(1)
        return viewer

    def renew(self) -> Any:
        """Return an empty viewer, in place of the one before."""
        self.viewer.close()
        self.viewer = self._viewer()
        return self.viewer

    def open(self, name: str) -> Any:
        """Return a dock of the plugin, in front of the others."""
        frame, dock = self.viewer.window.add_plugin_dock_widget("napari-cellinr", name)
        gui_common.spin(0.5)
        frame.raise_()
        gui_common.spin(0.5)
        return dock

    def run(self, dock: Any, seconds: float) -> None:
        """Run the fit of a dock, with a time limit."""
        dock.form.field("max_seconds").set_value(seconds)
        dock.form.changed.emit()
        dock.run()
        gui_common.wait_for(lambda: not dock.dispatcher.is_busy, seconds + 300)
        gui_common.spin(1)

    def shoot(self, name: str) -> None:
        """Save a small picture of the whole window."""
        gui_common.spin(1.5)
        pixels = self.viewer.screenshot(canvas_only=False, flash=False)
        self._save(Picture.fromarray(np.asarray(pixels)[..., :3]), name)

    def shoot_window(self, window: Any, name: str) -> None:
        """Save a small picture of a window of its own."""
        gui_common.spin(1)
        place = self.folder / "window.png"
        window.grab().save(str(place))
        self._save(Picture.open(place).convert("RGB"), name)
        place.unlink()

    def _save(self, picture: Picture.Image, name: str) -> None:
        if picture.width > WIDTH:
            height = round(picture.height * WIDTH / picture.width)
            picture = picture.resize((WIDTH, height), Picture.Resampling.LANCZOS)
        few = picture.quantize(256, dither=Picture.Dither.NONE)
        few.save(self.folder / f"{self.prefix}{name}.png", optimize=True)
        print(f"{self.prefix}{name}.png")


ACTIONS = ("denoise", "superresolve", "reconstruct")


def basic(states: States, actions: Sequence[str] = ACTIONS) -> None:
    """Photograph the docks of the three methods at rest, running and finished; then as tabs."""
    for action in actions:
        task = task_of(action)
        viewer = states.renew()  # napari's sliders keep the numbers of layers that are gone
        viewer.open_sample("napari-cellinr", task.sample)
        dock = states.open(task.title)
        viewer.reset_view()
        states.shoot(f"{action}-rest")
        if action == "reconstruct":
            dock.form.field("check_motion").set_value(False)  # for a third of the time
        dock.run()
        gui_common.wait_for(partial(_shows_progress, states, dock), 300)
        states.shoot(f"{action}-running")
        gui_common.wait_for(partial(_is_idle, dock), 900)
        viewer.dims.set_current_step(0, viewer.dims.nsteps[0] * 3 // 4)
        states.shoot(f"{action}-finished")
    for name in ("Denoise", "Super-resolve", "Compare", "Batch", "Script"):
        states.open(name)
    states.shoot("tabs")


def _is_idle(dock: Any) -> bool:
    return not dock.dispatcher.is_busy


def _shows_progress(states: States, dock: Any) -> bool:
    """Return whether there is a preview of the run, or its end."""
    return _is_idle(dock) or any("(running)" in one.name for one in states.viewer.layers)


def denoised(states: States) -> None:
    """Photograph a denoised embryo: swipe line, side by side, comparison, figure, history."""
    viewer = states.viewer
    add_images(viewer, embryo("membranes", (12, 64, 64)).raw)
    dock = states.open("Denoise")
    viewer.reset_view()
    states.run(dock, 300)
    viewer.theme = "light"
    states.shoot("finished-light")
    viewer.theme = "dark"
    dock.fit_actions.swipe_button.click()
    states.shoot("swipe")
    compare = states.open("Compare")
    compare.before_after.side_button.click()
    states.shoot("side-by-side")
    compare.before_after.side_button.click()
    compare.figures.save_figure_as(states.folder / "docks-figure.png")
    gui_common.wait_for(lambda: not dock.dispatcher.is_busy, 120)
    dock.form.field("background").set_value("keep")
    states.run(dock, 300)
    script = states.open("Script")
    script.pages.setCurrentWidget(script.steps)
    states.shoot("steps")
    script.pages.setCurrentWidget(script.runs)
    states.shoot("runs")


def moving(states: States) -> None:
    """Photograph a reconstructed worm: the choice of the microscope, arrows, tracks, table."""
    viewer = states.renew()
    viewer.open_sample("napari-cellinr", "motion-worm")
    dock = states.open("Reconstruct motion")
    viewer.reset_view()
    dock.form.section.guide_button.click()
    gui_common.spin(1)
    (window,) = [
        one for one in dock.form.section.children() if one.isWidgetType() and one.isWindow()
    ]
    states.shoot_window(window, "microscopes")
    window.reject()
    dock.form.field("check_motion").set_value(False)
    dock.run()
    begun = time.monotonic()
    running = lambda: any(  # noqa: E731
        one.name.startswith("motion") and "(running)" in one.name for one in viewer.layers
    )
    gui_common.wait_for(lambda: running() or not dock.dispatcher.is_busy, 300)
    states.shoot("running-motion")
    gui_common.wait_for(lambda: not dock.dispatcher.is_busy, 600)
    print(f"{time.monotonic() - begun:.0f} s")
    viewer.dims.set_current_step(0, 9)
    states.shoot("motion")
    dock.below.kind.setCurrentIndex(1)
    dock.below.arrows_button.click()
    gui_common.wait_for(lambda: not dock.dispatcher.is_busy, 60)
    dock.dispatcher.offers.show_named("tracks")
    states.shoot("tracks")
    dock.below.show_table()
    gui_common.spin(1)
    from napari_cellinr.ui.motion.track_table import TrackTable

    (table,) = dock.below.findChildren(TrackTable)
    states.shoot_window(table, "table")
    table.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 800), help="of the window")
    parser.add_argument("--only", choices=("basic", "denoised", "moving"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    jobs = Path(tempfile.mkdtemp())  # so that no unfinished job of others is offered
    resume.jobs_folder = lambda: jobs
    controller.preferences = lambda: Preferences(notifications=False)
    states = States(given.folder, tuple(given.size))
    for part in (basic, denoised, moving):
        if given.only in {None, part.__name__}:
            states.viewer.layers.clear()
            part(states)
    states.viewer.close()


if __name__ == "__main__":
    main()
