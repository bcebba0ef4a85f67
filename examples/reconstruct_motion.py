"""A moving specimen and its motion from a time-lapse: python reconstruct_motion.py [INPUT].

Without a file, a spot that moves by half a pixel per frame is simulated.
"""

import sys

import numpy as np

from napari_cellinr import Image, read, reconstruct, write, write_motion

# %% The movie: a file, or a simulation
y, x = np.mgrid[:24, :24]
spots = [200 * np.exp(-((y - 12) ** 2 + (x - 9 - t / 2) ** 2) / 18) + 20 for t in range(6)]
noisy = np.random.default_rng(0).poisson(spots).astype(np.float32)
units = ("second", "micrometer", "micrometer")
simulated = Image(noisy, "TYX", scale=(1, 0.1, 0.1), units=units)
movie = read(sys.argv[1]) if len(sys.argv) > 1 else simulated

# %% The fit; `preset="fast"` also checks whether the frames determine the motion
fitted = reconstruct(movie, "time-lapse", preset="preview", steps=60)
print(fitted.roles, fitted.warnings)

# %% Its motion: displacement in µm from the first frame, axes T, C (y, x), Y, X
motion = fitted.image("motion")
print(f"the spot moved by {motion.array()[-1, 1, 12, 9]:.2f} µm along x; the truth is 0.25 µm")
write("scene.tif", fitted.image("result"))
write_motion("tracks.csv", fitted, points=4)  # track_id, t, z, y, x, time in s, …
