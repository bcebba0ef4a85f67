"""A viewer, a dock and jobs that follow the protocol of a fit without torch."""

from __future__ import annotations

import time
from collections import deque
from copy import deepcopy
from functools import cache, partial
from threading import Event

import numpy as np
import pytest
import yaml
from napari.utils._proxies import PublicOnlyProxy
from shared_viewer import SharedViewer

from napari_cellinr.fitting.problem import Fitted, PreviewRequest, Progress
from napari_cellinr.fitting.saved.stored import digest, geometry
from napari_cellinr.image import Image
from napari_cellinr.runs import resume
from napari_cellinr.simulate.samples import SAMPLES
from napari_cellinr.ui.session.job import devices, worker

MEMBRANE = {
    "name": "membrane",
    "scale": (0.43, 0.18, 0.2),
    "translate": (1.0, 2.0, 3.0),
    "units": ("micrometer",) * 3,
    "axis_labels": ("z", "y", "x"),
    "contrast_limits": (0.1, 0.9),
    "colormap": "magenta",
}


class FakeFit:
    """A job that counts to `steps`, minding every message; what it was sent is kept.

    It waits after its first step until `may_go_on` is set, which it is unless a test clears it.
    """

    def __init__(self, steps=8, seconds=0.01, error=None, fail_at=2):
        self.steps, self.seconds, self.error, self.fail_at = steps, seconds, error, fail_at
        self.sent = deque()
        self.closed = False
        self.images = []
        self.configs = []
        self.step = 0
        self.may_go_on = Event()
        self.may_go_on.set()

    def __call__(self, image, config, monitor):
        self.images.append(image)
        self.configs.append(config)
        return self.job(image, config)

    def job(self, image, config):
        try:
            return (yield from self._steps(image, config))
        finally:
            self.closed = True

    def _steps(self, image, config):
        stopped, paused, self.step = "steps", False, 0
        while self.step < self.steps:
            time.sleep(self.seconds)
            self.step += not paused
            assert self.may_go_on.wait(60)
            if self.error is not None and self.step == self.fail_at:
                raise self.error
            losses = {"data": 1 / self.step}
            message = yield Progress("fitting", self.step, self.steps, losses, 1.5, self.step, 3.0)
            while message is not None:
                self.sent.append(message)
                if message == "stop":
                    return self.fitted(image, config, "user")
                preview, index = None, {}
                if isinstance(message, PreviewRequest):
                    preview, index = self.preview(image, message), message.index
                else:
                    paused = message == "pause"
                message = yield Progress(
                    "fitting", self.step, self.steps, losses, 1.5, self.step, 3.0, preview, index
                )
        return self.fitted(image, config, stopped)

    def preview(self, image, request):
        if request.index:
            plane = image
            for axis, index in request.index.items():
                plane = plane.take(axis, index)
            return plane.like(np.asarray(plane.data) + 1)
        coarse = image.data[..., ::2, ::2]
        scale = (*image.scale[:-2], 2 * image.scale[-2], 2 * image.scale[-1])
        return image.like(coarse + 1, scale=scale)

    def fitted(self, image, config, stopped):
        result = image.like(np.asarray(image.data, np.float32) / 2, name="result")
        report = {"seconds": 1.25, "steps": self.step, "warnings": ["the fit has not converged."]}
        source = {**geometry(image), "digest": digest(image.canonical())}
        if not hasattr(config, "optics"):
            return Fitted((result,), config, {}, (), stopped, report, source=source)
        roles = ("result", "motion", "speed", "confidence")
        still = image.like(np.zeros(image.shape, np.float32), name="speed")
        motion = Image(np.zeros((len(still.data), 2, *image.shape[1:]), np.float32), "TCYX")
        images = (result, motion, still, still.like(still.data, name="confidence"))
        report["field"] = {"frames": list(range(len(still.data)))}
        return Fitted(images, config, {}, (), stopped, report, "nstm", roles, source)


