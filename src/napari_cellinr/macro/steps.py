"""Steps and macros: frozen values that JSON can hold."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, cast, get_args

from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.going_on import Beginning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.config import Config
    from napari_cellinr.fit import Fitted

__all__ = [
    "ACTIONS",
    "FITS",
    "RECIPE_VERSION",
    "Action",
    "Begun",
    "Macro",
    "Source",
    "Step",
    "fit_step",
]

Action: TypeAlias = Literal[
    "open",
    "calibrate",
    "denoise",
    "superresolve",
    "reconstruct",
    "render",
    "show_motion",
    "save",
    "compare",
]
Status: TypeAlias = Literal["done", "stopped", "failed"]

ACTIONS: tuple[str, ...] = get_args(Action)
"""What can be recorded; each is also the name of a method of `cellinr` in the console."""

FITS: Mapping[str, str] = {
    "denoise": "CellINRConfig",
    "superresolve": "SpatimeConfig",
    "reconstruct": "NSTMConfig",
}
"""The actions that fit, each with the name of its configuration."""

RECIPE_VERSION = 1
"""Version of the recipe format; a newer one is refused."""

_FORMAT = "napari-cellinr recipe"


@dataclass(frozen=True)
class Source:
    """What a step works on: a layer, a file, or a layer that came from a file.

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
        object.__setattr__(self, "files", tuple(self.files))
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

    action: Action
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
        object.__setattr__(self, "results", tuple(self.results))
        object.__setattr__(self, "roles", tuple(self.roles))
        try:  # also a copy, so that a later change of the caller's dictionary is not one of ours
            plain = json.loads(json.dumps(dict(self.arguments), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"the arguments of {self.action} cannot be recorded ({error}); numbers, text, "
                "lists and tables of them are allowed."
            ) from None
        object.__setattr__(self, "arguments", plain)
        object.__setattr__(self, "versions", dict(self.versions))

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
            If an action is not known.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
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
        if not isinstance(values.get("version"), int) or values["version"] > RECIPE_VERSION:
            raise FileError(
                f"the recipe has version {values.get('version')}; this program knows versions up "
                f"to {RECIPE_VERSION}. Update napari-cellinr."
            )
        try:
            return cls(tuple(_step(step) for step in values["steps"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise FileError(f"the recipe is damaged ({error}); record it again.") from None


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
        cast("Action", action),
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


def _step(values: Mapping[str, Any]) -> Step:
    known = {key: value for key, value in values.items() if key != "sources"}
    sources = tuple(Source(**source) for source in values.get("sources", ()))
    return Step(sources=sources, **known)


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values but for empty ones and a status that goes without saying."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        if key == "sources":
            kept[key] = [_without_empty(source) for source in value]
        elif value not in ("", None, (), {}) and (key, value) != ("status", "done"):
            kept[key] = list(value) if isinstance(value, tuple) else value
    return kept
