"""Illumination patterns of structured light: what is given, and what is estimated from the data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from napari_cellinr.optics.sim_calibration import (
    Order,
    find_carrier,
    fit_order,
    full_transfer,
    separate,
    taper,
    without_blur,
)

if TYPE_CHECKING:
    from napari_cellinr.config.optics.sim import SIM2D, SIM3D

__all__ = ["Light", "estimate_light", "light_warnings"]

_FAINT = 0.2
"""Agreement of an order with order 0 below which its carrier may be wrong."""

_APART = 1.5
"""Steps of the frequency grid by which the carriers of both orders of a direction may differ."""

_CONTRAST = 0.03
"""Contrast below which an order adds little."""


@dataclass(frozen=True, eq=False)
class Light:
    """The illumination patterns, a sum of cosines.

    Parameters
    ----------
    carriers
        Wave vector (y, x) of every order in cycles per camera pixel, (orders, 2) float64.
    phases, contrasts
        Phase in radians and contrast of every order in every pattern, (patterns, orders) float64;
        contrast 0 where the order is off.
    groups
        Transfer function of every order, (orders,) int64.
    agreements
        Of every order that was estimated, its correlation with order 0, 0 to 1.
    doubts
        Sentences for the user about the estimates.
    """

    carriers: torch.Tensor
    phases: torch.Tensor
    contrasts: torch.Tensor
    groups: torch.Tensor
    agreements: tuple[float, ...] = ()
    doubts: tuple[str, ...] = ()


def estimate_light(
    frames: torch.Tensor, light: Light, transfers: torch.Tensor, padding: int, optics: SIM2D | SIM3D
) -> Light:
    """Return the illumination with carriers, start phases and contrasts estimated from frames.

    Parameters
    ----------
    frames
        Raw frames (shots, [Z,] Y, X), float64.
    light
        First guess of the illumination.
    transfers
        Transfer function of every group, (groups, [Z,] Y, X // 2 + 1), complex.
    padding
        Planes added above and below.
    optics
        Settings: what is to be estimated.
    """
    n_patterns = len(light.phases)
    mean = frames.reshape(-1, n_patterns, *frames.shape[1:]).mean(0)
    if mean.ndim == 4:
        places = torch.arange(-padding, transfers.shape[1] - padding).clamp(0, mean.shape[1] - 1)
        mean = mean[:, places]
    active = light.contrasts > 0
    bands = separate(taper(mean), light.phases, active)
    full = full_transfer(transfers.to(torch.complex128), frames.shape[-1])
    pairs = [
        (torch.stack([bands[0], bands[1 + order]]), torch.stack([full[0], full[group]]))
        for order, group in enumerate(light.groups.tolist())
    ]
    guesses = [carrier.tolist() for carrier in light.carriers]
    found = [
        _order(pair, guess, refine=optics.refine)
        for pair, guess in zip(pairs, guesses, strict=True)
    ]
    doubts: tuple[str, ...] = ()
    if optics.kind == "sim3d":
        doubts = _disagreement(found, frames.shape[-2:])
        found = _together(pairs, found)
    starts = torch.tensor([order.phase for order in found], dtype=torch.float64)
    contrasts = light.contrasts
    if optics.modulations is None:
        most = 1.0 if optics.otf is None else 100.0  # tables count bands in units of their own
        contrasts = torch.tensor([min(max(o.contrast, 1e-3), most) for o in found]) * active
    return replace(
        light,
        carriers=torch.tensor([order.carrier for order in found], dtype=torch.float64),
        phases=(light.phases + starts) * active,
        contrasts=contrasts.double(),
        agreements=tuple(order.agreement for order in found),
        doubts=doubts,
    )


def _order(pair: tuple[torch.Tensor, torch.Tensor], guess: list[float], *, refine: bool) -> Order:
    """Return the estimate of one order, with the sign of its carrier that agrees better.

    The sign depends on the direction in which the phases step.
    """
    orders = []
    for side in (1, -1):
        carrier: tuple[float, ...] = tuple(side * k for k in guess)
        if refine:
            carrier = find_carrier(without_blur(*pair), carrier)
        orders.append(fit_order(*pair, carrier))
    return max(orders, key=lambda order: order.agreement)


def _together(pairs: list[tuple[torch.Tensor, torch.Tensor]], found: list[Order]) -> list[Order]:
    """Return the orders of each direction with one carrier: that of the second is twice the first.

    Of the two estimates, the one with which both orders agree better is taken.
    """
    result: list[Order] = []
    for first, second in zip(found[0::2], found[1::2], strict=True):
        halves = [first.carrier, tuple(k / 2 for k in second.carrier)]
        both = pairs[len(result)], pairs[len(result) + 1]
        tried = [
            [fit_order(*both[0], half), fit_order(*both[1], tuple(2 * k for k in half))]
            for half in halves
        ]
        result += max(tried, key=lambda orders: sum(order.agreement for order in orders))
    return result


def _disagreement(found: list[Order], size: tuple[int, ...]) -> tuple[str, ...]:
    """Return a sentence where both orders of a direction find different carriers."""
    apart = [
        max(abs(2 * a - b) * n for a, b, n in zip(one.carrier, two.carrier, size, strict=True))
        for one, two in zip(found[0::2], found[1::2], strict=True)
    ]
    wrong = [str(index + 1) for index, steps in enumerate(apart) if steps > _APART]
    if not wrong:
        return ()
    return (
        f"the orders of direction {', '.join(wrong)} disagree on the pattern: the specimen moves "
        "too much between its phases, or its contrast is low; estimate periods, angles, "
        "start_phases and modulations with a static specimen, and switch refine off.",
    )


def light_warnings(light: Light) -> tuple[str, ...]:
    """Return sentences for the user about orders that hardly agree with the data."""
    doubts = list(light.doubts)
    for order, agreement in enumerate(light.agreements):
        contrast = float(light.contrasts[:, order].max())
        if agreement < _FAINT or contrast < _CONTRAST:
            doubts.append(
                f"order {order + 1} of the illumination is hardly visible in the data (agreement "
                f"{agreement:.2f}, contrast {contrast:.2f}); check its period and angle."
            )
    return tuple(doubts)
