"""A saved fit, rendered again without fitting: python render_again.py [INPUT]."""

import sys

from napari_cellinr import denoise, load_fit, read, render, write
from napari_cellinr.simulate.embryo import embryo

# %% A fit, saved in a file
image = read(sys.argv[1]) if len(sys.argv) > 1 else embryo(size=(8, 32, 32), seed=1).raw
denoise(image, preset="preview", steps=10).save("embryo.cellinr")

# %% Another time, or another program: a finer grid, and only a part
fit = load_fit("embryo.cellinr")
signal, background, _ = render(fit, scale={"Z": 2}, crop={"Y": (4, 28), "X": (4, 28)})
print(signal)
write("part.tif", signal)
write("background.tif", background)
