"""What a run shows: numbers, curves, napari's own bar, sliders that reach all values."""

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from npe2 import PluginManifest

import napari_cellinr
from napari_cellinr import NSTMConfig
from napari_cellinr.fitting.problem import Progress
from napari_cellinr.fitting.report import unconverged_warning
from napari_cellinr.ui.docks.compare import CompareDock
from napari_cellinr.ui.docks.superresolve import SuperresolveDock
from napari_cellinr.ui.panels.optics import OpticsSection
from napari_cellinr.ui.preferences import Preferences
from napari_cellinr.ui.session import controller
from napari_cellinr.ui.session.job import activity
from napari_cellinr.ui.session.job.pace import Pace
from napari_cellinr.ui.session.work.fits import covered
from napari_cellinr.ui.widgets.forms import with_titles
from napari_cellinr.ui.widgets.guide import GuideWindow

pytestmark = pytest.mark.gui


def numbers(dock):
    return dock.panel.numbers.text().replace("\u00a0", " ")


def test_the_panel_tells_step_speed_time_left_and_error(dock, use_job, idle, qtbot, monkeypatch):
    """One step takes one second by the clock of the job."""
    use_job(steps=400)
    monkeypatch.setattr(dock.panel, "_expected", lambda: 1.0)  # less than the job says is left
    dock.run()
    assert "starting · 0 s elapsed" in numbers(dock)
    qtbot.waitUntil(lambda: "steps/s" in numbers(dock))
    step, speed, left, error = numbers(dock).split(" · ")
    assert step.startswith("step ")
    assert step.endswith(" of 400")
    assert (speed, left, error) == ("1 steps/s", "3 s left", "held‑out error 1.5 σ")
    assert dock.panel.bar.maximum() == 1000
    assert dock.panel.bar.value() > 0
    dock.panel.stop_button.click()
    idle(dock)
    assert dock.panel.numbers.isHidden()


def test_losses_are_drawn_on_a_logarithmic_axis(dock, use_job, idle):
    use_job(steps=20)  # the loss is one over the step
    dock.run()
    idle(dock)
    plot = dock.panel._plot
    assert not plot.isHidden()
    axis = plot.getPlotItem().getAxis("left")
    assert axis.logMode
    assert not plot.getPlotItem().getAxis("bottom").logMode
    assert axis.logTickStrings([-1.0, np.log10(0.2), np.log10(0.3)], 1, None) == ["0.1", "0.2", ""]
    steps, losses = plot._loss.getOriginalDataset()
    assert len(steps) > 2
    np.testing.assert_allclose(losses, 1 / np.asarray(steps))
    np.testing.assert_allclose(plot._loss.getData()[1], np.log10(losses), atol=1e-6)
    assert set(plot._held_out.getOriginalDataset()[1]) == {1.5}


class Spy:
    """In the place of napari's progress; it knows what was done with it, and in which thread."""

    made = ()

    def __init__(self, total, desc):
        Spy.made = (*Spy.made, self)
        self.total, self.desc, self.n, self.closed = total, desc, 0, 0
        self.threads = {threading.get_ident()}

    def update(self, steps):
        self.n += steps
        self.threads.add(threading.get_ident())

    def close(self):
        self.closed += 1
        self.threads.add(threading.get_ident())


@pytest.mark.parametrize("error", [None, ValueError("broken")])
def test_the_activity_dock_has_a_bar_per_stage(dock, use_job, idle, monkeypatch, error):
    monkeypatch.setattr(activity, "progress", Spy)
    monkeypatch.setattr(Spy, "made", ())
    use_job(steps=8, error=error, fail_at=6, seconds=0.05)
    dock.run()
    idle(dock)
    starting, fitting = Spy.made
    assert (starting.total, starting.desc) == (0, "CellINR: starting")
    assert (fitting.total, fitting.desc) == (8, "CellINR: fitting")
    assert 1 < fitting.n <= 8
    assert [one.closed for one in Spy.made] == [1, 1]
    assert starting.threads | fitting.threads == {threading.get_ident()}


def test_a_bar_that_is_made_while_the_job_ends_is_closed(monkeypatch):
    """Making a bar runs the event loop, in which the job may end."""
    monkeypatch.setattr(Spy, "made", ())

    def made(total, desc):
        bar = Spy(total, desc)
        if len(Spy.made) == 2:
            shown.close()
        return bar

    monkeypatch.setattr(activity, "progress", made)
    shown = activity.ActivityBar()
    shown.show(Progress("fitting", 1, 9))
    assert len(Spy.made) == 2
    assert all(bar.closed for bar in Spy.made)
    shown.show(Progress("rendering", 1, 9))
    assert len(Spy.made) == 2


