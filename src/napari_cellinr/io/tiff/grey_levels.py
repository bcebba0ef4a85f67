"""What the grey levels of an ImageJ file mean: signed values, and calibrated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["calibration_of", "signed"]

_LINE: Final = 0
"""ImageJ's number of the function y = c0 + c1 x."""

_SIGNED: Final = (-32768.0, 1.0)
"""Its coefficients with which ImageJ stores signed 16-bit values, as unsigned ones."""


def calibration_of(stated: Mapping[str, Any], path: object) -> tuple[bool, str]:
    """Return whether values are signed, and a sentence about another calibration that is stated.

    Parameters
    ----------
    stated
        The ImageJ description.
    path
        The file, for the sentence.
    """
    if "cf" not in stated:
        return False, ""
    numbers = [stated[key] for n in range(5) if (key := f"c{n}") in stated]
    if stated["cf"] == _LINE and tuple(numbers) == _SIGNED:
        return True, ""
    if stated["cf"] == _LINE and tuple(numbers) == (0, 1):
        return False, ""
    unit = str(stated.get("vunit", "")).strip()[:20]
    shown = ", ".join(f"c{n}={str(number)[:12]}" for n, number in enumerate(numbers))
    return False, (
        f"{path} states a calibration of its grey levels (ImageJ function {str(stated['cf'])[:6]}"
        f"{shown and f', {shown}'}{unit and f', in {unit}'}); the values are read as they are "
        "stored, without it."
    )


def signed(data: Any) -> Any:
    """Return signed 16-bit values that were stored as unsigned ones, 32768 higher; lazy or not.

    Parameters
    ----------
    data
        The array as it was stored.
    """
    if data.dtype != np.uint16:
        return data
    return (data ^ np.uint16(0x8000)).view(np.int16)  # in as much memory as the values need
