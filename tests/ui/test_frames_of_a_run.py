"""Between a report of progress and the dock, no more than five generators pass it on."""

import numpy as np
import pytest

from napari_cellinr import CellINRConfig, Image, NSTMConfig, SpatimeConfig
from napari_cellinr.methods import METHODS
from napari_cellinr.runs.request import CheckpointPlace, RunRequest, start
from napari_cellinr.ui.session.job.worker import _drive, _Mailbox

MOST = 5

TINY = {"preset": "paper", "steps": 2, "neurons": 8, "batch": 64, "device": "cpu"}


def movie(*shape):
    units = ("second", *("micrometer",) * (len(shape) - 1))
    values = np.random.default_rng(0).random(shape, np.float32) * 100
    axes = "TZYX" if len(shape) == 4 else "TYX"
    return Image(values, axes, (2.0, *(1.0, 0.2, 0.2)[-len(shape) + 1 :]), units)


class Poor:
    """A computer with so little memory that a frame is fitted in tiles."""

    available = 1.3e7


RUNS = {
    "a frame": ("cellinr", Image(movie(1, 24, 24).array()[0]), CellINRConfig(steps=3)),
    "frames one by one": (
        "cellinr", movie(2, 20, 20), CellINRConfig(steps=3, estimate="nlm-2", coupling=False),
    ),
    "frames together": ("cellinr", movie(2, 20, 20), CellINRConfig(steps=3)),
    "tiles": (
        "cellinr", Image(movie(1, 6, 40, 72).array()[0]), CellINRConfig(steps=3, estimate="nlm-2"),
    ),
    "denoising as published": (
        "cellinr", Image(movie(1, 20, 20).array()[0]), CellINRConfig(**TINY, points=8),
    ),
    "frames and planes": (
        "spatime", movie(4, 8, 40, 40),
        SpatimeConfig(scale={"t": 2, "z": 2}, steps=4, refinement=0.1, device="cpu"),
    ),
    "super-resolution as published": (
        "spatime", movie(4, 16, 16), SpatimeConfig(**TINY, latent=4, scale={"t": 2}),
    ),
    "a moving scene": ("nstm", movie(4, 16, 16), NSTMConfig(steps=4, device="cpu")),
}  # fmt: skip


def chain(generator):
    """Return the names of the generators from the outermost one to the one that has yielded."""
    names = []
    while generator is not None:
        names.append(generator.__name__)
        generator = getattr(generator, "gi_yieldfrom", None)
    return names


@pytest.mark.gui
@pytest.mark.parametrize("name", RUNS)
def test_a_few_generators_pass_progress_on(name, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)
    if name == "tiles":
        monkeypatch.setattr("psutil.virtual_memory", Poor)
    method, image, config = RUNS[name]
    place = CheckpointPlace(tmp_path / "job", every=0)
    request = RunRequest(METHODS[method], image, config, checkpoint=place)
    jobs = []
    worker = _drive([lambda: jobs.append(start(request)) or jobs[0]], _Mailbox())
    longest = {}
    for progress in worker:
        found = [*chain(worker), *chain(jobs[0])]
        stage = progress.stage.partition(",")[0] if progress.step else "without steps"
        longest[stage] = max(longest.get(stage, []), found, key=len)
    for stage, names in longest.items():
        print(f"{name}, {stage}: {' > '.join(names)}")  # noqa: T201
        assert names[-1] == "report"
        assert len(names) <= MOST + 2
    assert len(longest) > 1
