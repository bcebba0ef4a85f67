"""Steps and macros: frozen values that JSON can hold."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, get_args

from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.macro.arguments import check_arguments, check_text, is_count, is_text
from napari_cellinr.methods import METHODS
from napari_cellinr.runs.warm_start import Beginning
from napari_cellinr.text import clean_name, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Fitted

__all__ = [
    "ACTIONS",
    "FITS",
    "RECIPE_VERSION",
    "Begun",
    "Macro",
    "Source",
    "Step",
    "fit_step",
]

Status: TypeAlias = Literal["done", "stopped", "failed"]

FITS: tuple[str, ...] = tuple(method.action for method in METHODS.values())
"""The actions that fit."""

ACTIONS: tuple[str, ...] = (
    "open",
    "calibrate",
    *FITS,
    "render",
    "show_motion",
    "save",
    "compare",
)
"""What can be recorded; each is also the name of a method of `cellinr` in the console."""

RECIPE_VERSION = 1
"""Version of the recipe format; a newer one is refused."""

_FORMAT = "napari-cellinr recipe"

_ROLE = re.compile(r"([a-z_]+(:\d{1,6})?)?", re.ASCII)
"""What a role looks like, such as `result:1`."""


@dataclass(frozen=True)
class Source:
    """What a step works on: a layer, a file, or a layer that came from a file.

    Names are cleaned of control characters. A path is kept as it is: the file has that name.

    Parameters
    ----------
    layer
        Name of the layer; empty for a file that is opened.
    path
        Where the data came from; empty if it came from no file. Of numbered files it is their
        folder, or a pattern such as `t*.tif`.
    digest
        `io.digest` of the data, to notice that a file has changed; empty if not computed.
    along
        What numbered files are along, `T` or `Z`; empty for what is no such series.
    files
        Names of the files of the folder that are the series; empty if all of them are.
    reader
        Plugin of napari that has opened the file; empty for this one.
    series, channel
        Which image of its file the layer is, and which channel of it, counted from 0; none where
        there is only one. In a viewer, the name of the layer tells.
    """

    layer: str = ""
    path: str = ""
    digest: str = ""
    along: str = ""
    files: tuple[str, ...] = ()
    reader: str = ""
    series: int | None = None
    channel: int | None = None

    def __post_init__(self) -> None:
        _check_kinds(self, _SOURCE_KINDS)
        object.__setattr__(self, "files", tuple(self.files))
        object.__setattr__(self, "layer", clean_name(self.layer))
        for name in ("digest", "reader"):
            object.__setattr__(self, name, clean_name(getattr(self, name)))
        check_text((self.path, self.files), "the path of a source")
        outside = [name for name in self.files if re.search(r"[/\\]", name) or name in {"", ".."}]
        if outside:
            raise ConfigError(f"file {outside[0]!r} was given; names in the folder are needed.")
        if self.along not in {"", "T", "Z"}:
            raise ConfigError(f"along {self.along!r} was given for {self.path}; T and Z are known.")

    @property
    def how(self) -> dict[str, Any]:
        """How the file was opened, where that does not go without saying."""
        how = {"along": self.along, "files": list(self.files), "reader": self.reader}
        return {name: value for name, value in how.items() if value}

    @property
    def place(self) -> str | list[str]:
        """What `read` takes: the path, or those of the files of a series."""
        folder = PurePath(self.path)
        return [str(folder / name) for name in self.files] or self.path


@dataclass(frozen=True)
class Step:
    """One action of a user, complete enough to be done again.

    Parameters
    ----------
    action
        One of `ACTIONS`.
    sources
        What it worked on; `compare` has two, as has a fit that begins with another one, the
        others one.
    arguments
        What differs from the defaults, as plain values that JSON can hold.
    results
        Names of the layers that came out.
    roles
        What each of them is: a role of the images of the fit, such as `result` or `speed`, with
        a number of its channel as in `result:1`, or nothing for what is no image. Empty if they
        are the images in their order.
    seed
        Start of the random numbers of a fit; none for other actions.
    versions
        Versions of the packages by name.
    status
        `done`, `stopped` by the user with a partial result, or `failed`.
    note
        Why it failed, or after how many steps it was stopped.
    beginning
        How a fit begins with that of its second source: `continue_from` does more steps of it,
        `warm_start` begins with its parameters; empty if it begins with none.
    """

    action: str
    sources: tuple[Source, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    results: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    status: Status = "done"
    note: str = ""
    beginning: Beginning | Literal[""] = ""

    def __post_init__(self) -> None:
        _check_kinds(self, _STEP_KINDS)
        if self.action not in ACTIONS:
            raise ConfigError(
                f"action {self.action!r} is not known; valid are {', '.join(ACTIONS)}."
            )
        object.__setattr__(self, "sources", tuple(self.sources))
        known = self.beginning in {"", *get_args(Beginning)}
        fits = not self.beginning or (self.action in FITS and len(self.sources) == 2)
        if not (known and fits):
            raise ConfigError(
                f"{self.beginning} was given for {self.action} of {len(self.sources)}; only a fit "
                "begins with another one, which is its second source."
            )
        if self.action == "save" and len(self.sources) != 1:
            raise ConfigError(f"save was given {len(self.sources)} layers; one is needed.")
        object.__setattr__(self, "results", tuple(map(clean_name, self.results)))
        object.__setattr__(self, "roles", tuple(self.roles))
        object.__setattr__(self, "note", clean_name(self.note))
        try:  # also a copy, so that a later change of the caller's dictionary is not one of ours
            plain = json.loads(json.dumps(dict(self.arguments), allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(
                f"the arguments of {self.action} cannot be recorded ({error}); numbers, text, "
                "lists and tables of them are allowed."
            ) from None
        check_arguments(self.action, plain, self.beginning)
        object.__setattr__(self, "arguments", plain)
        versions = {clean_name(key): one_line(text) for key, text in self.versions.items()}
        object.__setattr__(self, "versions", versions)

    @property
    def source(self) -> Source:
        """The first of the sources, or one without name and path."""
        return self.sources[0] if self.sources else Source()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a fit, with the seed among them; axes belong to its source."""
        seed = {} if self.seed is None else {"seed": self.seed}
        kept = {key: value for key, value in self.arguments.items() if key != "axes"}
        return {**kept, **seed}


