"""Files of an OME-TIFF recording that bear each other's names: no plane is another one's."""

import warnings

import numpy as np
import pytest
import tifffile

from napari_cellinr.errors import FileWarning
from napari_cellinr.io import read
from napari_cellinr.io.tiff.data import OpenTiff
from napari_cellinr.io.tiff.planes import series_of


def recording(folder, name_of, *, n=3, first=0, own=None, parts_of=None):
    """Write time points of one plane each, with the value 100 per time, and return the folder.

    Parameters
    ----------
    folder
        Where to write.
    name_of
        The name under which the file of each time is found today; they were written as `t0` to
        `t2`.
    n
        Number of time points.
    first
        Number of the first identifier; another one is another recording.
    own, parts_of
        Functions of the time and the right identifier, that return what a file states as its own
        one, and as that of each file; the right one if not given.
    """
    folder.mkdir(exist_ok=True)
    own, parts_of = own or (lambda _, right: right), parts_of or (lambda _, right: right)

    def uuid(t):
        return f"urn:uuid:{first + t:08d}-0000-0000-0000-000000000000"

    parts = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="t{t}.ome.tif">{parts_of(t, uuid(t))}</UUID></TiffData>'
        for t in range(n)
    )
    for t in range(n):
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{own(t, uuid(t))}"><Image ID="Image:0"><Pixels ID="Pixels:0" '
            f'DimensionOrder="XYZCT" PhysicalSizeX="0.1" PhysicalSizeY="0.1" '
            f'Type="uint16" SizeX="5" SizeY="4" SizeC="1" SizeZ="1" SizeT="{n}" TimeIncrement="2">'
            f'<Channel ID="Channel:0:0" Name="GFP" SamplesPerPixel="1"/>{parts}'
            "</Pixels></Image></OME>"
        )
        plane = np.full((4, 5), first + 100 * t, np.uint16)
        tifffile.imwrite(folder / name_of(t), plane, metadata=None, description=text.encode())
    return folder


def values(image):
    return image.array()[..., 0, 0].ravel().tolist()


def test_files_under_their_own_names(tmp_path):
    folder = recording(tmp_path, "t{}.ome.tif".format)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read(folder / "t1.ome.tif")
    assert (values(image), image.scale[0]) == ([0, 100, 200], 2.0)


def test_files_that_have_exchanged_their_names(tmp_path):
    """The first time point would appear as the second, and the last one twice."""
    folder = recording(tmp_path, lambda t: f"t{(t + 1) % 3}.ome.tif")
    with pytest.warns(FileWarning) as told:
        image = read(folder / "t0.ome.tif")
    assert "t0.ome.tif, t1.ome.tif in the folder" in "".join(str(one.message) for one in told)
    assert (values(image), image.translate[0], image.channels) == ([200], 4.0, ("GFP",))


def test_files_of_another_recording_with_the_same_names(tmp_path):
    folder = recording(tmp_path, "t{}.ome.tif".format)
    other = recording(tmp_path / "other", "t{}.ome.tif".format, first=7)
    (folder / "t1.ome.tif").write_bytes((other / "t1.ome.tif").read_bytes())
    with pytest.warns(FileWarning) as told:
        image = read(folder / "t0.ome.tif")
    assert any(str(one.message).startswith("t1.ome.tif in the folder") for one in told)
    assert (values(image), image.scale[0]) == ([0, 200], 4.0)


def _right(_, right):
    return right


def _same(_t, _right):
    return "urn:uuid:00000000-0000-0000-0000-000000000000"


def _none(_t, _right):
    return ""


def _other(_, right):
    return right.replace("0000-0000-", "1111-1111-")


