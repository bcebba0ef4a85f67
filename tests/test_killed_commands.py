"""Killed commands, and disks that fail: the short form of the long runs.

`benchmarks/faults/kill.py` and `disk.py` do the same some hundred times, with all commands.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[1] / "benchmarks" / "faults"

CODE = """
import json, sys
import kill, disk

found = kill.run(1, 1, ("denoise", "convert")) + disk.run(1, 1, ("denoise",))
print(json.dumps([[one.fault, one.tries, one.lost, one.measured] for one in found]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork, and limits of Linux")
@pytest.mark.skipif(not FAULTS.is_dir(), reason="the benchmarks are not part of this copy")
def test_nothing_is_lost(tmp_path):
    place = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", CODE]
    done = subprocess.run(
        command, cwd=FAULTS, env=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == 8
    assert [one for one in found if one[2]] == []
    assert sum(one[1] for one in found) == 10
