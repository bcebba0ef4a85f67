"""The small sound files that are damaged: one for each way in which a format stores arrays."""

import io
import zlib
from pathlib import Path

import imagecodecs
import nibabel
import numpy as np
import tifffile

from napari_cellinr.image import Image
from napari_cellinr.io import write
from napari_cellinr.io.zarr import writer as zarr_writer

REAL_BYTES = 50_000
"""Real files up to this size are damaged, too."""


def volume(dtype: str = "uint16", shape: tuple[int, ...] = (3, 12, 16)) -> np.ndarray:
    values = np.random.default_rng(5).integers(0, 4000, shape)
    return (values % 200 if dtype == "uint8" else values).astype(dtype)


def calibrated(dtype: str = "uint16") -> Image:
    return Image(
        volume(dtype), axes="ZYX", scale=(0.5, 0.2, 0.2), units=("micrometer",) * 3, name="seed"
    )


def make(folder: Path) -> list[Path]:
    """Return the paths of the seeds, newly written."""
    folder.mkdir(parents=True, exist_ok=True)
    return [*_tiffs(folder), *_niftis(folder), *_zarrs(folder)]


def _tiffs(folder: Path) -> list[Path]:
    data = volume()
    plain = {"photometric": "minisblack"}
    kinds = {
        "plain": {"metadata": None},
        "shaped": {},
        "bigtiff": {"bigtiff": True},
        "bigendian": {"byteorder": ">", "metadata": None},
        "deflate": {"compression": "zlib", "predictor": True},
        "zstd": {"compression": "zstd"},
        "lzw": {"compression": "lzw"},
        "packbits": {"compression": "packbits"},
        "tiled": {"tile": (16, 16), "compression": "zlib"},
        "strips": {"rowsperstrip": 4, "metadata": None},
    }
    paths = []
    for name, options in kinds.items():
        paths.append(folder / f"{name}.tif")
        tifffile.imwrite(paths[-1], data, **plain, **options)
    paths.append(folder / "jpeg.tif")
    tifffile.imwrite(paths[-1], volume("uint8", (24, 32)), compression="jpeg", **plain)
    paths.append(_pyramid(folder / "pyramid.tif"))
    for name, dtype in (("imagej.tif", "uint8"), ("own.ome.tif", "float32")):
        paths.append(write(folder / name, calibrated(dtype)))
    return paths


def _pyramid(path: Path) -> Path:
    data = volume("uint8", (64, 64))
    options = {"tile": (16, 16), "photometric": "minisblack", "compression": "zlib"}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(data, subifds=1, **options)
        file.write(data[::2, ::2], subfiletype=1, **options)
    return path


def _niftis(folder: Path) -> list[Path]:
    paths = [
        write(folder / "own.nii", calibrated("int16")),
        write(folder / "own.nii.gz", calibrated("float32")),
    ]
    scaled = nibabel.Nifti1Image(volume("int16").T, np.diag([0.2, 0.2, 0.5, 1]))
    scaled.header.set_slope_inter(0.5, 10)
    second = nibabel.Nifti2Image(volume("uint8").T, np.eye(4))
    for name, image in (("scaled.nii", scaled), ("second.nii", second), ("second.nii.gz", second)):
        paths.append(folder / name)
        nibabel.save(image, paths[-1])
    return paths


def _zarrs(folder: Path) -> list[Path]:
    paths = []
    for version in zarr_writer.VERSIONS:
        paths.append(folder / f"own-{version}.zarr")
        zarr_writer.write(paths[-1], calibrated(), version)
    return paths


def real(data: Path) -> list[Path]:
    """Return the small files of other programs, where they are at hand."""
    files = sorted((data / "readers").rglob("*.*"))
    return [path for path in files if path.stat().st_size <= REAL_BYTES]


def bombs(folder: Path) -> list[Path]:
    """Return the paths of files that are made to do harm, one for each way known to us."""
    folder.mkdir(parents=True, exist_ok=True)
    makers = (
        _huge,
        _endless,
        _ring,
        _long_ring,
        _many_planes,
        _pictures,
        _gz_bomb,
        _gz_tail,
        _gz_name,
    )
    return [path for maker in makers for path in maker(folder)]


def _huge(folder: Path) -> list[Path]:
    """A million by a million pixels, in each codec, in a file of a kilobyte."""
    paths = []
    for code in (1, 5, 7, 8, 32773, 34712, 34925, 50000, 50002):
        tags = {256: 10**6, 257: 10**6, 258: 16, 259: code, 262: 1, 277: 1, 278: 10**6}
        paths.append(_tiff(folder / f"huge-{code}.tif", tags, bytes(512)))
    header = nibabel.Nifti2Header()
    header.set_data_dtype(np.uint16)
    header.set_data_shape((10**6, 10**6))
    header["vox_offset"], header["magic"] = 544, b"n+2\0\r\n\032\n"
    content = header.binaryblock + bytes(4 + 512)
    paths.append(folder / "huge.nii")
    paths[-1].write_bytes(content)
    paths.append(folder / "huge.nii.gz")
    paths[-1].write_bytes(_gz(content))
    return paths


