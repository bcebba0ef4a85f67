"""*Stop* before the fit, with the methods themselves: their docks do not call the result usable."""

import numpy as np
import pytest

pytestmark = pytest.mark.gui

SAID = {
    "Denoise": ("The fit had not begun when it was stopped", "only its initial estimate"),
    "Super-resolve": ("stopped before it was complete", "the rest of the result is interpolated"),
    "Reconstruct motion": ("detail and motion are missing", "Do not measure motion"),
}


@pytest.fixture
def movie(viewer):
    means = 40 + 30 * np.sin(np.arange(24) / 3)
    data = np.random.default_rng(3).poisson(means, (5, 24, 24)).astype(np.float32)
    units = ("second", "micrometer", "micrometer")
    return viewer.add_image(
        data, name="dish 7", axis_labels=tuple("tyx"), scale=(2.0, 0.2, 0.2), units=units
    )


@pytest.mark.usefixtures("movie")
@pytest.mark.parametrize("name", SAID)
def test_a_stop_before_the_fit_says_that_there_is_no_fit(viewer, idle, name):
    _, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", name)
    dock.panel.run_button.click()
    dock.panel.stop_button.click()  # before the first message of the job is shown
    assert dock.panel.bar.format() == "stopping …"
    idle(dock, timeout=120_000)
    text = dock.panel.status.text()
    assert "stopped by you" in text
    for words in SAID[name]:
        assert words in text
    assert "after 0 steps" not in text
    assert "usable" not in text
    assert any("dish 7" in one.name and one.name != "dish 7" for one in viewer.layers)
