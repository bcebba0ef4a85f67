"""`napari-cellinr denoise INPUT OUTPUT`: noise and haze removed, from file to file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.fitting import add_fit_command, read_input, run_fit
from napari_cellinr.cli.options import Commands, read_config
from napari_cellinr.cli.progress import say_warning
from napari_cellinr.cli.saving import check_outputs

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["add", "run"]

_OUTPUTS = {"output": "result", "background_output": "background"}


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.config import CellINRConfig

    add_fit_command(
        commands,
        "denoise",
        "remove noise and haze from an image",
        run,
        CellINRConfig,
        {"--background-output": "image of the haze that was taken away"},
    )


def run(options: Namespace) -> int:
    """Return 0 after the result was written, 130 if it is partial because of Ctrl-C."""
    from napari_cellinr.config import CellINRConfig

    config = read_config(options, CellINRConfig)
    check_outputs(options, tuple(_OUTPUTS))
    image = read_input(options)
    if advice := config.cost_warning(image.sizes):
        say_warning(advice)
    from napari_cellinr.api import iter_denoise

    return run_fit(
        options,
        image,
        lambda given: iter_denoise(given, config, started=options.started),
        _OUTPUTS,
        config=config,
    )
