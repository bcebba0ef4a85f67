"""What is said of a result that is static although motion was looked for."""

import pytest

from napari_cellinr.methods.nstm.checks import report


@pytest.mark.parametrize(
    ("static", "moved", "said", "forbids"),
    [
        (1.08, 1.08, "No motion was found", False),
        (1.10, 1.08, "No motion was found", False),
        (1.28, 1.08, "could not be determined", True),
    ],
)
def test_a_static_result_is_doubted_where_a_moving_one_fits_better(static, moved, said, forbids):
    text = report._no_motion(static, moved, explained=True)
    assert said in text
    assert f"{static:.2f}" in text
    assert ("Do not measure displacements" in text) == forbids
