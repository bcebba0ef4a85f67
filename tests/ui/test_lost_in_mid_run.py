"""What a running fit needs goes away: nothing hangs, and what was removed stays removed."""

import pytest

pytestmark = pytest.mark.gui


@pytest.fixture
def running(viewer, layer, dock, use_job, qtbot):
    """Return a job that has shown its first preview, and does not end on its own."""
    job = use_job(steps=1_000_000, seconds=0.05)
    dock.run()
    dock.controller._preview_seconds = 0.2
    qtbot.waitUntil(lambda: len(viewer.layers) > 1, timeout=30_000)
    yield job
    dock.controller.cancel()


def test_a_result_replaces_its_removed_layer(viewer, layer, dock, running, idle):
    viewer.layers.remove("denoised · membrane (running)")
    dock.controller.stop()
    idle(dock)
    assert [one.name for one in viewer.layers] == ["membrane", "denoised · membrane"]


def test_without_its_image_a_fit_is_cancelled(viewer, layer, dock, running, idle):
    viewer.layers.remove("membrane")
    idle(dock)
    assert running.closed
    assert len(viewer.layers) == 0


def test_other_data_do_not_change_a_running_fit(viewer, layer, dock, running, idle, stack):
    layer.data = stack[:3, :20, :24] + 1
    dock.controller.stop()
    idle(dock)
    assert viewer.layers["denoised · membrane"].data.shape == stack.shape
