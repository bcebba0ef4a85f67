"""Actions that change or split layers without a job: voxel size, axes, regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellinr.macro import Step
from napari_cellinr.ui.session.actions import source_of
from napari_cellinr.ui.session.recording import Requests
from napari_cellinr.ui.session.work.regions import add_region

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.layers import Image as ImageLayer

__all__ = ["Changes"]


class Changes(Requests):
    """The actions of one viewer that need no job."""

    def calibrate(
        self, layer: ImageLayer | str, steps: Mapping[str, float], axes: str = ""
    ) -> None:
        """Set the voxel size and the time step of a layer and of the other channels of its file.

        Parameters
        ----------
        layer
            A layer or its name.
        steps
            Voxel size in µm along Z, Y and X, and time step in s along T, by axis.
        axes
            One letter for each dimension, to correct those of the layer first.

        Raises
        ------
        AxesError
            If there is no such layer or axis, or a step is not positive.
        """

        def carry_out() -> None:
            found = self._find(layer)
            done = self.calibrations.set_steps(found, steps, axes)
            for step in done:
                self._record(step)
            if len(done) > 1:
                self.controller.said.emit("info", f"Set for all {len(done)} channels of the file.")
            self.controller.layers_changed.emit()

        self._submit("voxel size", layer, carry_out)

    def name_axes(self, layer: ImageLayer, axes: str) -> None:
        """Name the axes of a layer and of the other channels of its file.

        Parameters
        ----------
        layer
            A layer.
        axes
            One letter for each dimension.

        Raises
        ------
        AxesError
            If an image cannot have these axes.
        """
        if (count := self.calibrations.name_axes(layer, axes)) > 1:
            self.controller.said.emit("info", f"Set for all {count} channels of the file.")
        self.controller.layers_changed.emit()

    def undo_calibration(self, layer: ImageLayer) -> None:
        """Undo the last change of axes or voxel size of a layer, unless a fit has used it."""
        self.calibrations.undo(layer)
        self.controller.said.emit("info", "Undone.")
        self.controller.layers_changed.emit()

    def crop(self, layer: ImageLayer | str, ranges: Mapping[str, Sequence[int]]) -> None:
        """Add a region of a layer as a layer of its own.

        Parameters
        ----------
        layer
            A layer or its name.
        ranges
            First index and end by axis letter.

        Raises
        ------
        AxesError
            If there is no such layer or axis, or nothing would be left.
        """
        self._submit("region", layer, lambda: self.region(layer, ranges) and None)

    def region(self, layer: ImageLayer | str, ranges: Mapping[str, Sequence[int]]) -> ImageLayer:
        """Return the layer with a region of a layer, added and recorded if it is new.

        Parameters
        ----------
        layer, ranges
            As for `crop`.

        Raises
        ------
        AxesError
            As for `crop`.
        """
        found = self._find(layer)
        given: dict[str, Any] = {
            axis.upper(): [int(end) for end in ends] for axis, ends in ranges.items()
        }
        before = {other.unique_id for other in self.viewer.layers}
        made = add_region(self.viewer, found, self.controller.image_of(found), given)
        if made.unique_id not in before:
            self._record(Step("crop", (source_of(found),), given, results=(str(made.name),)))
        return made
