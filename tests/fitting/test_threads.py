"""Threads of torch that wait do not take the time of other programs."""

import os
import subprocess
import sys

import pytest

CODE = "import napari_cellinr, os; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"


@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_is_passive_before_torch_is_loaded_unless_the_user_says_otherwise(given, expected):
    rest = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {CODE}"],
        env=rest if given is None else {**rest, "OMP_WAIT_POLICY": given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [expected, "False"]
