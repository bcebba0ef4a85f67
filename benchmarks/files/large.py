"""Sparse files of 100 GB, opened: `python benchmarks/files/large.py`. No disk is filled."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import report
import tifffile
import trial
import zarr

from napari_cellinr.image import Image
from napari_cellinr.io import read, write

SHAPE = (500, 100, 1024, 1024)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = []
        for title, make in KINDS.items():
            path = make(folder)
            command = [sys.executable, __file__, "--one", str(path)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rows.append({"file": title, **json.loads(answer)})
            print(rows[-1], flush=True)
        rows.append(written(Path(name)))
        print(rows[-1], flush=True)
    report.keep("large", rows)
    report.write()


def one(path: Path) -> None:
    """Print how opening one file goes, in a process that has imported everything before."""
    with tempfile.TemporaryDirectory() as name:
        for suffix in (".tif", ".zarr"):
            np.asarray(
                read(write(Path(name) / f"a{suffix}", Image(np.ones((8, 9)))), lazy_above=0).data
            )
    before = trial._memory("VmRSS")
    started, wall = time.process_time(), time.monotonic()
    image = read(path)
    opened = time.process_time() - started
    np.asarray(image.data[(0,) * (len(image.shape) - 2)][:64, :64])
    facts = {
        "shape": image.shape,
        "dtype": str(image.dtype),
        "opened": opened,
        "wall": time.monotonic() - wall,
        "megabytes": (trial._memory("VmHWM") - before) / 2**20,
    }
    print(json.dumps(facts))


def written(folder: Path) -> dict[str, object]:
    """Return how writing a lazy array of more than 4 GB goes, and check what is read back."""
    import dask.array

    shape = (36, 8, 2800, 2800)  # 4.5 GB
    planes = dask.array.arange(36 * 8, chunks=1, dtype="uint16").reshape(36, 8, 1, 1)
    data = planes + dask.array.zeros(shape, chunks=(1, 1, 2800, 2800), dtype="uint16")
    before = trial._memory("VmRSS")
    started, wall = time.process_time(), time.monotonic()
    path = write(folder / "big.ome.tif", Image(data, axes="TZYX"))
    facts = {"opened": time.process_time() - started, "wall": time.monotonic() - wall}
    grown = (trial._memory("VmHWM") - before) / 2**20
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff
        assert file.is_ome
    again = read(path)
    assert (again.axes, again.shape) == ("TZYX", shape)
    for t, z in ((0, 0), (20, 5), (35, 7)):
        assert np.all(np.asarray(again.data[t, z]) == t * 8 + z)
    title = "**written**: OME-BigTIFF from a lazy array"
    return {"file": title, "shape": shape, "dtype": "uint16", "megabytes": grown, **facts}


def _tiff(folder: Path, name: str, shape: tuple[int, ...], dtype: str, axes: str | None) -> Path:
    """Write a sparse BigTIFF; `axes` are those of its metadata, or None for no metadata."""
    metadata = {"axes": axes} if axes else None
    options = {"bigtiff": True, "photometric": "minisblack", "metadata": metadata}
    tifffile.imwrite(folder / name, shape=shape, dtype=dtype, **options)
    return folder / name


def _shaped(folder: Path) -> Path:
    return _tiff(folder, "shaped.tif", SHAPE, "uint16", "TZYX")


def _ome(folder: Path) -> Path:
    return _tiff(folder, "a.ome.tif", SHAPE, "uint16", "TZYX")


def _plain(folder: Path) -> Path:
    return _tiff(folder, "plain.tif", (6000, 4096, 4096), "uint8", None)


def _zarr(folder: Path) -> Path:
    path = folder / "a.zarr"
    zarr.create_array(
        path, shape=SHAPE, chunks=(1, 1, 512, 512), dtype="uint16",
        dimension_names=["t", "z", "y", "x"],
    )  # fmt: skip
    return path


KINDS = {
    "BigTIFF as tifffile writes it": _shaped,
    "OME-BigTIFF, 50 000 planes": _ome,
    "BigTIFF without any metadata, 6000 planes": _plain,
    "Zarr 3, 200 000 chunks": _zarr,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(Path(sys.argv[2]))
    else:
        main()
