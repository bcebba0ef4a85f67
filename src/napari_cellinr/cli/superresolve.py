"""`napari-cellinr superresolve INPUT OUTPUT`: increase resolution in time and space.

An OUTPUT that ends with `.zarr` is written in pieces, so that it need not fit into memory.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.fitting import add_fit_command, read_input, run_fit
from napari_cellinr.cli.shared.options import (
    add_scale,
    add_target,
    add_times,
    factors_along,
    read_config,
)
from napari_cellinr.cli.shared.progress import say_warning
from napari_cellinr.cli.shared.saving import check_outputs
from napari_cellinr.cli.shared.times import in_unit, parse_moments
from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Generator

    from napari_cellinr.cli.shared.parser import Commands
    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image

__all__ = ["add", "run"]

_OUTPUTS = {"output": "result", "confidence_output": "confidence"}


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.methods import METHODS

    parser, _ = add_fit_command(
        commands,
        METHODS["spatime"],
        "increase the resolution of a time series or stack: more frames, finer voxels",
        run,
        read_settings,
        ("confidence",),
        ("scale",),
    )
    grid = parser.add_argument_group("frames and voxels of the result")
    add_scale(grid, "setting_scale")
    add_times(grid, "setting_times", type=parse_moments)
    add_target(grid, "setting_target_voxel")
    parser.usual = (
        "--scale",
        "--isotropic",
        "--target-voxel",
        "--times",
        "--preset",
        "--motion",
        "--voxel",
        "--axes",
        "--save-fit",
        "--overwrite",
    )


def read_settings(options: Namespace) -> Callable[[Image], SpatimeConfig]:
    """Return a function that returns the settings for an image; wrong ones are refused at once.

    Raises
    ------
    ConfigError
        If a setting is not allowed.
    """
    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.config.spatime import LARGEST

    given = options.setting_scale or {}
    if not 0 < given.get("*", 1) <= LARGEST:
        raise ConfigError(
            f"--scale {given['*']:g} was given; more than 0 and at most {LARGEST:g} is allowed."
        )
    if given:
        factors = factors_along(given, "ZYX")
        options.setting_scale = ",".join(f"{axis}={number}" for axis, number in factors.items())
    times = options.setting_times
    if times is not None:
        options.setting_times = ",".join(map(str, times))
    config = read_config(options, SpatimeConfig)
    if options.confidence_output is not None:
        config = config.replace(confidence=True)

    def for_image(image: Image) -> SpatimeConfig:
        complete = config
        if times is not None:
            complete = complete.replace(times=in_unit(times, image.axes, image.units))
        if "*" in given:
            complete = complete.replace(scale=factors_along(given, image.axes))
        return complete

    return for_image


def run(options: Namespace) -> int:
    """Write the result and return 0; 128 + its number if a signal stopped the fit."""
    settings_for = read_settings(options)
    check_outputs(options, tuple(_OUTPUTS))
    image = read_input(options)
    config = settings_for(image)
    if advice := config.cost_warning(image.sizes):
        say_warning(advice)
    is_zarr = options.output.lower().rstrip("/").endswith(".zarr")
    write = partial(_write_pieces, options.output) if is_zarr else None
    return run_fit(options, image, config, _OUTPUTS, write=write)


def _write_pieces(
    output: str, fitted: Fitted, monitor: Monitor
) -> Generator[Progress, Message, None]:
    """Render and write one piece of the result after the other."""
    from napari_cellinr.errors import FileError
    from napari_cellinr.fitting.background import in_background
    from napari_cellinr.io import write_in_steps

    pieces, stage = write_in_steps(output, fitted.image("result")), f"writing {output}"
    while True:
        found = yield from in_background(stage, partial(next, pieces, None), monitor, needed=True)
        if found is None:
            return
        step, steps = found
        yield from monitor.report(stage, step, steps)
        if monitor.stopped and step < steps and fitted.stopped != "user":
            pieces.close()
            raise FileError(
                f"{output} was not written: stopped after {step} of {steps} pieces. Save "
                "the fit with --save-fit, and render parts of it with napari-cellinr render."
            )
