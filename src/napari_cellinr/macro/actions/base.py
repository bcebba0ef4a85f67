"""What every action of a macro answers; a new action overrides what differs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from napari_cellinr.errors import ConfigError
from napari_cellinr.macro.naming import CELLINR
from napari_cellinr.macro.scripts import lines
from napari_cellinr.macro.source import Source
from napari_cellinr.macro.values import check_text
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping, Sequence

    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.macro.replay.run import Replay
    from napari_cellinr.macro.scripts.command_line import ShellScript
    from napari_cellinr.macro.scripts.lines import Code, Line
    from napari_cellinr.macro.scripts.python import PythonScript
    from napari_cellinr.macro.steps import Step
    from napari_cellinr.macro.values import Kind

__all__ = ["Action", "Parsed"]


@dataclass(frozen=True)
class Parsed:
    """What a call in a script says about its step; the fields are those of `Step`."""

    sources: tuple[Source, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    results: tuple[str, ...] = ()
    seed: int | None = None
    beginning: str = ""


class Action:
    """One action that can be recorded, written as a script and replayed.

    Attributes
    ----------
    name
        In recipes and in the console: `cellinr.<name>(layer, …)`.
    methods
        Methods of `cellinr` that scripts call for it; its name if empty.
    functions
        Functions that it imports from the top of the package in a Python script.
    commands
        Commands of `napari-cellinr` that it runs in a shell script.
    arguments
        Its arguments in a recipe, each with the kind of its value.
    required
        Arguments that must be given.
    example
        Arguments of an example, which tests run on a small image.
    n_sources
        Smallest and largest number of layers, files or fits that a step works on.
    opens
        Whether its results are read from files.
    makes_layers
        Whether it computes new layers.
    layers
        What these are called beside the name of their source; more may follow.
    named_after_image
        Whether they are named after the image that was fitted, not after the result of the fit.
    only_numbered
        Whether they had the name of their source and a number in version 0.1.
    """

    name: str
    methods: ClassVar[tuple[str, ...]] = ()
    functions: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    arguments: ClassVar[Mapping[str, Kind]] = {}
    required: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[Mapping[str, Any]] = {}
    n_sources: ClassVar[tuple[int, int]] = (1, 1)
    opens: ClassVar[bool] = False
    makes_layers: ClassVar[bool] = False
    layers: tuple[str, ...] = ()
    named_after_image: ClassVar[bool] = False
    only_numbered: ClassVar[bool] = False

    def check(
        self, sources: Sequence[Source], arguments: Mapping[str, Any], beginning: str = ""
    ) -> None:
        """Check that a step is complete and has no argument that the action does not take.

        Parameters
        ----------
        sources
            What the step works on.
        arguments
            Plain values by name.
        beginning
            How a fit starts from another fit, as in `Step`.

        Raises
        ------
        ConfigError
            If sources or arguments are missing, of the wrong kind, or unknown.
        """
        self.check_sources(sources, beginning)
        for name, given in arguments.items():
            kind = self.kind_of(name)
            if kind is None:
                raise ConfigError(f"{self.name} was given {name!r}; {self.known_arguments}.")
            if not kind.allows(given):
                raise ConfigError(
                    f"{self.name} was given {name}={given!r}; {kind.needed} is needed."
                )
        check_text(arguments, f"the arguments of {self.name}")
        for name in self.required:
            if name not in arguments:
                needed = self.arguments[name].needed
                raise ConfigError(f"{self.name} was given no {name}; {needed} is needed.")

    def check_sources(self, sources: Sequence[Source], beginning: str) -> None:
        """Check what a step works on.

        Parameters
        ----------
        sources
            What the step works on.
        beginning
            How a fit starts from another fit, as in `Step`.

        Raises
        ------
        ConfigError
            If another number of sources is needed, or the action does not start from a fit.
        """
        if beginning:
            raise ConfigError(
                f"{beginning} was given for {self.name} of {len(sources)}; only a fit starts from "
                "another fit, which is its second source."
            )
        fewest, most = self.n_sources
        if not fewest <= len(sources) <= most:
            needed = "one is" if most == 1 else f"{fewest} or {most} are"
            raise ConfigError(
                f"{self.name} was given {n_of(len(sources), 'layer or file', 'layers or files')}; "
                f"{needed} needed."
            )

    def kind_of(self, argument: str) -> Kind | None:
        """Return the kind of an argument, or None if the action does not take it."""
        return self.arguments.get(argument)

    @property
    def known_arguments(self) -> str:
        """Which arguments the action takes, as the end of a sentence."""
        names = ", ".join(self.arguments)
        return f"known are {names}" if names else "it takes no arguments"

    def to_console(self, step: Step) -> Code:
        """Return the step as a call of a method of `cellinr`."""
        layers = [lines.value(source.layer) for source in step.sources]
        return lines.call(self.name, *layers, of=CELLINR, keywords=step.arguments)

    def console_calls(self, step: Step, used: Collection[str]) -> list[Code]:
        """Return the calls for the step in a script for napari.

        Parameters
        ----------
        step
            The step.
        used
            Names of all layers that steps of the macro work on.
        """
        return [self.to_console(step)]

    def only_in_viewer(self, step: Step) -> Line:
        """Return a comment for a step that cannot be done without napari."""
        return lines.comment(f"only in the viewer: {self.to_console(step).text}")

    def to_python(self, step: Step, script: PythonScript) -> None:
        """Add the lines for the step to a Python script that works on files.

        Parameters
        ----------
        step
            The step.
        script
            The script so far.
        """
        script.add(self.only_in_viewer(step))

    def to_command(self, step: Step, script: ShellScript) -> list[Line]:
        """Return the lines for the step in a shell script.

        Parameters
        ----------
        step
            The step.
        script
            The files that the script has written so far.
        """
        return [self.only_in_viewer(step)]

    def fits_needed(self, step: Step) -> tuple[str, ...]:
        """Return the layers whose fits a shell script must save for this step."""
        return ()

    def baselines_needed(self, step: Step) -> Mapping[str, str]:
        """Return the layers whose conventional results a shell script must save for this step.

        Returns
        -------
        Mapping
            Name of the conventional result, by the layer of the fit.
        """
        return {}

    def parse(self, method: str, positional: list[Any], keywords: dict[str, Any]) -> Parsed:
        """Return what a call in a script says; inverse of `to_console`.

        Parameters
        ----------
        method
            The method of `cellinr` that is called, one of `methods`.
        positional
            Positional arguments, plain values.
        keywords
            Arguments by name.

        Raises
        ------
        FileError, ValueError
            If the call has other arguments.
        """
        return Parsed(tuple(Source(layer) for layer in positional), keywords)

    def with_names(self, step: Step) -> Step:
        """Return a step with its results in the order of its images.

        Parameters
        ----------
        step
            A step of a script, whose results are the names that later steps use, in any order.
        """
        return step

    def run(self, step: Step, replay: Replay) -> Generator[Progress, Message, None]:
        """Do the step without a viewer, as a job that reports its progress.

        Parameters
        ----------
        step
            The step.
        replay
            The images and fits so far; results are added.

        Raises
        ------
        CellINRError
            If something is missing, or the step cannot be done.
        """
        self.run_at_once(step, replay)
        yield from ()

    def run_at_once(self, step: Step, replay: Replay) -> None:
        """Do the step without a viewer, for actions that take little time; as for `run`.

        Parameters
        ----------
        step, replay
            As for `run`.
        """
        raise NotImplementedError(f"{self.name} has no run.")

    def run_in_viewer(self, step: Step, console: Any) -> None:
        """Do the step in a viewer.

        Parameters
        ----------
        step
            The step.
        console
            The object `cellinr` of the viewer.
        """
        layers = [source.layer for source in step.sources]
        getattr(console, self.name)(*layers, **step.arguments)

    def writes(self, step: Step) -> str:
        """Return the file that the step saves, as the macro names it; empty if it saves none."""
        return ""
