"""The step that is recorded of a fit, such that a replay gives the same result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from napari_cellinr.fitting.report import environment
from napari_cellinr.macro.naming import result_name, unused
from napari_cellinr.macro.source import Source
from napari_cellinr.macro.steps import Step
from napari_cellinr.methods import method_of_action
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.runs.scale.in_parts import PartsResult
    from napari_cellinr.runs.starts import Beginning

__all__ = ["InitialFit", "fit_step", "new_frames_steps", "parts_step"]

DENOISE: Final = "denoise"
"""The action whose results can follow a layer."""


@dataclass(frozen=True)
class InitialFit:
    """The fit that another fit started from.

    Parameters
    ----------
    beginning
        How, as in `Step`.
    fit
        Layer of that fit.
    steps
        Number of its steps.
    """

    beginning: Beginning
    fit: Source
    steps: int


def fit_step(
    action: str,
    source: Source,
    config: Config,
    fitted: Fitted,
    results: tuple[str, ...],
    axes: str = "",
    roles: tuple[str, ...] = (),
    initial: InitialFit | None = None,
) -> Step:
    """Return the step of a fit that has ended, such that a replay gives the same result.

    For a fit that the user or a time limit ended, the step has the number of steps that were
    done, without the time limit.

    Parameters
    ----------
    action
        Action of the method, such as `denoise`.
    source
        The layer or file that was fitted.
    config
        The settings that were requested.
    fitted
        What the fit returned.
    results
        Names under which the images were added, in their order.
    axes
        Axes of the source, if the user had to give them.
    roles
        What the results are, as in `Step`.
    initial
        The fit that it started from; None if it started from scratch.
    """
    early = fitted.stopped in {"user", "time"}
    settings = fitted.config.replace(max_seconds=None) if early else config
    arguments = {key: value for key, value in settings.changes().items() if key != "seed"}
    continues = initial is not None and initial.beginning == "continue_from"
    if initial is not None and continues:
        arguments = {"steps": max(1, settings.steps - initial.steps)}
    if axes:
        arguments["axes"] = axes
    given = replace(source, digest=str(fitted.source.get("digest", "")))
    return Step(
        action,
        (given,) if initial is None else (given, initial.fit),
        arguments,
        results,
        () if roles == fitted.roles[: len(results)] else roles,
        seed=None if continues else config.seed,
        versions=fitted.report.get("versions", {}),
        status="stopped" if fitted.stopped == "user" else "done",
        note=f"stopped after {n_of(fitted.report.get('steps', 0), 'step')}" if early else "",
        beginning="" if initial is None else initial.beginning,
    )


def parts_step(attempt: Step, source: Source, name: str, result: PartsResult) -> Step:
    """Return the step of a run in parts that is complete, or of which parts have failed.

    Parameters
    ----------
    attempt
        The step as it was requested.
    source
        The layer that was processed.
    name
        The layer of the result.
    result
        How the run ended.
    """
    found = result.finished
    are = n_of(found.done, f"of {found.total} parts is", f"of {found.total} parts are")
    note = "" if found.is_complete else f"{are} finished"
    return replace(
        attempt,
        sources=(source,),
        results=(name,) if found.is_complete else (),
        status="done" if found.is_complete else "failed",
        note=note,
        versions=environment()["versions"],
    )


def new_frames_steps(
    source: Source,
    frames: tuple[int, int],
    config: Config,
    fitted: Fitted,
    result: str,
    taken: Collection[str],
) -> tuple[Step, Step]:
    """Return the steps of denoising the new frames of a layer that is followed, as a region of it.

    A macro cannot wait for frames: a replay works on all frames of the file, and the new ones
    become a layer of their own. The note of the second step, a comment in scripts, says so.

    Parameters
    ----------
    source
        The layer that is followed.
    frames
        The first new frame, and the one after the last, from 0.
    config
        The settings, with the noise model.
    fitted
        What the fit of the new frames returned.
    result
        Name of the layer that they were appended to.
    taken
        Names that other layers of the viewer and of the macro have.

    Returns
    -------
    tuple of Step
        The crop and the fit.
    """
    region = unused(result_name("region", source.layer), taken)
    name = unused(result_name(method_of_action(DENOISE).layers[0], region), taken)
    fit = fit_step(DENOISE, Source(region), config, fitted, (name,))
    note = (
        f"frames {frames[0]} to {frames[1] - 1} of {source.layer} came while it was followed, and "
        f"were appended to {result}; a replay makes them a layer of their own"
    )
    crop = Step("crop", (source,), {"T": list(frames)}, (region,))
    return crop, replace(fit, note=note)
