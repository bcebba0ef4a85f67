"""What a step works on: a layer, a file, or a layer that was read from a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import ConfigError
from napari_cellinr.macro.values import COUNT_OR_NONE, TEXT, TEXTS, check_fields, check_text
from napari_cellinr.text import clean_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.macro.values import Kind

__all__ = ["Source"]

_KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("layer", "path", "digest", "along", "reader"), TEXT),
    "files": TEXTS,
    **dict.fromkeys(("series", "channel"), COUNT_OR_NONE),
}


@dataclass(frozen=True)
class Source:
    """What a step works on: a layer, a file, or a layer that was read from a file.

    Control characters are removed from names. A path is kept as it is, because the file has
    that name.

    Parameters
    ----------
    layer
        Name of the layer; empty for a file that is opened.
    path
        File that the data were read from; empty if they were not read from a file. For a series
        of numbered files: their folder, or a pattern such as `t*.tif`.
    digest
        `io.digest` of the data, to detect that a file has changed; empty if not computed.
    along
        Axis of a series of numbered files, `T` or `Z`; empty for a single file.
    files
        Names of the files in the folder that form the series; empty if all of them do.
    reader
        napari plugin that read the file; empty for napari-cellinr.
    series, channel
        Index of the image in its file, and of the channel in that image, from 0; None if the
        file has only one. The viewer identifies them by the name of the layer instead.
    """

    layer: str = ""
    path: str = ""
    digest: str = ""
    along: str = ""
    files: tuple[str, ...] = ()
    reader: str = ""
    series: int | None = None
    channel: int | None = None

    def __post_init__(self) -> None:
        check_fields(self, _KINDS)
        object.__setattr__(self, "files", tuple(self.files))
        for name in ("layer", "digest", "reader"):
            object.__setattr__(self, name, clean_name(getattr(self, name)))
        check_text((self.path, self.files), "the path of a source")
        outside = [name for name in self.files if re.search(r"[/\\]", name) or name in {"", ".."}]
        if outside:
            raise ConfigError(f"file {outside[0]!r} was given; names in the folder are needed.")
        if self.along not in {"", "T", "Z"}:
            raise ConfigError(
                f"along {self.along!r} was given for {self.path}; allowed are T and Z."
            )

    @property
    def how(self) -> dict[str, Any]:
        """Options with which the file was opened, without those that have their default."""
        how = {"along": self.along, "files": list(self.files), "reader": self.reader}
        return {name: value for name, value in how.items() if value}

    @property
    def place(self) -> str | list[str]:
        """What `read` takes: the path, or the paths of the files of a series."""
        folder = PurePath(self.path)
        return [str(folder / name) for name in self.files] or self.path
