"""Every report has the same keys, which a schema describes; advice names what to change."""

import json
import re
from importlib.resources import files

import jsonschema
import numpy as np
import pytest

from napari_cellinr import CellINRConfig, Image, denoise, reconstruct, superresolve
from napari_cellinr.fitting.problem import Fitted, Outcome
from napari_cellinr.fitting.report import held_out_warning, is_note, standard, unconverged_warning

SCHEMA = json.loads((files("napari_cellinr.fitting") / "report.schema.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("function", "settings"),
    [(denoise, {"steps": 2}), (superresolve, {"scale": {"t": 2}}), (reconstruct, {"steps": 2})],
)
def test_reports_of_all_methods_fit_the_schema(function, settings):
    movie = np.random.default_rng(0).poisson(50, (3, 16, 16))
    report = function(movie, axes="TYX", preset="preview", **settings).report
    plain = json.loads(json.dumps(report))
    jsonschema.Draft202012Validator(SCHEMA).validate(plain)
    assert list(report)[: len(SCHEMA["required"])] == SCHEMA["required"]


def fitted(**report):
    image = Image(np.zeros((2, 3)))
    return Fitted((image,), CellINRConfig(), {}, (), "steps", report, roles=("result",))


def test_what_is_unknown_is_null_and_other_keys_stay():
    report = standard(fitted(seconds=2.0, fits={"channel 0: held-out frames": 2})).report
    assert report["seconds"] == 2.0
    assert report["noise"] is None
    assert report["warnings"] == []
    assert report["fits"] == {"channel_0": {"held_out_frames": 2}}


def test_settings_and_packages_keep_their_names():
    known = {"versions": {"scikit-image": "1"}, "config": {"scale": {"Z": 2}}}
    report = standard(fitted(**known)).report
    assert {key: report[key] for key in known} == known


@pytest.mark.parametrize(
    ("errors", "stopped", "said"),
    [
        ([2.0, 1.5, 1.2, 1.1, 1.0, 0.9], "steps", "still fell by 10 %.*set steps higher"),
        ([2.0, 1.5, 1.0, 1.0, 1.0, 1.0], "steps", "promise little"),
        ([2.0, 1.5, 1.2, 1.1, 1.0, 0.9], "time", "set max_seconds higher"),
        ([], "steps", "was not measured"),
    ],
)
def test_advice_says_what_was_measured_and_names_the_option(errors, stopped, said):
    history = tuple({"step": i, "held_out": error} for i, error in enumerate(errors))
    text = unconverged_warning(Outcome(stopped, 30, 1.0, history))
    assert re.search(said, text)


@pytest.mark.parametrize(
    ("held_out", "residual", "spans", "said"),
    [
        (1.1, 1.0, [(0.9, 1.3)], ""),
        (4.5, 0.8, [(1.0, 9.0)], ""),  # much light: only bright places are predicted badly
        (9.0, 0.7, [(1.0, 20.0)], "9.0 times the estimated noise.*too low"),
        (3.0, 1.0, [(0.9, 1.3), (2.5, 4.0)], "too low"),  # one channel
        (2.0, 1.9, [], "too low"),  # nothing is known of brightness
        (2.0, 1.1, [[]], ""),
        (0.4, 0.4, [(0.3, 0.5)], "only 0.40 times.*too high"),
        (0.6, 0.6, [(0.1, 0.9)], ""),  # clipped at 0 where it is dark
    ],
)
def test_a_held_out_error_that_does_not_agree_with_the_noise_is_warned_of(
    held_out, residual, spans, said
):
    text = held_out_warning(held_out, residual, spans)
    assert bool(text) == bool(said)
    assert re.search(said, text)


def test_an_image_without_noise_is_not_told_that_its_noise_is_wrong():
    text = held_out_warning(128.0, 9.0, noise_part=1.5e-4)
    assert text.startswith("hardly any noise was found (0.01 % of the range of grey levels)")
    assert "too low" in held_out_warning(128.0, 9.0, noise_part=0.01)
    assert "given too low" in held_out_warning(128.0, 9.0, noise_part=1.5e-4, is_given=True)
    assert held_out_warning(1.1, 1.0, noise_part=1.5e-4) == ""


def test_replaced_pixels_alone_are_a_note():
    assert is_note("1 hot or dead pixel was replaced.")
    assert is_note("12 hot or dead pixels were replaced.")
    assert not is_note("1 % of the voxels are saturated.")
