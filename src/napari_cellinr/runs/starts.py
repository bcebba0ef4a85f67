"""How a run starts: from scratch, from another fit, or from a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.problem import REACHED
from napari_cellinr.fitting.saved.stored import stored_of
from napari_cellinr.methods import method_of_fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.fitting.saved.stored import Stored

__all__ = [
    "Beginning",
    "Continued",
    "New",
    "Resumed",
    "Start",
    "WarmStart",
    "saved_steps",
    "start_from",
]

Beginning: TypeAlias = Literal["continue_from", "warm_start"]
"""How a fit uses another one: it continues its steps, or starts from its parameters."""


@dataclass(frozen=True)
class New:
    """A fit that starts from scratch."""


@dataclass(frozen=True)
class Continued:
    """More steps of a fit of the same image.

    With a constant learning rate, as that of kernels (`rounds=0`), the result is bit for bit that
    of one fit with the same total number of steps, on the CPU, and a fit that has converged does
    not change. The learning rate of a network decays to the planned last step, so that the result
    differs from that of one longer fit.

    Parameters
    ----------
    fit
        What a job returned, or a saved fit. A checkpoint holds a copy, so that the file may be
        deleted.
    steps
        Number of additional steps.
    note
        Layer and path of the fit, which the caller needs when the run is resumed; ready for JSON.
    """

    beginning: ClassVar[Beginning] = "continue_from"

    fit: Stored | Fitted
    steps: int
    note: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WarmStart:
    """A fit that starts from the parameters of a fit of another image of the same size.

    They are used only if their held-out error is lower than that of the usual initial values. The
    report has a warning if no part of the run can start from another fit.

    Parameters
    ----------
    fit, note
        As for `Continued`.
    """

    beginning: ClassVar[Beginning] = "warm_start"

    fit: Stored | Fitted
    note: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Resumed:
    """An interrupted run that resumes from its checkpoint.

    On the CPU, the result is bit for bit that of a run without interruption, unless a time limit
    ends it: the time limit counts from the moment of resuming.

    Parameters
    ----------
    start
        How the run started before it was interrupted.
    """

    start: New | Continued | WarmStart


Start: TypeAlias = New | Continued | WarmStart | Resumed
"""How a run starts."""


def start_from(
    beginning: Beginning, fit: Stored | Fitted, steps: int, note: Mapping[str, str] | None = None
) -> Continued | WarmStart:
    """Return how a run starts from another fit.

    Parameters
    ----------
    beginning
        `continue_from` or `warm_start`.
    fit
        The other fit.
    steps
        Number of steps in the settings; if a fit is continued, the number of additional steps.
    note
        As for `Continued`.
    """
    if beginning == "continue_from":
        return Continued(fit, steps, note or {})
    return WarmStart(fit, note or {})


def saved_steps(fit: Stored | Fitted) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the state of each optimisation of a fit: tensors by name, by scope in a checkpoint.

    Raises
    ------
    ConfigError
        If the fit holds no such state.
    """
    saved = stored_of(fit)
    found: dict[str, dict[str, NDArray[Any]]] = {}
    method = method_of_fit(saved)
    for name, array in saved.tensors.items():
        part, mark, rest = name.partition(REACHED)
        if mark:
            scope = method.scope.format(part.rstrip(".") or "0")
            found.setdefault(scope, {})[rest] = array
    if not found:
        raise ConfigError(
            "no other fit can start from this one: a series that was denoised together, "
            "super-resolution with the preset fast, fits in tiles and fits of older versions store "
            "no optimisation state. Fit again from scratch."
        )
    return found
