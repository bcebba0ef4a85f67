"""What the settings of every kind of microscope share, and help texts that several of them use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from pydantic import model_validator

from napari_cellinr.config.base import Settings, setting
from napari_cellinr.config.optics.checks import check_list

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "BACKGROUND",
    "FRAME_TIME",
    "FRAME_TIMES",
    "INDEX",
    "KIND",
    "NA",
    "PIXEL_SIZE",
    "START_TIMES",
    "VOXEL_SIZE",
    "WAVELENGTH",
    "Optics",
]

KIND: Final = "Kind of microscope."
PIXEL_SIZE: Final = "Size of a camera pixel in the specimen. Leave empty to take it from the image."
VOXEL_SIZE: Final = (
    "Voxel size along z, y and x (y and x for planes). Leave empty to take it from the image."
)
WAVELENGTH: Final = "Wavelength of the detected light in vacuum."
NA: Final = "Numerical aperture of the objective."
INDEX: Final = "Refractive index of the immersion medium; the numerical aperture cannot exceed it."
BACKGROUND: Final = "Grey level of the camera without light; it is subtracted first."
FRAME_TIMES: Final = (
    "Time of every raw frame, increasing. Leave empty to space the frames evenly by frame_time."
)
START_TIMES: Final = (
    "Start time of every repeat, increasing. Leave empty to space the repeats evenly."
)
FRAME_TIME: Final[Any] = setting(
    None,
    "Time from one frame to the next. Leave empty to take it from the image; without any, times "
    "count frames.",
    unit="s",
    gt=0,
)
"""The setting `frame_time`, float or None."""

_AXES: Final = MappingProxyType(
    {"pixel_size": "YX", "voxel_size": "YX", "frame_time": "T", "stack_time": "T"}
)
"""Axes of an image whose steps tell a setting that is left empty."""

_TYPICAL_STEPS: Final = MappingProxyType(
    {"pixel_size": 0.1, "voxel_size": [0.2, 0.1, 0.1], "frame_time": 1.0, "stack_time": 5.0}
)
"""Typical steps, for messages."""


class Optics(Settings):
    """What every kind of microscope has: a name, and what its recordings look like.

    Attributes
    ----------
    AXES
        Axes of the images that this kind records, such as ("TYX",). Empty: any axes; all but Y
        and X count the raw frames.
    ESSENTIAL
        Constants that have to be known, each as a name, or as names joined by " or " of which one
        is enough. None of them has a default: a result with a wrong one is wrong, and nothing
        shows it.
    TYPICAL
        Typical values of settings without a default, for templates and messages.
    FILES
        Settings that name a file.

    Examples
    --------
    >>> from napari_cellinr import Optics, setting
    >>> class Slow(Optics):
    ...     kind: str = setting("slow", "Kind of microscope.")
    >>> Slow().as_dict()["kind"]
    'slow'
    """

    AXES: ClassVar[tuple[str, ...]] = ()
    ESSENTIAL: ClassVar[tuple[str, ...]] = ()
    TYPICAL: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    FILES: ClassVar[tuple[str, ...]] = ()

    kind: str = setting("", KIND)

    @model_validator(mode="after")
    def _check_voxels(self) -> Self:
        lengths = tuple(len(axes) - 1 for axes in self.AXES) or (2, 3)
        check_list("voxel_size", getattr(self, "voxel_size", None), lengths, positive=True)
        return self

    @property
    def frames_per_set(self) -> int:
        """The number of raw frames that belong together, such as all patterns of illumination."""
        return 1

    @classmethod
    def example(cls) -> Self:
        """Return complete settings: defaults, and examples for what has none."""
        return cls(**cls.TYPICAL)

    @classmethod
    def summary(cls) -> str:
        """Return one sentence that says what this kind of microscope records."""
        return (cls.__doc__ or "").partition("\n")[0]

    def missing(self, calibrated: str) -> tuple[str, ...]:
        """Return the entries of `ESSENTIAL` that neither these settings nor an image state.

        Parameters
        ----------
        calibrated
            Axes of the image whose step has a physical unit, such as "TYX".
        """
        stated = {name for name, axes in _AXES.items() if set(axes) <= set(calibrated)}
        stated |= {name for name in type(self).model_fields if getattr(self, name) is not None}
        return tuple(entry for entry in self.ESSENTIAL if stated.isdisjoint(entry.split(" or ")))

    def explain_missing(self, calibrated: str) -> str:
        """Return a sentence that names the missing constants with JSON to copy; empty if none is.

        Parameters
        ----------
        calibrated
            As for `missing`.
        """
        missing = self.missing(calibrated)
        if not missing:
            return ""
        examples = {**type(self).TYPICAL, **_TYPICAL_STEPS}
        wanted = {name: examples[name] for name in (words.split(" or ")[0] for words in missing)}
        given = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps({"kind": self.kind, **given, **wanted}, ensure_ascii=False)
        return (
            f"{self.kind} needs constants that neither the optics nor the image state: "
            f"{self.named(missing)}. "
            f"Give those of your microscope instead of these examples: --optics '{text}'. "
            f"`napari-cellinr optics {self.kind}` explains them."
        )

    @classmethod
    def named(cls, entries: Sequence[str], title: Callable[[str], str] = str) -> str:
        """Return entries of `ESSENTIAL` as text, with the unit of each setting.

        Parameters
        ----------
        entries
            The entries.
        title
            Returns what a setting is called, for its name.
        """

        def with_unit(name: str) -> str:
            unit = cls.unit(name)
            return f"{title(name)} ({unit})" if unit else title(name)

        names = [entry.split(" or ") for entry in entries]
        return ", ".join(" or ".join(map(with_unit, entry)) for entry in names)
