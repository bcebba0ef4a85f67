"""From a fitted space-time field to images: the scene at any time, and how its material moves."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.fields.material import follow
from napari_cellinr.fields.spacetime import SpaceTime, SpaceTimeShape
from napari_cellinr.fields.warp import lattice_points
from napari_cellinr.fitting.previews import requested_part, with_place
from napari_cellinr.fitting.stored import blank
from napari_cellinr.methods.nstm.geometry import check_query, inside, scene_image, times_of
from napari_cellinr.methods.nstm.plan import frame_times
from napari_cellinr.motion import textured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.acquisition import Measurement
    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fitting.problem import PreviewRequest
    from napari_cellinr.fitting.stored import Query, Stored
    from napari_cellinr.image import Image
    from napari_cellinr.methods.nstm.plan import Plan

__all__ = ["Rendering", "field_facts", "preview_image", "render_nstm"]

ALL_LEVELS = 1e5

SMOOTHING = 2.0
"""Standard deviation in pixels of the neighbourhood in which contrast counts for confidence."""

ARROWS = 24
"""Arrows along the longer side of a preview."""

HALF_SURE = 0.5
"""Error of the displacement, in camera pixels, at which the confidence is a half."""


def field_facts(
    measurement: Measurement, plan: Plan, config: NSTMConfig, transmitted: float = 1.0
) -> dict[str, Any]:
    """Return what is needed beside the parameters to render the field again, ready for JSON.

    Parameters
    ----------
    measurement, plan, config
        What the field was fitted to, its sizes, and the settings.
    transmitted
        Contrast of a frame as a part of that of the scene; only the confidence needs it.
    """
    model = measurement.model
    return {
        "shape": asdict(plan.shape),
        "neurons": config.neurons,
        "padding": list(model.padding),
        "zoom": list(model.zoom),
        "channels": list(model.channel_names),
        "unit": measurement.unit,
        "voxel": None if measurement.voxel is None else list(measurement.voxel),
        "timed": measurement.timed,
        "first": plan.first,
        "last": plan.last,
        "frames": frame_times(model),
        "moves": config.moving,
        "noise": plan.noise,
        "transmitted": transmitted,
    }


class Rendering:
    """A space-time field that is only looked at.

    Parameters
    ----------
    field
        The fitted field.
    facts
        As `field_facts` gives them.
    device
        Where to compute.
    """

    def __init__(self, field: SpaceTime, facts: Mapping[str, Any], device: torch.device) -> None:
        self.field, self.facts, self.device = field, facts, device
        self.inner = inside(facts["padding"], field.shape.scene)

    def scene(self, times: Sequence[float], alpha: float = ALL_LEVELS) -> NDArray[np.float32]:
        """Return the scene at each time without its padding, axes (T, C, [Z,] Y, X), float32."""
        with torch.no_grad():
            canonical = self.field.canonical(alpha)
            parts = []
            for time in times:
                moved = self.field.motion(self._part([time]), alpha)
                parts.append(self.field.scene(canonical, moved)[0].cpu().numpy())
        inside = (slice(None), slice(None), *self.inner)
        return np.stack(parts)[inside] * np.float32(self.facts["unit"])

    def displacement(self, times: Sequence[float], reference: float) -> NDArray[np.float32]:
        """Return where material points of the reference time have gone, voxels of the scene.

        Axes (T, C, [Z,] Y, X), float32; C are the components in the order of the axes of space.
        """
        shape = self.field.shape.scene
        places = [lattice_points(0, n - 1, n, self.device) for n in shape]
        grid = torch.stack(torch.meshgrid(*places, indexing="ij"))[(slice(None), *self.inner)]
        with torch.no_grad():
            start = self.field.motion(self._part([reference]), ALL_LEVELS)[0]
            parts = []
            for time in times:
                field = self.field.motion(self._part([time]), ALL_LEVELS)[0]
                parts.append((follow(start, field, grid, shape) - grid).cpu().numpy())
        return np.stack(parts).astype(np.float32)

    def arrows(
        self, since: float, time: float, plane: int | None, alpha: float
    ) -> NDArray[np.float32]:
        """Return where some material is at a time, and how far it has come, in voxels.

        Shape (arrows, 2, axes), float32: the place at the time `since`, and from there.

        Parameters
        ----------
        since, time
            When the arrows begin and end.
        plane
            Of a volume, where they begin.
        alpha
            Part of the coarse-to-fine that is done.
        """
        shape = [part.stop - part.start for part in self.inner]
        step = max(2, math.ceil(max(shape[-2:]) / ARROWS))
        axes = [torch.arange(step // 2, n, step, device=self.device) for n in shape[-2:]]
        if len(shape) == 3:
            middle = shape[0] // 2 if plane is None else plane
            axes.insert(0, torch.tensor([middle], device=self.device))
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1).float()
        corner = torch.tensor([part.start for part in self.inner], device=self.device)[:, None]
        with torch.no_grad():
            start, end = self.field.motion(self._part([since, time]), alpha)
            ends = follow(start, end, grid + corner, self.field.shape.scene) - corner
        both = torch.stack([grid, ends - grid]).movedim(-1, 0)
        return both.cpu().numpy().astype(np.float32)

    def images(self, source: Image, config: NSTMConfig) -> tuple[Image, ...]:
        """Return the scene, the motion in µm, the speed per second, and the confidence, 0 to 1.

        Motion is in pixels, and speed per frame, where sizes or times are not known.
        """
        times = times_of(self.facts, config.chosen_times())
        frames = self.facts["frames"]
        scene = self.scene(times)
        moved = self.displacement(times, frames[config.reference])
        pixels = [1 / zoom for zoom in self.facts["zoom"]]  # of the frames, where uncalibrated
        steps = np.array(self.facts["voxel"] or pixels, np.float32)
        moved *= steps.reshape(1, -1, *[1] * len(self.inner))
        speed = np.linalg.norm(_rate(moved, times), axis=1).astype(np.float32)
        made = partial(scene_image, self.facts, source)
        images = [
            made(_squeezed(scene), times, f"{source.name} reconstructed"),
            made(moved, times, f"{source.name} motion", components=True),
            made(speed, times, f"{source.name} speed"),
            made(self._confidence(scene), times, f"{source.name} confidence"),
        ]
        return tuple(images)

    def _part(self, times: Sequence[float]) -> torch.Tensor:
        """Return times as parts of the recording, 0 to 1, shape (times, 1, …)."""
        first, last = self.facts["first"], self.facts["last"]
        if not self.facts["moves"]:
            times = [first] * len(times)
        parts = (np.asarray(times) - first) / max(last - first, 1e-12)
        tensor = torch.from_numpy(parts.astype(np.float32)).to(self.device)
        return tensor.reshape(-1, *[1] * len(self.inner))

    def _confidence(self, scene: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how well motion is determined, 0 to 1; a half where it is known to half a pixel.

        The Fisher information of a small neighbourhood of one frame on its displacement, in its
        weaker direction: along an edge nothing is known.
        """
        noise = self.facts["noise"] * self.facts["unit"] / self.facts.get("transmitted", 1.0)
        pixels = 4 * math.pi * SMOOTHING**2 / math.prod(self.facts["zoom"])
        confidences = []
        for frame in scene[:, -1]:
            slopes = _weakest_contrast(frame) * self.facts["zoom"][-1] ** 2
            known = pixels * slopes / noise**2
            confidences.append(known / (known + 1 / HALF_SURE**2))
        return np.stack(confidences).astype(np.float32)


