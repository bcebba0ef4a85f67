"""What denoising in parts measures once, on a sample of the whole recording."""

from __future__ import annotations

import base64
import math
import zlib
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.classic.camera.hot_clusters import hot_clusters
from napari_cellinr.classic.camera.noise import Known, estimate_noise
from napari_cellinr.classic.camera.scan import scan_warnings
from napari_cellinr.classic.frames.bad_frames import is_noise
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.comparable import comparable
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.fitting.resources.devices import choose_device
from napari_cellinr.methods.cellinr.initial.estimate import EstimateBudget
from napari_cellinr.methods.cellinr.initial.part import estimate_part, without_odd_pixels
from napari_cellinr.methods.cellinr.initial.series import Within, is_coupled, kernel_trust
from napari_cellinr.methods.cellinr.recording.camera import PlainPlanes, find_offsets, text_of
from napari_cellinr.runs.scale.source import frame_shape, readable, sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.initial.background import Levels

__all__ = ["measured", "typical", "unpacked", "windows"]

NOISE_VOXELS: Final = {"Z": 24, "Y": 128, "X": 128}
NOISE_PIXELS: Final = {"Y": 512, "X": 512}
"""Voxels of each block of a volume, or of a plane, in which the noise is measured."""

NO_GAIN: Final = 1e-12
"""Stands for a gain of 0, which is measured where noise does not grow with brightness.

As a setting, a gain has to be positive.
"""

MOST_CHECKED: Final = 2**28
"""Voxels up to which a frame is read to see whether it can be: larger ones are read in tiles."""

WHOLE: Final = 8_000_000
"""Voxels of a channel up to which all of it is measured."""

STRUCTURE_VOXELS: Final = {3: (24, 112, 112), 2: (512, 512)}
"""Voxels in which structures and background are measured, unless a frame has less."""


def measured(image: Image, config: CellINRConfig) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what is measured in each channel, and sentences about it.

    Parameters
    ----------
    image
        The recording, lazy, with axis T.
    config
        The settings.
    """
    channels, texts = [], []
    damage: list[str] = []
    several = "C" in image.axes
    for number in range(image.sizes.get("C", 1)):
        channel = image.take("C", number) if several else image
        found, text = _of_channel(channel, config, number if several else None, damage)
        channels.append(found)
        texts += text
    return channels, texts + damage_text(damage)


def damage_text(damage: Sequence[str]) -> list[str]:
    """Return a sentence about what could not be read; nothing if all could.

    Parameters
    ----------
    damage
        What was wrong, for each place.
    """
    if not damage:
        return []
    return [
        "parts of the recording cannot be read, and what all parts share was measured without "
        f"them; the parts that need them fail. {damage[0]}"
    ]


def _of_channel(
    image: Image, config: CellINRConfig, number: int | None, damage: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return what is measured in one channel, axes T, [Z,] Y, X, and sentences about it."""
    n_axes, offsets, uncertainty = len(image.axes) - 1, None, 0.0
    planes: Any = _Planes(image, damage)
    texts: list[str] = []
    hot = pattern = None
    with suppress(FileError):  # no plane can be read as a whole, but tiles of it
        texts, hot = scan_warnings(planes, number), hot_clusters(planes)
        if config.pattern != "none":
            pattern = find_offsets(PlainPlanes(planes, hot))
    if pattern is not None:
        offsets = pattern.offsets
        uncertainty = math.hypot(pattern.uncertainty, pattern.pixel_error)
        texts.append(text_of(pattern, number))
    most = NOISE_VOXELS if n_axes == 3 else NOISE_PIXELS
    known = Known(config.gain, config.read_noise, config.offset, config.grain)
    noise = estimate_noise(sample(image, most, WHOLE, damage), n_axes=n_axes, known=known)
    first = _first_frame(image, damage)
    settings: dict[str, Any] = {
        "gain": noise.gain or NO_GAIN,
        "read_noise": noise.read_noise,
        "offset": noise.offset,
        "grain": noise.grain,
        "pattern": "none",
    }
    found: dict[str, Any] = {
        "settings": settings,
        "first": first,
        "shape": list(frame_shape(image)),
        "offsets": _packed(offsets),
        "offset_sd": uncertainty,
        "hot": [] if hot is None else np.argwhere(hot).tolist(),
    }
    if not config.is_published:
        whole = image.take("T", first)
        whole = whole.like(whole.data, translate=(0.0,) * len(whole.axes))
        frame = _without(typical(whole), offsets)
        chosen, levels = _background(frame, config, noise)
        settings |= {
            "structure": chosen.structure,
            "background_width": chosen.background_width,
        }
        found["levels"] = None if levels is None else asdict(levels)
        if is_coupled(config, image.sizes["T"], whole.shape, None):
            found["trust"] = _trust(frame, whole, config, noise, first)
    return found, texts


