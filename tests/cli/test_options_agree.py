"""An option means the same in every command; old spellings still work; help says types."""

import argparse
import re
from functools import cache

import pytest

from napari_cellinr.cli import make_parser
from napari_cellinr.cli.shared.parser import RENAMED
from napari_cellinr.cli.shared.times import in_unit, parse_moments


@cache
def parsers():
    return next(
        action.choices
        for action in make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )


def declared():
    """Return {option: {command: action}}."""
    found = {}
    for command, parser in parsers().items():
        for flag, action in parser._option_string_actions.items():
            found.setdefault(flag, {})[command] = action
    return found


SHARED = sorted(flag for flag, by_command in declared().items() if len(by_command) > 1)

DIFFERENT_LISTS = {"--output", "--preset", "--steps"}
"""Options whose help lists what a method has: its roles, its presets, what its steps do."""


@pytest.mark.parametrize("flag", SHARED)
def test_an_option_means_the_same_everywhere(flag):
    def meaning(action):
        text = re.sub(r"( \(default: .*\)|;[^;]*)$", "", action.help or "")
        if flag == "--folder":
            text = text.partition(";")[0]
        kind = type(action), action.metavar, action.nargs, action.const
        if flag in DIFFERENT_LISTS:
            return kind
        return (*kind, action.choices, text)

    meanings = {command: meaning(action) for command, action in declared()[flag].items()}
    assert len(set(map(repr, meanings.values()))) == 1, meanings


def test_the_rule_covers_many_options():
    assert len(SHARED) > 25
    assert {"--voxel", "--times", "--scale", "--target-voxel", "--seeds", "--folder"} <= {*SHARED}
    assert {*SHARED} >= DIFFERENT_LISTS


def test_a_file_is_never_the_value_of_an_option_that_is_a_mode_elsewhere():
    kinds = {}
    for command, parser in parsers().items():
        for flag in {*parser._option_string_actions}:
            kinds.setdefault(flag, set()).add(command)
    for command, renamed in RENAMED.items():
        assert not set(renamed) & set(parsers()[command]._option_string_actions)


FILES = {
    "denoise": ["i.tif", "o.tif"],
    "superresolve": ["i.tif", "o.tif"],
    "reconstruct": ["i.tif", "o.tif"],
    "render": ["f.cellinr", "o.tif"],
    "show-motion": ["f.cellinr", "o.csv"],
    "replay": ["m.py"],
    "batch": ["m.py", "i.tif"],
}
VALUES = {"--voxel": ["z=1"], "--points": ["4"], "--again": []}
NEEDED = {"batch": ["--folder", "o"]}
OLD = [(command, old) for command, table in RENAMED.items() for old in table]


@pytest.mark.parametrize(("command", "old"), OLD)
@pytest.mark.parametrize("joined", [False, True])
def test_old_spellings_still_work_and_say_the_new_one(command, old, joined, capsys):
    new = RENAMED[command][old]
    value = VALUES.get(old, ["x.file"])
    current = [*new.split(), *value]
    if new.endswith("="):
        current = ["--output", new.partition(" ")[2] + value[0]]
    before = [f"{old}={value[0]}"] if joined and value else [old, *value]
    files = [*FILES[command], *(NEEDED.get(command, []) if new != "--folder" else [])]
    expected = vars(make_parser().parse_args([command, *files, *current]))
    assert capsys.readouterr().err == ""
    assert vars(make_parser().parse_args([command, *files, *before])) == expected
    shown = f"{new}FILE" if new.endswith("=") else new
    warning = f"warning: {old} is now {shown}; the old spelling still works in this version.\n"
    assert capsys.readouterr().err == warning


@pytest.mark.parametrize(("command", "old"), OLD)
def test_old_spellings_are_not_in_the_help(command, old):
    listed = re.findall(r"^  (--[\w-]+)", parsers()[command].format_all(), re.M)
    assert len(listed) > 3
    assert old not in listed


@pytest.mark.parametrize("command", list(parsers()))
def test_help_is_short_and_complete(command, run):
    parser = parsers()[command]
    status, short, _ = run(command, "--help")
    _, full, _ = run(command, "--help-all")
    assert status == 0
    options = {flag for flag in parser._option_string_actions if flag.startswith("--")}
    assert {*re.findall(r"^  (?:-h, )?(--[\w-]+)", full, re.M)} == options
    listed = re.findall(r"^  (--[\w-]+)", short, re.M)
    if len(options) > 14:
        assert listed == list(parser.usual)
        assert len(listed) == 10
        assert "--help-all` explains all" in short
    for word in ("None", "True", "False", "{}", "()", "default none"):
        assert word not in full, word


@pytest.mark.parametrize("command", ["denoise", "superresolve", "reconstruct"])
def test_types_are_shown(command):
    text = parsers()[command].format_all()
    for wrong in ("--optics N", "--scale N", "--times N", "--fastest-movement N\n"):
        assert wrong not in text
    assert "--max-seconds SECONDS" in text
    assert "--seed N" in text
    assert "held_out=NUMBER" in text or command == "superresolve"


