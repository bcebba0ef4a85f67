"""What docks, controller and console need to know about a method: one `Task` each.

A new method needs a module `docks/<action>.py` with its `TASK` and a subclass of `FitDock` that is
named in the manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_cellinr.methods import method_of_action
from napari_cellinr.ui.layers.live import visible_part
from napari_cellinr.ui.layers.spec import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.image import Image
    from napari_cellinr.methods import Method
    from napari_cellinr.ui.session.controller import Controller

__all__ = [
    "ResultPanel",
    "Section",
    "Shown",
    "Task",
    "images_of",
    "quick_settings",
    "task_of",
]


class Section(QWidget):
    """Settings that need more than plain fields; shown above the others.

    Signals
    -------
    changed
        The user has edited a setting.
    """

    changed = Signal()

    names: tuple[str, ...] = ()
    """Names of the settings that are edited here instead of in the form."""

    def values(self) -> dict[str, Any]:
        """Return the entered values by name, not validated yet."""
        return {}

    def set_config(self, config: Any) -> None:
        """Show the values of a configuration without emitting `changed`."""

    def show_image(self, image: Image | None) -> None:
        """Adapt to another image, or to none."""

    def explain(self, faults: Mapping[str, str]) -> None:
        """Show error messages, by name of the setting."""


class ResultPanel(QWidget):
    """Tools for a result, such as a time slider; shown below the status line."""

    def show_result(self, fitted: Fitted, layer: ImageLayer, source: ImageLayer) -> None:
        """Show the tools for a new result.

        Parameters
        ----------
        fitted
            The fit.
        layer
            Its first layer.
        source
            The layer that was fitted.
        """

    def has_another(self) -> bool:
        """Return whether there is another result for the tools if that one is removed."""
        return False


def images_of(fitted: Fitted) -> Sequence[Shown]:
    """Return one layer per image of a result; all but the first are added only on request."""
    return [Shown(image, on_request=place > 0) for place, image in enumerate(fitted.images)]


def quick_settings(config: Any) -> Any:
    """Return the settings for a preview: those of the user with the preset `preview`."""
    own = type(config).PRESETS.get("preview")
    if own is None:
        return config
    changes = {name: value for name, value in config.changes().items() if name not in own}
    return type(config)(**{**changes, "preset": "preview"})


@dataclass(frozen=True)
class Task:
    """One method, for docks, controller and console.

    Parameters
    ----------
    name
        The action of the method, such as `denoise`.
    title
        Title of the dock, such as `Denoise`.
    noun
        Name of a run, as in “denoising of embryo”.
    suffix
        Added to the name of the source to name the result, such as `denoised`.
    empty_text
        Text of the dock while there is no image: what to drop, which sample to try.
    sample
        Key of a suitable sample of this plugin.
    guide
        Name of the page of the guide, without suffix.
    run_tip, preview_tip
        Tooltips of the two buttons.
    layers
        From the fit to the specs of its layers; the first one, an image, replaces the live layer.
    own_contrast
        Whether a result with these settings needs its own contrast limits, not those of the source.
    quick
        From the settings of the user to those of a preview.
    part
        From viewer, layer and its Image to the part that a preview uses, as ranges by axis letter.
    check
        Errors of image and settings, by the field beside which they are shown: `image`, `axes`,
        `voxel_size` or the name of a setting. Errors disable Run.
    advise
        A warning that does not disable Run, or an empty text.
    regions
        Whether a region of an image can be processed alone.
    section
        The settings above the others, if there are any.
    panel
        Creates the tools that are shown below the status line once there is a result, if any.
    """

    name: str
    title: str
    noun: str
    suffix: str
    empty_text: str
    sample: str
    guide: str
    run_tip: str = "Process the whole image."
    preview_tip: str = "Quick result for the visible part of the image."
    layers: Callable[[Fitted], Sequence[Shown]] = images_of
    own_contrast: Callable[[Any], bool] = lambda config: False
    quick: Callable[[Any], Any] = quick_settings
    part: Callable[[napari.Viewer, ImageLayer, Image], Mapping[str, slice]] = visible_part
    check: Callable[[Any, Image], Mapping[str, str]] = lambda config, image: {}
    advise: Callable[[Any, Image], str] = lambda config, image: ""
    regions: bool = True
    section: type[Section] | None = None
    panel: Callable[[Controller], ResultPanel] | None = None

    @property
    def method(self) -> Method:
        """The record of its method: settings, job, cost and all else without Qt."""
        return method_of_action(self.name)

    @property
    def config_type(self) -> type[Config]:
        """The class of the settings, from which form, console and help are generated."""
        return self.method.config


def task_of(name: str) -> Task:
    """Return the task of an action: `TASK` of the dock module with its name.

    Raises
    ------
    ConfigError
        If no method has this action.
    """
    task: Task = import_module(f"napari_cellinr.ui.docks.{method_of_action(name).action}").TASK
    return task
