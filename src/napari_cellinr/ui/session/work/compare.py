"""Compares results with other layers: differences, profiles and scores, also on other grids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import Colormap
from scipy.ndimage import map_coordinates

from napari_cellinr.errors import AxesError
from napari_cellinr.macro.compare import channel_for, check_axes, difference, on_grid_of
from napari_cellinr.macro.naming import result_name
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.live import shown_index
from napari_cellinr.ui.layers.provenance import HELPER, channel_of, in_channel
from napari_cellinr.ui.layers.results import add_result
from napari_cellinr.ui.session.controller import Work, background_job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import napari
    from napari.layers import Image as ImageLayer
    from numpy.typing import NDArray

    from napari_cellinr.image import Image
    from napari_cellinr.ui.layers.provenance import Result
    from napari_cellinr.ui.session.controller import Controller

__all__ = ["Comparison", "Score", "compare_work", "profile", "scores_work"]


@dataclass(frozen=True)
class Comparison:
    """The layers of a comparison.

    Parameters
    ----------
    result
        The layer that was compared.
    against
        The layer that it was compared with; the conventional result if none was given.
    difference
        The layer with the result minus the other.
    """

    result: ImageLayer
    against: ImageLayer
    difference: ImageLayer


@dataclass(frozen=True)
class Score:
    """How close a layer is to the ground truth: PSNR (dB), SSIM, and correlation."""

    name: str
    psnr: float
    ssim: float
    correlation: float


def compare_work(
    controller: Controller,
    layer: ImageLayer,
    against: ImageLayer | None,
    made: Result | None,
    done: Callable[[Comparison], None],
) -> Work:
    """Return the work of comparing a result with another layer or its conventional result.

    Parameters
    ----------
    controller
        The controller of the viewer.
    layer
        The result.
    against
        Layer to compare with; None for the conventional result of the method.
    made
        How the result was made; None if that is not known.
    done
        Called with the layers once they are in the viewer.

    Raises
    ------
    AxesError
        If the axes of the layers differ.
    """
    image = controller.image_of(layer)
    if against is not None:
        other = controller.image_of(against)
        check_axes(image, other)
    elif made is None:
        raise AxesError(
            f"layer {layer.name!r} was not made by a fit of this session; choose the layer to "
            "compare it with."
        )

    def work() -> tuple[Image, Image]:
        if against is None:
            assert made is not None
            result = made.task.method.conventional(made.given.canonical(), made.config)
            channel = channel_of(image)
            is_one = channel is not None and made.given.sizes.get("C", 1) > 1
            found = channel_for(image.take("C", 0) if is_one else image, result)
            conventional = in_channel(made.given, found, channel)
        else:
            conventional = other
        return conventional, difference(image, conventional)

    show = partial(_show, controller, layer, image, against, made, done)
    return Work(f"comparison of {layer.name}", background_job("comparing", work), show, quick=True)


def scores_work(
    controller: Controller,
    layers: Sequence[ImageLayer],
    truth: ImageLayer,
    done: Callable[[list[Score]], None],
) -> Work:
    """Return the work of measuring how close layers are to the ground truth.

    Parameters
    ----------
    controller
        The controller of the viewer.
    layers
        The layers; those with other axes than the ground truth are left out.
    truth
        The ground truth.
    done
        Called with the scores.
    """
    reference = controller.image_of(truth)
    images = [(str(layer.name), controller.image_of(layer)) for layer in layers]

    def work() -> list[Score]:
        pairs = [(name, image) for name, image in images if set(image.axes) == set(reference.axes)]
        return [_score(name, image, reference) for name, image in pairs]

    job = background_job("measuring", work)
    return Work(f"measurement against {truth.name}", job, done, quick=True)


def profile(
    layer: ImageLayer, start: Sequence[float], end: Sequence[float], n_points: int = 200
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the profile of a layer along a line.

    Parameters
    ----------
    layer
        The layer.
    start, end
        Ends of the line in world coordinates, one for each axis of the layer.
    n_points
        Number of points on the line.

    Returns
    -------
    positions
        Distance from the start in the unit of the layer, (n_points,).
    values
        Values of the layer, (n_points,); NaN outside it.
    """
    first, last = np.asarray(start, float), np.asarray(end, float)
    along = np.linspace(0, 1, n_points)
    world = first + along[:, None] * (last - first)
    places = np.array([layer.world_to_data(point) for point in world]).T
    data: Any = layer.data[0] if layer.multiscale else layer.data
    fixed = np.ptp(places, axis=1) < 1e-9  # for a line in a plane, only that plane is read
    planes = [int(np.clip(round(p[0]), 0, n - 1)) for p, n in zip(places, data.shape, strict=True)]
    index = tuple(at if same else slice(None) for at, same in zip(planes, fixed, strict=True))
    values = np.asarray(data[index], np.float32)
    sampled = map_coordinates(values, places[~fixed], order=1, mode="constant", cval=np.nan)
    return along * float(np.linalg.norm(last - first)), sampled


