"""Text from outside in saved scripts.

Any text in any field of a recipe has to leave what its scripts do as it is: the same calls, the
same commands with the same options, and as many comments, as with a harmless text there.
"""

import ast
import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tokenize
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from outcome import Outcome

from napari_cellinr.cli import make_parser
from napari_cellinr.errors import CellINRError
from napari_cellinr.macro import Macro, Source, Step, script
from napari_cellinr.macro.scripts.notebook import notebook
from napari_cellinr.text import clean_name

FIELDS = (
    "qlayer", "qopened", "qresult", "qbackground", "qrendered", "qscene", "qshown", "qmovie",
    "qforeign", "qpath", "qfolder", "qfile", "qsaved", "qmodel", "qtable", "qdigest", "qnote",
    "qfailure", "qpackage", "qversion", "qreader", "qpreset", "qaxes", "qoptics",
)  # fmt: skip
"""The harmless text of each field; where it stands in the recipe, a hostile one is put."""

FRAGMENTS = (
    "\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0", "\x1b[2J",
    "\u202e", "\udcff", "\ud800", "'", '"', "'''", '"""', "\\", "#", "$(touch planted)", "`id`",
    "${HOME}", ";", "&&", "|", ">", "(", ")", "{", "}", "=", ",", " ", "-", "--", "-rf",
    "--output=x", "--set", "~", "*", "%", "/", "..", "import os", "\nimport os; os.abort()\n",
    "'); __import__('os').abort(); ('", "\ntouch planted\n", "'; touch planted; '", "!", "é", "界",
)  # fmt: skip

TEXTS = st.one_of(
    st.text(min_size=1, max_size=30),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), min_size=1, max_size=6)
    .map("".join)
    .filter(bool),
)

CASES = st.tuples(st.sampled_from(FIELDS), TEXTS)


def recipe() -> dict:
    """Return a recipe with every action, and a harmless text in every field."""
    image = Source("qlayer", "qpath.tif", "qdigest")
    movie = Source("qmovie", "qfolder", along="T", files=("qfile1.tif", "2.tif"))
    foreign = Source("qforeign", "qpath.czi", reader="qreader")
    names = ("qresult", "qbackground")
    optics = {"kind": "widefield", "psf": "qoptics"}
    fit = {"preset": "qpreset", "axes": "qaxes"}
    steps = (
        Step("open", (Source(path="qpath.tif"),), results=("qopened",)),
        Step("calibrate", (image,), {"Z": 0.4, "X": 0.1}),
        Step(
            "denoise", (image,), fit, names, ("result", "background"), 3,
            {"qpackage": "qversion"}, "stopped", "qnote",
        ),
        Step("save", (Source("qresult"),), {"path": "qsaved.tif"}),
        Step("save", (Source("qbackground"),), {"path": "qsaved2.tif"}),
        Step("save", (Source("qresult"),), {"path": "qmodel.cellinr"}),
        Step("render", (Source("qresult"),), {"scale": {"Z": 2}}, ("qrendered",)),
        Step("compare", (Source("qresult"), image), results=("difference",)),
        Step("compare", (Source("qresult"),), results=("other", "conventional")),
        Step("denoise", (movie,), {}, ("second",), seed=0),
        Step("superresolve", (foreign,), {}, ("third",), seed=0),
        Step("reconstruct", (movie,), {"optics": optics}, ("qscene",), seed=0),
        Step("show_motion", (Source("qscene"),), {"points": 3, "name": "qshown"}, ("qshown",)),
        Step("save", (Source("qshown"),), {"path": "qtable.csv"}),
        Step(
            "denoise", (image, Source("qresult")), {}, ("warm",), seed=1, beginning="warm_start"
        ),
        Step("denoise", (image,), fit, status="failed", note="qfailure"),
    )  # fmt: skip
    return Macro(steps).as_dict()


def put(values: Any, field: str, text: str) -> Any:
    """Return a recipe with a text instead of the harmless one of a field, wherever that stands."""
    if isinstance(values, str):
        return values.replace(field, text)
    if isinstance(values, list):
        return [put(one, field, text) for one in values]
    if isinstance(values, dict):
        return {put(key, field, text): put(one, field, text) for key, one in values.items()}
    return values


def means_something_else(field: str, text: str) -> bool:
    """Return whether a text is not just another name, but one that a macro gives a meaning.

    A sample, and the name of another layer.
    """
    cleaned = clean_name(text)
    names = {*FIELDS, "second", "third", "warm", "difference", "other", "conventional"}
    return cleaned in {*names, "1", "2"} or text.startswith("sample:")


class Variables(ast.NodeTransformer):
    """Replaces text by a sign, and variables by their numbers."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if isinstance(node.ctx, ast.Store):
            self.found.setdefault(node.id, f"variable{len(self.found)}")
        return ast.Name(self.found.get(node.id, node.id), node.ctx)

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        value = self.visit(node.value)  # before the name is given
        return ast.Assign([self.visit(one) for one in node.targets], value)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("text" if isinstance(node.value, str) else node.value)


def calls(text: str) -> tuple[list[str], int]:
    """Return the statements of a Python script without texts, and how many comments it has."""
    variables = Variables()
    found = [ast.dump(variables.visit(node)) for node in ast.parse(text).body]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return found, sum(token.type == tokenize.COMMENT for token in tokens)


WORD = re.compile(r"""(?:[A-Za-z0-9_@%+=:,./-]|'[^']*'|"[^"$`\\\\]*")+""")
"""A word of a shell without anything that a shell would act on; a quoted part may be of lines."""


