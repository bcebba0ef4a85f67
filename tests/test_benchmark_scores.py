"""The scores of the denoising benchmark are what its report says they are."""

from pathlib import Path

import numpy as np
import pytest

from napari_cellinr.simulate.embryo import embryo

FOLDER = Path(__file__).parents[1] / "benchmarks" / "denoise"


@pytest.fixture(autouse=True)
def benchmark_folder(monkeypatch):
    if not FOLDER.is_dir():
        pytest.skip("the benchmarks are not part of this copy")
    monkeypatch.syspath_prepend(FOLDER.parent)  # for `common`
    monkeypatch.syspath_prepend(FOLDER)


def test_profiles_compare_shapes_only():
    from scores import profile_correlation

    truth = np.random.default_rng(0).random((4, 32, 32)).astype(np.float32)
    assert profile_correlation(3 * truth + 5, truth) == pytest.approx(1)
    assert profile_correlation(-truth, truth) == pytest.approx(-1)
    assert profile_correlation(np.zeros_like(truth), truth) == 0


def test_gain_and_offset_are_fitted():
    from scores import fitted

    truth = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    np.testing.assert_allclose(fitted(0.1 * truth - 7, truth), truth, atol=1e-4)


def test_watershed_on_the_truth_finds_the_cells():
    from segment import cell_dice

    sample = embryo(size=(16, 48, 48), seed=0, n_cells=6)
    labels = sample.labels.array()
    on_truth = cell_dice(sample.truth.array(), labels, 0.0)
    assert on_truth > 0.9
    assert on_truth > cell_dice(sample.raw.array(), labels, 0.0)


def test_a_run_is_found_by_all_that_it_depends_on(tmp_path, monkeypatch):
    import store
    from catalogue import by_name
    from data import simulated

    monkeypatch.setattr(store, "BUILD", tmp_path)
    case, nlm = simulated("nuclei", "paper", 0), by_name("nlm")
    first, second = (store.run_path(case, nlm, settings) for settings in nlm.volumes[:2])
    assert first != second
    assert first == store.run_path(case, nlm, dict(nlm.volumes[0]))
    assert store.find_run(case, nlm, nlm.volumes[0]) is None


def test_a_run_of_the_plugin_depends_on_code_that_exists():
    import store

    assert store._code("ours") != store._code("peers_classic")
