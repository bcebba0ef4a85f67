"""What is wrong with the frames of a source: they are denoised as well as without it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.defects import (
    blank_frames,
    empty_part,
    filled,
    impossible_voxels,
    interpolated,
    lost_lines,
)
from napari_cellinr.classic.camera.hot_clusters import hot_text
from napari_cellinr.classic.frames.repeats import without_repeats
from napari_cellinr.methods.cellinr.frames import ERROR, unused_frame
from napari_cellinr.methods.cellinr.recording.copies import (
    copied_frames,
    copied_planes,
    copy_warnings,
    originals_among,
)
from napari_cellinr.methods.cellinr.recording.dark import dark_frames
from napari_cellinr.methods.cellinr.recording.hot import hot_in_frames
from napari_cellinr.methods.cellinr.recording.impulses import (
    impulses_in_frames,
    impulses_text,
    without_impulses_in,
)
from napari_cellinr.methods.cellinr.recording.limits import limit_warnings
from napari_cellinr.text import n_of, number_list

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.frames import Frame

__all__ = ["Defects", "find_defects"]

Place = tuple[int, ...]
"""Position of a frame along the axes T and C that a source has."""


@dataclass(frozen=True)
class Defects:
    """Blank and dark frames, and voxels without data or of an impossible value.

    Parameters
    ----------
    leading
        The axes T and C, as far as the source has them.
    n_frames
        Number of frames of the series.
    blank
        Places of frames of one value.
    dark
        Places of frames of noise alone, as behind a closed shutter.
    empty, impossible, lost
        Which voxels of a frame have no data, have impossible values, or are in rows and columns
        lost in readout, by place; axes ZYX or YX.
    hot
        Which pixels are in clusters of hot ones, by place; axes ZYX or YX, the same in all planes.
    impulses
        Which voxels are impulse noise, by place; axes ZYX or YX.
    copies
        Places of frames that are another one to the bit, and the place of that.
    copied
        Planes of a volume that are the one before them to the bit, by place.
    """

    leading: tuple[str, ...]
    n_frames: int
    blank: frozenset[Place] = frozenset()
    dark: frozenset[Place] = frozenset()
    empty: Mapping[Place, NDArray[np.bool_]] = field(default_factory=dict)
    impossible: Mapping[Place, NDArray[np.bool_]] = field(default_factory=dict)
    lost: Mapping[Place, NDArray[np.bool_]] = field(default_factory=dict)
    hot: Mapping[Place, NDArray[np.bool_]] = field(default_factory=dict)
    impulses: Mapping[Place, NDArray[np.bool_]] = field(default_factory=dict)
    copies: Mapping[Place, Place] = field(default_factory=dict)
    copied: Mapping[Place, Sequence[int]] = field(default_factory=dict)

    @property
    def unfitted(self) -> frozenset[Place]:
        """Places of frames that are not fitted: they show nothing, or nothing new."""
        return self.unused | self.copies.keys()

    @property
    def unused(self) -> frozenset[Place]:
        """Places of frames that show nothing, and are left as they are."""
        return self.blank | self.dark

    @property
    def warnings(self) -> list[str]:
        """What users should know, in sentences."""
        texts = self._unused_texts()
        texts += copy_warnings(self.copies, self.copied, self.leading)
        if self.empty:
            part = float(np.mean([mask.mean() for mask in self.empty.values()]))
            texts.append(
                f"{100 * part:.1f} % of the voxels {self._where(self.empty)}have no data"
                f"{_planes_text(self.empty.values())}: they all have the lowest value, or fill "
                "planes, rows or columns with one value. They were left out, and keep that value."
            )
        if self.lost:
            part = float(np.mean([mask.mean() for mask in self.lost.values()]))
            texts.append(
                f"{100 * part:.1f} % of the voxels {self._where(self.lost)}are in rows or columns "
                "of one value only, as if they were lost in readout; they were replaced by their "
                "neighbours."
            )
        if self.impossible:
            n_voxels = sum(int(mask.sum()) for mask in self.impossible.values())
            texts.append(
                f"{n_of(n_voxels, 'impossible value')} {self._where(self.impossible)}far outside "
                f"of all others {'was' if n_voxels == 1 else 'were'} replaced."
            )
        if self.impulses:
            texts.append(impulses_text(self.impulses, self._where(self.impulses)))
        for channel in sorted({self._channel(place) for place in self.hot}):
            masks = [mask for place, mask in self.hot.items() if self._channel(place) == channel]
            texts.append(hot_text(masks[0], channel if "C" in self.leading else None))
        return texts

    def saturation_warnings(self, source: Image) -> list[str]:
        """Return sentences about voxels that are used and saturated, or cut off at the dark end.

        Lost lines are replaced, and do not count.
        """
        values = source.array()
        if self._masks or self.unused:
            used = np.ones(values.shape, bool)
            for place in self.unused:
                used[place] = False
            for place, mask in self._masks.items():
                used[place] &= ~mask
            values = values[used]
        return limit_warnings(values) if values.size else []

    def good(self, indices: Sequence[Mapping[str, int]]) -> list[Mapping[str, int]]:
        """Return the positions of the frames that show something new."""
        return [index for index in indices if self._place(index) not in self.unfitted]

    def masked(self, source: Image) -> Image:
        """Return the source with NaN in the place of what shows nothing, float32 if there is any.

        Blank frames keep their value.
        """
        if not (self._masks or self.dark or self.copied):
            return source
        data = np.array(source.array(), np.float32)
        for place in self.dark:
            data[place] = np.nan
        for place, planes in self.copied.items():
            data[place][list(planes)] = np.nan
        for place, mask in self._masks.items():
            data[place][mask] = np.nan
        return source.like(data, name=source.name)

    def repaired(self, source: Image, noises: Sequence[Noise], seed: int) -> Image:
        """Return the source with plausible values in the place of what is no data.

        Parameters
        ----------
        source
            Axes in canonical order.
        noises
            The noise of each channel.
        seed
            Of the random numbers with which large parts are filled.
        """
        if not (self._masks or self.copied):
            return source
        data = np.array(source.array(), np.float32)
        generator = np.random.default_rng(seed)
        for place, missing in sorted(self._masks.items()):
            if place in self.impulses:
                data[place] = without_impulses_in(data[place], self.impulses[place])
                missing = missing & ~self.impulses[place]
            if place in self.hot:
                data[place] = interpolated(data[place], self.hot[place])
                missing = missing & ~self.hot[place]
            data[place] = filled(data[place], missing, noises[self._channel(place)], generator)
        for place, planes in sorted(self.copied.items()):
            noise = noises[self._channel(place)]
            data[place] = without_repeats(data[place], planes, noise, generator)
        return source.like(data, name=source.name)

    def with_unused_frames(
        self, frames: Sequence[Frame], places: Sequence[Place], source: Image
    ) -> list[Frame]:
        """Return the fits of the good frames, and the frames without a fit of their own among them.

        Parameters
        ----------
        frames
            Those of the first good frames, in the order of the places.
        places
            Of all frames.
        source
            The input, whose values unused frames keep; copies have the fit of what they repeat.
        """
        if not self.unfitted:
            return list(frames)
        good = iter(frames)
        found: dict[Place, Frame] = {}
        for place in places:
            if place in self.unused:
                found[place] = unused_frame(frames[0], source.array()[place])
            elif place in self.copies:
                found[place] = found[self.copies[place]]
            elif (frame := next(good, None)) is not None:
                found[place] = frame
            else:
                break
        return list(found.values())

    def of_own(self, own: Collection[Place]) -> Defects:
        """Return the same, so that no frame to be returned is a copy of another one.

        Parameters
        ----------
        own
            Places of the frames to be returned.
        """
        return replace(self, copies=originals_among(self.copies, own))

    def with_empty_parts(
        self, images: Sequence[Image], source: Image, *, subtracted: bool
    ) -> tuple[Image, ...]:
        """Return results in which voxels without data keep their value.

        Parameters
        ----------
        images
            Result, background, the other image, and standard error if there is one.
        source
            The input.
        subtracted
            Whether the result has no background; then it is 0 there.
        """
        for place, mask in self.empty.items():
            values = np.asarray(source.array()[place][mask], np.float32)
            for number, image in enumerate(images):
                signal = number == (0 if subtracted else 2)
                image.array()[place][mask] = 0 if signal or number == ERROR else values
        return tuple(images)

    @property
    def _masks(self) -> dict[Place, NDArray[np.bool_]]:
        """Which voxels of a frame are no data, for any reason, by place."""
        found: dict[Place, NDArray[np.bool_]] = {}
        for masks in (self.empty, self.impossible, self.lost, self.hot, self.impulses):
            for place, mask in masks.items():
                found[place] = found[place] | mask if place in found else mask
        return found

    def _channel(self, place: Place) -> int:
        return dict(zip(self.leading, place, strict=True)).get("C", 0)

    def _place(self, index: Mapping[str, int]) -> Place:
        return tuple(index[axis] for axis in self.leading)

    def _unused_texts(self) -> list[str]:
        """Return a sentence for all blank and one for all dark frames of each channel."""
        found: dict[tuple[bool, int], list[int]] = {}
        for place in sorted(self.unused):
            where = dict(zip(self.leading, place, strict=True))
            key = (place in self.blank, where.get("C", -1))
            found.setdefault(key, []).append(where.get("T", -1) + 1)
        texts = []
        for (blank, channel), numbers in found.items():
            of_channel = f" of channel {channel + 1}" if channel >= 0 else ""
            one = len(numbers) == 1
            what = (
                f"blank (all {'its' if one else 'their'} voxels have one value)"
                if blank
                else f"dark ({'it shows' if one else 'they show'} noise alone, as behind a closed "
                "shutter)"
            )
            name = f"Frame{'s' * (not one)} {number_list(numbers)}" if numbers[0] else "The image"
            texts.append(
                f"{name}{of_channel} {'is' if one else 'are'} {what}; "
                f"{'it was' if one else 'they were'} left as {'it is' if one else 'they are'}, and "
                "the others were denoised without "
                f"{'it' if one else 'them'}."
            )
        return texts

    def _where(self, masks: Mapping[Place, NDArray[np.bool_]]) -> str:
        """Return which frames and channels these are, if there are several."""
        channels = sorted({self._channel(place) + 1 for place in masks})
        which = f"of channel{'s' * (len(channels) > 1)} {number_list(channels)} "
        of_channel = which if "C" in self.leading else ""
        if self.n_frames == 1:
            return of_channel
        axis = self.leading.index("T")
        numbers = sorted({place[axis] + 1 for place in masks})
        if len(numbers) == self.n_frames:
            return f"of all frames {of_channel}"
        one = len(numbers) == 1
        return f"of frame{'s' * (not one)} {number_list(numbers)} {of_channel}"


def _planes_text(masks: Iterable[NDArray[np.bool_]]) -> str:
    """Return which planes of volumes have no data at all, to follow a number of voxels."""
    volumes = [mask for mask in masks if mask.ndim == 3]
    numbers = {int(z) + 1 for mask in volumes for z in np.flatnonzero(mask.all(axis=(1, 2)))}
    planes = f"plane{'s' * (len(numbers) > 1)} {number_list(sorted(numbers))}"
    return f" ({planes} entirely)" if numbers else ""


def find_defects(
    source: Image,
    places: Sequence[Place],
    *,
    whole: bool = True,
    hot: NDArray[np.bool_] | None = None,
) -> Defects:
    """Return what is wrong with the frames.

    Parameters
    ----------
    source
        Axes in canonical order.
    places
        Position of each frame of each channel along the axes T and C that the source has.
    whole
        Whether these are whole frames; a tile may be dark because its objects have left it.
    hot
        Clusters of hot pixels that all planes have, axes Y X; looked for if not given.
    """
    leading = tuple(axis for axis in source.axes if axis in "TC")
    values = source.array()
    frames = [values[place] for place in places]
    blank = frozenset(places[number] for number in blank_frames(frames))
    dark = dark_frames(values, places, blank, leading) if whole else frozenset()
    empty, impossible, lost, copied = {}, {}, {}, {}
    used = {p: f for p, f in zip(places, frames, strict=True) if p not in blank | dark}
    copies = copied_frames(used, leading)
    for place, frame in used.items():
        if place in copies:
            continue
        if planes := copied_planes(frame):
            copied[place] = planes
        if (mask := empty_part(frame)) is not None:
            empty[place] = mask
        if (mask := impossible_voxels(frame)) is not None:
            impossible[place] = mask
        if (mask := lost_lines(frame)) is not None:
            lost[place] = mask
    n_frames = source.sizes.get("T", 1)
    originals = {p: f for p, f in used.items() if p not in copies}
    clusters = hot_in_frames(originals, leading, hot)
    others = (empty, impossible, lost, clusters)
    single = impulses_in_frames(originals, leading, others)
    kinds: tuple[dict[Place, Any], ...] = (*others, single, copied)
    for kind in kinds:
        kind |= {copy: kind[original] for copy, original in copies.items() if original in kind}
    found = (blank, dark, empty, impossible, lost, clusters, single, copies, copied)
    return Defects(leading, n_frames, *found)
