"""Noise of frames between frames: how much of it is lost, and noise that makes them look alike."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.ndimage import correlate1d, gaussian_filter

from napari_cellinr.classic.camera.anscombe import Noise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = [
    "AddedNoise",
    "flicker_warning",
    "is_plausible",
    "is_visible",
    "measured",
    "noise_level",
    "random_field",
    "smoothed",
    "white_noise",
]

MOST_GRAIN: Final = 20.0
"""Largest grain in voxels that is believed of a file."""

_SECOND: Final = np.array([1, -2, 1]) / np.sqrt(6)  # keeps the variance of white noise
_NORMAL: Final = 1.4826  # standard deviation of normal values of which the median size is 1
_VISIBLE: Final = 0.01  # standard deviation of the noise in the range of grey levels
_REMOVED: Final = 0.7  # least part of the estimated noise that denoising removes if it is noise
_SEEN: Final = 4.0  # most noise in that seen by second differences: 3 with a grain of 0.6 pixels
_DIFFERENT: Final = 0.75  # variance left in a made frame, below which the difference is visible
_NEIGHBOURS: Final = {1: 0.42, 2: 0.15}
"""Weight of each neighbour by their number, which leaves 0.53 of the variance: between that of a
mean of two frames, 0.5, and that of a polynomial through four, 0.64."""
_AGREE: Final = (0.4, 0.8)  # difference from a neighbour in the noise that was removed
_BLOCK: Final = (8, 64, 64)  # voxels of the blocks of a field that have random numbers of their own
_MIDDLE: Final = 2**31  # added to the number of a block, so that none is negative
_AROUND: Final = 2.0  # standard deviation of the window of local means, voxels of the plane


@dataclass(frozen=True)
class AddedNoise:
    """Noise that replaces what a frame between two frames has lost.

    Parameters
    ----------
    noise
        Of the recorded frames, in grey levels.
    kept
        Part of its variance that is left in the middle of an interval, 0 to 1.
    seed
        Of the random numbers; they are the same for a time whatever part is rendered.
    is_added
        Whether it is added, or only known.
    corner
        First voxel along each axis, in the recording of which the frames are a part; 0 if not
        given.
    first
        Number of the first frame in that recording.
    """

    noise: Noise
    kept: float
    seed: int
    is_added: bool
    corner: tuple[int, ...] = ()
    first: int = 0

    def added(
        self, frame: Floats, time: float, shape: Sequence[int], region: Sequence[slice]
    ) -> Floats:
        """Return a part of a made frame with the noise that it has lost.

        A mean of two frames keeps t² + (1 − t)² of the variance, so that the loss at any time is
        4 t (1 − t) of that in the middle.

        Parameters
        ----------
        frame
            The part, (*region), float32, grey levels.
        time
            In frames.
        shape
            Voxels of a whole frame along each axis.
        region
            The part, a slice along each axis.
        """
        after = time - np.floor(time)
        lost = 4 * after * (1 - after) * (1 - self.kept)
        corner = self.corner or (0,) * len(shape)
        grains = [self.noise.grain if n > 1 else 0.0 for n in shape]
        ranges = [part.indices(n)[:2] for part, n in zip(region, shape, strict=True)]
        box = [(low + a, low + b) for low, (a, b) in zip(corner, ranges, strict=True)]
        white = random_field((self.seed, round((self.first + float(time)) * 1e6)), box, grains)
        return np.asarray(frame + self.noise.sd(frame) * np.sqrt(lost) * white, np.float32)

    @property
    def settings(self) -> dict[str, Any]:
        """What was measured, ready for JSON; saved fits are no parts of others."""
        return {
            "noise": vars(self.noise), "kept": self.kept, "seed": self.seed,
            "is_added": self.is_added,
        }  # fmt: skip

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> AddedNoise:
        """Return the noise whose settings these are."""
        noise = Noise(**settings["noise"])
        if not 0 <= noise.grain <= MOST_GRAIN:
            raise ValueError(f"a grain of {noise.grain} voxels")
        return cls(**{**settings, "noise": noise})


def random_field(
    seed: tuple[int, ...], box: Sequence[tuple[int, int]], grains: Sequence[float]
) -> Floats:
    """Return a part of an endless field of noise of standard deviation 1, float32.

    The same part of a field is the same whatever else of it is made, so that tiles of an image
    have the noise of the whole.

    Parameters
    ----------
    seed
        Of the field.
    box
        First voxel and end along each axis; any whole numbers.
    grains
        Standard deviation in voxels of the blur of the noise along each axis; 0 for none.
    """
    reach = [_reach(grain) for grain in grains]
    wide = [(low - r, end + r) for (low, end), r in zip(box, reach, strict=True)]
    found = np.empty([end - low for low, end in wide], np.float32)
    sizes = (_BLOCK[0],) * (len(box) - 2) + _BLOCK[1:]
    blocks = [
        range(low // n, (end - 1) // n + 1) for (low, end), n in zip(wide, sizes, strict=True)
    ]
    for block in product(*blocks):
        corner = [number * n for number, n in zip(block, sizes, strict=True)]
        inside, there = [], []
        for (low, end), first, n in zip(wide, corner, sizes, strict=True):
            begin, stop = max(low, first), min(end, first + n)
            there.append(slice(begin - low, stop - low))
            inside.append(slice(begin - first, stop - first))
        random = np.random.default_rng((*seed, *(number + _MIDDLE for number in block)))
        found[tuple(there)] = random.standard_normal(sizes, np.float32)[tuple(inside)]
    for axis, (grain, r) in enumerate(zip(grains, reach, strict=True)):
        if r:
            weights = np.exp(-0.5 * (np.arange(-r, r + 1) / grain) ** 2)
            found = correlate1d(found, weights / np.sqrt((weights**2).sum()), axis)
    return found[tuple(slice(r, n - r) for r, n in zip(reach, found.shape, strict=True))]


def _reach(grain: float) -> int:
    """Return by how many voxels a blur of a standard deviation looks around; 0 if it has none."""
    return int(4 * grain + 0.5)


def measured(
    given: Floats, made: Floats, noise: Noise, span: float, seed: int, *, is_added: bool
) -> AddedNoise | None:
    """Return the noise that made frames lack, or None if there is none that can be seen.

    A frame of one value has none.

    Parameters
    ----------
    given
        A recorded frame, grey levels.
    made
        A frame in the middle of two recorded ones.
    noise
        Of recorded frames.
    span
        Range of the grey levels.
    seed
        Of the noise to be added.
    is_added
        Whether it is to be added.
    """
    if given.min() == given.max() or not is_visible(noise, given, span):
        return None
    before, left = white_noise(given), white_noise(made)
    kept = float(np.clip((left / max(before, 1e-9)) ** 2, 0, 1))
    return AddedNoise(noise, kept, seed, is_added)


def is_visible(noise: Noise, frame: Floats, span: float) -> bool:
    """Return whether noise can be seen in a frame: from 1 % of the range of grey levels.

    Parameters
    ----------
    noise
        Of the frame.
    frame
        Grey levels.
    span
        Range of the grey levels.
    """
    return noise_level(noise, frame) >= _VISIBLE * span


def noise_level(noise: Noise, frame: Floats) -> float:
    """Return the root mean square of the standard deviation of noise in a frame, in grey levels.

    Parameters
    ----------
    noise
        Of the frame.
    frame
        Grey levels.
    """
    return float(np.sqrt(np.mean(noise.sd(frame) ** 2)))


def is_plausible(noise: Noise, noisy: Floats, denoised: Floats) -> bool:
    """Return whether noise that was estimated is noise, not fine texture.

    Noise is everywhere: the median of second differences sees it, if it is nearly white. Texture is
    in places, and denoising removes less of it than was estimated.

    Parameters
    ----------
    noise
        The estimate.
    noisy, denoised
        Grey levels before and after, of the same shape.
    """
    expected = float(np.sqrt(np.mean(noise.sd(denoised) ** 2)))
    is_everywhere = expected <= _SEEN * white_noise(noisy)
    return is_everywhere and float((noisy - denoised).std()) >= _REMOVED * expected


def flicker_warning(found: AddedNoise, frame: Floats) -> str:
    """Return a sentence if recorded and made frames look different, else an empty text.

    Parameters
    ----------
    found
        The noise that made frames lack.
    frame
        A recorded frame, grey levels.
    """
    if found.is_added or found.kept > _DIFFERENT:
        return ""
    usual = noise_level(found.noise, frame)
    return (
        f"the recorded frames have noise of {usual:.3g} grey levels, and the frames made between "
        f"them of {usual * np.sqrt(found.kept):.3g}, so that a movie flickers: noise=match adds "
        "noise to the frames between, noise=remove denoises the series first."
    )


def smoothed(
    frame: Floats, neighbours: Sequence[Floats], removed: Noise, aspect: Sequence[float]
) -> Floats:
    """Return a denoised frame, averaged with its neighbours along the motion where they agree.

    Denoising leaves errors, of which a frame between two frames has about half the variance. With
    its neighbours the frame has as little, so that a movie does not flicker. They agree where the
    local root mean square of the difference is small in the noise that was removed; what a wrong
    neighbour changes is therefore less than a tenth of that noise, or a quarter at an end.

    Parameters
    ----------
    frame
        (*shape), float32, grey levels.
    neighbours
        The frames before and after it, or one of them, moved to its time.
    removed
        Noise of the recorded frame.
    aspect
        Voxel size in the plane divided by that along each axis.
    """
    noise = np.maximum(removed.sd(frame), 1e-9)
    result = frame.copy()
    widths = [_AROUND * a for a in aspect]
    for other in neighbours:
        apart = other - frame
        size = np.sqrt(gaussian_filter(apart**2, widths, mode="nearest", truncate=3)) / noise
        agrees = np.clip((_AGREE[1] - size) / (_AGREE[1] - _AGREE[0]), 0, 1)
        result += np.asarray(_NEIGHBOURS[len(neighbours)] * agrees * apart, np.float32)
    return result


def white_noise(planes: Floats) -> float:
    """Return the standard deviation of white noise, from second differences in the plane.

    Parameters
    ----------
    planes
        (..., rows, columns), in any unit.
    """
    rough = correlate1d(correlate1d(planes, _SECOND, -2), _SECOND, -1)
    return float(_NORMAL * np.median(np.abs(rough)))
