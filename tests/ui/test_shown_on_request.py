"""A run adds its result; the other images are layers once the user or a script requests them."""

from dataclasses import replace

import numpy as np
import pytest

from napari_cellinr.macro import script
from napari_cellinr.ui.session.dispatcher import dispatcher_of

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(dock, use_job):
    """The dock Denoise, whose fit has a background of its seed besides the result."""
    job = use_job(steps=1)
    plain = job.fitted

    def fitted(image, config, stopped):
        made = plain(image, config, stopped)
        haze = made.images[0].like(
            np.full(image.shape, config.seed, np.float32), name=f"{image.name} background"
        )
        images = (made.images[0], haze)
        return replace(made, images=images, roles=("result", "background"), state={"w": np.ones(1)})

    job.fitted = fitted
    return dock


def names(viewer):
    return [layer.name for layer in viewer.layers]


def entries(dock):
    button = dock.fit_actions.show_button
    button.fill()
    return button.entries.actions()


def test_another_image_is_shown_without_the_raw_layer(viewer, dock, idle):
    dock.run()
    idle(dock)
    place = viewer.layers["denoised · membrane"]
    viewer.layers.remove("membrane")
    entries(dock)[0].trigger()
    layer = viewer.layers["background · membrane"]
    np.testing.assert_allclose(layer.scale, place.scale)
    np.testing.assert_allclose(layer.translate, place.translate)


def test_another_image_is_shown_hidden_and_removed_again(viewer, dock, idle):
    dock.run()
    idle(dock)
    assert names(viewer) == ["membrane", "denoised · membrane"]
    (entry,) = entries(dock)
    assert (entry.text(), entry.isChecked()) == ("background", False)
    entry.trigger()
    assert names(viewer) == ["membrane", "denoised · membrane", "background · membrane"]
    layer = viewer.layers["background · membrane"]
    np.testing.assert_allclose(layer.scale, viewer.layers["membrane"].scale)
    (entry,) = entries(dock)
    assert layer.visible
    assert entry.isChecked()
    entry.trigger()
    assert not layer.visible
    viewer.layers.remove("background · membrane")
    entries(dock)[0].trigger()
    assert viewer.layers["background · membrane"].visible
    runs = dock.dispatcher.history
    assert runs.delete_layers(viewer, runs.runs[0]) == 2
    assert names(viewer) == ["membrane"]


def test_where_colours_add_a_result_is_shown_again_without_the_image_in_its_place(
    viewer, layer, dock, idle
):
    layer.blending = "additive"
    dock.run()
    idle(dock)
    for _ in range(2):
        entries(dock)[0].trigger()
        assert [one.name for one in viewer.layers if one.visible] == ["background · membrane"]
        entries(dock)[0].trigger()
        assert [one.name for one in viewer.layers if one.visible] == ["denoised · membrane"]
    viewer.layers.remove("denoised · membrane")
    viewer.layers.remove("background · membrane")
    assert layer.visible


@pytest.mark.parametrize("name", ["background · membrane [1]", "membrane background [1]"])
def test_a_script_saves_images_that_are_not_shown(viewer, dock, idle, tmp_path, name):
    from napari_cellinr.io import read

    for seed in (3, 4):
        dock._console.denoise("membrane", seed=seed)
        idle(dock)
    dock._console.save(name, tmp_path / "haze.tif")
    assert read(tmp_path / "haze.tif").array().mean() == 4
    assert "background · membrane" not in names(viewer)
    fits = [step for step in dispatcher_of(viewer).recorder.macro.steps if step.action != "save"]
    assert fits[1].results == ("denoised · membrane [1]", "background · membrane [1]")
    assert "save('background · membrane [1]'" in script(dispatcher_of(viewer).recorder.macro)
    dock._console.save("background · membrane", tmp_path / "first.tif")
    assert read(tmp_path / "first.tif").array().mean() == 3


def test_a_result_without_other_images_offers_none(viewer, layer, idle, use_job, dock):
    use_job(steps=1)  # one image
    dock.run()
    idle(dock)
    assert entries(dock) == []


def test_images_of_an_older_result_are_shown_after_the_newest_was_removed(viewer, dock, idle):
    """Also if another image of the newest is left, or has been added since."""
    for seed in (3, 4):
        dock._console.denoise("membrane", seed=seed)
        idle(dock)
    button, (first, second) = dock.fit_actions.show_button, viewer.layers[1:]
    button.toggle("background · membrane [1]", checked=True)
    assert "denoised · membrane [1]" in button.toolTip()
    viewer.layers.remove(second)  # its background stays
    assert not button.isHidden()
    assert "denoised · membrane”" in button.toolTip()
    assert dock.fit_actions.target() is first
    button.toggle("background · membrane", checked=True)
    assert np.asarray(viewer.layers["background · membrane"].data).mean() == 3
    viewer.layers.remove("background · membrane [1]")
    viewer.layers.remove(first)
    assert button.isHidden()


def test_an_image_of_an_older_result_does_not_make_it_the_newest(viewer, dock, idle):
    for seed in (3, 4):
        dock._console.denoise("membrane", seed=seed)
        idle(dock)
    dock.dispatcher.offers.show_named("background · membrane")
    dock.fit_actions.refresh()
    assert dock.fit_actions.target().name == "denoised · membrane [1]"
    assert "denoised · membrane [1]" in dock.fit_actions.show_button.toolTip()
    assert np.asarray(dock.dispatcher.offers.show_named("background").data).mean() == 4
    viewer.layers.selection.active = viewer.layers["membrane"]
    _, after = dock.dispatcher.before_after.pair()
    assert after.name == "denoised · membrane [1]"
