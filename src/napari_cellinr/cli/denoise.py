"""`napari-cellinr denoise INPUT OUTPUT`: noise and haze removed, from file to file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.fitting import add_fit_command, read_input, run_fit
from napari_cellinr.cli.shared.options import Commands, read_config
from napari_cellinr.cli.shared.progress import say_warning
from napari_cellinr.cli.shared.saving import check_outputs

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.config import CellINRConfig

__all__ = ["add", "run"]

_OUTPUTS = ("output", "background_output", "signal_output", "kept_output")


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.methods import METHODS

    add_fit_command(
        commands,
        METHODS["cellinr"],
        "remove noise and haze from an image",
        run,
        {
            "--background-output": "image of the haze",
            "--signal-output": "image without the haze, of the same fit as the result",
            "--kept-output": "image with the haze, of the same fit as the result",
        },
    )


def run(options: Namespace) -> int:
    """Return 0 after the result was written, 130 if it is partial because of Ctrl-C."""
    from napari_cellinr.config import CellINRConfig

    config = read_config(options, CellINRConfig)
    roles = _roles(options, config)
    check_outputs(options, _OUTPUTS)
    image = read_input(options)
    if advice := config.cost_warning(image.sizes):
        say_warning(advice)
    return run_fit(options, image, config, roles)


def _roles(options: Namespace, config: CellINRConfig) -> dict[str, str]:
    """Return the role of each image that may be saved by the name of its option.

    Raises
    ------
    ConfigError
        If an image is asked for that the preset `paper` does not make.
    """
    from napari_cellinr.errors import ConfigError

    keeps = config.background == "keep"
    roles = {
        "output": "result",
        "background_output": "background",
        "signal_output": "signal" if keeps else "result",
        "kept_output": "result" if keeps else "kept",
    }
    other = "signal_output" if keeps else "kept_output"
    if config.is_published and getattr(options, other) is not None:
        raise ConfigError(
            f"--{other.replace('_', '-')} was given; the preset paper makes only what the setting "
            "background says. Leave it out, or choose the preset fast."
        )
    return roles
