"""Images from a fitted space-time model: the scene at any time, and how its material moves."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.fields.warp import grid_points
from napari_cellinr.methods.nstm.checks.exposures import error_between
from napari_cellinr.methods.nstm.checks.parts import error_of, part_seen, usual_part
from napari_cellinr.methods.nstm.checks.residual import at_material
from napari_cellinr.methods.nstm.geometry import (
    inside,
    scene_image,
    times_of,
)
from napari_cellinr.methods.nstm.model import ALL_LEVELS, SpaceTimeModel
from napari_cellinr.methods.nstm.rendering.material import Material

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.image import Image
    from napari_cellinr.methods.nstm.phases.errors import KnownParts

__all__ = ["Rendering", "squeezed"]

SMOOTHING = 2.0
"""Standard deviation in pixels of the neighbourhood whose contrast gives the confidence."""

ARROWS = 24
"""Arrows along the longer side of a preview."""

HALF_SURE = 0.5
"""Error of the displacement, in camera pixels, at which the confidence is a half."""

ALONE = 1 / 3
"""Smallest error of the motion relative to that of a small neighbourhood in one frame, of which the
confidence is computed: other frames and the smoothness of the motion tell more."""

LEAST_SURE = 1e-4
"""Confidence below which an error is not computed from it: it would be over 50 pixels."""


class Rendering:
    """A space-time model with the calibration of its scene.

    Parameters
    ----------
    model
        The fitted model.
    settings
        As `methods.nstm.geometry.model_settings` gives them.
    device
        Where to compute.
    halves
        Models of the motion that were fitted to two halves of the pixels, if there are any.
    shift
        What `residual.contradiction` returned, if anything.
    delays
        What `exposures.delays_of` returned, if anything.
    parts
        Of a phase whose motion is that of parts, how well it is known.
    """

    def __init__(
        self,
        model: SpaceTimeModel,
        settings: Mapping[str, Any],
        device: torch.device,
        halves: Sequence[SpaceTimeModel] = (),
        shift: NDArray[np.float32] | None = None,
        delays: NDArray[np.float32] | None = None,
        parts: KnownParts | None = None,
    ) -> None:
        self.model, self.settings, self.device = model, settings, device
        self.halves, self.shift, self.delays, self.parts = halves, shift, delays, parts
        self.inner = inside(settings["padding"], model.shape.scene)

    def scene(self, times: Sequence[float], alpha: float = ALL_LEVELS) -> NDArray[np.float32]:
        """Return the scene at each time without its padding, axes (T, C, [Z,] Y, X), float32.

        Parameters
        ----------
        times
            In the unit of the recording.
        alpha
            Progress of the coarse-to-fine.

        Returns
        -------
        numpy.ndarray
            In the units of the input.
        """
        with torch.no_grad():
            still = self.model.canonical(alpha)
            scenes = [self.model(self._part([time]), alpha, still)[0].cpu() for time in times]
        inner = (slice(None), slice(None), *self.inner)
        return torch.stack(scenes).numpy()[inner] * np.float32(self.settings["unit"])

    def displacement(self, times: Sequence[float], reference: float) -> NDArray[np.float32]:
        """Return how far the material of the reference time has moved, in voxels of the scene.

        Parameters
        ----------
        times, reference
            In the unit of the recording.

        Returns
        -------
        numpy.ndarray
            Axes (T, C, [Z,] Y, X), float32; C are the components in the order of spatial axes.
        """
        return self._moved(self.model, times, reference)

    def errors(self, times: Sequence[float], reference: float) -> NDArray[np.float32]:
        """Return how far the motion may be wrong, in pixels of the frames.

        It follows from the differences to the motions of the `halves`. About nine of ten
        points are nearer to the truth where it is below a pixel, fewer above. Where parts of a
        phase tell how well its motion is known, it is the root mean square of what they and the
        differences say.

        Parameters
        ----------
        times, reference
            In the unit of the recording.

        Returns
        -------
        numpy.ndarray
            Of the material at each position at the reference time, axes (T, [Z,] Y, X), float32.
        """
        found = self.displacement(times, reference)
        zoom = np.reshape(self.settings["zoom"], (1, -1, *[1] * len(self.inner)))
        apart = [
            np.linalg.norm((self._moved(half, times, reference) - found) / zoom, axis=1)
            for half in self.halves
        ]
        layers = self.model.shape.layers
        seen = self.settings.get("seen", part_seen(layers, nonnegative=True))
        both = np.stack(apart).astype(np.float32)
        earlier = self.settings.get("shared", 1.0)  # its name in the first fits that had it
        more = np.float32(self.settings.get("error_factor", earlier))
        error = error_of(both, seen=seen, layers=layers, zoom=self.settings["zoom"])
        if self.parts is None:
            return more * error
        when, then = self._part(times).flatten().tolist(), self._part([reference]).flatten()
        told = self.parts.errors(found / zoom, when, float(then))
        return np.sqrt((np.square(error) + np.square(told)) / 2).astype(np.float32)

    def _errors_with_noise(
        self, times: Sequence[float], reference: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return `errors`, but larger ones where fits may agree on a motion that is not right.

        That is where there is hardly any contrast, where the frames contradict the motion, and
        between two exposures of material that speeds up or slows down. Of the latter two, the usual
        error, which is the second, is not smaller than the one that nine of ten points do not
        reach.
        """
        sure = self._confidence(self.scene([reference]))
        least = ALONE * HALF_SURE * np.sqrt(1 / np.maximum(sure, LEAST_SURE) - 1)
        found = np.maximum(self.errors(times, reference), least).astype(np.float32)
        layers = self.model.shape.layers
        seen = self.settings.get("seen", part_seen(layers, nonnegative=True))
        shared = self._between(times, reference)
        if self.shift is not None:
            shared = np.maximum(shared, self._met(times, reference))
        usual = np.float32(usual_part(seen=seen, layers=layers)) * found
        return np.maximum(found, shared), np.maximum(usual, shared)

    def _between(self, times: Sequence[float], reference: float) -> NDArray[np.float32]:
        """Return how far the motion may be wrong between two exposures, in pixels of the frames."""
        frames = self.settings["frames"]
        zoom = np.reshape(self.settings["zoom"], (1, -1, *[1] * len(self.inner)))
        moved = (self.displacement(frames, reference) / zoom).astype(np.float32)
        found = error_between(moved, frames, self.delays, [*times, reference])
        for number, time in enumerate(times):
            found[number] += found[-1] if time != reference else -found[number]
        return found[:-1]

    def _met(self, times: Sequence[float], reference: float) -> NDArray[np.float32]:
        """Return which contradiction the material has met since the reference time, in pixels."""
        assert self.shift is not None
        frames = np.asarray(self.settings["frames"])
        near = [int(np.abs(frames - time).argmin()) for time in times]
        start = int(np.abs(np.asarray(times) - reference).argmin())
        zoom = np.reshape(self.settings["zoom"], (-1, *[1] * len(self.inner)))
        sizes = [part.stop - part.start for part in self.inner]
        places = (self.displacement(times, reference) + np.indices(sizes)) / zoom
        found = at_material(self.shift, places.astype(np.float32), near)
        later = np.maximum.accumulate(found[start:])
        before = np.maximum.accumulate(found[: start + 1][::-1])[::-1]
        return np.concatenate([before[:-1], later])

    def _moved(
        self, model: SpaceTimeModel, times: Sequence[float], reference: float
    ) -> NDArray[np.float32]:
        """Return `displacement` by one of the models."""
        shape = model.shape.scene
        places = [grid_points(0, n - 1, n, self.device) for n in shape]
        grid = torch.stack(torch.meshgrid(*places, indexing="ij"))[(slice(None), *self.inner)]
        material = Material(model, self._part([reference]), grid)
        parts = [(material.at(self._part([time])) - grid).cpu().numpy() for time in times]
        return np.stack(parts).astype(np.float32)

    def arrows(
        self, since: float, time: float, plane: int | None, alpha: float
    ) -> NDArray[np.float32]:
        """Return where some material is at one time, and how far it has moved at another.

        Parameters
        ----------
        since, time
            When the arrows begin and end.
        plane
            Of a volume, where they begin.
        alpha
            Progress of the coarse-to-fine.

        Returns
        -------
        numpy.ndarray
            Shape (arrows, 2, axes), float32, voxels: position at `since`, and displacement.
        """
        shape = [part.stop - part.start for part in self.inner]
        step = max(2, math.ceil(max(shape[-2:]) / ARROWS))
        axes = [torch.arange(step // 2, n, step, device=self.device) for n in shape[-2:]]
        if len(shape) == 3:
            middle = shape[0] // 2 if plane is None else plane
            axes.insert(0, torch.tensor([middle], device=self.device))
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1).float()
        corner = torch.tensor([part.start for part in self.inner], device=self.device)[:, None]
        material = Material(self.model, self._part([since]), grid + corner, alpha)
        ends = material.at(self._part([time])) - corner
        both = torch.stack([grid, ends - grid]).movedim(-1, 0)
        return both.cpu().numpy().astype(np.float32)

    def images(self, source: Image, config: NSTMConfig) -> tuple[Image, ...]:
        """Return scene, motion, speed, confidence and error; see `images_and_error`.

        Parameters
        ----------
        source
            The raw frames, for calibration and name.
        config
            The settings, of which the times and the reference are used.
        """
        return self.images_and_error(source, config)[0]

    def images_and_error(
        self, source: Image, config: NSTMConfig
    ) -> tuple[tuple[Image, ...], NDArray[np.float32] | None]:
        """Return the scene, the motion in µm, the speed per second, and the confidence, 0 to 1.

        Motion is in pixels, and speed per frame, where sizes or times are not known. With
        `halves`, the confidence follows from the error of the motion in pixels of the frames, which
        is the fifth image; both are those of the material at each position at the reference time.
        The usual error, which nobody else needs, comes last, (T, [Z,] Y, X), None without `halves`.

        Parameters
        ----------
        source
            The raw frames, for calibration and name.
        config
            The settings, of which the times and the reference are used.
        """
        times = times_of(self.settings, config.chosen_times())
        frames = self.settings["frames"]
        scene = self.scene(times)
        moved = self.displacement(times, frames[config.reference])
        pixels = [1 / zoom for zoom in self.settings["zoom"]]  # of the frames, where uncalibrated
        steps = np.array(self.settings["voxel"] or pixels, np.float32)
        moved *= steps.reshape(1, -1, *[1] * len(self.inner))
        speed = np.linalg.norm(_rate(moved, times), axis=1).astype(np.float32)
        made = partial(scene_image, self.settings, source)
        images = [
            made(squeezed(scene), times, f"{source.name} reconstructed"),
            made(moved, times, f"{source.name} motion", components=True),
            made(speed, times, f"{source.name} speed"),
        ]
        if not self.halves:
            confidence = self._confidence(scene)
            return (*images, made(confidence, times, f"{source.name} confidence")), None
        error, usual = self._errors_with_noise(times, frames[config.reference])
        confidence = HALF_SURE**2 / (HALF_SURE**2 + error**2)
        images.append(made(confidence, times, f"{source.name} confidence"))
        return (*images, made(error, times, f"{source.name} motion error")), usual

    def _part(self, times: Sequence[float]) -> torch.Tensor:
        """Return times as fractions of the recording, 0 to 1, shape (times, 1, …), float32."""
        first, last = self.settings["first"], self.settings["last"]
        if not self.settings["moves"]:
            times = [first] * len(times)
        parts = (np.asarray(times) - first) / max(last - first, 1e-12)
        tensor = torch.from_numpy(parts.astype(np.float32)).to(self.device)
        return tensor.reshape(-1, *[1] * len(self.inner))

    def _confidence(self, scene: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how well motion is determined, 0 to 1; 0.5 where its error is half a pixel.

        From the Fisher information of a small neighbourhood of one frame on its displacement, in
        its weaker direction: motion along an edge cannot be seen.
        """
        noise, contrast = self.settings["noise"], self.settings.get("transmitted", 1.0)
        # frames of a scene without contrast, as of few pixels, say nothing
        noise = noise * self.settings["unit"] / contrast if contrast > 0 else math.inf
        pixels = 4 * math.pi * SMOOTHING**2 / math.prod(self.settings["zoom"])
        confidences = []
        for frame in scene[:, -1]:
            slopes = _weakest_contrast(frame) * self.settings["zoom"][-1] ** 2
            known = pixels * slopes / noise**2
            confidences.append(known / (known + 1 / HALF_SURE**2))
        return np.stack(confidences).astype(np.float32)


def squeezed(scene: NDArray[np.float32]) -> NDArray[np.float32]:
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
    if not axes:  # two pixels do not tell a slope from noise
        return np.zeros(frame.shape)
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
