"""The object `cellinr` in napari's console: the actions of the docks, and the recorded macro."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from weakref import WeakValueDictionary

from napari_cellinr.errors import ConfigError
from napari_cellinr.io.names import place_of
from napari_cellinr.macro import FITS, Macro, Source, load_macro, script
from napari_cellinr.macro.actions import action_of, to_console
from napari_cellinr.macro.scripts.notebook import NOTEBOOK_SUFFIX, notebook
from napari_cellinr.runs.starts import Beginning
from napari_cellinr.text import clean_name
from napari_cellinr.ui.panels.macro_steps import checked_writes, confirm
from napari_cellinr.ui.session.actions import StartLayer
from napari_cellinr.ui.session.dispatcher import dispatcher_of
from napari_cellinr.ui.task import task_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.macro.scripts.python import Style
    from napari_cellinr.ui.session.dispatcher import Dispatcher

__all__ = ["Console", "console_of"]

_consoles: WeakValueDictionary[int, Console] = WeakValueDictionary()


def console_of(viewer: napari.Viewer) -> Console:
    """Return the object `cellinr` of a viewer, which is then in its console, too."""
    dispatcher = dispatcher_of(viewer)
    console = _consoles.get(id(dispatcher))
    if console is None:
        console = _consoles[id(dispatcher)] = Console(dispatcher)
        dispatcher.keep(console)  # napari's console holds it weakly
        viewer.update_console({"cellinr": console})
    return console


class Text(str):
    """Text that a console shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Console:
    """The actions of the docks for scripts in a viewer, and the recorded macro.

    Fits run in the background. Actions that are requested meanwhile are queued, so that a script
    can be written as if every call returned when its action is done.

    Examples
    --------
    In napari's console, with a CellINR dock open::

        cellinr.open("embryo.tif")
        cellinr.denoise("embryo", background="keep")
        cellinr.save("denoised · embryo", "clean.tif")
        cellinr.macro
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self.save = dispatcher.save
        self.compare = dispatcher.compare
        self.figure, self.movie = dispatcher.figure, dispatcher.movie
        self.continue_fit = dispatcher.continue_fit

    def open(self, path: str | PathLike[str], *, along: str = "", reader: str = "") -> list[Layer]:
        """Return the layers of a file or a saved fit, added to the viewer.

        Parameters
        ----------
        path
            A file, a folder of numbered files, or a pattern of them such as `t*.tif`.
        along
            Axis of numbered files, `T` or `Z`.
        reader
            Another plugin of napari to read the file with.

        Raises
        ------
        FileError
            If the file is missing or cannot be understood.
        """
        if along or reader:
            source = Source(path=str(path), along=along, reader=reader)
            return self._dispatcher.open_again(source)
        return self._dispatcher.open([Path(path)])

    def use(
        self,
        layer: str,
        path: str,
        *,
        along: str = "",
        files: Sequence[str] = (),
        reader: str = "",
    ) -> None:
        """Open a file, a series or a sample, unless a layer with this name is in the viewer.

        Parameters
        ----------
        layer
            Name of the layer; a file with a single layer gets this name.
        path, along, reader
            As for `open`; a path such as `sample:motion-ball` is the raw image of a sample of this
            plugin, `sample:motion-ball/truth` its ground truth.
        files
            Names of the files in the folder that form the series; all of them if not given.

        Raises
        ------
        FileError
            As for `open`.
        """
        if layer not in {clean_name(str(one.name)) for one in self._viewer.layers}:
            source = Source(layer, path, along=along, files=tuple(files), reader=reader)
            self._dispatcher.open_again(source)

    def calibrate(self, layer: ImageLayer | str, *, axes: str = "", **steps: float) -> None:
        """Set the voxel size and the time step of a layer and of the other channels of its file.

        Parameters
        ----------
        layer
            A layer or its name.
        axes
            One letter for each dimension, to correct those of the layer first.
        **steps
            Voxel size in µm and time step in s by axis, such as `T=2, Y=0.1, X=0.1`.

        Raises
        ------
        AxesError
            If there is no such layer or axis, or a step is not positive.
        """
        self._dispatcher.calibrate(layer, steps, axes)

    def crop(self, layer: ImageLayer | str, **ranges: Sequence[int]) -> None:
        """Add a region of a layer as a layer of its own, to process it alone.

        Parameters
        ----------
        layer
            A layer or its name.
        **ranges
            First voxel and end by axis, counted from 0, such as `Y=[0, 50], X=[20, 90]`.

        Raises
        ------
        AxesError
            If there is no such layer or axis, or nothing would be left.
        """
        self._dispatcher.crop(layer, ranges)

    def denoise(
        self, layer: ImageLayer | str, preset: Any = "fast", *, axes: str = "", **settings: Any
    ) -> None:
        """Start the same fit as the Denoise dock; the result becomes a layer above the source.

        Parameters
        ----------
        layer
            A layer or its name.
        preset
            `fast` for results, `preview` for a quick look.
        axes
            One letter for each dimension, where the axis labels of the layer do not say it.
        **settings
            Settings of `CellINRConfig` by name. With `warm_start`, a layer or its name, the fit
            starts from the fit of that layer; with `continue_from`, more `steps` of it are run.
            With `parts`, an OME-Zarr such as `"denoised.zarr"`, the result is computed in parts
            and written there.

        Raises
        ------
        AxesError
            If there is no such layer, or its axes are not known.
        ConfigError
            If a setting is unknown or out of bounds.
        """
        self._fit("denoise", layer, axes=axes, preset=preset, **settings)

    def render(self, layer: ImageLayer | str, **query: Any) -> None:
        """Render a fit at another scale, time, crop or channel, as a new layer.

        Parameters
        ----------
        layer
            A result of this session, or a saved fit that was opened, or its name.
        **query
            `scale={"Z": 2}`, `voxel={"Z": 0.1}`, `times=[0.5]`, `crop={"Y": [0, 50]}` or
            `channel=0`.

        Raises
        ------
        AxesError
            If there is no such layer, or no fit of it.
        ConfigError
            If the fit cannot be rendered like that.
        """
        self._dispatcher.render(layer, query)

    def show_motion(
        self,
        layer: ImageLayer | str,
        *,
        every: int | None = None,
        shortest: float | None = None,
        points: Any = None,
        arrows: str = "reference",
        name: str = "",
    ) -> None:
        """Show the motion of a reconstruction: arrows, or the paths of points.

        Parameters
        ----------
        layer
            The scene, of this session or of a saved fit that was opened, or its name.
        every
            Spacing of the arrows in voxels; chosen by the size of the scene if not given.
        shortest
            Length below which arrows are left out, in the unit of the motion; 0.3 voxels if not
            given.
        points
            Paths of points instead of arrows: number of points along y and along x, or their
            positions in voxels of the result, such as `[[40, 60]]`.
        arrows
            `reference`: from the place in the reference frame to the place now; `next`: from the
            place now to the place at the next time.
        name
            Name of the layer of these paths.

        Raises
        ------
        AxesError
            If there is no such layer, or no fit of it.
        ConfigError
            If the fit has no motion, or the options are not allowed.
        """
        options = {"every": every, "shortest": shortest, "points": points}
        if arrows != "reference":
            options["arrows"] = arrows
        self._dispatcher.show_motion(layer, options, name)

    def wait(self) -> None:
        """Return when all requested actions are done; the viewer stays responsive."""
        self._dispatcher.queue.wait()

    @property
    def macro(self) -> Text:
        """The recorded steps, as a script for napari."""
        return Text(script(self._dispatcher.recorder.macro))

    @property
    def last(self) -> Text:
        """The last recorded step, as a line of that script."""
        last = self._dispatcher.recorder.last
        return Text("" if last is None else to_console(last).text)

    def replay(
        self,
        macro: Macro | str | PathLike[str] | None = None,
        *,
        ask: bool = True,
        overwrite: bool = False,
    ) -> None:
        """Repeat the recorded steps, or those of another macro; they are not recorded again.

        The file of a macro is read, never executed. A dialog first shows its steps and the files
        that it writes.

        Parameters
        ----------
        macro
            A macro or its file; if not given, the steps recorded in this viewer.
        ask
            Whether to ask before `macro` is run. It never writes its inputs in any case.
        overwrite
            Whether it may replace existing files that were not written in this viewer; this
            is part of the question if there is one.

        Raises
        ------
        CellINRError
            If the file is not a macro, it would write its inputs, it must not replace a file, or
            its first step fails.
        """
        if macro is None:
            steps = self._dispatcher.recorder.macro.repeatable
        else:
            given = macro if isinstance(macro, Macro) else load_macro(macro)
            name = "macro" if isinstance(macro, Macro) else Path(macro).name
            writes = checked_writes(self._viewer, given)
            if ask and not confirm(name, given, writes):
                return
            self._dispatcher.written.allow(writes, overwrite=overwrite or ask)
            steps = given.repeatable
        with self._dispatcher.unrecorded():
            for step in steps:
                action_of(step).run_in_viewer(step, self)

    def save_macro(
        self, path: str | PathLike[str], style: Style = "console", *, overwrite: bool = False
    ) -> None:
        """Save the recorded steps as a script, a recipe or a notebook.

        Parameters
        ----------
        path
            The file: a recipe if its suffix is `.json`, a notebook if it is `.ipynb`, otherwise
            a script.
        style
            Kind of script: `console` for napari, `headless` for Python, `cli` for a shell.
        overwrite
            Whether an existing file may be replaced, also if it was not written in this viewer.

        Raises
        ------
        FileError
            If the file cannot be written, or must not be replaced.
        """
        from napari_cellinr.io.safety.atomic import replacing

        macro = self._dispatcher.recorder.macro.needed
        place = place_of(path)
        self._dispatcher.written.check(path, overwrite=overwrite)
        if place.suffix == NOTEBOOK_SUFFIX:
            text = notebook(macro)
        else:
            text = macro.as_json() if place.suffix == ".json" else script(macro, style)
        with replacing(place, place.suffix) as temporary:
            # Bytes of a file name that are not valid UTF-8 are written unchanged.
            temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
        self._dispatcher.written.add([place])

    def start(self) -> None:
        """Record from now on; recording is on at first."""
        self._dispatcher.recorder.start()

    def stop(self) -> None:
        """Pause recording until `start`."""
        self._dispatcher.recorder.stop()

    def clear(self) -> None:
        """Forget the recorded steps."""
        self._dispatcher.recorder.clear()

    def __getattr__(self, name: str) -> Any:
        """Return the method for a fit that is not defined above: `cellinr.superresolve(layer)`."""
        if name not in FITS:
            raise AttributeError(f"cellinr has no {name!r}; it has {', '.join(dir(self))}.")

        def fit(layer: ImageLayer | str, *, axes: str = "", **settings: Any) -> None:
            self._fit(name, layer, axes=axes, **settings)

        task = task_of(name)
        fit.__name__, fit.__doc__ = name, f"{task.run_tip}\n\n{task.config_type.__doc__}"
        return fit

    def __dir__(self) -> list[str]:
        return sorted({name for name in super().__dir__() if not name.startswith("_")} | {*FITS})

    def __repr__(self) -> str:
        return f"<cellinr: {', '.join(dir(self))}>"

    @property
    def _viewer(self) -> napari.Viewer:
        return self._dispatcher.viewer

    def _fit(self, action: str, layer: ImageLayer | str, axes: str = "", **settings: Any) -> None:
        task = task_of(action)
        given = [way for way in get_args(Beginning) if way in settings]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} were given; only one of them is allowed.")
        start = StartLayer(given[0], settings.pop(given[0])) if given else None
        parts = settings.pop("parts", "")
        if given == ["continue_from"] and set(settings) - {"preset"} != {"steps"}:
            raise ConfigError(
                f"{', '.join(settings) or 'no setting'} was given with continue_from; steps alone "
                "is needed, because the other settings are those of the continued fit."
            )
        self._dispatcher.fit(task, layer, task.config_type(**settings), axes, start, parts)
