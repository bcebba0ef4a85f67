"""How a run starts: from scratch, from another fit, or from a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.problem import REACHED
from napari_cellinr.fitting.stored import stored_of
from napari_cellinr.methods import method_of_fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.fitting.stored import Stored

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
"""How a fit begins with another one: with its steps, or with its parameters."""


@dataclass(frozen=True)
class New:
    """A fit that starts from scratch."""


@dataclass(frozen=True)
class Continued:
    """More steps of a fit of the same image.

    With a learning rate that stays, as that of the preset `fast`, the result is that of a fit
    with as many steps in all, bit for bit on the CPU. A fit that has converged stays as it is.

    Parameters
    ----------
    fit
        What a job returned, or a saved fit. A checkpoint holds all of it, so that its file may
        be deleted.
    steps
        How many more.
    note
        What the caller needs to know of it when the run is resumed, ready for JSON.
    """

    beginning: ClassVar[Beginning] = "continue_from"

    fit: Stored | Fitted
    steps: int
    note: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WarmStart:
    """A fit that starts from the parameters of a fit of another image of the same size.

    They are taken only where the held-out error is lower with them than with the usual initial
    values. The report warns if nothing in the run could start from them.

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
    """A run that was interrupted, and goes on from its checkpoint.

    On the CPU, the result is that of a run without interruption, bit for bit, unless a time
    limit ended it: that counts anew.

    Parameters
    ----------
    begun
        How the run started before it was interrupted.
    """

    begun: New | Continued | WarmStart


Start: TypeAlias = New | Continued | WarmStart | Resumed
"""How a run starts."""


def start_from(
    beginning: Beginning, fit: Stored | Fitted, steps: int, note: Mapping[str, str] | None = None
) -> Continued | WarmStart:
    """Return how a run starts from another fit, by the word of options, macros and checkpoints.

    Parameters
    ----------
    beginning
        `continue_from` or `warm_start`.
    fit
        The other fit.
    steps
        Number of steps in the settings: of a fit that is continued, how many more.
    note
        As for `Continued`.
    """
    if beginning == "continue_from":
        return Continued(fit, steps, note or {})
    return WarmStart(fit, note or {})


def saved_steps(fit: Stored | Fitted) -> dict[str, dict[str, NDArray[Any]]]:
    """Return what each optimisation of a fit has reached: tensors by name, by scope of its part.

    Raises
    ------
    ConfigError
        If the fit holds nothing of that.
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
            "the fit has no steps to go on with: it is that of a series denoised together, of "
            "super-resolution with the preset fast, of tiles, or of an older version; fit again."
        )
    return found
