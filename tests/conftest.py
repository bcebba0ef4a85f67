"""Fixtures for every test."""

import atexit
import importlib.util
import ipaddress
import os
import shutil
import socket
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

UI = "tests/ui/"

LONGEST = (
    "tests/methods/nstm/test_motion_layers.py",
    "tests/methods/nstm/test_nstm.py",
    "tests/methods/nstm/test_objects.py",
    "tests/fitting/test_checkpoints.py",
    "tests/runs/test_seams.py",
    "tests/methods/nstm/test_nstm_motions.py",
    "tests/test_fault_runs.py",
    "tests/methods/nstm/test_reconstruct_job.py",
    "tests/methods/nstm/test_phase_parts.py",
    "tests/macro/test_batch.py",
    "tests/test_foreign_files.py",
    "tests/test_killed_commands.py",
    "tests/test_examples.py",
    "tests/ui/test_display_scales.py",
)
"""The files that take longest: they begin, so that none of them is left to one process."""


def has_virtual_screens():
    """Return whether each process that runs tests can have a screen of its own."""
    return shutil.which("Xvfb") and importlib.util.find_spec("pyvirtualdisplay")


def pytest_configure(config):
    """Give each process a virtual screen: of two windows on one, one only has the keyboard.

    The files are run in our order, not in that of pytest-xdist: those with the most tests first.
    """
    config.option.loadscopereorder = False
    parent = config.getoption("dist", "no") != "no" and "PYTEST_XDIST_WORKER" not in os.environ
    if has_virtual_screens() and not parent:
        from pyvirtualdisplay.display import Display

        screen = Display(backend="xvfb", size=(1280, 1024), color_depth=24)
        atexit.register(screen.start().stop)


def pytest_collection_modifyitems(items):
    """Keep each file in one of the processes that run tests: its fixtures are made once then.

    All viewers are in one of them if they have one screen.
    """
    together = not has_virtual_screens()
    n_tests = Counter(map(file_of, items))
    for item in items:
        file = file_of(item)
        group = "ui" if together and file.startswith(UI) else file
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: place_of(file_of(item), n_tests))


def file_of(item):
    """Return the file of a test, relative to the repository."""
    return item.nodeid.partition("::")[0]


def place_of(file, n_tests):
    """Return what files are sorted by: the longest ones, those of the viewer, then the others.

    Tests of the viewer follow each other: one without it in between would close it, and to make
    another takes seconds. Else the files with the most tests are first.
    """
    if file in LONGEST:
        return 0, LONGEST.index(file), file
    return 1 + (not file.startswith(UI)), -n_tests[file], file


@pytest.fixture(scope="session", autouse=True)
def no_network():
    """Block connections to other computers: the package needs none."""
    connect = socket.socket.connect

    def only_here(self, address):
        if self.family in {socket.AF_INET, socket.AF_INET6} and self.type == socket.SOCK_STREAM:
            host = address[0]
            if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
                pytest.fail(f"a connection to {host} was attempted")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", only_here)
        yield


@pytest.fixture(scope="session")
def data_folder():
    """Return the folder with real microscopy data beside the repository, or skip the test."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data are not beside the repository (../shared/data)")
    return folder


@pytest.fixture
def put_job(monkeypatch):
    """Return a function that puts a job in the place of that of a method, by its action."""
    from napari_cellinr.methods import METHODS, method_of_action

    def put(action, job):
        method = method_of_action(action)
        monkeypatch.setitem(METHODS, method.name, replace(method, job=job))

    return put


@pytest.fixture
def pretended(monkeypatch):
    """Return a function that gives this machine a device, `cuda` or `mps`; see `pretend`.

    No step of a fit may read from it.
    """
    from pretend import Device, entered

    from napari_cellinr.fitting.optimise import _Loop

    with ExitStack() as stack:

        def give(name):
            there = dict.fromkeys(("cpu", name), "")
            monkeypatch.setattr(
                "napari_cellinr.fitting.resources.devices.available_devices", lambda: there
            )
            device, step = Device(name), _Loop.advance
            stack.enter_context(entered(device, monkeypatch))

            def advance(loop):
                with device.without_reads():
                    return step(loop)

            monkeypatch.setattr(_Loop, "advance", advance)
            return device

        yield give


@pytest.fixture(scope="session")
def rendered_as_told():
    """Return a function that renders, and checks that its geometry was told before."""
    from napari_cellinr.api import render
    from napari_cellinr.fitting.saved.stored import geometry
    from napari_cellinr.methods import geometry as told

    def check(fit, query):
        images = render(fit, query)
        assert geometry(images[0]) == geometry(told(replace(fit, tensors={}), query))
        return images

    return check
