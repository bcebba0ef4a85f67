"""A fit that is kept says what it was; a method that is not known cannot render it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_cellinr import Image, denoise
from napari_cellinr.api import render
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.saved.stored import Stored, digest, geometry, header_of, plain, stored
from napari_cellinr.io import load_fitted, save_fitted


def test_a_fit_comes_back_from_its_file_as_it_was(tmp_path):
    data = np.random.default_rng(0).poisson(30, (2, 4, 16, 16)).astype(np.float32)
    image = Image(data, "TZYX", (2, 0.4, 0.2, 0.2), ("second", *("micrometer",) * 3))
    fitted = denoise(image, steps=1, estimate="gaussian")
    save_fitted(tmp_path / "a.cellinr", header=header_of(fitted), tensors=fitted.state)
    kept = stored(*load_fitted(tmp_path / "a.cellinr"))
    assert kept.method == "cellinr"
    assert kept.source == {**json.loads(json.dumps(geometry(image))), "digest": digest(image)}
    assert kept.config == fitted.config.as_dict()
    assert set(kept.tensors) == set(fitted.state)
    for name, tensor in fitted.state.items():
        np.testing.assert_array_equal(kept.tensors[name], tensor.numpy())


def test_shape_and_settings_of_the_model_are_stored_and_may_be_missing():
    image = Image(np.random.default_rng(0).poisson(30, (16, 16)).astype(np.float32), "YX")
    fitted = replace(denoise(image, steps=1, estimate="gaussian"), model={"shape": (4, 5)})
    header = header_of(fitted)
    assert stored(header, {}).model == {"shape": [4, 5]}
    del header["model"]  # as in files of version 0.1
    assert stored(header, {}).model == {}


def test_images_are_found_by_their_roles():
    image = Image(np.random.default_rng(0).poisson(30, (16, 16)).astype(np.float32), "YX")
    fitted = denoise(image, steps=1, estimate="gaussian")
    assert fitted.image("background") is fitted.images[1]
    with pytest.raises(KeyError, match="result, background"):
        fitted.image("motion")


def test_an_unknown_method_is_named():
    with pytest.raises(ConfigError, match="'other'"):
        render(Stored("other", {}, {}, {}, (), {}))


def test_numbers_that_json_lacks_become_null():
    assert plain({"a": (1.0, float("nan")), 2: [float("inf")]}) == {"a": [1.0, None], "2": [None]}


def test_a_digest_tells_types_axes_and_values_apart():
    zeros = np.zeros((2, 2), np.uint8)
    images = [
        Image(zeros, "YX"),
        Image(zeros.view(np.int8), "YX"),
        Image(zeros, "ZX"),
        Image(zeros.reshape(1, 4), "YX"),
        Image(zeros + np.uint8(1), "YX"),
    ]
    assert len({digest(image) for image in images}) == len(images)
    assert digest(images[0]) == digest(Image(zeros.copy(), "YX", (0.5, 0.5)))


def test_a_saved_fit_is_shown_as_one_line():
    one = Stored("cellinr", {}, {"axes": "YX", "shape": [4, 5]}, {}, (), {"a": np.zeros(7)})
    assert repr(one) == "<Stored fit, cellinr, of YX (4, 5), 7 values>"
