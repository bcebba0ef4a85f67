"""Pictures of the whole window for README and the documentation, in docs/pictures.

xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/pictures.py docs/pictures [NAME …]

Without a name, all of them: start, napari, superresolve, nstm, compare (with script), nifti. The
last needs the real data beside the repository (`--data`). `readme_motion.py` makes the movie,
`docks_states.py` the pictures of each state of the docks.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import docks_states
import gui_common
from docks_states import States

from napari_cellinr.runs import resume
from napari_cellinr.simulate.embryo import embryo
from napari_cellinr.ui.layers.convert import add_images
from napari_cellinr.ui.panels.time import STEPS_PER_FRAME
from napari_cellinr.ui.plugin import sample_cells
from napari_cellinr.ui.preferences import Preferences
from napari_cellinr.ui.session import controller
from napari_cellinr.ui.task import task_of

FRAME = 2.5  # between two given frames
NIFTI = "celegans_membrane/membrane_t021-t030.nii.gz"


class Window(States):
    """A viewer whose pictures are named by the page that shows them, at their full size."""

    prefix = ""


def start(window: Window, _data: Path) -> None:
    """Photograph the dock in an empty viewer."""
    window.open("Denoise")
    window.shoot("start")


def napari(window: Window, _data: Path) -> None:
    """Photograph a denoised embryo of the size of a real stack."""
    add_images(window.viewer, embryo("membranes", (70, 256, 356)).raw)
    dock = window.open("Denoise")
    window.viewer.dims.set_current_step(0, 35)
    window.viewer.reset_view()
    _finish(dock)
    window.shoot("napari")


def superresolve(window: Window, _data: Path) -> None:
    """Photograph cells, their frames and planes four times finer, and one time beside them."""
    data, attributes, _ = sample_cells()[1]  # napari 0.9 may crash once a layer was removed
    window.viewer.add_image(data, **attributes)
    dock = window.open(task_of("superresolve").title)
    for axis in "TZ":
        dock.form.section.boxes[axis].setText("4")
        dock.form.section.boxes[axis].textEdited.emit("4")
    window.viewer.dims.set_point(0, FRAME * window.viewer.layers["cells"].scale[0])
    window.viewer.dims.set_point(1, 6.5)
    _finish(dock)
    dock.below.slider.setValue(round(FRAME * STEPS_PER_FRAME))
    gui_common.wait_for(lambda: any("at time" in one.name for one in window.viewer.layers), 60)
    gui_common.wait_for(lambda: not dock.dispatcher.is_busy, 60)
    grid = window.viewer.canvas.grid
    grid.enabled, grid.shape = True, (1, -1)
    window.viewer.reset_view()
    window.shoot("superresolve")


def nstm(window: Window, _data: Path) -> None:
    """Photograph a reconstructed worm with its arrows and tracks."""
    dock = _sample(window, "reconstruct")
    _finish(dock)
    dock.dispatcher.offers.show_named("tracks")
    window.viewer.layers["worm truth"].visible = False
    window.viewer.dims.set_current_step(0, window.viewer.dims.nsteps[0] * 2 // 3)
    window.viewer.reset_view()
    window.shoot("nstm")


def compare(window: Window, _data: Path) -> None:
    """Photograph a result beside the conventional one, and then the script of these steps."""
    add_images(window.viewer, embryo("membranes", (24, 96, 128)).raw)
    dock = window.open("Denoise")
    window.viewer.reset_view()
    _finish(dock)
    beside = window.open("Compare")
    beside.compare_button.click()
    gui_common.wait_for(lambda: not dock.dispatcher.is_busy, 120)
    beside.line_button.click()
    gui_common.spin(2)
    window.shoot("compare")
    window.open("Script")
    window.shoot("script")


def nifti(window: Window, data: Path) -> None:
    """Photograph a real NIfTI series as napari opens it, with its scale bar."""
    window.viewer.open(str(data / NIFTI), plugin="napari-cellinr")
    window.viewer.canvas.overlays.scale_bar.visible = True
    window.viewer.dims.set_current_step((0, 1), (4, 35))
    window.viewer.reset_view()
    window.shoot("nifti")


PICTURES = {one.__name__: one for one in (start, napari, superresolve, nstm, compare, nifti)}


def _sample(window: Window, action: str) -> Any:
    """Return the dock of an action, with its sample in the viewer."""
    task = task_of(action)
    window.viewer.open_sample("napari-cellinr", task.sample)
    dock = window.open(task.title)
    window.viewer.reset_view()
    return dock


def _finish(dock: Any) -> None:
    dock.run()
    gui_common.spin(0.5)
    gui_common.wait_for(lambda: not dock.dispatcher.is_busy, 3600)
    print(dock.panel.status.text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data")
    given = parser.parse_args()
    if unknown := set(given.names) - set(PICTURES):
        parser.error(f"no picture is called {', '.join(sorted(unknown))}")
    jobs = Path(tempfile.mkdtemp())  # so that no unfinished job of others is offered
    resume.jobs_folder = lambda: jobs
    controller.preferences = lambda: Preferences(notifications=False)
    docks_states.WIDTH = 1500  # these are shown as wide as the page
    window = Window(given.folder, (1280, 800))
    for name in given.names or PICTURES:
        window.renew()
        PICTURES[name](window, given.data)
    window.viewer.close()


if __name__ == "__main__":
    main()
