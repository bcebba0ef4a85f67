"""Denoises a part of a recording that is too large for memory, as it is in the whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.fitting.check import check_span, check_values
from napari_cellinr.methods.cellinr.field.fit import fit_with_network
from napari_cellinr.methods.cellinr.frame_by_frame import frame_at
from napari_cellinr.methods.cellinr.initial.noise import noise_of_channels
from napari_cellinr.methods.cellinr.initial.series import is_coupled
from napari_cellinr.methods.cellinr.job import fit_part, fit_series, together
from napari_cellinr.methods.cellinr.recording.camera_maps import calibrated
from napari_cellinr.methods.cellinr.recording.defects import find_defects

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.frames import Frame
    from napari_cellinr.methods.cellinr.initial.series import Within
    from napari_cellinr.methods.cellinr.recording.defects import Defects

__all__ = ["denoise_part"]

WITHOUT_NETWORK = (
    "The frames were divided into tiles, in which no network was trained, so that neighbouring "
    "tiles agree. Use a computer with more memory to denoise whole frames."
)


def denoise_part(
    source: Image, config: CellINRConfig, monitor: Monitor, within: Within
) -> Generator[Progress, Message, Fitted]:
    """Denoise some frames of one channel: yield `Progress`, return the result of these frames.

    Parameters
    ----------
    source
        The frames that are to be denoised, and those around them; axes T, [Z,] Y, X.
    config
        The settings; noise, structure and width of the background are given, so that they are
        the same in all parts.
    monitor
        Of the job.
    within
        The recording of which this is a part.
    """
    check_values(source)
    check_span(source)
    source = calibrated(source, config)
    places: list[tuple[int, ...]] = [(number,) for number in range(source.sizes["T"])]
    own = [place for place in places if within.frames[place[0]] in within.own]
    recorded = source.crop(T=slice(own[0][0], own[-1][0] + 1))
    found = find_defects(source, places, whole=within.levels is None, hot=within.hot)
    defects = found.of_own(own)
    if not set(own) - defects.unused:
        return _unchanged(recorded, config, monitor)
    (noise,) = noise_of_channels(source.crop(T=slice(0, 1)), config)
    noises = [replace(noise, offset_sd=within.offset_sd)]
    source = defects.repaired(source, noises, config.seed)
    good = [place[0] for place in places if place not in defects.unfitted]
    indices: list[Mapping[str, int]] = [{"T": number} for number in good]
    frames: list[Frame]
    if is_coupled(config, len(places), source.shape[1:], None):
        numbers = tuple(within.frames[number] for number in good)
        near = replace(within, frames=numbers)
        frames = yield from fit_series(source, indices, config, noises, monitor, near)
    else:
        frames = []
        for index in indices:
            if within.frames[index["T"]] in within.own:
                fit = _fit_of(frame_at(source, index), config, noises[0], monitor, within)
                frames.append((yield from fit))
    restricted = _of_own(defects, own)
    warnings = list(restricted.warnings)
    if config.has_field and within.levels is not None:
        warnings.append(WITHOUT_NETWORK)
    shifted: list[tuple[int, ...]] = [(number,) for number in range(len(own))]
    return together(recorded, restricted, shifted, frames, warnings, monitor.started)


def _fit_of(
    image: Image, config: CellINRConfig, noise: Noise, monitor: Monitor, within: Within
) -> Generator[Progress, Message, Frame]:
    """Return the fit of a frame or a tile; a network would differ from tile to tile."""
    if config.has_field and within.levels is None:
        return fit_with_network(image, config, noise, monitor)
    if config.has_field:
        config = config.replace(rounds=0)
    return fit_part(image, config, noise, monitor, within.levels)


def _of_own(defects: Defects, own: list[tuple[int, ...]]) -> Defects:
    """Return what is wrong with the own frames, which are counted from the first of them."""
    first = own[0][0]

    def shifted(masks: Mapping[Any, Any]) -> dict[Any, Any]:
        return {(place[0] - first,): masks[place] for place in own if place in masks}

    def places(unused: frozenset[tuple[int, ...]]) -> frozenset[tuple[int, ...]]:
        return frozenset((place[0] - first,) for place in own if place in unused)

    return replace(
        defects,
        n_frames=len(own),
        blank=places(defects.blank),
        dark=places(defects.dark),
        empty=shifted(defects.empty),
        impossible=shifted(defects.impossible),
        lost=shifted(defects.lost),
        hot=shifted(defects.hot),
        impulses=shifted(defects.impulses),
        copied=shifted(defects.copied),
        copies={
            (place[0] - first,): (original[0] - first,)
            for place, original in defects.copies.items()
            if place in own
        },
    )


def _unchanged(recorded: Image, config: CellINRConfig, monitor: Monitor) -> Fitted:
    """Return a result for frames that all show nothing: they stay, without any signal."""
    from napari_cellinr.fitting.problem import Fitted

    values = np.asarray(recorded.array(), np.float32)
    nothing = np.zeros_like(values)
    keeps = config.background == "keep"
    images = [values if keeps else nothing, values, nothing if keeps else values]
    warning = "All frames of this part are blank or dark; they were left as they are."
    report = {"seconds": monitor.seconds, "warnings": [warning], "held_out": 0.0}
    return Fitted(
        tuple(recorded.like(one) for one in images), config, {}, (), "converged", report,
        method="cellinr",
        roles=("result", "background", "signal" if keeps else "kept"),
    )  # fmt: skip
