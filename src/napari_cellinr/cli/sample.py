"""`napari-cellinr sample KIND FOLDER`: write a simulated embryo and its ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.cli.shared.options import Commands, add_command, parse_size
from napari_cellinr.cli.shared.overwrite import add_overwrite, check_overwrite
from napari_cellinr.cli.shared.progress import say
from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from napari_cellinr.image import Image

__all__ = ["add", "files_of", "make_folder", "run", "write_all"]

_NAMES = ("raw", "truth", "truth_with_background")

KINDS: dict[str, Any] = {"embryo-membranes": "membranes", "embryo-nuclei": "nuclei"}


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "write a simulated embryo: raw image and ground truth"
    parser = add_command(commands, "sample", help_text, run)
    parser.add_argument("kind", choices=list(KINDS), help="labelled structure")
    parser.add_argument("folder", metavar="FOLDER", help="output folder; created if missing")
    parser.add_argument(
        "--seed",
        metavar="N",
        type=int,
        default=0,
        help="random seed; each seed gives another embryo (default: 0)",
    )
    parser.add_argument(
        "--size",
        metavar="Z,Y,X",
        type=parse_size,
        default=(48, 96, 96),
        help="size in voxels (default: 48,96,96)",
    )
    add_overwrite(parser)


def run(options: Namespace) -> int:
    """Write `raw.tif`, `truth.tif` and `truth_with_background.tif`, and return 0."""
    from napari_cellinr.simulate.embryo import embryo

    folder = make_folder(options.folder)
    check_overwrite(options, files_of(folder, _NAMES))
    sample = embryo(KINDS[options.kind], options.size, options.seed)
    images = {name: getattr(sample, name) for name in _NAMES}
    for path in write_all(folder, images):
        say(f"wrote {path}")
    return 0


def make_folder(name: str) -> Path:
    """Return the path of a folder, which is created if missing.

    Raises
    ------
    FileError
        If it cannot be created.
    """
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"folder {folder} cannot be created ({error.strerror}); give another one."
        ) from None
    return folder


def files_of(folder: Path, names: Iterable[str]) -> list[Path]:
    """Return the files that `write_all` writes.

    Parameters
    ----------
    folder
        The folder.
    names
        Names of the images.
    """
    return [folder / f"{name}.tif" for name in names]


def write_all(folder: Path, images: dict[str, Image]) -> list[Path]:
    """Write images as TIFF files.

    Parameters
    ----------
    folder
        An existing folder.
    images
        The images by file name without suffix.

    Returns
    -------
    list of Path
        The files, in the order of `images`.
    """
    from napari_cellinr.io import check_writable, write

    paths = files_of(folder, images)
    for path in paths:
        check_writable(path)
    for path, image in zip(paths, images.values(), strict=True):
        write(path, image)
    return paths
