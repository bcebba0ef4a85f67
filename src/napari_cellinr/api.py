"""The jobs, for Python, command line and viewer alike: an Image or an array in, Fitted out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.config import CellINRConfig, NSTMConfig, SpatimeConfig
from napari_cellinr.fitting.comparable import with_comparable_steps
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.report import with_warnings
from napari_cellinr.fitting.resources.guard import explained_failures
from napari_cellinr.image import Image
from napari_cellinr.io.findings import warnings_of
from napari_cellinr.methods import METHODS

if TYPE_CHECKING:
    from napari_cellinr.config import Config
    from napari_cellinr.config.cellinr import Preset
    from napari_cellinr.config.spatime import SpatimePreset
    from napari_cellinr.fitting.problem import Fitted, Job
    from napari_cellinr.fitting.saved.stored import Query, Stored
    from napari_cellinr.image import ArrayLike
    from napari_cellinr.methods import Method

__all__ = [
    "denoise",
    "iter_denoise",
    "iter_reconstruct",
    "iter_superresolve",
    "reconstruct",
    "render",
    "superresolve",
]


def denoise(image: Image | ArrayLike, preset: Preset = "fast", **settings: Any) -> Fitted:
    """Return the denoised image as the first of `Fitted.images`, in the input's units, float32.

    The second of `Fitted.images` is the background, the third what the setting `background` has
    not chosen: the signal alone, or with its background. The preset `paper` makes no third one.

    Parameters
    ----------
    image
        As for `iter_denoise`.
    preset
        `fast` for results, `preview` for a quick look, `paper` for the published method.
    settings
        Any setting of `CellINRConfig` by name, for example `background="keep"`.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the input cannot be denoised as given.
    FitError
        If the fit fails.
    """
    from napari_cellinr.fitting.problem import finish

    return finish(iter_denoise(image, CellINRConfig(preset=preset, **settings)))


def iter_denoise(
    image: Image | ArrayLike, config: CellINRConfig | None = None, *, started: float | None = None
) -> Job:
    """Denoise an image as a job that yields `Progress` and returns `Fitted`.

    Every channel is fitted for itself, with one noise model for all of its frames, which are
    denoised together where the preset is `fast`, and time and memory are enough.

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
    AxesError, ConfigError, DataError
        If the input cannot be denoised as given.
    FitError
        If the fit fails, with the remedy; never a `RuntimeError`.
    """
    return _fit(METHODS["cellinr"], image, config or CellINRConfig(), started)


def superresolve(
    image: Image | ArrayLike,
    preset: SpatimePreset = "fast",
    *,
    lazily: bool = False,
    **settings: Any,
) -> Fitted:
    """Return an image with more frames and finer voxels as the first of `Fitted.images`, float32.

    Parameters
    ----------
    image
        As for `iter_superresolve`.
    preset
        `fast` for results, `preview` for a quick look, `paper` for the published method.
    lazily
        Whether values are rendered only when parts of the result are read. It then need not fit
        into memory: `write("out.ome.zarr", result)` renders and writes it piece by piece.
    settings
        Any setting of `SpatimeConfig` by name, for example `scale={"t": 2, "z": 2.5}`.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the input cannot be super-resolved as given.
    FitError
        If the fit fails.
    """
    from napari_cellinr.fitting.problem import finish

    config = SpatimeConfig(preset=preset, **settings)
    return finish(iter_superresolve(image, config, lazily=lazily))


def iter_superresolve(
    image: Image | ArrayLike,
    config: SpatimeConfig | None = None,
    *,
    started: float | None = None,
    lazily: bool = False,
) -> Job:
    """Super-resolve an image as a job that yields `Progress` and returns `Fitted`.

    Parameters
    ----------
    image
        2 or 3 spatial axes, at most one time and one channel axis; any real dtype. Every
        channel is fitted for itself.
    config
        Settings; without a factor the result has the samples of the input, and can be rendered
        at any scale and time afterwards.
    started
        `time.monotonic()` when the whole job began, from which `max_seconds` counts;
        now if not given.
    lazily
        As for `superresolve`.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the input cannot be super-resolved as given.
    FitError
        If the fit fails, with the remedy; never a `RuntimeError`.
    """
    settings = config or SpatimeConfig()
    return _fit(METHODS["spatime"], image, settings, started, lazily=lazily)


def reconstruct(image: Image | ArrayLike, optics: Any = "time-lapse", **settings: Any) -> Fitted:
    """Return scene, motion, speed and confidence as `Fitted.images`, float32.

    The scene is in the units of the input, or with `dpc` absorption and phase in radians; the
    motion is the displacement in µm of the material of the reference frame.

    Parameters
    ----------
    image
        As for `iter_reconstruct`.
    optics
        Kind of microscope, its settings as a mapping, or an object of `config.optics`.
    settings
        Any setting of `NSTMConfig` by name, for example `fastest_movement=0.5`.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the input does not fit the optics, or a setting is not allowed.
    FitError
        If the fit fails.
    """
    from napari_cellinr.fitting.problem import finish

    return finish(iter_reconstruct(image, NSTMConfig(optics=optics, **settings)))


def iter_reconstruct(
    image: Image | ArrayLike, config: NSTMConfig | None = None, *, started: float | None = None
) -> Job:
    """Reconstruct a moving scene as a job that yields `Progress` and returns `Fitted`.

    Parameters
    ----------
    image
        Raw frames with the axes that the kind of microscope has; one channel.
    config
        Settings, with the optics; a plain time-lapse if not given.
    started
        `time.monotonic()` when the whole job began; now if not given.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the input does not fit the optics.
    FitError
        If the fit fails, with the remedy; never a `RuntimeError`.
    """
    return _fit(METHODS["nstm"], image, config or NSTMConfig(), started)


def render(
    fit: Stored | Fitted, query: Query | None = None, *, device: str = "auto", **selection: Any
) -> tuple[Image, ...]:
    """Return images from a fit, at another scale, time, crop or channel, float32.

    Parameters
    ----------
    fit
        What a job returned, or a saved fit as `fitting.saved.stored.load_fit` returns it.
    query
        What to render; the result as it was if not given.
    device
        Where to compute.
    selection
        The fields of `Query` by name instead of `query`, for example `scale={"Z": 2}` or
        `crop={"Y": (0, 50)}`.

    Raises
    ------
    ConfigError
        If the fit cannot be rendered like this.
    """
    from napari_cellinr import methods
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.fitting.resources.devices import choose_device
    from napari_cellinr.fitting.saved.stored import query_of, stored_of

    saved = stored_of(fit) if isinstance(fit, Fitted) else fit
    return methods.render(saved, query or query_of(selection), choose_device(device))


def _fit(
    method: Method, image: Image | ArrayLike, config: Config, started: float | None, **options: Any
) -> Job:
    """Return the job of a method; its failures are errors that say what to do."""
    source = image if isinstance(image, Image) else Image(np.asarray(image))
    monitor = Monitor(started)
    with explained_failures():
        fitted = yield from with_comparable_steps(
            source.canonical(), lambda one: method.job(one, config, monitor, **options)
        )
    return with_warnings(fitted, warnings_of(source))
