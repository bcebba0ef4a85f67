"""The images of a fit by the names of the layers that they become in a viewer."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from napari_cellinr.macro.naming import result_name, unused, what_of, without_number
from napari_cellinr.methods import method_of_fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.image import Image
    from napari_cellinr.macro.steps import Step

__all__ = ["images_by_layer"]


def images_by_layer(step: Step, fitted: Fitted, existing: Mapping[str, Image]) -> dict[str, Image]:
    """Return the images of a fit by the names of their layers, the result first.

    Parameters
    ----------
    step
        The step of the fit.
    fitted
        What the fit returned.
    existing
        The images of other layers by name.
    """
    names = [unused(image.name, existing) for image in fitted.images]
    images = dict(zip(names, fitted.images, strict=True))
    recorded = _images_by_role(step, fitted) if step.roles else _images_by_order(step, fitted)
    for name, image in recorded.items():
        if name in images or name in step.results or name not in existing:
            images[name] = image
    return images


def _images_by_role(step: Step, fitted: Fitted) -> dict[str, Image]:
    """Return the images by the names of the results, whose roles the step says."""
    found: dict[str, Image] = {}
    for name, role in zip(step.results, step.roles, strict=False):
        kind, _, channel = role.partition(":")
        if kind in fitted.roles:
            image = fitted.image(kind)
            found[name] = image.take("C", int(channel)) if channel else image
    return found


def _images_by_order(step: Step, fitted: Fitted) -> dict[str, Image]:
    """Return the images by the names of the results, where the step says no roles.

    A script does not name the results of a scene with several channels: each channel is a layer,
    and the last one has the name of the result.
    """
    scene, layer = fitted.images[0], step.source.layer
    if method_of_fit(fitted).renderable.own_grid and "C" in scene.axes:
        channels = {
            f"{scene.name} {channel}": scene.take("C", index)
            for index, channel in enumerate(scene.channels)
        }
        named = {result_name(name, layer): image for name, image in channels.items()}
        last = scene.take("C", scene.sizes["C"] - 1)
        of_result = (f"{layer} reconstructed", result_name("reconstructed", layer))
        return {**channels, **named, **dict.fromkeys(of_result, last)}
    # A recorded name wins where the fit names its image differently.
    own = {image.name: image for image in fitted.images}
    known = method_of_fit(fitted).layers  # one that this fit did not make is no other image of it
    found = {}
    for name, image in zip_longest(step.results, fitted.images[: len(step.results)]):
        what = what_of(name, layer)  # such as background
        what = without_number(name) if what == name else what
        same = next((own[one] for one in own if one == what or one.endswith(f" {what}")), None)
        if what not in known:
            same = image if same is None else same
        elif what == known[0]:
            same = scene if same is None else same
        if same is not None:
            found[name] = same
    return {name: image for name, image in found.items() if name not in own}
