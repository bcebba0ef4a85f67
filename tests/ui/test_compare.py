"""A result beside others: conventional result, difference, profiles, scores."""

import numpy as np
import pytest
from napari.utils.theme import get_theme

from napari_cellinr.errors import AxesError
from napari_cellinr.image import Image
from napari_cellinr.macro.compare import on_grid_of
from napari_cellinr.ui.docks.compare import LINE, CompareDock
from napari_cellinr.ui.panels.time import TimePanel
from napari_cellinr.ui.session.work.compare import profile

pytestmark = pytest.mark.gui


@pytest.fixture
def compare(viewer, dock):
    compare = CompareDock(viewer)
    viewer.window.add_dock_widget(compare, name="Compare")
    return compare


@pytest.fixture
def done(qtbot, dock):
    return lambda: qtbot.waitUntil(lambda: not dock.dispatcher.is_busy)


def test_a_finer_grid_is_compared_at_the_places_of_the_coarse_one():
    ramp = np.arange(12, dtype=np.float32)[None].repeat(3, 0)
    fine = Image(ramp, scale=(1, 0.5), units=("um", "um"))
    coarse = Image(np.zeros((3, 4), np.float32), translate=(0, 0.25), units=("um", "um"))
    np.testing.assert_allclose(on_grid_of(coarse, fine)[0], [0.5, 2.5, 4.5, 6.5])


def test_compare_adds_the_conventional_answer_and_the_difference(
    viewer, dock, compare, use_job, done
):
    use_job()
    dock.panel.run_button.click()
    done()
    selected = viewer.layers.selection.active.name
    assert compare.result.currentText() == "denoised · membrane"
    assert compare.against.currentText() == "conventional result"
    compare.compare_button.click()
    done()
    names = {layer.name: layer for layer in viewer.layers}
    conventional, result = names["WBNS · membrane"], names["denoised · membrane"]
    difference = names["minus WBNS · denoised · membrane"]
    np.testing.assert_allclose(difference.data, result.data - conventional.data, atol=1e-6)
    low, high = difference.contrast_limits
    assert low == -high < 0
    assert "transparent equal" in compare.status.text()
    middle, end = difference.colormap.map(np.array([0.5, 1.0]))
    assert middle[3] < 0.02  # what is compared is seen where it does not differ
    assert end[3] == 1
    for layer in (conventional, difference):
        np.testing.assert_allclose(layer.translate, result.translate)
        assert layer.units == result.units
    assert viewer.layers.selection.active.name == selected


def test_a_result_is_chosen_and_no_preview(viewer, dock, use_job, done):
    def chosen():
        opened = CompareDock(viewer)
        viewer.window.add_dock_widget(opened, name=f"Compare {len(viewer.layers)}")
        return opened.result.currentText()

    use_job()
    dock.preview()
    done()
    assert viewer.layers[-1].name == "preview · membrane"
    assert chosen() == "membrane"
    dock.run()
    done()
    dock.preview()
    done()
    assert chosen() == "denoised · membrane"


def test_a_foreign_layer_needs_something_to_compare_with(viewer, dock, compare, stack, done):
    viewer.add_image(stack + 1, name="other", axis_labels=("z", "y", "x"))
    with pytest.raises(AxesError, match="not made by a fit of this session"):
        dock.dispatcher.compare("other")
    dock.dispatcher.compare("other", "membrane")
    done()
    assert "minus membrane · other" in [layer.name for layer in viewer.layers]


def test_profiles_of_visible_layers_follow_the_line(viewer, layer, dock, compare, qtbot):
    other = viewer.add_image(
        layer.data * 2, name="twice", scale=layer.scale, translate=layer.translate,
        units=layer.units, axis_labels=layer.axis_labels,
    )  # fmt: skip
    compare.line_button.click()
    plot = compare._plot.getPlotItem()
    assert len(plot.listDataItems()) == 2
    line = viewer.layers[LINE]
    y = line.data[-1][0][1]
    positions, values = profile(other, *(line.data_to_world(end) for end in line.data[-1]))
    expected = other.data[round(line.data[-1][0][0]), round(y)]
    assert np.nanmin(values) >= expected.min() - 1
    assert positions[-1] == pytest.approx(0.2 * np.ptp(line.data[-1][:, 2]), rel=1e-6)
    other.visible = False
    line.data = [line.data[-1] + np.array([0, 3, 0])]
    qtbot.waitUntil(lambda: len(plot.listDataItems()) == 1)


