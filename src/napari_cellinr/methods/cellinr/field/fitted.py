"""A network that corrects an initial estimate, and what it adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.fitting.problem import Outcome
from napari_cellinr.methods.cellinr.model import ResidualField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Stopped
    from napari_cellinr.methods.cellinr.initial.part import Part
    from napari_cellinr.methods.cellinr.model import CellINRModel

__all__ = ["FittedField", "without_rounds"]

AFTER_ROUNDS = (
    "The time limit left out some of the rounds in which the network is trained: the result may be "
    "less sharp than without a limit. Set max_seconds higher."
)
WITHOUT_ROUNDS = (
    "The network was not trained, since that would have taken longer than the time limit: the "
    "result is the initial estimate. Set max_seconds higher."
)


WITHOUT_FILTER = (
    "The time limit left out the second filter of the plane: fine regular texture may be less "
    "sharp than without a limit. Set max_seconds higher."
)


@dataclass(frozen=True)
class FittedField:
    """A network after its last round, and what it adds to the estimate; arrays of its axes.

    Parameters
    ----------
    field
        The network.
    correction
        What is added to the estimate, float32, in standard deviations of the noise.
    error
        Standard error of the sum, float32, in standard deviations of the noise.
    rounds
        Rounds that were completed.
    outcome
        How the steps ended.
    before
        Error of the estimate alone on the held-out voxels, in standard deviations of the noise.
    gain
        Decibels by which the error falls on the synthetic images of the last round.
    fractions
        Fraction of the correction that was applied in each third of brightness.
    is_late
        Whether the time limit left out rounds.
    filtered
        Part of the sum that the second filter of a plane has.
    is_unfiltered
        Whether the time limit left out that filter.
    sparse
        Part of the sum that a sparse estimate has.
    smoothed
        Part of the sum that a smoothed image has.
    """

    field: ResidualField
    correction: NDArray[np.float32]
    error: NDArray[np.float32]
    rounds: int
    outcome: Outcome
    before: float
    gain: float = 0.0
    fractions: tuple[float, ...] = ()
    is_late: bool = False
    filtered: float = 0.0
    is_unfiltered: bool = False
    sparse: float = 0.0
    smoothed: float = 0.0

    @property
    def warnings(self) -> list[str]:
        """What users should know of the rounds, or the filter, that the time limit left out."""
        if self.is_late:
            return [AFTER_ROUNDS if self.rounds else WITHOUT_ROUNDS]
        return [WITHOUT_FILTER] if self.is_unfiltered else []

    def facts(self) -> dict[str, Any]:
        """Return what the fit starts from and what the network adds, ready for JSON."""
        return {
            "rounds": self.rounds,
            "held_out_start": self.before,
            "held_out": self.outcome.held_out,
            "expected_gain_db": round(self.gain, 3),
            "fractions": [round(part, 3) for part in self.fractions],
            "filtered": round(self.filtered, 3),
            "sparse": round(self.sparse, 3),
            "smoothed": round(self.smoothed, 3),
        }

    def load_into(self, model: CellINRModel) -> None:
        """Give a model this network, and what it has made."""
        assert model.field is not None
        model.field.load_state_dict(self.field.state_dict())
        model.correction, model.error = self.correction, self.error


def without_rounds(part: Part, *, is_late: bool = False) -> FittedField:
    """Return a network that adds nothing, where no estimate by groups was finished.

    Parameters
    ----------
    part
        The image with its estimate. The standard error is not known: NaN.
    is_late
        Whether the time limit allowed no estimate by groups.
    """
    estimate, n_planes = part.found.estimate, 3 if part.stabilised.ndim == 3 else 1
    residual = (part.stabilised - estimate)[part.held].astype(np.float64)
    error = float(np.sqrt((residual**2).mean()))
    how: Stopped = "converged" if part.found.complete else "user"
    return FittedField(
        ResidualField(2, 1, n_planes),
        np.zeros_like(estimate),
        np.full_like(estimate, np.nan),
        0,
        Outcome(how, 0, error, ({"step": 0, "held_out": error},)),
        error,
        is_late=is_late,
    )
