"""A fit of one frame whose initial estimate a network corrects."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.resources.devices import choose_device
from napari_cellinr.fitting.resources.memory import give_back
from napari_cellinr.methods.cellinr.field.fitted import without_rounds
from napari_cellinr.methods.cellinr.field.mixed import (
    with_second_filter,
    with_smoothed_image,
    with_sparse_estimate,
)
from napari_cellinr.methods.cellinr.field.rounds import Rounds
from napari_cellinr.methods.cellinr.frames import frame_of
from napari_cellinr.methods.cellinr.initial.estimate import EstimateBudget
from napari_cellinr.methods.cellinr.initial.part import MEAN, estimate_part, without_odd_pixels
from napari_cellinr.methods.cellinr.problem import CellINRProblem

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.frames import Frame

__all__ = ["fit_with_network"]

MIXED = {
    "mixing in a sparse estimate": with_sparse_estimate,
    "mixing in a smoothed image": with_smoothed_image,
}
"""What else is mixed into the result of a plane or volume, by the stage of the progress."""


def fit_with_network(
    image: Image, config: CellINRConfig, noise: Noise, monitor: Monitor
) -> Generator[Progress, Message, Frame]:
    """Denoise one frame, or a tile of it: yield `Progress`, return the fit.

    A round that the time limit would interrupt is left out; if the user stops, what the present
    one has learnt is used.

    Parameters
    ----------
    image
        Axes ZYX or YX.
    config
        The settings.
    noise
        The noise in grey levels.
    monitor
        Of the job, with the time limit of this image.
    """
    device = choose_device(config.device)
    budget = EstimateBudget.until(monitor.deadline, noise, device)
    odd, stabilised = without_odd_pixels(image, noise)
    part = yield from estimate_part(image, stabilised, config, noise, budget, monitor)
    has_views = part.views is not None and part.found.complete
    is_late = config.estimate == "auto" and part.found.name != "groups" and part.found.complete
    fitted = without_rounds(part, is_late=is_late)
    if has_views:
        rounds = Rounds(part, budget)
        while rounds.goes_on(monitor):
            pairs = []
            for one in rounds.synthetic_images():
                with monitor.part(one.caption, previews=False):
                    made = yield from estimate_part(
                        one.image, one.values, one.config, noise, rounds.budget, monitor
                    )
                if made.views is None or not made.found.complete:
                    break
                pairs.append(one.pair(made, device))
            if len(pairs) < rounds.n_images:
                break
            outcome = yield from optimise(rounds.problem(pairs), config, monitor)
            if outcome.stopped == "time":
                rounds.is_late = True
                break
            rounds.finish(outcome)
        fitted = rounds.result(stopped=monitor.stopped)
        del rounds  # the whole image as the network is given it, as large as five images
        give_back()
        filter_again = partial(with_second_filter, fitted, part, device, deadline=monitor.deadline)
        fitted = (yield from in_background("filtering again", filter_again, monitor)) or fitted
        for caption, mix in MIXED.items():
            mixed = yield from in_background(caption, partial(mix, fitted, part, device), monitor)
            fitted = mixed or fitted
    # nothing below needs the views, which are as large as four images
    part, prepared = replace(part, n_odd=odd, fitted=fitted, views=None), None
    part = (yield from in_background(MEAN, part.with_mean, monitor)) or part
    if part.found.complete:
        work = partial(part.build, kernels=not has_views)
        prepared = yield from in_background("preparing the fit", work, monitor)
    if prepared is None:
        prepared = part.build(kernels=False, by_structure=False)
    chosen = config.replace(estimate=part.found.name, rounds=fitted.rounds)
    yield from monitor.report("writing the result")
    return frame_of(CellINRProblem(prepared, chosen, device), chosen, fitted.outcome)
