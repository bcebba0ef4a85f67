"""A layer that is larger than memory: computed in parts, filling in while they finish."""

import json
import threading
from types import SimpleNamespace

import dask.array
import numpy as np
import pytest
import zarr
from qtpy.QtWidgets import QFileDialog

from napari_cellinr import FitError, Image, read, write
from napari_cellinr.fitting.problem import Progress, finish
from napari_cellinr.io.lazy import lazy_array
from napari_cellinr.macro import load_macro
from napari_cellinr.macro.replay.run import iter_replay
from napari_cellinr.runs.scale.layout import Needs, boxes
from napari_cellinr.runs.scale.methods import denoise
from napari_cellinr.ui.parts import choice
from napari_cellinr.ui.session.console import console_of

pytestmark = pytest.mark.gui

N = 5
SHAPE = (N, 40, 48)


class Parts:
    """Stands for a method: each part is one frame, and waits until it is allowed."""

    def __init__(self):
        self.allowed, self.fails, self.done = 100, (), []

    def layout(self, image, config, channels, memory):
        return boxes(image, Needs(0.0, 1.0, 0.0, 1, 0), memory)

    def measured(self, image, config):
        return [{"settings": {}}], []

    def frames(self, plan, part):
        return list(range(*part.near))

    def job(self, block, plan, part, monitor):
        first = part.frames[0]
        while len(self.done) >= self.allowed:
            yield from monitor.report("denoising")
            if monitor.stopped:
                break
        yield Progress("denoising", 0, 1)
        if first in self.fails:
            raise FitError("no luck.")
        if not monitor.stopped:
            self.done.append(first)
        result = block.like(np.asarray(block.array(), np.float32) + 1)
        return SimpleNamespace(
            stopped="user" if monitor.stopped else "steps", roles=("result",), report={},
            image=lambda role: result,
        )  # fmt: skip


@pytest.fixture
def parts(monkeypatch):
    fake = Parts()
    for name in ("layout", "measured", "frames", "job"):
        monkeypatch.setattr(denoise.METHOD, name, getattr(fake, name))
    return fake


@pytest.fixture
def small_memory(monkeypatch):
    monkeypatch.setattr(choice, "available_memory", lambda: 1e6)


@pytest.fixture
def recording(tmp_path):
    data = np.random.default_rng(0).integers(100, 900, SHAPE).astype(np.uint16)
    units = ("second", "micrometer", "micrometer")
    write(tmp_path / "cells.zarr", Image(data, "TYX", (2.0, 0.1, 0.1), units, name="cells"))
    return tmp_path / "cells.zarr"


@pytest.fixture
def opened(viewer, recording):
    from napari_cellinr.ui.docks.denoise import DenoiseDock

    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    dock.open([recording])
    return dock


def with_layer(viewer, data, **attributes):
    """Return a Denoise dock with a layer of these data."""
    from napari_cellinr.ui.docks.denoise import DenoiseDock

    attributes = {"axis_labels": ("t", "y", "x"), "contrast_limits": (0, 900), **attributes}
    viewer.add_image(data, name="cells", **attributes)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    return dock


def texts_of(dock):
    """Return the list of what the dock says from now on."""
    found = []
    dock.controller.said.connect(lambda kind, text: found.append((kind, text)))
    return found


def result_of(viewer):
    return next(layer for layer in viewer.layers if str(layer.name).startswith("denoised"))


def test_the_dock_says_where_parts_are_written(opened, recording, parts, small_memory):
    opened._allow()
    where = recording.parent / "cells denoised.zarr"
    text = opened.parts.text.text()
    assert "GB of memory are needed, 0.001 GB are free: computed in parts" in text
    assert text.endswith(f"the result is written to {where}.")
    assert not opened.parts.isHidden()
    assert opened.panel.advice.text() == ""
    opened.parts.box.setCurrentText("never")
    opened.parts.box.activated.emit(2)
    assert opened.parts.isHidden()
    assert "memory" in opened.panel.cost.text()


