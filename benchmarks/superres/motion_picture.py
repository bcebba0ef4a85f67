"""The picture that explains `motion=auto|always|never`: run `python superres/motion_picture.py`.

One cell glides, one stands for two frames and jumps, one divides at once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from pictures import save_rows  # noqa: E402

from napari_cellinr import Image, superresolve  # noqa: E402

PICTURE = HERE.parents[1] / "docs" / "pictures" / "motion-settings.png"
SHAPE, FRAMES, SHOWN = (40, 128), 8, range(6, 9)  # of the result, with twice as many frames
JUMP, DIVISION = 3.3, 3.7  # frames


def cell(centre: tuple[float, float], radii: tuple[float, float], spots: int) -> np.ndarray:
    """Return a cell with bright spots, (Y, X), 0 to 1."""
    y, x = np.indices(SHAPE).astype(float)
    away = np.hypot((y - centre[0]) / radii[0], (x - centre[1]) / radii[1])
    body = 1 / (1 + np.exp(8 * (away - 1)))
    random = np.random.default_rng(spots)
    for dy, dx in random.uniform(-0.6, 0.6, (4, 2)):
        place = y - centre[0] - dy * radii[0], x - centre[1] - dx * radii[1]
        body = body * (1 + 0.5 * np.exp(-(np.hypot(*place) ** 2) / 3))
    return body / 1.8


def scene(time: float) -> np.ndarray:
    """Return the specimen at a time in frames, grey levels."""
    cells = [cell((13 + 1.5 * time, 10 + 3 * time), (7, 6), 1)]
    cells.append(cell((20, 55) if time < JUMP else (23, 64), (7, 6), 2))
    if time < DIVISION:
        cells.append(cell((20, 105), (8, 8), 3))
    else:
        cells += [cell((20, 105 - 9), (6, 5), 4), cell((20, 105 + 9), (6, 5), 5)]
    return 20 + 200 * np.max(cells, 0)


def main() -> None:
    """Write the picture."""
    movie = Image(np.stack([scene(t) for t in range(FRAMES)]).astype(np.float32), "TYX")
    series = {"truth": np.stack([scene(t / 2) for t in range(2 * FRAMES - 1)])}
    for motion in ("never", "auto", "always"):
        fitted = superresolve(movie, scale={"t": 2}, motion=motion, device="cpu")
        series[f"motion={motion}"] = fitted.images[0].array()
    rows = [
        [
            (f"{label} {t / 2:g}" + " (recorded)" * (t % 2 == 0), (frames[t] - 20) / 180)
            for t in SHOWN
        ]
        for label, frames in series.items()
    ]
    save_rows(PICTURE, rows, 3)


if __name__ == "__main__":
    main()
