"""`napari-cellinr convert INPUT OUTPUT`: write an image in another format with its calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.fitting import add_reading_options, describe_image, read_input
from napari_cellinr.cli.shared.options import INPUTS
from napari_cellinr.cli.shared.overwrite import add_overwrite, check_overwrite
from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import say

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.io.dtype import DTYPES

    text = "convert an image to another file format, keeping axes, voxel size and time step"
    parser = add_command(commands, "convert", text, run)
    parser.add_argument("input", metavar="INPUT", help=INPUTS)
    parser.add_argument(
        "output", metavar="OUTPUT", help="file such as out.tif, out.ome.tif, out.nii.gz, out.zarr"
    )
    add_reading_options(parser)
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        help="data type of the output; values are rounded and clipped for integer types",
    )
    parser.add_argument(
        "--rescale",
        action="store_true",
        help="stretch the range of the values to that of the integer type of --dtype",
    )
    parser.add_argument(
        "--rotation",
        choices=("keep", "bake"),
        default="warn",
        help="what to do with a rotation that the format cannot hold: keep it in the metadata of "
        "this program, or resample the image (default: keep it, and warn)",
    )
    add_overwrite(parser)


def run(options: Namespace) -> int:
    """Write the file and return 0."""
    from napari_cellinr.errors import ConfigError
    from napari_cellinr.io import check_writable, write

    if options.rescale and (options.dtype is None or options.dtype.startswith("float")):
        raise ConfigError("--rescale was given without an integer type; add --dtype uint8 or so.")
    check_overwrite(options, [options.output], [options.input])
    check_writable(options.output)
    image = read_input(options)
    write(
        options.output,
        image,
        dtype=options.dtype,
        rescale=options.rescale,
        rotation=options.rotation,
    )
    say(f"wrote {options.output}: {describe_image(image)}")
    return 0
