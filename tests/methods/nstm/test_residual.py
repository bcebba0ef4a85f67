"""Errors of unseen pixels tell where, and by how much, the motion is wrong."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from napari_cellinr import Image, reconstruct
from napari_cellinr.methods.nstm.checks import report
from napari_cellinr.methods.nstm.checks.halves import Halves
from napari_cellinr.methods.nstm.checks.parts import HALF, THREE_QUARTERS, usual_part
from napari_cellinr.methods.nstm.checks.report import report_of
from napari_cellinr.methods.nstm.checks.residual import at_material, clear_edges, displacements
from napari_cellinr.methods.nstm.checks.texture import lost_part
from napari_cellinr.methods.nstm.rendering.render import Rendering

NOISE = 0.05


def scene(size=64, seed=0):
    spots = np.random.default_rng(seed).random((size, size)) < 0.02
    blurred = gaussian_filter(spots.astype(float), 2)
    return blurred / blurred.max()


def squared_errors(wrong, seed=1):
    """Return frames, and the squared errors of a prediction that is `wrong` pixels off in one half.

    Of three frames, the second has the fault.
    """
    still = scene()
    moved = np.where(np.arange(64) < 32, shift(still, (0, wrong), order=3), still)
    frames = np.stack([still, moved, still])
    frames = frames + np.random.default_rng(seed).normal(0, NOISE, frames.shape)
    return frames.astype(np.float32), ((frames - still) / NOISE) ** 2


def textured_half():
    slopes = sum(slope**2 for slope in np.gradient(scene()))
    there = gaussian_filter(slopes, 3) > np.quantile(gaussian_filter(slopes, 3), 0.6)
    return there[:, :28], there[:, 36:]


@pytest.mark.parametrize("wrong", [1.0, 2.0])
def test_the_displacement_is_found_where_it_is_wrong(wrong):
    frames, squares = squared_errors(wrong)
    found = displacements(squares, np.ones_like(squares), frames, np.full(frames.shape, NOISE))
    left, right = textured_half()
    assert np.median(found[1][:, :28][left]) == pytest.approx(wrong, rel=0.5)
    assert np.median(found[1][:, 36:][right]) == 0
    assert np.median(found[0]) == np.median(found[2]) == 0


def test_noise_alone_contradicts_nothing():
    frames, squares = squared_errors(0.0)
    found = displacements(squares, np.ones_like(squares), frames, np.full(frames.shape, NOISE))
    assert np.quantile(found, 0.99) < 0.3


def test_what_enters_and_leaves_at_the_edges_contradicts_nothing():
    shift = np.ones((2, 12, 40))
    clear_edges(shift, 3.2)
    assert shift[:, 3:9, 4:36].all()  # at most a quarter of the 12 rows
    assert shift.sum() == 2 * 6 * 32


def test_material_meets_what_is_where_it_goes():
    places = np.indices((8, 8), np.float32)
    moved = np.stack([places, places + 2])
    met = np.zeros((2, 4, 4), np.float32)
    met[1, 2, 2] = 3.0  # at pixel (4, 4) of the second frame
    found = at_material(met, moved, [0, 1])
    assert found[0].max() == 0
    assert found[1, 2, 2] == 3.0  # the material of pixel (2, 2) is there then
    assert found[1, 4, 4] == 0


def test_what_moves_against_its_neighbours_is_not_called_right():
    """Two rows of spots that pass each other: an error, a warning that says where, lost tracks."""
    y, x = np.indices((40, 40))
    frames = []
    for n in range(6):
        spots = [(20, 6 + 5 * n, 1.0), (20, 34 - 5 * n, 1.0), (8, 12, 0.8), (32, 28, 0.8)]
        frames.append(sum(h * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 10) for a, b, h in spots))
    raw = np.array(frames) + np.random.default_rng(0).normal(0, 0.02, (6, 40, 40))
    image = Image(raw.astype(np.float32), "TYX")
    found = reconstruct(image, "time-lapse", steps=60, restart=False)
    assert not found.report["converged"]
    told = " ".join(found.report["warnings"])
    assert "Do not" in told or "does not explain the frames" in told


def results(error, moved):
    """Return the images of a reconstruction with texture everywhere, 3 times, 20 × 20 pixels."""
    scene = np.broadcast_to(np.random.default_rng(0).random((20, 20)), (3, 20, 20))
    motion = np.broadcast_to(np.reshape(moved, (3, 2, 1, 1)), (3, 2, 20, 20))
    blank = np.zeros((3, 20, 20), np.float32)
    arrays = [(scene, "TYX"), (motion, "TCYX"), (blank, "TYX"), (blank, "TYX"), (error, "TYX")]
    return [Image(np.array(values, np.float32), axes) for values, axes in arrays]


def test_the_lost_part_and_its_place():
    error = np.zeros((3, 20, 20))
    assert lost_part(results(error, [(0, 0)] * 3), error, 0) == (0.0, ())
    error[2, 4:9, 10:15] = 1.5
    error[1, 17, 3] = 1.5
    part, place = lost_part(results(error, [(0, 0)] * 3), error, 0)
    assert part == pytest.approx(26 / 400)
    assert place == (6, 12)


def checked(usual, error):
    """Return a fit of which a part of the texture has these errors, in a form for the report."""
    frames = np.zeros((3, 20, 20), np.float32)
    errors = [np.full((3, 20, 20), 0.3) for _ in range(2)]
    for values, wrong in zip(errors, (usual, error), strict=True):
        values[2, :6] = wrong
    problem = SimpleNamespace(
        facts=lambda: {"misfit": 1.0, "warnings": []},
        config=SimpleNamespace(moving=True, reference=0, optics=None, as_dict=dict),
        optics=SimpleNamespace(nonnegative=True),
        halves=Halves((), True, 1.0, 2.0),
        other_error=None,
        usual_error=errors[0],
        device="cpu",
        measurement=SimpleNamespace(frames=frames, unit=1.0),
        plan=SimpleNamespace(bad=frames > 0),
    )
    return problem, results(errors[1], [(0, 0)] * 3)


@pytest.mark.parametrize(("usual", "error", "told"), [(0.9, 1.5, 0), (1.1, 1.5, 1), (1.1, 1.1, 1)])
def test_a_part_is_doubted_where_the_usual_error_is_a_pixel(usual, error, told):
    """Nine of ten points are nearer to the truth than the image of the error says."""
    problem, images = checked(usual, error)
    outcome = SimpleNamespace(held_out=1.0, stopped="steps", steps=9)
    found = report_of(problem, outcome, [], images)
    assert len(found["warnings"]) == told
    assert found["converged"] == (not told)
    assert found["lost_part"] == pytest.approx(0.3 * told)


def test_structure_is_not_looked_for_where_no_motion_was_checked(monkeypatch):
    problem, images = checked(0.3, 0.3)
    problem.halves = problem.usual_error = None
    monkeypatch.setattr(report, "shown", lambda _: pytest.fail("it was looked for"))
    outcome = SimpleNamespace(held_out=1.0, stopped="steps", steps=9)
    assert report_of(problem, outcome, [], images)["motion_error"] is None


def test_the_error_of_a_phase_is_a_usual_one():
    assert usual_part(seen=THREE_QUARTERS, layers=1) == 1
    assert usual_part(seen=HALF, layers=1) == usual_part(seen=THREE_QUARTERS, layers=2) == 0.62


def test_errors_that_all_fits_share_count_fully():
    """What fits differ by is a bound; the contradiction of the frames is the error itself."""
    error, shared = np.full((1, 4, 4), 1.2, np.float32), np.zeros((1, 4, 4), np.float32)
    shared[0, 0, 0] = 1.1
    rendering = SimpleNamespace(
        model=SimpleNamespace(shape=SimpleNamespace(layers=1)),
        settings={"seen": HALF},
        shift=shared,
        scene=lambda _: None,
        errors=lambda *_: error,
        _confidence=lambda _: np.ones((1, 4, 4)),
        _between=lambda *_: shared * 0,
        _met=lambda *_: shared,
    )
    largest, usual = Rendering._errors_with_noise(rendering, [0.0], 0.0)
    assert largest == pytest.approx(error)
    assert usual[0, 0, 0] == pytest.approx(1.1)
    assert usual[0, 1:] == pytest.approx(0.62 * 1.2)


def test_material_that_leaves_the_image_is_not_lost():
    """It moves to the left by 10 pixels: what began left of them is outside at the last time."""
    error = np.zeros((3, 20, 20))
    error[2, :, :10] = 5
    assert lost_part(results(error, [(0, 0), (0, -5), (0, -10)]), error, 0) == (0.0, ())
    assert lost_part(results(error, [(0, 0), (0, -5), (0, -9)]), error, 0)[0] == pytest.approx(
        1 / 20
    )
