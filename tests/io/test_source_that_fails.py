"""A source that cannot be read while it is written is named, and not the place of the result."""

import numpy as np
import pytest

from napari_cellinr import Image, write
from napari_cellinr.errors import FileError
from napari_cellinr.io.writing import write_in_steps


class Gone:
    """A lazy array on a share that is gone, from its second plane on."""

    shape, dtype, ndim = (3, 16, 16), np.dtype(np.uint8), 3

    def __getitem__(self, key):
        raise OSError(107, "Transport endpoint is not connected")

    def __array__(self, dtype=None, copy=None):
        return self[...]


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.nii.gz", "a.ome.zarr"])
def test_a_source_that_fails_is_named_instead_of_the_place(tmp_path, name):
    image = Image(Gone(), "ZYX", name="recording")
    with pytest.raises(FileError, match="the values of 'recording' cannot be read: Transport"):
        write(tmp_path / name, image)
    if name.endswith(".zarr"):
        with pytest.raises(FileError, match="the values of 'recording' cannot be read"):
            list(write_in_steps(tmp_path / name, image))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.nii.gz", "a.ome.zarr"])
def test_a_lazy_source_is_written_as_it_is(tmp_path, name):
    dask = pytest.importorskip("dask.array")
    values = np.random.default_rng(0).integers(0, 99, (2, 3, 16, 16), np.uint8)
    from napari_cellinr import read

    lazy = dask.from_array(values, chunks=(1, 1, 16, 16))
    found = read(write(tmp_path / name, Image(lazy, "ZTYX", name="recording")))
    np.testing.assert_array_equal(found.canonical().array(), values.transpose(1, 0, 2, 3))
