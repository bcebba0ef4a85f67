"""`napari-cellinr reconstruct INPUT OUTPUT`: reconstruct a moving specimen from raw frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_cellinr.cli.optics import read_optics
from napari_cellinr.cli.shared.fitting import add_fit_command, read_input, run_fit
from napari_cellinr.cli.shared.options import add_seeds, add_times, read_config
from napari_cellinr.cli.shared.overwrite import check_overwrite
from napari_cellinr.cli.shared.progress import Interruption, follow, say, say_warning
from napari_cellinr.cli.shared.saving import check_outputs
from napari_cellinr.cli.shared.times import in_unit, moments_of
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.io.names import place_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_cellinr.cli.shared.parser import Commands
    from napari_cellinr.config import NSTMConfig
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.image import Image

__all__ = ["add", "run"]

_OUTPUTS = {
    "output": "result",
    "motion_output": "motion",
    "speed_output": "speed",
    "confidence_output": "confidence",
    "motion_error_output": "motion-error",
    "aligned_output": "aligned",
}

_COMPARED = ("conventional.tif", "static.tif")

_N_SEEDS = 8
"""Number of points along y and x that are tracked if none are given."""


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.methods import METHODS

    parser, saving = add_fit_command(
        commands,
        METHODS["nstm"],
        "reconstruct a moving specimen and its motion from the raw frames of a microscope",
        run,
        read_settings,
        ("motion", "speed", "confidence", "motion-error", "aligned", "tracks"),
        ("times",),
    )
    add_seeds(saving)
    grid = parser.add_argument_group("frames of the result")
    add_times(grid, "setting_times")
    grid.add_argument(
        "--frames",
        metavar="N",
        type=int,
        help="number of frames of the result, equally spaced in time (default: the recorded ones)",
    )
    saving.add_argument(
        "--compare",
        metavar="FOLDER",
        help="folder for two results to compare with: conventional.tif (conventional "
        "reconstruction) and static.tif (reconstruction without motion)",
    )
    _explain_optics(parser)
    parser.usual = (
        "--optics",
        "--fastest-movement",
        "--smallest-structure",
        "--output",
        "--seeds",
        "--times",
        "--preset",
        "--voxel",
        "--save-fit",
        "--overwrite",
    )


def _explain_optics(parser: Any) -> None:
    from napari_cellinr.config.optics import KINDS

    kinds = ", ".join(KINDS)
    parser.epilog = (
        f"kinds of microscopes for --optics: {kinds}.\n`napari-cellinr optics KIND` prints a "
        f"JSON template for --optics FILE.json.\n\n{parser.epilog}"
    )


def read_settings(options: Namespace) -> Callable[[Image], NSTMConfig]:
    """Return a function that returns the settings for an image; wrong ones are refused at once.

    Raises
    ------
    ConfigError, FileError
        If a setting is not allowed, or the file of the optics cannot be read.
    """
    times = _times(options)
    config = _config(options)

    def for_image(image: Image) -> NSTMConfig:
        if not times:
            return config
        seconds = in_unit(times, image.axes, image.units, "second")
        return config.replace(times=",".join(map(str, seconds)))

    return for_image


def run(options: Namespace) -> int:
    """Write the result and return 0; 128 + its number if a signal stopped the fit."""
    settings_for = read_settings(options)
    check_outputs(options, tuple(_OUTPUTS), ("tracks",))
    _check_compared(options)
    image = read_input(options)
    config = settings_for(image)
    seeds = _seeds(options, image) if options.tracks else None
    used: list[NSTMConfig] = []

    def also(fitted: Fitted) -> None:
        used.append(cast("NSTMConfig", fitted.config))  # a resumed fit keeps its settings
        if seeds is not None:
            _write_tracks(options.tracks, fitted, seeds)

    status = run_fit(options, image, config, _OUTPUTS, {options.tracks or "tracks": also})
    if options.compare is not None and status == 0:
        return _compare(place_of(options.compare), image, used[-1])
    return status


def _config(options: Namespace) -> NSTMConfig:
    """Return the settings, with the optics given by kind or as a file."""
    from napari_cellinr.config import NSTMConfig

    optics = None if options.setting_optics is None else read_optics(options.setting_optics)
    given, options.setting_optics = options.setting_optics, None
    config = read_config(options, NSTMConfig)
    options.setting_optics = given  # refused together with --resume and --continue-from
    if options.aligned_output is not None:
        config = config.replace(align=True)
    return config if optics is None else config.replace(optics=optics)


def _times(options: Namespace) -> tuple[float, ...]:
    """Return the times that were given; a number of frames is put into the settings."""
    text, frames = options.setting_times, options.frames
    if text is not None and frames is not None:
        raise ConfigError("--times and --frames were given; give only one of them.")
    if text is not None and text.isdecimal():
        say_warning(f"--times {text} is now --frames {text}; it still works in this version.")
        frames = int(text)
    if frames is not None:
        options.setting_times = str(frames)
    if text is None or frames is not None:
        return ()
    times = moments_of(text)
    options.setting_times = ",".join(map(str, times))
    return times


def _seeds(options: Namespace, image: Image) -> NDArray[Any] | int:
    """Return the points to track, (points, axes) in voxels, or their number along y and x."""
    from napari_cellinr.io.tracks import fault_of, read_seeds

    given = _N_SEEDS if options.seeds is None else options.seeds
    if isinstance(given, int):
        return given
    space = [size for axis, size in image.sizes.items() if axis in "ZYX"]
    if isinstance(given, str):
        return read_seeds(given, space)
    if fault := fault_of(np.array(given, np.float64), tuple(space)):
        raise ConfigError(fault)
    return np.array(given, np.float64)


def _write_tracks(path: str, fitted: Fitted, seeds: NDArray[Any] | int) -> None:
    from napari_cellinr.io.tracks import grid_seeds
    from napari_cellinr.macro.motion import write_tracks_of
    from napari_cellinr.motion import tracks

    motion = fitted.image("motion")
    points = seeds
    if isinstance(points, int):
        points = grid_seeds(motion.shape[2:], points)
    error = fitted.image("motion-error") if "motion-error" in fitted.roles else None
    write_tracks_of(path, motion, tracks(motion, points, error))


def _check_compared(options: Namespace) -> None:
    """Raise `FileError` if `--compare` names a file, or its results must not be written."""
    if options.compare is None:
        return
    folder = place_of(options.compare)
    names = [getattr(options, flag) for flag in _OUTPUTS]
    check_overwrite(options, [*(folder / name for name in _COMPARED), *names], [options.input])
    if folder.exists() and not folder.is_dir():
        raise FileError(f"--compare {folder} was given, which is a file; give a folder.")
    folder.mkdir(parents=True, exist_ok=True)


def _compare(folder: Path, image: Image, config: NSTMConfig) -> int:
    """Write the conventional and the static reconstruction; return 0, or 128 + n after signal n."""
    from napari_cellinr.api import iter_reconstruct
    from napari_cellinr.io import write

    _write_conventional(folder / _COMPARED[0], image, config)
    static = folder / _COMPARED[1]
    interruption = Interruption()
    with interruption.caught():
        fitted = follow(iter_reconstruct(image, config.replace(moving=False)), interruption)
        write(static, fitted.image("result"))
    say(f"wrote {static}: the reconstruction without motion")
    if interruption.happened:
        say_warning(f"stopped by {interruption.name}; {static} is a partial result.")
        return interruption.status
    return 0


def _write_conventional(path: Path, image: Image, config: NSTMConfig) -> None:
    from napari_cellinr.io import write
    from napari_cellinr.methods import METHODS

    write(path, METHODS["nstm"].conventional(image, config))
    say(f"wrote {path}: the conventional reconstruction")
