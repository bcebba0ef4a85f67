"""`napari-cellinr sample KIND FOLDER`: write simulated data and their ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.options import parse_size
from napari_cellinr.cli.shared.overwrite import add_overwrite, check_overwrite
from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import say
from napari_cellinr.errors import FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.atomic import replacing

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_cellinr.image import Image

__all__ = ["add", "files_of", "make_folder", "run", "write_all"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.simulate.samples import SAMPLES

    help_text = "write simulated data: raw image, ground truth, and the settings of the microscope"
    parser = add_command(commands, "sample", help_text, run)
    parser.add_argument("kind", metavar="KIND", choices=list(SAMPLES), help=", ".join(SAMPLES))
    parser.add_argument("folder", metavar="FOLDER", help="output folder; created if missing")
    parser.add_argument(
        "--seed",
        metavar="N",
        type=int,
        default=0,
        help="random seed; the same seed gives the same result (default: 0)",
    )
    parser.add_argument(
        "--size",
        metavar="Z,Y,X",
        type=parse_size,
        help="size in voxels, of embryos and cells (default: that of the sample in napari)",
    )
    add_overwrite(parser)


def run(options: Namespace) -> int:
    """Write `raw.tif`, `truth.tif` and what else is known, and return 0."""
    from napari_cellinr.simulate.samples import sample_files

    folder = make_folder(options.folder)
    sample = sample_files(options.kind, options.size, options.seed)
    settings = folder / "optics.json"
    texts = [] if sample.optics is None else [settings]
    check_overwrite(options, [*files_of(folder, sample.images), *texts])
    paths = write_all(folder, sample.images)
    if sample.optics is not None:
        with replacing(settings, ".json") as temporary:
            temporary.write_text(sample.optics.as_json() + "\n", encoding="utf-8")
    for path in (*paths, *texts):
        say(f"wrote {path}")
    return 0


def make_folder(name: str) -> Path:
    """Return the path of a folder, which is created if missing.

    Raises
    ------
    FileError
        If it cannot be created.
    """
    folder = place_of(name)
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


def write_all(folder: Path, images: Mapping[str, Image]) -> list[Path]:
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