def preview_image(
    rendering: Rendering,
    source: Image,
    request: PreviewRequest,
    alpha: float,
    reference: int = 0,
) -> Image:
    """Return the last channel of the scene at the frame and plane of `request`, float32.

    `meta["arrows"]` of a plane says how far its material has come since the reference frame:
    where arrows begin, and how long they are, (arrows, 2, axes of space), float32, in voxels.
    """
    frames = rendering.facts["frames"]
    index = dict(request.index)
    time = frames[min(int(index.get("T", 0)), len(frames) - 1)]
    scene = rendering.scene([time], alpha)[0, -1]
    whole = scene_image(rendering.facts, source, scene[None], [time], source.name)
    image = whole.take("T", 0)
    part = requested_part(image, request)
    shown = with_place(image, part, np.ascontiguousarray(scene[part]))
    if not request.index or not rendering.facts["moves"]:
        return shown
    since = frames[min(reference, len(frames) - 1)]
    arrows = rendering.arrows(since, time, index.get("Z"), alpha)
    heads = np.round(arrows.sum(1)).astype(int)
    inside = ((heads >= 0) & (heads < scene.shape)).all(1)
    arrows, heads = arrows[inside], heads[inside]
    seen = textured(whole, 0)[tuple(heads.T)] if len(heads) else np.zeros(0, bool)
    return replace(shown, meta={**shown.meta, "arrows": arrows[seen]})


def render_nstm(stored: Stored, query: Query, device: torch.device) -> tuple[Image, ...]:
    """Return the images of a fit that was kept, at the times and in the part that are asked for.

    Raises
    ------
    ConfigError
        If another scale or channel is asked for, or a time outside the recording.
    """
    from napari_cellinr.config.nstm import NSTMConfig

    check_query(query)
    facts = stored.report["field"]
    shape = SpaceTimeShape(**{key: _tuples(value) for key, value in facts["shape"].items()})
    field = SpaceTime(shape, width=facts["neurons"]).to(device)
    named = {name: torch.from_numpy(np.array(value)) for name, value in stored.tensors.items()}
    own = dict(field.named_parameters())
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(named[name])
    source = blank(stored.source)
    rendering = Rendering(field, facts, device)
    if query.times is not None:
        wanted = times_of(facts, query.times)
        scene = _squeezed(rendering.scene(wanted))
        images: tuple[Image, ...] = (
            scene_image(rendering.facts, source, scene, wanted, f"{source.name} reconstructed"),
        )
    else:
        images = rendering.images(source, NSTMConfig(**stored.config))
    crop = {axis: part for axis, part in query.crop.items() if axis in images[0].axes}
    return tuple(image.crop(**crop) for image in images) if crop else images


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def _squeezed(scene: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scene without its axis of channels if there is only one."""
    return scene[:, 0] if scene.shape[1] == 1 else scene


def _rate(moved: NDArray[np.float32], times: Sequence[float]) -> NDArray[Any]:
    """Return the change per unit of time along the first axis."""
    if len(times) < 2:
        return np.zeros_like(moved)
    rate: NDArray[Any] = np.gradient(moved, np.asarray(times, np.float64), axis=0)
    return rate


def _weakest_contrast(frame: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the smallest eigenvalue of the structure tensor of a frame, grey levels squared."""
    from scipy.ndimage import gaussian_filter

    axes = [axis for axis, size in enumerate(frame.shape) if size > 2]
    slopes = [np.gradient(frame.astype(np.float64), axis=axis) for axis in axes]
    n = len(slopes)
    tensor = np.empty((*frame.shape, n, n))
    for i in range(n):
        for j in range(i, n):
            tensor[..., i, j] = tensor[..., j, i] = gaussian_filter(
                slopes[i] * slopes[j], SMOOTHING
            )
    smallest: NDArray[np.float64] = np.linalg.eigvalsh(tensor)[..., 0]
    return np.maximum(smallest, 0)
