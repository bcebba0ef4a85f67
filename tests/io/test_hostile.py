"""Files that were damaged, or made to do harm, are refused: the short form of the long run.

`benchmarks/files/fuzz.py` does the same for many more of them.
"""

import logging
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr.errors import FileError
from napari_cellinr.io import read

FOLDER = Path(__file__).parents[2] / "benchmarks" / "files"

pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not part of this copy"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux"),
    pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning"),
    # Children of fork read one file and end; the threads of the parent are of no use to them.
    pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Return the folder of the trials, with everything imported that readers need."""
    sys.path.insert(0, str(FOLDER))
    import seeds
    import trial

    folder = tmp_path_factory.mktemp("hostile")
    loggers = [logging.getLogger(name) for name in ("tifffile", "napari_cellinr")]
    trial.warm_up(seeds.make(folder / "warm"))  # which keeps their messages to themselves
    yield folder
    for logger in loggers:
        logger.propagate = True
    sys.path.remove(str(FOLDER))


def test_files_that_are_made_to_do_harm(places):
    import seeds
    import trial

    paths = seeds.bombs(places / "bombs")
    assert len(paths) > 20
    for path in paths:
        for limit in (None, 0):
            result = trial.attempt(path, limit=limit)
            # planes that ImageJ announces and a file lacks are left out, with a warning
            expected = "other" if path.name == "planes.tif" else "refused"
            assert result.kind == expected, (path.name, result)
            assert not result.is_fault, (path.name, result)


def test_mutations(places):
    """A few hundred, the same in every run."""
    import fuzz
    import mutate
    import seeds

    sound = seeds.make(places / "sound")
    digests = {path: fuzz.digest(path) for path in sound}
    assert all(digests.values())
    cut = fuzz.per_file(sound, lambda c: list(mutate.truncations(c))[:: max(1, len(c) // 250)])
    for name, cases in (("cut", cut), ("mutations", fuzz.mutations(sound, 20, seed=1))):
        row = fuzz.row(name, cases, digests, places, None)
        assert row["faults"] == 0
        assert row["refused"] > 10


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (lambda path: np.ones(2**29), "memory"),
        (lambda path: 1 / 0, "error"),
        (lambda path: os.kill(os.getpid(), signal.SIGKILL), "crash"),
    ],
)
def test_the_trials_find_faults(places, monkeypatch, harm, kind):
    import trial

    monkeypatch.setattr(trial, "_read", lambda path, limit: harm(path))
    assert trial.attempt(places / "none").kind == kind
    assert trial.attempt(places / "none").is_fault


def test_slow_reading_is_a_fault(places, monkeypatch):
    import trial

    spent = iter([0.0, 2 * trial.SECONDS])  # before and after reading
    monkeypatch.setattr(trial, "time", SimpleNamespace(process_time=lambda: next(spent)))

    def slow(path, limit):
        raise FileError("at last")

    monkeypatch.setattr(trial, "_read", slow)
    assert trial.attempt(places / "none").is_fault


def test_pipes_and_devices(tmp_path):
    os.mkfifo(tmp_path / "pipe.tif")
    with pytest.raises(FileError, match="pipe or a device"):
        read(tmp_path / "pipe.tif")
