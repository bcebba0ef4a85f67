"""The sentences of the report that do not depend on the figures."""

HEAD = """
# Denoising, measured

Written by `python benchmarks/denoise/run.py`; every figure is of the code beside it. Each method
runs in a process of its own on two cores that others use as well: CPU seconds are reliable, wall
seconds are upper bounds. The settings of CellINR are those of its preset `fast`.
"""

AFTER_TARGETS = """
*kept* is scored against the truth with its background, *clean* against the truth without it. The
first is decided by denoising, the second almost wholly by the removal of the background: neither
says much without the other. Positive means that CellINR is better, on the seeds that both ran.
✗ marks a goal that is missed, – what was not run. The goals for time series and for real pairs are
below.
"""

SERIES = """
Written by `python benchmarks/denoise/series.py`. An embryo of 48 × 96 × 96 voxels whose cells
drift by 0.15 µm per frame, 0.6 pixels, and bleach by 3 %; default noise. *Together* is what the
preset `fast` does with a series; *frame by frame* is the same with `coupling=False`. Flicker is
the root mean square of the error of the differences between frames, in grey levels. The error of
the bleaching is the largest one of the factors in the report against the mean signal of the truth,
from which cells that leave the image are missing, too (of the nuclei, a third).
"""

SIMULATED = """
48 × 96 × 96 voxels, seeds {seeds}; settings of peers are chosen on seed {tuning}. All methods
get the same noise, estimated from the image (CellINR estimates it itself, by the same code).

- *default*: gain 2 grey levels per photon, camera noise 8.
- *low light*: gain 4, camera noise 12.
- *paper*: the recipe of the CellINR paper, "Poisson noise (factor = 0.1) and Gaussian noise
  (standard deviation 20, on non-zero pixels)". Read as 0.1 photons per grey level (gain 10) and
  a mean that is 8-bit and exactly 0 far from the embryo, where no Gaussian noise is added. The
  paper does not say whether it clips at 0 and 255; here nothing is clipped, because that would
  add the same bias to every method.

PSNR is for a range of 255 and in dB; SSIM is the mean over planes; *profile* is the mean
correlation along 100 random lines that cross structures. For *clean*, a peer that does not
remove background itself gets the best of six smoothed openings (box 11, 15 or 21, with and
without a smoothing before), **chosen for each volume by its truth**, which no user could do.
"""

PAIRS = """
Every peer has the settings that score best against the reference itself, again more than a user
could do; CellINR has its defaults. Gain and offset are fitted by least squares before scoring,
because the exposures differ. The frames of the microtubules (200 Hz: mean of four) are corrected
by the camera's maps of offset (which differs by 3.8 grey levels from pixel to pixel and is
visible in single frames) and gain. Peers work on planes: BM3D instead of BM4D. The peak for PSNR
is the range of the reference, 9 Hz or the mean of 400 exposures.

Data: microtubules by the ShuJiaLab (ACsN, BSD-3); wide-field pairs from the W2S data set, by way
of ND-HowardGroup, of which only figures are shown.
"""

DOWNSTREAM = """
Seeded watershed as in section 4.4 of the paper; mean Dice coefficient of all cells of the
simulated membranes, on each result as it is and after a Gaussian of one voxel. Seeds are the same
for all, from the truth (in the paper: from nuclei). Background is kept but where said otherwise.
"""

NOISE2VOID = """
CAREamics, trained on the image that it denoises, one seed per structure at the default noise, its
default of 30 epochs, patches of 8 × 32 × 32, batches of 4, augmented by flips and rotations, on
one CPU thread. So small an image gives about 360 steps in all; a longer training was not tried.
"""

CELEGANS = """
A confocal stack of a *C. elegans* embryo with labelled membranes, without known truth: what the
preset `fast` makes of it. Data: cao13jf/3DMMS_public, MIT licence, © its authors.
"""

CELEGANS_SEEN = """
*By eye.* Membranes stay as sharp as they were, also where they fade, in planes and along Z. The
inside of cells is calmer, but keeps a faint, curly texture: the noise of this microscope has a
grain, and what is left of a grain cannot be told from texture of the cell.
"""
