"""Denoise a stack and save signal and background: python denoise_stack.py [INPUT [SECONDS]].

Without a file, a simulated embryo is used, and the result is compared with its ground truth.
"""

import sys

from napari_cellinr import denoise, read, write
from napari_cellinr.metrics import psnr
from napari_cellinr.simulate.embryo import embryo

# %% The stack: a file, or a simulation
sample = None if len(sys.argv) > 1 else embryo("membranes", size=(12, 48, 48), seed=1)
image = read(sys.argv[1]) if sample is None else sample.raw
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60

# %% The fit, with a time limit
fitted = denoise(image, preset="fast", background="subtract", max_seconds=seconds)
signal, background = fitted.images[:2]

# %% The results
write("signal.tif", signal)
write("background.tif", background)
print(f"{signal.shape} {signal.axes}, stopped because: {fitted.stopped}")
if sample is not None:
    truth = sample.truth.array()
    print(f"raw {psnr(image.array(), truth):.1f} dB, result {psnr(signal.array(), truth):.1f} dB")
