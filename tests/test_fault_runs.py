"""The short form of the fault runs, and the page that they write.

`benchmarks/faults` does the same many times, with all commands and methods.
"""

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[1] / "benchmarks" / "faults"

pytestmark = pytest.mark.skipif(
    not FAULTS.is_dir(), reason="the benchmarks are not part of this copy"
)

SHORT = {
    "batch": """
with tempfile.TemporaryDirectory() as folder:
    bench = batch.Bench(Path(folder), random.Random(1))
    faults = (bench.killed, bench.damaged, bench.changed, bench.missing)
    found = [bench.outcome(one.__name__, one, "", 1) for one in faults]
""",
    "streams": """
names = ("info", "convert", "denoise", "reconstruct")
streams.COMMANDS = {name: streams.COMMANDS[name] for name in names}
found = streams.run(1, 1)
""",
    "memory": """
found = memory.long_images("denoise", ((2, 25_000),), 0)
found.append(memory.limited("reconstruct", (0.3e9,), 0))
""",
    "leaks": """
kept = leaks.grown("api", "denoise", 5, 0)
found = [leaks.outcome("denoise", 5, kept, "")]
""",
}
"""What is run of each. Viewers are tried in `ui/test_lost_in_mid_run.py`, without real fits."""

CODE = """
import json, random, tempfile
from pathlib import Path
import {name}
{short}
print(json.dumps([[one.fault, one.tries, one.lost, one.measured] for one in found]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork, and limits of Linux")
@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost(name, tmp_path):
    place = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    code = CODE.format(name=name, short=SHORT[name])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=FAULTS, env=place, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found
    assert [one for one in found if one[2]] == []


def test_the_page_is_what_the_results_give(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FAULTS))
    for name in ("outcome", "page"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    page, outcome = (importlib.import_module(name) for name in ("page", "outcome"))
    written = page.PAGE.read_text("utf-8")
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    names = sorted(path.stem for path in outcome.RESULTS.glob("*.json"))
    page.write({name: (title(name), outcome.stored(name)) for name in names})
    assert page.PAGE.read_text("utf-8") == written
    monkeypatch.delitem(sys.modules, "page")
    monkeypatch.delitem(sys.modules, "outcome")


def title(name):
    """Return the first line of the docstring of a fault run, without importing it."""
    tree = ast.parse((FAULTS / f"{name}.py").read_text("utf-8"))
    return ast.get_docstring(tree).splitlines()[0].rstrip(".")
