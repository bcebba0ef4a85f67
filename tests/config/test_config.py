"""The laws of every Config: round trips are exact, errors name the setting and what is allowed."""

import subprocess
import sys

import pytest

from napari_cellinr.config import CellINRConfig, Config
from napari_cellinr.errors import ConfigError

CONFIGS = [CellINRConfig]


@pytest.fixture(params=CONFIGS, ids=lambda config: config.__name__)
def kind(request):
    return request.param


@pytest.fixture(params=["default", "changed"])
def config(kind, request):
    if request.param == "default":
        return kind()
    return kind(preset="preview", seed=7, max_seconds=12.3456789012345, device="cpu", steps=7)


def test_round_trips(config):
    kind = type(config)
    assert kind(**config.as_dict()) == config
    assert kind.from_json(config.as_json()) == config
    assert kind(**config.changes()) == config


def test_changes_are_few(kind):
    assert kind().changes() == {}
    assert kind(seed=3).changes() == {"seed": 3}
    assert kind(preset="preview").changes() == {"preset": "preview"}


@pytest.mark.parametrize("preset", CellINRConfig.PRESETS)
def test_presets(preset):
    config = CellINRConfig(preset=preset)
    for name, value in CellINRConfig.PRESETS[preset].items():
        assert getattr(config, name) == value
    assert CellINRConfig(preset=preset, steps=9).steps == 9


def test_replace_follows_the_preset():
    config = CellINRConfig(seed=5)
    preview = config.replace(preset="preview")
    assert preview == CellINRConfig(preset="preview", seed=5)
    assert preview.replace(preset="fast") == config
    assert config.replace(steps=3).steps == 3


def test_frozen(kind):
    with pytest.raises(ValueError, match="frozen"):
        kind().seed = 3


@pytest.mark.parametrize("preset", ["x", "", None, ["fast"]])
def test_unknown_preset(preset):
    with pytest.raises(ConfigError) as caught:
        CellINRConfig(preset=preset)
    assert (
        str(caught.value) == f"preset {preset!r} was given; allowed are fast, best, preview, paper."
    )


def test_unknown_name(kind):
    with pytest.raises(ConfigError, match="no setting 'stepz'; the settings are preset, "):
        kind(stepz=3)
    with pytest.raises(ConfigError, match="no setting 'stepz'"):
        kind.parse({"stepz": "3"})
    with pytest.raises(ConfigError, match="no setting 'stepz'"):
        kind().replace(stepz=3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("steps", "many"),
        ("steps", 1.5),
        ("seed", -1),
        ("max_seconds", 0),
        ("max_seconds", float("nan")),
        ("max_seconds", float("inf")),
        ("device", "tpu"),
    ],
)
def test_out_of_bounds(kind, name, value):
    with pytest.raises(ConfigError, match=f"^{name} = .* was given; .*\\.$"):
        kind(**{name: value})


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_damaged_json(kind, text):
    with pytest.raises(ConfigError, match="JSON"):
        kind.from_json(text)


def test_parse_gives_what_the_fields_take():
    texts = {"steps": " 50", "max_seconds": "none", "structure": "none", "held_out": "0.05"}
    config = CellINRConfig(**CellINRConfig.parse(texts))
    assert (config.steps, config.max_seconds) == (50, None)
    assert (config.structure, config.held_out) == ("none", 0.05)


def test_every_field_explains_itself(kind):
    for name in kind.model_fields:
        assert kind.help(name).endswith("."), name
        assert isinstance(kind.unit(name), str)
        assert isinstance(kind.is_advanced(name), bool)
    assert kind.unit("max_seconds") == "s"
    assert kind.unit("steps") == ""


def test_choices():
    assert CellINRConfig.choices("preset") == ("preview", "fast", "best", "paper")
    assert CellINRConfig.choices("device") == ("auto", "cpu", "cuda", "mps")
    assert CellINRConfig.choices("steps") == ()
    assert CellINRConfig.choices("max_seconds") == ()


def test_default_values_are_listed_as_choices(kind):
    for name, field in kind.model_fields.items():
        assert not kind.choices(name) or field.default in kind.choices(name)


def test_loads_no_torch():
    code = "import sys, napari_cellinr.config; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_base_is_not_a_configuration():
    with pytest.raises(ConfigError, match="preset"):
        Config()


def test_the_cost_of_the_paper_is_told_before_the_fit():
    sizes = {"Z": 40, "Y": 100, "X": 100}
    paper = CellINRConfig(preset="paper")
    assert "12 days" in paper.cost_warning(sizes)
    assert "GPU" in paper.cost_warning(sizes)
    assert "24 days" in paper.cost_warning({"T": 2, **sizes})
    assert paper.replace(device="cuda").cost_warning(sizes) == ""
    assert paper.replace(steps=10, batch=64).cost_warning(sizes) == ""
    assert CellINRConfig(steps=1_000_000).cost_warning(sizes) == ""


def test_the_preset_paper_has_the_numbers_of_the_paper():
    paper = CellINRConfig(preset="paper")
    assert (paper.neurons, paper.points, paper.batch, paper.steps) == (256, 27, 4096, 50_000)
    assert (paper.learning_rate, paper.final_learning_rate) == (2e-3, 2e-5)
    assert paper.total_variation == 0.15


def test_switches_are_read_from_text():
    texts = {"blind_convolution": "false"}
    assert CellINRConfig(**CellINRConfig.parse(texts)).blind_convolution is False
