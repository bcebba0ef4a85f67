"""OME-TIFF that does not say which page is which plane: read in order, or as it is."""

import warnings

import numpy as np
import pytest
import tifffile

from napari_cellinr.errors import FileError, FileWarning
from napari_cellinr.io import read, read_all
from napari_cellinr.io.tiff.reader import read as read_tiff


def values(image):
    return image.array()[..., 0, 0].ravel().tolist()


def described(path, n_pages, sizes, parts="", inner=""):
    """Write pages of 0, 1, 2 … with OME-XML of these sizes along Z, C and T."""
    z, c, t = sizes or (1, 1, 1)
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
    described(tmp_path / "first.ome.tif", 1, (1, 1, 1))
    with pytest.warns(FileWarning, match=r"are in first\.ome\.tif; open that file"):
        read(path)


def images_of(*parts, z=3):
    """Return OME-XML of images of z planes with these `TiffData`, with steps 0.1, 0.2 …"""
    return "".join(
        f'<Image ID="Image:{n}" Name="well {n}"><Pixels ID="Pixels:{n}" DimensionOrder="XYZCT" '
        f'Type="uint16" SizeX="5" SizeY="4" SizeC="1" SizeZ="{z}" SizeT="1" '
        f'PhysicalSizeX="0.{n + 1}" PhysicalSizeY="0.{n + 1}">{part}</Pixels></Image>'
        for n, part in enumerate(parts)
    )


def test_pages_that_no_image_states_are_said(tmp_path):
    """Images may share pages, but the pages of the second were left out without a word."""
    part = '<TiffData IFD="0" PlaneCount="3"/>'
    path = described(tmp_path / "a.ome.tif", 6, (), inner=images_of(part, part))
    with pytest.warns(FileWarning, match="has 3 planes that its OME description does not mention"):
        images = read_all(path)
    assert [values(image) for image in images] == [[0, 1, 2], [0, 1, 2]]


ONE_BY_ONE = "".join(f'<TiffData FirstZ="{z}" PlaneCount="1"/>' for z in range(3))


@pytest.mark.parametrize("part", ["<TiffData/>", "", '<TiffData PlaneCount="3"/>', ONE_BY_ONE])
def test_two_images_that_state_no_pages(tmp_path, part):
    """Both showed the first pages."""
    path = described(tmp_path / "a.ome.tif", 6, (), inner=images_of(part, part))
    images = read_all(path)
    assert [values(image) for image in images] == [[0, 1, 2], [3, 4, 5]]
    assert [(image.axes, image.scale[-1]) for image in images] == [("ZYX", 0.1), ("ZYX", 0.2)]
    assert [image.name for image in images] == ["a well 0", "a well 1"]


def test_one_image_that_states_places_without_pages(tmp_path):
    path = described(tmp_path / "a.ome.tif", 3, (), inner=images_of(ONE_BY_ONE))
    image = read(path)
    assert (image.axes, values(image), image.scale[-1]) == ("ZYX", [0, 1, 2], 0.1)


