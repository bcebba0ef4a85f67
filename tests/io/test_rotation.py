"""A rotation that a format cannot hold is said before it is lost, and can be resampled."""

import nibabel
import numpy as np
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.cli import main
from napari_cellinr.errors import AxesError, FileWarning
from napari_cellinr.io.metadata.rotation import baked, is_rotated


def turned(degrees, steps=(0.5, 0.5, 2.0)):
    """Return the affine of a rotation about z, x to y, with steps along x, y and z."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(4)
    matrix[:2, :2] = [[c, -s], [s, c]]
    return matrix @ np.diag([*steps, 1.0])


def image_of(affine, data=None):
    data = np.arange(2 * 8 * 9, dtype=np.float32).reshape(2, 8, 9) if data is None else data
    return Image(
        data,
        "ZYX",
        scale=np.linalg.norm(affine[:3, :3], axis=0)[::-1],
        units=("micrometer",) * 3,
        meta={"affine": affine.tolist(), "affine_unit": "micrometer", "affine_code": 1},
    )


@pytest.mark.parametrize(
    ("affine", "expected"),
    [
        (turned(0), False),
        (turned(30), True),
        (turned(90), True),
        (np.diag([-0.5, -0.5, 2.0, 1.0]), False),
        (np.diag([0.0, 0.5, 2.0, 1.0]), False),
    ],
)
def test_what_is_a_rotation(affine, expected):
    stated = {"affine": affine.tolist(), "affine_unit": "micrometer"}
    assert is_rotated(Image(np.zeros((2, 3, 4)), "ZYX", meta=stated)) == expected


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.zarr"])
def test_the_rotation_is_said_and_comes_back(tmp_path, name):
    affine = turned(30)
    with pytest.warns(FileWarning, match=r'cannot hold the rotation.*rotation="bake"'):
        path = write(tmp_path / name, image_of(affine))
    again = read(path)
    assert np.allclose(again.meta["affine"], affine)
    back = nibabel.load(write(tmp_path / "back.nii", again))
    assert np.allclose(back.affine, affine)


def test_it_can_be_kept_without_a_warning(tmp_path):
    write(tmp_path / "a.tif", image_of(turned(30)), rotation="keep")
    assert is_rotated(read(tmp_path / "a.tif"))
    write(tmp_path / "b.nii", image_of(turned(30)))  # NIfTI holds it


def test_a_quarter_turn_moves_every_voxel():
    data = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4)
    result = baked(image_of(turned(90), data))
    assert not is_rotated(result)
    assert result.scale == pytest.approx((0.5, 0.5, 0.5))
    # x of the array runs along y of the world, y of the array along -x.
    expected = np.rot90(data[0], k=-1)
    assert np.array_equal(result.array()[0], expected)
    assert result.translate == pytest.approx((0.0, 0.0, -1.0))


def test_a_point_stays_where_it_is_in_the_world():
    data = np.zeros((1, 21, 21))
    data[0, 5, 16] = 1.0
    affine = turned(20, (1.0, 1.0, 1.0))
    result = baked(image_of(affine, data))
    place = np.unravel_index(result.array().argmax(), result.shape)
    found = np.array([place[i] * result.scale[i] + result.translate[i] for i in range(3)])
    expected = (affine @ [16, 5, 0, 1])[:3][::-1]
    assert np.abs(found - expected).max() <= 0.5


def test_frames_and_channels_are_turned_one_by_one():
    data = np.zeros((2, 3, 1, 6, 7))
    data[1, 2, 0, 2, 3] = 1
    image = image_of(turned(90, (1, 1, 1)))
    image = Image(data, "TCZYX", meta=image.meta)
    result = baked(image)
    assert (result.axes, result.shape) == ("TCZYX", (2, 3, 1, 7, 6))
    assert result.array()[1, 2].sum() == 1
    assert result.array().sum() == 1


def test_a_plane_turned_out_of_its_plane():
    affine = np.eye(4)
    affine[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    image = Image(np.zeros((8, 9)), "YX", meta={"affine": affine.tolist()})
    with pytest.raises(AxesError, match="turned out of the plane"):
        baked(image)


def test_convert_offers_both(tmp_path, capsys):
    source = write(tmp_path / "a.nii", image_of(turned(30)))
    assert main(["convert", str(source), str(tmp_path / "b.tif")]) == 0
    assert "--rotation bake" in capsys.readouterr().err
    assert main(["convert", str(source), str(tmp_path / "c.tif"), "--rotation", "bake"]) == 0
    assert not is_rotated(read(tmp_path / "c.tif"))
    assert "rotation" not in capsys.readouterr().err
