"""A whole fit as one call: progress is shown, warnings reach the user."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from napari_cellinr.errors import ConfigError, FitWarning, warn
from napari_cellinr.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cellinr.fitting.problem import Fitted, Job, Progress

__all__ = ["Reporting", "complete"]

Reporting: TypeAlias = "bool | Callable[[Progress], object] | None"
"""How a function shows the progress of its fit: True for a bar, a callback, None for nothing."""


class _Shows(Protocol):
    """Shows the progress of a fit."""

    def __call__(self, progress: Progress) -> object:
        """Show how far the fit is."""


def complete(job: Job, progress: Reporting = None) -> Fitted:
    """Run a job to its end and return its result; its warnings are shown as `FitWarning`.

    Parameters
    ----------
    job
        The job.
    progress
        True shows a bar in the terminal or the notebook; a function is called with each
        `Progress`, and ends the fit with its partial result by returning the text `stop`; None
        and False show nothing.

    Raises
    ------
    ConfigError
        If `progress` is something else.
    """
    told: set[str] = set()
    with closing(job), closing(_reporter(progress)) as reporter:
        message: Any = None
        while True:
            try:
                state = job.send(message)
            except StopIteration as end:
                fitted: Fitted = end.value
                reporter.finish()
                break
            if state.warning:
                _tell(state.warning, told)
            message = "stop" if reporter.show(state) == "stop" else None
    for text in fitted.report.get("warnings", ()):
        _tell(str(text), told)
    return fitted


def _tell(text: str, told: set[str]) -> None:
    if text not in told:
        told.add(text)
        warn(text, FitWarning)


class _Reporter:
    """Calls a function with the progress."""

    def __init__(self, call: _Shows) -> None:
        self.show = call

    def finish(self) -> None:
        """Do nothing: the function belongs to the caller."""

    def close(self) -> None:
        """Do nothing: the function belongs to the caller."""


class _Bar:
    """A bar of tqdm for each stage that counts its steps, in a terminal or a notebook."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def show(self, progress: Progress) -> None:
        """Move the bar, or begin a new one for a new stage."""
        if self._bar is None or progress.stage != self._stage:
            self.finish()
            self._begin(progress)
        self._bar.n = min(progress.step, progress.steps) if progress.steps else progress.step
        if progress.held_out is not None:
            self._bar.set_postfix_str(f"held-out error {progress.held_out:.3f} σ", refresh=False)
        self._bar.refresh()

    def _begin(self, progress: Progress) -> None:
        from tqdm.auto import tqdm

        self._stage = progress.stage
        total = progress.steps or None
        self._bar = tqdm(total=total, desc=one_line(progress.stage), leave=False, unit="step")

    def finish(self) -> None:
        """Remove the bar of a stage that has ended: some end before their last step."""
        if self._bar is not None:
            self._bar.total = self._bar.n  # notebooks show a bar that is not full as an error
            self.close()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


def _reporter(progress: Any) -> Any:
    if progress is None or progress is False:
        return _Reporter(lambda state: None)
    if progress is True:
        return _Bar()
    if callable(progress):
        return _Reporter(progress)
    raise ConfigError(
        f"progress={progress!r:.60} was given; allowed are True for a bar, a function that takes "
        "the progress, and None."
    )
