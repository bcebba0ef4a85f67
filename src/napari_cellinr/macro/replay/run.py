"""Repeats the steps of a macro without a viewer, on the same files or on others."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.macro.actions import action_of
from napari_cellinr.macro.naming import file_name, is_fit, name_before, without_number
from napari_cellinr.macro.paths import with_local_paths
from napari_cellinr.macro.plan import (
    Rules,
    input_at,
    input_files,
    place_of_output,
    saved_files,
)
from napari_cellinr.macro.replay.inputs import Input, by_layer, recorded_image

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from os import PathLike

    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image
    from napari_cellinr.io import StackAxis
    from napari_cellinr.macro.source import Source
    from napari_cellinr.macro.steps import Macro, Step

__all__ = ["Replay", "iter_replay"]


def iter_replay(
    macro: Macro,
    *,
    source: str | PathLike[str] | None = None,
    output: str | PathLike[str] | None = None,
    series: int | None = None,
    time: int | None = None,
    name: str = "",
    stack_axis: StackAxis | None = None,
    allow_outside: bool = False,
    overwrite: bool = False,
    protected: Iterable[str | PathLike[str]] = (),
    own: Iterable[str | PathLike[str]] = (),
    note: Callable[[Path], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Generator[Progress, Message, list[Path]]:
    """Do the steps of a macro as a job, and return the files that were written.

    Parameters
    ----------
    macro
        The steps.
    source
        File to work on instead of the file of the macro.
    output
        Folder for all files that the macro saves; the current folder if not given. If the macro
        saves no files, the results are written there.
    series, time
        Index of the image, or position, in `source`, and of its time point, from 0. If not given:
        the image that has the name of the layer, or the first one, and all time points.
    name
        What `source` is called in the names of results; its own name if not given.
    stack_axis
        Axis of numbered files if `source` is a folder or a pattern; that of the files of the
        macro if not given.
    allow_outside
        Whether files may be written outside the folder `output`.
    overwrite
        Whether existing files may be replaced; inputs never are.
    protected
        Files that must not be written, besides the inputs.
    own
        Existing files that may be replaced in any case: results of an earlier replay.
    note
        Called with the path of each file before it is written.
    tell
        Called with sentences that the user should read, such as that a file has changed.

    Raises
    ------
    CellINRError
        If a file is missing, a step fails, or a file must not be written. Files whose names the
        macro says are checked before the first step.
    """
    macro = with_local_paths(macro)
    if not macro.repeatable:
        raise ConfigError(
            "the macro has no steps that can be repeated; give one with calls such as "
            'cellinr.open("embryo.tif") and cellinr.denoise("embryo").'
        )
    read = [*protected, *([] if source is None else [source])]
    folder = Path() if output is None else place_of(output)
    rules = Rules(folder, input_files(macro, read), allow_outside, overwrite, tuple(map(Path, own)))
    for place in saved_files(macro, output):
        rules.check(place)
    inputs = macro.inputs
    images = [found for found in inputs if not is_fit(found.path)]
    if source is not None and len(images or inputs) > 1:
        names = ", ".join(repr(found.layer or found.path) for found in images or inputs)
        raise ConfigError(f"the macro works on {names}; only one input can be replaced.")
    along = [found.along for found in images if found.along]
    axis: Any = stack_axis or next(iter(along), None)
    chosen = None if source is None else Input(Path(source), series, time, name, axis)
    replay = Replay(rules, None if output is None else folder, chosen, bool(images), tell, note)
    for found in inputs:
        if found.layer:
            replay.read(found.layer, found)
    for step in macro.repeatable:
        yield from action_of(step).run(step, replay)
    if not macro.saves_results:
        replay.write_results()
    return replay.written


class Replay:
    """The images and fits of a replay, by the names of their layers.

    Parameters
    ----------
    rules
        Where it may write.
    output
        Folder for all files; None to write each where the macro says.
    source
        File to work on instead of the file of the macro, or None.
    keeps_fits
        Whether `source` replaces only an image, and saved fits are those of the macro.
    tell, note
        As for `iter_replay`.

    Attributes
    ----------
    images
        Image of each layer.
    fits
        Fit of each layer that a fit has made, or that was opened as a saved fit.
    fitted
        Image that was fitted, for each layer that a fit has made.
    tables
        Fit and options of the motion that a layer shows.
    results
        Layers that are written at the end if the macro saves no files.
    written
        The files so far.
    """

    def __init__(
        self,
        rules: Rules,
        output: Path | None = None,
        source: Input | None = None,
        keeps_fits: bool = False,
        tell: Callable[[str], None] | None = None,
        note: Callable[[Path], None] | None = None,
    ) -> None:
        self._rules = rules
        self._output = output
        self._source = source
        self._keeps_fits = keeps_fits
        self._tell = tell or (lambda text: None)
        self._note = note or (lambda path: None)
        self._replaced_names: dict[str, str] = {}
        self.images: dict[str, Image] = {}
        self.fits: dict[str, Fitted | Stored] = {}
        self.fitted: dict[str, Image] = {}
        self.tables: dict[str, tuple[Fitted | Stored, dict[str, Any]]] = {}
        self.results: list[str] = []
        self.written: list[Path] = []

    def read(self, layer: str, source: Source) -> None:
        """Read the file of a layer, and give the image the name of the layer.

        Parameters
        ----------
        layer
            Name of the layer.
        source
            What it was read from when the macro was recorded.
        """
        other = None if self._keeps_fits and is_fit(source.path) else self._source
        path = source.path if other is None else str(other.path)
        if is_fit(path):
            self._read_fit(layer, Path(path))
            return
        if other is None:
            image = recorded_image(layer, source)
        else:
            image, name = other.read(layer, source)
            self._replaced_names[layer] = name
        self.images[layer] = image.like(image.data, name=layer)

    def image(self, layer: str) -> Image:
        """Return the image of a layer.

        Raises
        ------
        FileError
            If there is no such layer.
        """
        if layer not in self.images:
            names = ", ".join(map(repr, self.images)) or "no layers"
            raise FileError(f"layer {layer!r} is needed; there are {names}.")
        return self.images[layer]

    def fit_of(self, layer: str) -> Fitted | Stored:
        """Return the fit of a layer.

        Raises
        ------
        FileError
            If there is none.
        """
        if layer not in self.fits:
            raise FileError(
                f"the fit of layer {layer!r} is needed; first fit an image, or open a saved fit."
            )
        return self.fits[layer]

    def add_images(self, step: Step, images: tuple[Image, ...]) -> None:
        """Add the images that a step has made; the first is a result.

        Parameters
        ----------
        step
            The step, which may name them.
        images
            The images.
        """
        names = [*step.results, *(image.name for image in images[len(step.results) :])]
        for name in names:
            self._keep_result(name)
        self.images.update(zip(names, images, strict=False))
        self.results.append(names[0])

    def compare_digest(self, step: Step, image: Image) -> None:
        """Tell the user if the data differ from those that the step was recorded with.

        Parameters
        ----------
        step
            The step.
        image
            The data.
        """
        from napari_cellinr.fitting.saved.stored import digest

        recorded = step.source.digest
        if recorded and self._source is None and digest(image.canonical()) != recorded:
            self._tell(
                f"the data of {step.source.path or step.source.layer!r} differ from those that "
                "the step was recorded with, so the result differs."
            )

    def write_results(self) -> None:
        """Write the first image of every step that makes images, and the motion as tables."""
        for name in self.results:
            image = self.images[name]
            self.write_image(
                self._unused(Path(f"{file_name(self._renamed(image.name))}.tif")), image
            )
        others = list(self._replaced_names.values())
        for name in self.tables:
            table = self._renamed(name)
            table = f"{others[0]} {name}" if table == name and others else table
            self.write_table(self._unused(Path(f"{file_name(table)}.csv")), name)

    def _renamed(self, name: str) -> str:
        """Return the name of a result with that of the given file for that of the macro's."""
        before = name_before(name)
        known = [
            one for one in self._replaced_names if before == one or before.startswith(f"{one} ")
        ]
        layer = max(known, key=len, default="")
        return f"{self._replaced_names[layer]}{before.removeprefix(layer)}" if layer else name

    def write_image(self, path: Path, image: Image) -> None:
        """Write an image.

        Parameters
        ----------
        path
            The file, as the macro names it.
        image
            The image.

        Raises
        ------
        FileError
            If the file must not or cannot be written.
        """
        from napari_cellinr.io import write

        write(self.place(path), image)

    def write_fit(self, path: Path, layer: str) -> None:
        """Write the fit of a layer; errors as for `write_image` and `fit_of`.

        Parameters
        ----------
        path, layer
            The file, as the macro names it, and the name of the layer.
        """
        from napari_cellinr.fitting.saved.stored import save_fit

        fit = self.fit_of(layer)
        save_fit(self.place(path), fit)

    def write_table(self, path: Path, layer: str) -> None:
        """Write the motion that a layer of arrows or tracks shows.

        Parameters
        ----------
        path, layer
            The file, as the macro names it, and the name of the layer.

        Raises
        ------
        FileError
            If the layer shows no motion, or the file must not or cannot be written.
        """
        from napari_cellinr.macro.motion import write_motion

        if layer not in self.tables and layer in self.fits:  # arrows that came with the fit
            self.tables[layer] = self.fits[layer], {}
        if layer not in self.tables:
            raise FileError(
                f"{path.name} was given for {layer!r}, which shows no motion; arrows or tracks of "
                "a reconstruction are needed."
            )
        fit, options = self.tables[layer]
        write_motion(self.place(path), fit, **options)

    def _read_fit(self, layer: str, path: Path) -> None:
        """Read a saved fit, and render the image of its layer: its result, or another one."""
        from napari_cellinr.api import render
        from napari_cellinr.fitting.saved.stored import load_fit

        fit = load_fit(path)
        images = render(fit)
        before = name_before(without_number(layer))
        self.fits[layer] = fit
        self.images[layer] = by_layer(images).get(before, images[0])

    def _unused(self, path: Path) -> Path:
        """Return a path for a result, with a number if another file has that name.

        The name is known only after the fit, whose result must not be lost. Existing files may be
        replaced if the rules allow it, but not those that this replay has written.
        """
        number, found = 2, path
        while self._is_taken(place_of_output(found, self._output)):
            found, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
        if found != path:
            self._tell(f"{path} exists; the result is written to {found}.")
        return found

    def _is_taken(self, place: Path) -> bool:
        return self._rules.is_taken(place) or input_at(place, self.written) is not None

    def _keep_result(self, name: str) -> None:
        """Give an earlier result of this name another one, so that both are written."""
        if name in self.results:
            number = next(n for n in count(1) if f"{name} [{n}]" not in self.images)
            self.images[f"{name} [{number}]"] = self.images[name]
            self.results[self.results.index(name)] = f"{name} [{number}]"

    def place(self, path: Path) -> Path:
        """Return where a file is to be written, checked and noted as written."""
        place = place_of_output(path, self._output)
        if place not in self.written:
            self._rules.check(place)
            self.written.append(place)
        self._note(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place
