"""The typed keywords of the functions are the settings of the methods."""

import inspect

import pytest

import napari_cellinr
from napari_cellinr.config import CellINRConfig, NSTMConfig, SpatimeConfig, keywords


@pytest.mark.parametrize(
    ("table", "config", "function"),
    [
        (keywords.DenoiseSettings, CellINRConfig, "denoise"),
        (keywords.SuperresolveSettings, SpatimeConfig, "superresolve"),
        (keywords.ReconstructSettings, NSTMConfig, "reconstruct"),
    ],
)
def test_every_setting_is_a_keyword(table, config, function):
    parameters = set(inspect.signature(getattr(napari_cellinr, function)).parameters)
    assert set(table.__annotations__) | (set(config.model_fields) & parameters) == set(
        config.model_fields
    )
    assert not set(table.__annotations__) & parameters


@pytest.mark.parametrize("name", sorted(set(napari_cellinr.__all__) - {"__version__"}))
def test_every_public_name_is_there_and_explained(name):
    found = getattr(napari_cellinr, name)
    assert inspect.getdoc(found)


def test_the_three_functions_take_the_same_in_the_same_order():
    common = ["axes", "voxel", "scale", "units", "progress"]
    for name in ("denoise", "superresolve", "reconstruct"):
        parameters = list(inspect.signature(getattr(napari_cellinr, name)).parameters)
        assert parameters[0] == "image"
        assert parameters[2:7] == common
