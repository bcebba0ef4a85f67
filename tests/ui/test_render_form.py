"""Render again: what is entered becomes the query that differs from the fit, and a new layer."""

import itertools

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_cellinr import CellINRConfig, Image, SpatimeConfig, reconstruct, write
from napari_cellinr.fitting.saved.stored import Stored, geometry, stored_of
from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.docks.superresolve import SuperresolveDock
from napari_cellinr.ui.panels.fit.render_entries import Entries, RenderableFit
from napari_cellinr.ui.session.console import console_of

pytestmark = pytest.mark.gui

UNITS = ("second", *("micrometer",) * 3)
TOY = {"steps": 1, "estimate": "gaussian"}


def stored(method, config, **facts):
    image = Image(np.zeros((4, 6, 20, 30), np.float32), "TZYX", (2, 0.4, 0.2, 0.2), UNITS, "movie")
    roles = {"roles": ["result"]}
    return Stored(method, config.as_dict(), geometry(image), {}, (), {}, roles)


@pytest.fixture
def denoised():
    return RenderableFit(stored("cellinr", CellINRConfig()))


@pytest.fixture
def finer():
    return RenderableFit(stored("spatime", SpatimeConfig(scale={"t": 2, "z": 2})))


def usual(fit, **changes):
    """Return what is entered when a form opens, with changes along some axes."""
    steps = {axis: fit.usual(axis, is_step=False) for axis in fit.factors}
    return Entries(steps={**steps, **changes})


def test_what_is_as_in_the_fit_is_not_asked_for(denoised, finer):
    for fit in (denoised, finer):
        request = fit.request(usual(fit))
        assert (request.query, request.faults) == ({}, {})
        assert request.image.shape == fit.result.shape
    assert denoised.request(usual(denoised, Z="2")).query == {"scale": {"Z": 2.0}}
    # a scale takes the place of that of the fit, so that all of it is told
    assert finer.request(usual(finer, T="4")).query == {"scale": {"T": 4.0, "Z": 2.0}}
    assert finer.request(usual(finer, T="1")).query == {"scale": {"T": 1.0, "Z": 2.0}}
    ranges = {"Y": "5:15", "X": " : ", "Z": "0:6"}
    request = denoised.request(Entries(ranges=ranges, times="0:4:2"))
    assert request.query == {"crop": {"Y": [5, 15]}, "times": [0.0, 2.0, 4.0]}
    assert request.image.shape == (3, 6, 10, 30)
    assert request.memory == 4 * 3 * 6 * 10 * 30


def test_sizes_of_voxels_instead_of_factors(denoised, finer):
    assert finer.converted("Z", "2") == "0.2"
    assert finer.converted("Z", "0.2") == "2"
    request = denoised.request(Entries(is_step=True, steps={"Z": "0.2", "Y": "0.2", "X": "0,1"}))
    assert request.query == {"voxel": {"Z": 0.2, "X": 0.1}}
    assert request.image.scale == pytest.approx((2, 0.2, 0.2, 0.1))
    request = finer.request(
        Entries(is_step=True, steps={"T": "1", "Z": "0.2", "Y": "0.1", "X": "0.1"})
    )
    assert request.query == {"voxel": {"T": 1.0, "Z": 0.2, "Y": 0.1, "X": 0.1}}


