"""`napari-cellinr denoise INPUT OUTPUT`: remove noise and background from an image file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.fitting import add_fit_command, read_input, run_fit
from napari_cellinr.cli.shared.options import read_config
from napari_cellinr.cli.shared.outputs import dest_of
from napari_cellinr.cli.shared.progress import say_warning
from napari_cellinr.cli.shared.saving import check_outputs

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from napari_cellinr.cli.shared.parser import Commands
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.image import Image

__all__ = ["add", "run"]

_OUTPUTS = (
    "output",
    "background_output",
    "signal_output",
    "with_background_output",
    "error_output",
)


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.methods import METHODS

    parser, _ = add_fit_command(
        commands,
        METHODS["cellinr"],
        "remove noise and background (out-of-focus light) from an image",
        run,
        read_settings,
        ("background", "signal", "with-background", "error"),
    )
    parser.usual = (
        "--output",
        "--preset",
        "--background",
        "--structure",
        "--voxel",
        "--axes",
        "--channel",
        "--crop",
        "--max-seconds",
        "--overwrite",
    )


def read_settings(options: Namespace) -> Callable[[Image], CellINRConfig]:
    """Return a function that returns the settings for an image: the same for all."""
    from napari_cellinr.config import CellINRConfig

    config = read_config(options, CellINRConfig)
    return lambda image: config


def run(options: Namespace) -> int:
    """Write the result and return 0; 128 + its number if a signal stopped the fit."""
    from napari_cellinr.config import CellINRConfig

    config = read_config(options, CellINRConfig)
    roles = _roles(options, config)
    check_outputs(options, _OUTPUTS)
    image = read_input(options)
    if advice := config.cost_warning(image.sizes):
        say_warning(advice)
    return run_fit(options, image, config, roles)


def _roles(options: Namespace, config: CellINRConfig) -> dict[str, str]:
    """Return the role of each image that can be saved, by the name of its option."""
    from napari_cellinr.errors import ConfigError

    keeps = config.background == "keep"
    roles = {
        "output": "result",
        "background_output": "background",
        "signal_output": "signal" if keeps else "result",
        "with_background_output": "result" if keeps else "kept",
        "error_output": "error",
    }
    if options.error_output is not None and not config.has_field:
        raise ConfigError(
            "--output error=… was given, but standard errors come from the network, which these "
            "settings leave out. Leave the option out, or choose the preset best."
        )
    other = "signal" if keeps else "with-background"
    if config.is_published and getattr(options, dest_of(other)) is not None:
        raise ConfigError(
            f"--output {other}=… was given; the preset paper makes only the image that "
            "--background selects. Leave the option out, or choose the preset fast."
        )
    return roles
