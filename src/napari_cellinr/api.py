"""The jobs, for Python, command line and viewer alike: an Image or an array in, Fitted out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from napari_cellinr.config import CellINRConfig, NSTMConfig, SpatimeConfig
from napari_cellinr.fitting.comparable import with_comparable_steps
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.report import standard, with_warnings
from napari_cellinr.fitting.resources.guard import explained_failures
from napari_cellinr.image.exchange import image_of
from napari_cellinr.image.voxel_size import voxel_in_scale, voxel_of
from napari_cellinr.io.findings import warnings_of
from napari_cellinr.methods import METHODS

if TYPE_CHECKING:
    import torch

    from napari_cellinr.config import Config
    from napari_cellinr.config.cellinr import Preset
    from napari_cellinr.config.keywords import (
        DenoiseSettings,
        ReconstructSettings,
        SuperresolveSettings,
    )
    from napari_cellinr.config.spatime import SpatimePreset
    from napari_cellinr.fitting.completion import Reporting
    from napari_cellinr.fitting.problem import Fitted, Job
    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import ArrayLike, Image
    from napari_cellinr.image.exchange import Steps, Units
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


def denoise(
    image: Image | ArrayLike,
    preset: Preset = "fast",
    *,
    axes: str = "",
    voxel: Steps | None = None,
    scale: Steps | None = None,
    units: Units | None = None,
    progress: Reporting = None,
    **settings: Unpack[DenoiseSettings],
) -> Fitted:
    """Return the denoised image as the first of `Fitted.images`, in the input's units, float32.

    The second of `Fitted.images` is the background, the third what the setting `background` has
    not chosen: the signal alone, or with its background. The preset `paper` makes no third one.

    Parameters
    ----------
    image
        2 or 3 spatial axes, at most one time and one channel axis; any real dtype. Every channel
        is fitted for itself.
    preset
        `fast` for results, `preview` for a quick look, `best` for the best quality, `paper` for
        the published method (Zhao et al., CellINR).
    axes
        One letter of `TCZYX` for each dimension of a plain array, such as `"TYX"`; needed for 3
        and 4 dimensions.
    voxel
        Voxel size of a plain array: one number for all spatial axes, one for each axis, or a
        table such as `{"Z": 0.4, "Y": 0.1, "X": 0.1, "T": 2}`, with the time step in it.
    scale
        The same, by the name that it has in `Image`; give one of them.
    units
        Units of the voxel size, as pint names; default µm and s.
    progress
        True for a bar, in a terminal or a notebook; a function that is called with each
        `Progress`, and stops the fit by returning `"stop"`; None for nothing.
    settings
        Any setting of `CellINRConfig` by name, for example `background="keep"`.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the input cannot be denoised as given.
    FitError
        If the fit fails.

    Warns
    -----
    FitWarning
        If the result may be worse than expected; `report["warnings"]` has the same text.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import denoise
    >>> noisy = np.random.default_rng(0).poisson(50, (3, 32, 32))
    >>> fitted = denoise(noisy, "preview", axes="TYX", voxel=0.1, steps=2)
    >>> fitted.images[0].axes, fitted.images[0].shape
    ('TYX', (3, 32, 32))
    """
    from napari_cellinr.fitting.completion import complete

    given: dict[str, Any] = dict(settings)
    config = CellINRConfig(preset=preset, **given)
    source = image_of(image, axes, voxel_of(voxel, scale), units)
    return complete(iter_denoise(source, config), progress)


def iter_denoise(
    image: Image | ArrayLike, config: CellINRConfig | None = None, *, started: float | None = None
) -> Job:
    """Denoise an image as a job that yields `Progress` and returns `Fitted`.

    Every channel is fitted for itself, with one noise model for all of its frames, which are
    denoised together where the preset is `fast`, and time and memory are enough.

    Parameters
    ----------
    image
        As for `denoise`; a plain array of 3 or 4 dimensions as `Image(array, axes="TYX")`.
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

    Examples
    --------
    The image so far, as often as the fit has one; the guide shows how to get the result, too:

    >>> from contextlib import suppress
    >>> import numpy as np
    >>> from napari_cellinr import CellINRConfig, Image, PreviewRequest, iter_denoise
    >>> noisy = Image(np.random.default_rng(0).poisson(50, (32, 32)), axes="YX")
    >>> job, shown = iter_denoise(noisy, CellINRConfig(preset="preview", steps=5)), []
    >>> print(next(job).step)
    0
    >>> with suppress(StopIteration):
    ...     while True:
    ...         shown.append(job.send(PreviewRequest()).preview)
    """
    return _fit(METHODS["cellinr"], image, config or CellINRConfig(), started)


def superresolve(
    image: Image | ArrayLike,
    preset: SpatimePreset = "fast",
    *,
    axes: str = "",
    voxel: Steps | None = None,
    scale: float | str | Mapping[str, float] | None = None,
    units: Units | None = None,
    progress: Reporting = None,
    lazily: bool = False,
    **settings: Unpack[SuperresolveSettings],
) -> Fitted:
    """Return an image with more frames and finer voxels as the first of `Fitted.images`, float32.

    Parameters
    ----------
    image
        2 or 3 spatial axes, at most one time and one channel axis; any real dtype. Every channel
        is fitted for itself.
    preset
        `fast` for results, `preview` for a quick look, `paper` for the published method.
    axes, voxel, units, progress
        As for `denoise`.
    scale
        How many times finer the result is: a number for all spatial axes, such as `2` for twice
        as many voxels along each of Z, Y and X, or a table such as `{"t": 2, "z": 2.5}`. The
        settings `target_voxel`, `isotropic` and `times` choose frames and voxels otherwise.
    lazily
        Whether values are rendered only when parts of the result are read. It then need not fit
        into memory: `write("out.ome.zarr", result)` renders and writes it piece by piece.
    settings
        Any other setting of `SpatimeConfig` by name, for example `isotropic=True`.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the input cannot be super-resolved as given.
    FitError
        If the fit fails. `FitWarning` is shown as by `denoise`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import superresolve
    >>> movie = np.random.default_rng(0).poisson(50, (4, 16, 16))
    >>> fitted = superresolve(movie, "preview", axes="TYX", scale={"t": 2})
    >>> fitted.images[0].shape
    (7, 16, 16)
    """
    from napari_cellinr.fitting.completion import complete

    given: dict[str, Any] = dict(settings)
    factors: Any = scale
    if not (scale is None or isinstance(scale, str | Mapping) or np.ndim(scale) == 0):
        voxel, factors = voxel_in_scale(scale, voxel, units, given), None
    source = image_of(image, axes, voxel, units)
    if isinstance(factors, str | Mapping):
        given["scale"] = factors
    elif factors is not None:
        given["scale"] = {axis.lower(): factors for axis in source.axes if axis in "ZYX"}
    config = SpatimeConfig(preset=preset, **given)
    return complete(iter_superresolve(source, config, lazily=lazily), progress)


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
        As for `superresolve`.
    config
        Settings, with at least one factor or times; the fit can be rendered at any other factor
        up to 16, and at any time, afterwards.
    started, lazily
        As for `iter_denoise` and `superresolve`.

    Raises
    ------
    AxesError, ConfigError, DataError, FitError
        As for `iter_denoise`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import Image, SpatimeConfig, iter_superresolve
    >>> movie = Image(np.random.default_rng(0).poisson(50, (3, 12, 12)), axes="TYX")
    >>> job = iter_superresolve(movie, SpatimeConfig(preset="preview", scale={"t": 2}))
    >>> stages = [progress.stage for progress in job]
    """
    settings = config or SpatimeConfig()
    return _fit(METHODS["spatime"], image, settings, started, lazily=lazily)