def words(text: str) -> tuple[list[list[str]], int]:
    """Return the commands of a script for a shell, and how many comments it has.

    Raises
    ------
    ValueError
        If there is anything but comments, and commands of plain or quoted words.
    """
    commands, n_comments, place = [], 0, 0
    while place < len(text):
        if text[place] == "#":
            n_comments += 1
            place = text.index("\n", place) + 1
            continue
        command = []
        while text[place] != "\n":
            found = WORD.match(text, place)
            if found is None:
                raise ValueError(f"a shell would act on {text[place : place + 20]!r}")
            command += shlex.split(found[0])
            place = found.end() + (text[found.end()] == " ")
        commands += [command] if command else []
        place += 1
    return commands, n_comments


PARSER = make_parser()


def options(text: str) -> tuple[list, int]:
    """Return the options of each command of a script, with their values, and its comments."""
    commands, n_comments = words(text)
    found = []
    for command in commands:
        assert command[0] == "napari-cellinr", command
        with contextlib.redirect_stderr(io.StringIO()):
            parsed = vars(PARSER.parse_args(command[1:]))
        known = {key: value for key, value in parsed.items() if key != "run"}
        shapes = {
            key: len(value) if isinstance(value, list) else value is not None
            for key, value in known.items()
            if key != "command"
        }
        found.append((known["command"], shapes))
    return found, n_comments


def cells(text: str) -> tuple:
    """Return the calls in each cell of a notebook, and how many lines of text it has."""
    book = json.loads(text)
    code = "\n".join(cell["source"] for cell in book["cells"] if cell["cell_type"] == "code")
    texts = [cell["source"] for cell in book["cells"] if cell["cell_type"] == "markdown"]
    return len(book["cells"]), calls(code), [len(one.splitlines()) for one in texts]


def doings(macro: Macro) -> tuple:
    """Return what the scripts of a macro do."""
    return (
        calls(script(macro, "console")),
        calls(script(macro, "headless")),
        options(script(macro, "cli")),
        cells(notebook(macro)),
    )


HARMLESS = doings(Macro.from_dict(recipe()))


def outcome(field: str, text: str) -> str:
    """Return `same`, or `refused`, or how the scripts differ from those with a harmless text."""
    if means_something_else(field, text):
        return "same"
    try:
        macro = Macro.from_json(json.dumps(put(recipe(), field, text)))
    except CellINRError as error:
        return "refused" if len(str(error).splitlines()) == 1 else f"not one sentence: {error}"
    try:
        found = doings(macro)
    except (SyntaxError, ValueError, AssertionError, SystemExit) as error:
        return f"no script: {error!r}"
    if found == HARMLESS:
        return "same"
    names = ("console", "headless", "cli", "notebook")
    return next(name for name, a, b in zip(names, found, HARMLESS, strict=True) if a != b)


def run_by_shell(field: str, text: str, folder: Path) -> str:
    """Run the script for a shell with a command that only notes its words; return the outcome."""
    try:
        macro = Macro.from_json(json.dumps(put(recipe(), field, text)))
    except CellINRError:
        return "refused"
    command, noted = folder / "napari-cellinr", folder / "noted"
    command.write_text('#!/bin/sh\nprintf \'%s\\0\' "$#" "$@" >> "$NOTED"\n')
    command.chmod(0o755)
    noted.write_bytes(b"")
    saved = folder / "macro.sh"
    saved.write_bytes(script(macro, "cli").encode("utf-8", "surrogateescape"))
    work = folder / "work"
    work.mkdir(exist_ok=True)
    place = {"PATH": f"{folder}:{os.environ['PATH']}", "NOTED": str(noted)}
    done = subprocess.run(["sh", str(saved)], cwd=work, env=place, capture_output=True, check=False)
    heard = os.fsdecode(noted.read_bytes()).split("\0")[:-1]
    wanted = [
        word
        for one in words(script(macro, "cli"))[0]
        for word in (str(len(one) - 1), *one[1:])
    ]  # fmt: skip
    if done.returncode or done.stderr or list(work.iterdir()):
        return f"the shell says {done.stderr!r}, and {list(work.iterdir())} is there"
    return "same" if heard == wanted else f"{heard} instead of {wanted}"


def run(tries: int | None, seed_: int) -> list[Outcome]:
    """Put texts into fields, and return how many change what a script does.

    The first 300 scripts are also run by `sh`.
    """
    tries = tries or 10_000
    counts = {"tried": 0, "refused": 0}
    faults = []
    with tempfile.TemporaryDirectory() as name:

        @settings(
            max_examples=tries, deadline=None, database=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(CASES)
        def attempt(case: tuple[str, str]) -> None:
            if counts["tried"] == tries:
                return
            counts["tried"] += 1
            found = outcome(*case)
            if found == "same" and counts["tried"] <= 300:
                found = run_by_shell(*case, Path(name))
            counts["refused"] += found == "refused"
            if found not in {"same", "refused"}:
                faults.append((case, found))

        while counts["tried"] < tries:  # it ends early where it has seen most texts
            seed(seed_)(attempt)()
            seed_ += 1
    for case, found in faults[:10]:
        print(f"{case!r}:\n{found}", file=sys.stderr)
    refused = f"{counts['refused']} were refused with one sentence, {min(300, tries)} run by sh"
    rule = "the scripts do the same as with a harmless text, or the recipe is refused"
    return [Outcome("any text in any field of a recipe", tries, len(faults), rule, refused)]
