"""BM4D or BM3D of an array of noise 1: `python bm_of_file.py IN.npy OUT.npy`, run where they are.

Needs bm3d and bm4d only, not the plugin, so that it can run in an environment of its own.
"""

import sys

import numpy as np
from bm3d import bm3d
from bm4d import bm4d


def main(source: str, target: str) -> None:
    values = np.load(source).astype(np.float64)
    low, span = values.min(), np.ptp(values) or 1.0
    scaled = (values - low) / span
    smooth = (bm4d if values.ndim == 3 else bm3d)(scaled, 1.0 / span)
    np.save(target, (np.squeeze(smooth) * span + low).astype(np.float32))


if __name__ == "__main__":
    main(*sys.argv[1:])
