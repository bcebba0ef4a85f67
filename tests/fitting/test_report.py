"""Every report has the same keys, which a schema describes; advice names what to change."""

import json
import re
from importlib.resources import files

import jsonschema
import numpy as np
import pytest

from napari_cellinr import CellINRConfig, Image, denoise, reconstruct, superresolve
from napari_cellinr.fitting.problem import Fitted, Outcome
from napari_cellinr.fitting.report import standard, unconverged_warning

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
