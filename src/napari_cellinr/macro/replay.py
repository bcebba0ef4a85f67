"""A macro done again without a viewer, on the same files or on others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.fitting.stored import Stored
from napari_cellinr.io.channels import separated
from napari_cellinr.macro.plan import Rules, home, input_files, place_of_output, saved_files
from napari_cellinr.macro.steps import FITS
from napari_cellinr.macro.words import FITTED_SUFFIX, SAMPLE, file_name, why_unread
from napari_cellinr.methods import method_of_action, method_of_fit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from os import PathLike

    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.io import StackAxis
    from napari_cellinr.macro.steps import Macro, Source, Step

__all__ = ["iter_replay"]


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
    tell: Callable[[str], None] | None = None,
) -> Generator[Progress, Message, list[Path]]:
    """Do the steps of a macro as a job, and return the files that were written.

    Parameters
    ----------
    macro
        The steps; those that only show something are passed over.
    source
        File to work on instead of the one of the macro.
    output
        Folder for every file that the macro saves. If it saves none, the results are
        written there; the present folder if not given.
    series, time
        Which image, or position, of `source`, and which time point of that; the first image,
        or the one that has the name of the layer, and all time points if none.
    name
        What `source` is called in the names of results; its own name if not given.
    stack_axis
        What numbered files are along if `source` is a folder or a pattern; as for the files of
        the macro if not given.
    allow_outside
        Whether files may be written outside of the folder of `output`.
    overwrite
        Whether files that exist may be replaced; inputs never are.
    protected
        Files besides the inputs that must not be written.
    tell
        Called with a sentence on what the user should know, such as a file that has changed.

    Raises
    ------
    CellINRError
        If a file is missing, a step fails, or a file must not be written; as far as its name is
        known before, nothing is done then.
    """
    read = [*protected, *([] if source is None else [source])]
    folder = Path() if output is None else home(Path(output))
    rules = Rules(folder, input_files(macro, read), allow_outside, overwrite)
    for place in saved_files(macro, output):
        rules.check(place)
    inputs = macro.inputs
    images = [one for one in inputs if not _is_fit(one.path)]
    if source is not None and len(images or inputs) > 1:
        names = ", ".join(repr(one.layer or one.path) for one in images or inputs)
        raise ConfigError(f"the macro works on {names}; another input can replace only one.")
    along = [one.along for one in images if one.along]
    axis: Any = stack_axis or next(iter(along), None)
    chosen = None if source is None else _Input(Path(source), series, time, name, axis)
    run = _Replay(chosen, None if output is None else folder, rules, tell, bool(images))
    for one in inputs:
        if one.layer:
            run.read(one.layer, one)
    for step in macro.repeatable:
        yield from run.do(step)
    if not any(step.action == "save" for step in macro.repeatable):
        run.write_results()
    return run.written


@dataclass(frozen=True)
class _Input:
    """What a replay works on instead of the file of its macro."""

    path: Path
    series: int | None
    time: int | None
    name: str
    stack_axis: StackAxis | None

    def read(self, layer: str) -> tuple[Image, str]:
        """Return the image, and its name."""
        from napari_cellinr.io import read_all

        if self.series is None and self.time is None:
            image = _named(read_all(self.path, stack_axis=self.stack_axis), layer)
            return image, self.name or image.name
        images = read_all(self.path, lazy_above=0, stack_axis=self.stack_axis)
        if self.series is not None and not 0 <= self.series < len(images):
            raise FileError(
                f"image {self.series} of {self.path} was asked for; it has {len(images)}, counted "
                "from 0."
            )
        image = _named(images, layer) if self.series is None else images[self.series]
        part = image if self.time is None else image.take("T", self.time)
        return part.like(part.array()), self.name or image.name


class _Replay:
    """The images of a replay by the names of their layers."""

    def __init__(
        self,
        source: _Input | None,
        output: Path | None,
        rules: Rules,
        tell: Callable[[str], None] | None,
        keeps_fits: bool,
    ) -> None:
        self._source = source
        self._keeps_fits = keeps_fits  # kept fits are those of the macro, images are others
        self._tell = tell or (lambda text: None)
        self._output = output
        self._rules = rules
        self._images: dict[str, Image] = {}
        self._fits: dict[str, Fitted | Stored] = {}
        self._givens: dict[str, Image] = {}
        self._tables: dict[str, tuple[Fitted | Stored, dict[str, Any]]] = {}
        self._results: list[str] = []
        self._renamed = ("", "")
        self.written: list[Path] = []

    def read(self, layer: str, source: Source) -> None:
        """Read the file of a layer, with the name of the layer."""
        other = None if self._keeps_fits and _is_fit(source.path) else self._source
        path = source.path if other is None else str(other.path)
        if _is_fit(path):
            self._read_fit(layer, Path(path))
            return
        if other is None:
            image = _recorded(layer, source)
        else:
            image, name = other.read(layer)
            self._renamed = (layer, name)
        self._images[layer] = image.like(image.data, name=layer)

    def do(self, step: Step) -> Generator[Progress, Message, None]:
        """Do one step."""
        if step.action == "open":
            for name in step.results or (Path(step.source.path).stem,):
                if name not in self._images:
                    self.read(name, step.source)
        elif step.action == "calibrate":
            name = step.source.layer
            self._images[name] = self._image(name).with_voxel_size(**step.arguments)
        elif step.action in FITS:
            yield from self._fit(step)
        elif step.action == "render":
            self._render(step)
        elif step.action == "show_motion":
            self._show_motion(step)
        elif step.action == "compare":
            self._compare(step)
        elif step.action == "save":
            self._save(Path(step.arguments["path"]), step.source.layer)

    def write_results(self) -> None:
        """Write the first image of every step that has one, and the motion as tables."""
        for name in self._results:
            image = self._images[name]
            path = Path(f"{file_name(image.name.replace(*self._renamed, 1))}.tif")
            self._write(self._free(path), image)
        for name in self._tables:
            table = name.replace(*self._renamed, 1) if self._renamed[0] else name
            if self._renamed[0] and self._renamed[0] not in name:
                table = f"{self._renamed[1]} {name}"
            self._write_table(self._free(Path(f"{file_name(table)}.csv")), name)

    def _free(self, path: Path) -> Path:
        """Return a path for a result, with a number where the name is taken by another file.

        The name is known only after the work, which must not be lost.
        """
        number, found = 2, path
        while self._rules.is_taken(place_of_output(found, self._output)):
            found, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
        if found != path:
            self._tell(f"{path} exists; the result is written as {found}.")
        return found

    def _fit(self, step: Step) -> Generator[Progress, Message, None]:
        from napari_cellinr.runs.request import RunRequest
        from napari_cellinr.runs.request import start as start_run
        from napari_cellinr.runs.starts import New, Start, start_from

        image = self._image(step.source.layer)
        if "axes" in step.arguments:
            image = image.with_axes(step.arguments["axes"])
        self._compare_digest(step, image)
        method = method_of_action(step.action)
        config = method.config(**step.settings)
        begun: Start = New()
        if step.beginning:
            other = self._fit_of(step.sources[1].layer)
            begun = start_from(step.beginning, other, config.steps)
        fitted = yield from start_run(RunRequest(method, image, config, begun))
        names = [_unused(one.name, self._images) for one in fitted.images]
        named = dict(zip(names, fitted.images, strict=True))
        found = {**named, **_as_in_the_viewer(step, fitted)}
        for name in found.keys() - named.keys() - set(step.results):
            if name in self._images:  # of another layer
                del found[name]
        self._images.update(found)
        made = dict.fromkeys([*found, *step.results], fitted)
        self._fits.update(made)
        self._givens.update(dict.fromkeys(made, image))
        self._results.append(names[0])

    def _compare_digest(self, step: Step, image: Image) -> None:
        """Tell if the file has other data than when the step was recorded."""
        from napari_cellinr.fitting.stored import digest

        recorded = step.source.digest
        if recorded and self._source is None and digest(image.canonical()) != recorded:
            self._tell(
                f"the data of {step.source.path or step.source.layer!r} are not those that the "
                "step was recorded with, so the result differs."
            )

    def _read_fit(self, layer: str, path: Path) -> None:
        """Read a kept fit, and render it as the image of a layer."""
        from napari_cellinr.api import render
        from napari_cellinr.fitting.stored import load_fit

        fit = load_fit(path)
        self._fits[layer] = fit
        self._images[layer] = render(fit)[0]

    def _render(self, step: Step) -> None:
        from napari_cellinr.api import render

        images = render(self._fit_of(step.source.layer), **step.arguments)
        names = [*step.results, *(one.name for one in images[len(step.results) :])]
        self._images.update(zip(names, images, strict=False))
        self._results.append(names[0])

    def _show_motion(self, step: Step) -> None:
        from napari_cellinr.macro.motion import check_options, images_by_role, motion_options

        fit = self._fit_of(step.source.layer)
        options = motion_options(step)
        check_options(**options)
        images_by_role(fit)  # says so if there is no motion
        name = step.results[0] if step.results else f"{step.source.layer} motion"
        self._tables[name] = fit, options

    def _compare(self, step: Step) -> None:
        from napari_cellinr.macro.compare import channel_for, compare

        layer = step.source.layer
        result = self._image(layer)
        if len(step.sources) > 1:
            images = compare(result, self._image(step.sources[1].layer))
        else:
            fit = self._fit_of(layer)
            if isinstance(fit, Stored):
                raise FileError(
                    f"the fit of layer {layer!r} was opened from a file, which does not hold its "
                    "source; name the layer to compare with."
                )
            (_, answer) = compare(fit, source=self._givens[layer])
            other = channel_for(result, answer)
            images = (compare(result, other)[0], other)
        names = [*step.results, *(one.name for one in images[len(step.results) :])]
        self._images.update(zip(names, images, strict=False))
        self._results.append(names[0])

    def _fit_of(self, layer: str) -> Fitted | Stored:
        if layer not in self._fits:
            raise FileError(
                f"the fit of layer {layer!r} is needed; a step that fits, or opens a kept fit, has "
                "to come first."
            )
        return self._fits[layer]

    def _save(self, path: Path, layer: str) -> None:
        """Write an image, or a fit where the suffix says so."""
        from napari_cellinr.fitting.stored import save_fit

        if path.suffix == ".csv":
            self._write_table(path, layer)
        elif _is_fit(path.name):
            fit = self._fit_of(layer)
            save_fit(self._place(path), fit)
        else:
            self._write(path, self._image(layer))

    def _write_table(self, path: Path, layer: str) -> None:
        """Write the motion that a layer of arrows or tracks shows."""
        from napari_cellinr.macro.motion import write_motion

        if layer not in self._tables and layer in self._fits:  # what a fit shows by itself
            self._tables[layer] = self._fits[layer], {}
        if layer not in self._tables:
            raise FileError(f"{path.name} was asked for of {layer!r}, which shows no motion.")
        fit, options = self._tables[layer]
        write_motion(self._place(path), fit, **options)

    def _image(self, layer: str) -> Image:
        if layer not in self._images:
            names = ", ".join(map(repr, self._images)) or "none"
            raise FileError(f"layer {layer!r} is needed; there are {names}.")
        return self._images[layer]

    def _write(self, path: Path, image: Image) -> None:
        from napari_cellinr.io import write

        write(self._place(path), image)

    def _place(self, path: Path) -> Path:
        """Return where a file is to be written, and note it."""
        place = place_of_output(path, self._output)
        if place not in self.written:
            self._rules.check(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        self.written.append(place)
        return place


def _is_fit(path: str) -> bool:
    """Return whether a file is a kept fit, by its name."""
    return path.endswith(FITTED_SUFFIX)


def _recorded(layer: str, source: Source) -> Image:
    """Return the image of a layer, as it was opened in the viewer; a sample is made anew.

    Raises
    ------
    FileError
        If it came from no file, or another reader has opened that.
    """
    from napari_cellinr.io import read_all
    from napari_cellinr.simulate.samples import sample_images

    if source.path.startswith(SAMPLE):
        # A layer of another name is the raw image, which lies on top, renamed.
        return _named(sample_images(source.path.removeprefix(SAMPLE))[::-1], layer)
    if not source.path:
        raise FileError(f"layer {layer!r} came from no file; say which one to work on (--input).")
    if why := why_unread(layer, source):
        raise FileError(f"layer {layer!r} cannot be read without napari: {why} (--input).")
    axis: Any = source.along or None
    return _named(read_all(source.place, stack_axis=axis), layer)


def _named(images: Sequence[Image], name: str) -> Image:
    """Return the image, or the channel of one, that has a name, or the first image."""
    channels = {one.name: one for image in reversed(images) for one in separated(image)}
    return {**channels, **{image.name: image for image in images}}.get(name, images[0])


def _as_in_the_viewer(step: Step, fitted: Fitted) -> dict[str, Image]:
    """Return the images of a fit by the names of the layers that they become.

    Where a script does not say them, the last channel of a scene with several has the name of
    the result.
    """
    found: dict[str, Image] = {}
    if step.roles:
        for name, role in zip(step.results, step.roles, strict=False):
            kind, _, channel = role.partition(":")
            if kind in fitted.roles:
                image = fitted.image(kind)
                found[name] = image.take("C", int(channel)) if channel else image
        return found
    scene = fitted.images[0]
    if method_of_fit(fitted).renderable.own_grid and "C" in scene.axes:
        for place, channel in enumerate(scene.channels):
            found[f"{scene.name} {channel}"] = scene.take("C", place)
        found[f"{step.source.layer} reconstructed"] = scene.take("C", scene.sizes["C"] - 1)
        return found
    # recorded names win where jobs name differently
    taken = {one.name for one in fitted.images}
    pairs = zip(step.results, fitted.images, strict=False)
    return {name: one for name, one in pairs if name not in taken}


def _unused(name: str, taken: dict[str, Image]) -> str:
    """Return the name as napari makes it unique: `embryo`, `embryo [1]`, …."""
    found, number = name, 1
    while found in taken:
        found, number = f"{name} [{number}]", number + 1
    return found
