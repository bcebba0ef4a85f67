"""`napari-cellinr plan INPUT PLAN.json`: divide a large recording into parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.overwrite import add_overwrite, check_overwrite
from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import answer, say, say_warning, seconds_in_words
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_cellinr.runs.scale.plan import Plan

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    from napari_cellinr.cli.shared.fitting import add_reading_options
    from napari_cellinr.cli.shared.options import add_assignments
    from napari_cellinr.methods import METHODS

    text = "measure a large recording once, and divide the work into parts for any scheduler"
    parser = add_command(commands, "plan", text, run)
    parser.add_argument("input", metavar="INPUT", help="image, for example OME-Zarr")
    parser.add_argument("plan", metavar="PLAN.json", help="file for the plan")
    parser.add_argument(
        "--method",
        choices=[method.action for method in METHODS.values()],
        default="denoise",
        help="what to do with the recording (default: denoise)",
    )
    parser.add_argument(
        "--result",
        metavar="OUT.zarr",
        help="OME-Zarr for the result (default: beside the plan, with its name)",
    )
    add_reading_options(parser)
    add_assignments(parser)
    parser.add_argument(
        "--memory", metavar="GB", type=float,
        help="memory for one part (default: what is free on this computer)",
    )  # fmt: skip
    parser.add_argument(
        "--slurm", action="store_true", help="print a script that submits the parts to SLURM"
    )
    add_overwrite(parser)
    parser.usual = (
        "--method", "--result", "--set", "--memory", "--slurm", "--axes", "--voxel", "--channel",
        "--overwrite", "--help-all",
    )  # fmt: skip


def run(options: Namespace) -> int:
    """Write the plan, print what it is, and return 0."""
    from napari_cellinr.cli.shared.options import read_config
    from napari_cellinr.cli.shared.scale import source_of
    from napari_cellinr.fitting.resources.available import available_memory
    from napari_cellinr.io import check_writable
    from napari_cellinr.io.names import place_of
    from napari_cellinr.methods import method_of_action
    from napari_cellinr.runs.scale.make import check_space, make_plan
    from napari_cellinr.runs.scale.plan import save_plan
    from napari_cellinr.runs.scale.slurm import slurm_script

    place = place_of(options.plan)
    output = options.result or str(place.with_suffix(".zarr"))
    check_overwrite(options, [options.plan], [options.input])
    _check_result(output, options.input)
    check_writable(options.plan, (".json",))
    check_writable(output, (".zarr",))
    config = read_config(options, method_of_action(options.method).config)
    memory = available_memory() if options.memory is None else options.memory * 1e9
    plan = make_plan(options.method, source_of(options), config, {"result": output}, memory)
    save_plan(plan, place)
    for text in (*plan.warnings, check_space(plan)):
        if text:
            say_warning(text)
    if options.slurm:
        answer(slurm_script(plan, options.plan))
        return 0
    for line in described(plan, options.plan):
        say(line)
    return 0


def _check_result(output: str, source: str) -> None:
    """Raise `FileError` if the result would replace something; one that was begun may go on."""
    from napari_cellinr.errors import FileError
    from napari_cellinr.io.names import place_of
    from napari_cellinr.macro.plan import files_at, input_at
    from napari_cellinr.runs.scale.plan import notes_folder

    place = place_of(output)
    if (found := input_at(place, files_at(source))) is not None:
        raise FileError(f"{output} would overwrite the input {found}; choose another name.")
    if place.exists() and not notes_folder(place).is_dir():
        raise FileError(f"{output} exists; choose another name with --result, or delete it.")


def described(plan: Plan, path: str) -> list[str]:
    """Return what a plan is, in lines of text.

    Parameters
    ----------
    plan
        The plan.
    path
        Its file.
    """
    total = seconds_in_words(plan.seconds * len(plan.parts))
    return [
        f"{n_of(len(plan.parts), 'part')}, and {plan.n_coarse} for the coarser levels",
        f"each: up to {plan.memory / 1e9:.2g} GB of memory, about "
        f"{seconds_in_words(plan.seconds)} on one core; all: {total}",
        f"result: {plan.places[0]}",
        f"next: napari-cellinr run-part {path} 0-{plan.n_parts - 1}",
    ]
