"""A fit that was interrupted is offered, and goes on."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QDialog

from napari_cellinr import Image, read, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.config.base import CHECKPOINT_SECONDS
from napari_cellinr.fitting.problem import Fitted, Progress
from napari_cellinr.io.series.channels import separated
from napari_cellinr.macro.scripts.python import script
from napari_cellinr.methods import METHODS
from napari_cellinr.runs import resume
from napari_cellinr.runs.request import CheckpointPlace, RunRequest, start
from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.layers.convert import to_image
from napari_cellinr.ui.preferences import Preferences
from napari_cellinr.ui.session.work import fits

pytestmark = pytest.mark.gui


def job_that_stores(image, config, monitor):
    """Count from where the checkpoint says, and store every step."""
    place = monitor.checkpoint.entry("steps")
    found = place.load()
    begun = 0 if found is None else int(found[1]["step"][0])
    for step in range(begun + 1, 4):
        place.save({}, {"step": np.array([step])})
        yield Progress("fitting", step, 3)
    result = image.like(np.full(image.shape, begun, np.float32), name=f"{image.name} denoised")
    return Fitted((result,), config, {}, (), "steps", {})


def job_that_stores_on(image, config, monitor):
    """Store every step until the end is asked for."""
    place = monitor.checkpoint.entry("steps")
    for step in range(1, 100_000):
        place.save({}, {"step": np.array([step])})
        time.sleep(0.005)
        if (yield Progress("fitting", step, 100_000)) == "stop":
            break
    return Fitted((image,), config, {}, (), "user", {})


@pytest.fixture
def storing(dock, monkeypatch, qtbot, put_job):
    """Return a dock in which a fit runs that has a checkpoint."""
    put_job("denoise", job_that_stores_on)
    monkeypatch.setattr(fits, "preferences", lambda: Preferences(checkpoint_seconds=0.001))
    dock.run()
    qtbot.waitUntil(lambda: len(checkpoints()) == 1)
    return dock


def checkpoints():
    return list(resume.jobs_folder().glob("*/job.cellinr"))


@pytest.fixture
def interrupted(viewer, layer, put_job):
    put_job("denoise", job_that_stores)
    config = CellINRConfig(background="keep", seed=7)
    path = resume.new_checkpoint(resume.jobs_folder())
    place = CheckpointPlace(path, every=0.0)
    job = start(RunRequest(METHODS["cellinr"], to_image(layer), config, checkpoint=place))
    next(job)
    next(job)
    job.close()  # as if the window had been closed
    assert len(resume.unfinished()) == 1
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    return dock


def test_resume_goes_on_with_the_settings_of_the_job(viewer, interrupted, idle):
    dock = interrupted
    assert not dock.offer.isHidden()
    assert "denoising of membrane was interrupted" in dock.offer.label.text()
    dock.offer.resume_button.click()
    idle(dock)
    assert viewer.layers["denoised · membrane"].data[0, 0, 0] == 2  # began after step 2
    assert dock.dispatcher.recorder.last.settings == {"background": "keep", "seed": 7}
    assert resume.unfinished() == []
    assert dock.offer.isHidden()


def test_without_checkpoints_in_the_preferences_a_fit_that_goes_on_keeps_the_usual_interval(
    interrupted, idle, monkeypatch
):
    given, resumed = [], fits.resume
    monkeypatch.setattr(fits, "preferences", lambda: Preferences(checkpoint_seconds=0))
    monkeypatch.setattr(
        fits, "resume", lambda path, **options: given.append(options) or resumed(path, **options)
    )
    interrupted.offer.resume_button.click()
    idle(interrupted)
    assert given[0]["every"] == CHECKPOINT_SECONDS  # not after every step


def test_without_its_layer_the_image_of_the_checkpoint_is_used(viewer, interrupted, idle):
    viewer.layers.clear()
    interrupted.offer.resume_button.click()
    idle(interrupted)
    assert [one.name for one in viewer.layers] == ["membrane", "denoised · membrane"]
    np.testing.assert_allclose(viewer.layers["membrane"].scale, (0.43, 0.18, 0.2))


@pytest.mark.parametrize("changed", [False, True])
def test_a_fit_that_goes_on_in_a_new_session_is_recorded_with_its_file(
    viewer, stack, tmp_path, put_job, idle, changed
):
    """Without `cellinr.use`, the script would have no image to work on."""
    put_job("denoise", job_that_stores)
    path = tmp_path / "cells.tif"
    both = Image(np.stack([stack, stack[::-1]]), "CZYX", channels=("membrane", "nuclei"))
    write(path, both)
    given = separated(read(path))[1]
    place = CheckpointPlace(resume.new_checkpoint(), 0.0, given.meta["source"])
    job = start(RunRequest(METHODS["cellinr"], given, CellINRConfig(), checkpoint=place))
    next(job)
    next(job)
    job.close()
    if changed:
        write(path, both.like(both.array() + 1))
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    dock.offer.resume_button.click()
    idle(dock)
    text = script(dock.dispatcher.recorder.macro)
    assert ("cellinr.use(" in text) == (not changed)
    if not changed:
        assert text.index(f"cellinr.use('{given.name}', '{path}'") < text.index("cellinr.denoise(")


def test_a_job_can_be_discarded(interrupted):
    interrupted.offer.discard_button.click()
    assert interrupted.offer.isHidden()
    assert resume.unfinished() == []


@pytest.mark.parametrize("other_viewer", [False, True])
def test_a_fit_that_runs_is_not_offered(
    viewer, make_napari_viewer, storing, idle, qtbot, other_viewer
):
    there = make_napari_viewer() if other_viewer else viewer
    second = DenoiseDock(there)
    there.window.add_dock_widget(second, name="second")
    assert second.offer.isHidden()
    storing.controller.stop()
    idle(storing)
    assert len(checkpoints()) == 1  # of a fit that was stopped
    second.offer.look()
    assert not second.offer.isHidden()


@pytest.mark.parametrize("other_viewer", [False, True])
def test_an_offer_that_was_taken_elsewhere_does_no_harm(
    viewer, make_napari_viewer, interrupted, idle, put_job, qtbot, other_viewer
):
    put_job("denoise", job_that_stores_on)
    there = make_napari_viewer() if other_viewer else viewer
    second, third = DenoiseDock(there), DenoiseDock(there)
    for dock in (second, third):
        there.window.add_dock_widget(dock, name=str(id(dock)))
        assert not dock.offer.isHidden()
    interrupted.offer.resume_button.click()
    qtbot.waitUntil(lambda: resume.unfinished() == [])
    second.offer.discard_button.click()
    assert second.offer.isHidden()
    assert len(checkpoints()) == 1
    if other_viewer:
        third.offer.resume_button.click()
        idle(third)
        assert "is in use" in third.panel.status.text()
        assert third.offer.isHidden()
    assert interrupted.controller.state == "running"
    assert len(checkpoints()) == 1
    interrupted.controller.cancel()
    idle(interrupted)
    assert checkpoints() == []


def test_a_fit_whose_layer_was_removed_is_offered_at_once(viewer, layer, storing, idle):
    viewer.layers.remove(layer)
    idle(storing)
    assert len(checkpoints()) == 1
    assert not storing.offer.isHidden()


@pytest.fixture
def closing(make_napari_viewer, stack, monkeypatch, qtbot, put_job):
    """Return a viewer with a fit that has a checkpoint, and its dock."""
    viewer = make_napari_viewer()
    viewer.add_image(stack, name="a", axis_labels=("z", "y", "x"))
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    put_job("denoise", job_that_stores_on)
    monkeypatch.setattr(fits, "preferences", lambda: Preferences(checkpoint_seconds=0.001))
    dock.run()
    qtbot.waitUntil(lambda: len(checkpoints()) == 1)
    return viewer, dock


def assert_is_kept(ended, qtbot):
    qtbot.waitUntil(ended.is_set)
    qtbot.wait(100)  # for what the end of the thread tells this one
    (job,) = resume.unfinished()
    assert job.source["name"] == "a"


def test_the_user_closing_the_window_keeps_the_checkpoint(closing, qtbot, monkeypatch):
    viewer, dock = closing
    told = []

    def dialog(*_, extra_info="", **__):
        told.append(extra_info)
        # Called exec from napari 0.10 on.
        return SimpleNamespace(**dict.fromkeys(("exec", "exec_"), lambda: QDialog.Accepted))

    class ByTheUser(QCloseEvent):
        def spontaneous(self):
            return True

    monkeypatch.setattr("napari._qt.qt_main_window.ConfirmCloseDialog", dialog)
    ended = dock.controller._run._mailbox.ended
    viewer.window._qt_window.closeEvent(ByTheUser())
    assert "denoising of a" in told[0]
    assert_is_kept(ended, qtbot)


def test_closing_the_viewer_from_a_script_keeps_the_checkpoint(closing, qtbot):
    viewer, dock = closing
    ended = dock.controller._run._mailbox.ended
    viewer.close()
    assert_is_kept(ended, qtbot)


def test_the_end_of_the_application_waits_for_the_checkpoint(closing, qtbot):
    _, dock = closing
    ended, heard = dock.controller._run._mailbox.ended, []
    dock.controller.failed.connect(heard.append)
    QCoreApplication.instance().aboutToQuit.emit()
    assert ended.is_set()  # the process may end now
    assert_is_kept(ended, qtbot)
    assert heard == []  # windows and layers are about to go: nothing may touch them


def test_the_end_of_the_application_is_waited_for_without_napari(closing, qtbot, monkeypatch):
    _, dock = closing
    run = dock.controller._run
    assert not run.wait(0.01)  # nobody has told it to end
    dock.controller._on_quit()  # without napari, which waits as long as it takes
    assert run.wait(0)
