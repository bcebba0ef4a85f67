"""The plan of a run in parts: what was measured once, and which part computes what."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr import __version__
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.saved.stored import blank, plain
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.atomic import replacing
from napari_cellinr.methods import method_of_action
from napari_cellinr.runs.scale.source import Source
from napari_cellinr.text import parsed_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from pathlib import Path

    from napari_cellinr.config import Config
    from napari_cellinr.image import Image
    from napari_cellinr.methods import Method

__all__ = ["OtherVersionError", "Part", "Plan", "load_plan", "notes_folder", "save_plan"]

FORMAT: Final = "napari-cellinr plan 6"

_FORMATS: Final = re.compile(r"napari-cellinr plan \d+")
"""Formats of plans, also of other versions."""

PARTS: Final = ".parts"
"""End of the name of the folder in which finished parts are noted."""

FRAMES_AT_ONCE: Final = 16
"""Frames of which one part makes the coarser levels."""


@dataclass(frozen=True)
class Part:
    """A block of frames of one channel, or a tile of it.

    Parameters
    ----------
    channel
        Number of the channel; 0 if there is only one.
    frames
        First frame and end of what is written, in frames of the result.
    near
        First frame and end of what is read, in frames of the recording.
    own
        First voxel and end of what is written, along each spatial axis.
    wide
        First voxel and end of what is read, along each spatial axis.
    band
        Voxels on each side of an inner edge in which a tile is blended with its neighbours; at most
        half of what it writes along an axis.
    """

    channel: int
    frames: tuple[int, int]
    near: tuple[int, int]
    own: tuple[tuple[int, int], ...]
    wide: tuple[tuple[int, int], ...]
    band: int = 8

    @property
    def is_tile(self) -> bool:
        """Whether more voxels are read than are written."""
        return self.own != self.wide


@dataclass(frozen=True)
class Plan:
    """Everything that the parts of a run need.

    Parameters
    ----------
    action
        Such as `denoise`.
    source
        The recording.
    digest
        Of the recording, by which every worker recognises it.
    settings
        The settings as plain values.
    channels
        What was measured in each channel: settings that follow from it, and what else the parts
        share; ready for JSON.
    outputs
        Path of the OME-Zarr for each role.
    result
        Geometry of the results.
    parts
        Those that compute.
    seconds, memory
        Estimated seconds and bytes of one part.
    warnings
        What users should know.
    stamp
        Of the files of the recording when the plan was made, from `stamp_of`.
    version
        Of this package.
    """

    action: str
    source: Source
    digest: str
    settings: Mapping[str, Any]
    channels: tuple[Mapping[str, Any], ...]
    outputs: Mapping[str, str]
    result: Mapping[str, Any]
    parts: tuple[Part, ...]
    seconds: float
    memory: float
    warnings: tuple[str, ...] = ()
    stamp: str = ""
    version: str = field(default=__version__)

    @property
    def method(self) -> Method:
        """The method."""
        return method_of_action(self.action)

    @property
    def config(self) -> Config:
        """The settings."""
        return self.method.config(**self.settings)

    @property
    def image(self) -> Image:
        """An image of zeros, which take no memory, with the geometry of the results."""
        return blank(self.result)

    @property
    def places(self) -> list[Path]:
        """The OME-Zarr folders of the results."""
        return [place_of(path) for path in self.outputs.values()]

    @property
    def folder(self) -> Path:
        """The folder in which finished parts are noted, beside the first result."""
        return notes_folder(self.places[0])

    @property
    def frames(self) -> list[tuple[int, ...]]:
        """The indices of all frames along the axes T and C of the results, in their order."""
        sizes = self.image.sizes
        found: list[tuple[int, ...]] = [()]
        for axis in self.image.axes:
            if axis in "TC":
                found = [(*index, number) for index in found for number in range(sizes[axis])]
        return found

    @property
    def n_coarse(self) -> int:
        """The number of parts that make coarser levels; they follow those that compute."""
        return -(-len(self.frames) // FRAMES_AT_ONCE)

    @property
    def n_parts(self) -> int:
        """The number of all parts."""
        return len(self.parts) + self.n_coarse

    def coarse_frames(self, number: int) -> list[tuple[int, ...]]:
        """Return the frames of a part that makes coarser levels."""
        first = (number - len(self.parts)) * FRAMES_AT_ONCE
        return self.frames[first : first + FRAMES_AT_ONCE]

    @property
    def of_parts(self) -> Plan:
        """The plan as its parts see it: without the time limit, which is that of the whole run."""
        settings = {name: value for name, value in self.settings.items() if name != "max_seconds"}
        return replace(self, settings=settings)

    def identity(self) -> str:
        """Return a short text that differs for plans with another result."""
        return hashlib.blake2b(self.as_json().encode(), digest_size=16).hexdigest()

    def as_json(self) -> str:
        """Return the plan as JSON text."""
        return json.dumps({"format": FORMAT, **plain(asdict(self))}, indent=1)


def notes_folder(result: Path) -> Path:
    """Return the folder in which the finished parts of a result are noted, beside it.

    Parameters
    ----------
    result
        The OME-Zarr folder of the first result.
    """
    return result.with_name(result.name + PARTS)


def save_plan(plan: Plan, path: str | PathLike[str]) -> None:
    """Write a plan; the file appears complete or not at all.

    Parameters
    ----------
    plan
        The plan.
    path
        The file, with the extension `.json`.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    with replacing(place_of(path), ".json") as temporary:
        temporary.write_text(plan.as_json(), encoding="utf-8")


class OtherVersionError(FileError):
    """A plan has the format of another version of this package."""


def _other_version(place: Path, facts: Mapping[str, Any]) -> OtherVersionError:
    made = str(facts.get("version", "another version"))
    return OtherVersionError(
        f"{place} was made by napari-cellinr {made}, whose plans have another format than those "
        f"of {__version__}. Go on with that version, or begin again: with --overwrite, or with "
        "another name for the result."
    )


def load_plan(path: str | PathLike[str]) -> Plan:
    """Return the plan that a file holds.

    Raises
    ------
    OtherVersionError
        If it is the plan of a version with another format.
    FileError
        If the file cannot be read, or holds no plan.
    """
    place = place_of(path)
    try:
        facts = parsed_json(place.read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise ValueError("it is no object")
        if (found := facts.pop("format", None)) != FORMAT:
            if _FORMATS.fullmatch(str(found)):
                raise _other_version(place, facts)
            raise ValueError("it has another format")
        source = dict(facts.pop("source"))
        crop = {axis: tuple(part) for axis, part in source.pop("crop").items()}
        parts = tuple(_part(one) for one in facts.pop("parts"))
        channels, warnings = tuple(facts.pop("channels")), tuple(facts.pop("warnings"))
        recording = Source(**source, crop=crop)
        plan = Plan(source=recording, parts=parts, channels=channels, warnings=warnings, **facts)
    except OSError as error:
        raise FileError(f"the plan {place} cannot be read: {error.strerror or error}.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FileError(
            f"{place} is no plan of napari-cellinr {__version__}, or it is damaged; make it again "
            "with napari-cellinr plan."
        ) from error
    return plan


def _part(facts: Mapping[str, Any]) -> Part:
    return Part(
        channel=int(facts["channel"]),
        frames=_pair(facts["frames"]),
        near=_pair(facts["near"]),
        own=tuple(_pair(one) for one in facts["own"]),
        wide=tuple(_pair(one) for one in facts["wide"]),
        band=int(facts["band"]),
    )


def _pair(values: Any) -> tuple[int, int]:
    first, end = values
    return int(first), int(end)
