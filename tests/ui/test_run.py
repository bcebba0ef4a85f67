"""A job in the dock: run, watch, pause, stop, cancel, fail."""

import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from napari.utils.notifications import notification_manager

from napari_cellinr import api
from napari_cellinr.errors import AxesError
from napari_cellinr.fitting.problem import PreviewRequest, Progress
from napari_cellinr.fitting.saved.stored import digest
from napari_cellinr.image import Image
from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.layers.convert import named
from napari_cellinr.ui.preferences import Preferences
from napari_cellinr.ui.session import controller
from napari_cellinr.ui.session.actions import source_of
from napari_cellinr.ui.session.job import devices, pace, worker
from napari_cellinr.ui.widgets.plots import LossPlot

pytestmark = pytest.mark.gui


class OutOfMemoryError(RuntimeError):
    """What torch raises: a RuntimeError, which workers swallow."""


def by_name(viewer, name):
    return next((layer for layer in viewer.layers if layer.name == name), None)


def test_run_puts_the_result_beside_its_source(viewer, layer, dock, use_job, idle, stack):
    viewer.add_image(stack, name="other")
    selected = viewer.layers.selection.active.name
    use_job()
    dock.source.choose(layer.unique_id)
    dock.run()
    assert dock.controller.state == "running"
    assert dock.panel.run_button.text() == "Queue"
    assert not dock.panel.preview_button.isEnabled()
    idle(dock)
    result = by_name(viewer, "denoised · membrane")
    np.testing.assert_array_equal(result.data, stack / 2)
    assert [one.name for one in viewer.layers] == ["membrane", "denoised · membrane", "other"]
    assert viewer.layers.selection.active.name == selected
    assert result.metadata["napari-cellinr"]["seconds"] == 1.25
    assert "not converged" in notification_manager.records[-1].message
    assert "finished in" in dock.panel.status.text()
    assert dock.panel.run_button.isEnabled()
    assert dock.panel._plot is not None


def test_every_layer_of_a_result_has_the_record_of_its_fit(
    viewer, layer, dock, use_job, idle, stack, monkeypatch
):
    def two_images(image, config, stopped):
        made = one_image(image, config, stopped)
        haze = made.images[0].like(made.images[0].array() + 1, name="haze")
        report = {**made.report, "versions": {"torch": "2"}}
        return replace(made, images=(*made.images, haze), report=report)

    job = use_job()
    one_image, job.fitted = job.fitted, two_images
    dock.form.field("seed").set_value("4")
    dock.run()
    idle(dock)
    data = digest(Image(stack, "ZYX"))
    assert [one.name for one in viewer.layers] == ["membrane", "denoised · membrane"]
    dock.fit_actions.show_button.fill()
    (haze,) = dock.fit_actions.show_button.entries.actions()
    assert (haze.text(), haze.isChecked()) == ("haze", False)
    haze.trigger()
    for name in ("denoised · membrane", "haze · membrane"):
        record = by_name(viewer, name).metadata["napari-cellinr"]
        assert (record["digest"], record["config"]["seed"]) == (data, 4)
        assert record["versions"] == {"torch": "2"}
        assert source_of(by_name(viewer, name)).path == ""
    monkeypatch.setattr(api, "render", lambda fit, query: fit.images)
    dock.dispatcher.render("denoised · membrane", {"scale": {"Z": 2}})
    idle(dock)
    for name in ("rendered · denoised · membrane", "rendered · haze · membrane"):
        assert by_name(viewer, name).metadata["napari-cellinr"]["digest"] == data


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("expected all tensors to be on one device"), "one device"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB"), "not enough memory"),
        (ZeroDivisionError("division by zero"), "division by zero"),
    ],
)
def test_an_error_is_one_message_and_leaves_the_dock_usable(
    viewer, dock, use_job, idle, error, words
):
    before = len(notification_manager.records)
    job = use_job(error=error)
    dock.run()
    idle(dock)
    messages = [record.message for record in notification_manager.records[before:]]
    assert len(messages) == 1
    assert words in messages[0]
    assert words in dock.panel.status.text()
    assert job.closed
    assert [one.name for one in viewer.layers] == ["membrane"]
    use_job()
    dock.panel.run_button.click()
    idle(dock)
    assert by_name(viewer, "denoised · membrane") is not None


def test_stop_keeps_the_partial_result(viewer, dock, use_job, idle, qtbot):
    job = use_job(steps=10_000)
    dock.run()
    dock.panel.stop_button.click()  # before the first step, when a generator takes no message
    idle(dock)
    assert by_name(viewer, "denoised · membrane") is not None
    assert "stopped by you" in dock.panel.status.text()
    assert job.sent[-1] == "stop"


