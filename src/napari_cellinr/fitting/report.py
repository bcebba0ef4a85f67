"""Parts of the report of every job: versions, memory and warnings."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.fitting.problem import Fitted, Outcome

__all__ = [
    "DOUBTFUL",
    "environment",
    "field_gain",
    "held_out_warning",
    "is_note",
    "standard",
    "unconverged_warning",
    "with_warnings",
]

DOUBTFUL = 1.5
"""Held-out error, in standard deviations of the noise, above which a result is doubtful, if it is
as large at every brightness or the result is as far from the image. Measured: at most 1.3 at every
brightness of recordings and phantoms, and 1.7 or more where a fourth of the variance was given."""

UNEXPLAINED = 8.0
"""Held-out error above which a result is doubtful anyway: phantoms of 3000 photons have up to 5."""

NOISELESS = 1e-3
"""Noise in the range of grey levels below which an image counts as one without noise: 300 000
photons at the peak, or values of 8 bits, have more."""

OVERESTIMATED = (0.6, 0.85)
"""Held-out error, and the greatest one at any brightness, below which the noise is too high. Where
the dark is clipped at 0, the first is as low, but not the second: at least 0.9 in recordings."""

_HARDLY = 2e-3
"""Relative fall of the held-out error at the end of a fit below which more steps hardly help."""

_FIRST = (
    "method", "warnings", "converged", "stopped", "seconds", "steps", "device", "held_out", "noise",
    "peak_memory_mb", "versions", "config",
)  # fmt: skip
"""Keys that every report has, in this order; other keys depend on the method."""


def standard(fitted: Fitted) -> Fitted:
    """Return a fit whose report has the keys that all methods have; what is unknown is None.

    Keys are words in lower case joined by `_`, in nested tables, too.
    """
    known: dict[str, Any] = {"method": fitted.method, "stopped": fitted.stopped, "warnings": []}
    known |= {"versions": {}, "config": fitted.config.as_dict()}
    given = {**known, **fitted.report}
    ordered = {key: given.pop(key, None) for key in _FIRST}
    return replace(fitted, report={**ordered, **_with_plain_keys(given)})


def _with_plain_keys(value: Any) -> Any:
    """Return tables with keys such as `channel_0` in place of prose such as `channel 0: motion`."""
    if not isinstance(value, Mapping):
        return value
    found: dict[str, Any] = {}
    for key, inner in value.items():
        *outer, last = [re.sub(r"\W+", "_", part.strip().lower()) for part in str(key).split(":")]
        place = found
        for word in outer:
            place = place.setdefault(word, {})
        place[last] = _with_plain_keys(inner)
    return found


def environment() -> dict[str, Any]:
    """Return the peak memory of this process and the versions, ready for JSON."""
    return {"peak_memory_mb": _peak_memory_mb(), "versions": _versions()}


def with_warnings(fitted: Fitted, texts: Sequence[str]) -> Fitted:
    """Return a fit whose report begins with more warnings, such as those about its file.

    Parameters
    ----------
    fitted
        The fit.
    texts
        The warnings; those that the report has already are not repeated.
    """
    if not texts:
        return fitted
    warnings = list(dict.fromkeys([*texts, *fitted.report.get("warnings", ())]))
    return replace(fitted, report={**fitted.report, "warnings": warnings})


def field_gain(report: Mapping[str, Any]) -> str:
    """Return what a fit starts from and what its network adds, in words.

    Empty without a network, and where the time was too short to train it.

    Parameters
    ----------
    report
        That of a fit. For a series, the means over its frames are given.
    """
    fields = report.get("field", [])
    fields = [fields] if isinstance(fields, dict) else fields
    fields = [field for field in fields if "expected_gain_db" in field]  # other methods have none
    if not any(field["rounds"] for field in fields):
        return ""
    start, end, gain = (
        sum(field[name] for field in fields) / len(fields)
        for name in ("held_out_start", "held_out", "expected_gain_db")
    )
    return (
        f"held-out error {start:.4f} σ for the initial estimate and {end:.4f} σ with the network, "
        f"which adds {gain:.1f} dB on synthetic noise"
    )


def unconverged_warning(outcome: Outcome) -> str:
    """Return the warning for a fit that ended before it had converged, or before it began.

    Whether more steps help is read from the held-out error over the last third of the steps.
    """
    why = {"time": "its time limit was reached", "user": "it was stopped"}
    reason = why.get(outcome.stopped, "its last step was done")
    if not outcome.steps:
        return f"the fit had not begun when {reason}: the result is only its initial estimate."
    remedy = "max_seconds" if outcome.stopped == "time" else "steps"
    return (
        f"the fit had not converged when {reason}, after {n_of(outcome.steps, 'step')}; the "
        f"result is usable. {_prospect(outcome)} To run more, set {remedy} higher (--set "
        f"{remedy}=…), or continue the saved fit (--continue-from, continue_fit)."
    )


def _prospect(outcome: Outcome) -> str:
    """Return whether more steps promise an improvement, by the course of the held-out error."""
    errors = [row["held_out"] for row in outcome.history if "held_out" in row]
    recent = errors[-max(2, len(errors) // 3) :]
    if len(recent) < 2 or not recent[0] > 0:
        return "Whether more steps improve it was not measured."
    gain = 1 - min(recent[1:]) / recent[0]
    if gain < _HARDLY:
        return "More steps promise little: the held-out error no longer fell at the end."
    return (
        "More steps may improve it: the held-out error still fell by "
        f"{100 * gain:.2g} % at the end."
    )


def held_out_warning(
    held_out: float,
    residual: float,
    spans: Sequence[Sequence[float]] = (),
    *,
    is_given: bool = False,
    noise_part: float | None = None,
) -> str:
    """Return a warning if the held-out error does not agree with the noise; otherwise empty.

    Parameters
    ----------
    held_out
        Error on held-out voxels, in standard deviations of the noise.
    residual
        Distance of the result from the image, in the same unit. At many photons, neighbours
        predict a voxel badly although the result is right.
    spans
        The least and the greatest held-out error at any brightness, for each frame; empty for
        frames of which nothing is known.
    is_given
        Whether the noise was given, and not estimated.
    noise_part
        Standard deviation of the noise in the range of the grey levels, if it is known.
    """
    spans = [span for span in spans if span]
    least = max((low for low, _ in spans), default=0.0)
    greatest = max((high for _, high in spans), default=1.0)
    how = "given" if is_given else "estimated"
    remedy = "compare the result with the input, and set gain and read_noise to those of the camera"
    if least > DOUBTFUL or held_out > UNEXPLAINED or min(held_out, residual) > DOUBTFUL:
        if noise_part is not None and noise_part < NOISELESS and not is_given:
            return (
                f"hardly any noise was found ({100 * noise_part:.1g} % of the range of grey "
                "levels), as in a simulated image, or one that was denoised before: there is "
                "nothing to remove. Of what the result leaves out, some may be detail; compare "
                "the result with the input."
            )
        return (
            f"the error on held-out voxels is {held_out:.1f} times the {how} noise: the noise is "
            f"{how} too low, or the image has detail or a pattern that the fit does not explain. "
            f"Noise may be left in the result; {remedy}."
        )
    if held_out < OVERESTIMATED[0] and greatest < OVERESTIMATED[1]:
        return (
            f"the error on held-out voxels is only {held_out:.2f} times the {how} noise: the noise "
            f"is {how} too high. Faint detail may be smoothed away; {remedy}."
        )
    return ""


def is_note(text: str) -> bool:
    """Return whether a text of a report says only what was done, and nothing that is to be checked.

    Parameters
    ----------
    text
        One of the warnings of a report.
    """
    return re.fullmatch(r"\d+ hot or dead pixels? (was|were) replaced\.", text) is not None


def _versions() -> dict[str, str]:
    packages = ("napari-cellinr", "torch", "numpy", "scikit-image")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def _peak_memory_mb() -> float:
    """Return the peak memory of this process in MB; 0 if the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    per_mb = 1024**2 if platform.system() == "Darwin" else 1024
    return round(peak / per_mb, 1)