def test_a_layer_fills_in_while_parts_finish(viewer, opened, idle, qtbot, parts, recording):
    opened.parts.box.setCurrentText("always")
    parts.allowed, said = 2, texts_of(opened)
    opened.run()
    qtbot.waitUntil(lambda: opened.panel.numbers.text().startswith("step\u00a02\u00a0of"))
    layer = result_of(viewer)
    assert layer.name == "denoised · cells (running)"
    assert layer.data.shape == SHAPE
    where = recording.parent / "cells denoised.zarr"
    assert any(text == f"Computed in 6 parts, written to {where}." for _, text in said)
    values = np.asarray(layer.data)
    expected = read(recording).array().astype(np.float32) + 1
    np.testing.assert_array_equal(values[:2], expected[:2])
    assert not values[2:].any()
    parts.allowed = 100
    idle(opened)
    layer = result_of(viewer)
    assert layer.name == "denoised · cells"
    np.testing.assert_array_equal(np.asarray(layer.data), expected)
    source = viewer.layers["cells"]
    assert tuple(layer.scale) == tuple(source.scale)
    assert layer.units == source.units
    assert tuple(layer.axis_labels) == tuple(source.axis_labels)
    np.testing.assert_array_equal(read(where).array(), expected)
    assert not (recording.parent / "cells denoised.zarr.parts").exists()
    assert said[-1][1].startswith("Layer “denoised · cells”: 5 parts in")


def test_the_shown_frame_is_drawn_again_when_its_part_is_finished(
    viewer, opened, idle, qtbot, parts, recording
):
    opened.parts.box.setCurrentText("always")
    viewer.dims.set_current_step(0, 1)
    parts.allowed = 1
    opened.run()
    qtbot.waitUntil(lambda: opened.panel.numbers.text().startswith("step\u00a01\u00a0of"))
    assert not np.asarray(result_of(viewer)._slice.image.raw).any()
    parts.allowed = 3
    qtbot.waitUntil(lambda: np.asarray(result_of(viewer)._slice.image.raw).any())
    expected = read(recording).array()[1].astype(np.float32) + 1
    np.testing.assert_array_equal(np.asarray(result_of(viewer)._slice.image.raw), expected)
    parts.allowed = 100
    idle(opened)


def test_stop_keeps_parts_and_the_next_run_goes_on(viewer, opened, idle, qtbot, parts, recording):
    opened.parts.box.setCurrentText("always")
    parts.allowed, said = 2, texts_of(opened)
    opened.run()
    qtbot.waitUntil(lambda: opened.panel.numbers.text().startswith("step\u00a02\u00a0of"))
    opened.controller.stop()
    idle(opened)
    where = recording.parent / "cells denoised.zarr"
    kept = f"The run was stopped. 2 of 6 parts are finished and kept in {where}"
    assert any(text.startswith(kept) for _, text in said)
    assert result_of(viewer).name == "denoised · cells"
    assert "Parts that are finished there are kept" in opened.parts.text.text()
    assert not opened.dispatcher.recorder.macro.saved
    before, parts.allowed = list(parts.done), 100
    opened.run()
    idle(opened)
    assert len([one for one in viewer.layers if "denoised" in one.name]) == 1
    assert parts.done[: len(before)] == before
    assert sorted(set(parts.done[len(before) :]) | {0, 1}) == list(range(N))
    assert not {0, 1} & set(parts.done[len(before) :])
    expected = read(recording).array().astype(np.float32) + 1
    np.testing.assert_array_equal(np.asarray(result_of(viewer).data), expected)
    assert len(opened.dispatcher.recorder.macro.saved) == 1


def test_cancel_removes_the_layer_and_keeps_parts(viewer, opened, idle, qtbot, parts, recording):
    opened.parts.box.setCurrentText("always")
    parts.allowed, said = 2, texts_of(opened)
    opened.run()
    qtbot.waitUntil(lambda: opened.panel.numbers.text().startswith("step\u00a02\u00a0of"))
    opened.controller.cancel()
    idle(opened)
    assert [layer.name for layer in viewer.layers] == ["cells"]
    assert said[-1][1].startswith("Cancelled; finished parts are kept in")
    assert (recording.parent / "cells denoised.zarr.parts" / "part-000001.json").exists()
    parts.allowed, before = 100, len(parts.done)
    opened.run()
    idle(opened)
    assert not {0, 1} & set(parts.done[before:])


