"""One small microscope of each kind, for the contract that all of them keep."""

import torch
from test_sim import three_beam

from napari_cellinr.optics.blur import Blur, line_times, plane_times, point_times
from napari_cellinr.optics.dpc import DPC, half_discs, transfer_functions
from napari_cellinr.optics.fourier import gaussian_psf
from napari_cellinr.optics.otf import ideal_plane
from napari_cellinr.optics.shutter import RollingShutter, band_rows
from napari_cellinr.optics.sim import SIM


def starts(n, step=1.0):
    return step * torch.arange(n, dtype=torch.float64)


def identity():
    return Blur((3, 6, 7), starts(3))


def blurred():
    return Blur((3, 12, 15), starts(3), gaussian_psf((1.2, 0.8), (5, 5)))


def line_scan():
    times = line_times(starts(2), 12, 0.05, bidirectional=True)
    return Blur((2, 12, 15), times, gaussian_psf((1.0, 1.0), (3, 3)))


def point_scan():
    return Blur((2, 5, 6), point_times(starts(2), (5, 6), 0.1, 0.01, bidirectional=True))


def z_scan():
    times = plane_times(starts(3), 7, 0.1, order="interleaved")
    return Blur((3, 7, 12, 12), times, gaussian_psf((1.0, 0.8, 0.8), (3, 3, 3)))


def dpc(size=(24, 21), padding=2):
    grid = DPC.grid(size, padding)
    sources = half_discs(grid, 0.454, 0.525, (0, 180, 90, 270), 0.25)
    absorption, phase = transfer_functions(sources, 0.454, 0.525, 0.25)
    return DPC((8, *size), starts(8), absorption, phase, padding=padding)


def sim2d():
    """Return a lattice of two carriers at once, five phases, two sets of different size."""
    size = (18, 20)
    carriers = torch.tensor([[0.2, 0.03], [-0.05, 0.21]])
    phases = torch.tensor([[0.0, 0.0], [2.1, 0.0], [4.2, 0.0], [0.0, 2.1], [2.1, 4.2]])
    transfer = ideal_plane(size, 0.08, 1.2, 0.525)[None]
    groups = torch.zeros(2, dtype=torch.int64)
    contrasts = torch.full((5, 2), 0.8)
    return SIM((10, *size), starts(10), carriers, phases, contrasts, transfer, groups, zoom=1.6)


def rolling_shutter():
    psf = torch.rand(9, 11, generator=torch.Generator().manual_seed(0))
    return RollingShutter((15, 16), psf, band_rows(15, 3, dual=True), 0.1, 0.2, (8, 9), samples=2)


def coloured_shutter():
    psf = torch.rand(3, 9, 11, generator=torch.Generator().manual_seed(0))
    rows = band_rows(15, 3, dual=True)
    names = ("red", "green", "blue")
    return RollingShutter((15, 16), psf, rows, 0.1, 0.2, (8, 9), samples=2, colours=names)


MODELS = {
    "identity": identity,
    "blurred": blurred,
    "line-scan": line_scan,
    "point-scan": point_scan,
    "z-scan": z_scan,
    "dpc": dpc,
    "sim2d": sim2d,
    "sim3d": three_beam,
    "rolling-shutter": rolling_shutter,
    "rolling-shutter in colour": coloured_shutter,
}
"""A function that makes each."""