def test_defaults_are_in_words():
    text = " ".join(parsers()["denoise"].format_all().split())
    assert "(default: 100; best: 200; preview: 30; paper: 50000)" in text
    assert "time limit for the whole job, from reading to writing (default: no limit)" in text
    assert "(default: estimate it from the image)" in text
    reconstruct = " ".join(parsers()["reconstruct"].format_all().split())
    assert "the parameters of that kind (default: time-lapse)" in reconstruct


def test_outputs_are_given_by_role():
    words = ["reconstruct", "i.tif", "o.tif", "--output", "motion=m.tif", "speed=s.tif"]
    words += ["--axes", "TYX", "--output=tracks=a=b.csv"]
    options = make_parser().parse_args(words)
    assert (options.motion_output, options.speed_output) == ("m.tif", "s.tif")
    assert (options.tracks, options.aligned_output) == ("a=b.csv", None)
    assert (options.output, options.axes) == ("o.tif", "TYX")


def test_a_file_after_an_output_is_the_input():
    words = ["denoise", "--output", "background=b.tif", "i.tif", "o.tif"]
    options = make_parser().parse_args(words)
    assert (options.input, options.output) == ("i.tif", "o.tif")
    assert options.background_output == "b.tif"


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("b.tif", "write ROLE=FILE, such as background=file.tif"),
        ("background=", "write ROLE=FILE"),
        ("motion=m.tif", "the roles are background, signal, with-background, error, conventional"),
    ],
)
def test_a_wrong_output_is_explained(run, value, part):
    status, _, error = run("denoise", "i.tif", "o.tif", "--output", value)
    assert (status, error.count("\n")) == (2, 1)
    assert part in error


def test_an_output_is_given_once(run):
    words = ["--output", "error=a.tif", "error=b.tif"]
    status, _, error = run("denoise", "i.tif", "o.tif", *words)
    assert (status, error.count("\n")) == (2, 1)
    assert "given twice" in error


@pytest.mark.parametrize("name", ["kept", "with-background"])
def test_the_role_of_python_is_understood(name):
    words = ["denoise", "i.tif", "o.tif", "--output", f"{name}=k.tif"]
    assert make_parser().parse_args(words).with_background_output == "k.tif"


@pytest.mark.parametrize(
    ("text", "found"),
    [("8", 8), ("grid:3", 3), ("[[4,6],[1,2]]", [[4, 6], [1, 2]]), ("points.csv", "points.csv")],
)
def test_seeds_are_a_grid_positions_or_a_table(text, found):
    for words in (["reconstruct", "i.tif", "o.tif"], ["show-motion", "f.cellinr", "o.csv"]):
        assert make_parser().parse_args([*words, "--seeds", text]).seeds == found


def test_times_are_a_list_or_a_range():
    for words in (["superresolve", "i.tif", "o.tif"], ["render", "f.cellinr", "o.tif"]):
        options = vars(make_parser().parse_args([*words, "--times", "0:2:0.5"]))
        assert (options.get("times") or options["setting_times"]) == (0, 0.5, 1, 1.5, 2)


@pytest.mark.parametrize(
    ("given", "unit", "counted", "taken"),
    [
        ("0,20,40", "millisecond", "second", (0, 0.02, 0.04)),
        ("0:40:20", "millisecond", "", (0, 20, 40)),
        ("0,20,40ms", "millisecond", "second", (0, 0.02, 0.04)),
        ("0,0.02,0.04 s", "millisecond", "", (0, 20, 40)),
        ("0,0.02,0.04s", "millisecond", "second", (0, 0.02, 0.04)),
        ("0:1:0.5min", "second", "second", (0, 30, 60)),
        ("0,2\u00b5s", "microsecond", "", (0, 2)),
        ("0,2\u03bcs", "microsecond", "", (0, 2)),
        ("0,2", "pixel", "second", (0, 2)),
        ("0,2s", "pixel", "second", (0, 2)),
    ],
)
def test_times_are_in_the_unit_of_the_file_or_in_that_which_follows(
    capsys, given, unit, counted, taken
):
    found = in_unit(parse_moments(given), "TYX", (unit, "pixel", "pixel"), counted)
    assert found == pytest.approx(taken)
    said = capsys.readouterr().err
    in_frames, named = unit == "pixel", given[-1].isalpha()
    assert ("in frames" in said) == (in_frames and named)
    assert (f"which is {unit}" in said) == (bool(counted) and unit != counted and not named
                                           and not in_frames)  # fmt: skip


@pytest.mark.parametrize("text", ["0,1,end", "ms", "0,1 weeks", "s,1"])
def test_times_that_are_wrong_are_named_as_they_were_given(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}' was given"):
        parse_moments(text)