def test_a_stop_of_work_without_steps_is_said(dock, layer, idle):
    released = threading.Event()
    job = controller.background_job("rendering", released.wait)
    dock.controller.begin(controller.Work("rendering", job, print, layer.unique_id, quick=True))
    dock.controller.stop()
    idle(dock)
    released.set()
    assert dock.panel.status.text() == "Stopped; nothing was changed."


def test_words_are_said_again_to_a_stage_that_does_not_listen():
    mailbox = worker._Mailbox()
    assert mailbox.next_message() is None
    mailbox.paused.set()
    request = PreviewRequest({"Z": 1})
    mailbox.put_request(PreviewRequest())
    mailbox.put_request(request)
    assert [mailbox.next_message() for _ in range(3)] == [request, "pause", "pause"]
    mailbox.put_request(request)
    mailbox.paused.clear()
    assert [mailbox.next_message() for _ in range(3)] == ["resume", request, None]
    mailbox.stopped.set()
    assert [mailbox.next_message() for _ in range(2)] == ["stop", "stop"]


def test_cancel_drops_the_result(viewer, dock, use_job, idle, qtbot, monkeypatch):
    monkeypatch.setattr(controller, "preferences", lambda: Preferences(preview_seconds=0))
    job = use_job(steps=10_000)
    dock.run()
    qtbot.waitUntil(lambda: by_name(viewer, "denoised · membrane (running)") is not None)
    dock.panel.cancel_button.click()
    idle(dock)
    assert job.closed
    assert [one.name for one in viewer.layers] == ["membrane"]


def test_pause_and_resume(dock, use_job, idle, qtbot):
    job = use_job(steps=60)
    job.may_go_on.clear()
    dock.run()
    qtbot.waitUntil(lambda: job.step > 0)
    dock.panel.pause_button.click()
    job.may_go_on.set()
    assert dock.panel.pause_button.text() == "Resume"
    qtbot.waitUntil(lambda: "pause" in job.sent)
    step = job.step
    qtbot.wait(100)
    assert job.step == step
    dock.panel.pause_button.click()
    idle(dock)
    assert job.step == 60


def test_previews_come_in_place_and_follow_the_slider(
    viewer, layer, dock, use_job, idle, qtbot, monkeypatch, stack
):
    monkeypatch.setattr(controller, "preferences", lambda: Preferences(preview_seconds=0))
    job = use_job(steps=10_000)
    dock.form.field("background").set_value("keep")
    viewer.dims.set_current_step(0, 2)
    dock.run()
    qtbot.waitUntil(lambda: by_name(viewer, "denoised · membrane (running)") is not None)
    live = by_name(viewer, "denoised · membrane (running)")
    np.testing.assert_allclose(live.data[2], stack[2] + 1)
    assert not live.data[0].any()
    assert tuple(live.contrast_limits) == (0.1, 0.9)
    live.contrast_limits = (0.2, 0.7)
    viewer.dims.set_current_step(0, 4)
    qtbot.waitUntil(lambda: live.data[4].any())
    viewer.dims.ndisplay = 3
    qtbot.waitUntil(lambda: live.data.shape == (6, 20, 24))
    np.testing.assert_allclose(live.scale, (0.43, 0.36, 0.4))
    viewer.dims.ndisplay = 2
    qtbot.waitUntil(lambda: live.data.shape == stack.shape)
    dock.panel.stop_button.click()
    idle(dock)
    assert live.name == "denoised · membrane"
    assert tuple(live.contrast_limits) == (0.2, 0.7)
    np.testing.assert_allclose(live.scale, layer.scale)
    assert PreviewRequest({"Z": 4}) in job.sent


def test_quick_look_is_a_crop_that_lies_in_place(viewer, layer, dock, use_job, idle):
    job = use_job()
    viewer.dims.set_current_step(0, 3)
    dock.form.field("steps").set_value(5000)
    dock.form.field("structure").set_value("blob")
    dock.panel.preview_button.click()
    idle(dock)
    assert job.configs[-1].preset == "preview"
    assert job.configs[-1].structure == "blob"
    assert job.configs[-1].steps < 5000
    preview = by_name(viewer, "preview · membrane")
    world = preview.data_to_world((0, 0, 0))
    start = [round(place) for place in layer.world_to_data(world)]
    np.testing.assert_allclose(job.images[-1].translate, preview.translate)
    assert preview.data.shape == job.images[-1].shape
    assert start[0] + preview.data.shape[0] > 3 >= start[0]
    dock.panel.preview_button.click()
    idle(dock)
    assert sum("preview" in one.name for one in viewer.layers) == 1


