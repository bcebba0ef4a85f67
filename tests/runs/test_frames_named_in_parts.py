"""Warnings of parts say which frames of the recording they are about."""

from dataclasses import replace

import numpy as np
import pytest

from napari_cellinr import Image, write
from napari_cellinr.config import CellINRConfig, SpatimeConfig
from napari_cellinr.fitting.problem import finish
from napari_cellinr.runs.scale import make
from napari_cellinr.runs.scale.layout import Needs, boxes, of_recording
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source

TEXTS = ["Frame 2 of 4 is blank.", "it had not converged after 30 steps."]
CONFIGS = {
    "denoise": CellINRConfig(preset="preview", steps=5),
    "superresolve": SpatimeConfig(preset="preview", scale={"t": 2}, motion="never", steps=0),
}


def test_a_block_of_a_recording():
    assert of_recording(TEXTS, (6, 10), 20) == [
        "In frames 7 to 10 of 20, counted from the first of them: Frame 2 of 4 is blank.",
        "it had not converged after 30 steps.",
    ]
    assert of_recording(TEXTS, (0, 4), 4) == TEXTS
    one = of_recording(["Frame 1 is blank."], (6, 7), 20)
    assert one == ["In a part of one frame, 7 of 20: Frame 1 is blank."]
    torn = of_recording(["Rows 0 to 9 of frame 2 of 4 are those of the next."], (0, 4), 4, 64)
    assert torn == ["Rows 64 to 73 of frame 2 of 4 are those of the next."]


@pytest.mark.parametrize("method", CONFIGS)
def test_the_frame_of_the_recording_is_named(tmp_path, method):
    light = 50 + 40 * np.sin(np.arange(32) / 3)[:, None] * np.sin(np.arange(32) / 3)
    frames = np.random.default_rng(0).poisson(np.stack([light] * 48)).astype(np.uint16)
    frames[40] = frames[39]
    write(tmp_path / "in.zarr", Image(frames, axes="TYX"))
    outputs = {"result": str(tmp_path / "out.zarr")}
    source = Source(str(tmp_path / "in.zarr"))
    plan = make.make_plan(method, source, CONFIGS[method], outputs, 1e12)
    if method == "denoise":
        parts, _ = boxes(plan.source.image(), Needs(0.0, 1.0, 0.0, 12, 2, others=1), 1e12)
        plan = replace(plan, parts=tuple(parts))
    assert len(plan.parts) > 1
    found = finish(run_plan(plan)).warnings
    texts = [text for text in found if "the same as the frame before" in text]
    assert texts
    for text in texts:
        where, _, said = text.partition(": ")
        numbers = [int(word) for word in where.replace(",", " ").split() if word.isdigit()]
        number = int(said.split("rame ")[1].split()[0])
        assert (numbers[0] - 1 + number, numbers[-1]) == (41, 48)


@pytest.mark.parametrize(
    ("settings", "n_texts"),
    [
        ({"scale": {"t": 2}, "stamps": (0, 1, 2, 3.5, 5, 6, 7, 8)}, 0),  # even, unlike the frames
        ({"times": (0, 0.5, 1, 3, 4)}, 1),
    ],
)
def test_times_of_the_result_are_judged_once_for_all_parts(tmp_path, settings, n_texts):
    frames = np.random.default_rng(0).poisson(50, (8, 16, 16)).astype(np.uint16)
    write(tmp_path / "in.zarr", Image(frames, axes="TYX"))
    config = SpatimeConfig(preset="preview", motion="never", steps=0, **settings)
    outputs = {"result": str(tmp_path / "out.zarr")}
    plan = make.make_plan("superresolve", Source(str(tmp_path / "in.zarr")), config, outputs, 1e12)
    found = [*plan.warnings, *finish(run_plan(plan)).warnings]
    assert len({text for text in found if "not equally spaced" in text}) == n_texts
