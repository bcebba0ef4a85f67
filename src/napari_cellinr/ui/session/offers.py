"""The images of results that become layers only on request, such as a background."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellinr.macro.naming import DOT, name_before, result_name
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import KEPT_FIT, OTHER_IMAGES, newest_first
from napari_cellinr.ui.layers.results import add_shown
from napari_cellinr.ui.layers.saved_fits import add_other, other_layer, other_tuple
from napari_cellinr.ui.session.actions import Request
from napari_cellinr.ui.session.controller import Work, background_job
from napari_cellinr.ui.session.work.additive import hide_under
from napari_cellinr.ui.session.work.motion import note_motion_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari.layers import Layer

    from napari_cellinr.ui.layers.provenance import Result
    from napari_cellinr.ui.session.recording import Requests

__all__ = ["Offers"]


class Offers:
    """What the results of one viewer offer besides the layers that a run adds.

    Parameters
    ----------
    requests
        The requests of the viewer, which hold its results.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._names: dict[Hashable, str] = {}

    def with_names(self, result: Result) -> Result:
        """Return a new result whose offers have names that no layer and no other offer has.

        The script uses these names before the layers exist.
        """
        taken = {str(layer.name) for layer in self._requests.viewer.layers}
        taken |= {one.name for other in self._requests.results.values() for one in other.offers}
        found = []
        for one in result.offers:
            what = (one.name or one.image.name).removeprefix(f"{result.given.name} ")
            name = result_name(what, str(result.source.name))
            numbered = (f"{name} [{number}]" for number in count(1))
            if name in taken:
                name = next(free for free in numbered if free not in taken)
            taken.add(name)
            found.append(replace(one, name=name))
        return replace(result, offers=tuple(found))

    def layer(self, result: Result, name: str) -> Layer | None:
        """Return the layer of an offer, or None if it is not in the viewer.

        Parameters
        ----------
        result
            The result.
        name
            Name of the offer.
        """
        for layer in self._requests.viewer.layers:
            same = self._requests.results.get(layer.unique_id) is result
            if same and self._names.get(layer.unique_id) == name:
                return layer
        return None

    def show(self, result: Result, name: str) -> Layer | None:
        """Return the layer of an offer, visible, and added if need be; None without its source.

        Parameters
        ----------
        result
            The result.
        name
            Name of the offer.
        """
        requests = self._requests
        layer, source = self.layer(result, name), find(requests.viewer, result.source.unique_id)
        if layer is not None:
            layer.visible = True
            self._hide_under(result, name, layer)
            return layer
        shown = next(one for one in result.offers if one.name == name)
        if source is None and shown.image.steps == result.given.steps:  # the result lies as it did
            source = find(requests.viewer, result.layers[0].unique_id)
        if source is None:
            text = f"The layer “{result.source.name}” was removed; “{name}” cannot be placed."
            requests.controller.say("warning", text)
            return None
        layer = add_shown(requests.viewer, source, result.given, replace(shown, visible=True), name)
        self._hide_under(result, name, layer)
        self._names[layer.unique_id] = name
        requests.results[layer.unique_id] = result
        note_motion_of(layer, result)
        if str(layer.name) != name:  # the user has given this name to another layer
            requests.recorder.renamed(name, str(layer.name))
        requests.history.note_layer(result.layers[0].unique_id, layer.unique_id)
        requests.controller.layers_changed.emit()
        return layer

    def _hide_under(self, result: Result, name: str, layer: Layer) -> None:
        """Hide the images that an offer would add to, unless that is how it is to be shown."""
        shown = next(one for one in result.offers if one.name == name)
        if shown.kind == "image" and "blending" not in shown.settings:
            hide_under(self._requests.viewer, result.layers[0], layer)

    def show_saved(self, layer: Layer, name: str) -> None:
        """Show another image of an opened saved fit, which is rendered if it is not a layer yet.

        Parameters
        ----------
        layer
            The layer of its result.
        name
            Name of the image.
        """
        viewer = self._requests.viewer
        if (shown := other_layer(viewer, layer, name)) is not None:
            shown.visible = True
            return
        job = background_job("rendering", partial(other_tuple, _file_of(layer), name))
        title = f"rendering of {name}"
        work = Work(title, job, partial(add_other, viewer), layer.unique_id, quick=True)
        self._requests.queue.submit(Request(title, lambda: work, recorded=False, layer=layer))

    def show_named(self, name: str) -> Layer | None:
        """Return the layer of the newest offer of a name, added if need be; None without one.

        Parameters
        ----------
        name
            The name, also in the form of version 0.1, such as `embryo background`.
        """
        results = self._requests.results
        newest = newest_first(results)
        others = [one for one in results.values() if not any(one is made for made in newest)]
        for form in (str, name_before, _what):
            for result in (*newest, *others):
                for one in result.offers:
                    if form(one.name) == name:
                        return self.show(result, one.name)
        return self._saved_named(name)

    def _saved_named(self, name: str) -> Layer | None:
        """Return the layer of another image of the saved fit that was opened last, if it has one.

        A script goes on with it, so that it is rendered at once.
        """
        viewer = self._requests.viewer
        for form in (str, name_before, _what):
            for layer in reversed(viewer.layers):
                for one in layer.metadata.get(OTHER_IMAGES, ()):
                    if form(one) == name:
                        shown = other_layer(viewer, layer, one)
                        return shown or add_other(viewer, other_tuple(_file_of(layer), one))
        return None


def _file_of(layer: Layer) -> Path:
    return Path(str(layer.metadata[KEPT_FIT]))


def _what(name: str) -> str:
    """Return what a layer is, such as `background`, by which version 0.1 called it."""
    return name.partition(f" {DOT} ")[0]
