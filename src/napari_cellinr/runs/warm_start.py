"""Fits that start from another fit: more steps on the same image, or a warm start on another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.completion import complete
from napari_cellinr.methods import method_of_fit
from napari_cellinr.runs.request import RunRequest, start
from napari_cellinr.runs.starts import Beginning, Continued, WarmStart, saved_steps

if TYPE_CHECKING:
    from napari_cellinr.fitting.completion import Reporting
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image

__all__ = ["Beginning", "continue_fit", "warm_start", "why_not"]


def continue_fit(
    fit: Stored | Fitted, image: Image, steps: int, *, progress: Reporting = None
) -> Fitted:
    """Return a fit of the same image with more steps, as `Continued` describes it.

    Parameters
    ----------
    fit
        What a job returned, or a saved fit.
    image
        The image that was fitted.
    steps
        Number of additional steps.
    progress
        As for `denoise`.

    Raises
    ------
    ConfigError
        If the fit is that of another image, or its steps were not saved.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import Image, denoise, continue_fit
    >>> image = Image(np.random.default_rng(0).poisson(50, (24, 24)), axes="YX")
    >>> fitted = denoise(image, "preview", steps=2)
    >>> continue_fit(fitted, image, 3).images[0].shape
    (24, 24)
    """
    method = method_of_fit(fit)
    job = start(RunRequest(method, image, method.config(), Continued(fit, steps)))
    return complete(job, progress)


def warm_start(
    fit: Stored | Fitted, image: Image, *, progress: Reporting = None, **settings: Any
) -> Fitted:
    """Return a fit of another image of the same size, as `WarmStart` describes it.

    Parameters
    ----------
    fit
        What a job returned, or a saved fit.
    image
        The image.
    progress
        As for `denoise`.
    settings
        Settings of the method by name.

    Raises
    ------
    ConfigError
        If the steps of the fit were not saved, or a setting is not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import Image, denoise, warm_start
    >>> image = Image(np.random.default_rng(0).poisson(50, (24, 24)), axes="YX")
    >>> fitted = denoise(image, "preview", steps=2)
    >>> later = Image(np.random.default_rng(1).poisson(50, (24, 24)), axes="YX")
    >>> warm_start(fitted, later, preset="preview", steps=2).images[0].shape
    (24, 24)
    """
    method = method_of_fit(fit)
    job = start(RunRequest(method, image, method.config(**settings), WarmStart(fit)))
    return complete(job, progress)


def why_not(fit: Stored | Fitted) -> str:
    """Return why no fit can start from this one; an empty text if one can."""
    try:
        saved_steps(fit)
    except ConfigError as error:
        return str(error)
    return ""
