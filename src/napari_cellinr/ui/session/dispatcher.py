"""Carries out every action of a viewer, for docks, console and macros, and records it.

An action that has to wait for a running job is queued, and so are the actions after it, so that
a script can continue as if the action had been done already.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from napari_cellinr.io.names import place_of
from napari_cellinr.macro import FITS, Source, Step
from napari_cellinr.macro.fit_step import parts_step
from napari_cellinr.ui.figures.drawing import Drawings
from napari_cellinr.ui.parts.work import may_replace, parts_work
from napari_cellinr.ui.session.actions import StartLayer, attempted, name_of, source_of
from napari_cellinr.ui.session.controller import controller_of
from napari_cellinr.ui.session.work.compare import compare_work, scores_work
from napari_cellinr.ui.session.work.doubt import doubt_work, overlay_of
from napari_cellinr.ui.session.work.files import layer_of_job, open_files, open_source, save_layer
from napari_cellinr.ui.session.work.fits import (
    continued_work,
    fit_work,
    quick_work,
    render_work,
    resume_work,
    work_from_fit,
)
from napari_cellinr.ui.session.work.motion import motion_work, steps_to_save

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.config import Config
    from napari_cellinr.runs.resume import Unfinished
    from napari_cellinr.runs.scale.in_parts import PartsResult
    from napari_cellinr.ui.session.controller import Work
    from napari_cellinr.ui.session.work.compare import Comparison, Score
    from napari_cellinr.ui.task import Task

__all__ = ["Dispatcher", "dispatcher_of"]

_dispatchers: WeakValueDictionary[int, Dispatcher] = WeakValueDictionary()


def dispatcher_of(viewer: napari.Viewer) -> Dispatcher:
    """Return the dispatcher of a viewer, which lives as long as the viewer does."""
    key = id(getattr(viewer, "__wrapped__", viewer))
    if (dispatcher := _dispatchers.get(key)) is None:
        dispatcher = _dispatchers[key] = Dispatcher(controller_of(viewer))
        # Events hold methods weakly, but other functions strongly: the record outlives the docks.
        viewer.layers.events.inserted.connect(lambda event, held=dispatcher: None)
    return dispatcher


class Dispatcher(Drawings):
    """The actions of one viewer, one after the other."""

    def open(self, paths: Sequence[Path], *, together: bool = False) -> list[Layer]:
        """Return the layers for every image and saved fit in files, added to the viewer.

        Parameters
        ----------
        paths
            The files.
        together
            Whether numbered files become one series; a question may ask for their axis.

        Raises
        ------
        FileError
            If a file is missing or cannot be understood.
        """
        return self._opened(open_files(self.viewer, paths, together=together))

    def open_again(self, source: Source) -> list[Layer]:
        """Return the layers of a source, opened in the way in which it was opened before.

        Raises
        ------
        FileError
            If the file is missing, or the plugin that read it.
        """
        return self._opened(open_source(self.viewer, source))

    def save(
        self, layer: ImageLayer | str, path: str | PathLike[str], *, overwrite: bool = False
    ) -> None:
        """Save a layer.

        Parameters
        ----------
        layer
            A layer or its name.
        path
            The file. With the suffix `.cellinr` the fit of the layer is saved, with `.csv` the
            motion that it shows, otherwise the image with its calibration.
        overwrite
            Whether an existing file may be replaced, also if it was not written in this viewer.

        Raises
        ------
        AxesError
            If there is no such layer, or no fit of it.
        FileError
            If the file cannot be written, or must not be replaced.
        """
        file = Path(path)

        def carry_out() -> None:
            found = self._find(layer)
            self.written.check(file, overwrite=overwrite)
            save_layer(self.controller, found, file, self.results)
            for step in steps_to_save(self.viewer, found, file):
                self._record(step)
            self.written.add([file])
            self.controller.said.emit("info", f"{file.name} is written.")

        self._submit("saving", layer, carry_out)

    def fit(
        self,
        task: Task,
        layer: ImageLayer | str,
        config: Config,
        axes: str = "",
        start: StartLayer | None = None,
        parts: str | PathLike[str] = "",
    ) -> None:
        """Fit a layer; the result becomes a layer above it.

        Parameters
        ----------
        task
            The task of the method.
        layer
            A layer or its name.
        config
            The settings; for a fit that is continued, only `steps` is used.
        axes
            One letter for each dimension, where the labels of the layer do not say it.
        start
            Fit to start from; None to start from scratch.
        parts
            The OME-Zarr folder of a result that is computed in parts; empty to compute the whole.

        Raises
        ------
        AxesError
            If there is no such layer, its axes are not known, or there is no fit to start from.
        ConfigError
            If that is a fit of another method, or such a run is not possible in parts.
        FileError
            If the result must not be written there.
        """

        def carry_out() -> Work:
            found = self._find(layer)
            if axes:
                self.controller.confirm_axes(found, axes.upper())
            if parts:
                return in_parts(found)
            if start is None:
                return fit_work(self.controller, task, found, config)
            fit = self._find(start.layer)
            initial = start.beginning, fit, self._origin(fit)
            return work_from_fit(self.controller, task, found, config, *initial)

        def in_parts(found: ImageLayer) -> Work:
            place = place_of(parts).absolute()  # the same layer shows it, however it is written
            overwrite = may_replace(self.viewer, place, self.written, start)
            return parts_work(
                self.controller, task, found, config, place, partial(finish, found),
                overwrite=overwrite,
            )  # fmt: skip

        def finish(found: ImageLayer, made: ImageLayer, result: PartsResult) -> None:
            assert attempt is not None
            self.written.add([parts] if result.finished.is_complete else [])
            if not result.finished.stopped:  # otherwise the next run goes on, and is recorded
                self._record(parts_step(attempt, source_of(found), str(made.name), result))

        is_fit = task.name in FITS
        attempt = attempted(task.name, layer, config, axes, start, str(parts)) if is_fit else None
        self._submit(task.noun, layer, carry_out, attempt)

    def continue_fit(self, layer: ImageLayer | str, steps: int) -> None:
        """Run more steps of a fit of this session; the result is a new layer.

        Parameters
        ----------
        layer
            A result or its name.
        steps
            Number of additional steps.

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
        """Resume an interrupted fit, of the layer with its name or of the image in the checkpoint.

        Parameters
        ----------
        task
            The task of its method.
        job
            The interrupted fit.

        Raises
        ------
        CellINRError
            If the checkpoint cannot be read.
        """

        def carry_out() -> Work:
            return resume_work(self.controller, task, layer_of_job(self.viewer, job), job)

        self._submit(task.noun, str(job.source["name"]), carry_out)

    def quick_look(
        self,
        task: Task,
        layer: ImageLayer,
        config: Config,
        region: Mapping[str, slice] | None = None,
    ) -> None:
        """Fit a region of a layer, or the part that the canvas shows; not recorded, not queued.

        Parameters
        ----------
        task
            The task of the method.
        layer
            The layer.
        config
            The settings.
        region
            Index ranges by axis letter, which take precedence over the part in view.

        Raises
        ------
        AxesError, FitError
            If its axes are not known, or a job is running.
        """
        self.controller.begin(quick_work(self.controller, task, layer, config, region))

    def render(self, layer: ImageLayer | str, query: Mapping[str, Any]) -> None:
        """Render a fit at another scale, time, crop or channel, as a new layer.

        Parameters
        ----------
        layer
            A result or its name.
        query
            What to render, as `render` takes it.

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
        """Show the motion of a reconstruction.

        Parameters
        ----------
        layer
            The scene or its name.
        options
            As for `write_motion`; values of None are left out.
        name
            Name of a layer of tracks.

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
            arguments = {**given, "name": name} if name else given
            self._record(Step("show_motion", (source_of(found),), arguments, results=names))

        attempt = Step("show_motion", (Source(name_of(layer)),), given)
        self._submit("motion", layer, carry_out, attempt)

    def compare(self, layer: ImageLayer | str, against: ImageLayer | str | None = None) -> None:
        """Add the difference of a result from another layer or from its conventional result.

        Parameters
        ----------
        layer
            A result or its name.
        against
            A layer or its name; if not given, the conventional result of the method is added too.

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
            names = tuple(str(result.name) for result in results)
            self._record(Step("compare", tuple(map(source_of, sources)), results=names))

        names = [layer] if against is None else [layer, against]
        attempt = Step("compare", tuple(Source(name_of(name)) for name in names))
        self._submit("comparison", layer, carry_out, attempt)

    def show_doubt(self, layer: ImageLayer) -> None:
        """Show or hide the overlay of where a result is not to be trusted; not recorded.

        Raises
        ------
        AxesError
            If there is no estimate of its error.
        """
        overlay = overlay_of(self.viewer, layer)
        if overlay is not None:
            overlay.visible = not overlay.visible
            return
        made = self.results.get(layer.unique_id)
        self._submit("doubt", layer, lambda: doubt_work(self.controller, layer, made))

    def measure(
        self, layers: Sequence[ImageLayer], truth: ImageLayer, done: Callable[[list[Score]], None]
    ) -> None:
        """Measure how close layers are to the ground truth; not recorded.

        Parameters
        ----------
        layers
            The layers.
        truth
            The ground truth.
        done
            Called with the scores.
        """
        self._submit(
            "measurement", truth, lambda: scores_work(self.controller, layers, truth, done)
        )