def test_the_bar_of_a_job_never_goes_back():
    pace = Pace(estimate=20.0)
    rows = [
        Progress("estimate", 50, 100, seconds=2.0, eta=2.0),
        Progress("fitting", 1, 100, seconds=4.0, eta=6.0),
        Progress("fitting", 100, 100, seconds=10.0, eta=0.0),
        Progress("fitting", 1, 100, seconds=11.0, eta=30.0),  # another attempt
        Progress("fitting", 99, 100, seconds=40.0, eta=1.0),
    ]
    assert pace.part(Progress("starting", seconds=1.0)) == 0  # only an estimate is known
    parts = [pace.part(row) for row in rows]
    assert parts == sorted(parts)
    assert parts[0] == pytest.approx(0.1)  # of all, not of the stage
    assert parts[2] == pytest.approx(0.5)
    assert parts[-1] == pytest.approx(40 / 41)


def test_a_remaining_time_of_the_job_replaces_the_estimate():
    """Three attempts were expected, and the first one explains the frames."""
    pace = Pace(estimate=300.0)
    first = Progress("attempt 1", step=50, steps=100, seconds=50.0, eta=250.0, is_of_job=True)
    assert "4 min 10 s left" in pace.facts(first)
    check = Progress("checking the motion", step=1, steps=100, seconds=101.0, eta=40.0)
    assert "3 min 19 s left" in pace.facts(check)
    assert "40 s left" in pace.facts(replace(check, is_of_job=True))


def test_stages_after_all_known_time_have_no_part():
    """On a machine slower than the estimate, a bar at 99 % would stand still while they run."""
    pace = Pace(estimate=5.0)
    assert pace.part(Progress("fitting", 9, 10, seconds=98.0, eta=2.0)) == pytest.approx(0.98)
    assert pace.part(Progress("fitting", 10, 10, seconds=100.0, eta=0.0)) == pytest.approx(0.99)
    assert pace.part(Progress("paused", 10, 10, seconds=100.0)) == pytest.approx(0.99)
    assert pace.part(Progress("rendering", seconds=101.0)) == 0
    assert pace.part(Progress("paused", seconds=102.0)) == 0
    assert pace.part(Progress("halves", 1, 50, seconds=120.0, eta=60.0)) == 0
    assert not [fact for fact in pace.facts(Progress("x", 2, 9, seconds=130.0)) if "left" in fact]


@pytest.mark.parametrize("eta", [None, 0.0, 1e9, -4.0, np.nan, np.inf])
@pytest.mark.parametrize("seconds", [0.0, 1e6, -5.0])
def test_at_the_end_of_a_run_the_bar_is_full_and_gone(
    dock, use_job, idle, monkeypatch, eta, seconds
):
    """Whatever the clock of the job says."""
    job, shown = use_job(steps=3), []
    monkeypatch.setattr(job, "job", lambda image, config: odd(job, image, config))
    show = dock.panel.show_progress

    def odd(job, image, config):
        yield Progress("fitting", 1, 2, seconds=seconds, eta=eta)
        yield Progress("fitting", 2, 2, seconds=seconds, eta=eta)
        yield Progress("rendering", seconds=seconds)
        return job.fitted(image, config, "steps")

    def spied(progress):
        show(progress)
        shown.append((progress.stage, dock.panel.bar.maximum(), dock.panel.bar.value()))

    dock.controller.progressed.disconnect(dock.panel.show_progress)
    dock.controller.progressed.connect(spied)
    dock.run()
    idle(dock)
    dock.controller.progressed.disconnect(spied)
    bar = dock.panel.bar
    assert [stage for stage, _, _ in shown] == ["fitting", "fitting", "rendering"]
    assert bar.isHidden()
    assert bar.value() == bar.maximum() == 1000
    assert not [row for row in shown if row[0] == "rendering" and row[2] >= 990]


def test_a_pause_neither_adds_to_the_time_left_nor_slows():
    pace = Pace(estimate=20.0)
    pace.facts(Progress("fitting", 1, 10, seconds=1.0))
    before = pace.part(Progress("fitting", 5, 10, seconds=5.0, eta=5.0))
    for seconds in (5.0, 50.0, 100.0):
        row = Progress("paused", 5, 10, seconds=seconds, eta=5.0 + seconds)
        assert pace.part(row) == before
        assert not [fact for fact in pace.facts(row) if "left" in fact or "/s" in fact]
    facts = pace.facts(Progress("fitting", 6, 10, seconds=101.0, eta=4.0))
    assert "14 s left" in facts
    assert "1 steps/s" in facts


def test_a_fit_that_was_stopped_before_it_began_says_so():
    stopped = SimpleNamespace(stopped="user", steps=0)
    assert "only its initial estimate" in unconverged_warning(stopped)
    assert "0 steps" not in unconverged_warning(stopped)


