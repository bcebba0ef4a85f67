"""What is wrong with the frames of a source: they are denoised as well as without it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.camera.defects import (
    blank_frames,
    empty_part,
    filled,
    impossible_voxels,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.frames import Frame

ERROR = 3
"""Place of the standard error among the images of a frame."""

__all__ = ["Defects", "find_defects"]

Place = tuple[int, ...]
"""Position of a frame along the axes T and C that a source has."""


@dataclass(frozen=True)
class Defects:
    """Blank frames, and voxels without data or of an impossible value.

    Parameters
    ----------
    leading
        The axes T and C, as far as the source has them.
    n_frames
        Number of frames of the series.
    blank
        Places of frames of one value.
    empty, impossible
        Which voxels of a frame these are, by place; axes ZYX or YX.
    """

    leading: tuple[str, ...]
    n_frames: int
    blank: frozenset[Place] = frozenset()
    empty: Mapping[Place, NDArray[np.bool_]] = field(default_factory=dict)
    impossible: Mapping[Place, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """What users should know, in sentences."""
        texts = [self._blank_text(place) for place in sorted(self.blank)]
        if self.empty:
            part = float(np.mean([mask.mean() for mask in self.empty.values()]))
            texts.append(
                f"{100 * part:.1f} % of the voxels {self._where(self.empty)}have no data"
                f"{_planes_text(self.empty.values())}: they all have the lowest value. They were "
                "left out, and keep that value."
            )
        if self.impossible:
            n_voxels = sum(int(mask.sum()) for mask in self.impossible.values())
            texts.append(
                f"{n_voxels} voxels {self._where(self.impossible)}have impossible values, far "
                "outside of all others; they were replaced."
            )
        return texts

    def good(self, indices: Sequence[Mapping[str, int]]) -> list[Mapping[str, int]]:
        """Return the positions of the frames that are not blank."""
        return [index for index in indices if self._place(index) not in self.blank]

    def masked(self, source: Image) -> Image:
        """Return the source with NaN in the place of what is no data, float32 if there is any."""
        if not self.empty and not self.impossible:
            return source
        data = np.array(source.array(), np.float32)
        for masks in (self.empty, self.impossible):
            for place, mask in masks.items():
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
        if not self.empty and not self.impossible:
            return source
        data = np.array(source.array(), np.float32)
        generator = np.random.default_rng(seed)
        for place in sorted({*self.empty, *self.impossible}):
            masks = [m[place] for m in (self.empty, self.impossible) if place in m]
            missing = np.logical_or.reduce(masks)
            channel = dict(zip(self.leading, place, strict=True)).get("C", 0)
            data[place] = filled(data[place], missing, noises[channel], generator)
        return source.like(data, name=source.name)

    def with_blank_frames(
        self, frames: Sequence[Frame], places: Sequence[Place], source: Image
    ) -> list[Frame]:
        """Return the fits of the good frames, and the blank frames among them.

        Parameters
        ----------
        frames
            Those of the first good frames, in the order of the places.
        places
            Of all frames.
        source
            The input, whose values blank frames keep.
        """
        if not self.blank:
            return list(frames)
        good = iter(frames)
        found: list[Frame] = []
        for place in places:
            if place in self.blank:
                found.append(_blank(frames[0], float(source.array()[place].flat[0])))
            elif (frame := next(good, None)) is not None:
                found.append(frame)
            else:
                break
        return found

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
            value = float(source.array()[place].min())
            for number, image in enumerate(images):
                signal = number == (0 if subtracted else 2)
                image.array()[place][mask] = 0 if signal or number == ERROR else value
        return tuple(images)

    def _place(self, index: Mapping[str, int]) -> Place:
        return tuple(index[axis] for axis in self.leading)

    def _blank_text(self, place: Place) -> str:
        where = dict(zip(self.leading, place, strict=True))
        of_channel = f" of channel {where['C'] + 1}" if "C" in where else ""
        name = f"Frame {where['T'] + 1}" if "T" in where else "The image"
        return (
            f"{name}{of_channel} is blank (all its voxels have one value); it was left as it is, "
            "and the others were denoised without it."
        )

    def _where(self, masks: Mapping[Place, NDArray[np.bool_]]) -> str:
        """Return which frames these are, if there are several."""
        if self.n_frames == 1:
            return ""
        axis = self.leading.index("T")
        numbers = sorted({place[axis] + 1 for place in masks})
        if len(numbers) == self.n_frames:
            return "of all frames "
        shown = ", ".join(map(str, numbers[:8])) + (" …" if len(numbers) > 8 else "")
        return f"of frame {shown} " if len(numbers) == 1 else f"of frames {shown} "


def _planes_text(masks: Iterable[NDArray[np.bool_]]) -> str:
    """Return which planes of volumes have no data at all, to follow a number of voxels."""
    volumes = [mask for mask in masks if mask.ndim == 3]
    numbers = {int(z) + 1 for mask in volumes for z in np.flatnonzero(mask.all(axis=(1, 2)))}
    shown = ", ".join(map(str, sorted(numbers)[:8])) + (" …" if len(numbers) > 8 else "")
    return f" (plane {shown})" if numbers else ""


def find_defects(source: Image, places: Sequence[Place]) -> Defects:
    """Return what is wrong with the frames.

    Parameters
    ----------
    source
        Axes in canonical order.
    places
        Position of each frame of each channel along the axes T and C that the source has.
    """
    leading = tuple(axis for axis in source.axes if axis in "TC")
    values = source.array()
    frames = [values[place] for place in places]
    blank = frozenset(places[number] for number in blank_frames(frames))
    empty, impossible = {}, {}
    for place, frame in zip(places, frames, strict=True):
        if place in blank:
            continue
        if (mask := empty_part(frame)) is not None:
            empty[place] = mask
        if (mask := impossible_voxels(frame)) is not None:
            impossible[place] = mask
    return Defects(leading, source.sizes.get("T", 1), blank, empty, impossible)


def _blank(like: Frame, value: float) -> Frame:
    """Return a blank frame; a saved fit renders it as 0."""
    subtracted = like.config.background == "subtract"
    images = tuple(
        image.like(
            np.full_like(
                image.array(),
                0 if number in {0 if subtracted else 2, ERROR} else value,
            ),
            name=image.name,
        )
        for number, image in enumerate(like.images)
    )
    return replace(like, images=images, model={**like.model, "factor": 0.0})