def reconstruct(
    image: Image | ArrayLike,
    optics: Any = "time-lapse",
    *,
    axes: str = "",
    voxel: Steps | None = None,
    scale: Steps | None = None,
    units: Units | None = None,
    progress: Reporting = None,
    **settings: Unpack[ReconstructSettings],
) -> Fitted:
    """Return scene, motion, speed and confidence as `Fitted.images`, float32.

    The scene is in the units of the input, or with `dpc` absorption and phase in radians; the
    motion is the displacement in µm of the material of the reference frame.

    Parameters
    ----------
    image
        Raw frames with the axes that the kind of microscope has; one channel.
    optics
        Kind of microscope, its settings as a mapping, or an object of `config.optics`, also of a
        forward model of your own, see `register_forward_model`.
    axes, voxel, scale, units, progress
        As for `denoise`.
    settings
        Any setting of `NSTMConfig` by name, for example `fastest_movement=0.5`.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the input does not fit the optics, or a setting is not allowed.
    FitError
        If the fit fails. `FitWarning` is shown as by `denoise`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import reconstruct
    >>> movie = np.random.default_rng(0).poisson(50, (4, 24, 24))
    >>> fitted = reconstruct(movie, axes="TYX", preset="preview", steps=3)
    >>> fitted.roles[:2]
    ('result', 'motion')
    """
    from napari_cellinr.fitting.completion import complete

    given: dict[str, Any] = dict(settings)
    config = NSTMConfig(optics=optics, **given)
    source = image_of(image, axes, voxel_of(voxel, scale), units)
    return complete(iter_reconstruct(source, config), progress)


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
        As for `iter_denoise`.

    Raises
    ------
    AxesError, ConfigError, DataError, FitError
        As for `iter_denoise`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import Image, NSTMConfig, iter_reconstruct
    >>> movie = Image(np.random.default_rng(0).poisson(50, (3, 16, 16)), axes="TYX")
    >>> job = iter_reconstruct(movie, NSTMConfig(preset="preview", steps=2))
    >>> stages = [progress.stage for progress in job]
    """
    return _fit(METHODS["nstm"], image, config or NSTMConfig(), started)


def render(
    fit: Stored | Fitted,
    query: Query | None = None,
    *,
    device: str | torch.device = "auto",
    **selection: Any,
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

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import denoise, render
    >>> image = np.random.default_rng(0).poisson(50, (24, 24))
    >>> fitted = denoise(image, "preview", steps=2)
    >>> render(fitted, scale={"Y": 2})[0].shape
    (48, 24)
    """
    from napari_cellinr import methods
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.fitting.resources.devices import choose_device
    from napari_cellinr.fitting.saved.query import query_of
    from napari_cellinr.fitting.saved.stored import stored_of

    saved = stored_of(fit) if isinstance(fit, Fitted) else fit
    return methods.render(saved, query or query_of(selection), choose_device(device))


def _fit(
    method: Method, image: Image | ArrayLike, config: Config, started: float | None, **options: Any
) -> Job:
    """Return the job of a method; its failures are errors that say what to do."""
    source = image_of(image)
    monitor = Monitor(started)
    with explained_failures():
        fitted = yield from with_comparable_steps(
            source.canonical(), lambda one: method.job(one, config, monitor, **options)
        )
    return standard(with_warnings(fitted, warnings_of(source)))
