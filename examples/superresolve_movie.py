"""Frames between frames: python superresolve_movie.py [INPUT [FACTOR]].

Without a file, moving cells are simulated, and the result is compared with the true frames.
"""

import sys

from napari_cellinr import read, superresolve, write
from napari_cellinr.metrics import psnr
from napari_cellinr.simulate.cells import cells

# %% The movie: a file, or a simulation of which every second frame is left out
sample = None if len(sys.argv) > 1 else cells((5, 4, 32, 32), seed=1, refine=(2, 1))
movie = read(sys.argv[1]) if sample is None else sample.raw
factor = float(sys.argv[2]) if len(sys.argv) > 2 else 2
print(movie)

# %% The fit; `preset="fast"` takes longer and follows motion more precisely
fitted = superresolve(movie, preset="preview", scale={"t": factor})
finer = fitted.image("result")
print(finer, fitted.report["warnings"])

# %% The result
write("finer.ome.tif", finer)
if sample is not None:
    between = slice(1, None, 2)
    truth, found = sample.truth.array()[between], finer.array()[between]
    print(f"frames that were left out: {psnr(found, truth):.1f} dB")
