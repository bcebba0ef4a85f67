"""Turns the entries of the form *Render again* into a query, or into error messages."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_cellinr.classic.sampling import sampling
from napari_cellinr.errors import CellINRError, ConfigError
from napari_cellinr.fitting.saved.query import Query, query_of, times_of
from napari_cellinr.fitting.saved.stored import blank
from napari_cellinr.io.metadata.units import in_units_of
from napari_cellinr.methods import geometry, method_of_fit, roles_of
from napari_cellinr.ui.panels.scale import number_of
from napari_cellinr.ui.panels.source import SIGNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image

__all__ = ["Entries", "RenderRequest", "RenderableFit"]


@dataclass(frozen=True)
class Entries:
    """The texts that were entered.

    Parameters
    ----------
    is_step
        Whether `steps` are voxel sizes instead of upsampling factors.
    steps, ranges
        By axis letter; empty for those of the fit.
    times
        Several times, or a range with a step; empty for those of the fit.
    channel
        Index of the channel; negative for all.
    """

    is_step: bool = False
    steps: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, str] = field(default_factory=dict)
    times: str = ""
    channel: int = -1


@dataclass(frozen=True)
class RenderRequest:
    """What the entries request.

    Parameters
    ----------
    query
        Differences from the fit, for `Dispatcher.render`; empty without differences or with
        errors.
    image
        Geometry of the result; None with errors.
    memory
        Memory of all rendered images, in bytes.
    faults
        Error messages by axis letter, `times`, `channel`, or an empty name for others.
    """

    query: Mapping[str, Any] = field(default_factory=dict)
    image: Image | None = None
    memory: float = 0.0
    faults: Mapping[str, str] = field(default_factory=dict)


class RenderableFit:
    """The options to render a fit.

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
        # A motion-aware fit has its own voxel grid, to which ranges refer.
        self.whole = self.result if self._can.own_grid else blank(stored.source)
        self.factors = {axis: self._factor(axis) for axis in self.whole.axes if self._scales(axis)}

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields of the form; the empty one is for errors of no single field."""
        axes = [axis for axis in self.whole.axes if axis != "C"]
        times = ["times"] if self._timed else []
        return (*axes, *times, *(["channel"] if self.channels else []), "")

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels; empty if there is only one."""
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
        """Which times can be rendered: the start of a tooltip."""
        return "Any times" if self._can.any_time else "Times of fitted frames"

    def usual(self, axis: str, *, is_step: bool) -> str:
        """Return the factor, or the step, of the fit along an axis.

        Parameters
        ----------
        axis
            Axis letter.
        is_step
            Whether to return the step in the unit of the axis instead of the factor.
        """
        if axis == "T" and self._stored.config.get("times"):
            return ""  # the fit has irregular times
        return self.text(axis, self.factors[axis], is_step=is_step)

    def text(self, axis: str, factor: float, *, is_step: bool) -> str:
        """Return a factor as text, as such or as a step.

        Parameters
        ----------
        axis
            Axis letter.
        factor
            Upsampling factor along it.
        is_step
            Whether to return the step in the unit of the axis instead of the factor.
        """
        return f"{self.whole.steps[axis] / factor if is_step else factor:.6g}"

    def converted(self, axis: str, text: str) -> str:
        """Return a factor as a step, or a step as a factor; invalid text unchanged.

        Parameters
        ----------
        axis
            Axis letter.
        text
            The entered factor or step.
        """
        value = number_of(text) if text.strip() else text
        if isinstance(value, str) or not (math.isfinite(value) and value > 0):
            return text
        return f"{self.whole.steps[axis] / value:.6g}"

    def on_whole(self, given: Image, parts: Mapping[str, slice]) -> dict[str, slice]:
        """Convert index ranges of a layer to index ranges of the fit.

        Parameters
        ----------
        given
            The Image of the layer.
        parts
            Index ranges in it by axis letter.

        Returns
        -------
        dict
            Index ranges in `whole` by axis letter, at least one element long.
        """
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
        """Return the voxel grid that ranges refer to, in the units of `given`.

        Where units cannot be converted, such as pixels and micrometers, the grid covers the image
        that was fitted, as results do in the viewer.
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

    def request(self, entries: Entries) -> RenderRequest:
        """Return what the entries request, or their errors."""
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
            return RenderRequest(faults=faults)
        try:
            image = geometry(self._stored, query_of(query))
        except CellINRError as error:
            return RenderRequest(faults={self._wrong_field(query): str(error)})
        return RenderRequest(query, image, self._memory(query, image))

    @property
    def _timed(self) -> bool:
        return self.whole.sizes.get("T", 1) > 1

    def _scales(self, axis: str) -> bool:
        return axis in self._can.scaled and (axis != "T" or self._timed)

    def _factor(self, axis: str) -> float:
        return self.whole.steps[axis] / self.result.steps[axis]

    def _scale(self, entries: Entries, faults: dict[str, str]) -> dict[str, float]:
        """Return the factors or steps other than those of the source; empty if as in the fit."""
        found: dict[str, float] = {}
        differs = False
        for axis, text in entries.steps.items():
            usual = self.usual(axis, is_step=entries.is_step)
            differs = differs or text.strip() not in {"", usual}
            value = number_of(text.strip() or usual or "1")
            if not isinstance(value, float):
                faults[axis] = f"{value!r} along {axis} was given; enter a number."
                continue
            step = self.whole.steps[axis]
            if entries.is_step and not (math.isfinite(value) and value > 0):
                faults[axis] = f"{value:g} along {axis} was given; enter a positive number."
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
        """Return first index and end of the ranges that are not the whole axis."""
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
                faults[axis] = f"{text!r} along {axis} was given; enter a range such as 0:{size}."
                continue
            if not 0 <= ends[0] < ends[1] <= size:
                faults[axis] = (
                    f"{text.strip()} along {axis} was given; enter first:end between 0 and {size}, "
                    "the first below the end."
                )
            if ends != [0, size]:
                found[axis] = ends
        return found

    def _wrong_field(self, query: Mapping[str, Any]) -> str:
        """Return the name of the field without which a query is valid."""
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
        """Return the memory of all rendered images, in bytes."""
        if self._can.own_grid:  # at given times, no motion is rendered
            n_axes = sum(axis in "ZYX" for axis in image.axes)
            others = 0 if "times" in query else (n_axes + 2) / image.sizes.get("C", 1)
            return 4.0 * math.prod(image.shape) * (1 + others)
        return 4.0 * math.prod(image.shape) * len(roles_of(self._stored))
