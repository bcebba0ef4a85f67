"""What is wrong with a channel as it was recorded, and the channel without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_cellinr.classic.frames.bad_frames import IN_WORDS, bad_frames
from napari_cellinr.classic.frames.mixed_up import mixed_up_texts, plane_texts
from napari_cellinr.classic.frames.orders import order_texts
from napari_cellinr.classic.frames.unsteady import (
    exposure_texts,
    jump_texts,
    jumps,
    uneven_exposures,
)
from napari_cellinr.methods.spatime.between.faults import (
    FAULTS,
    fault_warnings,
    faulty_frames,
    good_neighbours,
    unreplaced_warnings,
    without_faulty,
    without_impossible_voxels,
    without_lost_parts,
)
from napari_cellinr.text import n_of, number_list

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = [
    "Channel",
    "all_warnings",
    "kept_warnings",
    "looked_at",
    "middle_frame",
    "planes_warnings",
]


@dataclass(frozen=True)
class Channel:
    """A channel whose damaged frames are known.

    Parameters
    ----------
    frames
        (T, *shape), float32; the nearest good frame is in place of each faulty one.
    faulty
        Positions of the faulty frames, which are to be replaced.
    of_frames, of_voxels, of_parts
        What to say of faulty frames, of impossible voxels, and of lost rows, columns and planes.
    """

    frames: Floats
    faulty: tuple[int, ...]
    of_frames: tuple[str, ...]
    of_voxels: tuple[str, ...]
    of_parts: tuple[str, ...]

    def blended(self) -> Floats:
        """Return the frames with a mean of its good neighbours in place of each faulty one."""
        frames = self.frames.copy()
        for frame in self.faulty:
            first, last = good_neighbours(frame, self.faulty, len(frames))
            part = (frame - first) / max(last - first, 1) if last != first else 0.0
            frames[frame] = (1 - part) * self.frames[first] + part * self.frames[last]
        return frames


def looked_at(frames: Floats, recorded: Floats | None = None) -> Channel:
    """Return a channel with impossible voxels and lost parts interpolated, its faults named.

    Parameters
    ----------
    frames
        Of one channel, (T, *shape), float32.
    recorded
        The same as they were recorded, if the frames are denoised: faulty frames are looked for
        there, since a repeated frame is only known by its noise, and a black one may be filled.
    """
    possible, of_voxels = without_impossible_voxels(frames)
    seen = possible if recorded is None else without_impossible_voxels(recorded)[0]
    bad = bad_frames(seen)
    faults = faulty_frames(seen, bad)
    repaired, of_parts = without_lost_parts(possible, faults)
    of_frames = fault_warnings(faults, len(frames)) or unreplaced_warnings(seen)
    of_frames += kept_warnings(seen, faults, bad)
    return Channel(
        without_faulty(repaired, faults), tuple(faults),
        tuple(of_frames), tuple(of_voxels), tuple(of_parts),
    )  # fmt: skip


def kept_warnings(
    frames: NDArray[np.float32], faulty: Collection[int], bad: Mapping[int, str]
) -> list[str]:
    """Return sentences about frames that are unlike the others, but show something and are kept.

    Parameters
    ----------
    frames
        Of one channel as they were recorded, (T, *shape).
    faulty
        Positions of frames that are replaced.
    bad
        What is wrong with frames, by their position, from `bad_frames`.
    """
    if len(frames) < 2:
        return []
    kinds = {n: kind for n, kind in bad.items() if kind not in FAULTS}
    texts = [
        f"Frame {number + 1} of {len(frames)} is {IN_WORDS[kind]}, unlike those around it: it is "
        "kept, and frames made beside it show a part of that."
        for number, kind in kinds.items()
        if number not in faulty
    ]
    others = {*faulty, *kinds}
    effect = "recorded frames are kept, and frames made beside it have a brightness between."
    texts += exposure_texts(uneven_exposures(frames, others), len(frames), effect)
    order = order_texts(frames, others)
    more = order or [*mixed_up_texts(frames, others), *jump_texts(jumps(frames, others))]
    return [*texts, *more]


def planes_warnings(frames: NDArray[np.float32]) -> list[str]:
    """Return sentences about planes of stacks that are kept, but do not fit to those beside them.

    Of several frames with such planes, one is named.

    Parameters
    ----------
    frames
        Of one channel as they were recorded, (T, Z, Y, X).
    """
    found = [plane_texts(frame) for frame in without_impossible_voxels(frames)[0]]
    if len(frames) == 1:
        return found[0]
    named = [number for number, texts in enumerate(found) if texts]
    texts = [f"Frame {n + 1} of {len(frames)}: {text}" for n in named[:1] for text in found[n]]
    if len(named) > 1:
        are = n_of(len(named) - 1, "other frame has", "other frames have")
        texts.append(f"{are} dark or displaced planes, too.")
    return texts


def middle_frame(faulty: Collection[int], n_frames: int) -> int:
    """Return the good frame that is nearest to the middle of a series.

    Parameters
    ----------
    faulty
        Positions of the faulty frames, not all.
    n_frames
        Of the series.
    """
    middle = n_frames // 2
    return min(set(range(n_frames)) - set(faulty), key=lambda n: (abs(n - middle), n))


def all_warnings(channels: Sequence[Channel]) -> list[str]:
    """Return what to say of several channels, each sentence once; it names its channels if not all.

    Parameters
    ----------
    channels
        All channels of a recording.
    """
    found: dict[str, list[int]] = {}
    for kind in ("of_frames", "of_voxels", "of_parts"):
        for number, channel in enumerate(channels, start=1):
            for text in getattr(channel, kind):
                found.setdefault(text, []).append(number)
    return [
        text
        if len(numbers) == len(channels)
        else f"Channel{'s' * (len(numbers) > 1)} {number_list(numbers)}: {text}"
        for text, numbers in found.items()
    ]
