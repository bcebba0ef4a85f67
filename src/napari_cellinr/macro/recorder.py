"""Records the steps of a session, and follows layers that are renamed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cellinr.macro.naming import DOT, unused, without_number
from napari_cellinr.macro.steps import Macro, Step
from napari_cellinr.text import clean_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_cellinr.macro.source import Source

__all__ = ["Recorder"]


class Recorder:
    """The steps since recording was started or cleared; recording is on at first.

    Parameters
    ----------
    on_change
        Called without arguments whenever the macro or `is_on` has changed.
    """

    def __init__(self, on_change: Callable[[], None] | None = None) -> None:
        self._steps: list[Step] = []
        self._original: dict[str, str] = {}
        self._on_change = on_change
        self.is_on = True

    @property
    def macro(self) -> Macro:
        """The steps so far."""
        return Macro(tuple(self._steps))

    @property
    def last(self) -> Step | None:
        """The newest step, or None."""
        return self._steps[-1] if self._steps else None

    def record(self, step: Step) -> Step | None:
        """Return the step as it was recorded, or None while recording is off.

        Layers that were renamed since get the names with which they were recorded, so that a
        replay finds them; results that are named after such a layer get the names that a replay
        gives them.
        """
        if not self.is_on:
            return None
        sources = tuple(
            replace(source, layer=self._original.get(source.layer, source.layer))
            for source in step.sources
        )
        results = self._replayed(step, sources)
        for now, name in zip(step.results, results, strict=True):
            self._original.pop(now, None)
            if now != name:
                self._original[now] = name
        kept = replace(step, sources=sources, results=results)
        self._steps.append(kept)
        self._changed()
        return kept

    def renamed(self, old: str, new: str, *, known_by_name: bool = False) -> None:
        """Note that a layer was renamed.

        A result keeps the name with which it was recorded, because a replay gives it that name.
        Other layers get their new name in all steps, and so do the results named after them.

        Parameters
        ----------
        old, new
            Names of the layer.
        known_by_name
            Whether a replay finds the layer by its first name only: another image of a saved fit.
        """
        old, new = clean_name(old), clean_name(new)
        if old == new:
            return
        recorded = self._original.pop(old, old)
        if known_by_name or any(recorded in step.results for step in self._steps):
            if recorded != new:
                self._original[new] = recorded
            return
        names = {recorded: new}
        for place, step in enumerate(self._steps):
            if any(source.layer in names for source in step.sources):
                of_step = [(one.layer, names.get(one.layer, one.layer)) for one in step.sources]
                for name in step.results:
                    after = "".join(_named_after(name, [*of_step, (recorded, new)]))
                    if after != name:
                        names[name] = after
            self._steps[place] = _with_layers(step, names)
        for now, kept in list(self._original.items()):
            self._original[now] = names.get(kept, kept)
        for name, after in names.items():
            if name != recorded and name not in self._original:
                self._original[name] = after
        self._changed()

    def _replayed(self, step: Step, sources: Sequence[Source]) -> tuple[str, ...]:
        """Return the names that a replay gives to the results of a step with other sources."""
        pairs = [(now.layer, then.layer) for now, then in zip(step.sources, sources, strict=True)]
        taken = {name for other in self._steps for name in other.results}
        held = taken & set(self._original.values())  # by results that were renamed since
        found: list[str] = []
        for now in step.results:
            plain, number = _named_after(now, pairs)
            same = f"{plain}{number}" == now and now not in held
            found.append(now if same else unused(plain, {*taken, *found}))
        return tuple(found)

    def withdraw(self, steps: Sequence[Step]) -> None:
        """Forget steps whose action was undone."""
        kept = [(step.action, step.arguments, step.source.layer) for step in steps]
        for place in range(len(self._steps) - 1, -1, -1):
            step = self._steps[place]
            if step.sources and (step.action, step.arguments, step.source.layer) in kept:
                kept.remove((step.action, step.arguments, step.source.layer))
                del self._steps[place]
        self._changed()

    def remove(self, place: int) -> tuple[Step, ...]:
        """Forget a step and the steps that work on its results; return them.

        Parameters
        ----------
        place
            Place of the step, from 0.
        """
        gone = {place, *self.macro.needing(place)}
        removed = tuple(step for at, step in enumerate(self._steps) if at in gone)
        self._steps = [step for at, step in enumerate(self._steps) if at not in gone]
        self._changed()
        return removed

    def disable(self, place: int, *, disabled: bool = True) -> tuple[Step, ...]:
        """Disable a step and the steps that work on its results, or enable it again.

        A step that is enabled needs the steps that made what it works on: they are enabled, too.

        Parameters
        ----------
        place
            Place of the step, from 0.
        disabled
            Whether it is disabled.

        Returns
        -------
        tuple of Step
            The steps that have changed.
        """
        macro = self.macro
        if disabled:
            places = {place, *macro.needing(place)}
        else:
            places = {place, *(at for at in range(place) if place in macro.needing(at))}
        changed = []
        for at in sorted(places):
            if self._steps[at].disabled != disabled:
                self._steps[at] = replace(self._steps[at], disabled=disabled)
                changed.append(self._steps[at])
        self._changed()
        return tuple(changed)

    def clear(self) -> None:
        """Forget every step."""
        self._steps.clear()
        self._original.clear()
        self._changed()

    def start(self) -> None:
        """Record from now on."""
        self.is_on = True
        self._changed()

    def stop(self) -> None:
        """Record nothing until `start`; recorded steps are kept."""
        self.is_on = False
        self._changed()

    def _changed(self) -> None:
        if self._on_change is not None:
            self._on_change()


def _with_layers(step: Step, names: Mapping[str, str]) -> Step:
    """Return a step with other names of layers."""
    sources: tuple[Source, ...] = tuple(
        replace(source, layer=names.get(source.layer, source.layer)) for source in step.sources
    )
    results = tuple(names.get(name, name) for name in step.results)
    return replace(step, sources=sources, results=results)


def _named_after(name: str, pairs: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return the name of a result after its sources have other names, and its own number."""
    plain = without_number(name)
    number = name.removeprefix(plain)
    # The longest name first: a source may be called `day · embryo`, and another one `embryo`.
    for old, new in sorted(pairs, key=lambda pair: -len(pair[0])):
        if plain.endswith(f" {DOT} {old}"):
            plain = f"{plain.removesuffix(old)}{new}"
            break
        if name.endswith(f" {DOT} {old}"):  # the number is that of the source
            plain, number = f"{name.removesuffix(old)}{new}", ""
            break
    for old, new in pairs:
        if plain.startswith(f"minus {old} {DOT} "):
            plain = f"minus {new}{plain.removeprefix(f'minus {old}')}"
            break
    return plain, number