def _tiff(path: Path, tags: dict[int, int], pixels: bytes, following: int = 0) -> Path:
    """Return the path of a TIFF with one directory of single numbers and one strip."""
    tags = {**tags, 273: 8, 279: len(pixels)}
    out = io.BytesIO()
    out.write(b"II*\0" + (8 + len(pixels)).to_bytes(4, "little") + pixels)
    out.write(len(tags).to_bytes(2, "little"))
    for tag, value in sorted(tags.items()):
        out.write(tag.to_bytes(2, "little") + b"\4\0\1\0\0\0" + value.to_bytes(4, "little"))
    out.write(following.to_bytes(4, "little"))
    path.write_bytes(out.getvalue())
    return path


_SMALL = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 277: 1, 278: 8}


def _endless(folder: Path) -> list[Path]:
    """A tag that counts four thousand million bytes of text, and a strip past the end."""
    path = _tiff(folder / "long-text.tif", _SMALL, bytes(64))
    content = bytearray(path.read_bytes())
    place = content.index((277).to_bytes(2, "little"), 72)
    content[place : place + 8] = b"\x0e\x01\2\0\xff\xff\xff\xff"
    path.write_bytes(content)
    other = _tiff(folder / "outside.tif", _SMALL, bytes(64))
    content = bytearray(other.read_bytes())
    place = content.index((273).to_bytes(2, "little"), 72)
    content[place + 8 : place + 12] = b"\0\0\xff\x7f"
    other.write_bytes(content)
    return [path, other]


def _ring(folder: Path) -> list[Path]:
    return [_tiff(folder / "ring.tif", _SMALL, bytes(64), following=72)]


def _long_ring(folder: Path) -> list[Path]:
    """A ring of directories that begins after the hundredth."""
    path = folder / "long-ring.tif"
    tifffile.imwrite(path, np.zeros((300, 8, 8), np.uint8), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as file:
        last, first = file.pages[299], file.pages[150].offset
        place = last.offset + 2 + 12 * len(last.tags)
    content = bytearray(path.read_bytes())
    content[place : place + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    return [path]


def _pictures(folder: Path) -> list[Path]:
    """Pictures of 16 by 16 pixels whose own headers announce thousands of millions."""
    small = np.zeros((16, 16), np.uint8)
    jpeg = imagecodecs.jpeg8_encode(small)
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg = jpeg[:place] + (65500).to_bytes(2, "big") * 2 + jpeg[place + 4 :]
    png = imagecodecs.png_encode(small)
    header = png[12:16] + (60000).to_bytes(4, "big") * 2 + png[24:29]
    png = png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]
    tags = {256: 16, 257: 16, 258: 8, 262: 1, 277: 1, 278: 16}
    return [
        _tiff(folder / "picture-jpeg.tif", {**tags, 259: 7}, jpeg),
        _tiff(folder / "picture-png.tif", {**tags, 259: 34933}, png),
    ]


def _many_planes(folder: Path) -> list[Path]:
    """Descriptions of OME and ImageJ that announce thousands of millions of planes."""
    ome = write(folder / "planes.ome.tif", calibrated())
    text = tifffile.tiffcomment(ome)
    tifffile.tiffcomment(ome, text.replace('SizeT="1"', 'SizeT="1000000000"').encode())
    imagej = write(folder / "planes.tif", calibrated())
    with tifffile.TiffFile(imagej) as file:
        text = file.pages[0].description
    tifffile.tiffcomment(
        imagej,
        text.replace("images=3", "images=3000000000").replace("slices=3", "slices=3000000000"),
    )
    return [ome, imagej]


def _gz(content: bytes, zeros: int = 0) -> bytes:
    """Return gzip of the content and of many megabytes of zeros, whose blocks are all alike."""
    packer = zlib.compressobj(9, wbits=-15)
    head = packer.compress(content) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    count = zeros // 2**20
    crc = zlib.crc32(content)
    for _ in range(count):
        crc = zlib.crc32(bytes(2**20), crc)
    end = crc.to_bytes(4, "little") + ((len(content) + zeros) % 2**32).to_bytes(4, "little")
    begin = b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
    return begin + head + block * count + packer.flush() + end


def _header(shape: tuple[int, ...]) -> bytes:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    header["vox_offset"], header["magic"] = 352, b"n+1\0"
    return header.binaryblock + bytes(4)


def _gz_bomb(folder: Path) -> list[Path]:
    """An array of 10^12 voxels, of which 1 GB of zeros are there."""
    path = folder / "bomb.nii.gz"
    path.write_bytes(_gz(_header((10_000, 10_000, 10_000)), 2**30))
    return [path]


def _gz_tail(folder: Path) -> list[Path]:
    """A small array with 1 GB of zeros behind it."""
    path = folder / "tail.nii.gz"
    path.write_bytes(_gz(_header((8, 8, 8)) + bytes(512), 2**30))
    return [path]


def _gz_name(folder: Path) -> list[Path]:
    """A gzip header whose file name does not end, and NIfTI extensions that lie."""
    name = folder / "name.nii.gz"
    name.write_bytes(b"\x1f\x8b\x08\x08\0\0\0\0\0\x03" + b"a" * 2**24)
    paths = [name]
    for length in (2**31 - 1, -8, 0, 7, 4096):
        header = bytearray(_header((8, 8, 8)))
        header[108:112] = np.float32(352 + 64).tobytes()
        extension = b"\1\0\0\0" + length.to_bytes(4, "little", signed=True) + b"\6\0\0\0"
        paths.append(folder / f"extension-{length}.nii")
        paths[-1].write_bytes(bytes(header[:348]) + extension + b"x" * 56 + bytes(512))
    return paths
