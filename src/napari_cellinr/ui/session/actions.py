"""Requests for actions, and the steps and sources of a macro for layers of a viewer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_cellinr.io.series.channels import PART
from napari_cellinr.io.series.sequences import SERIES
from napari_cellinr.macro import Source, Step
from napari_cellinr.macro.naming import SAMPLE
from napari_cellinr.ui.layers.provenance import (
    HELPER,
    KEPT_FIT,
    READ_SHAPE,
    RECORD,
    SAMPLE_PART,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Layer

    from napari_cellinr.config import Config
    from napari_cellinr.image import Image
    from napari_cellinr.runs.resume import Unfinished
    from napari_cellinr.runs.starts import Beginning
    from napari_cellinr.ui.session.controller import Work

__all__ = [
    "Request",
    "StartLayer",
    "attempted",
    "image_of",
    "name_of",
    "opened_steps",
    "read_from",
    "source_of",
]


@dataclass(frozen=True)
class Request:
    """An action that was requested.

    Parameters
    ----------
    title
        What messages call it, such as “denoising of embryo”.
    carry_out
        Does it at once and returns None, or returns the work for the controller. It is called
        when the request is next in the queue; the layers need not exist before.
    recorded
        Whether it becomes a step of the macro.
    attempt
        The step that is recorded if it fails; None if a failure is not recorded.
    layer
        The layer, or its name, without which it cannot be carried out.
    """

    title: str
    carry_out: Callable[[], Work | None]
    recorded: bool = True
    attempt: Step | None = None
    layer: Layer | str = ""


@dataclass(frozen=True)
class StartLayer:
    """The fit that another fit starts from.

    Parameters
    ----------
    beginning
        How, as in `Step`.
    layer
        Layer of that fit, or its name.
    """

    beginning: Beginning
    layer: Layer | str


def attempted(
    action: str,
    layer: Layer | str,
    config: Config,
    axes: str = "",
    start: StartLayer | None = None,
    parts: str = "",
) -> Step:
    """Return the step that is recorded if a fit fails.

    Parameters
    ----------
    action
        Action of the method.
    layer, config, axes, start, parts
        As for `Dispatcher.fit`.
    """
    arguments = {key: value for key, value in config.changes().items() if key != "seed"}
    if axes:
        arguments["axes"] = axes
    if parts:
        arguments["parts"] = parts
    step = Step(action, (Source(name_of(layer)),), arguments, seed=config.seed)
    if start is None:
        return step
    sources = (*step.sources, Source(name_of(start.layer)))
    step = replace(step, sources=sources, beginning=start.beginning)
    if start.beginning == "continue_from":
        return replace(step, arguments={"steps": config.steps}, seed=None)
    return step


def name_of(layer: Layer | str) -> str:
    """Return the name of a layer; a name is returned as it is."""
    return layer if isinstance(layer, str) else str(layer.name)


def source_of(layer: Layer) -> Source:
    """Return the source of a macro for a layer: its name, and what it was read from.

    What napari made of a layer, such as a projection or a stack of channels, is in no file.
    """
    found = Source() if _is_derived(layer) else read_from(layer)
    return replace(found, layer=str(layer.name))


def opened_steps(layers: Sequence[Layer]) -> list[Step]:
    """Return the steps that open layers, one for each file or series that they were read from."""
    names: dict[Source, list[str]] = {}
    for layer in layers:
        whole = replace(read_from(layer), series=None, channel=None)
        names.setdefault(whole, []).append(str(layer.name))
    return [
        Step("open", (source,), results=tuple(found))
        for source, found in names.items()
        if source.path and not source.path.startswith(SAMPLE)
    ]


def _is_derived(layer: Layer) -> bool:
    """Return whether a layer has other axes than what was read, or less along one of them.

    A series may have grown: its file is appended to while it is recorded.
    """
    read = layer.metadata.get(READ_SHAPE)
    if not read or not hasattr(layer.data, "shape"):
        return False
    shape = tuple(layer.data.shape)
    return len(shape) != len(read) or any(now < then for now, then in zip(shape, read, strict=True))


def read_from(layer: Layer) -> Source:
    """Return what a layer was read from: files, a saved fit, a sample of this plugin, nothing.

    It is also that of the layer from which napari made this one.
    """
    if KEPT_FIT in layer.metadata:
        return Source(path=str(layer.metadata[KEPT_FIT]))
    if RECORD in layer.metadata or HELPER in layer.metadata:  # with the metadata of its source
        return Source()
    path, reader = layer.source.path, layer.source.reader_plugin
    if path is not None and reader not in {None, "napari-cellinr"}:
        return Source(path=str(path), reader=str(reader))
    part = layer.metadata.get(PART, {})
    if SERIES in layer.metadata:
        return Source(**layer.metadata[SERIES], **part)
    if layer.source.sample is not None and layer.source.sample[0] == "napari-cellinr":
        part = layer.metadata.get(SAMPLE_PART, "")
        return Source(path=f"{SAMPLE}{layer.source.sample[1]}{f'/{part}' if part else ''}")
    # The metadata of the image name the file in a folder or a stack; napari knows only the
    # folder, or the first file.
    return Source(path=str(layer.metadata.get("source") or path or ""), **part)


def image_of(job: Unfinished) -> Image:
    """Return the image that a checkpoint holds."""
    from napari_cellinr.fitting.checkpoint import JOB_FILE
    from napari_cellinr.fitting.saved.stored import blank
    from napari_cellinr.io import load_fitted

    _, arrays = load_fitted(job.path / JOB_FILE)
    image: Image = blank(job.source).like(arrays["input"])
    return image
