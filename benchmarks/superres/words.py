"""The sentences of the report that do not depend on the figures."""

HEAD = """
# Super-resolution, measured

Written by `python benchmarks/superres/run.py`; results are kept per case, and what is of an
earlier state of the code is named at the end. Each run is a process of its own with one thread on
a machine that others use as well: CPU seconds are reliable, wall seconds are not given. The
settings of SpatimeINR are those of its preset `fast`.
"""

GOALS = """
Gains are differences of PSNR on the same case, averaged over its seeds and then over sets.
Peers were run with the same code on the same cases; where SpatimeINR lacks a seed, so do all.
✗ marks a goal that is missed, – what was not run. Cubic is the cubic convolution of Keys, which
is better than the cubic spline of SciPy on every series here (see *Dropped frames* below).
LPIPS is offered by `napari_cellinr.metrics`, but its weights were not on the machine: it is not
measured.
"""

SIMULATED = """
`simulate_cells.cells`, seeds 100 and 101 as far as they were run: cells that speed up, turn and
divide, without noise, 25 frames of 24 × 80 × 80 voxels (0.5 × 0.25 × 0.25 µm), of which every 2nd,
4th or 6th is given. Scored are the frames that were not: PSNR in dB for a peak of 255, SSIM, Dice
coefficient, and BSA · 1000 (mean squared error of sphericity; smaller is better). Cells are
segmented by one threshold, within 4 voxels of where they truly are, in result and truth alike.

ILK and TV-L1 are the optical flows of scikit-image, in three dimensions; both neighbours are
warped and blended, with flows at the wanted time as in Super SloMo. Their settings are the best
of 7 to 9 on seed 0 at ×4, and grey levels are looked up by cubic splines, which is far better than
straight lines where there is no noise. CuNeRF-style is the preset `paper` without latent code,
small enough for a CPU (64 neurons, 400 steps of 1024 voxels): the hypercube rendering of a network
of coordinates. In the minutes of a CPU that it got, several times those of SpatimeINR, it has
hardly begun to learn; it would need a graphics card and hours to be what was published.
"""

SEEN = """
*By eye.* Cells without noise: frames between frames look like the truth; a cell that fades out of
the plane does so in time. *C. elegans* ×2 and MitoCheck ×4 show what a better PSNR may hide: what
the two neighbours do not agree on is dissolved. Two moving nuclei of frame 14 are a haze in
SpatimeINR, membranes that jumped are gone, while optical flow keeps all nuclei as sharp objects,
near where they were, with a lower score. Linear and cubic show everything twice. Who follows
objects between frames should set `motion` to `always`, or trust only what is sharp. The light
sheet is smoother than its neighbours, with one outline where blending shows two, a soft one on
the side that moved.
"""

SIMULATED_Z = """
Five frames of the same cells; the input has means over 2 or 4 planes of 0.25 µm. Scored is
everything: PSNR / SSIM / Dice / BSA · 1000.
"""

REAL = """
Every 2nd, 3rd or 4th frame is given, and the dropped ones are scored as they were recorded, PSNR
in dB for a peak of 255 (light sheet: 100). *C. elegans*: 10 frames, planes 20–49, rows 80–175,
columns 110–245. Noise of the dropped frame and what moves without a trace bound every score:
the last row is what the dropped frame itself scores once it is denoised.

Data: *C. elegans* membranes, cao13jf/3DMMS_public (MIT); light sheet, bigdataprocessor2 (BSD-2);
nuclei of the MitoCheck project, by way of NEUBIAS (CC-BY-4.0); brain nuclei, CellSeg3D (MIT).
"""

DENOISED_TRUTH = """
PSNR against the dropped frames after an Anscombe transform with their own noise and non-local
means. A method that smooths gains by that.
"""

DENOISED_INPUT = """
Here the input is denoised as well, in the same way for all methods, frame by frame, and the score
is against the denoised frames.
"""

REAL_Z = """
Means over 2 or 4 neighbouring planes are given, all original planes are scored, as recorded.
*C. elegans*: three frames; brain nuclei: 120 planes of 86 × 94 voxels, whose peak is their
99.9th percentile.
"""

DROPPED = """
One stack of each source, of which every third plane is given, the middle one of three, and the two
others are dropped, so that those that stay keep their place. Scored are the dropped planes, as
recorded, in dB. Unless told otherwise, SpatimeINR takes a given plane for the mean over its voxel,
which it is not here. The setting `planes=thin` says so, and the row with it is the one that counts
for the goal never to fall below interpolation.
"""

SPEED = """
PSNR in dB where there is something (above half of Otsu's threshold), by how far it moves from one
frame of the input to the next: still is less than 1 voxel, slow 1 to 3, fast more. Displacement is
that of Lucas–Kanade flow between neighbouring frames of the truth (real series: after denoising).
"""

PROTOCOL = """
Interpolation of the dropped frames of whole series, as a check of the protocol (*C. elegans*:
planes 10–59, rows 64–191, columns 90–269). Straight lines beat every cubic in time on all of
them; the natural cubic spline of SciPy overshoots most.
"""

COST = """
CPU seconds of one thread, and an upper bound of the peak memory of the process of SpatimeINR, with
everything that it has loaded: the system counts what the program that started it had held, too.
"""

LARGE = """
CPU seconds of the process, and its peak memory with all that it has loaded (about 350 MB). Wall
seconds are an upper bound: other jobs ran on both cores. Twice as many frames take as much more as
their values: input, its copy, and the result. A fit sees at most four frames of a long series. What
is written piece by piece is never in memory as a whole.
"""
