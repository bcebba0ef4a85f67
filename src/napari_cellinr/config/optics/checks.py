"""Checks of settings that need no image; each raises `ConfigError` with one sentence."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from napari_cellinr.errors import ConfigError
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "check_apertures",
    "check_carriers",
    "check_increasing",
    "check_led_positions",
    "check_list",
]


def check_increasing(times: Sequence[float] | None) -> None:
    """Refuse frame times (seconds; None is allowed) that do not increase."""
    if times is None:
        return
    if not times:
        raise ConfigError(
            "frame_times without values was given; one time for every frame is needed."
        )
    for earlier, later in itertools.pairwise(times):
        if not later > earlier:
            raise ConfigError(
                f"frame_times with {later:g} s after {earlier:g} s were given; times must increase."
            )


def check_list(
    name: str,
    values: Sequence[float] | None,
    lengths: tuple[int, ...] | None,
    *,
    positive: bool = False,
) -> None:
    """Refuse a list of the wrong length, or with numbers that are not allowed.

    Parameters
    ----------
    name
        Setting, for the message.
    values
        The list, or None, which is allowed.
    lengths
        Allowed lengths, or None for at least 1.
    positive
        Whether numbers must be above 0.
    """
    if values is None:
        return
    if not values or (lengths is not None and len(values) not in lengths):
        wanted = "at least 1" if lengths is None else " or ".join(str(n) for n in lengths)
        are = "is" if wanted in {"1", "at least 1"} else "are"
        raise ConfigError(
            f"{name} with {n_of(len(values), 'value')} was given; {wanted} {are} needed."
        )
    if any(not math.isfinite(value) for value in values) or (positive and min(values) <= 0):
        raise ConfigError(f"{name} {tuple(values)} was given; positive numbers are needed.")


def check_apertures(apertures: Mapping[str, float | None], refractive_index: float | None) -> None:
    """Refuse numerical apertures above the refractive index.

    Parameters
    ----------
    apertures
        Numerical aperture by name of the setting; None is allowed.
    refractive_index
        That of the immersion medium, or None, which allows any.
    """
    for name, aperture in apertures.items():
        if aperture is not None and refractive_index is not None and aperture > refractive_index:
            raise ConfigError(
                f"{name} {aperture:g} was given with refractive_index {refractive_index:g}; a "
                "numerical aperture cannot exceed the index of the medium: correct one of them."
            )


def check_led_positions(
    patterns: Sequence[Sequence[tuple[float, float]]], refractive_index: float
) -> None:
    """Refuse patterns without LEDs, or with an LED outside the medium's largest aperture.

    Parameters
    ----------
    patterns
        For each pattern its LEDs, each by its numerical aperture (y, x).
    refractive_index
        That of the immersion medium.
    """
    if not patterns or not all(patterns):
        raise ConfigError("led_positions with an empty pattern was given; each needs an LED.")
    largest = max(math.hypot(*led) for pattern in patterns for led in pattern)
    check_apertures({"led_positions": largest}, refractive_index)


def check_carriers(
    orders: Sequence[tuple[float, float]] | None,
    phases: Sequence[Sequence[float | None]] | None,
    modulations: Sequence[float] | None,
) -> None:
    """Refuse carriers, phases and contrasts whose numbers do not match.

    Parameters
    ----------
    orders
        Carriers, each by its period in micrometres and its angle in degrees; None is allowed.
    phases
        For each frame, the phase in degrees of every carrier, or None where it is off; None for
        all is allowed.
    modulations
        Contrast of every carrier, or None.
    """
    if orders is None or phases is None:
        return
    if not orders or min(period for period, _ in orders) <= 0:
        raise ConfigError(f"orders {orders} were given; at least one with a positive period.")
    for index, row in enumerate(phases):
        if len(row) != len(orders):
            raise ConfigError(
                f"{n_of(len(row), 'phase was', 'phases were')} given for the "
                f"{n_of(len(orders), 'order')} of frame {index}; give one for each, null where the "
                "order is off."
            )
    used = [any(row[order] is not None for row in phases) for order in range(len(orders))]
    if not phases or not all(used):
        raise ConfigError("phases without one for every order were given; each must be on once.")
    if modulations is None:
        return
    if len(modulations) != len(orders) or not all(0 < value <= 1 for value in modulations):
        raise ConfigError(
            f"modulations {tuple(modulations)} were given for {n_of(len(orders), 'order')}; give a "
            "number above 0 and up to 1 for each."
        )