@dataclass(frozen=True)
class Macro:
    """Steps in the order in which they were done."""

    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))

    @property
    def repeatable(self) -> tuple[Step, ...]:
        """The steps that had a result, or were meant to have none; failed ones are left out."""
        return tuple(step for step in self.steps if step.status != "failed")

    @property
    def inputs(self) -> tuple[Source, ...]:
        """What comes from outside, in the order of first use: opened files, foreign layers."""
        found: dict[tuple[str, str], Source] = {}
        made: set[str] = set()
        for step in self.repeatable:
            for source in step.sources:
                if not (source.layer and source.layer in made):
                    key = (source.layer, "") if source.layer else ("", str(source.place))
                    found.setdefault(key, source)
            made.update(step.results)
        return tuple(found.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, without what is empty."""
        steps = [_without_empty(asdict(step)) for step in self.steps]
        return {"format": _FORMAT, "version": RECIPE_VERSION, "steps": steps}

    def as_json(self) -> str:
        """Return the recipe as JSON text of ASCII characters."""
        return json.dumps(self.as_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the macro that `as_json` wrote.

        Raises
        ------
        FileError
            If the text is no recipe, of a newer version, or damaged.
        ConfigError
            If an action, or an argument of it, is not known.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FileError(f"a recipe that is no JSON was given ({error}).") from None
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Return the macro that `as_dict` made; raises like `from_json`."""
        if not isinstance(values, dict) or values.get("format") != _FORMAT:
            raise FileError(
                "JSON was given that is not a recipe; give a file that was saved as a recipe or "
                "macro (a report of a fit is not one)."
            )
        if not is_count(values.get("version")) or values["version"] > RECIPE_VERSION:
            raise FileError(
                f"the recipe has version {values.get('version')}; this program knows versions up "
                f"to {RECIPE_VERSION}. Update napari-cellinr."
            )
        _check_keys(values, {"format", "version", "steps"}, "a recipe")
        steps = values.get("steps")
        if not isinstance(steps, list):
            raise FileError("the recipe is damaged: it has no list of steps; record it again.")
        return cls(tuple(_step(step) for step in steps))


@dataclass(frozen=True)
class Begun:
    """The fit that another one began with.

    Parameters
    ----------
    beginning
        How.
    fit
        Its layer.
    steps
        How many steps it had.
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
    begun: Begun | None = None,
) -> Step:
    """Return the step of a fit that has ended, such that doing it again gives the same result.

    A fit that the user or the clock has ended is repeated by its number of steps and by what
    was chosen in the short time, not by the clock.

    Parameters
    ----------
    action
        The kind of fit.
    source
        The layer or file that was worked on.
    config
        The settings as they were asked for.
    fitted
        What came out.
    results
        Names under which the images were added, in their order.
    axes
        The axes of the source, if the user had to say them.
    roles
        What the results are, as in `Step`.
    begun
        The fit that it began with, if with one.
    """
    early = fitted.stopped in {"user", "time"}
    settings = fitted.config.replace(max_seconds=None) if early else config
    arguments = {key: value for key, value in settings.changes().items() if key != "seed"}
    continues = begun is not None and begun.beginning == "continue_from"
    if begun is not None and continues:
        arguments = {"steps": max(1, settings.steps - begun.steps)}
    if axes:
        arguments["axes"] = axes
    given = replace(source, digest=str(fitted.source.get("digest", "")))
    return Step(
        action,
        (given,) if begun is None else (given, begun.fit),
        arguments,
        results,
        () if roles == fitted.roles[: len(results)] else roles,
        seed=None if continues else config.seed,
        versions=fitted.report.get("versions", {}),
        status="stopped" if fitted.stopped == "user" else "done",
        note=f"stopped after {fitted.report.get('steps')} steps" if early else "",
        beginning="" if begun is None else begun.beginning,
    )


def _step(values: Any) -> Step:
    """Return the step that a recipe describes; every key and kind of value is checked."""
    _check_keys(values, {one.name for one in fields(Step)}, "a step")
    given = values.get("sources", [])
    if "action" not in values or not isinstance(given, list):
        raise FileError("the recipe is damaged: a step needs an action and a list of sources.")
    for source in given:
        _check_keys(source, {one.name for one in fields(Source)}, "a source")
    return Step(**{**values, "sources": tuple(Source(**source) for source in given)})


def _check_keys(values: Any, known: set[str], what: str) -> None:
    """Raise `FileError` if part of a recipe is no table, or has a key that is not known."""
    if not isinstance(values, dict):
        raise FileError(f"the recipe is damaged: {values!r:.60} is no table of {what}.")
    unknown = [key for key in values if key not in known]
    if unknown:
        raise FileError(
            f"{what} has {unknown[0]!r:.60}, which is not known; known are "
            f"{', '.join(sorted(known))}. Take it out, or update napari-cellinr."
        )


def _check_kinds(thing: Source | Step, kinds: _Kinds) -> None:
    """Raise `ConfigError` if a field of a step or a source holds a value of another kind."""
    for name, (needed, is_right) in kinds.items():
        given = getattr(thing, name)
        if not is_right(given):
            raise ConfigError(f"{name} = {given!r:.60} was given; {needed} is needed.")


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(is_text, value))


def _is_count_or_none(value: Any) -> bool:
    return value is None or is_count(value)


def _is_versions(value: Any) -> bool:
    return hasattr(value, "items") and all(is_text(one) for pair in value.items() for one in pair)


_Kinds: TypeAlias = "Mapping[str, tuple[str, Callable[[Any], bool]]]"

_SOURCE_KINDS: Final[_Kinds] = {
    **dict.fromkeys(("layer", "path", "digest", "along", "reader"), ("text", is_text)),
    "files": ("a list of names", _is_texts),
    **dict.fromkeys(("series", "channel"), ("a whole number from 0 on", _is_count_or_none)),
}

_STEP_KINDS: Final[_Kinds] = {
    **dict.fromkeys(("action", "note", "beginning"), ("text", is_text)),
    "arguments": ("a table of names and values", lambda value: hasattr(value, "items")),
    "results": ("a list of names", _is_texts),
    "roles": (
        "a list of roles such as result or result:1",
        lambda value: _is_texts(value) and all(map(_ROLE.fullmatch, value)),
    ),
    "seed": ("a whole number from 0 on", _is_count_or_none),
    "versions": ("a table of texts", _is_versions),
    "status": ("done, stopped or failed", lambda value: value in get_args(Status)),
}
"""What the fields of a source and a step hold, in words and as a test."""


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values but for empty ones and a status that goes without saying."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        if key == "sources":
            kept[key] = [_without_empty(source) for source in value]
        elif value not in ("", None, (), {}) and (key, value) != ("status", "done"):
            kept[key] = list(value) if isinstance(value, tuple) else value
    return kept
