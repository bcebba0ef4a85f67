"""What each method measures once and computes in parts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.plan import Part, Plan

__all__ = ["MethodInParts", "module_of"]


class MethodInParts(Protocol):
    """A module with the functions that a plan and its parts need of a method."""

    def result(self, image: Image, config: Any) -> Image:
        """Return an image of zeros with the geometry of the result.

        Parameters
        ----------
        image
            The recording.
        config
            The settings of the method.
        """

    def measured(self, image: Image, config: Any) -> tuple[list[dict[str, Any]], list[str]]:
        """Return what the parts share, for each channel, and sentences about it.

        Parameters
        ----------
        image
            The recording.
        config
            The settings of the method.
        """

    def layout(
        self, image: Image, config: Any, channels: list[dict[str, Any]], memory: float
    ) -> tuple[list[Part], float]:
        """Return the parts, and the memory of one of them in bytes.

        Parameters
        ----------
        image
            The recording.
        config
            The settings of the method.
        channels
            What `measured` returned for each channel.
        memory
            Memory for one part, in bytes.
        """

    def frames(self, plan: Plan, part: Part) -> list[int]:
        """Return the numbers of the frames that a part reads, ascending.

        Parameters
        ----------
        plan
            The plan.
        part
            The part.
        """

    def job(
        self, block: Image, plan: Plan, part: Part, monitor: Monitor
    ) -> Generator[Progress, Message, Fitted]:
        """Yield progress, return the result of a part.

        Parameters
        ----------
        block
            What the part reads, in memory; axes T, [Z,] Y, X.
        plan
            The plan.
        part
            The part to compute.
        monitor
            Of the job.
        """


def module_of(action: str) -> MethodInParts:
    """Return the functions of the method of an action, whose name its module has; loads torch."""
    module = import_module(f"napari_cellinr.runs.scale.methods.{action}")
    return cast("MethodInParts", module)