class _Planes:
    """The planes of a channel, of which only those are read that are looked at.

    A slice has none that cannot be read, and instead of one there is the next that can be read.
    """

    def __init__(self, image: Image, damage: list[str]) -> None:
        self._image, self._damage = image, damage
        self._depth = image.sizes.get("Z", 1)

    def __len__(self) -> int:
        return self._image.sizes["T"] * self._depth

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            numbers = range(*key.indices(len(self)))
            return np.stack(readable(map(self._plane, numbers), self._damage))
        for number in range(key, len(self)):
            with suppress(FileError):
                return self._plane(number).array()
        return self._plane(key).array()

    def _plane(self, key: int) -> Image:
        frame = self._image.take("T", key // self._depth)
        return frame.take("Z", key % self._depth) if "Z" in frame.axes else frame


def _first_frame(image: Image, damage: list[str]) -> int:
    """Return the number of the first frame that shows something; 0 if the first 16 do not.

    Frames that cannot be read do not count: parts read this one, too.
    """
    found, partly, failure = list[int](), list[int](), None
    for number in range(image.sizes["T"]):
        whole = image.take("T", number)
        try:
            frame = typical(whole).array()
            shows = frame.min() < frame.max() and not is_noise(frame)
            if shows or not found:
                partly.append(number)
                _check_readable(whole)
        except FileError as error:
            failure = error
            damage.append(str(error))
            continue
        found.append(number)
        if shows:
            return number
        if len(found) == 16:
            break
    if failure is not None and not found + partly:
        raise failure
    return (found + partly)[0]


def _check_readable(frame: Image) -> None:
    """Raise `FileError` if a frame that is read as a whole by parts cannot be read."""
    data: Any = frame.data
    if hasattr(data, "blocks") and data.size <= MOST_CHECKED:
        for block in data.blocks.ravel():
            np.asarray(block)


def typical(frame: Image) -> Image:
    """Return the part of a frame with the most contrast of nine, small enough to be measured.

    Parameters
    ----------
    frame
        Axes [Z,] Y, X; lazy if it is large.
    """
    lengths = STRUCTURE_VOXELS[len(frame.axes)]
    if math.prod(frame.shape) <= math.prod(lengths):
        return frame
    best, contrast = frame, -1.0
    for part in windows(frame, skip=True):
        if (found := float(np.std(part.array()))) > contrast:
            best, contrast = part, found
    return best


def windows(frame: Image, *, skip: bool = False) -> Iterator[Image]:
    """Yield nine parts of a frame in memory, from the middle on; all of it if it is small.

    Parameters
    ----------
    frame
        Axes [Z,] Y, X; lazy if it is large.
    skip
        Whether parts that cannot be read are left out, unless that is all of them.
    """
    lengths = STRUCTURE_VOXELS[len(frame.axes)]
    failure, n_found = None, 0
    if math.prod(frame.shape) <= math.prod(lengths):
        yield frame.like(frame.array())
        return
    for row in (0.5, 0.25, 0.75):
        for column in (0.5, 0.25, 0.75):
            centres = (0.5, row, column)[-len(lengths) :]
            ranges = {}
            for axis, length, centre in zip(frame.axes, lengths, centres, strict=True):
                size = frame.sizes[axis]
                start = int(np.clip(centre * size - length / 2, 0, max(0, size - length)))
                ranges[axis] = slice(start, min(size, start + length))
            part = frame.crop(**ranges)
            try:
                values = part.array()
            except FileError as error:
                if not skip:
                    raise
                failure = error
                continue
            n_found += 1
            yield part.like(values)
    if failure is not None and not n_found:
        raise failure


def _without(image: Image, offsets: NDArray[np.float32] | None) -> Image:
    """Return a frame or a series without the offsets of the camera, float32."""
    values = np.asarray(image.array(), np.float32)
    return image.like(values if offsets is None else values - _cut(image, offsets))


def _cut(image: Image, offsets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the part of the offsets that belongs to a part of the image."""
    if offsets.shape == image.shape[-2:]:
        return offsets
    corner = [round(place / step) for place, step in zip(image.translate, image.scale, strict=True)]
    rows, columns = (
        slice(first, first + size)
        for first, size in zip(corner[-2:], image.shape[-2:], strict=True)
    )
    return offsets[rows, columns]


def _background(
    frame: Image, config: CellINRConfig, noise: Noise
) -> tuple[CellINRConfig, Levels | None]:
    """Return the settings with structure and width chosen, and the levels of the background."""
    usual = config.replace(
        rounds=0, estimate="groups" if config.estimate == "auto" else config.estimate
    )
    monitor = Monitor()
    budget = EstimateBudget.until(None, noise, choose_device(config.device))
    image = comparable(frame)[0]
    _, stabilised = without_odd_pixels(image, noise)
    part = finish(estimate_part(image, stabilised, usual, noise, budget, monitor, probed=False))
    chosen = part.chosen()
    return chosen, replace(part, config=chosen).without_kernels().separated.levels


def _trust(part: Image, whole: Image, config: CellINRConfig, noise: Noise, number: int) -> float:
    """Return how far the kernels of a series are trusted in a part of its first frame."""
    steps = zip(part.translate, part.scale, strict=True)
    corner = tuple(round(place / step) for place, step in steps)
    within = Within((number,), range(number, number + 1), corner, shape=whole.shape)
    return kernel_trust(comparable(part)[0], config, noise, within)


def _packed(offsets: NDArray[np.float32] | None) -> dict[str, Any] | None:
    """Return the offsets of the camera, ready for JSON."""
    if offsets is None:
        return None
    data = zlib.compress(np.ascontiguousarray(offsets, "<f4").tobytes())
    return {"shape": list(offsets.shape), "values": base64.b64encode(data).decode("ascii")}


def unpacked(packed: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return the offsets of the camera that a plan holds, axes Y X, float32."""
    data = zlib.decompress(base64.b64decode(packed["values"]))
    return np.frombuffer(data, "<f4").reshape(packed["shape"]).astype(np.float32)
