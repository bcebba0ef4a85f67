"""The movie of the README: the worm sample, reconstructed, with its motion as arrows.

python benchmarks/readme_motion.py docs/pictures/motion.gif
"""

from __future__ import annotations

import argparse
from pathlib import Path

import imageio.v3 as imageio
import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

from napari_cellinr import Image, reconstruct
from napari_cellinr.motion.arrows import Arrows, visible_arrows
from napari_cellinr.simulate.recordings import moving

MILLISECONDS = 160
LONGER = 3.0
"""How many times longer than the displacement the arrows are drawn."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--preset", default="preview", help="fast: motion is checked, too")
    given = parser.parse_args()
    sample = moving("worm")
    fitted = reconstruct(sample.raw, sample.optics, preset=given.preset)
    scene, motion = fitted.images[-1], fitted.image("motion")
    arrows = visible_arrows(motion, scene, confidence=fitted.image("confidence"), kind="next")
    count = motion.array().shape[0] - 1
    frames = [picture(sample.raw, scene, arrows, time) for time in range(count)]
    imageio.imwrite(given.file, frames, duration=MILLISECONDS, loop=0, extension=".gif")
    print(fitted.roles, fitted.warnings, len(arrows.data))


def picture(raw: Image, scene: Image, arrows: Arrows, time: int) -> np.ndarray:
    """Return one frame: a raw image, and the scene with its arrows; (Y, X, 3) uint8."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6, 2.5), dpi=80, layout="constrained")
    raws, scenes = raw.array().squeeze(), scene.array().squeeze()
    left.imshow(raws[time * len(raws) // len(scenes)], cmap="gray")
    left.set_title("one raw frame", fontsize=9)
    low, high = np.percentile(scenes, (1, 99.8))
    right.imshow(scenes[time], cmap="gray", vmin=low, vmax=high)
    now = arrows.data[:, 0, 0].astype(int) == time
    (y, x), (dy, dx) = arrows.data[now, 0, 1:][:, -2:].T, arrows.data[now, 1, 1:][:, -2:].T
    speed = arrows.speed[now]
    right.quiver(
        *(x, y, LONGER * dx, LONGER * dy, speed),
        angles="xy",
        scale_units="xy",
        scale=1,
        cmap="turbo",
        width=0.008,
        clim=(0, float(np.percentile(arrows.speed, 98))),
    )
    right.set_title(f"phase and motion (arrows × {LONGER:g})", fontsize=9)
    for axes in (left, right):
        axes.set_axis_off()
    figure.canvas.draw()
    frame = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
    plt.close(figure)
    return frame


if __name__ == "__main__":
    main()
