"""Times of a reconstruction: a number, a list or a text; anything else is refused."""

import pytest

from napari_cellinr.config import NSTMConfig
from napari_cellinr.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ("", None), (None, None), (20, 20), ("20", 20), ("0,0.5,1.2", (0, 0.5, 1.2)),
        ((0, 1, 4), (0, 1, 4)), ("1.5", (1.5,)), ([3], (3,)), ("3,", (3,)), ([], None),
    ],
)  # fmt: skip
def test_times_are_understood(given, chosen):
    config = NSTMConfig(times=given)
    assert config.chosen_times() == chosen
    assert NSTMConfig.from_json(config.as_json()) == config


@pytest.mark.parametrize("given", ["0", "-3", "soon", "2,1", "0,nan", "0,-1", "1e9"])
def test_other_times_are_refused(given):
    with pytest.raises(ConfigError, match="increasing times"):
        NSTMConfig(times=given)
