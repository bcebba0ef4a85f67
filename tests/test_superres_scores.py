"""The cases and scores of the super-resolution benchmark are what its report says they are."""

import sys
from pathlib import Path

import numpy as np
import pytest

from napari_cellinr.classic.interpolate import interpolate
from napari_cellinr.image import Image
from napari_cellinr.simulate.cells import cells

FOLDER = Path(__file__).parents[1] / "benchmarks" / "superres"
MODULES = ("data", "scores", "store", "peers", "settings")


@pytest.fixture(autouse=True)
def benchmark_folder(monkeypatch):
    if not FOLDER.is_dir():
        pytest.skip("the benchmarks are not part of this copy")
    monkeypatch.syspath_prepend(FOLDER.parent)  # for `common`
    monkeypatch.syspath_prepend(FOLDER)
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def sample():
    return cells((3, 6, 40, 40), seed=1, refine=(4, 2), n_cells=3)


def made(sample, scale):
    from data import Case, _pair

    low, truth = _pair(sample.truth, scale)
    return Case("c", "c", "simulated", low, scale, truth, 255.0, sample.labels.array())


@pytest.mark.parametrize("scale", [{"t": 2.0}, {"t": 4.0}, {"z": 2.0}])
def test_output_and_truth_share_their_lattice(sample, scale):
    case = made(sample, scale)
    result = interpolate(case.low, scale, "linear")
    assert result.shape == case.truth.shape
    if "t" in scale:
        given = [i for i in range(len(case.truth)) if i not in case.scored]
        np.testing.assert_allclose(result.array()[given], case.truth[given], atol=1e-4)
    else:
        assert len(case.scored) == len(case.truth)


def test_planes_are_means_and_their_edges_agree(sample):
    case = made(sample, {"z": 2.0})
    np.testing.assert_allclose(case.low.array()[0, 0], case.truth[0, :2].mean(axis=0), rtol=1e-5)
    result = interpolate(case.low, {"z": 2}, "linear")
    for key in ("scale", "translate"):
        assert getattr(result, key) == pytest.approx(getattr(sample.truth, key))


def test_the_truth_has_perfect_shapes_and_a_blend_has_not(sample):
    from scores import shapes

    case = made(sample, {"t": 4.0})
    perfect = shapes(case, case.truth)
    assert perfect == {"dice": 1.0, "bsa": 0.0}
    blended = shapes(case, interpolate(case.low, {"t": 4}, "linear").array())
    assert blended["dice"] < 0.99
    assert blended["bsa"] > 0


def test_thinning_keeps_every_frame_that_is_said(sample):
    from data import _pair

    series = Image(np.arange(10.0)[:, None, None] * np.ones((10, 4, 4)), "TYX")
    low, truth = _pair(series, {"t": 3.0})
    assert low.array()[:, 0, 0].tolist() == [0, 3, 6, 9]
    assert len(truth) == 10
    low, truth = _pair(series, {"t": 2.0})
    assert low.array()[:, 0, 0].tolist() == [0, 2, 4, 6, 8]
    assert len(truth) == 9


def test_runs_depend_on_code_that_exists():
    from peers import CUNERF, METHODS, OURS
    from store import code_of

    assert len({code_of(method) for method in (METHODS[0], CUNERF, OURS)}) == 3
