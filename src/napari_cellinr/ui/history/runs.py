"""The runs of one viewer, with settings and scores; they stay when their layers are removed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal, Slot

from napari_cellinr.ui.session.work.motion import MOTION_OF

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import napari

    from napari_cellinr.config import Config
    from napari_cellinr.ui.layers.provenance import Result
    from napari_cellinr.ui.session.controller import Controller
    from napari_cellinr.ui.session.work.compare import Score
    from napari_cellinr.ui.task import Task

__all__ = ["RunHistory", "RunRecord"]


@dataclass(frozen=True)
class RunRecord:
    """One finished run; no images and no parameters of networks.

    Parameters
    ----------
    task
        The task.
    config
        The settings that were chosen.
    name
        Name of the main layer when the run ended.
    source
        Name of the layer that was fitted.
    layer_ids
        The layers of the result, the main one first.
    clock
        Time of day at its end, such as `14:03`.
    report
        Report of the fit: seconds, steps, held-out error and others.
    scores
        PSNR, SSIM and correlation against a ground truth, once they were measured.
    """

    task: Task
    config: Config
    name: str
    source: str
    layer_ids: tuple[Hashable, ...]
    clock: str
    report: Mapping[str, Any]
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def settings(self) -> str:
        """The settings that differ from the defaults, as one line."""
        changes = {key: value for key, value in self.config.changes().items() if key != "seed"}
        return ", ".join(f"{key}={_short(value)}" for key, value in changes.items()) or "defaults"

    @property
    def held_out(self) -> float | None:
        """Error on held-out data in standard deviations of the noise; the largest of several."""
        found = self.report.get("held_out")
        numbers = [
            one for one in (found if isinstance(found, list) else [found]) if one is not None
        ]
        return max(map(float, numbers)) if numbers else None


class RunHistory(QObject):
    """The finished runs of one viewer, in their order.

    Parameters
    ----------
    controller
        The controller of the viewer.

    Signals
    -------
    changed
        A run has ended, or was measured.
    """

    changed = Signal()

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.runs: list[RunRecord] = []
        controller.finished.connect(self._on_finished)

    def note_scores(self, scores: Sequence[Score], names: Mapping[str, Hashable]) -> None:
        """Note the scores of results.

        Parameters
        ----------
        scores
            Scores of layers.
        names
            The id of each layer, by its name.
        """
        for score in scores:
            layer_id = names.get(score.name)
            found = {"PSNR": score.psnr, "SSIM": score.ssim, "correlation": score.correlation}
            for place, run in enumerate(self.runs):
                if layer_id is not None and layer_id == run.layer_ids[0]:
                    self.runs[place] = replace(run, scores=found)
        self.changed.emit()

    def note_layer(self, main: Hashable, added: Hashable) -> None:
        """Note another layer of a run, which was requested after it.

        Parameters
        ----------
        main
            The id of the main layer of the run.
        added
            The id of the other layer.
        """
        for place, run in enumerate(self.runs):
            if run.layer_ids[0] == main:
                self.runs[place] = replace(run, layer_ids=(*run.layer_ids, added))

    def delete_layers(self, viewer: napari.Viewer, run: RunRecord) -> int:
        """Remove the layers of a run from the viewer, and what shows its motion; return how many.

        The run stays in the history, with its settings.

        Parameters
        ----------
        viewer
            The viewer.
        run
            The run.
        """
        ids = set(run.layer_ids)
        gone = [
            layer
            for layer in viewer.layers
            if layer.unique_id in ids or layer.metadata.get(MOTION_OF, {}).get("layer") in ids
        ]
        for layer in gone:
            viewer.layers.remove(layer)
        return len(gone)

    @Slot(object)
    def _on_finished(self, result: Result) -> None:
        if result.quick:
            return
        self.runs.append(
            RunRecord(
                result.task, result.config, str(result.layers[0].name), str(result.source.name),
                tuple(layer.unique_id for layer in result.layers), time.strftime("%H:%M"),
                dict(result.fitted.report),
            )
        )  # fmt: skip
        self.changed.emit()


def _short(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
