"""`napari-cellinr reconstruct INPUT OUTPUT`: reconstruct a moving sample from raw frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from napari_cellinr.cli.optics import read_optics
from napari_cellinr.cli.shared.fitting import add_fit_command, read_input, run_fit
from napari_cellinr.cli.shared.options import Commands, read_config
from napari_cellinr.cli.shared.overwrite import check_overwrite
from napari_cellinr.cli.shared.progress import Interruption, follow, say, say_warning
from napari_cellinr.cli.shared.saving import check_outputs
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.io.names import place_of

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from numpy.typing import NDArray

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

_GRID = "grid:"


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.methods import METHODS

    parser, saving = add_fit_command(
        commands,
        METHODS["nstm"],
        "reconstruct a moving sample and its motion from the raw frames of a microscope",
        run,
        {},
    )
    for flag, what in {
        "motion": "also save the displacement from the reference frame, in µm, axes T C Z Y X",
        "speed": "also save the speed, in µm/s",
        "confidence": "also save the confidence of the motion, 0 to 1",
        "motion-error": "also save the error of the motion, in pixels of the frames",
        "aligned": "also save the raw frames, each moved to where its material was in the "
        "reference frame",
    }.items():
        name = f"{flag.replace('-', '_')}_output"
        saving.add_argument(f"--{flag}", dest=name, metavar="FILE", help=what)
    saving.add_argument(
        "--tracks",
        metavar="FILE.csv",
        help="also save the tracks of the seeds: track_id,t,z,y,x,time_s,inside, and "
        "error_px,state if the motion was checked",
    )
    saving.add_argument(
        "--seeds",
        metavar="FILE.csv|grid:N",
        default=f"{_GRID}8",
        help="points in the reference frame to track: a table with columns y, x (and z) in "
        "voxels, or a grid of N×N points (default: grid:8)",
    )
    saving.add_argument(
        "--compare",
        metavar="FOLDER",
        help="folder for two results to compare with: conventional.tif (conventional "
        "reconstruction) and static.tif (reconstruction without motion)",
    )
    _explain_optics(parser)


def _explain_optics(parser: Any) -> None:
    from napari_cellinr.config.optics import KINDS

    kinds = ", ".join(KINDS)
    parser.epilog = (
        f"kinds of microscopes for --optics: {kinds}.\n`napari-cellinr optics KIND` prints a "
        f"JSON template for --optics FILE.json.\n\n{parser.epilog}"
    )


def run(options: Namespace) -> int:
    """Write the result and return 0; 128 + its number if a signal stopped the fit."""
    config = _config(options)
    check_outputs(options, tuple(_OUTPUTS), ("tracks",))
    _check_compared(options)
    image = read_input(options)
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


def _seeds(options: Namespace, image: Image) -> NDArray[Any] | str:
    """Return the points to track, (points, axes) in voxels, or the text `grid:N`, checked."""
    if options.seeds.startswith(_GRID):
        count = options.seeds[len(_GRID) :]
        if not count.isdecimal() or int(count) < 1:
            raise ConfigError(
                f"--seeds {options.seeds} was given; write a number after grid:, such as grid:8."
            )
        return str(options.seeds)
    from napari_cellinr.io.tracks import read_seeds

    space = [size for axis, size in image.sizes.items() if axis in "ZYX"]
    return read_seeds(options.seeds, space[-2:] if "Z" not in image.axes else space)


def _write_tracks(path: str, fitted: Fitted, seeds: NDArray[Any] | str) -> None:
    from napari_cellinr.io.tracks import grid_seeds
    from napari_cellinr.macro.motion import write_tracks_of
    from napari_cellinr.motion import tracks

    motion = fitted.image("motion")
    points = seeds
    if isinstance(points, str):
        points = grid_seeds(motion.shape[2:], int(points[len(_GRID) :]))
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
