"""What is reconstructed: simulated recordings with a known truth, and real ones."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

from napari_cellinr import Image, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from motions import Motion

ROOT = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("CELLINR_DATA", ROOT.parent / "shared" / "data"))
SIZE, BORDER, FINE = 64, 32, 4  # pixels, pixels around the frame, samples per pixel
SLANT = (1.5, 1.0)  # pixels along y and x from plane to plane of the specimen of the z-scan
CENTRE, RADIUS = (SIZE - 1) / 2, SIZE / 4  # of the disc that holds the specimen
STEP, WAVELENGTH, APERTURE = 0.454, 0.525, 0.25  # µm, µm
DPC_CONSTANTS = {
    "kind": "dpc",
    "wavelength": WAVELENGTH,
    "na": APERTURE,
    "na_illumination": APERTURE,
    "rotations": (0, 180, 90, 270),
}
Array = NDArray[Any]


@dataclass(frozen=True)
class Recording:
    """Raw frames with what made them; `truth` has axes T [Z] Y X, `motion` is closed-form."""

    image: Image
    optics: dict[str, Any]
    truth: Array | None = None
    motion: Motion | None = None
    times: Array | None = None  # 0 to 1, of each frame
    noise: float = 0.0
    moved: Array | None = None  # true displacement from the first frame in pixels of the scene


@cache
def specimen(seed: int, *, surrounded: bool = False) -> Callable[[Array], Array]:
    """Return phase in radians at places in pixels: discs and rods, interpolated from fine samples.

    They lie in a disc around the centre, of a quarter of the frame in radius, or fill the frame and
    its surroundings, so that material enters and leaves.
    """
    random = np.random.default_rng(seed)
    n = (SIZE + 2 * BORDER) * FINE
    y, x = np.mgrid[:n, :n] / FINE - BORDER
    values = np.zeros((n, n))
    for _ in range(60 if surrounded else 14):
        centre, height = random.uniform(-BORDER, SIZE + BORDER, 2), random.uniform(0.2, 1)
        if not surrounded:
            centre = _into_disc(centre)
        dy, dx = y - centre[0], x - centre[1]
        if random.random() < 0.5:
            inside = dy**2 + dx**2 < random.uniform(1.5, 5) ** 2
        else:
            angle, length, width = random.uniform([0, 4, 0.7], [np.pi, 14, 1.6])
            along = dy * np.sin(angle) + dx * np.cos(angle)
            across = dx * np.sin(angle) - dy * np.cos(angle)
            inside = (abs(along) < length) & (abs(across) < width)
        values[inside] = np.maximum(values[inside], height)
    if not surrounded:
        values[np.hypot(y - CENTRE, x - CENTRE) > RADIUS] = 0
    spline = spline_filter(gaussian_filter(values, 0.7 * FINE), order=3)
    return lambda places: map_coordinates(
        spline, (places + BORDER) * FINE, order=3, prefilter=False, mode="nearest"
    )


def _into_disc(place: Array) -> Array:
    """Return a place of the square of side SIZE + 2 BORDER, brought evenly into the disc."""
    across, turn = (place + BORDER) / (SIZE + 2 * BORDER)
    reach = RADIUS * np.sqrt(across)
    return CENTRE + reach * np.array([np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)])


def phase_contrast(
    motion: Motion,
    seed: int,
    frames: int = 4,
    noise: float = 0.01,
    *,
    surrounded: bool = False,
) -> Recording:
    """Return half-circle DPC frames, one pattern after the other, of a specimen that moves."""
    shape = specimen(seed, surrounded=surrounded)
    around = 16
    places = np.mgrid[-around : SIZE + around, -around : SIZE + around].astype(float)
    transfer = phase_transfer(SIZE + 2 * around)
    times, inside = np.linspace(0, 1, frames), np.s_[around:-around, around:-around]
    phase = [shape(motion.backward(places, time)) for time in times]
    clean = [
        np.fft.ifft2(transfer[i % 4] * np.fft.fft2(part)).real[inside]
        for i, part in enumerate(phase)
    ]
    random = np.random.default_rng(1000 + seed)
    raw = np.array(clean) + noise * random.standard_normal((frames, SIZE, SIZE))
    truth = np.array([part[inside] for part in phase])
    optics = {**DPC_CONSTANTS, "normalise": False}
    return Recording(_movie(raw), optics, truth, motion, times, noise)


def phase_transfer(n: int) -> Array:
    """Return the phase transfer functions of light from +y, −y, −x and +x, by explicit sums.

    The image of a wave from the direction q is P(q) + i Σ_k φ(k) P(q + k): to first order in φ.
    """
    ky, kx = np.meshgrid(*[np.fft.fftfreq(n, STEP)] * 2, indexing="ij")
    pupil = (np.hypot(ky, kx) <= APERTURE / WAVELENGTH).astype(float)
    functions = []
    for half in (ky >= 0, ky <= 0, kx <= 0, kx >= 0):
        source = pupil * half
        cross = np.zeros((n, n))
        for i, j in np.argwhere(source > 0):
            cross += np.roll(pupil, (-i, -j), (0, 1))  # P(q + k)
        back = np.roll(cross[::-1, ::-1], 1, (0, 1))  # at −k
        functions.append(1j * (cross - back) / source.sum())
    return np.array(functions)


def line_scan(motion: Motion, seed: int, frames: int = 4, noise: float = 0.02) -> Recording:
    """Return frames whose rows are recorded one after the other; the truth is of their middle."""
    rows = (np.arange(frames)[:, None] + np.arange(SIZE) / SIZE) / frames
    places = np.mgrid[:SIZE, :SIZE].astype(float)
    clean = np.zeros((frames, SIZE, SIZE))
    for i in range(frames):
        for y in range(SIZE):
            clean[i, y] = specimen(seed, surrounded=True)(motion.backward(places[:, y], rows[i, y]))
    middle = rows.mean(1)
    truth = np.array(
        [specimen(seed, surrounded=True)(motion.backward(places, time)) for time in middle]
    )
    raw = clean + noise * np.random.default_rng(1000 + seed).standard_normal(clean.shape)
    optics = {"kind": "line-scan", "row_time": 1 / SIZE, "frame_time": 1.0}
    return Recording(_movie(raw), optics, truth, motion, middle, noise)


def z_scan(motion: Motion, seed: int, frames: int = 4, noise: float = 0.02) -> Recording:
    """Return stacks of a slanted specimen that moves while the planes are recorded."""
    planes = 12
    times = (np.arange(frames)[:, None] + np.arange(planes) / planes) / frames
    places = np.mgrid[:SIZE, :SIZE].astype(float)

    def plane(z: int, time: float) -> Array:
        moved = motion.backward(places, time)
        return specimen(seed, surrounded=True)(moved - np.reshape(SLANT, (2, 1, 1)) * z)

    clean = np.array([[plane(z, times[i, z]) for z in range(planes)] for i in range(frames)])
    middle = times.mean(1)
    truth = np.array([[plane(z, time) for z in range(planes)] for time in middle])
    raw = clean + noise * np.random.default_rng(1000 + seed).standard_normal(clean.shape)
    image = Image(raw.astype(np.float32), "TZYX", scale=(1, 1, STEP, STEP), units=_UNITS4)
    optics = {"kind": "z-scan", "plane_time": 1 / planes, "stack_time": 1.0}
    return Recording(image, optics, truth, motion, middle, noise)


_UNITS4 = ("second", "micrometer", "micrometer", "micrometer")


def _movie(raw: Array) -> Image:
    units = ("second", "micrometer", "micrometer")
    return Image(raw.astype(np.float32), "TYX", scale=(1, STEP, STEP), units=units)


def phase_target() -> Recording:
    """Return the finest bars of the real phase target, which does not move."""
    image = read(REAL / "dpc_phase_target" / "dpc_usaf_left_half.tif")
    frames = np.asarray(image.array(), np.float32).reshape(4, *image.shape[-2:])
    optics = {
        "kind": "dpc", "wavelength": 0.532, "na": 0.75, "na_illumination": 0.75,
        "pixel_size": 0.1465, "rotations": [180, 0, 90, 270],
    }  # fmt: skip
    return Recording(Image(frames[:, 530:658, 512:640], "TYX"), optics)


def puncta() -> Recording:
    """Return a part of the real movie of puncta."""
    image = read(REAL / "puncta_time_lapse" / "puncta_tyx.tif", axes="TYX")
    frames = np.asarray(image.array(), np.float32)[20:32, 60:140, 60:140]
    return Recording(Image(frames, "TYX"), {"kind": "time-lapse"})


def embryo() -> Recording:
    """Return four stacks of the real embryo as a z-scan; its interval is not known."""
    image = read(REAL / "celegans_membrane" / "membrane_t021-t030.nii.gz")
    frames = np.asarray(image.canonical().array()[:4, 26:38, 80:144, 130:194], np.float32)
    scale = (1.5, 0.43, 0.18, 0.18)
    optics = {"kind": "z-scan", "plane_time": 0.05, "stack_time": 1.5}
    return Recording(Image(frames, "TZYX", scale=scale, units=_UNITS4), optics)
