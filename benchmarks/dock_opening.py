"""How long each dock takes to open once torch is loaded, in a viewer with an image.

xvfb-run -a -s "-screen 0 1280x1024x24" python benchmarks/dock_opening.py
"""

from __future__ import annotations

import argparse
import time

DOCKS = ("Denoise", "Super-resolve", "Reconstruct motion", "Compare", "Batch", "Script")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    import gui_common
    import napari
    import torch
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=True)
    gui_common.spin(1)
    viewer.open_sample("napari-cellinr", "embryo-membranes")
    gui_common.spin(1)
    print(f"torch {torch.__version__}; wall and CPU seconds until the dock is painted")
    for name in DOCKS:
        wall, cpu = time.perf_counter(), time.process_time()
        frame, _ = viewer.window.add_plugin_dock_widget("napari-cellinr", name)
        QApplication.processEvents()
        frame.repaint()
        print(f"{name}: {time.perf_counter() - wall:.3f} {time.process_time() - cpu:.3f}")
        gui_common.spin(1)
    viewer.close()


if __name__ == "__main__":
    main()
