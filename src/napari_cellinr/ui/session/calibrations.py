"""Changes of axes and voxel size in one viewer, and their undoing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_cellinr.errors import AxesError
from napari_cellinr.macro import ACTIONS, Step
from napari_cellinr.ui.layers.camera import kept_view
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.session.actions import source_of
from napari_cellinr.ui.session.placements import (
    Placement,
    channels_of,
    placements,
    results_of,
    set_axes,
    set_steps,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from napari.layers import Image as ImageLayer

    from napari_cellinr.macro import Recorder
    from napari_cellinr.ui.session.controller import Controller

__all__ = ["Calibrations"]

MOST: Final = 20
"""Number of changes that can be undone."""


@dataclass(frozen=True)
class _Change:
    """What a change has changed: layers, confirmed axes, and steps of the macro."""

    layer_id: Hashable
    before: list[Placement]
    axes: dict[Hashable, str | None]
    steps: tuple[Step, ...] = ()
    n_recorded: int = 0


class Calibrations:
    """Sets axes and voxel sizes; the channels of one file keep the same ones.

    Results of a layer follow its voxel size, so that they stay where they lie on it.

    Parameters
    ----------
    controller
        Of the viewer.
    recorder
        Of the viewer; its steps tell whether a change was used since.
    """

    def __init__(self, controller: Controller, recorder: Recorder) -> None:
        self._controller, self._recorder = controller, recorder
        self._changes: list[_Change] = []

    def name_axes(self, layer: ImageLayer, axes: str) -> int:
        """Name the axes of a layer and of the other channels of its file.

        Parameters
        ----------
        layer
            The layer.
        axes
            One letter per dimension.

        Returns
        -------
        int
            The number of channels.

        Raises
        ------
        AxesError
            If an image cannot have these axes.
        """
        channels = channels_of(self._controller.viewer, layer)
        change = self._change(layer, channels)
        for channel in channels:
            set_axes(channel, axes)
            # Last: docks discard the confirmed axes whenever the axis labels change.
            self._controller.confirmed_axes[channel.unique_id] = axes
        self._keep(change)
        return len(channels)

    def set_steps(
        self, layer: ImageLayer, steps: Mapping[str, float], axes: str = ""
    ) -> list[Step]:
        """Set the voxel size of a layer and of the other channels of its file.

        Parameters
        ----------
        layer
            The layer.
        steps
            Voxel size in µm and time step in s by axis.
        axes
            Axes to name first; those of the layer if empty.

        Returns
        -------
        list of Step
            The steps to record, one per channel.

        Raises
        ------
        AxesError
            If the layer has no such axis, or a step is not positive.
        """
        controller = self._controller
        viewer = controller.viewer
        if axes:
            self.name_axes(layer, axes.upper())
        given = {axis.upper(): _number(axis, step) for axis, step in steps.items()}
        image = controller.image_of(layer)
        image.with_voxel_size("micrometer", **given)
        channels = channels_of(viewer, layer)
        change = self._change(layer, channels)
        recorded = []
        with kept_view(viewer, layer):
            for channel in channels:
                named = controller.confirmed_axes.get(channel.unique_id, "")
                set_steps(viewer, channel, given, controller.image_of(channel).axes)
                arguments = {"axes": named, **given} if named else given
                recorded.append(Step("calibrate", (source_of(channel),), arguments))
        self._keep(change, recorded)
        return recorded

    def can_undo(self, layer: ImageLayer | None) -> bool:
        """Return whether the last change of a layer can be undone: nothing has used it since."""
        return layer is not None and self._last(layer.unique_id) is not None

    def undo(self, layer: ImageLayer) -> None:
        """Undo the last change of axes or voxel size of a layer and of its other channels."""
        change = self._last(layer.unique_id)
        if change is None:
            return
        self._changes.remove(change)
        viewer = self._controller.viewer
        with kept_view(viewer, layer):
            for placement in change.before:
                if find(viewer, placement.layer.unique_id) is not None:
                    placement.restore()
        for key, axes in change.axes.items():
            self._controller.confirmed_axes.pop(key, None)
            if axes is not None:
                self._controller.confirmed_axes[key] = axes
        self._recorder.withdraw(change.steps)

    def _change(self, layer: ImageLayer, channels: list[ImageLayer]) -> _Change:
        viewer, confirmed = self._controller.viewer, self._controller.confirmed_axes
        results = [result for channel in channels for result in results_of(viewer, channel)]
        axes = {channel.unique_id: confirmed.get(channel.unique_id) for channel in channels}
        return _Change(layer.unique_id, placements([*channels, *results]), axes)

    def _keep(self, change: _Change, steps: list[Step] | None = None) -> None:
        recorded = len(self._recorder.macro.steps) + len(steps or ())
        kept = _Change(change.layer_id, change.before, change.axes, tuple(steps or ()), recorded)
        self._changes = [*self._changes, kept][-MOST:]

    def _last(self, layer_id: Hashable) -> _Change | None:
        """Return the last change of a layer, unless a later step of the macro has used it."""
        for change in reversed(self._changes):
            if layer_id in change.axes:
                names = {str(placement.layer.name) for placement in change.before}
                later = self._recorder.macro.steps[change.n_recorded :]
                fits = [step for step in later if ACTIONS[step.action].makes_layers]
                used = any(source.layer in names for step in fits for source in step.sources)
                return None if used else change
        return None


def _number(axis: str, step: object) -> float:
    """Return a step as a number.

    Raises
    ------
    AxesError
        If it is none, such as a text with a unit.
    """
    try:
        return float(step)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        unit = "s" if axis.upper() == "T" else "µm"
        raise AxesError(
            f"{axis}={step!r} was given; steps are numbers, along T in s and along the others in "
            f"µm: write {axis}=0.5 for 0.5 {unit}."
        ) from None