@pytest.fixture(autouse=True, scope="session")
def _manifests_are_parsed_once():
    """Each new viewer looks for plugins, and would parse the same manifests again."""
    load, parsed = yaml.load, {}

    def load_once(stream, *loader, **options):
        text = stream if isinstance(stream, str | bytes) else stream.read()
        key = (text, *loader, *options.values())
        if key not in parsed:
            parsed[key] = load(text, *loader, **options)
        return deepcopy(parsed[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "load", load_once)
        yield


@pytest.fixture(autouse=True, scope="session")
def _samples_are_simulated_once():
    """Each takes up to five seconds, and many tests open one; nothing may write to them."""

    def simulated(make):
        images = make()
        for image in images:
            image.data.setflags(write=False)
        return images

    with pytest.MonkeyPatch.context() as patch:
        for key, make in SAMPLES.items():
            patch.setitem(SAMPLES, key, cache(partial(simulated, make)))
        yield


@pytest.fixture(autouse=True, scope="session")
def _settings_are_not_saved():
    """Leave the file with napari's settings alone: it is the user's, and written at each change."""
    from napari.settings import get_settings

    get_settings()._save_on_change = False


@pytest.fixture(autouse=True)
def _no_children(monkeypatch):
    """Leave the devices unasked: that takes seconds and has its own test."""
    monkeypatch.setattr(devices.DeviceList, "load", lambda self: None)


@pytest.fixture(autouse=True)
def _no_old_jobs(monkeypatch, tmp_path):
    """Look for interrupted jobs where there are none: those of the user are not ours."""
    monkeypatch.setattr(resume, "jobs_folder", lambda: tmp_path / "jobs")


@pytest.fixture(autouse=True)
def _no_torch(monkeypatch):
    """Let fake jobs run without the seconds that importing torch takes."""
    monkeypatch.setattr(worker, "_leave_a_core_to_the_viewer", lambda: None)


@pytest.fixture
def use_job(put_job):
    """Return a function that puts a fake job in the place of the real one."""

    def use(action="denoise", **settings):
        job = FakeFit(**settings)
        put_job(action, job)
        return job

    return use


@pytest.fixture
def stack():
    return np.random.default_rng(0).random((6, 40, 48), dtype=np.float32)


@pytest.fixture(scope="package")
def _shared_viewer():
    shared = SharedViewer()
    yield shared
    shared.close()


@pytest.fixture
def _no_shared_viewer(_shared_viewer):
    """Close the viewer of other tests: napari's fixture wants to make the only ones."""
    _shared_viewer.close()


@pytest.fixture
def make_napari_viewer(_no_shared_viewer, make_napari_viewer):
    """Return napari's function that makes viewers."""
    return make_napari_viewer


@pytest.fixture
def viewer(_shared_viewer, request, qtbot, monkeypatch):
    """Return a viewer without layers and docks, as a plugin gets it.

    It is the same one for many tests, unless a test makes further ones, wants a console, or is
    marked with `new_viewer`. A test that leaves something in the shared one fails.
    """
    is_new = {"new_viewer", "enable_console"} & set(request.keywords)
    if is_new or "make_napari_viewer" in request.fixturenames:
        yield request.getfixturevalue("make_napari_viewer_proxy")()
        return
    yield PublicOnlyProxy(_shared_viewer.viewer())
    ended = getattr(request.node, "rep_call", None)  # none if another fixture failed
    if ended is None or not ended.passed:  # a traceback refers to what there was
        _shared_viewer.close(failed=True)
        return
    _shared_viewer.put_back()
    request.node.funcargs.clear()  # like what is patched, they may refer to docks
    monkeypatch.undo()
    if found := _shared_viewer.differences():
        pytest.fail("The test has left in the shared viewer: " + "; ".join(found), pytrace=False)


@pytest.fixture
def layer(viewer, stack):
    viewer.add_image(stack, **MEMBRANE)
    return next(iter(viewer.layers))


@pytest.fixture(autouse=True)
def patience(qtbot, monkeypatch):
    """Conditions are waited for longer than the usual 5 s, for busy machines."""
    monkeypatch.setattr(qtbot, "waitUntil", partial(qtbot.waitUntil, timeout=30_000))


@pytest.fixture
def dock(viewer, layer):
    from napari_cellinr.ui.docks.denoise import DenoiseDock

    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    return dock


@pytest.fixture
def idle(qtbot):
    """Return a function that waits for the end of the job of a dock."""

    def wait(dock, timeout=30_000):  # torch may have to be imported first, on a busy machine
        qtbot.waitUntil(lambda: dock.controller.state == "idle", timeout=timeout)

    return wait
