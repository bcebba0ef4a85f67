"""The one way for every action of a viewer: docks, console and macros all go through it.

An action that has to wait for a running job queues up, and so do those that are asked for after
it: a script can go on as if it had been done already. What was done is recorded.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from qtpy.QtCore import QObject, Signal, Slot

from napari_cellinr.macro import FITS, Source, Step, fit_step
from napari_cellinr.ui.layers.camera import kept_view
from napari_cellinr.ui.layers.convert import named, set_voxel_size
from napari_cellinr.ui.layers.provenance import origin_of
from napari_cellinr.ui.session.actions import (
    Order,
    Start,
    attempted,
    name_of,
    opened_steps,
    source_of,
)
from napari_cellinr.ui.session.compare_actions import compare_work, scores_work
from napari_cellinr.ui.session.controller import controller_of
from napari_cellinr.ui.session.file_actions import layer_of_job, open_files, open_source, save_layer
from napari_cellinr.ui.session.fit_actions import (
    begun_work,
    continued_work,
    fit_work,
    quick_work,
    render_work,
    resume_work,
)
from napari_cellinr.ui.session.motion_actions import motion_work, note_motion, steps_to_save
from napari_cellinr.ui.session.queue import Queue
from napari_cellinr.ui.session.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
    from pathlib import Path

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.config import Config
    from napari_cellinr.runs.resume import Unfinished
    from napari_cellinr.ui.layers.provenance import Origin, Result
    from napari_cellinr.ui.session.compare_actions import Comparison, Score
    from napari_cellinr.ui.session.controller import Controller, Work
    from napari_cellinr.ui.task import Task

__all__ = ["Dispatcher", "dispatcher_of"]

_dispatchers: WeakValueDictionary[int, Dispatcher] = WeakValueDictionary()


def dispatcher_of(viewer: napari.Viewer) -> Dispatcher:
    """Return the dispatcher of a viewer, which lives as long as the viewer does."""
    key = id(getattr(viewer, "__wrapped__", viewer))
    if (dispatcher := _dispatchers.get(key)) is None:
        dispatcher = _dispatchers[key] = Dispatcher(controller_of(viewer))
        # Methods are held weakly by an event, other functions are held: docks come and go, what
        # was recorded must stay.
        viewer.layers.events.inserted.connect(lambda event, held=dispatcher: None)
    return dispatcher


class Dispatcher(QObject):
    """The actions of one viewer, one after the other.

    Signals
    -------
    recorded
        The macro has changed.
    """

    recorded = Signal()

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        self.queue = Queue(controller)
        self.results: dict[Hashable, Result] = {}
        self._recording = Recording(controller.viewer, self.recorded.emit)
        self.recorder = self._recording.recorder
        self._records = True
        self._kept: list[object] = []
        controller.finished.connect(self._on_finished)
        controller.failed.connect(self._on_failed)
        controller.layers_changed.connect(self._on_layers)

    @property
    def viewer(self) -> napari.Viewer:
        """The viewer that is acted on."""
        return self.controller.viewer

    @property
    def is_busy(self) -> bool:
        """Whether an action runs or waits."""
        return self.queue.is_busy

    def open(self, paths: Sequence[Path], *, together: bool = False) -> list[Layer]:
        """Return the layers for every image and kept fit in files, added to the viewer.

        Parameters
        ----------
        together
            Whether numbered files become one series; what they are along may be asked.

        Raises
        ------
        FileError
            If a file is missing or cannot be understood.
        """
        return self._opened(open_files(self.viewer, paths, together=together))

    def open_again(self, source: Source) -> list[Layer]:
        """Return the layers of what was opened before, opened in the same way.

        Raises
        ------
        FileError
            If the file is missing, or the plugin that has read it.
        """
        return self._opened(open_source(self.viewer, source))

    def calibrate(self, layer: ImageLayer | str, steps: Mapping[str, float]) -> None:
        """Write steps of a layer, in µm along Z, Y and X and in s along T, into scale and units.

        Raises
        ------
        AxesError
            If there is no such layer or axis, or a step is not positive.
        """

        def carry_out() -> None:
            found = self._find(layer)
            image = self.controller.image_of(found)
            given = {axis.upper(): float(step) for axis, step in steps.items()}
            image.with_voxel_size("micrometer", **given)
            with kept_view(self.viewer, found):
                set_voxel_size(found, given, image.axes)
            self._record(Step("calibrate", (source_of(found),), given))
            self.controller.layers_changed.emit()

        self._submit("voxel size", layer, carry_out)

    def save(self, layer: ImageLayer | str, path: Path) -> None:
        """Write a layer with its calibration; `.cellinr` is its fit, `.csv` is shown motion.

        Raises
        ------
        AxesError
            If there is no such layer, or no fit of it.
        FileError
            If the file cannot be written.
        """

        def carry_out() -> None:
            found = self._find(layer)
            save_layer(self.controller, found, path, self.results)
            for step in steps_to_save(self.viewer, found, path):
                self._record(step)
            self.controller.said.emit("info", f"{path.name} is written.")

        self._submit("saving", layer, carry_out)

    def fit(
        self,
        task: Task,
        layer: ImageLayer | str,
        config: Config,
        axes: str = "",
        start: Start | None = None,
    ) -> None:
        """Do a task with a layer or the layer of a name; the result appears beside it.

        Parameters
        ----------
        task, layer, config
            What to do, with what, and how.
        axes
            One letter per dimension, where the labels of the layer do not say it.
        start
            The fit to begin with; of one that is continued, only `config.steps` counts.

        Raises
        ------
        AxesError
            If there is no such layer, its axes are not known, or there is no fit to begin with.
        ConfigError
            If that is a fit of another method.
        """

        def carry_out() -> Work:
            found = self._find(layer)
            if axes:
                self.controller.confirm_axes(found, axes.upper())
            if start is None:
                return fit_work(self.controller, task, found, config)
            fit = self._find(start.layer)
            begun = start.beginning, fit, self._origin(fit)
            return begun_work(self.controller, task, found, config, *begun)

        attempt = attempted(task.name, layer, config, axes, start) if task.name in FITS else None
        self._submit(task.noun, layer, carry_out, attempt)

    def continue_fit(self, layer: ImageLayer | str, steps: int) -> None:
        """Do more steps of a fit of this session; its image is known when it is its turn.

        Raises
        ------
        AxesError
            If there is no such layer, or no fit of it.
        ConfigError
            If steps are not allowed.
        """

        def carry_out() -> Work:
            found = self._find(layer)
            return continued_work(self.controller, found, self.results.get(found.unique_id), steps)

        self._submit("continuation", layer, carry_out)

    def resume(self, task: Task, job: Unfinished) -> None:
        """Go on with an interrupted fit, of the layer of its name or of the image that it kept.

        Raises
        ------
        CellINRError
            If the checkpoint cannot be read.
        """

        def carry_out() -> Work:
            return resume_work(self.controller, task, layer_of_job(self.viewer, job), job)

        self._submit(task.noun, str(job.source["name"]), carry_out)

    def quick_look(self, task: Task, layer: ImageLayer, config: Config) -> None:
        """Do a task with what the canvas shows of a layer; never recorded, never queued.

        Raises
        ------
        AxesError, FitError
            If its axes are not known, or a job is running.
        """
        self.controller.begin(quick_work(self.controller, task, layer, config))

    def render(self, layer: ImageLayer | str, query: Mapping[str, Any]) -> None:
        """Add a fitted layer at another scale, time, crop or channel, without another fit.

        Raises
        ------
        AxesError
            If there is no such layer, or no fit of it.
        ConfigError
            If the query is not understood.
        """

        def carry_out() -> Work:
            found = self._find(layer)
            return render_work(self.controller, found, self._origin(found), query, finish)

        def finish(found: ImageLayer, names: tuple[str, ...]) -> None:
            self._record(Step("render", (source_of(found),), dict(query), results=names))

        attempt = Step("render", (Source(name_of(layer)),), dict(query))
        self._submit("rendering", layer, carry_out, attempt)

    def show_motion(
        self, layer: ImageLayer | str, options: Mapping[str, Any], name: str = ""
    ) -> None:
        """Show the motion of a reconstruction, as for `write_motion`; tracks have a name.

        Raises
        ------
        AxesError, ConfigError
            If there is no such layer, no fit of it, or motion cannot be shown so.
        """
        given = {key: value for key, value in options.items() if value is not None}

        def carry_out() -> Work:
            found = self._find(layer)
            return motion_work(self.controller, found, self._origin(found), given, name, finish)

        def finish(found: ImageLayer, names: tuple[str, ...]) -> None:
            asked = {**given, "name": name} if name else given
            self._record(Step("show_motion", (source_of(found),), asked, results=names))

        attempt = Step("show_motion", (Source(name_of(layer)),), given)
        self._submit("motion", layer, carry_out, attempt)

    def compare(self, layer: ImageLayer | str, against: ImageLayer | str | None = None) -> None:
        """Add the difference of a result and another layer, or its conventional answer.

        Raises
        ------
        AxesError
            If there is no such layer, or the two cannot be compared.
        """

        def carry_out() -> Work:
            found = self._find(layer)
            other = self._find(against) if against is not None else None
            made = self.results.get(found.unique_id)
            return compare_work(self.controller, found, other, made, finish)

        def finish(comparison: Comparison) -> None:
            sources, results = [comparison.result], [comparison.difference]
            (results if against is None else sources).append(comparison.against)
            names = tuple(str(one.name) for one in results)
            self._record(Step("compare", tuple(map(source_of, sources)), results=names))

        names = [layer] if against is None else [layer, against]
        attempt = Step("compare", tuple(Source(name_of(one)) for one in names))
        self._submit("comparison", layer, carry_out, attempt)

    def measure(
        self, layers: Sequence[ImageLayer], truth: ImageLayer, done: Callable[[list[Score]], None]
    ) -> None:
        """Measure how near layers are to the truth; never recorded."""
        self._submit(
            "measurement", truth, lambda: scores_work(self.controller, layers, truth, done)
        )

    @contextmanager
    def unrecorded(self) -> Iterator[None]:
        """Record nothing that is asked for within the context, whenever it is done."""
        self._records = False
        try:
            yield
        finally:
            self._records = True

    def keep(self, thing: object) -> None:
        """Hold something for as long as the viewer lives."""
        self._kept.append(thing)

    def _find(self, layer: Layer | str) -> ImageLayer:
        return named(self.viewer, layer)

    def _opened(self, layers: list[Layer]) -> list[Layer]:
        if self._records:
            for step in opened_steps(layers):
                self.recorder.record(step)
        return layers

    def _submit(
        self,
        what: str,
        layer: Layer | str,
        carry_out: Callable[[], Work | None],
        attempt: Step | None = None,
    ) -> None:
        title = f"{what} of {name_of(layer)}"
        self.queue.submit(Order(title, carry_out, self._records, attempt, layer))

    @Slot(object)
    def _on_finished(self, result: Result) -> None:
        if result.quick:
            return
        self.results.update({layer.unique_id: result for layer in result.layers})
        note_motion(result)
        if result.task.name not in FITS:
            return
        self._record(
            fit_step(
                result.task.name,
                source_of(result.source),
                result.config,
                result.fitted,
                tuple(str(layer.name) for layer in result.layers),
                self.controller.confirmed_axes.get(result.source.unique_id, ""),
                result.roles,
                result.begun,
            )
        )

    @Slot(str)
    def _on_failed(self, reason: str) -> None:
        if reason:
            self._recording.record_failure(self.queue.order, reason)

    def _record(self, step: Step) -> None:
        self._recording.record(step, self.queue.order)

    def _origin(self, layer: ImageLayer) -> Origin:
        return origin_of(self.controller, layer, self.results)

    @Slot()
    def _on_layers(self) -> None:
        """Let results go with their layers, and follow names."""
        self._recording.follow_names()
        there = {layer.unique_id for layer in self.viewer.layers}
        self.results = {key: result for key, result in self.results.items() if key in there}
        self.queue.drop_what_lost_its_layer(there)