@pytest.mark.parametrize("live", [True, False])
def test_sliders_reach_all_values_of_a_result(
    viewer, layer, dock, use_job, idle, qtbot, monkeypatch, live
):
    """Contrast is that of the source, whose slider may end far below: napari widens none."""
    monkeypatch.setattr(
        controller, "preferences", lambda: Preferences(live_preview=live, preview_seconds=0)
    )
    dock.form.field("background").set_value("keep")
    layer.contrast_limits_range = (0.1, 0.3)
    layer.contrast_limits = (0.1, 0.2)
    use_job(steps=40)
    dock.run()
    if live:
        qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    idle(dock)
    result = viewer.layers["denoised · membrane"]
    assert tuple(result.contrast_limits) == (0.1, 0.2)
    low, high = result.contrast_limits_range
    assert low <= result.data.min() < 0.1
    assert high >= result.data.max() > 0.3


def test_what_was_said_goes_with_its_layer_and_stays_out_of_other_docks(
    viewer, dock, use_job, idle, stack, qtbot
):
    compare, finer = CompareDock(viewer), SuperresolveDock(viewer)
    for name, other in (("Compare", compare), ("Super-resolve", finer)):
        viewer.window.add_dock_widget(other, name=name)
    use_job()
    dock.run()
    assert "denoising" in finer.panel.status.text().lower()  # it shows the running job
    idle(dock)
    assert "finished" in dock.panel.status.text()
    assert not dock.panel.curve.isHidden()
    assert not dock.panel.curve.isExpanded()  # the settings have the room
    assert finer.panel.status.text() == ""
    assert finer.panel.curve.isHidden()
    assert "finished" not in compare.status.text()
    viewer.add_image(stack, name="other", axis_labels=("z", "y", "x"))
    dock.source.choose(viewer.layers["other"].unique_id)
    assert dock.panel.status.text() == ""
    assert dock.panel.curve.isHidden()
    dock.run()
    idle(dock)
    assert "finished" in dock.panel.status.text()
    viewer.layers.remove("other")
    assert dock.panel.status.text() == ""


def test_what_was_said_of_an_action_goes_with_the_next_layer(viewer, tmp_path, stack):
    _, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", "Denoise")
    dock.open([tmp_path / "histology.png"])
    assert "histology.png" in dock.panel.status.text()
    viewer.add_labels(np.ones((4, 4), int))  # no image: the source is still none
    assert dock.panel.status.text() == ""
    dock.open([tmp_path / "none.tif"])
    assert "none.tif" in dock.panel.status.text()
    viewer.layers.remove("Labels")
    assert "none.tif" in dock.panel.status.text()  # nothing was added
    tifffile.imwrite(tmp_path / "dish.tif", stack)
    dock.open([tmp_path / "dish.tif"])
    assert dock.panel.status.text() == ""


def test_caption_and_tools_go_with_what_they_are_about(viewer, layer, dock, use_job, idle):
    layer.axis_labels = ("t", "y", "x")
    dock.controller.confirm_axes(layer, "TYX")
    job = use_job()
    plain = job.fitted
    job.fitted = lambda *given: replace(plain(*given), state={"w": np.zeros(1)})
    dock.run()
    idle(dock)
    assert not dock.below.isHidden()
    dock.fit_actions.swipe_button.click()
    assert "Drag the line" in dock.panel.status.text()
    dock.fit_actions.swipe_button.click()
    assert dock.panel.status.text() == ""
    dock.fit_actions.swipe_button.click()
    viewer.layers.remove("denoised · membrane")
    assert dock.panel.status.text() == ""
    assert dock.below.isHidden()
    assert dock.fit_actions.isHidden()


