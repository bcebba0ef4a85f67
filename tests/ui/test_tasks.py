"""A method that is not denoising needs one `Task`: fields, checks, previews and layers follow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from qtpy.QtWidgets import QLineEdit, QVBoxLayout

from napari_cellinr.config import Config
from napari_cellinr.config.base import setting
from napari_cellinr.fitting.problem import Fitted, Progress
from napari_cellinr.image import Image
from napari_cellinr.methods import METHODS, Cost, Method
from napari_cellinr.ui.docks.fit import FitDock
from napari_cellinr.ui.task import ResultPanel, Section, Shown, Task, task_of

pytestmark = pytest.mark.gui

ROOT = Path(__file__).parents[2]


class ToyConfig(Config):
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"plain": {}}

    preset: str = setting("plain", "The only one.")
    factor: int = setting(2, "How much finer the result is.", ge=1, le=8)
    where: str = setting("here", "Edited by the section.")


class Where(Section):
    names = ("where",)

    def __init__(self):
        super().__init__()
        self.edit = QLineEdit()
        QVBoxLayout(self).addWidget(self.edit)
        self.edit.textEdited.connect(self.changed)
        self.images = []

    def values(self):
        return {"where": self.edit.text()}

    def set_config(self, config):
        self.edit.setText(config.where)

    def show_image(self, image):
        self.images.append(image)


class Note(ResultPanel):
    def show_result(self, fitted, layer, source):
        self.shown = (fitted, layer.name, source.name)


def layers(fitted):
    finer, static = fitted.images
    vectors = np.zeros((4, 2, 3))
    vectors[:, 0] = (2, 10, 20)
    tracks = np.array([[1, 0, 4, 6], [1, 1, 8, 10]], float)
    return [
        Shown(finer, settings={"colormap": "viridis"}),
        Shown(static, "static"),
        Shown(finer, "motion", "vectors", vectors, settings={"edge_width": 0.3}),
        Shown(finer, "paths", "tracks", tracks),
    ]


TOY = Task(
    name="toy", title="Toy", noun="toying", suffix="toyed",
    empty_text="Drop something.", sample="embryo-membranes", guide="denoise", layers=layers,
    check=lambda config, image: {"factor": "too fine."} if config.factor > 4 else {},
    advise=lambda config, image: "mind the gap",
    section=Where, panel=lambda controller: Note(),
)  # fmt: skip


class ToyDock(FitDock):
    task = TOY


def iter_toy(image, config, monitor):
    f = config.factor
    yield Progress("toying", 1, 2)
    data = np.asarray(image.data, np.float32).repeat(f, 1).repeat(f, 2)
    steps, starts = dict(image.steps), dict(zip(image.axes, image.translate, strict=True))
    for axis in "YX":
        starts[axis] -= steps[axis] * (1 - 1 / f) / 2
        steps[axis] /= f
    finer = image.like(data, scale=tuple(steps.values()), translate=tuple(starts.values()))
    static = finer.take("T", 0)
    return Fitted((finer, static), config, {}, (), "steps", {"seconds": 1.0})


@pytest.fixture
def toy(monkeypatch):
    """One more method for the time of a test: its record is all that it takes."""
    method = Method(
        name="toy", action="toy", config=ToyConfig, roles=("result",), scope="", job=iter_toy,
        render=None, geometry=None, conventional=None, cost=lambda *_: Cost(75.0, 2.5e9),
    )  # fmt: skip
    monkeypatch.setitem(METHODS, "toy", method)


def edges(layer):
    """Return where the image begins and ends: napari tells the centres of its outer voxels."""
    half = np.array(layer.scale) / 2
    return layer.extent.world + np.array([-half, half])


def test_every_action_has_its_task():
    for method in METHODS.values():
        task = task_of(method.action)
        assert task.name == method.action
        assert task.empty_text
        assert (ROOT / f"docs/guide/{task.guide}.md").is_file()
        assert f"key: {task.sample}\n" in (ROOT / "napari.yaml").read_text()


def test_a_task_makes_a_dock(viewer, stack, toy, idle):
    source = viewer.add_image(
        stack, name="movie", axis_labels="tyx", units=("second", "um", "um"), scale=(2, 0.2, 0.2)
    )
    dock = ToyDock(viewer)
    viewer.window.add_dock_widget(dock, name="Toy")
    section, panel = dock.form.section, dock.panel
    assert section.images[-1].axes == "TYX"
    assert "where" in dock.form.values()
    assert panel.advice.text() == "mind the gap"
    assert panel.cost.text().replace("\u00a0", " ") == (
        "Needs about 2.5 GB of memory and 1 min 15 s without a GPU."
    )
    dock.form.field("factor").set_value(6)
    dock.form.changed.emit()
    assert not panel.run_button.isEnabled()
    dock.form.field("factor").set_value(4)
    dock.form.changed.emit()
    section.edit.setText("there")
    panel.run_button.click()
    idle(dock)
    assert {one.name for one in viewer.layers} == {
        "movie", "toyed · movie", "static · movie", "motion · movie", "paths · movie",
    }  # fmt: skip
    result = viewer.layers["toyed · movie"]
    assert result.colormap.name == "viridis"
    np.testing.assert_allclose(result.scale, (2, 0.05, 0.05))
    np.testing.assert_allclose(edges(result), edges(source))
    assert dock.below.shown[0].config.where == "there"
    assert dock.below.shown[1:] == ("toyed · movie", "movie")


def test_layers_of_other_kinds_and_axes_lie_on_their_source(viewer, stack, toy, idle):
    source = viewer.add_image(
        stack, name="movie", axis_labels="tyx", units=("second", "um", "um"), scale=(2, 0.2, 0.2)
    )
    dock = ToyDock(viewer)
    viewer.window.add_dock_widget(dock, name="Toy")
    dock.run()
    idle(dock)
    static = viewer.layers[
        "static · movie"
    ]  # without T: shown at all times, by repeating a view of it
    assert static.data.shape == (6, 80, 96)
    assert static.data.strides[0] == 0
    for name in ("static · movie", "motion · movie", "paths · movie"):
        assert tuple(viewer.layers[name].units) == tuple(source.units)
        assert tuple(viewer.layers[name].axis_labels) == ("t", "y", "x")
    motion = viewer.layers["motion · movie"]
    np.testing.assert_allclose(motion.data_to_world((2, 10, 20)), (4, 0.95, 1.95))
    np.testing.assert_allclose(viewer.layers["paths · movie"].scale, (2, 0.1, 0.1))


@pytest.mark.parametrize("other", ["signal", "kept"])
def test_background_and_the_other_image_of_a_denoised_one_are_layers_on_request(other):
    data = np.random.default_rng(0).normal(50, 10, (4, 8, 8)).astype(np.float32)
    images = tuple(Image(data / n, name=name) for n, name in enumerate("abc", start=1))
    roles = ("result", "background", other)
    shown = task_of("denoise").layers(Fitted(images, None, {}, (), "steps", {}, roles=roles))
    assert [one.on_request for one in shown] == [False, True, True]
    assert (shown[2].limits is not None) == (other == "signal")
