"""One click shows where a result is not to be trusted."""

from dataclasses import replace

import numpy as np
import pytest

from napari_cellinr import Image
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.ui.docks.reconstruct import ReconstructDock
from napari_cellinr.ui.session.work.doubt import doubt_of, overlay_of

pytestmark = pytest.mark.gui


def with_error(job, first=10.0):
    """Let a fake fit return a standard error, which is large in the first plane."""
    plain = job.fitted

    def fitted(image, config, stopped):
        made = plain(image, config, stopped)
        error = np.full(image.shape, 0.001, np.float32)
        error[0] = first
        images = (*made.images, image.like(error, name="standard error"))
        return replace(made, images=images, roles=("result", "error"), state={"w": np.zeros(1)})

    job.fitted = fitted


def test_the_overlay_marks_doubtful_voxels_and_is_toggled(viewer, layer, dock, use_job, idle):
    with_error(use_job())
    dock.run()
    idle(dock)
    result = viewer.layers["denoised · membrane"]
    button = dock.fit_actions.doubt_button
    assert button.isEnabled()
    button.click()
    idle(dock)
    overlay = overlay_of(viewer, result)
    assert overlay.name == "doubt · denoised · membrane"
    np.testing.assert_allclose(overlay.extent.world, layer.extent.world)
    assert (overlay.data[0] == 1).all()
    assert (overlay.data[1:] < 0.25).all()
    colours = overlay.colormap.map(np.array([0.2, 0.6]))
    assert colours[0, 3] == 0  # what can be trusted is not covered
    assert colours[1, 3] > 0.5
    assert "17 % of the image" in dock.panel.status.text()
    button.click()
    assert not overlay.visible
    button.click()
    assert overlay.visible
    assert len([one for one in viewer.layers if one.name.startswith("doubt")]) == 1


def test_where_no_error_is_large_it_is_said_that_nothing_is_red(viewer, dock, use_job, idle):
    with_error(use_job(), first=0.001)
    dock.run()
    idle(dock)
    dock.fit_actions.doubt_button.click()
    idle(dock)
    assert "nothing is red" in dock.panel.status.text()


def test_without_an_estimate_the_button_says_where_there_is_one(dock, use_job, idle):
    job = use_job()
    plain = job.fitted
    job.fitted = lambda *given: replace(plain(*given), state={"w": np.zeros(1)})
    dock.run()
    idle(dock)
    assert not dock.fit_actions.doubt_button.isEnabled()
    assert "preset best" in dock.fit_actions.doubt_button.toolTip()


def test_the_confidence_of_a_motion_is_shown_by_the_same_button(viewer, use_job, idle, stack):
    job = use_job("reconstruct")
    plain = job.fitted

    def fitted(image, config, stopped):
        made = plain(image, config, stopped)
        sure = np.ones(image.shape, np.float32)
        sure[:, :10] = 0.1
        images = (*made.images[:3], image.like(sure, name="confidence"))
        return replace(made, images=images, state={"w": np.zeros(1)})

    job.fitted = fitted
    units = ("second", "micrometer", "micrometer")
    viewer.add_image(stack, name="worm", scale=(2, 0.5, 0.5), units=units, axis_labels="tyx")
    dock = ReconstructDock(viewer)
    viewer.window.add_dock_widget(dock, name="Reconstruct motion")
    dock.run()
    idle(dock)
    dock.fit_actions.doubt_button.click()
    idle(dock)
    overlay = overlay_of(viewer, viewer.layers["reconstructed · worm"])
    assert overlay.visible
    np.testing.assert_allclose(overlay.data[:, :10], 0.9, atol=1e-6)
    assert not overlay.data[:, 10:].any()
    np.testing.assert_allclose(overlay.extent.world, viewer.layers["worm"].extent.world)


def test_motion_is_doubtful_where_its_confidence_is_low_or_its_error_large():
    scene = Image(np.ones((2, 4, 4), np.float32), "TYX")
    confidence, error = np.ones((2, 4, 4), np.float32), np.zeros((2, 4, 4), np.float32)
    confidence[0, 0], error[1, 1], error[1, 2] = 0.2, 0.5, np.nan
    images = (scene, scene.like(confidence), scene.like(error))
    roles = ("result", "confidence", "motion-error")
    doubt = doubt_of(Fitted(images, None, {}, (), "steps", {}, "nstm", roles)).array()
    np.testing.assert_allclose(doubt[0, 0], 0.8, atol=1e-6)
    np.testing.assert_allclose(doubt[1, 1], 0.5)
    np.testing.assert_allclose(doubt[1, 2], 1)  # not known
    assert np.count_nonzero(doubt) == 12
