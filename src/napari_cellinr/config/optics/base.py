"""What the settings of every kind of microscope share, and help texts that several of them use."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Self

from pydantic import model_validator

from napari_cellinr.config.base import Settings, setting
from napari_cellinr.config.optics.checks import check_list

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


class Optics(Settings):
    """What every kind of microscope has: a name, and what its recordings look like.

    Attributes
    ----------
    AXES
        Axes of the images that this kind records, such as ("TYX",). Empty: any axes; all but Y
        and X count the raw frames.
    ESSENTIAL
        Settings that most recordings have to give; the table of the guide names them.
    FILES
        Settings that name a file.
    """

    AXES: ClassVar[tuple[str, ...]] = ()
    ESSENTIAL: ClassVar[tuple[str, ...]] = ()
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
        """Return valid settings with all defaults; a file that is required has an example name."""
        return cls()

    @classmethod
    def summary(cls) -> str:
        """Return one sentence that says what this kind of microscope records."""
        return (cls.__doc__ or "").partition("\n")[0]
