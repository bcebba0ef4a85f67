"""Reading Zeiss CZI with the library czifile: scenes become images, tiles are put together."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

import numpy as np

from napari_cellinr.errors import FileError
from napari_cellinr.image import AXES, UNCALIBRATED, Image
from napari_cellinr.io.findings import with_warnings
from napari_cellinr.io.formats.czi_blocks import Scene, blocks_of
from napari_cellinr.io.lazy import chunks_of, is_lazy_size, lazy_array
from napari_cellinr.io.metadata.colours import COLOURS, hex_colour
from napari_cellinr.io.metadata.times import with_times

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["read"]

_MOST_EXPANDED: Final = 1000
"""Ratio of the array to the file above which the file was made to do harm."""

_DAYS: Final = (36_526, 73_050)
"""Days since 1899 in the years 2000 to 2099: some programs count times like this, not in s."""


def read(path: Path, name: str, limit: int) -> list[Image]:
    """Return one image for each scene; lazy if large.

    Parameters
    ----------
    path, name, limit
        As for `formats.read`.
    """
    import czifile

    with warnings.catch_warnings(), czifile.CziFile(str(path)) as file:
        warnings.simplefilter("ignore")  # that parts which are optional are not there
        blocks = blocks_of(file)
        text = file.metadata() or ""
        stamps = _stamps(file)
    if not blocks:
        raise FileError(f"{path} holds no image; give a file with at least one.")
    facts = _Facts(text, stamps)
    numbers = sorted({block.scene for block in blocks})
    images = []
    for number in numbers:
        scene = Scene(path, [block for block in blocks if block.scene == number])
        title = name if len(numbers) == 1 else f"{name} scene {number}"
        images.append(_image(path, title, scene, facts, limit))
    return images


def _stamps(file: Any) -> list[float]:
    """Return the recorded time of each frame in s; empty if not stated, or not in s."""
    for attachment in file.attachments():
        if attachment.attachment_entry.name == "TimeStamps":
            found = np.asarray(attachment.data(), float)
            in_days = len(found) > 0 and _DAYS[0] < found.min() and found.max() < _DAYS[1]
            return [] if in_days else found.tolist()
    return []


def _image(path: Path, name: str, scene: Scene, facts: _Facts, limit: int) -> Image:
    """Return an image without the axes of length 1 that are no axes of a specimen."""
    n_bytes, available = math.prod(scene.shape) * scene.dtype.itemsize, path.stat().st_size
    if n_bytes > max(2**24, _MOST_EXPANDED * available):
        raise FileError(
            f"{path} announces {n_bytes} bytes of pixels and has {available} bytes; it is damaged, "
            "or its tiles are far apart. Save one scene of it as OME-TIFF."
        )
    data: Any = scene
    if is_lazy_size(n_bytes, available, limit):
        n_leading = len(scene.axes.rstrip("YXS"))
        grain = (1,) * n_leading + scene.shape[n_leading:]
        data = lazy_array(scene, chunks_of(scene.shape, scene.dtype.itemsize, grain))
    kept = [i for i, axis in enumerate(scene.axes) if scene.shape[i] > 1 or axis in "YX"]
    index = tuple(slice(None) if i in kept else 0 for i in range(scene.ndim))
    letters = "".join(scene.axes[i] for i in kept)
    steps = [facts.steps.get(axis, (1.0, UNCALIBRATED)) for axis in letters]
    n_channels = scene.shape[scene.axes.index("C")] if "C" in letters else 1
    names = facts.channels if len(facts.channels) == n_channels else ()
    colours = facts.colours if len(facts.colours) == n_channels else []
    image = Image(
        data[index],
        letters,
        scale=tuple(step for step, _ in steps),
        units=tuple(unit for _, unit in steps),
        name=name,
        channels=names,
        meta={"source": str(path), **({COLOURS: colours} if colours else {})},
    )
    missing, n_planes = scene.missing
    if missing > 0:
        text = f"{path} lacks {missing} of {n_planes} planes of {name}; what is missing is 0"
        image = with_warnings(image, (f"{text}. Crop the image, or select complete channels.",))
    return with_times(image, facts.times, path)


class _Facts:
    """Voxel size, time step, and names and colours of channels in the metadata.

    Parameters
    ----------
    text
        The metadata, XML.
    stamps
        Recorded time of each frame in s; empty if not known.
    """

    def __init__(self, text: str, stamps: Sequence[float]) -> None:
        self.times = list(stamps)
        self.steps: dict[str, tuple[float, str]] = {}
        self.channels: tuple[str, ...] = ()
        self.colours: list[str] = []
        if not text or "<!DOCTYPE" in text or "<!ENTITY" in text:
            return
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError:
            return
        self._scaling(root)
        self._channels(root)

    def _scaling(self, root: ElementTree.Element) -> None:
        """Read voxel sizes, in m, and the increment of time, in s."""
        for distance in root.iterfind(".//Scaling/Items/Distance"):
            axis, value = str(distance.get("Id", "")).upper(), _number(distance.findtext("Value"))
            if axis in AXES and value:
                self.steps[axis] = (value * 1e6, "micrometer")
        increment = _number(root.findtext(".//Image/Dimensions/T/Positions/Interval/Increment"))
        if increment:
            self.steps["T"] = (increment, "second")
        stated = root.findtext(".//Image/Dimensions/T/Positions/List/Offsets") or ""
        offsets = [float(part) for part in stated.split() if part.replace(".", "", 1).isdigit()]
        if len(offsets) > 1:
            self.times = self.times if len(self.times) == len(offsets) else offsets

    def _channels(self, root: ElementTree.Element) -> None:
        found = root.findall(".//Information/Image/Dimensions/Channels/Channel")
        names = [channel.get("Name") or channel.findtext("Fluor") or "" for channel in found]
        self.channels = tuple(names) if all(names) else ()
        shown = root.findall(".//DisplaySetting/Channels/Channel")
        colours = [str(channel.findtext("Color", "")) for channel in shown]
        known = [hex_colour(f"#{colour[-6:]}") for colour in colours]  # #AARRGGBB
        self.colours = known if all(known) else []


def _number(text: str | None) -> float:
    """Return a positive number; 0 for anything else."""
    try:
        value = float(text or "")
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0