def test_a_part_that_fails_is_named_and_the_others_are_kept(viewer, opened, idle, parts, recording):
    opened.parts.box.setCurrentText("always")
    parts.fails, said = (2,), texts_of(opened)
    opened.run()
    idle(opened)
    kind, text = next(one for one in said if "no luck" in one[1])
    assert kind == "error"
    assert text.startswith("Part 2: no luck. 4 of 6 parts are finished and kept in")
    assert [step.status for step in opened.dispatcher.recorder.macro.steps][-1] == "failed"
    parts.fails = ()
    opened.run()
    idle(opened)
    np.testing.assert_array_equal(
        np.asarray(result_of(viewer).data), read(recording).array().astype(np.float32) + 1
    )


def test_the_macro_repeats_it_without_a_viewer(viewer, opened, idle, parts, recording, tmp_path):
    opened.parts.box.setCurrentText("always")
    opened.form.field("seed").set_value(4)
    opened.run()
    idle(opened)
    console = console_of(viewer)
    where = str(recording.parent / "cells denoised.zarr")
    assert f"parts={where!r}" in console.last
    console.save_macro(tmp_path / "macro.json")
    console.save_macro(tmp_path / "macro.sh", "cli")
    console.save_macro(tmp_path / "macro.py", "headless")
    shell, python = ((tmp_path / f"macro.{end}").read_text() for end in ("sh", "py"))
    assert "--parts" in shell
    assert "cells denoised.zarr" in shell
    assert "compute_in_parts('denoise'" in python
    macro = load_macro(tmp_path / "macro.json")
    assert macro.saved == (("denoised · cells", where),)
    (tmp_path / "again").mkdir()
    written = finish(iter_replay(macro, output=tmp_path / "again"))
    assert written == [tmp_path / "again" / "cells denoised.zarr"]
    np.testing.assert_array_equal(read(written[0]).array(), read(where).array())
    assert json.loads((tmp_path / "macro.json").read_text())["steps"][-1]["arguments"]["parts"]


def test_the_console_takes_the_place_of_the_parts(viewer, opened, idle, parts, tmp_path):
    console_of(viewer).denoise("cells", parts=str(tmp_path / "mine.zarr"))
    idle(opened)
    assert read(tmp_path / "mine.zarr").shape == SHAPE
    assert result_of(viewer).metadata["napari-cellinr result in parts"].endswith("mine.zarr")


def test_it_asks_where_to_write_if_there_is_no_file(
    viewer, idle, parts, tmp_path, monkeypatch, small_memory
):
    monkeypatch.chdir(tmp_path)
    asked, answers = [], [("", ""), (str(tmp_path / "there.zarr"), "")]

    def ask(*arguments, **_):
        asked.append(arguments)
        return answers.pop(0)

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    values = np.random.default_rng(0).random(SHAPE, dtype=np.float32) * 800
    dock = with_layer(viewer, dask.array.from_array(values, chunks=(1, 40, 48)))
    assert "choose where the result is written" in dock.parts.text.text()
    dock.run()
    assert dock.controller.state == "idle"
    assert list(tmp_path.iterdir()) == []
    dock.run()
    idle(dock)
    assert len(asked) == 2
    np.testing.assert_array_equal(read(tmp_path / "there.zarr").array(), values + 1)
    assert [path.name for path in tmp_path.iterdir()] == ["there.zarr"]


@pytest.mark.parametrize("kind", ["pyramid", "zarr"])
def test_pyramids_and_zarr_arrays_are_read_at_full_resolution(viewer, idle, parts, tmp_path, kind):
    values = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.uint16)
    if kind == "pyramid":
        data = [dask.array.from_array(one) for one in (values, values[:, ::2, ::2])]
    else:
        data = zarr.create_array(tmp_path / "a.zarr", data=values, chunks=(1, 40, 48))
    dock = with_layer(viewer, data)
    console_of(viewer).denoise("cells", parts=str(tmp_path / "out.zarr"))
    idle(dock)
    np.testing.assert_array_equal(
        read(tmp_path / "out.zarr").array(), values.astype(np.float32) + 1
    )
    assert result_of(viewer).data.shape == SHAPE


