"""What docks, controller and console have to know of a method: one `Task` for each.

A new method brings the module `docks/<action>.py` with its `TASK`, and a subclass of `FitDock` that
the manifest names.
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
    """Settings that a form of plain fields cannot hold; it stands below that form.

    Signals
    -------
    changed
        The user has changed something.
    """

    changed = Signal()

    names: tuple[str, ...] = ()
    """The settings that are edited here, which the form leaves out."""

    def values(self) -> dict[str, Any]:
        """Return what is entered by name, not checked yet."""
        return {}

    def set_config(self, config: Any) -> None:
        """Show the values of a configuration without saying that they have changed."""

    def show_image(self, image: Image | None) -> None:
        """Adapt to another image, or to none."""

    def explain(self, faults: Mapping[str, str]) -> None:
        """Say what is wrong with settings that are edited here, by their names."""


class ResultPanel(QWidget):
    """What can be done with a result, such as a slider for its time; it stands below the status."""

    def show_result(self, fitted: Fitted, layer: ImageLayer, source: ImageLayer) -> None:
        """Offer what can be done with the result that is shown in `layer`."""


def images_of(fitted: Fitted) -> Sequence[Shown]:
    """Return the first image of a result to be shown, and the others hidden."""
    return [Shown(image, visible=place == 0) for place, image in enumerate(fitted.images)]


def quick_settings(config: Any) -> Any:
    """Return the settings for a quick look: the user's, but for those that make it quick."""
    own = type(config).PRESETS.get("preview")
    if own is None:
        return config
    changes = {name: value for name, value in config.changes().items() if name not in own}
    return type(config)(**{**changes, "preset": "preview"})


def _no_fault(config: Any, image: Image) -> Mapping[str, str]:
    return {}


def _no_advice(config: Any, image: Image) -> str:
    return ""


@dataclass(frozen=True)
class Task:
    """One method for docks, controller and console.

    Parameters
    ----------
    name
        The action of the method, such as `denoise`.
    title
        Name of the dock, such as `Denoise`.
    noun
        What a run is called, as in “denoising of embryo”.
    suffix
        What the name of the source gets to be that of the result, such as `denoised`.
    empty_text
        What the dock says as long as there is no image: what to drop, which sample to try.
    sample
        Key of the sample of this plugin that suits the method.
    guide
        Name of the page of the guide, without suffix.
    run_tip, preview_tip
        What the two buttons do, in a sentence.
    layers
        From the result to its layers; the first one, an image, takes over the live layer.
    own_contrast
        Whether a result with these settings needs contrast limits of its own, not the source's.
    quick
        From the settings of the user to those of a preview.
    part
        Ranges by axis letter of what a preview is made of: viewer, layer and its Image are given.
    check
        What is wrong with image and settings, by the field beside which it is said: `image`,
        `axes`, `voxel_size` or the name of a setting. It keeps the user from a run.
    advise
        A warning that does not keep the user from a run, or nothing.
    section
        Makes the settings below the form, if there are any.
    panel
        Makes what stands below the status once there is a result, if anything.
    """

    name: str
    title: str
    noun: str
    suffix: str
    empty_text: str
    sample: str
    guide: str
    run_tip: str = "Work on the whole image."
    preview_tip: str = "A quick look at what the canvas shows."
    layers: Callable[[Fitted], Sequence[Shown]] = images_of
    own_contrast: Callable[[Any], bool] = lambda config: False
    quick: Callable[[Any], Any] = quick_settings
    part: Callable[[napari.Viewer, ImageLayer, Image], Mapping[str, slice]] = visible_part
    check: Callable[[Any, Image], Mapping[str, str]] = _no_fault
    advise: Callable[[Any, Image], str] = _no_advice
    section: Callable[[Controller], Section] | None = None
    panel: Callable[[Controller], ResultPanel] | None = None

    @property
    def method(self) -> Method:
        """The record of its method: settings, job, cost and what else is not shown."""
        return method_of_action(self.name)

    @property
    def config_type(self) -> type[Config]:
        """The settings, of which form, console and help are made."""
        return self.method.config


def task_of(name: str) -> Task:
    """Return the task of an action: `TASK` of the dock module that has its name.

    Raises
    ------
    ConfigError
        If no method has this action.
    """
    task: Task = import_module(f"napari_cellinr.ui.docks.{method_of_action(name).action}").TASK
    return task