def test_pages_that_are_left_where_one_is_shown_twice(tmp_path):
    twice = "".join(f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"/>' for z in range(2))
    right = "".join(f'<TiffData FirstZ="{z}" IFD="{z + 1}" PlaneCount="1"/>' for z in range(2))
    path = described(tmp_path / "a.ome.tif", 5, (), inner=images_of(twice, right, z=2))
    with pytest.warns(FileWarning) as told:
        read_all(path)
    assert any("has 2 planes that its OME" in str(one.message) for one in told)


def test_two_images_with_the_same_pages(tmp_path):
    part = "<TiffData/>"
    path = described(tmp_path / "a.ome.tif", 5, (), inner=images_of(part, part))
    with pytest.warns(FileWarning, match="the same pages to several of its images"):
        images = read_all(path)
    assert [values(image) for image in images] == [[0, 1, 2], [0, 1, 2]]


def test_one_of_two_images_shows_a_page_twice(tmp_path):
    """Its plane was shown twice, and the warning said that pages are read as they are."""
    twice = "".join(f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"/>' for z in range(2))
    right = "".join(f'<TiffData FirstZ="{z}" IFD="{z + 1}" PlaneCount="1"/>' for z in range(2))
    path = described(tmp_path / "a.ome.tif", 3, (), inner=images_of(twice, right, z=2))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        images = read_all(path)
    (text,) = {str(one.message) for one in told}
    assert "one page to several planes of image 'well 0'; 1 page is read as it is" in text
    assert [(image.axes, values(image)) for image in images] == [("YX", [0]), ("ZYX", [1, 2])]
    assert [image.scale[-1] for image in images] == [0.1, 0.2]
    assert [len(image.meta.get("warnings", ())) for image in images] == [1, 0]


def test_colour_pages_without_assignment(tmp_path):
    """One of four frames was lost, and the frames were taken for channels."""
    frames = np.arange(4 * 4 * 5 * 3, dtype=np.uint8).reshape(4, 4, 5, 3)
    text = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="5" SizeY="4" SizeC="3" '
        'SizeZ="1" SizeT="4"><Channel ID="Channel:0:0" SamplesPerPixel="3"/></Pixels></Image></OME>'
    )
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as file:
        for number, frame in enumerate(frames):
            about = {} if number else {"description": text.encode()}
            file.write(frame, metadata=None, contiguous=False, photometric="rgb", **about)
    (image,) = read_tiff(path, "a", colours=True)
    assert image.axes == "TYXS"
    assert np.array_equal(image.array(), frames)


@pytest.mark.parametrize("limit", [None, 0])
def test_a_pyramid_without_assignment_keeps_its_levels(tmp_path, limit):
    text = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="64" SizeY="64" '
        'SizeC="1" SizeZ="3" SizeT="1" PhysicalSizeX="0.1" PhysicalSizeY="0.1"/></Image></OME>'
    )
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as file:
        for number in range(3):
            about = {} if number else {"description": text.encode()}
            page = np.full((64, 64), number, np.uint16)
            file.write(page, metadata=None, contiguous=False, subifds=1, tile=(16, 16), **about)
            file.write(page[::2, ::2] + 10, metadata=None, subfiletype=1, tile=(16, 16))
    (full,), (half,) = (read_tiff(path, "a", level=level, limit=limit) for level in (0, 1))
    assert (full.axes, full.shape, values(full)) == ("ZYX", (3, 64, 64), [0, 1, 2])
    assert (half.axes, half.shape, values(half)) == ("ZYX", (3, 32, 32), [10, 11, 12])
    assert half.scale[-2:] == (0.2, 0.2)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ('MetadataFile="a.companion.ome"', "a.companion.ome, which is not read; convert the"),
        ("", "another file that it does not name, which is not read"),
    ],
)
def test_a_description_in_a_file_that_is_not_read(tmp_path, stated, said):
    path = described(tmp_path / "a.ome.tif", 1, (), inner=f'<BinaryOnly {stated} UUID="u"/>')
    with pytest.warns(FileWarning, match=said) as told:
        read(path)
    assert "open that file" not in str(told[0].message)


@pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning")
def test_one_page_is_not_several_frames_of_one_of_two_images(tmp_path):
    def image(page):
        parts = "".join(f'<TiffData FirstT="{t}" IFD="{page}" PlaneCount="1"/>' for t in range(3))
        return (
            f'<Image ID="Image:{page}"><Pixels ID="Pixels:{page}" DimensionOrder="XYZCT" '
            f'Type="uint16" PhysicalSizeX="0.{page + 1}" PhysicalSizeY="0.{page + 1}" SizeX="5" '
            f'SizeY="4" SizeC="1" SizeZ="1" SizeT="3">{parts}</Pixels></Image>'
        )

    path = described(tmp_path / "a.ome.tif", 2, (1, 1, 3), inner=image(0) + image(1))
    found = [(one.axes, values(one), one.scale) for one in read_all(path)]
    assert found == [("YX", [0], (0.1, 0.1)), ("YX", [1], (0.2, 0.2))]