@pytest.mark.parametrize(
    ("entries", "field", "said"),
    [
        (Entries(steps={"Z": "x"}), "Z", "enter a number"),
        (Entries(steps={"Y": "17"}), "Y", "at most 16"),
        (Entries(is_step=True, steps={"Y": "0"}), "Y", "enter a positive number"),
        (Entries(ranges={"X": "10:99"}), "X", "between 0 and 30"),
        (Entries(ranges={"X": "10"}), "X", "enter a range such as 0:30"),
        (Entries(times="1"), "times", "has frames every 2 second from 0 to 6"),
        (Entries(times="a"), "times", "first:last:step"),
        (Entries(times="2", ranges={"T": "0:2"}), "times", "one of them"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(denoised, entries, field, said):
    request = denoised.request(entries)
    assert said in request.faults[field]
    assert (request.query, request.image) == ({}, None)


@pytest.mark.parametrize(("unit", "size"), [("micrometer", 1), ("nanometer", 1000)])
def test_the_part_in_view_is_counted_in_elements_of_the_fit(denoised, unit, size):
    """A layer on a lattice of its own: voxels of half the size, 1 µm after the first one."""
    steps, start = (0.1 * size, 0.1 * size), (1.0 * size, 0.95 * size)
    given = Image(np.zeros((12, 20)), "YX", steps, (unit, unit), translate=start)
    parts = denoised.on_whole(given, {"Y": slice(0, 12), "X": slice(2, 400)})
    assert parts == {"Y": slice(5, 12), "X": slice(6, 30)}


def test_the_part_in_view_of_frames_without_calibration():
    """The optics say the size of the pixels, so that the fit counts in micrometres."""
    frames = np.random.default_rng(0).random((3, 12, 16), np.float32)
    optics = {"kind": "time-lapse", "frame_time": 2.0, "voxel_size": (0.5, 0.5)}
    image = Image(frames, "TYX")
    fit = RenderableFit(stored_of(reconstruct(image, steps=2, restart=False, optics=optics)))
    assert fit.whole.steps == {"T": 2.0, "Y": 0.5, "X": 0.5}
    parts = {"T": slice(1, 2), "Y": slice(4, 10), "X": slice(2, 20)}
    assert fit.on_whole(image, parts) == {**parts, "X": slice(2, 16)}


@pytest.fixture
def cellinr(viewer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stack = np.random.default_rng(0).poisson(30, (4, 16, 20)).astype(np.float32)
    write("embryo.tif", Image(stack, "ZYX", (0.4, 0.2, 0.2), ("micrometer",) * 3))
    console = console_of(viewer)
    console.open("embryo.tif")
    console.denoise("embryo", **TOY)
    console.wait()
    return console


@pytest.fixture
def shown(viewer, cellinr, qtbot):
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    dock.fit_actions.render_button.click()
    form = dock.fit_actions._form
    qtbot.waitUntil(form.isVisible)
    return dock, form


def test_a_layer_is_rendered_by_the_keyboard(viewer, cellinr, shown, qtbot):
    dock, form = shown
    assert "denoised · embryo" in form.title.text()
    assert not form.render_button.isEnabled()
    box = form.steps["Z"]
    box.selectAll()
    qtbot.keyClicks(box, "x")
    assert "enter a number" in form.faults["Z"].text()
    assert form.faults["Z"].isVisible()
    box.selectAll()
    qtbot.keyClicks(box, "2")
    qtbot.keyClicks(form.ranges["Y"], "4:12")
    assert not form.faults["Z"].isVisible()
    assert form.summary.text().splitlines()[:2] == [
        "ZYX: 4 × 16 × 20 → 8 × 8 × 20",
        "0.2×0.2×0.2 µm",
    ]
    qtbot.keyClick(form.ranges["Y"], Qt.Key.Key_Return)
    cellinr.wait()
    layer = viewer.layers["rendered · denoised · embryo"]
    assert layer.data.shape == (8, 8, 20)
    expected = "cellinr.render('denoised · embryo', scale={'Z': 2.0}, crop={'Y': [4, 12]})"
    assert str(cellinr.last) == expected
    with qtbot.waitSignal(form.destroyed):
        qtbot.keyClick(form, Qt.Key.Key_Escape)
    dock.fit_actions.render_button.click()  # and once more
    assert dock.fit_actions._form.isVisible()


def test_the_form_is_narrow_and_the_tab_key_leads_through_it(shown, qtbot):
    _, form = shown
    assert form.width() <= 300
    for button in form.findChildren(QPushButton):
        assert button.width() >= button.minimumSizeHint().width(), button.text()
    form.mode.setFocus(Qt.FocusReason.TabFocusReason)
    expected = [form.mode]
    for axis in "ZYX":
        expected += [form.steps[axis], form.ranges[axis]]
    expected += [form.isotropic, form.in_view, form.all, form.close_button]
    for one, other in itertools.pairwise(expected):
        assert form.focusWidget() is one
        qtbot.keyClick(one, Qt.Key.Key_Tab)
        assert form.focusWidget() is other, other


def test_buttons_fill_the_form(viewer, shown):
    _, form = shown
    form.isotropic.click()
    assert [box.text() for box in form.steps.values()] == ["2", "1", "1"]
    source = viewer.layers["embryo"]
    source.corner_pixels = np.array([[0, 2, 3], [0, 9, 14]])
    form.in_view.click()
    assert [box.text() for box in form.ranges.values()] == ["", "2:10", "3:15"]
    form.all.click()
    assert [box.text() for box in form.ranges.values()] == ["", "", ""]


def test_the_fit_is_that_of_the_chosen_layer_or_the_newest(viewer, cellinr, shown, qtbot):
    dock, form = shown
    actions = dock.fit_actions
    cellinr.save("denoised · embryo", "kept.cellinr")
    cellinr.denoise("embryo", background="keep", **TOY)
    cellinr.wait()
    assert actions.target().name == "denoised · embryo [1]"  # the newest
    kept = cellinr.open("kept.cellinr")[0]
    dock.source.choose(kept.unique_id)
    assert actions.target().name == kept.name
    assert kept.name in actions.render_button.toolTip()
    actions.render_button.click()  # another form takes the place of the first one
    assert not form.isVisible()
    assert [one.text() for one in actions._form.steps.values()] == ["1", "1", "1"]
    other = SuperresolveDock(viewer)  # whose fits are not these
    qtbot.addWidget(other)
    other.source.choose(kept.unique_id)
    assert other.fit_actions.target() is None
    assert other.fit_actions.isHidden()
    viewer.layers.clear()
    assert actions._form is None or not actions._form.isVisible()
    assert actions.isHidden()