def _show(
    controller: Controller,
    layer: ImageLayer,
    image: Image,
    against: ImageLayer | None,
    made: Result | None,
    done: Callable[[Comparison], None],
    images: tuple[Image, Image],
) -> None:
    """Add the difference next to the result, unless that was removed from the viewer."""
    viewer = controller.viewer
    if find(viewer, layer.unique_id) is None:
        controller.say("warning", "The layer is gone, so the comparison was dropped.")
        return
    conventional, distance = images
    if against is None:
        assert made is not None
        limits = tuple(layer.contrast_limits)
        what = conventional.name.removeprefix(f"{made.given.name} ")
        name = result_name(what, str(made.source.name))
        against = add_result(
            viewer, layer, image, conventional, name=name, limits=limits, below=True,
            visible=layer.blending != "additive",  # else it would be seen through the result
        )  # fmt: skip
    else:
        what = str(against.name)
    limit = float(np.percentile(np.abs(np.asarray(distance.data)), 99.8)) or 1.0
    name = result_name(f"minus {what}", str(layer.name))
    noted = {**distance.meta, HELPER: "difference"}
    shown = add_result(
        viewer, layer, image, distance, name=name, limits=(-limit, limit),
        settings={"colormap": _see_through(), "blending": "translucent", "metadata": noted},
    )  # fmt: skip
    text = f"Layer “{shown.name}”: green is higher, magenta lower, transparent equal."
    controller.said.emit("info", text + _where_equal(viewer, layer, image, distance))
    done(Comparison(layer, against, shown))


def _see_through() -> Colormap:
    """Return a colormap from magenta to green that is transparent in the middle, at 0.

    What is compared stays visible where it does not differ.
    """
    position = np.linspace(-1, 1, 255)
    strength = np.clip(1.2 * np.abs(position), 0, 1)
    lower, higher = np.array([1.0, 0.2, 0.9]), np.array([0.2, 0.9, 0.2])
    colours = np.where(position[:, None] < 0, lower, higher)
    return Colormap(np.column_stack([colours, strength]), name="magenta to green")


def _where_equal(viewer: napari.Viewer, layer: ImageLayer, image: Image, distance: Image) -> str:
    """Return a sentence if nothing differs in the displayed plane, as in frames that were given."""
    index = shown_index(viewer, layer, image)
    if index is None:
        return ""
    plane = distance
    for axis, place in index.items():
        if axis in plane.axes:
            plane = plane.take(axis, min(place, plane.sizes[axis] - 1))
    if np.any(np.asarray(plane.data)):
        return ""
    return " Nothing differs in the plane that is shown; move the slider to another one."


def _score(name: str, image: Image, truth: Image) -> Score:
    from napari_cellinr.metrics import psnr, ssim

    values, reference = on_grid_of(truth, image), np.asarray(truth.data, np.float32)
    together = np.corrcoef(values.ravel(), reference.ravel())[0, 1]
    return Score(name, psnr(values, reference), ssim(values, reference), float(together))
