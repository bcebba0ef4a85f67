"""Files of an OME-TIFF recording that bear each other's names: no plane is another one's."""

import warnings

import numpy as np
import pytest
import tifffile

from napari_cellinr.errors import FileWarning
from napari_cellinr.io import read


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


def described(path, n_pages, sizes, parts="", inner=""):
    """Write pages of 0, 1, 2 … with OME-XML of these sizes along Z, C and T."""
    z, c, t = sizes
    inner = inner or (
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
        f'PhysicalSizeX="0.1" PhysicalSizeY="0.1" SizeX="5" SizeY="4" SizeC="{c}" SizeZ="{z}" '
        f'SizeT="{t}" TimeIncrement="2">{parts}</Pixels></Image>'
    )
    text = f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{inner}</OME>'
    with tifffile.TiffWriter(path) as file:
        for number in range(n_pages):
            page = np.full((4, 5), number, np.uint16)
            stated = {} if number else {"description": text.encode()}
            file.write(page, metadata=None, contiguous=False, **stated)
    return path


@pytest.mark.parametrize(
    ("n_pages", "sizes", "axes", "shape", "said"),
    [
        (8, (1, 1, 8), "TYX", (8, 4, 5), ""),
        (8, (1, 1, 20), "TYX", (8, 4, 5), "announces 20 planes, but the file has 8"),
        (11, (1, 2, 6), "TCYX", (5, 2, 4, 5), "The last 1, not complete"),
        (6, (3, 2, 1), "CZYX", (2, 3, 4, 5), ""),
        (1, (1, 1, 8), "YX", (4, 5), "read is one plane"),
    ],
)
def test_a_description_that_assigns_no_pages(tmp_path, n_pages, sizes, axes, shape, said):
    path = described(tmp_path / "a.ome.tif", n_pages, sizes)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        image = read(path)
    assert (image.axes, image.shape, image.scale[-2:]) == (axes, shape, (0.1, 0.1))
    assert values(image) == list(range(len(values(image))))
    assert [said in str(one.message) for one in told] == [True] * bool(said)


def test_one_page_is_not_several_frames(tmp_path):
    parts = "".join(f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1"/>' for t in range(3))
    path = described(tmp_path / "a.ome.tif", 1, (1, 1, 3), parts)
    with pytest.warns(FileWarning, match="one page to several planes"):
        image = read(path)
    assert (image.axes, image.shape, image.scale) == ("YX", (4, 5), (0.1, 0.1))


def test_a_file_whose_description_is_elsewhere(tmp_path):
    inner = '<BinaryOnly MetadataFile="first.ome.tif" UUID="urn:uuid:1"/>'
    path = described(tmp_path / "a.ome.tif", 1, (1, 1, 1), inner=inner)
    with pytest.warns(FileWarning, match=r"are in first\.ome\.tif; open that file"):
        read(path)
