"""What is entered to render a fit again: what comes out of it, and what is wrong with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_cellinr.classic.sampling import sampling
from napari_cellinr.errors import CellINRError, ConfigError
from napari_cellinr.fitting.stored import Query, blank, query_of, times_of
from napari_cellinr.io.units import in_units_of
from napari_cellinr.methods import geometry, method_of_fit, roles_of
from napari_cellinr.ui.panels.scale import number_of
from napari_cellinr.ui.panels.source import SIGNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.fitting.stored import Stored
    from napari_cellinr.image import Image

__all__ = ["Asked", "Entries", "Fit"]


@dataclass(frozen=True)
class Entries:
    """What is entered, as it was typed.

    Parameters
    ----------
    is_step
        Whether `steps` are sizes of voxels, not factors.
    steps, ranges
        By axis letter; an empty text is as in the fit.
    times
        Several, or a range with a step; empty as in the fit.
    channel
        Its number; all of them if negative.
    """

    is_step: bool = False
    steps: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, str] = field(default_factory=dict)
    times: str = ""
    channel: int = -1


@dataclass(frozen=True)
class Asked:
    """What the entries ask for.

    Parameters
    ----------
    query
        What differs from the fit, as `Dispatcher.render` takes it; empty if nothing does, or
        something is wrong.
    image
        Geometry of what comes out; none if something is wrong.
    memory
        Bytes of all images that come out.
    faults
        What is wrong, by axis letter, `times`, `channel`, or an empty name for the rest.
    """

    query: Mapping[str, Any] = field(default_factory=dict)
    image: Image | None = None
    memory: float = 0.0
    faults: Mapping[str, str] = field(default_factory=dict)


class Fit:
    """What can be asked of a fit.

    Parameters
    ----------
    stored
        The fit; its tensors are not needed.

    Raises
    ------
    ConfigError
        If its method is not known.
    """

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._can = method_of_fit(stored).renderable
        self.result = geometry(stored, Query())
        # A motion-aware fit has a lattice of its own, on which its parts are counted.
        self.whole = self.result if self._can.own_grid else blank(stored.source)
        self.factors = {axis: self._factor(axis) for axis in self.whole.axes if self._scales(axis)}

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that it has; an empty one stands for all of it."""
        axes = [axis for axis in self.whole.axes if axis != "C"]
        times = ["times"] if self._timed else []
        return (*axes, *times, *(["channel"] if self.channels else []), "")

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels of which one can be chosen; none if there is one only."""
        n_channels = self.whole.sizes.get("C", 1)
        if n_channels < 2 or self._can.own_grid:
            return ()
        return self.whole.channels or tuple(map(str, range(n_channels)))

    @property
    def tick(self) -> str:
        """The unit of times."""
        unit = dict(zip(self.whole.axes, self.whole.units, strict=True)).get("T", "pixel")
        return "frames" if unit == "pixel" else SIGNS.get(unit, unit)

    @property
    def times_tip(self) -> str:
        """Which times can be asked for."""
        return "Any times:" if self._can.any_time else "Times of frames of the fit:"

    def usual(self, axis: str, *, is_step: bool) -> str:
        """Return the text for the factor, or the step, that the fit has along an axis."""
        if axis == "T" and self._stored.config.get("times"):
            return ""  # it has times of its own
        return self.text(axis, self.factors[axis], is_step=is_step)

    def text(self, axis: str, factor: float, *, is_step: bool) -> str:
        """Return the text for a factor along an axis, as such or as a step."""
        return f"{self.whole.steps[axis] / factor if is_step else factor:.6g}"

    def converted(self, axis: str, text: str) -> str:
        """Return a factor as a step, or a step as a factor; what is none as it is."""
        value = number_of(text) if text.strip() else text
        if isinstance(value, str) or not (math.isfinite(value) and value > 0):
            return text
        return f"{self.whole.steps[axis] / value:.6g}"

    def on_whole(self, given: Image, parts: Mapping[str, slice]) -> dict[str, slice]:
        """Return ranges of a layer in elements in which this fit counts its own."""
        found = {}
        grid = self._grid_of(given)
        given = in_units_of(given, grid)
        starts = dict(zip(given.axes, given.translate, strict=True))
        origins = dict(zip(grid.axes, grid.translate, strict=True))
        for axis, part in parts.items():
            if axis not in origins or axis == "C":
                continue
            ends = [starts[axis] + (e - 0.5) * given.steps[axis] for e in (part.start, part.stop)]
            low, high = ((e - origins[axis]) / grid.steps[axis] + 0.5 for e in ends)
            size = self.whole.sizes[axis]
            first = min(max(0, math.floor(low + 1e-6)), size - 1)
            found[axis] = slice(first, min(size, max(first + 1, math.ceil(high - 1e-6))))
        return found

    def _grid_of(self, given: Image) -> Image:
        """Return the lattice on which parts are counted, in units that can be compared with others.

        Where those of the fit say nothing of those of the layer, as pixels and micrometers, it
        lies over the image that was fitted, as results do in the viewer.
        """
        source, whole = blank(self._stored.source), self.whole
        theirs = dict(zip(given.axes, in_units_of(given, whole).units, strict=True))
        scale, units, translate = list(whole.scale), list(whole.units), list(whole.translate)
        for place, (axis, unit) in enumerate(zip(whole.axes, whole.units, strict=True)):
            if axis in source.axes and theirs.get(axis, unit) != unit:
                at = source.axes.index(axis)
                scale[place] = source.scale[at] * source.sizes[axis] / whole.sizes[axis]
                units[place], translate[place] = source.units[at], source.translate[at]
        return replace(whole, scale=tuple(scale), units=tuple(units), translate=tuple(translate))

    def asked(self, entries: Entries) -> Asked:
        """Return what entries ask for, or what is wrong with them."""
        faults: dict[str, str] = {}
        query: dict[str, Any] = {}
        scale = self._scale(entries, faults)
        if scale:
            query["voxel" if entries.is_step else "scale"] = scale
        if crop := self._crop(entries, faults):
            query["crop"] = crop
        if entries.times.strip():
            try:
                query["times"] = list(times_of(entries.times))
            except ConfigError as error:
                faults["times"] = str(error)
            if "T" in crop:
                faults["times"] = "times and a range along T were given; give one of them."
        if entries.channel >= 0:
            query["channel"] = entries.channel
        if faults:
            return Asked(faults=faults)
        try:
            image = geometry(self._stored, query_of(query))
        except CellINRError as error:
            return Asked(faults={self._guilty(query): str(error)})
        return Asked(query, image, self._memory(query, image))

    @property
    def _timed(self) -> bool:
        return self.whole.sizes.get("T", 1) > 1

    def _scales(self, axis: str) -> bool:
        wanted = axis in self._can.scaled
        return wanted and (axis != "T" or self._timed)

    def _factor(self, axis: str) -> float:
        return self.whole.steps[axis] / self.result.steps[axis]

    def _scale(self, entries: Entries, faults: dict[str, str]) -> dict[str, float]:
        """Return factors or steps, all that are not those of the source; none if as in the fit."""
        found: dict[str, float] = {}
        differs = False
        for axis, text in entries.steps.items():
            usual = self.usual(axis, is_step=entries.is_step)
            differs = differs or text.strip() not in {"", usual}
            value = number_of(text.strip() or usual or "1")
            if not isinstance(value, float):
                faults[axis] = f"{value!r} along {axis} is not a number."
                continue
            step = self.whole.steps[axis]
            if entries.is_step and not (math.isfinite(value) and value > 0):
                faults[axis] = f"a step of {value:g} along {axis} was given; it must be positive."
                continue
            try:
                sampling(self.whole.sizes[axis], step / value if entries.is_step else value, axis)
            except ConfigError as error:
                faults[axis] = str(error)
            own = self.text(axis, 1.0, is_step=entries.is_step)
            if (text.strip() or usual) != own or usual != own:
                found[axis] = value
        return found if differs else {}

    def _crop(self, entries: Entries, faults: dict[str, str]) -> dict[str, list[int]]:
        """Return the ends of the ranges that are not the whole."""
        found: dict[str, list[int]] = {}
        for axis, text in entries.ranges.items():
            if not text.strip():
                continue
            first, colon, last = (part.strip() for part in text.partition(":"))
            size = self.whole.sizes[axis]
            try:
                ends = [int(first) if first else 0, int(last) if last else size]
            except ValueError:
                colon = ""
            if not colon:
                faults[axis] = f"{text!r} along {axis} is not a range such as 0:{size}."
                continue
            if not 0 <= ends[0] < ends[1] <= size:
                faults[axis] = (
                    f"{text.strip()} along {axis} was given; start and stop between 0 and {size} "
                    "are allowed, the start below the stop."
                )
            if ends != [0, size]:
                found[axis] = ends
        return found

    def _guilty(self, query: Mapping[str, Any]) -> str:
        """Return the name of the field without which a query can be answered."""
        for name in ("times", "channel"):
            rest = {key: value for key, value in query.items() if key != name}
            if name not in query:
                continue
            try:
                geometry(self._stored, query_of(rest))
            except CellINRError:
                continue
            return name
        return ""

    def _memory(self, query: Mapping[str, Any], image: Image) -> float:
        """Return the bytes of all images that come out."""
        if self._can.own_grid:  # at given times it has the scene only
            n_axes = sum(axis in "ZYX" for axis in image.axes)
            others = 0 if "times" in query else (n_axes + 2) / image.sizes.get("C", 1)
            return 4.0 * math.prod(image.shape) * (1 + others)
        return 4.0 * math.prod(image.shape) * len(roles_of(self._stored))
