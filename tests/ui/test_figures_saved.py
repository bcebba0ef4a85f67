"""Figures and movies of a result beside its source, from the dock, recorded and replayed."""

from dataclasses import replace

import imageio.v3 as iio
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_cellinr.macro import script
from napari_cellinr.ui.docks.compare import CompareDock
from napari_cellinr.ui.session.console import console_of

pytestmark = pytest.mark.gui


def test_figure_and_movie_are_saved_recorded_and_replayed(
    viewer, layer, dock, use_job, idle, qtbot, tmp_path, monkeypatch
):
    job = use_job()
    plain = job.fitted
    job.fitted = lambda *given: replace(plain(*given), state={"w": np.zeros(1)})
    dock.run()
    idle(dock)
    result = viewer.layers["denoised · membrane"]
    result.colormap = "green"
    compare = CompareDock(viewer)
    viewer.window.add_dock_widget(compare, name="Compare")
    viewer.dims.set_current_step(0, 4)

    def saved(button, name):
        answer = (str(tmp_path / name), "")
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answer)
        button.click()
        qtbot.waitUntil(lambda: not dock.dispatcher.is_busy, timeout=60_000)
        assert (tmp_path / name).stat().st_size > 500, compare.status.text()

    saved(compare.figures.figure_button, "figure.png")
    step = dock.dispatcher.recorder.last
    assert step.action == "figure"
    assert [source.layer for source in step.sources] == ["membrane", "denoised · membrane"]
    assert step.arguments["at"] == {"Z": 4}
    assert step.arguments["colormaps"] == ["magenta", "green"]
    assert step.arguments["limits"][0] == pytest.approx([0.1, 0.9])
    picture = iio.imread(tmp_path / "figure.png")
    left = picture[:, : picture.shape[1] // 3, :3].reshape(-1, 3).astype(int)
    assert ((left[:, 0] > 150) & (left[:, 1] < 60) & (left[:, 2] > 150)).sum() > 500  # magenta

    saved(compare.figures.movie_button, "movie.gif")
    assert iio.imread(tmp_path / "movie.gif").shape[0] == 6
    text = script(dock.dispatcher.recorder.macro)
    assert "cellinr.figure('membrane', 'denoised · membrane', path=" in text
    python = script(dock.dispatcher.recorder.macro, "headless")
    assert "write_figure(" in python or "only in the viewer" in python  # no file to read here
    (tmp_path / "figure.png").unlink()
    console_of(viewer).figure(
        "membrane", "denoised · membrane", **{**step.arguments, "path": tmp_path / "again.png"}
    )
    qtbot.waitUntil(lambda: not dock.dispatcher.is_busy, timeout=60_000)
    again = iio.imread(tmp_path / "again.png")
    np.testing.assert_array_equal(again, picture)
