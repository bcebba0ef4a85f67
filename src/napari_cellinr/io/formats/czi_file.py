"""Reading Zeiss CZI with the library czifile: scenes become images, tiles are put together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

import numpy as np

from napari_cellinr.errors import FileError
from napari_cellinr.image import AXES, UNCALIBRATED, Image
from napari_cellinr.io.metadata.colours import COLOURS, hex_colour

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read"]

_MOST_EXPANDED: Final = 1000
"""Ratio of the array to the file above which the file was made to do harm."""


def read(path: Path, name: str, limit: int) -> list[Image]:
    """Return one image for each scene.

    Parameters
    ----------
    path, name
        As for `formats.read`.
    limit
        Not used: the library reads a file as a whole.
    """
    import czifile

    with czifile.CziFile(str(path)) as file:
        axes, shape = str(file.axes).upper(), tuple(file.shape)
        _check(path, shape, np.dtype(file.dtype))
        data: NDArray[Any] = file.asarray(max_workers=1)
        text = file.metadata() or ""
    facts = _Facts(text)
    scenes = [axes.index("S")] if "S" in axes and shape[axes.index("S")] > 1 else []
    if not scenes:
        return [_image(path, name, axes, data, facts)]
    letters = axes.replace("S", "")
    parts = np.moveaxis(data, scenes[0], 0)
    return [
        _image(path, f"{name} scene {number}", letters, part, facts)
        for number, part in enumerate(parts)
    ]


def _check(path: Path, shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
    n_bytes, available = math.prod(shape) * kind.itemsize, path.stat().st_size
    if n_bytes > _MOST_EXPANDED * available:
        raise FileError(
            f"{path} announces {n_bytes} bytes of pixels and has {available} bytes; it is damaged, "
            "or its tiles are far apart. Save one scene of it as OME-TIFF."
        )


def _image(path: Path, name: str, axes: str, data: NDArray[Any], facts: _Facts) -> Image:
    """Return an image without the axes of length 1 that are no axes of a specimen."""
    kept = [i for i, axis in enumerate(axes) if data.shape[i] > 1 or axis in "YX"]
    squeezed = data.reshape([data.shape[i] for i in kept])
    letters = "".join(_letter(axes[i]) for i in kept)
    steps = [facts.steps.get(axis, (1.0, UNCALIBRATED)) for axis in letters]
    sizes = dict(zip(letters, squeezed.shape, strict=True))
    n_channels = sizes.get("C", 1)
    names = facts.channels if len(facts.channels) == n_channels and "C" in letters else ()
    colours = facts.colours if names and len(facts.colours) == n_channels else []
    return Image(
        squeezed,
        letters,
        scale=tuple(step for step, _ in steps),
        units=tuple(unit for _, unit in steps),
        name=name,
        channels=names,
        meta={"source": str(path), **({COLOURS: colours} if colours else {})},
    )


def _letter(axis: str) -> str:
    """Return the letter of an axis; `S` for the samples of a colour, which CZI calls 0."""
    return "S" if axis == "0" else axis


class _Facts:
    """Voxel size, time step, and names and colours of channels in the metadata.

    Parameters
    ----------
    text
        The metadata, XML.
    """

    def __init__(self, text: str) -> None:
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

    def _channels(self, root: ElementTree.Element) -> None:
        found = root.findall(".//Information/Image/Dimensions/Channels/Channel")
        names = [channel.get("Name") or channel.get("Id") or "" for channel in found]
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
