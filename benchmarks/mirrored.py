"""Whether a mirrored or transposed image gives the mirrored or transposed result.

    python benchmarks/mirrored.py [METHOD ...]

Prints, for each method, by how much results differ (root mean square, in grey levels) after
mirroring along X or Y or exchanging both, and by how much with another seed: figures of the guides
docs/guide/denoise.md, superresolve.md and reconstruct.md.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from scipy.ndimage import gaussian_filter, shift

import napari_cellinr
from napari_cellinr import Image
from napari_cellinr.simulate.embryo import embryo

CHANGES = {
    "mirrored along X": lambda values: values[..., ::-1],
    "mirrored along Y": lambda values: values[..., ::-1, :],
    "X and Y exchanged": lambda values: np.swapaxes(values, -1, -2),
}
"""Each of them undoes itself."""


def membranes() -> Image:
    """Return a stack of simulated membranes with noise, of 8×96×96 voxels."""
    return Image(embryo("membranes", (8, 96, 96), seed=0).raw.array(), "ZYX")


def texture() -> Image:
    """Return a texture of 48×48 pixels with noise, which moves by 4 pixels in 8 frames."""
    scene = gaussian_filter(np.random.default_rng(0).random((88, 88)), 2)
    scene = 30 + 150 * (scene - scene.min()) / np.ptp(scene)
    moved = [shift(scene, (0.3 * n, 0.5 * n), mode="wrap")[20:68, 20:68] for n in range(8)]
    frames = np.random.default_rng(1).poisson(np.stack(moved))
    return Image(frames.astype(np.float32), "TYX")


METHODS = {
    "denoise": (membranes, {}),
    "superresolve": (texture, {"scale": {"t": 2, "y": 2, "x": 2}}),
    "reconstruct": (texture, {"optics": "time-lapse"}),
}


def main() -> None:
    """Print the differences for each method that was given, or for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=", ".join(METHODS))
    warnings.simplefilter("ignore")
    for method in parser.parse_args().methods or METHODS:
        make, settings = METHODS[method]
        image = make()

        def result(values: np.ndarray, seed: int = 0, like: Image = image) -> np.ndarray:
            given = like.like(np.ascontiguousarray(values))
            fit = getattr(napari_cellinr, method)(given, seed=seed, **settings)  # noqa: B023
            return np.asarray(fit.images[0].array(), np.float64)

        first = result(image.array())
        for name, change in CHANGES.items():
            again = change(result(change(image.array())))
            print(f"{method}, {name}: {rms(again - first):.2f}", flush=True)
        print(f"{method}, another seed: {rms(result(image.array(), 1) - first):.2f}", flush=True)


def rms(values: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(values**2)))


if __name__ == "__main__":
    main()
