"""Maps of the camera that are given make its pixels equal."""

import numpy as np
import pytest
import tifffile
from scipy.io import savemat

from napari_cellinr import CellINRConfig, Image, denoise
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.methods.cellinr.recording.camera_maps import calibrated

SHAPE = (40, 48)


@pytest.fixture
def camera(tmp_path):
    """Return an image of an uneven camera, what an even one records, and the maps' settings."""
    generator = np.random.default_rng(0)
    maps = {
        "offset": (100 + generator.normal(0, 6, SHAPE)).astype(np.float32),
        "gain": (1 + 0.1 * generator.normal(0, 1, SHAPE)).astype(np.float32),
        "variance": generator.uniform(8, 10, SHAPE).astype(np.float32),
    }
    maps["variance"][7, 9] = 900
    even = np.broadcast_to(np.linspace(20, 60, SHAPE[1]), (3, *SHAPE))
    raw = maps["offset"] + even * maps["gain"] / maps["gain"].mean()
    paths = {}
    for name, values in maps.items():
        path = tmp_path / f"{name}.{'mat' if name == 'gain' else 'tif'}"
        if name == "gain":
            savemat(path, {name: values})
        else:
            tifffile.imwrite(path, values)
        paths[f"camera_{name}"] = str(path)
    return raw.astype(np.float32), even + maps["offset"].mean(), paths


def test_pixels_become_equal_in_grey_levels_of_the_image(camera):
    raw, even, paths = camera
    spoilt = raw.copy()
    spoilt[:, 7, 9] += 50
    result = calibrated(Image(spoilt, "ZYX"), CellINRConfig(**paths)).array()
    assert np.abs(result - even).max() < 0.5
    assert calibrated(Image(raw, "ZYX"), CellINRConfig()).array() is raw


def test_a_map_that_does_not_suit_is_refused(camera, tmp_path):
    raw, _, paths = camera
    with pytest.raises(ConfigError, match=r"shape \(40, 48\), the planes of the image \(30, 48\)"):
        calibrated(Image(raw[:, :30], "ZYX"), CellINRConfig(**paths))
    (tmp_path / "broken.mat").write_bytes(b"no matrix")
    with pytest.raises(FileError, match="camera_gain"):
        calibrated(Image(raw, "ZYX"), CellINRConfig(camera_gain=str(tmp_path / "broken.mat")))
    savemat(tmp_path / "two.mat", {"a": np.ones(SHAPE), "b": np.ones(SHAPE)})
    with pytest.raises(FileError, match="2 matrices"):
        calibrated(Image(raw, "ZYX"), CellINRConfig(camera_gain=str(tmp_path / "two.mat")))
    tifffile.imwrite(tmp_path / "zero.tif", np.zeros(SHAPE, np.float32))
    with pytest.raises(ConfigError, match="above 0"):
        calibrated(Image(raw, "ZYX"), CellINRConfig(camera_gain=str(tmp_path / "zero.tif")))


def test_denoising_uses_the_maps(camera):
    raw, even, paths = camera
    noisy = raw[:1] + np.random.default_rng(1).normal(0, 3, (1, *SHAPE))
    settings = {"preset": "preview", "background": "keep", "steps": 2}
    image = Image(noisy.astype(np.float32), "ZYX")
    errors = [
        np.abs(denoise(image, **settings, **maps).images[0].array() - even[:1]).mean()
        for maps in (paths, {})
    ]
    assert errors[0] < 0.7 * errors[1]