@pytest.mark.filterwarnings("ignore:.*does not mention")
def test_one_page_is_not_several_frames_beside_a_page_of_another_size(tmp_path):
    parts = "".join(f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1"/>' for t in range(3))
    path = described(tmp_path / "a.ome.tif", 1, (1, 1, 3), parts)
    tifffile.imwrite(path, np.ones((2, 3), np.uint16), append="force", metadata=None)
    with pytest.warns(FileWarning, match="one page to several planes"):
        image = read(path)
    assert (image.axes, values(image), image.scale) == ("YX", [0], (0.1, 0.1))


SIZES = {"a": (5, 4), "b": (7, 6), "c": (3, 8)}


def of_different_size(path, pages, images, part):
    """Write pages of 0, 1, 2 … of these sizes, and images of these sizes and numbers of planes."""
    inner = "".join(
        f'<Image ID="Image:{n}" Name="{n} {size}"><Pixels ID="Pixels:{n}" DimensionOrder="XYZCT" '
        f'Type="uint16" SizeX="{SIZES[size][0]}" SizeY="{SIZES[size][1]}" SizeC="1" SizeZ="{z}" '
        f'SizeT="1" PhysicalSizeX="0.{n + 1}" PhysicalSizeY="0.{n + 1}">{part}</Pixels></Image>'
        for n, (size, z) in enumerate(images)
    )
    text = f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{inner}</OME>'
    with tifffile.TiffWriter(path) as file:
        for number, size in enumerate(pages):
            stated = {} if number else {"description": text.encode()}
            page = np.full(SIZES[size][::-1], number, np.uint16)
            file.write(page, metadata=None, contiguous=False, **stated)
    return path


@pytest.mark.parametrize("part", ["", "<TiffData/>"])
@pytest.mark.parametrize("pages", ["aaabb", "bbaaa", "ababa"])
def test_images_of_different_size_have_the_pages_of_their_size(tmp_path, pages, part):
    """Steps were those of the other image, an image was lost, or a page had the wrong size."""
    path = of_different_size(tmp_path / "x.ome.tif", pages, [("a", 3), ("b", 2)], part)
    first, second = read_all(path)
    assert (first.axes, first.shape, first.scale[-1]) == ("ZYX", (3, 4, 5), 0.1)
    assert (second.axes, second.shape, second.scale[-1]) == ("ZYX", (2, 6, 7), 0.2)
    assert [values(one) for one in (first, second)] == [
        [place for place, page in enumerate(pages) if page == size] for size in "ab"
    ]
    assert [one.name for one in (first, second)] == ["x 0 a", "x 1 b"]


@pytest.mark.parametrize("part", ["", "<TiffData/>"])
@pytest.mark.parametrize(
    ("pages", "found", "said"),
    [
        ("bbaa", [[2, 3], [0, 1]], "announces 3 planes for image '0 a', but the file has 2"),
        ("bbaaac", [[2, 3, 4], [0, 1]], "does not mention"),
        ("aaa", [[0, 1, 2]], "announces image '1 b', but no page of the file has its size"),
    ],
)
def test_more_or_fewer_pages_of_the_size_of_an_image(tmp_path, pages, found, said, part):
    path = of_different_size(tmp_path / "x.ome.tif", pages, [("a", 3), ("b", 2)], part)
    with pytest.warns(FileWarning, match=said):
        images = read_all(path)
    assert [values(image) for image in images] == found
    assert [image.scale[-1] for image in images] == [0.1, 0.2][: len(found)]


@pytest.mark.parametrize("part", ["", "<TiffData/>"])
@pytest.mark.parametrize("pages", ["aabaa", "aba", "ccc"])
def test_images_whose_pages_cannot_be_told_apart_are_refused(tmp_path, pages, part):
    path = of_different_size(tmp_path / "x.ome.tif", pages, [("a", 2), ("a", 2), ("b", 1)], part)
    with pytest.raises(FileError, match="does not say which of its pages are theirs") as refused:
        read_all(path)
    assert "2 planes of 5 x 4, 2 planes of 5 x 4, 1 plane of 7 x 6" in str(refused.value)


@pytest.mark.parametrize("pages", ["aab", "baa"])
def test_pages_of_another_size_have_no_steps(tmp_path, pages):
    """The voxel size of the only image was that of all pages."""
    path = of_different_size(tmp_path / "x.ome.tif", pages, [("a", 2)], "")
    with pytest.warns(FileWarning, match="pages are read as they are"):
        images = read_all(path)
    assert {image.shape[-2:]: image.scale[-1] for image in images} == {(4, 5): 0.1, (6, 7): 1.0}


@pytest.mark.parametrize(
    ("part", "stated"),
    [("<TiffData/>", (4, 5)), ("<TiffData/>", (9, 9)), ('<TiffData IFD="0"/>', (4, 5))],
)
def test_one_image_of_another_size_than_its_pages(tmp_path, part, stated):
    """It was refused as several images, or its voxel size was lost."""
    text = images_of(part).replace('SizeX="5" SizeY="4"', 'SizeX="{}" SizeY="{}"'.format(*stated))
    path = described(tmp_path / "a.ome.tif", 3, (), inner=text)
    with pytest.warns(FileWarning, match="its pages are read as they are"):
        (image,) = read_all(path)
    assert (values(image), image.scale[-2:]) == ([0, 1, 2], (0.1, 0.1))


@pytest.mark.parametrize("n_pages", [3, 8])
def test_tags_with_a_prefix_are_those_of_one_image(tmp_path, n_pages):
    """The end of `OME:Pixels` was counted as an image, and the axis was lost."""
    path = described(tmp_path / "a.ome.tif", n_pages, (5, 1, 1), "<TiffData/>")
    text = tifffile.tiffcomment(path)
    for old, new in (("</", "</OME:"), ("<", "<OME:"), ("<OME:/", "</"), ("xmlns=", "xmlns:OME=")):
        text = text.replace(old, new)
    tifffile.tiffcomment(path, text.encode())
    with pytest.warns(FileWarning, match=r"lacks 2 of its 5 planes|has 3 planes that"):
        (image,) = read_all(path)
    assert (image.axes, values(image)) == ("ZYX", list(range(min(n_pages, 5))))


def test_an_image_without_pages_does_not_deny_those_of_the_other(tmp_path):
    """The sentence was that no page is assigned to a plane."""
    inner = images_of("<TiffData/>", "<MetadataOnly/>")
    path = described(tmp_path / "a.ome.tif", 3, (), inner=inner)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (image,) = read_all(path)
    assert (image.axes, values(image)) == ("ZYX", [0, 1, 2])
