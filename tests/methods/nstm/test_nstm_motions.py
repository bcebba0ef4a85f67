"""Known motions under alternating light: found from all patterns together, or doubted aloud."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import reconstruct

FOLDER = Path(__file__).parents[3] / "benchmarks" / "nstm"
SEED = 1


@pytest.fixture(scope="module")
def benchmark():
    """The simulation and the scores of the benchmark, without leaving their names behind."""
    if not FOLDER.is_dir():
        pytest.skip("the benchmarks are not part of this copy")
    names = ("motions", "data", "scores")
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(FOLDER))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(FOLDER))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def fit(benchmark, family, strength, *, data_seed=SEED, **settings):
    motion = benchmark.motions.Motion(family, strength)
    recording = benchmark.data.phase_contrast(motion, data_seed)
    fitted = reconstruct(
        recording.image, recording.optics, restart=False, check_motion=False, **settings
    )
    forward = fitted.image("motion").array() / benchmark.data.STEP
    residual, _ = benchmark.scores.spread(recording, forward, everywhere=False)
    phase = fitted.image("result").array()[:, 1]
    return fitted, residual, benchmark.scores.correlation(phase, recording.truth)


def test_a_large_translation_is_found(benchmark):
    fitted, residual, correlation = fit(benchmark, "translation", 16, data_seed=100)
    assert residual < 0.1, (residual, correlation)
    assert correlation > 0.99
    assert fitted.report["converged"]


def test_without_coarse_to_fine_it_is_missed_and_said(benchmark):
    settings = {"coarse_to_fine": False, "steps": 200, "unexplained": "off"}
    fitted, residual, correlation = fit(benchmark, "translation", 16, **settings)
    assert residual > 2
    assert correlation < 0.9
    assert "not converged" in " ".join(fitted.report["warnings"])


def test_motion_too_fine_to_follow_is_said(benchmark):
    fitted, residual, _ = fit(benchmark, "local", 3, steps=200, unexplained="off")
    assert residual > 0.5
    assert "not converged" in " ".join(fitted.report["warnings"])


def test_what_is_still_does_not_move(benchmark):
    fitted, residual, _ = fit(benchmark, "translation", 0, steps=300)
    assert residual < 0.1
    assert fitted.report["misfit"] < 1.1


def test_truth_and_its_inverse_agree(benchmark):
    points = np.random.default_rng(0).uniform(10, 50, (2, 40))
    for family, strength in (("rotation", 30), ("swirl", 0.5), ("local", 1), ("shear", 0.4)):
        motion = benchmark.motions.Motion(family, strength)
        there = motion.forward(points, 0.9)
        np.testing.assert_allclose(motion.backward(there, 0.9), points, atol=1e-6)