def test_a_large_result_becomes_a_pyramid(viewer, idle, parts, tmp_path):
    values = np.random.default_rng(0).integers(0, 900, (N, 300, 520)).astype(np.uint16)
    dock = with_layer(viewer, values)
    console_of(viewer).denoise("cells", background="keep", parts=str(tmp_path / "out.zarr"))
    idle(dock)
    layer = result_of(viewer)
    assert layer.multiscale
    assert [level.shape for level in layer.data] == [(N, 300, 520), (N, 150, 260), (N, 75, 130)]
    assert tuple(layer.contrast_limits) == (0, 900)
    np.testing.assert_array_equal(np.asarray(layer.data[0]), values.astype(np.float32) + 1)


def test_nothing_of_a_recording_is_read_in_the_thread_of_the_window(viewer, idle, parts, tmp_path):
    threads = set()

    class Recording:
        shape, dtype, ndim = SHAPE, np.dtype(np.uint16), 3

        def __getitem__(self, key):
            threads.add(threading.current_thread())
            return np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.uint16)[key]

    data = lazy_array(Recording(), (1, 40, 48))
    dock = with_layer(viewer, data, visible=False, cache=False)
    assert len(threads) <= 1  # the frame that napari has shown
    threads.clear()
    console_of(viewer).denoise("cells", parts=str(tmp_path / "out.zarr"))
    idle(dock)
    assert threads
    assert threading.main_thread() not in threads


def test_a_run_that_is_not_possible_in_parts_says_why(opened, idle, parts, recording):
    opened.parts.box.setCurrentText("always")
    opened.form.field("bleaching").set_value("correct")
    opened._allow()
    assert opened.parts.text.text().startswith("In parts is not possible: bleaching=correct")
    said = texts_of(opened)
    opened.run()
    assert opened.controller.state == "idle"
    assert said[-1][0] == "error"


def test_a_second_result_gets_another_name(opened, idle, parts, recording):
    opened.parts.box.setCurrentText("always")
    for name in ("cells denoised.zarr", "cells denoised-2.zarr"):
        opened.source.choose(opened.controller.viewer.layers["cells"].unique_id)
        opened.run()
        idle(opened)
        assert read(recording.parent / name).shape == SHAPE


def test_a_chosen_place_that_is_taken_gets_a_number(opened, idle, parts, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    chosen = tmp_path / "elsewhere" / "mine.zarr"
    write(chosen, Image(np.ones((4, 4), np.float32), "YX"))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(chosen), ""))
    opened.parts.box.setCurrentText("always")
    opened.parts.choose()
    other = chosen.with_name("mine-2.zarr")
    assert opened.parts.text.text().endswith(f"the result is written to {other}.")
    opened.run()
    idle(opened)
    assert read(other).shape == SHAPE
    assert read(chosen).shape == (4, 4)


def test_the_usual_place_is_never_inside_a_zarr(viewer, parts, tmp_path):
    from napari_cellinr.ui.docks.denoise import DenoiseDock

    zarr.create_group(tmp_path / "plate.zarr")
    zarr.create_group(tmp_path / "plate.zarr" / "A")
    image = Image(np.ones(SHAPE, np.uint16), "TYX", name="cells")
    write(tmp_path / "plate.zarr" / "A" / "cells.zarr", image)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    dock.open([tmp_path / "plate.zarr" / "A" / "cells.zarr"])
    dock.parts.box.setCurrentText("always")
    dock._allow()
    assert dock.parts.text.text().endswith(f"written to {tmp_path / 'cells denoised.zarr'}.")


def test_cancelled_while_it_is_planned_nothing_is_kept(
    viewer, opened, idle, qtbot, parts, recording, monkeypatch
):
    begun, ends = threading.Event(), threading.Event()

    def measured(image, config):
        begun.set()
        assert ends.wait(60)
        return parts.measured(image, config)

    monkeypatch.setattr(denoise.METHOD, "measured", measured)
    opened.parts.box.setCurrentText("always")
    said = texts_of(opened)
    opened.run()
    qtbot.waitUntil(begun.is_set)
    opened.controller.cancel()
    ends.set()
    idle(opened)
    assert said[-1][1] == "Cancelled; nothing was changed."
    assert not (recording.parent / "cells denoised.zarr.parts").exists()
