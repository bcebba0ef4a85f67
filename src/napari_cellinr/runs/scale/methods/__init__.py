"""What each method measures once and computes in parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_cellinr.runs.estimates import cost

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.plan import Part, Plan

__all__ = ["MethodInParts", "method_in_parts"]


class MethodInParts(ABC):
    """What a plan and its parts need of a method."""

    @abstractmethod
    def measured(self, image: Image, config: Any) -> tuple[list[dict[str, Any]], list[str]]:
        """Return what the parts share, for each channel, and sentences about it.

        Parameters
        ----------
        image
            The recording, lazy, with axis T.
        config
            The settings of the method.
        """

    @abstractmethod
    def layout(
        self, image: Image, config: Any, channels: list[dict[str, Any]], memory: float
    ) -> tuple[list[Part], float]:
        """Return the parts, and the memory of one of them in bytes.

        Parameters
        ----------
        image
            The recording, lazy, with axis T.
        config
            The settings of the method.
        channels
            What `measured` returned for each channel.
        memory
            Memory for one part, in bytes.
        """

    def frames(self, plan: Plan, part: Part) -> list[int]:
        """Return the numbers of the frames that a part reads, ascending: those near it.

        Parameters
        ----------
        plan
            The plan.
        part
            The part.
        """
        return list(range(*part.near))

    def seconds(self, block: Image, plan: Plan, part: Part) -> float:
        """Return the estimated seconds of a part on one core: those of the fit that it runs.

        Parameters
        ----------
        block
            What the part reads; only its shape and voxel size count.
        plan
            The plan, but for its estimate.
        part
            The part.
        """
        found = cost(plan.method, block, plan.config)
        return 0.0 if found is None else found.seconds

    @abstractmethod
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


def method_in_parts(action: str) -> MethodInParts:
    """Return the method of an action, such as `denoise`, in parts; loads torch."""
    module = import_module(f"napari_cellinr.runs.scale.methods.{action}")
    method: MethodInParts = module.METHOD
    return method
