"""Draw what raw frames of each kind of microscope look like, from simulated specimens.

python docs/kinds_pictures.py
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.io import imsave

from napari_cellinr.simulate.samples import sample_images
from napari_cellinr.simulate.shapes import Worm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "pictures" / "microscopes"
SIZE = 64


def worm() -> Callable[[Any], NDArray[Any]]:
    """Return a function from time, a number or one for each pixel, to a picture of the worm."""
    specimen = Worm((SIZE, SIZE), np.random.default_rng(2))
    places = [np.arange(SIZE), np.arange(SIZE)]
    times = np.linspace(0, 1, 49)
    series = np.stack([specimen.at(places, float(time))[1] for time in times])

    def at(time: Any) -> NDArray[Any]:
        place = np.clip(np.asarray(time) * (len(times) - 1), 0, len(times) - 1).round().astype(int)
        if place.ndim == 0:
            return series[place]
        return np.take_along_axis(series, place[None], axis=0)[0]

    return at


def frames_of_scans() -> dict[str, list[NDArray[Any]]]:
    """Return three frames of each kind that records the specimen itself."""
    at, rows = worm(), np.arange(SIZE)[:, None] / SIZE * np.ones((1, SIZE))
    columns = rows.T
    starts = (0.0, 0.33, 0.66)
    return {
        "time-lapse": [at(start) for start in starts],
        "line-scan": [at(start + 0.33 * rows) for start in starts],
        "point-scan": [at(start + 0.33 * (rows + columns / SIZE)) for start in starts],
        "exposure": [
            np.mean([at(start + 0.33 * part) for part in np.linspace(0, 1, 12)], axis=0)
            for start in starts
        ],
    }


def stripes(period: float, harmonics: Sequence[int]) -> list[NDArray[Any]]:
    """Return frames under stripes of three directions.

    Parameters
    ----------
    period
        Period of the stripes in pixels.
    harmonics
        Multiples of their frequency.
    """
    scene = gaussian_filter(worm()(0.3), 1.0)
    scene = 0.3 + scene / scene.max()
    y, x = np.mgrid[:SIZE, :SIZE]
    found = []
    for angle in np.radians([5, 65, 125]):
        phase = 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period
        light = 1 + sum(0.6 * np.cos(order * phase) for order in harmonics)
        found.append(scene * light)
    return found


def strip(frames: Sequence[NDArray[Any]]) -> NDArray[np.uint8]:
    """Return frames side by side as grey levels, uint8."""
    low, high = np.percentile(np.stack(frames), (0.5, 99.8))
    gap = np.full((frames[0].shape[0], 3), high)
    parts = [part for frame in frames for part in (frame, gap)][:-1]
    grey = (np.concatenate(parts, axis=1) - low) / (high - low)
    return (255 * np.clip(grey, 0, 1)).astype(np.uint8)


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    pictures = frames_of_scans()
    dpc = sample_images("motion-worm")[1].array()
    pictures["dpc"] = [frame[16:80, 32:96] for frame in dpc[:3]]
    pictures["sim2d"], pictures["sim3d"] = stripes(7.0, (1,)), stripes(10.0, (1, 2))
    cell = sample_images("motion-cell")[1].array()
    pictures["z-scan"] = [cell[0, plane] for plane in (3, 6, 9)]
    ball = sample_images("motion-ball")[1].array()
    pictures["rolling-shutter"] = [np.squeeze(ball)[::2, ::2]]
    noise = np.random.default_rng(0)
    for kind, frames in pictures.items():
        scale = np.ptp(frames[0])
        noisy = [frame + 0.03 * scale * noise.standard_normal(frame.shape) for frame in frames]
        imsave(FOLDER / f"{kind}.png", strip(noisy), check_contrast=False)


if __name__ == "__main__":
    main()