WRONG = {
    "own ones are the same": (_same, _right),
    "all are the same": (_same, _same),
    "own ones are unknown": (_other, _right),
    "no own ones": (_none, _right),
    "no stated ones": (_right, _none),
    "none": (_none, _none),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning")
def test_names_tell_files_apart_where_identifiers_do_not(tmp_path, kind):
    """Each frame once was the plane of the file that was opened."""
    own, parts_of = WRONG[kind]
    folder = recording(tmp_path, "t{}.ome.tif".format, own=own, parts_of=parts_of)
    for t in (1, 2):  # where all have that of the first, the others could be copies of it
        image = read(folder / f"t{t}.ome.tif")
        assert (values(image), image.scale) == ([0, 100, 200], (2.0, 0.1, 0.1))


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning")
def test_a_file_without_name_and_identifier_is_what_it_holds(tmp_path, kind):
    """Its voxel size was lost without a word."""
    own, parts_of = WRONG[kind]
    folder = recording(tmp_path, "new_{}.ome.tif".format, own=own, parts_of=parts_of)
    with pytest.warns(FileWarning):
        image = read(folder / "new_1.ome.tif")
    assert (values(image), image.scale[-2:]) == ([100], (0.1, 0.1))
    stack = read(folder, stack_axis="T")
    assert (values(stack), stack.scale) == ([0, 100, 200], (2.0, 0.1, 0.1))


def single(path, sizes, own="urn:uuid:1", stated="orig.ome.tif"):
    """Write one file of 2 channels or none, times z planes, that states its name and identifier."""
    c, z = sizes
    parts = "".join(
        f'<TiffData FirstC="{n // z}" FirstZ="{n % z}" IFD="{n}" PlaneCount="1">'
        f'<UUID FileName="{stated}">urn:uuid:1</UUID></TiffData>'
        for n in range(c * z)
    )
    uuid = f' UUID="{own}"' if own else ""
    text = (
        f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"{uuid}><Image '
        'ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="5" '
        'PhysicalSizeX="0.2" PhysicalSizeY="0.2" PhysicalSizeZ="0.5" SizeY="4" '
        f'SizeC="{c}" SizeZ="{z}" SizeT="1">{parts}</Pixels></Image></OME>'
    )
    with tifffile.TiffWriter(path) as file:
        for number in range(c * z):
            page = np.full((4, 5), number, np.uint16)
            about = {} if number else {"description": text.encode()}
            file.write(page, metadata=None, contiguous=False, **about)
    return path


@pytest.mark.parametrize("own", ["urn:uuid:1", "urn:uuid:2", ""])
@pytest.mark.parametrize("original_is_there", [True, False])
@pytest.mark.parametrize(("sizes", "axes"), [((1, 4), "ZYX"), ((2, 4), "CZYX")])
def test_a_copy_of_a_single_file(tmp_path, own, original_is_there, sizes, axes):
    """It lost its axes and the step along z beside its original."""
    path = single(tmp_path / "orig - Copy.ome.tif", sizes, own)
    if original_is_there:
        (tmp_path / "orig.ome.tif").write_bytes(path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read(path)
    assert (image.axes, image.scale[-3:]) == (axes, (0.5, 0.2, 0.2))
    assert values(image) == list(range(sizes[0] * sizes[1]))
    assert image.meta["source"] == str(path)


def test_a_copy_of_one_of_several_files(tmp_path):
    folder = recording(tmp_path, "t{}.ome.tif".format)
    copy = folder / "t1 - Copy.ome.tif"
    copy.write_bytes((folder / "t1.ome.tif").read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read(copy)
    assert (values(image), image.scale[0]) == ([0, 100, 200], 2.0)


@pytest.mark.parametrize("opened", [0, 1, 2])
def test_all_files_have_the_identifier_of_the_first(tmp_path, opened):
    """The first file was read as one frame, the others as three."""
    folder = recording(tmp_path, "t{}.ome.tif".format, own=_same)
    with pytest.warns(FileWarning, match="do not tell its files apart"):
        image = read(folder / f"t{opened}.ome.tif")
    assert values(image) == [0, 100, 200]


def test_one_of_several_files_is_a_copy_of_the_first(tmp_path):
    """It is no second frame."""
    folder = recording(tmp_path, "t{}.ome.tif".format)
    (folder / "t1.ome.tif").write_bytes((folder / "t0.ome.tif").read_bytes())
    with pytest.warns(FileWarning) as told:
        image = read(folder / "t0.ome.tif")
    assert any(str(one.message).startswith("t1.ome.tif in the folder") for one in told)
    assert values(image) == [0, 200]


def test_a_renamed_stack_of_micro_manager_keeps_its_series(tmp_path):
    """Its own index says which planes it has, whatever its OME description names."""
    folder = recording(tmp_path, "new_{}.ome.tif".format, own=_none, parts_of=_none)
    opened = OpenTiff(folder / "new_0.ome.tif")
    opened.file.series[0].kind = "mmstack"
    found, _ = series_of(opened)
    assert [one.kind for one in found] == ["mmstack"]
    opened.file.close()
    opened.close()
