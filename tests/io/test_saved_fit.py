"""Saved fits on disk."""

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_cellinr.errors import FileError
from napari_cellinr.io import load_fitted, save_fitted
from napari_cellinr.io.saved_fit import VERSION

HEADER = {"config": {"steps": 3, "gain": None}, "axes": "ZYX", "scale": [0.1, 2.0], "µ": "x"}


@pytest.fixture
def tensors():
    generator = np.random.default_rng(0)
    return {
        "grid": generator.normal(size=(2, 3, 4)).astype(np.float32),
        "transposed": generator.normal(size=(4, 3)).T,
        "big endian": np.arange(5, dtype=">i4"),
        "scalar": np.array(2.5),
        "flags": np.array([True, False]),
        "empty": np.zeros((0, 3), np.float32),
    }


def test_round_trip(tmp_path, tensors):
    path = tmp_path / "field.cellinr"
    save_fitted(path, header=HEADER, tensors=tensors)
    header, loaded = load_fitted(path)
    assert header == HEADER
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert np.array_equal(loaded[name], tensor), name
        assert loaded[name].shape == tensor.shape
        assert loaded[name].dtype == tensor.dtype.newbyteorder("=")
    assert list(tmp_path.iterdir()) == [path]


def test_torch_tensors(tmp_path):
    torch = pytest.importorskip("torch")
    weight = torch.arange(6.0, requires_grad=True).reshape(2, 3).t()
    save_fitted(str(tmp_path / "field.cellinr"), header={}, tensors={"weight": weight})
    assert np.array_equal(load_fitted(tmp_path / "field.cellinr")[1]["weight"], weight.detach())


def test_nothing_but_a_header(tmp_path):
    save_fitted(tmp_path / "field.cellinr", header=HEADER, tensors={})
    assert load_fitted(tmp_path / "field.cellinr") == (HEADER, {})


def test_missing(tmp_path):
    with pytest.raises(FileError, match="there is no file"):
        load_fitted(tmp_path / "field.cellinr")


@pytest.mark.parametrize("part", [0, 0.01, 0.3, 0.99])
def test_damaged(tmp_path, tensors, part):
    path = tmp_path / "field.cellinr"
    save_fitted(path, header=HEADER, tensors=tensors)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(FileError, match=r"not a saved fit .*or it is damaged"):
        load_fitted(path)


def test_foreign(tmp_path):
    path = tmp_path / "field.cellinr"
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(FileError, match="not a saved fit"):
        load_fitted(path)
    path.write_text("something else entirely")
    with pytest.raises(FileError, match="not a saved fit"):
        load_fitted(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": str(VERSION + 1)}, "Update napari-cellinr"),
        ({"version": "many"}, "damaged"),
        ({"header": "{"}, "damaged"),
    ],
)
def test_other_metadata(tmp_path, changes, message):
    path = tmp_path / "field.cellinr"
    metadata = {"format": "napari-cellinr fitted field", "version": "1", "header": "{}"}
    save_file({"a": np.zeros(3)}, path, metadata=metadata | changes)
    with pytest.raises(FileError, match=message):
        load_fitted(path)


def test_what_is_no_json_leaves_no_file(tmp_path):
    with pytest.raises(TypeError):
        save_fitted(tmp_path / "field.cellinr", header={"a": object()}, tensors={})
    assert list(tmp_path.iterdir()) == []


def test_loads_no_torch(tmp_path):
    path = tmp_path / "field.cellinr"
    save_fitted(path, header=HEADER, tensors={"a": np.zeros(3)})
    code = f"""
import sys, json
from napari_cellinr.io import load_fitted
header, tensors = load_fitted({str(path)!r})
print(json.dumps(["torch" in sys.modules, "tifffile" in sys.modules, "nibabel" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, False, False]
