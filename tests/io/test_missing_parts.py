"""Files that lack something are read as what they hold, and say so; nothing is made up."""

import numpy as np
import pytest
import tifffile

from napari_cellinr import superresolve
from napari_cellinr.errors import FileError, FileWarning
from napari_cellinr.io import read, read_all

PLANE = np.arange(20, dtype=np.uint16).reshape(4, 5)


def save(folder, names):
    """Write one plane under each name; its values are its place in the list."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        tifffile.imwrite(folder / name, np.full((4, 5), number, np.uint16), metadata=None)
    return folder


def first_values(image):
    return image.array()[..., 0, 0].tolist()


@pytest.mark.parametrize(
    ("pattern", "axes", "shape", "values"),
    [
        ("img_t{0:03d}_z{1:03d}.tif", "TZYX", (2, 3), [[0, 1, 2], [3, 4, 5]]),
        ("img-Z{1}-T{0}.tif", "TZYX", (2, 3), [[0, 1, 2], [3, 4, 5]]),
        ("time_{0}_w{1}_s1.tif", "TCYX", (2, 3), [[0, 1, 2], [3, 4, 5]]),
        ("ExpT{0}Z{1}.tif", "TZYX", (2, 3), [[0, 1, 2], [3, 4, 5]]),
    ],
)
@pytest.mark.parametrize("lazy_above", [None, 0])
def test_names_that_count_two_axes(tmp_path, pattern, axes, shape, values, lazy_above):
    names = [pattern.format(t, z + 9) for t in range(2) for z in range(3)]
    image = read(save(tmp_path, names), stack_axis="T", lazy_above=lazy_above)
    assert (image.axes, image.shape) == (axes, (*shape, 4, 5))
    assert first_values(image) == values


def test_a_running_number_besides_the_axes(tmp_path):
    names = [f"{n:04d}_t{n // 3}_z{n % 3}.tif" for n in range(6)]
    assert read(save(tmp_path, names), stack_axis="Z").sizes == {"T": 2, "Z": 3, "Y": 4, "X": 5}


def test_numbers_that_grow_together_count_one_thing(tmp_path):
    names = [f"img_{n:03d}_{n * 250:06d}ms.tif" for n in range(4)]
    assert first_values(read(save(tmp_path, names), stack_axis="T")) == [0, 1, 2, 3]


def test_channels_get_the_names_of_their_files(tmp_path):
    names = [f"t{t}_w{w}.tif" for t in range(2) for w in (1, 2)]
    image = read(save(tmp_path, names), stack_axis="T")
    assert (image.axes, image.channels) == ("TCYX", ("w1", "w2"))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a1_1", "a1_2", "a2_1", "a2_2"], "the first number.*and the second number|'a'.*and"),
        (["t1_s1", "t1_s2", "t2_s1", "t2_s2"], r"'t' \(1 to 2\) and 's' \(1 to 2\)"),
        (["t1_t1", "t1_t2", "t2_t1", "t2_t2"], "count 2 things"),
        (["img1_c1", "img2_c2", "img3_c1", "img4_c2"], "count 2 things"),
        (["t1_z1", "t1_z2", "t2_z1"], "3 files instead of 2 x 2 = 4"),
        (["t1", "t01"], "the same number"),
        (["a/t1", "a/t2", "b/t1", "b/t2"], "same number|differ"),
    ],
)
def test_names_that_cannot_be_told_apart(tmp_path, names, said):
    paths = [tmp_path / f"{name}.tif" for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(path, PLANE)
    with pytest.raises(FileError, match=said):
        read(paths, stack_axis="T")


def test_one_of_two_counters_can_be_chosen(tmp_path):
    names = [f"t{t}_s{s}.tif" for t in range(3) for s in range(2)]
    save(tmp_path, names)
    with pytest.raises(FileError, match=r"such as t\*_s0\.tif"):
        read(tmp_path, stack_axis="T")
    image = read(tmp_path / "t*_s1.tif", stack_axis="T")
    assert first_values(image) == [1, 3, 5]
    assert image.meta["series"] == {"path": str(tmp_path / "t*_s1.tif"), "along": "T"}


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([0, 1, 2, 3, 6, 7], r"\(4, 5\): 3 is followed by 6"),
        ([0, 2, 4, 8], r"\(6\): 4 is followed by 8"),
        ([0, 10, 25, 31], "names of the files: 0 is followed by 10"),
        ([1, 2, 90000], r"\(3, 4, 5, 6, 7, 8, 9, 10, …\)"),
    ],
)
def test_missing_numbers(tmp_path, numbers, said):
    save(tmp_path, [f"t{number:05d}.tif" for number in numbers])
    with pytest.warns(FileWarning, match=said) as told:
        image = read(tmp_path, stack_axis="T")
    assert told[0].filename == __file__
    assert image.shape == (len(numbers), 4, 5)


@pytest.mark.parametrize("numbers", [[0, 1, 2], [3, 5, 7], [0, 7], [1000, 2003, 2999]])
def test_numbers_without_gaps(tmp_path, numbers):
    save(tmp_path, [f"t{number:05d}.tif" for number in numbers])
    assert read(tmp_path, stack_axis="T").shape == (len(numbers), 4, 5)


def test_missing_time_points_of_a_grid(tmp_path):
    save(tmp_path, [f"t{t}_z{z}.tif" for t in (0, 1, 3) for z in (0, 1, 2)])
    with pytest.warns(FileWarning, match=r"\(2\): 1 is followed by 3.*gap in time"):
        assert read(tmp_path, stack_axis="T").shape == (3, 3, 4, 5)


def test_the_report_of_a_fit_repeats_what_the_file_lacks(tmp_path):
    values = np.random.default_rng(0).poisson(50, (4, 16, 16)).astype(np.uint16)
    for number, plane in zip((0, 1, 2, 4), values, strict=True):
        tifffile.imwrite(tmp_path / f"t{number}.tif", plane)
    with pytest.warns(FileWarning, match="2 is followed by 4"):
        image = read(tmp_path, stack_axis="T")
    report = superresolve(image, scale={"t": 2}, preset="preview", steps=2).report
    assert sum("2 is followed by 4" in text for text in report["warnings"]) == 1


def test_series_without_names(tmp_path):
    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(np.zeros((5, 16, 16), np.uint16), metadata=None)
        file.write(np.zeros((24, 24), np.uint8), metadata=None)
    assert [image.name for image in read_all(path)] == ["two 0", "two 1"]
    assert read(path).name == "two 0"


def test_one_of_two_series_without_a_description(tmp_path):
    """The file was called damaged."""
    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(np.full((5, 16, 16), 7, "u2"), metadata={"Name": "first"})
        file.write(np.full((24, 24), 8, "u1"), metadata=None)
    images = read_all(path)
    assert [(i.name, i.shape, int(i.array().min())) for i in images] == [
        ("two 0", (5, 16, 16), 7),
        ("two 1", (24, 24), 8),
    ]


def stacks(path, *stated):
    """Write stacks of 10 planes with these metadata by tifffile, or 2 without any, one by one."""
    with tifffile.TiffWriter(path) as file:
        for number, about in enumerate(stated):
            n_planes = 2 if about is None else 10
            data = np.full((n_planes, 4, 5), number, "u2")
            file.write(data, metadata=about, contiguous=False, resolution=(5, 5))
    return path


def test_planes_without_a_description_after_described_ones(tmp_path):
    """All were read as one stack without axes and voxel size, without a word."""
    about = {"axes": "ZYX", "spacing": 0.5, "unit": "um"}
    path = stacks(tmp_path / "a.tif", about, None)
    first, second = read_all(path)
    assert (first.axes, first.shape, first.scale) == ("ZYX", (10, 4, 5), (0.5, 0.2, 0.2))
    assert (second.axes, second.shape) == ("IYX", (2, 4, 5))
    assert (int(first.array().max()), int(second.array().min())) == (0, 1)
    assert read(path).axes == "ZYX"


def test_each_described_image_has_its_own_steps(tmp_path):
    """All had the steps of the first."""
    about = [{"axes": "ZYX", "spacing": step, "unit": "um"} for step in (0.5, 2.0)]
    images = read_all(stacks(tmp_path / "a.tif", *about))
    assert [image.scale for image in images] == [(0.5, 0.2, 0.2), (2.0, 0.2, 0.2)]


def test_a_description_that_does_not_fit_is_said(tmp_path):
    path = stacks(tmp_path / "a.tif", {"axes": "ZYX"}, None)
    data = path.read_bytes()
    assert data.count(b"[10, 4, 5]") == 1
    path.write_bytes(data.replace(b"[10, 4, 5]", b"[10, 5, 4]"))
    with pytest.warns(FileWarning, match="only some of the images"):
        assert read(path).shape == (12, 4, 5)


def test_series_of_the_same_name(tmp_path):
    path = tmp_path / "plate.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for name in ("well", "well", "other"):
            file.write(np.zeros((4, 5), np.uint8), metadata={"axes": "YX", "Name": name})
    names = [image.name for image in read_all(path)]
    assert names == ["plate well 0", "plate well 1", "plate other"]


def test_a_name_that_looks_like_a_numbered_one(tmp_path):
    path = tmp_path / "plate.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for name in ("well", "well", "well 1"):
            file.write(np.zeros((4, 5), np.uint8), metadata={"axes": "YX", "Name": name})
    names = [image.name for image in read_all(path)]
    assert names == ["plate well 0", "plate well 1", "plate well 1 2"]


def ome_of(folder, name, present, sizes, order="XYZCT", file_of="{0}"):
    """Write an OME-TIFF with some of the planes that it announces, and return its path."""
    planes, parts = [], []
    for ifd, place in enumerate(sizes_of(sizes)):
        source = f"there_{ifd}.ome.tif" if place not in present else name
        where = " ".join(f'First{axis}="{index}"' for axis, index in zip("TCZ", place, strict=True))
        number = len(planes) if place in present else 0
        parts.append(
            f'<TiffData {where} IFD="{number}" PlaneCount="1"><UUID FileName="{source}">'
            f"urn:uuid:{ifd:08d}-0000-0000-0000-000000000000</UUID></TiffData>"
        )
        if place in present:
            planes.append(np.full((4, 5), 1 + ifd, np.uint16))
    n_t, n_c, n_z = sizes
    channels = "".join(f'<Channel ID="Channel:0:{c}" SamplesPerPixel="1"/>' for c in range(n_c))
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" DimensionOrder="{order}" Type="uint16" SizeX="5" SizeY="4" '
        f'SizeC="{n_c}" SizeZ="{n_z}" SizeT="{n_t}" TimeIncrement="2" TimeIncrementUnit="s">'
        f"{channels}{''.join(parts)}</Pixels></Image></OME>"
    )
    with tifffile.TiffWriter(folder / name) as file:
        for index, plane in enumerate(planes):
            description = text.encode() if index == 0 else None
            file.write(plane, metadata=None, description=description, contiguous=False)
    return folder / name


def sizes_of(sizes):
    return list(np.ndindex(*sizes))


@pytest.mark.parametrize("lazy_above", [None, 0])
@pytest.mark.parametrize(
    ("present", "sizes", "shape", "said"),
    [
        ([(2, 0, 0)], (4, 1, 1), {"T": 1}, "lacks 3 of its 4 planes; read are only T 2"),
        ([(1, 0, 0), (3, 0, 0)], (4, 1, 1), {"T": 2}, "read are only T 1, 3"),
        ([(0, 0, z) for z in range(3)], (2, 1, 3), {"T": 1, "Z": 3}, "read are only T 0"),
        (
            [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1), (2, 0, 0)], (3, 1, 2),
            {"T": 2, "Z": 2}, "1 plane of incomplete parts is left out",
        ),
        ([(t, 0, 0) for t in range(3)], (3, 2, 1), {"T": 3, "C": 1}, "read are only C 0"),
        (
            [(0, 0, 0), (1, 0, 0), (4, 0, 0)], (5, 1, 1), {"T": 3},
            "The planes along T are not equally spaced",
        ),
    ],
)  # fmt: skip
def test_planes_that_are_not_there(tmp_path, present, sizes, shape, said, lazy_above):
    path = ome_of(tmp_path, "renamed.ome.tif", present, sizes)
    with pytest.warns(FileWarning, match=said):
        image = read(path, lazy_above=lazy_above)
    assert {a: n for a, n in image.sizes.items() if a in shape} == shape
    assert image.array().min() > 0  # no plane is made up


def test_what_is_left_of_a_recording_keeps_its_times(tmp_path):
    path = ome_of(tmp_path, "renamed.ome.tif", [(1, 0, 0), (3, 0, 0)], (4, 1, 1))
    with pytest.warns(FileWarning):
        image = read(path)
    assert image.translate[0] == 2.0
    assert image.scale[0] == 4.0


def test_renamed_files_of_a_recording_are_stacked(tmp_path):
    for t in range(3):
        ome_of(tmp_path, f"exp_{t}.ome.tif", [(t, 0, 0)], (3, 1, 1))
    with pytest.warns(FileWarning, match="3 such warnings about the 3 files") as told:
        image = read(tmp_path, stack_axis="T")
    assert len(told) == 1
    assert first_values(image) == [1, 2, 3]


def imagej_of(folder, n_pages, description, *, contiguous):
    path = folder / "stack.tif"
    with tifffile.TiffWriter(path, byteorder=">") as file:
        for number in range(n_pages):
            text = f"ImageJ=1.53c\n{description}\n" if number == 0 else None
            plane = np.full((4, 5), number, np.uint16)
            file.write(plane, contiguous=contiguous, metadata=None, description=text)
    return path


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize(
    ("n_pages", "description", "axes", "shape"),
    [
        (8, "images=20\nframes=20", "TYX", (8, 4, 5)),
        (8, "images=4\nframes=4", "TYX", (8, 4, 5)),
        (8, "images=20\nslices=20", "ZYX", (8, 4, 5)),
        (8, "images=24\nslices=2\nframes=12\nhyperstack=true", "TZYX", (4, 2, 4, 5)),
        (7, "images=20\nchannels=2\nframes=10\nhyperstack=true", "TCYX", (3, 2, 4, 5)),
        (12, "images=6\nchannels=2\nslices=3\nhyperstack=true", "TZCYX", (2, 3, 2, 4, 5)),
        (3, "images=20\nchannels=4\nframes=5\nhyperstack=true", "IYX", (3, 4, 5)),
    ],
)
def test_imagej_announces_other_planes(tmp_path, n_pages, description, axes, shape, contiguous):
    path = imagej_of(tmp_path, n_pages, description, contiguous=contiguous)
    with pytest.warns(FileWarning, match=f"has {n_pages} planes, but its ImageJ description"):
        image = read(path)
    assert (image.axes, image.shape) == (axes, shape)
    assert image.array()[..., 0, 0].ravel().tolist() == list(range(np.prod(shape[:-2])))


def test_an_imagej_stack_that_is_cut_off_is_damaged(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.ones((6, 16, 20), np.uint16), imagej=True, metadata={"axes": "TYX"})
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(FileError, match="damaged or not complete"):
        read(path)


@pytest.mark.filterwarnings("ignore:.*lacks 3 of its 4 planes")
@pytest.mark.parametrize("order", [(0, 1, 3), (0, 2, 1, 3)])
def test_renamed_files_whose_names_have_another_order(tmp_path, order):
    for number, t in enumerate(order):
        ome_of(tmp_path, f"exp_{number}.ome.tif", [(t, 0, 0)], (4, 1, 1))
    stated = ", ".join(map(str, order))
    with pytest.warns(FileWarning, match=f"they are number {stated} along T of their recording"):
        image = read(tmp_path, stack_axis="T")
    assert first_values(image) == [1 + t for t in order]
    assert (image.scale[0], image.units[0]) == (2.0, "second")
