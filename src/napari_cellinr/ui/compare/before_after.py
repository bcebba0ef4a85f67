"""The source beside its result: swipe line, side by side, and keys of the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from qtpy.QtCore import QObject, Signal, Slot

from napari_cellinr.errors import AxesError
from napari_cellinr.ui.compare.shown import Alone
from napari_cellinr.ui.compare.side_by_side import SideBySide
from napari_cellinr.ui.compare.swipe import Swipe
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import newest_first

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from napari.layers import Image as ImageLayer

    from napari_cellinr.ui.session.recording import Requests

__all__ = ["HOLD_KEY", "SIDE_KEY", "SWIPE_KEY", "BeforeAfter", "Chosen", "Mode"]

Mode: TypeAlias = Literal["", "swipe", "side by side"]

Chosen: TypeAlias = "tuple[Hashable, Hashable | None]"
"""The ids of a result and of the layer beside it; None for the image that was fitted."""

SWIPE_KEY: Final = "W"
"""Key that shows and removes the swipe line."""

SIDE_KEY: Final = "Shift-W"
"""Key that shows source and result side by side, and ends it."""

HOLD_KEY: Final = "Q"
"""Key that shows the source while it is held down."""


class BeforeAfter(QObject):
    """Shows a result together with its source, in one of two modes.

    Parameters
    ----------
    requests
        The actions of the viewer, whose results are compared with their sources.

    Signals
    -------
    changed
        Mode or line have changed.
    """

    changed = Signal()

    def __init__(self, requests: Requests) -> None:
        super().__init__()
        self.mode: Mode = ""
        self.caption = ""
        self._requests, self._viewer = requests, requests.viewer
        self._view: Swipe | SideBySide | None = None
        self._ids: tuple[Hashable, Hashable] | None = None
        requests.controller.layers_changed.connect(self._on_layers)
        for key, action in (
            (SWIPE_KEY, self._on_swipe_key),
            (SIDE_KEY, self._on_side_key),
            (HOLD_KEY, self._on_hold_key),
        ):
            self._viewer.bind_key(key, action, overwrite=True)

    def pair(self, chosen: Chosen | None = None) -> tuple[ImageLayer, ImageLayer]:
        """Return the source and the result that are compared.

        Parameters
        ----------
        chosen
            What a dock has chosen. Otherwise it is the selected layer if that is a result, else
            the newest result, with the image that was fitted.

        Raises
        ------
        AxesError
            If there is no result, or its source was removed.
        """
        results = self._requests.results
        active = self._viewer.layers.selection.active
        result_id = other_id = None
        if chosen is not None:
            result_id, other_id = chosen
        elif active is not None and active.unique_id in results:
            shows_image = type(active).__name__ == "Image"  # not arrows or tracks of a result
            result_id = (active if shows_image else results[active.unique_id].layers[0]).unique_id
        elif newest := newest_first(results):
            result_id = newest[0].layers[0].unique_id
        after = find(self._viewer, result_id)
        if other_id is None and result_id in results:
            other_id = results[result_id].source.unique_id
        before = find(self._viewer, other_id)
        if after is None or before is None or before.unique_id == after.unique_id:
            raise AxesError(
                "there is no result with its source to show side by side; run a fit, or choose "
                "two layers in the dock Compare."
            )
        return before, after

    def show(self, mode: Mode, chosen: Chosen | None = None) -> None:
        """Show the pair in a mode; an empty one shows the layers as before.

        Parameters
        ----------
        mode
            The mode.
        chosen
            As for `pair`.

        Raises
        ------
        AxesError
            If there is no pair.
        """
        pair = self.pair(chosen) if mode else None
        self._end()
        if pair is not None:
            before, after = pair
            self._ids = before.unique_id, after.unique_id
            self.mode = mode
            self.caption = f"Left: “{before.name}”; right: “{after.name}”."
            if mode == "swipe":
                self._view = Swipe(self._viewer, before, after, self.changed.emit)
                self.caption += " Drag the line."
            else:
                self._view = SideBySide(self._viewer, before, after)
            self._requests.controller.said.emit("info", self.caption)
        self.changed.emit()

    def toggle(self, mode: Mode, chosen: Chosen | None = None) -> None:
        """Show the pair in a mode, or the layers as before if it is shown so already.

        Parameters
        ----------
        mode
            `swipe` or `side by side`.
        chosen
            As for `pair`.
        """
        try:
            before, after = self.pair(chosen)
            is_shown = self.mode == mode and self._ids == (before.unique_id, after.unique_id)
            self.show("" if is_shown else mode, chosen)
        except AxesError as error:
            self._requests.controller.say("info", str(error))

    @property
    def fraction(self) -> float:
        """Part of the width on the left of the swipe line; one half without a line."""
        return self._view.fraction if isinstance(self._view, Swipe) else 0.5

    def move(self, fraction: float) -> None:
        """Move the swipe line.

        Parameters
        ----------
        fraction
            Part of the width on the left of the line, 0 to 1.
        """
        if isinstance(self._view, Swipe):
            self._view.move(fraction)

    def _end(self) -> None:
        view, self._view, self._ids, self.mode = self._view, None, None, ""
        caption, self.caption = self.caption, ""
        if view is not None:
            view.end()
            self._requests.controller.outdated.emit(caption)

    def _on_swipe_key(self, viewer: Any) -> None:
        self.toggle("swipe")

    def _on_side_key(self, viewer: Any) -> None:
        self.toggle("side by side")

    def _on_hold_key(self, viewer: Any) -> Iterator[None]:
        """Show the source alone until the key is released."""
        try:
            before, _ = self.pair()
        except AxesError as error:
            self._requests.controller.say("info", str(error))
            return
        alone = Alone(self._viewer, [before])
        yield
        alone.restore()

    @Slot()
    def _on_layers(self) -> None:
        """End the comparison when one of the two layers is removed."""
        if self._ids is not None and any(find(self._viewer, one) is None for one in self._ids):
            self._end()
            self.changed.emit()
