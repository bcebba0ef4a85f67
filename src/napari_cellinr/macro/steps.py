"""Steps and macros: frozen values that JSON can hold."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, get_args

from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.macro.actions import ACTIONS
from napari_cellinr.macro.naming import first, is_figure
from napari_cellinr.macro.source import Source
from napari_cellinr.macro.values import (
    COUNT_OR_NONE,
    TEXT,
    TEXT_TABLE,
    TEXTS,
    Kind,
    check_fields,
    is_count,
)
from napari_cellinr.text import clean_name, one_line, parsed_json, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.runs.starts import Beginning

__all__ = ["RECIPE_VERSION", "Macro", "Step"]

Status: TypeAlias = Literal["done", "stopped", "failed"]

RECIPE_VERSION = 1
"""Version of the recipe format; newer versions are refused."""

_FORMAT = "napari-cellinr recipe"

_ROLE = re.compile(r"([a-z_-]+(:\d{1,6})?)?", re.ASCII)
"""Pattern of a role, such as `result:1`."""


@dataclass(frozen=True)
class Step:
    """One action of a user, with all that is needed to repeat it.

    Parameters
    ----------
    action
        One of `ACTIONS`.
    sources
        What it worked on: two for `compare` with another layer and for a fit that starts from
        another fit, otherwise one.
    arguments
        Arguments that differ from their defaults, as plain values that JSON can hold.
    results
        Names of the layers that it made.
    roles
        What each result is: a role of the images of the fit, such as `result` or `speed`, with
        the number of a channel as in `result:1`; empty text for a result that is not an image.
        No roles at all if the results are the images of the fit in their order.
    seed
        Random seed of a fit; None for other actions.
    versions
        Versions of packages, by name.
    status
        `done`, `stopped` by the user with a partial result, or `failed`.
    note
        Why it failed, after how many steps it was stopped, or what a replay does otherwise.
    beginning
        How a fit starts from its second source: `continue_from` runs more steps of that fit,
        `warm_start` takes its parameters; empty if it starts from scratch.
    disabled
        Whether scripts and replays skip it.
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
    disabled: bool = False

    def __post_init__(self) -> None:
        check_fields(self, _KINDS)
        if self.action not in ACTIONS:
            raise ConfigError(
                f"action {shortened(self.action)} is not known; allowed are {', '.join(ACTIONS)}."
            )
        object.__setattr__(self, "sources", tuple(self.sources))
        object.__setattr__(self, "results", tuple(map(clean_name, self.results)))
        object.__setattr__(self, "roles", tuple(self.roles))
        object.__setattr__(self, "note", clean_name(self.note))
        try:  # also a copy, which later changes of the caller's dictionary do not reach
            plain = json.loads(json.dumps(dict(self.arguments), allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(
                f"the arguments of {self.action} cannot be recorded ({error}); numbers, text, "
                "lists and tables of them are allowed."
            ) from None
        ACTIONS[self.action].check(self.sources, plain, self.beginning)
        object.__setattr__(self, "arguments", plain)
        versions = {clean_name(key): one_line(text) for key, text in self.versions.items()}
        object.__setattr__(self, "versions", versions)

    @property
    def source(self) -> Source:
        """The first source, or one without name and path if there is none."""
        return self.sources[0] if self.sources else Source()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a fit, including the seed, without axes and the place of its parts."""
        seed = {} if self.seed is None else {"seed": self.seed}
        others = {"axes", "parts"}
        kept = {key: value for key, value in self.arguments.items() if key not in others}
        return {**kept, **seed}


@dataclass(frozen=True)
class Macro:
    """Steps, in the order in which they were done."""

    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))

    @property
    def repeatable(self) -> tuple[Step, ...]:
        """The steps that did not fail and are not disabled."""
        return tuple(s for s in self.steps if s.status != "failed" and not s.disabled)

    @property
    def needed(self) -> Macro:
        """The macro without files that were opened and never used; all of it if none was used.

        Files that could not be opened stay, as comments.
        """
        used = {source.layer for step in self.repeatable for source in step.sources}

        def is_used(step: Step) -> bool:
            opens = ACTIONS[step.action].opens and step.status != "failed"
            return not opens or bool(used & set(step.results))

        kept = tuple(step for step in self.steps if is_used(step))
        return Macro(kept) if kept else self

    def needing(self, place: int) -> tuple[int, ...]:
        """Return the places of the steps that work on results of a step, directly or not.

        A file that an `open` step has opened is opened again where it is needed.
        """
        if ACTIONS[self.steps[place].action].opens:
            return ()
        made, found = set(self.steps[place].results), []
        for later in range(place + 1, len(self.steps)):
            step = self.steps[later]
            if made & {source.layer for source in step.sources}:
                found.append(later)
                made |= set(step.results)
        return tuple(found)

    @property
    def inputs(self) -> tuple[Source, ...]:
        """What no step makes, in the order of first use: opened files, and other layers."""
        found: dict[tuple[str, str], Source] = {}
        made: set[str] = set()
        for step in self.repeatable:
            for source in step.sources:
                if not (source.layer and source.layer in made):
                    key = (source.layer, "") if source.layer else ("", str(source.place))
                    found.setdefault(key, source)
            made.update(step.results)
        return tuple(found.values())

    @property
    def is_of_series(self) -> bool:
        """Whether an input is a series of numbered files."""
        return any(source.along for source in self.inputs)

    @property
    def saved(self) -> tuple[tuple[str, str], ...]:
        """The layers that are saved, each with its file as the macro names it."""
        files = (
            (_saved_layer(step), ACTIONS[step.action].writes(step)) for step in self.repeatable
        )
        return tuple((layer, path) for layer, path in files if path)

    @property
    def saves_results(self) -> bool:
        """Whether an image, a fit or a table is saved; figures and movies are none."""
        return any(not is_figure(path) for _, path in self.saved)

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, without empty ones."""
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
            If the text is not a recipe, or one of a newer version, or damaged.
        ConfigError
            If an action or one of its arguments is not known.
        """
        try:
            values = parsed_json(text)
        except ValueError as error:
            raise FileError(f"the recipe is not valid JSON ({error}); record it again.") from None
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Return the macro that `as_dict` made; errors as for `from_json`."""
        if not isinstance(values, dict) or values.get("format") != _FORMAT:
            raise FileError(
                "the JSON is not a recipe; give a file that was saved as a recipe (the report of a "
                "fit is not one)."
            )
        if not is_count(values.get("version")) or values["version"] > RECIPE_VERSION:
            raise FileError(
                f"the recipe has version {shortened(values.get('version'))}; allowed are versions "
                f"up to {RECIPE_VERSION}. Update napari-cellinr."
            )
        _check_keys(values, {"format", "version", "steps"}, "a recipe")
        steps = values.get("steps")
        if not isinstance(steps, list):
            raise FileError("the recipe is damaged: it has no list of steps; record it again.")
        return cls(tuple(_step(step) for step in steps))


def _saved_layer(step: Step) -> str:
    """Return the layer that a step saves, if it saves one: its result, or what it works on."""
    return first(step.results) if ACTIONS[step.action].makes_layers else step.source.layer


def _step(values: Any) -> Step:
    """Return the step that a recipe describes; every key and value is checked."""
    _check_keys(values, {entry.name for entry in fields(Step)}, "a step")
    given = values.get("sources", [])
    if "action" not in values or not isinstance(given, list):
        raise FileError("the recipe is damaged: a step needs an action and a list of sources.")
    for source in given:
        _check_keys(source, {entry.name for entry in fields(Source)}, "a source")
    return Step(**{**values, "sources": tuple(Source(**source) for source in given)})


def _check_keys(values: Any, known: set[str], what: str) -> None:
    """Raise `FileError` if a part of a recipe is not a table, or has an unknown key."""
    if not isinstance(values, dict):
        raise FileError(f"the recipe is damaged: {values!r:.60} is not a table of {what}.")
    unknown = [key for key in values if key not in known]
    if unknown:
        raise FileError(
            f"{what} has {unknown[0]!r:.60}; known are {', '.join(sorted(known))}. "
            "Remove it, or update napari-cellinr."
        )


def _are_roles(value: Any) -> bool:
    return TEXTS.allows(value) and all(map(_ROLE.fullmatch, value))


_KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("action", "note", "beginning"), TEXT),
    "arguments": Kind("a table of names and values", lambda value: hasattr(value, "items")),
    "results": TEXTS,
    "roles": Kind("a list of roles such as result or result:1", _are_roles),
    "seed": COUNT_OR_NONE,
    "versions": TEXT_TABLE,
    "disabled": Kind("true or false", lambda value: isinstance(value, bool)),
    "status": Kind("done, stopped or failed", lambda value: value in get_args(Status)),
}


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without empty ones, without the status `done` and `disabled` false."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        if key == "sources":
            kept[key] = [_without_empty(source) for source in value]
        elif key == "disabled":
            kept |= {key: True} if value else {}
        elif value not in ("", None, (), {}) and (key, value) != ("status", "done"):
            kept[key] = list(value) if isinstance(value, tuple) else value
    return kept
