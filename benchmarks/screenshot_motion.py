"""Picture of napari with the dock for motion: arrows and tracks over the scene of a sample.

xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/screenshot_motion.py worm FILE.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gui_common
import napari
from skimage.io import imsave

from napari_cellinr.ui.docks.reconstruct import ReconstructDock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("worm", "beads", "cell", "ball"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--steps", type=int, help="steps of the fit; the default if not given")
    given = parser.parse_args()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1500, 950)
    truth, raw = viewer.open_sample("napari-cellinr", f"motion-{given.kind}")
    dock = ReconstructDock(viewer)
    name = "Reconstruct motion (CellINR restoration)"
    viewer.window.add_dock_widget(dock, name=name, area="right").setFixedWidth(400)
    dock.source.choose(raw.unique_id)
    if given.steps:
        dock.form.field("steps").set_value(given.steps)
    gui_common.spin(1)
    dock.run()
    gui_common.spin(0.5)
    gui_common.wait_for(lambda: dock.controller.state == "idle", 3600)
    truth.visible = False
    viewer.dims.set_current_step(0, viewer.dims.nsteps[0] * 2 // 3)
    viewer.reset_view()
    gui_common.spin(9)  # until napari has folded its notification away
    imsave(given.file, viewer.screenshot(canvas_only=False, flash=False))
    print(dock.panel.status.text())
    viewer.close()


if __name__ == "__main__":
    main()
