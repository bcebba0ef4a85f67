"""Voxel size and frame interval as text: formatting and parsing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_cellinr.errors import AxesError
from napari_cellinr.image import AXES
from napari_cellinr.io.metadata.units import LENGTHS, TIMES

if TYPE_CHECKING:
    from napari_cellinr.image import Image

__all__ = ["SIGNS", "guess_text", "known_text", "knows_time", "parse_steps", "steps_text"]

SIGNS: Final = {
    "micrometer": "µm",
    "nanometer": "nm",
    "millimeter": "mm",
    "pixel": "px",
    "second": "s",
}
"""Symbols of units."""

_TIME_EXAMPLE: Final = 2.0  # seconds
_SPACE_EXAMPLE: Final = 0.2  # micrometers


def knows_time(image: Image) -> bool:
    """Return whether the frame interval is known, or there is no time axis."""
    return "T" not in image.axes or image.units[image.axes.index("T")] in TIMES


def steps_text(image: Image) -> str:
    """Return voxel size and frame interval; a line does not break before the unit of time."""
    space = [a for a in image.axes if a in "ZYX"]
    units = dict(zip(image.axes, image.units, strict=True))
    text = "×".join(f"{image.steps[axis]:.4g}" for axis in space)
    text += f" {SIGNS.get(units['X'], units['X'])}"
    if "T" in units and units["T"] != "pixel":
        text += f", every {image.steps['T']:.4g}\u00a0{SIGNS.get(units['T'], units['T'])}"
    return text


def known_text(image: Image) -> str:
    """Return the known steps as a text to correct, such as `z=0.4, y=0.2, x=0.2, t=2`."""
    steps = {}
    for axis, step, unit in zip(image.axes, image.scale, image.units, strict=True):
        if axis in "ZYX" and unit in LENGTHS:
            steps[axis] = step * LENGTHS[unit] / LENGTHS["micrometer"]
        elif axis == "T" and unit in TIMES:
            steps[axis] = step * TIMES[unit] / TIMES["second"]
    order = [axis for axis in "ZYXT" if axis in steps]
    return ", ".join(f"{axis.lower()}={steps[axis]:.6g}" for axis in order)


def guess_text(image: Image) -> str:
    """Return the unknown steps as a text to complete, such as `z=0.4, y=, x=, t=`."""
    unknown = [axis for axis in image.axes if axis in "ZYX" and not image.is_calibrated]
    unknown += [] if knows_time(image) else ["T"]
    return ", ".join(f"{axis.lower()}={_guess(image, axis)}" for axis in unknown)


def parse_steps(text: str, axes: str) -> dict[str, float]:
    """Return steps from a text such as `z=0.4, t=2` or `0.4, 0.2, 0.2`.

    Numbers without letters are those along Z, Y and X. An empty value, as in `t=`, leaves the step
    unknown.

    Parameters
    ----------
    text
        The entered text.
    axes
        Axis letters of the image.

    Returns
    -------
    dict
        Steps by axis letter, in µm, and of T in seconds.

    Raises
    ------
    AxesError
        If the text is neither, or a step is not a positive number.
    """
    parts = [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
    space = [axis for axis in AXES if axis in axes and axis in "ZYX"]
    allowed = [*space, "T"] if "T" in axes else space
    if parts and all("=" not in part for part in parts) and len(parts) == len(space):
        parts = [f"{axis}={part}" for axis, part in zip(space, parts, strict=True)]
    split = (part.partition("=") for part in parts)
    pairs = [(axis.strip().upper(), number.strip()) for axis, _, number in split]
    given = {axis: _number(number) for axis, number in pairs if number or axis not in allowed}
    if not given or any(axis not in allowed or not 0 < s < 1e9 for axis, s in given.items()):
        request = f"{text!r} was given; enter the voxel size in µm"
        example = ", ".join(f"{axis.lower()}={_SPACE_EXAMPLE:g}" for axis in space)
        if "T" in allowed:
            request += " and the frame interval t in seconds"
            example += f", t={_TIME_EXAMPLE:g}"
        raise AxesError(f"{request}, above 0, such as {example}.")
    return given


def _guess(image: Image, axis: str) -> str:
    """Return a step without unit as a guess; an empty text where it is 1."""
    step = image.steps[axis]
    return "" if step == 1 else f"{step:.6g}"


def _number(text: str) -> float:
    """Return a text as a number; NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