@pytest.mark.parametrize("name", ["Denoise", "Super-resolve", "Reconstruct motion"])
def test_settings_begin_with_what_decides_the_result(viewer, layer, name):
    """For a reconstruction that is the microscope, then the preset; the rest is *Advanced*."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", name)
    form, config = dock.form, type(dock.form.config())
    shown = [form.layout().itemAt(place).widget() for place in range(form.layout().count())]
    section = [] if form.section is None else [form.section]
    assert isinstance(form.section, OpticsSection) is (name == "Reconstruct motion")
    assert shown == [*section, form._first, form._plain, form.advanced, form.reset_button]
    assert list(form._first.fields) == ["preset"]
    rest = ["device", "steps", "seed", "max_seconds"]
    assert list(form._rest.fields)[:4] == rest
    assert not {one for one in form._plain.fields if one in rest or config.is_advanced(one)}


def test_a_preview_says_what_it_covers_and_that_it_is_approximate(viewer, dock, use_job, idle):
    use_job()
    viewer.dims.set_current_step(0, 2)
    dock.preview()
    idle(dock)
    text = dock.panel.status.text()
    assert "approximate" in text
    assert "has not converged" not in text
    image = dock.source.image()
    assert covered(image, {"Z": slice(1, 4), "Y": slice(0, 40), "X": slice(5, 6)}) == (
        "the part z 1–3, x 5"
    )
    assert covered(image, {"Y": slice(0, 40)}) == "the whole image"
    assert covered(image, dock.task.part(viewer, dock.source.layer(), image)) in text


def test_messages_call_settings_as_the_form_does():
    text = (
        "Set fastest_movement and smallest_structure closer, or max_seconds=20; a held-out voxel. "
        "A movie flickers; brightness=fit corrects the brightness."
    )
    assert with_titles(text, NSTMConfig) == (
        "Set “Fastest movement” and “Smallest structure” closer, or “Time limit: 20”; a held-out "
        "voxel. A movie flickers; “Brightness: fit” corrects the brightness."
    )


def test_docks_are_listed_in_the_order_in_which_they_are_used():
    manifest = PluginManifest.from_file(Path(napari_cellinr.__file__).parent / "napari.yaml")
    names = [widget.display_name for widget in manifest.contributions.widgets]
    wanted = ["Denoise", "Super-resolve", "Reconstruct motion", "Compare", "Batch", "Script"]
    assert names == wanted


def test_the_question_mark_of_a_dock_opens_the_page_for_the_viewer(dock):
    dock.panel.guide_button.click()
    window = dock.findChild(GuideWindow)
    text = window.browser.toPlainText()
    assert text.index("The docks") < 5
    window.close()


def test_a_result_whose_colours_add_takes_the_place_of_its_source_and_of_older_results(
    viewer, layer, dock, use_job, idle
):
    """In a composite of channels, a structure is not shown twice as bright as it is."""
    layer.blending = "additive"
    other = viewer.add_image(layer.data, name="other channel", blending="additive")
    viewer.layers.selection.active = layer
    use_job()
    for _ in range(2):
        dock.run()
        idle(dock)
    first, second = (one for one in viewer.layers if one.name.startswith("denoised"))
    assert [one.visible for one in (layer, first, second, other)] == [False, False, True, True]


def test_without_its_results_a_hidden_source_is_shown_again(viewer, layer, dock, use_job, idle):
    layer.blending = "additive"
    use_job()
    for _ in range(2):
        dock.run()
        idle(dock)
    first, second = (one for one in viewer.layers if one.name.startswith("denoised"))
    viewer.layers.remove(first)
    assert (layer.visible, second.visible) == (False, True)
    viewer.layers.remove(second)
    assert layer.visible
    layer.visible = False
    dock.run()
    idle(dock)
    viewer.layers.remove(viewer.layers[-1])
    assert not layer.visible  # the user had hidden it


def seen(viewer):
    return [one.name for one in viewer.layers if one.visible]


def test_a_running_layer_whose_colours_add_takes_the_place_of_its_source(
    viewer, layer, dock, use_job, idle, qtbot
):
    layer.blending = "additive"
    job = use_job(steps=400)
    dock.run()
    qtbot.waitUntil(lambda: "denoised · membrane (running)" in viewer.layers)
    assert seen(viewer) == ["denoised · membrane (running)"]
    dock.controller.cancel()
    idle(dock)
    assert job.closed
    assert seen(viewer) == ["membrane"]


def test_a_preview_whose_colours_add_takes_the_place_of_its_source(
    viewer, layer, dock, use_job, idle
):
    layer.blending = "additive"
    use_job()
    for _ in range(2):
        dock.preview()
        idle(dock)
        assert seen(viewer) == ["preview · membrane"]
    dock.run()
    idle(dock)
    assert seen(viewer) == ["denoised · membrane"]
    viewer.layers.remove(viewer.layers["denoised · membrane"])
    assert seen(viewer) == ["membrane"]


def test_a_region_whose_colours_add_and_its_result_take_the_place_of_their_source(
    viewer, layer, dock, use_job, idle
):
    layer.blending = "additive"
    use_job()
    region = dock.dispatcher.region(layer, {"Y": (0, 20)})
    assert seen(viewer) == ["region · membrane"]
    dock.source.choose(region.unique_id)
    dock.run()
    idle(dock)
    assert seen(viewer) == ["denoised · region · membrane"]
    viewer.layers.remove(viewer.layers["denoised · region · membrane"])
    assert seen(viewer) == ["region · membrane"]
    viewer.layers.remove(region)
    assert seen(viewer) == ["membrane"]


def test_below_an_opaque_result_its_source_stays_visible(viewer, layer, dock, use_job, idle):
    use_job()
    dock.run()
    idle(dock)
    assert layer.visible