def test_what_is_newest_lies_over_what_came_from_the_same_source(
    viewer, layer, dock, use_job, idle, qtbot, monkeypatch, stack
):
    monkeypatch.setattr(controller, "preferences", lambda: Preferences(preview_seconds=0))
    job = use_job()
    dock.preview()
    idle(dock)
    arrows = viewer.add_vectors(np.zeros((1, 2, 3)), name="arrows")
    viewer.add_image(stack, name="other")
    selected = list(viewer.layers.selection)
    preview = by_name(viewer, "preview · membrane")
    job.steps = 10_000
    dock.source.choose(layer.unique_id)
    dock.run()
    qtbot.waitUntil(lambda: by_name(viewer, "denoised · membrane (running)") is not None)
    assert not preview.visible  # with the first image of the run
    dock.panel.stop_button.click()
    idle(dock)
    job.steps = 5
    dock.run()
    idle(dock)
    names = ["membrane", "preview · membrane", "denoised · membrane", "denoised · membrane [1]"]
    assert [one.name for one in viewer.layers] == [*names, "arrows", "other"]
    dock.preview()
    idle(dock)
    assert [one.name for one in viewer.layers][:4] == [names[0], *names[2:], names[1]]
    assert preview.visible
    assert arrows.visible
    assert list(viewer.layers.selection) == selected


def test_the_result_is_named_after_a_source_that_was_renamed_meanwhile(
    viewer, layer, dock, use_job, idle, qtbot
):
    job = use_job()
    job.may_go_on.clear()
    dock.run()
    qtbot.waitUntil(lambda: job.step > 0)
    layer.name = "something else"
    job.may_go_on.set()
    assert dock.source.combo.currentText() == "something else"
    idle(dock)
    assert by_name(viewer, "denoised · something else") is not None
    assert by_name(viewer, "denoised · membrane") is None


def test_removing_the_source_ends_the_job(viewer, layer, dock, use_job, idle, qtbot):
    job = use_job(steps=10_000)
    dock.run()
    qtbot.waitUntil(lambda: job.step > 2)
    viewer.layers.remove(layer)
    idle(dock)
    assert job.closed
    assert len(viewer.layers) == 0
    assert "source layer was removed" in dock.panel.status.text()
    assert not dock.panel.run_button.isEnabled()


def test_what_waits_for_a_layer_goes_with_it_in_one_sentence(
    viewer, layer, dock, use_job, idle, qtbot, stack
):
    job = use_job(steps=10_000)
    viewer.add_image(stack, name="other", axis_labels=("z", "y", "x"))
    dock.source.choose(layer.unique_id)
    for _ in range(3):
        dock.run()
    dock._console.save("not there yet", "never.tif")
    qtbot.waitUntil(lambda: job.step > 2)
    notified = len(notification_manager.records)
    viewer.layers.remove(layer)
    assert dock.panel.status.text() == (
        "Layer “membrane” was removed: its run is cancelled, and what waited for it is dropped."
    )
    qtbot.waitUntil(lambda: not dock.dispatcher.is_busy)
    assert len(job.images) == 1
    told = [one.message for one in notification_manager.records[notified:]]
    (last,) = (text for text in told if "could not begin" in text)
    assert "'not there yet'" in last  # which was asked for by its name alone
    with pytest.raises(
        AxesError, match=r"no layer named 'membrane' in this viewer; its layers are 'other'"
    ):
        named(viewer, layer)


def test_removing_the_live_layer_leaves_the_job_alone(
    viewer, dock, use_job, idle, qtbot, monkeypatch
):
    monkeypatch.setattr(controller, "preferences", lambda: Preferences(preview_seconds=0))
    job = use_job(steps=10_000)
    dock.run()
    qtbot.waitUntil(lambda: by_name(viewer, "denoised · membrane (running)") is not None)
    viewer.layers.remove(by_name(viewer, "denoised · membrane (running)"))
    step = job.step
    qtbot.waitUntil(lambda: job.step > step + 3)
    assert len(viewer.layers) == 1
    dock.panel.stop_button.click()
    idle(dock)
    assert [one.name for one in viewer.layers] == ["membrane", "denoised · membrane"]


def test_two_docks_share_one_job(viewer, dock, use_job, idle):
    second = DenoiseDock(viewer)
    viewer.window.add_dock_widget(second, name="again")
    third = DenoiseDock(getattr(viewer, "__wrapped__"))  # noqa: B009
    assert dock.controller is second.controller is third.controller
    third.deleteLater()
    job = use_job(steps=30)
    dock.run()
    second.preview()
    assert "A job is running" in second.panel.status.text()
    idle(second)
    assert len(job.images) == 1
    assert "finished in" in second.panel.status.text()


