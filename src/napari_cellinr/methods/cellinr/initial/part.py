"""An image with its initial estimate, from which the rest of a fit is prepared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.anscombe import Noise, stabilise, unstabilise
from napari_cellinr.classic.camera.mean_bias import mean_bias
from napari_cellinr.classic.camera.noise import uneven_variance
from napari_cellinr.classic.camera.pixels import hold_out, odd_pixels
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.resources.devices import choose_device
from napari_cellinr.methods.cellinr.initial.background import (
    USUAL_WIDTH,
    Denoised,
    Levels,
    Separated,
    choose_width,
    find_structure,
    is_dim,
    separate,
    separate_by_opening,
)
from napari_cellinr.methods.cellinr.initial.estimate import (
    EstimateBudget,
    Guides,
    InitialEstimate,
    group,
    initial_estimate,
)
from napari_cellinr.methods.cellinr.initial.kernels import no_kernels, solve
from napari_cellinr.methods.cellinr.initial.large import large_objects, width_beyond
from napari_cellinr.methods.cellinr.initial.pilot import with_pilot
from napari_cellinr.methods.cellinr.initial.probe import probe_of
from napari_cellinr.methods.cellinr.problem import Prepared

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.field.fitted import FittedField

__all__ = ["MEAN", "Part", "estimate_part", "without_odd_pixels"]

DIM_WARNING = (
    "There is so little light that dim structures cannot be told from the background: some may "
    "have been subtracted with it, and noise may be left. Compare with background=keep."
)
"""Shown where the background is subtracted from a dim image."""

AROUND = 0.05
"""Quantile of the background that counts as around large objects."""

LARGE_WARNING = (
    "A large, evenly {} object with sharp edges was subtracted with the background, since it "
    "is wider than background_width. If it is part of the specimen, use background=keep, or set "
    "background_width to more than its size in voxels."
)
"""Shown where such an object is subtracted with the background."""

KEPT_WARNING = (
    "A large, evenly {} object with sharp edges was kept as part of the specimen: background_width "
    "is {:.0f} instead of {:.0f} voxels, so that background which varies within less is left. If "
    "the object is background, set background_width to {:.0f}."
)
"""Shown where such an object has made the background smoother."""

MEAN = "comparing the mean brightness"
"""Stage of the progress in which `mean_bias` is found."""

LEAST_TRUST = 0.5
"""Factor of the kernels that held-out voxels have to confirm; below it none are used."""


def estimate_part(
    image: Image,
    stabilised: NDArray[np.float32],
    config: CellINRConfig,
    noise: Noise,
    budget: EstimateBudget,
    monitor: Monitor,
    *,
    probed: bool = True,
) -> Generator[Progress, Message, Part]:
    """Yield `Progress`, return an image with its initial estimate.

    Parameters
    ----------
    image
        One frame of one channel, axes ZYX or YX.
    stabilised
        Its stabilised values, float32.
    config
        The settings, of which `estimate`, `held_out`, `rounds` and `seed` are used.
    noise
        The noise in grey levels.
    budget
        Threads and time.
    monitor
        Of the job.
    probed
        Whether the error of the estimate is needed, for which it is made twice.
    """
    generator = np.random.default_rng(config.seed)
    held, values = hold_out(stabilised, config.held_out, generator)
    entry = monitor.checkpoint.entry("estimate")
    if (saved := entry.load()) is not None:
        found, variance, views = _restored(*saved)
        return Part(image, config, noise, stabilised, held, found, variance, views=views)
    everything = [slice(0, size) for size in values.shape]
    probe = probe_of(everything, values.shape, budget.grain, generator)
    found = yield from initial_estimate(values, config.estimate, probe, budget, monitor)
    part = Part(image, config, noise, stabilised, held, found)
    if found.complete and found.name == "groups":
        has_field = config.has_field
        probed = probed and not has_field
        prepare = partial(part.guides, probed=probed)
        guides = yield from in_background("preparing the groups", prepare, monitor)
        if guides is None:
            return replace(part, found=replace(found, complete=False))
        if has_field:
            guides = with_pilot(values, guides, budget)
        grouped = yield from group(values, found, guides, budget, monitor, probed=probed)
        part = replace(part, found=grouped, variance=guides.variance)
        if has_field and grouped.complete and grouped.name == "groups":
            views = np.stack([values, found.estimate, guides.first, grouped.estimate])
            part = replace(part, views=views)
    if part.found.complete and entry.should_save:
        entry.save({"name": part.found.name}, part.arrays())
    return part


def without_odd_pixels(image: Image, noise: Noise) -> tuple[int, NDArray[np.float32]]:
    """Return the number of hot and dead pixels, and the stabilised values with these replaced.

    In a filtered image, whose noise has a grain, none can be recognised.

    Parameters
    ----------
    image
        One frame of one channel, axes ZYX or YX, grey levels.
    noise
        The noise in grey levels.

    Returns
    -------
    tuple
        The number, and the values in standard deviations of the noise, float32.
    """
    stabilised = stabilise(image.array(), noise)
    if noise.grain > 0:
        return 0, stabilised
    odd, replaced = odd_pixels(stabilised, image.array(), noise)
    return int(odd.sum()), replaced


def _restored(
    header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> tuple[InitialEstimate, NDArray[np.float32] | None, NDArray[np.float32] | None]:
    """Return what a checkpoint holds: initial estimate, variance of the noise, and views."""
    found = InitialEstimate(
        arrays["estimate"], arrays["shifted"], arrays["probe"], name=header["name"]
    )
    return found, arrays.get("variance"), arrays.get("views")


@dataclass(frozen=True)
class Part:
    """An image with its initial estimate, from which the rest is prepared; axes ZYX or YX.

    Parameters
    ----------
    image
        One frame of one channel.
    config
        The settings.
    noise
        The noise in grey levels.
    stabilised
        Stabilised values, float32.
    held
        Which voxels are held out, bool.
    found
        The initial estimate.
    variance
        Variance of the noise of the stabilised values at each voxel; 1 if not given.
    n_odd
        Number of hot and dead pixels that were replaced.
    views
        What a network is given, if one is to correct the estimate: the values without those held
        out, non-local means, the guide of the groups, and the estimate; axes (view, …), float32.
    fitted
        The network, and what it adds to the estimate.
    levels
        Of the whole image, if this is a part of one.
    """

    image: Image
    config: CellINRConfig
    noise: Noise
    stabilised: NDArray[np.float32]
    held: NDArray[np.bool_]
    found: InitialEstimate
    variance: NDArray[np.float32] | None = None
    n_odd: int = 0
    views: NDArray[np.float32] | None = None
    fitted: FittedField | None = None
    levels: Levels | None = None

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what took long to compute, for a checkpoint."""
        names = ("estimate", "shifted", "probe")
        arrays = {name: getattr(self.found, name) for name in names}
        more = {"variance": self.variance, "views": self.views}
        return arrays | {name: array for name, array in more.items() if array is not None}

    def guides(self, *, probed: bool = True) -> Guides:
        """Return the estimates in which groups of patches are searched for, improved by kernels.

        Parameters
        ----------
        probed
            Whether the second one is needed; if not, it is the first one.
        """
        variance = None
        if self.noise.grain == 0:
            variance = uneven_variance(self.stabilised, self.found.estimate)
        spacing = max(2, self.config.kernel_spacing // 2)
        device = choose_device(self.config.device)
        kernels = solve(self.found, self.stabilised, self.held, spacing, variance, device=device)
        first = kernels.result(device)
        second = kernels.applied(self.found.shifted, device) if probed else first
        return Guides(first, second, variance)

    def recorded(self) -> NDArray[np.float32]:
        """Return the recorded grey levels, float32; NaN at hot and dead pixels."""
        recorded = self.image.array().astype(np.float32)
        return np.where(stabilise(recorded, self.noise) == self.stabilised, recorded, np.nan)

    def residual(self) -> NDArray[np.float32]:
        """Return recorded minus restored grey levels, float32; NaN at hot and dead pixels."""
        best = self.found.estimate
        if self.fitted is not None:
            best = best + self.fitted.correction
        return self.recorded() - unstabilise(best, self.noise)

    def with_mean(self) -> Part:
        """Return the same with the mean of the recorded image kept."""
        if not self.found.complete:
            return self
        return replace(self, noise=replace(self.noise, bias=mean_bias([self.residual()])))

    def without_kernels(self) -> Prepared:
        """Return what is prepared from an estimate that kernels are not to improve."""
        return self.build(kernels=False, by_structure=self.found.complete)

    def build(self, *, kernels: bool = True, by_structure: bool = True) -> Prepared:
        """Return what the optimisation needs to know of the image.

        Without both, for a job that was stopped, this takes a second.

        Parameters
        ----------
        kernels
            Whether kernels are to improve the estimate.
        by_structure
            Whether the background is found by where structures are; if not, by an opening, of
            the usual width if none is set.
        """
        best, spacing = self.found.estimate, self.config.kernel_spacing
        local = None
        if kernels:
            device = choose_device(self.config.device)
            local = solve(
                self.found,
                self.stabilised,
                self.held,
                spacing,
                self.variance,
                LEAST_TRUST,
                device=device,
            )
            best = local.result(device)
        if self.fitted is not None:
            best = best + self.fitted.correction
        values = unstabilise(best, self.noise)
        confidence, parts, texts = self._separated(values, by_structure)
        return Prepared(
            image=self.image,
            values=self.stabilised,
            held=self.held,
            estimate=self.found.estimate,
            kernels=local or no_kernels(self.found.estimate, spacing),
            separated=parts,
            structure=confidence,
            noise=self.noise,
            can_improve=kernels,
            complete=self.found.complete,
            n_odd=self.n_odd,
            fitted=self.fitted,
            warnings=texts,
        )

    def chosen(self) -> CellINRConfig:
        """Return the settings with the kind of structure and the width of the background chosen."""
        scale = self.image.scale
        confidence, kind = find_structure(self.found.estimate, self.config, scale, self.noise.grain)
        width = self.config.background_width
        if not width:
            width = choose_width(confidence, kind, scale, dim=self._is_dim())
            values = unstabilise(self.found.estimate, self.noise)
            parts = self._with_width(values, confidence, kind, width)
            width = self._beyond_large(values, parts)[0] or width
        return self.config.replace(structure=kind, background_width=width)

    def _is_dim(self) -> bool:
        """Return whether the contrast is low: of the whole image, if this is a part of one."""
        if self.levels is not None:
            return self.levels.dim
        return is_dim(self.found.estimate, dark=self.config.dark)

    def _separated(
        self, values: NDArray[np.float32], by_structure: bool
    ) -> tuple[NDArray[np.float32], Separated, tuple[str, ...]]:
        """Return the confidence in structures, and signal and background of denoised values.

        And what users should know of the background.
        """
        scale, given = self.image.scale, self.config.background_width
        if not by_structure:
            nothing = np.zeros_like(values)
            return nothing, self._with_width(values, nothing, "none", given or USUAL_WIDTH), ()
        confidence, kind = find_structure(self.found.estimate, self.config, scale, self.noise.grain)
        usual = given or choose_width(confidence, kind, scale, dim=self._is_dim())
        parts = self._with_width(values, confidence, kind, usual)
        if self.config.background != "subtract":
            return confidence, parts, ()
        texts = [DIM_WARNING] if self._is_dim() else []
        wide, is_there = self._beyond_large(values, parts)
        brightness = "dark" if self.config.dark else "bright"
        if wide is not None:
            parts = self._with_width(values, confidence, kind, wide)
            texts.append(KEPT_WARNING.format(brightness, wide, usual, usual))
        elif is_there:
            texts.append(LARGE_WARNING.format(brightness))
        return confidence, parts, tuple(texts)

    def _with_width(
        self,
        values: NDArray[np.float32],
        confidence: NDArray[np.float32],
        kind: str,
        width: float,
    ) -> Separated:
        """Return signal and background of denoised values, by an opening of a width in voxels."""
        scale, sign = self.image.scale, -1 if self.config.dark else 1
        image = Denoised(values, confidence, self.noise, scale, sign, self._is_dim(), self.levels)
        return (separate_by_opening if kind == "none" else separate)(image, width)

    def _beyond_large(
        self, values: NDArray[np.float32], parts: Separated
    ) -> tuple[float | None, bool]:
        """Return a width that keeps large objects with sharp edges, and whether there are any.

        The width is None if there is no need, if there is none, and if one is given: users have the
        width that they want.
        """
        if not parts.widths or self.config.background != "subtract":
            return None, False
        sign, scale = np.float32(-1 if self.config.dark else 1), self.image.scale
        around = np.quantile(sign * parts.background, AROUND)
        noise = float(self.noise.sd(sign * around))
        large = large_objects(sign * values, scale, parts.widths, noise)
        if large is None or self.config.background_width:
            return None, large is not None
        return width_beyond(sign * values, large, scale), True