def test_a_truth_fills_the_table(viewer, layer, dock, compare, stack, done):
    viewer.add_image(stack, name="truth", axis_labels=("z", "y", "x"))
    compare.truth.setCurrentIndex(compare.truth.findText("truth"))
    compare.truth.activated.emit(compare.truth.currentIndex())
    compare.measure_button.click()
    done()
    assert compare.table.rowCount() == 1
    row = [compare.table.item(0, column).text() for column in range(4)]
    assert row[0] == "membrane"
    assert float(row[2]) <= 1


def test_a_plane_without_a_difference_is_told_and_hides_nothing(viewer, dock, compare, stack, done):
    same = stack.copy()
    same[3:] += 1
    viewer.add_image(same, name="other", axis_labels=("z", "y", "x"))
    viewer.add_image(stack, name="given", axis_labels=("z", "y", "x"))
    viewer.dims.set_point(0, 1)
    dock.dispatcher.compare("other", "given")
    done()
    assert "Nothing differs in the plane that is shown" in compare.status.text()
    viewer.dims.set_point(0, 4)
    dock.dispatcher.compare("other", "given")
    done()
    assert "Nothing differs" not in compare.status.text()


def test_differences_and_previews_are_not_measured(
    viewer, dock, compare, use_job, stack, done, qtbot
):
    viewer.add_image(stack, name="truth", axis_labels=("z", "y", "x"))
    dock.dispatcher.compare("membrane", "truth")
    done()
    use_job()
    dock.source.choose(viewer.layers["membrane"].unique_id)
    dock.preview()
    done()
    names = [layer.name for layer in viewer.layers]
    assert {"minus truth · membrane", "preview · membrane"} <= set(names)
    given = dock.controller.image_of(viewer.layers["membrane"])
    times = TimePanel(dock.controller)
    qtbot.addWidget(times)
    times._source_id = viewer.layers["membrane"].unique_id
    times._show(given, given)
    assert viewer.layers["at time · membrane"].visible
    viewer.layers["preview · membrane"].visible = True
    compare.truth.setCurrentIndex(compare.truth.findText("truth"))
    compare.measure()
    done()
    assert [compare.table.item(row, 0).text() for row in range(compare.table.rowCount())] == [
        "membrane"
    ]


@pytest.mark.parametrize(
    "turned",
    [
        {"rotate": 30},
        {"shear": [0.0, 0.0, 0.4]},
        {"affine": [[1, 0, 0, 0], [0, 0.8, -0.6, 9], [0, 0.6, 0.8, 0], [0, 0, 0, 1]]},
    ],
)
def test_the_line_lies_within_a_turned_image(viewer, dock, compare, turned):
    """A long image: across its middle in the world, a line would begin and end outside."""
    viewer.layers.clear()
    values = np.ones((3, 20, 90), np.float32)
    layer = viewer.add_image(values, scale=(2, 0.5, 0.5), axis_labels=tuple("zyx"), **turned)
    compare.line_button.click()
    line = viewer.layers[LINE]
    ends = [layer.world_to_data(line.data_to_world(end)) for end in line.data[-1]]
    np.testing.assert_allclose([end[1:] for end in ends], [(9.5, 8.4), (9.5, 80.6)], atol=0.5)
    _, values = profile(layer, *(line.data_to_world(end) for end in line.data[-1]))
    assert np.isfinite(values).all()


@pytest.mark.new_viewer  # a picture of a plot lays out the whole window, which stays
def test_both_plots_follow_the_theme(viewer, layer, dock, compare, use_job, done):
    use_job()
    dock.run()
    done()
    compare.line_button.click()
    plots = [compare._plot, dock.panel._plot]
    for theme in ("light", "dark", "light"):
        viewer.theme = theme
        text = get_theme(theme).text.as_hex(format="long")
        for plot in plots:
            for side in ("left", "bottom"):
                axis = plot.getPlotItem().getAxis(side)
                assert axis.textPen().color().name() == text
                assert axis.pen().color().name() == text
            corner = plot.grab().toImage().pixelColor(2, plot.height() - 3)
            assert (corner.lightness() < 128) == (theme == "dark")
