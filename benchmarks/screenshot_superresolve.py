"""The picture of the dock for super-resolution, after a run on simulated cells.

xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/screenshot_superresolve.py PICTURE.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gui_common
import napari
import numpy as np
from skimage.io import imsave

from napari_cellinr.ui.docks.superresolve import SuperresolveDock
from napari_cellinr.ui.panels.time import STEPS_PER_FRAME
from napari_cellinr.ui.plugin import sample_cells

FRAME = 2.5  # between two given frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args()
    viewer = napari.Viewer()
    viewer.theme = "dark"
    data, attributes, _ = sample_cells()[1]
    layer = viewer.add_image(data, **attributes)
    dock = SuperresolveDock(viewer)
    viewer.window.add_dock_widget(dock, name="Super-resolve (CellINR restoration)", area="right")
    viewer.window.resize(1500, 950)
    for axis, factor in (("T", "4"), ("Z", "4")):
        dock.form.section.boxes[axis].setText(factor)
        dock.form.section.boxes[axis].textEdited.emit(factor)
    viewer.dims.set_point(0, FRAME * layer.scale[0])
    viewer.dims.set_point(1, 6.5)
    gui_common.spin(2)
    dock.run()
    gui_common.wait_for(lambda: dock.controller.state == "idle", 600)
    result = next(one for one in viewer.layers if "super-resolved" in one.name)
    dock.below.slider.setValue(round(FRAME * STEPS_PER_FRAME))
    gui_common.wait_for(lambda: any("at time" in one.name for one in viewer.layers), 60)
    gui_common.wait_for(lambda: dock.controller.state == "idle", 60)
    canvas = getattr(viewer, "canvas", viewer)  # the viewer itself before napari 0.9
    canvas.grid.enabled = True
    canvas.grid.shape = (1, 3)
    viewer.reset_view()
    gui_common.spin(10)
    given.picture.parent.mkdir(parents=True, exist_ok=True)
    imsave(given.picture, viewer.screenshot(canvas_only=False, flash=False))
    print(result.name, np.asarray(result.data).shape, result.scale, dock.panel.status.text())
    viewer.close()


if __name__ == "__main__":
    main()
