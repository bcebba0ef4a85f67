"""The page of the plugin in napari's preferences, and what it changes."""

import time
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest
from napari import settings
from napari._qt.dialogs.preferences_dialog import PreferencesDialog
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest
from qtpy.QtWidgets import QWidget

import napari_cellinr
from napari_cellinr.fitting.problem import Fitted, PreviewRequest, Progress
from napari_cellinr.runs import resume
from napari_cellinr.ui.preferences import Preferences, preferences
from napari_cellinr.ui.session import controller
from napari_cellinr.ui.session.work import fits

pytestmark = pytest.mark.gui

MANIFEST = Path(napari_cellinr.__file__).parent / "napari.yaml"

OTHERS = Preferences(
    device="cpu",
    live_preview=False,
    preview_seconds=7.5,
    notifications=False,
    checkpoint_seconds=90.0,
)


@pytest.fixture
def fresh(request, npe2pm, monkeypatch):
    """Let napari know this plugin only, with its settings in a folder of the test."""
    if not hasattr(settings, "get_plugin_settings"):
        pytest.skip("this napari has no settings of plugins; 0.9 has")
    request.getfixturevalue("plugin_settings")
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    return settings.get_plugin_settings("napari-cellinr")


def test_every_preference_is_in_the_manifest_with_its_default():
    docks = PluginManifest.from_file(MANIFEST).contributions.configurations["docks"]
    assert {key: one.default for key, one in docks.properties.items()} == asdict(Preferences())


def test_what_is_set_is_read(fresh):
    assert preferences() == Preferences()
    for field in fields(Preferences):
        assert getattr(OTHERS, field.name) != field.default
        setattr(fresh.docks, field.name, getattr(OTHERS, field.name))
    assert preferences() == OTHERS
    settings._clear_plugin_settings_cache()  # as napari begins: from its file
    assert preferences() == OTHERS


# The dialog binds napari's own shortcuts anew, and napari cannot resolve a type of one of them.
@pytest.mark.filterwarnings("ignore:Could not resolve type hint for required parameter")
def test_the_page_sets_what_is_read(fresh, qtbot):
    dialog = PreferencesDialog()
    qtbot.addWidget(dialog)
    (page,) = (
        one
        for one in dialog.findChildren(QWidget)
        if "checkpoint_seconds" in (getattr(one, "widgets", None) or {})
    )
    page.widgets["live_preview"].setChecked(False)
    page.widgets["notifications"].setChecked(False)
    page.widgets["device"].setCurrentText("cpu")
    page.widgets["preview_seconds"].setValue(7.5)
    page.widgets["checkpoint_seconds"].setValue(90)
    assert preferences() == OTHERS


def prefer(monkeypatch, **wanted):
    """Let docks and controller find these preferences."""
    for module in (controller, fits):
        monkeypatch.setattr(module, "preferences", lambda: Preferences(**wanted))


@pytest.mark.parametrize("live", [True, False])
def test_live_previews_can_be_switched_off(viewer, dock, use_job, idle, monkeypatch, live):
    prefer(monkeypatch, live_preview=live, preview_seconds=0)
    job = use_job(steps=30)
    dock.run()
    idle(dock)
    assert any(isinstance(message, PreviewRequest) for message in job.sent) == live
    assert [one.name for one in viewer.layers] == ["membrane", "denoised · membrane"]


@pytest.mark.parametrize("wanted", [True, False])
def test_notifications_can_be_switched_off_but_for_errors(dock, use_job, idle, monkeypatch, wanted):
    prefer(monkeypatch, notifications=wanted)
    use_job()
    before = len(notification_manager.records)
    dock.run()
    idle(dock)
    assert "finished in" in dock.panel.status.text()
    assert len(notification_manager.records) - before == wanted
    use_job(error=ZeroDivisionError("division by zero"))
    dock.run()
    idle(dock)
    assert "division by zero" in notification_manager.records[-1].message


class Storing:
    """A fit that stores what it has reached whenever that is due, as the real ones do."""

    def __init__(self):
        self.times = []

    def __call__(self, image, config, monitor):
        place = monitor.checkpoint.entry("steps")
        for step in range(1, 61):
            time.sleep(0.01)
            if place.is_due:
                place.save({}, {"step": np.array([step])})
                self.times.append(time.monotonic())
            yield Progress("fitting", step, 60)
        self.has_begun = monitor.checkpoint.exists
        return Fitted((image,), config, {}, (), "steps", {})


@pytest.mark.parametrize("seconds", [0.15, 0, 3600])
def test_a_fit_stores_checkpoints_at_the_interval_of_the_preference(
    dock, idle, monkeypatch, seconds, put_job
):
    job = Storing()
    put_job("denoise", job)
    prefer(monkeypatch, checkpoint_seconds=seconds)
    dock.run()
    idle(dock)
    if seconds == 0.15:
        assert len(job.times) >= 2
        assert min(np.diff(job.times)) >= seconds
    else:
        assert job.times == []
    assert job.has_begun == (seconds == 0.15)
    assert list(resume.jobs_folder().glob("*")) == []  # it has ended
