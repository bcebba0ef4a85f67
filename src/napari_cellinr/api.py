"""The jobs, for Python, command line and viewer alike: an Image or an array in, Fitted out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fit import Fitted, Job
    from napari_cellinr.image import ArrayLike, Image

__all__ = ["denoise", "iter_denoise"]


def iter_denoise(
    image: Image | ArrayLike, config: CellINRConfig | None = None, *, started: float | None = None
) -> Job:
    """Return the denoising of an image as a job that yields `Progress` and returns `Fitted`.

    Parameters
    ----------
    image
        2 or 3 spatial axes, at most one time and one channel axis; any real dtype.
    config
        Settings; the defaults of the preset `fast` if not given.
    started
        `time.monotonic()` when the whole job began, from which `max_seconds` counts;
        now if not given.

    Raises
    ------
    AxesError, ConfigError
        If the input cannot be denoised as given.
    FitError
        If the fit fails, with the remedy; never a `RuntimeError`.
    """
    raise NotImplementedError


def denoise(image: Image | ArrayLike, preset: str = "fast", **settings: Any) -> Fitted:
    """Return the denoised image as the first of `Fitted.images`, in the input's units, float32.

    Parameters
    ----------
    image
        As for `iter_denoise`.
    preset
        `fast` for results, `preview` for a quick look.
    settings
        Any setting of `CellINRConfig` by name, for example `background="keep"`.
    """
    raise NotImplementedError
