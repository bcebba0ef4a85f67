"""Pictures of napari with the dock: idle, during a run and after it.

xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/screenshot.py FOLDER [--file STACK.tif]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import gui_common
from skimage.io import imsave

from napari_cellinr.ui.preferences import Preferences
from napari_cellinr.ui.session import controller


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--file", help="a stack; a simulated embryo if not given")
    parser.add_argument("--sample", action="store_true", help="the embryo of napari's menu instead")
    parser.add_argument(
        "--steps", type=int, help="of the fit; the default of the dock if not given"
    )
    parser.add_argument("--job", choices=("real", "fake"), default="real")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    parser.add_argument("--width", type=int, help="of the dock in pixels")
    parser.add_argument("--size", type=int, nargs=2, default=(1500, 950), help="of the window")
    parser.add_argument("--seconds", type=float, default=60, help="time for the fit")
    parser.add_argument("--background", choices=("subtract", "keep"), default="subtract")
    parser.add_argument("--advanced", action="store_true", help="open the advanced settings")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.job == "fake":
        gui_common.use_fake_job(given.seconds)
    image = gui_common.sample() if given.sample else gui_common.stack(given.file)
    # Notifications fade only in a window that is used.
    controller.preferences = lambda: Preferences(notifications=False)
    viewer, dock = gui_common.open_dock(image, theme=given.theme, width=given.width)
    viewer.window.resize(*given.size)
    viewer.dims.set_current_step(0, image.shape[0] // 2)
    dock.form.field("background").set_value(given.background)
    dock.form.field("max_seconds").set_value(given.seconds)
    if given.steps:
        dock.form.field("steps").set_value(given.steps)
    if given.advanced:
        dock.form.advanced.expand()
    gui_common.spin(1)
    viewer.reset_view()
    gui_common.spin(2)

    def shoot(name: str) -> None:
        imsave(given.folder / f"{name}.png", viewer.screenshot(canvas_only=False, flash=False))

    shoot("idle")
    begun = time.monotonic()
    dock.run()
    live = "(running)"
    limit = given.seconds + 120
    idle = lambda: dock.controller.state == "idle"  # noqa: E731
    gui_common.wait_for(lambda: idle() or any(live in one.name for one in viewer.layers), limit)
    gui_common.spin(3)
    shoot("running")
    gui_common.wait_for(idle, limit)
    gui_common.spin(2)
    shoot("finished")
    print(f"{time.monotonic() - begun:.1f} s; {dock.panel.status.text()}")
    viewer.close()


if __name__ == "__main__":
    main()
