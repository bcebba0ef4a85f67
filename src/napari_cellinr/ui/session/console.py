"""The object `cellinr` in napari's console: what the docks do, by name, and what was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from weakref import WeakValueDictionary

from napari_cellinr.errors import ConfigError
from napari_cellinr.macro import FITS, Macro, Source, load_macro, script
from napari_cellinr.macro.actions import action_of, to_console
from napari_cellinr.macro.notebook import NOTEBOOK_SUFFIX, notebook
from napari_cellinr.runs.warm_start import Beginning
from napari_cellinr.text import clean_name
from napari_cellinr.ui.panels.macro_steps import checked_writes, confirm
from napari_cellinr.ui.session.actions import Start
from napari_cellinr.ui.session.dispatcher import dispatcher_of
from napari_cellinr.ui.task import task_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.macro.python import Style
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
    """Text that a console shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Console:
    """What the docks do, for scripts in a viewer, and the record of it.

    Work that takes long runs in the background, and what is asked for after it waits for its
    turn, so that a script can be written as if everything happened at once.

    Examples
    --------
    In napari's console, with a CellINR dock open::

        cellinr.open("embryo.tif")
        cellinr.denoise("embryo", background="keep")
        cellinr.save("embryo denoised", "clean.tif")
        cellinr.macro
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def open(self, path: str | PathLike[str], *, along: str = "", reader: str = "") -> list[Layer]:
        """Return the layers for every image in a file, or a kept fit, added to the viewer.

        Parameters
        ----------
        path
            A file, a folder of numbered files, or a pattern of them such as `t*.tif`.
        along
            What numbered files are along: `T` or `Z`.
        reader
            Another plugin of napari that is to read the file.

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
        """Open a file, a series or a sample, unless a layer of this name is in the viewer.

        Parameters
        ----------
        layer
            The name; a layer that is opened alone gets it.
        path, along, reader
            As for `open`; a path such as `sample:motion-ball` is a sample of this plugin.
        files
            Which files of a folder are the series; all of them if none.

        Raises
        ------
        FileError
            As for `open`.
        """
        if all(layer not in {one.name, clean_name(one.name)} for one in self._viewer.layers):
            source = Source(layer, path, along=along, files=tuple(files), reader=reader)
            self._dispatcher.open_again(source)

    def calibrate(self, layer: ImageLayer | str, **steps: float) -> None:
        """Say the voxel size of a layer in µm and its time step in s: `T=2, Y=0.1, X=0.1`.

        Raises
        ------
        AxesError
            If there is no such layer or axis, or a step is not positive.
        """
        self._dispatcher.calibrate(layer, steps)

    def denoise(
        self, layer: ImageLayer | str, preset: Any = "fast", *, axes: str = "", **settings: Any
    ) -> None:
        """Start the same job as the dock; the result layer appears beside the source.

        Parameters
        ----------
        layer
            A layer or its name.
        preset
            `fast` for results, `preview` for a quick look.
        axes
            One letter per dimension, where the layer's axis labels do not say it.
        settings
            Any setting of `CellINRConfig` by name. With `warm_start`, a layer or its name, the fit
            begins with that of this layer; with `continue_from`, more `steps` of it are done.

        Raises
        ------
        AxesError
            If there is no such layer, or its axes are not known.
        ConfigError
            If a setting is unknown or out of bounds.
        """
        self._fit("denoise", layer, axes=axes, preset=preset, **settings)

    def continue_fit(self, layer: ImageLayer | str, steps: int) -> None:
        """Do more steps of a fit of this session; the result is another layer.

        Parameters
        ----------
        layer
            A result, or its name.
        steps
            How many more.

        Raises
        ------
        AxesError
            If there is no such layer, or no fit of it.
        ConfigError
            If steps are not allowed.
        """
        self._dispatcher.continue_fit(layer, steps)

    def compare(self, layer: ImageLayer | str, against: ImageLayer | str | None = None) -> None:
        """Add the difference of a result and another layer, or its conventional answer.

        Raises
        ------
        AxesError
            If there is no such layer, or the two cannot be compared.
        """
        self._dispatcher.compare(layer, against)

    def render(self, layer: ImageLayer | str, **query: Any) -> None:
        """Add a fitted layer at another scale, time, crop or channel, without another fit.

        Parameters
        ----------
        layer
            A layer that a fit of this session made, or that a kept fit was opened as.
        query
            `scale={"Z": 2}`, `voxel={"Z": 0.1}`, `times=[0.5]`, `crop={"Y": [0, 50]}` or
            `channel=0`.

        Raises
        ------
        AxesError
            If there is no such layer, or no fit of it.
        ConfigError
            If the fit cannot answer the query.
        """
        self._dispatcher.render(layer, query)

    def show_motion(
        self,
        layer: ImageLayer | str,
        *,
        every: int | None = None,
        shortest: float | None = None,
        points: Any = None,
        name: str = "",
    ) -> None:
        """Show how the material of a reconstruction moves: arrows, or the paths of points.

        Parameters
        ----------
        layer
            The scene, of this session or of a kept fit that was opened.
        every
            Voxels from one arrow to the next; few enough to see the scene if not given.
        shortest
            Shorter arrows are left out, in the unit of the motion; 0.3 voxels if not given.
        points
            Instead of arrows, the paths of points: a number along y and along x, or places such
            as `[[40, 60]]` in voxels of the result.
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
        self._dispatcher.show_motion(layer, options, name)

    def save(self, layer: ImageLayer | str, path: str | PathLike[str]) -> None:
        """Write a layer with its calibration; `.cellinr` is its fit, `.csv` is shown motion.

        Raises
        ------
        AxesError
            If there is no such layer.
        FileError
            If the file cannot be written.
        """
        self._dispatcher.save(layer, Path(path))

    def wait(self) -> None:
        """Return when everything is done that was asked for; the viewer stays usable meanwhile."""
        self._dispatcher.queue.wait()

    @property
    def macro(self) -> Text:
        """What was done, as a script for napari."""
        return Text(script(self._dispatcher.recorder.macro))

    @property
    def last(self) -> Text:
        """What was done last, as a line of that script."""
        last = self._dispatcher.recorder.last
        return Text("" if last is None else to_console(last).text)

    def replay(self, macro: Macro | str | PathLike[str] | None = None, *, ask: bool = True) -> None:
        """Do every recorded step again, or those of a macro or its file; nothing is recorded.

        A file is read, never executed. Its steps, and the files that they write, are shown in a
        question first.

        Parameters
        ----------
        macro
            A macro, or its file; what was recorded in this viewer if not given.
        ask
            Whether to ask before a macro that is given is done. It never writes its inputs.

        Raises
        ------
        CellINRError
            If the file is no macro, would write its inputs, or the first step cannot be done.
        """
        if macro is None:
            steps = self._dispatcher.recorder.macro.repeatable
        else:
            given = macro if isinstance(macro, Macro) else load_macro(macro)
            name = "macro" if isinstance(macro, Macro) else Path(macro).name
            writes = checked_writes(self._viewer, given)
            if ask and not confirm(name, given, writes):
                return
            steps = given.repeatable
        with self._dispatcher.unrecorded():
            for step in steps:
                action_of(step).run_in_viewer(step, self)

    def save_macro(self, path: str | PathLike[str], style: Style = "console") -> None:
        """Save what was recorded: `.json` is a recipe, `.ipynb` a notebook, else it is a script.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        from napari_cellinr.io.safety.atomic import replacing

        macro = self._dispatcher.recorder.macro
        place = Path(path).expanduser()
        if place.suffix == NOTEBOOK_SUFFIX:
            text = notebook(macro)
        else:
            text = macro.as_json() if place.suffix == ".json" else script(macro, style)
        with replacing(place, place.suffix) as temporary:
            # Bytes of a file name that are no text are written as they are.
            temporary.write_text(text, encoding="utf-8", errors="surrogateescape")

    def start(self) -> None:
        """Record from now on, as it is from the beginning."""
        self._dispatcher.recorder.start()

    def stop(self) -> None:
        """Record nothing until `start`."""
        self._dispatcher.recorder.stop()

    def clear(self) -> None:
        """Forget what was recorded."""
        self._dispatcher.recorder.clear()

    def __getattr__(self, name: str) -> Any:
        """Return the method of an action that has a task: `cellinr.superresolve(layer, …)`."""
        if name not in FITS:
            raise AttributeError(f"cellinr has no {name!r}; it has {', '.join(dir(self))}.")

        def fit(layer: ImageLayer | str, *, axes: str = "", **settings: Any) -> None:
            self._fit(name, layer, axes=axes, **settings)

        task = task_of(name)
        fit.__name__, fit.__doc__ = name, f"{task.run_tip}\n\n{task.config_type.__doc__}"
        return fit

    def __dir__(self) -> list[str]:
        return sorted({one for one in super().__dir__() if not one.startswith("_")} | {*FITS})

    def __repr__(self) -> str:
        return f"<cellinr: {', '.join(dir(self))}>"

    @property
    def _viewer(self) -> napari.Viewer:
        return self._dispatcher.viewer

    def _fit(self, action: str, layer: ImageLayer | str, axes: str = "", **settings: Any) -> None:
        task = task_of(action)
        given = [word for word in get_args(Beginning) if word in settings]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} were given; give one of them.")
        start = Start(given[0], settings.pop(given[0])) if given else None
        if given == ["continue_from"] and set(settings) - {"preset"} != {"steps"}:
            raise ConfigError(
                f"{', '.join(settings) or 'no setting'} was given with continue_from; steps alone "
                "is needed: the other settings are those of the fit that goes on."
            )
        self._dispatcher.fit(task, layer, task.config_type(**settings), axes, start)
