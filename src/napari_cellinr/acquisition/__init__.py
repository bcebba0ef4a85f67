"""From an image and the settings of its microscope to a forward model and raw frames."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_cellinr.acquisition.measurement import Measurement
from napari_cellinr.config.optics import add_kind
from napari_cellinr.errors import ConfigError
from napari_cellinr.io.metadata.units import calibrated

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cellinr.config.optics import Optics
    from napari_cellinr.image import Image

__all__ = ["Measurement", "prepare", "register_forward_model"]

_registered: dict[str, Callable[[Image, Any], Measurement]] = {}
"""Functions of users by kind of microscope."""


def register_forward_model(
    settings: type[Optics], measure: Callable[[Image, Any], Measurement]
) -> None:
    """Make a microscope of your own available to `reconstruct`, under the name of its kind.

    It lasts as long as the process. Registering a kind again replaces it.

    Parameters
    ----------
    settings
        Subclass of `Optics` with a default for `kind`, such as
        `kind: Literal["my-microscope"] = setting("my-microscope", "Kind of microscope.")`.
    measure
        Takes the image, with its axes in the order T, C, Z, Y, X, and the settings; returns the
        `Measurement`: a `ForwardModel`, and the raw frames.

    Raises
    ------
    ConfigError
        If the kind has no proper name, or is one of this package.

    Examples
    --------
    The name of the kind is then known to `reconstruct`; `examples/own_microscope.py` is a whole
    one, with its forward model.

    >>> from typing import Literal
    >>> from napari_cellinr import Measurement, Optics, register_forward_model, setting
    >>> class Tilted(Optics):
    ...     kind: Literal["tilted"] = setting("tilted", "Kind of microscope.")
    ...     angle: float = setting(30.0, "Angle of the planes.", unit="degrees")
    >>> def measure(image, optics):
    ...     return Measurement(model=None, frames=image.array())  # a ForwardModel in practice
    >>> register_forward_model(Tilted, measure)
    """
    _registered[add_kind(settings)] = measure


def prepare(image: Image, optics: Optics) -> Measurement:
    """Return the forward model of a microscope, and the image as its raw frames.

    Everything that is wrong with the image, the settings or both is refused here, before a fit.

    Parameters
    ----------
    image
        One channel (or the colours of a rolling shutter) with the axes that the settings allow.
    optics
        Settings of the microscope. Those of `config.optics.FILE` with the kind `some-kind` are
        taken by the function `some_kind` of `acquisition.FILE`.

    Returns
    -------
    Measurement
        The forward model, and raw frames (shots, [Z,] Y, X), float32.

    Raises
    ------
    AxesError, ConfigError, DataError, FileError
        If a constant of the microscope is not known, the image does not fit the settings, or
        either cannot be right, or a file that the settings name cannot be read.
    """
    if optics.kind in _registered:
        return _registered[optics.kind](image.canonical(), optics)
    missing = optics.explain_missing(calibrated(image))
    if missing:
        raise ConfigError(missing)
    file = type(optics).__module__.rpartition(".")[2]
    module = import_module(f"{__name__}.{file}")
    measured: Measurement = getattr(module, optics.kind.replace("-", "_"))(
        image.canonical(), optics
    )
    return measured