def test_runs_queue_up_and_one_that_fails_does_not_stop_the_others(
    viewer, layer, dock, use_job, idle, qtbot
):
    other = DenoiseDock(viewer)
    viewer.window.add_dock_widget(other, name="again")
    job = use_job(steps=30)
    dock.panel.run_button.click()
    other.panel.run_button.click()
    dock._console.denoise("not there yet")
    dock._console.denoise("denoised · membrane", background="keep")
    assert "Queue: denoising of membrane, denoising of not there yet" in dock.panel.queue.text()
    assert not other.panel.queue.isHidden()
    qtbot.waitUntil(lambda: not dock.dispatcher.is_busy)
    assert [one.name for one in viewer.layers] == [
        "membrane",
        "denoised · membrane",
        "denoised · membrane [1]",
        "denoised · denoised · membrane",
    ]
    assert [config.background for config in job.configs] == ["subtract", "subtract", "keep"]
    assert any("not there yet" in one.message for one in notification_manager.records)
    assert dock.panel.queue.isHidden()


def test_the_queue_can_be_cleared(dock, use_job, idle):
    job = use_job(steps=30)
    dock.run()
    dock.run()
    dock.panel.clear_button.click()
    idle(dock)
    assert len(job.images) == 1
    assert not dock.dispatcher.is_busy


def test_a_layer_with_other_data_gets_the_result_of_what_was_given(
    viewer, layer, dock, use_job, idle, qtbot, stack
):
    job = use_job()
    job.may_go_on.clear()
    dock.run()
    qtbot.waitUntil(lambda: job.step > 0)
    layer.data = np.zeros((3, 3), np.float32)  # replaced while the job runs
    job.may_go_on.set()
    idle(dock)
    result = next(one for one in viewer.layers if one is not layer and one.name != "membrane")
    np.testing.assert_array_equal(result.data, stack / 2)
    np.testing.assert_allclose(result.scale, (0.43, 0.18, 0.2))


def test_closing_the_viewer_ends_the_job(make_napari_viewer, use_job, qtbot, stack):
    viewer = make_napari_viewer()
    viewer.add_image(stack, name="a", axis_labels=("z", "y", "x"))
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    job = use_job(steps=100_000)
    dock.run()
    qtbot.waitUntil(lambda: job.step > 2)
    viewer.close()
    qtbot.waitUntil(lambda: job.closed)
    qtbot.wait(100)


def test_memory_of_a_gpu_is_told_and_asks_for_no_torch(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert devices.gpu_memory() == 0
    cuda = SimpleNamespace(is_initialized=lambda: True, memory_allocated=lambda: 3 * 10**9)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    facts = pace.Pace().facts(Progress("fitting", 3, 10))
    assert "3 GB on the GPU" in facts


def test_a_result_that_cannot_be_shown_does_not_block_the_next_run(
    dock, use_job, monkeypatch, qtbot, idle
):
    """Whatever goes wrong there is shown by napari, and said in the queue of runs."""
    use_job()
    told = []
    dock.controller.failed.connect(told.append)

    def broken(*_):
        raise ValueError("no such layer")

    monkeypatch.setattr("napari_cellinr.ui.layers.live.LiveLayer.finish", broken)
    with qtbot.captureExceptions() as caught:
        dock.panel.run_button.click()
        idle(dock)
    assert [str(error) for _, error, _ in caught] == ["no such layer"]
    assert told == ["no such layer"]
    assert not dock.dispatcher.is_busy


def test_speed_is_told_in_plain_numbers_once_it_is_known():
    speed = pace.Pace()
    facts = [
        speed.facts(Progress("fitting", step, 9000, seconds=seconds))
        for step, seconds in ((1, 0.0), (2, 0.0001), (2001, 1.0), (8001, 1.2))
    ]
    assert [len(one) for one in facts] == [1, 1, 2, 2]
    assert facts[2][1] == "2000 steps/s"
    assert facts[3][1] == "6667 steps/s"
    slow = pace.Pace()
    slow.facts(Progress("fitting", 1, 9, seconds=0.0))
    assert slow.facts(Progress("fitting", 4, 9, seconds=2.0))[1] == "1.5 steps/s"


def test_attempts_are_drawn_one_by_one(qtbot):
    plot = LossPlot()
    qtbot.addWidget(plot)
    rows = []
    shown = []
    for step in (1, 4, 9, 1, 5, 6, 2):
        rows.append(Progress("fitting", step, 10, {"data": 1.0}, 1.5))
        plot.show_history(rows)
        xs, _ = plot._loss.getData()
        shown.append(None if plot.isHidden() else [int(x) for x in xs])
    assert shown == [None, [1, 4], [1, 4, 9], [1, 4, 9], [1, 5], [1, 5, 6], [1, 5, 6]]
