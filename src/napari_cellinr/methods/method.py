"""The record of a method, and the cost of a run. Does not load torch."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_cellinr.fitting.resources.available import check_room_for_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Job
    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image

__all__ = ["Cost", "Lazy", "Method", "Renderable"]


@dataclass(frozen=True)
class Lazy:
    """A function that is imported when it is called, since importing torch takes seconds.

    Parameters
    ----------
    place
        `module:function`; the module is one of `napari_cellinr.methods`.
    computes
        Whether it computes, and so loads torch and other large libraries.
    """

    place: str
    computes: bool = True

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Return what the function returns."""
        return self.load()(*arguments, **options)

    def load(self) -> Callable[..., Any]:
        """Return the function.

        Raises
        ------
        FitError
            If a limit of the memory leaves no room for the libraries that it loads.
        """
        place, function = self.place.split(":")
        module = f"napari_cellinr.methods.{place}"
        if self.computes and module not in sys.modules:
            check_room_for_libraries()
        found: Callable[..., Any] = getattr(import_module(module), function)
        return found


@dataclass(frozen=True)
class Cost:
    """Estimated cost of a run.

    Parameters
    ----------
    seconds
        Time on one CPU core of 2023; a GPU needs less.
    memory
        Largest memory in bytes.
    note
        A sentence on what the estimate does not include; usually empty.
    """

    seconds: float
    memory: float
    note: str = ""


@dataclass(frozen=True)
class Renderable:
    """What can be rendered from a finished fit without fitting again.

    Parameters
    ----------
    scaled
        Letters of the axes along which the image can be rendered at another scale.
    any_time
        Whether times between the frames can be rendered.
    own_grid
        Whether the result has a voxel grid and channels of its own, and not those of the source:
        ranges are then counted on that grid, and a channel of the source cannot be chosen.
    """

    scaled: str = ""
    any_time: bool = False
    own_grid: bool = False


@dataclass(frozen=True)
class Method:
    """Everything that differs between the methods.

    Parameters
    ----------
    name
        Name of the method in saved fits, such as `cellinr`.
    action
        Name of its function, command, macro action and dock, such as `denoise`.
    config
        Its settings.
    roles
        Role of each image of a fit, for saved fits that do not store the roles.
    scope
        Name of a part of a job in a checkpoint; `{}` stands for the number of the part.
    job
        `(Image, Config, Monitor)`: a generator that yields `Progress` and returns `Fitted`. The
        image has its axes in the order T, C, Z, Y, X.
    render
        `(Stored, Query, device)`: the images of a saved fit, the result first, float32.
    geometry
        `(Stored, Query)`: the first image that `render` returns, with zeros that take no memory
        for its values. The tensors of the fit are not needed.
    conventional
        `(Image, Config)`: a result without a neural field, float32, to compare with.
    cost
        `(Image, Config)`: time and memory of a run, or None if the settings do not suit the image.
        Only shape and voxel size of the image are used, and torch is not loaded.
    tiles
        `(Image, Config, bytes)`: number of tiles of a frame with so much free memory; None if the
        method does not fit in tiles. Torch is not loaded.
    renderable
        What can be rendered from a finished fit.
    needed
        Settings without which it does not run, for examples and tests.
    layers
        What its images are called beside the name of their source, in names of layers; the name
        of a channel may follow.
    baselines
        What its conventional results are called in the same way.
    """

    name: str
    action: str
    config: type[Config]
    roles: tuple[str, ...]
    scope: str
    job: Callable[..., Job]
    render: Callable[[Stored, Query, torch.device], tuple[Image, ...]]
    geometry: Callable[[Stored, Query], Image]
    conventional: Callable[[Image, Any], Image]
    cost: Callable[[Image, Any], Cost | None]
    tiles: Callable[[Image, Any, float], int] | None = None
    renderable: Renderable = field(default_factory=Renderable)
    needed: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()

    @property
    def has_motion(self) -> bool:
        """Whether its fits know how the material moves."""
        return "motion" in self.roles
