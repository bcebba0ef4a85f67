"""Parts of the report of every job: versions, memory and warnings."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.fitting.problem import Outcome

__all__ = ["DOUBTFUL", "environment", "field_gain", "held_out_warning", "unconverged_warning"]

DOUBTFUL = 1.5
"""Held-out error, in standard deviations of the noise, above which a result is doubtful."""


def environment() -> dict[str, Any]:
    """Return the peak memory of this process and the versions, ready for JSON."""
    return {"peak_memory_mb": _peak_memory_mb(), "versions": _versions()}


def field_gain(report: Mapping[str, Any]) -> str:
    """Return what a fit starts from and what its network adds, in words; empty without a network.

    Parameters
    ----------
    report
        That of a fit. For a series, the means over its frames are given.
    """
    fields = report.get("field", [])
    fields = [fields] if isinstance(fields, dict) else fields
    fields = [field for field in fields if "expected_gain_db" in field]  # other methods have none
    if not fields:
        return ""
    start, end, gain = (
        sum(field[name] for field in fields) / len(fields)
        for name in ("held_out_start", "held_out", "expected_gain_db")
    )
    return (
        f"starts from a held-out error of {start:.4f} σ, with the network {end:.4f} σ; "
        f"the network adds {gain:.1f} dB on synthetic noise"
    )


def unconverged_warning(outcome: Outcome) -> str:
    """Return the warning for a fit that ended before it had converged, or before it began."""
    why = {"time": "its time limit was reached", "user": "it was stopped"}
    reason = why.get(outcome.stopped, "its last step was done")
    if not outcome.steps:
        return f"the fit had not begun when {reason}: the result is only its initial estimate."
    return (
        f"the fit had not converged when {reason}, after {outcome.steps} steps; "
        "the result is usable, but more steps may improve it."
    )


def held_out_warning(held_out: float) -> str:
    """Return a warning if the held-out error is too large for the noise; otherwise empty."""
    if held_out <= DOUBTFUL:
        return ""
    return (
        f"the error on held-out voxels is {held_out:.1f} times the estimated noise: the noise was "
        "estimated too low, or structure is finer than the voxels; compare the result with the "
        "input, and give gain and read_noise if they are known."
    )


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
