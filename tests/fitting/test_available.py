"""The free memory is the least that the machine, its control groups and its limits leave."""

import subprocess
import sys

import numpy as np
import pytest

from napari_cellinr import CellINRConfig, Image
from napari_cellinr.errors import FitError
from napari_cellinr.fitting.resources import available
from napari_cellinr.fitting.resources.available import group_memory
from napari_cellinr.methods import METHODS

CHILD = """
import resource
from napari_cellinr.fitting.resources.available import available_memory
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
print(available_memory())
"""

LIMITED = """
import resource, sys
import numpy as np, psutil, napari_cellinr
image = napari_cellinr.Image(np.random.default_rng(0).random((64, 64)), "YX")
most = psutil.Process().memory_info().vms + int(float(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_AS, (most, most))
try:
    napari_cellinr.denoise(image)
except napari_cellinr.FitError as error:
    print(error)
"""


def group(folder, names, limit, used, dropped):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(names[:2], (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {dropped}\n")


V2 = ("", "0::", ("memory.max", "memory.current", "inactive_file"))
V1 = (
    "memory", "4:memory:", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
)  # fmt: skip


@pytest.mark.parametrize(("root", "line", "names"), [V1, V2])
def test_the_tightest_group_above_the_process_counts(tmp_path, root, line, names):
    outer = tmp_path / root / "job"
    group(outer, names, 1000, 700, 50)
    group(outer / "step", names, 5000, 100, 0)
    member = tmp_path / "membership"
    member.write_text(f"{line}/job/step\n")
    assert group_memory(tmp_path, member) == 350


def test_a_group_without_a_limit_leaves_everything(tmp_path):
    group(tmp_path / "job", V2[2], "max", 700, 0)
    member = tmp_path / "membership"
    member.write_text("0::/job\n")
    assert group_memory(tmp_path, member) == float("inf")


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert group_memory(tmp_path, tmp_path / "none") == float("inf")


def test_a_container_that_sees_only_its_own_root_is_limited_by_it(tmp_path):
    group(tmp_path, V2[2], 900, 100, 0)
    member = tmp_path / "membership"
    member.write_text("0::/outside/name\n")
    assert group_memory(tmp_path, member) == 800


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of the address space")
def test_the_limit_of_the_address_space_counts():
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < 2**31


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of the address space")
@pytest.mark.parametrize("left", [0.05e9, 0.1e9, 0.2e9])
def test_a_limit_below_the_libraries_is_refused_before_they_are_loaded(left):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(left)], capture_output=True, text=True, check=True
    )
    assert "raise the limit" in done.stdout


def test_without_a_limit_the_libraries_are_loaded(monkeypatch):
    monkeypatch.setattr(available, "limit_memory", lambda: float("inf"))
    available.check_room_for_libraries()


def test_one_byte_less_than_needed_is_refused(monkeypatch):
    monkeypatch.setattr(available, "n_threads", lambda: 10)
    monkeypatch.setattr(available, "limit_memory", lambda: 0.46e9)
    available.check_room_for_libraries()
    monkeypatch.setattr(available, "limit_memory", lambda: 0.46e9 - 1)
    with pytest.raises(FitError, match=r"0\.46 GB are left.*needs 0\.46 GB"):
        available.check_room_for_libraries()


def test_costs_are_estimated_within_any_limit(monkeypatch):
    monkeypatch.setattr(available, "limit_memory", lambda: 1e6)
    monkeypatch.delitem(sys.modules, "napari_cellinr.methods.cellinr.costs", raising=False)
    image = Image(np.zeros((8, 8), np.float32), "YX")
    assert METHODS["cellinr"].cost(image, CellINRConfig()) is not None
    monkeypatch.delitem(sys.modules, "napari_cellinr.methods.cellinr.job", raising=False)
    with pytest.raises(FitError, match="raise the limit"):
        METHODS["cellinr"].job.load()
