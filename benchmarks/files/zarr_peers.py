"""What other programs make of our OME-Zarr: the reader of napari-ome-zarr, and ome-zarr-models.

pip install napari-ome-zarr ome-zarr-models
python benchmarks/files/zarr_peers.py
"""

import argparse
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pydantic_zarr.v2
import zarr
from napari_ome_zarr import napari_get_reader

from napari_cellinr import Image
from napari_cellinr.io.zarr.writer import VERSIONS, write

MODELS = {"0.4": "ome_zarr_models.v04.image", "0.5": "ome_zarr_models.v05.image"}


def main() -> int:
    """Return 0 if both accept both versions, and print what was compared."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    values = np.random.default_rng(0).integers(0, 900, (3, 2, 5, 64, 48)).astype(np.uint16)
    units = ("second", "pixel", *("micrometer",) * 3)
    image = Image(values, "TCZYX", (2.0, 1.0, 0.5, 0.2, 0.2), units, channels=("a", "b"))
    sound = True
    for version in VERSIONS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.ome.zarr"
            write(path, image, version)
            same = _read(path, values)
            valid = _validated(path, version)
        print(f"OME-Zarr {version}: napari-ome-zarr reads the same: {same}; valid: {valid}")
        sound = sound and same and valid
    return 0 if sound else 1


def _read(path: Path, values: np.ndarray) -> bool:
    """Return whether the other reader finds values, steps and units."""
    ((data, found, *_),) = napari_get_reader(str(path))(str(path))
    finest = data[0] if isinstance(data, list) else data
    steps = tuple(found["scale"]) == (2.0, 0.5, 0.2, 0.2)
    units = tuple(found["units"]) == ("second", *("micrometer",) * 3)
    return np.array_equal(np.asarray(finest), values) and steps and units


def _validated(path: Path, version: str) -> bool:
    """Return whether the whole group, arrays and metadata, passes the models."""
    module = import_module(MODELS[version])
    # One of their types is imported for type checkers only, which pydantic cannot resolve.
    module.Image.model_rebuild(_types_namespace={**vars(module), **vars(pydantic_zarr.v2)})
    return module.Image.from_zarr(zarr.open_group(str(path), mode="r")) is not None


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
