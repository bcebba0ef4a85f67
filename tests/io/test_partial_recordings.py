"""Recordings in several files of which some are not there: what is missing is named."""

import warnings

import numpy as np
import pytest
import tifffile
from micro_manager_writer import write_ndtiff, write_stack

from napari_cellinr.errors import FileError, FileWarning
from napari_cellinr.io import read, read_all


def values(image):
    return image.array()[..., 0, 0].ravel().tolist()


def told_by(path):
    """Return the images in a file, and all warnings as one text."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        images = read_all(path)
    assert {one.category for one in told} <= {FileWarning}
    return images, " ".join(str(one.message) for one in told)


def identifier(number):
    return f"urn:uuid:{number:08d}-0000-0000-0000-000000000000"


def part(file, frame, count):
    uuid = f'<UUID FileName="t{file}.ome.tif">{identifier(file)}</UUID>'
    return f'<TiffData FirstT="{frame}" {count}>{uuid}</TiffData>'


def image_of(number, n_frames, parts):
    return (
        f'<Image ID="Image:{number}" Name="well {number}"><Pixels ID="Pixels:{number}" '
        f'DimensionOrder="XYZCT" Type="uint16" SizeX="5" SizeY="4" SizeC="1" SizeZ="3" '
        f'SizeT="{n_frames}" TimeIncrement="2">{parts}</Pixels></Image>'
    )


def ome_files(folder, images, present):
    """Write those of four files that are there, each of three planes: 100 times its number."""
    for number in present:
        text = (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{identifier(number)}">{images}</OME>'
        )
        with tifffile.TiffWriter(folder / f"t{number}.ome.tif") as file:
            for z in range(3):
                about = {} if z else {"description": text.encode()}
                plane = np.full((4, 5), 100 * number + z, np.uint16)
                file.write(plane, metadata=None, contiguous=False, **about)
    return folder / f"t{present[0]}.ome.tif"


ALL_COUNTS = 'IFD="0" PlaneCount="3"'
TIME_LAPSE = image_of(0, 4, "".join(part(t, t, ALL_COUNTS) for t in range(4)))
WELLS = "".join(image_of(n, 1, part(n, 0, ALL_COUNTS)) for n in range(4))


def test_the_missing_files_of_a_time_lapse_are_named(tmp_path):
    (image,), said = told_by(ome_files(tmp_path, TIME_LAPSE, (1, 2)))
    assert values(image) == [100, 101, 102, 200, 201, 202]
    assert image.translate[0] == 2.0
    assert "lacks 6 of its 12 planes; read are only T 1, 2, counted from 0" in said
    assert "Not in the folder: t0.ome.tif, t3.ome.tif." in said


def test_images_whose_files_are_missing_are_named(tmp_path):
    """They were left out without a word."""
    images, said = told_by(ome_files(tmp_path, WELLS, (2, 0)))
    assert [values(image) for image in images] == [[0, 1, 2], [200, 201, 202]]
    assert "a recording of 4 images, of which 2 ('well 1', 'well 3') cannot be read" in said
    assert "(t1.ome.tif, t3.ome.tif)" in said


def test_the_only_image_whose_file_is_missing_is_named(tmp_path):
    said = told_by(ome_files(tmp_path, WELLS, (0, 1, 2)))[1]
    assert "of which 1 ('well 3') cannot be read: its file is not in the folder (t3.ome.t" in said


def test_nothing_is_said_about_a_complete_recording(tmp_path):
    for number, images in enumerate((TIME_LAPSE, WELLS)):
        (tmp_path / str(number)).mkdir()
        assert told_by(ome_files(tmp_path / str(number), images, range(4)))[1] == ""


def test_places_that_follow_from_missing_files_are_not_guessed(tmp_path):
    """The sentence was that the file that is there is damaged."""
    images = image_of(0, 4, "".join(part(t, t, "") for t in range(4)))
    path = ome_files(tmp_path, images, (2, 3))
    with pytest.raises(FileError, match=r"of which t0\.ome\.tif, t1\.ome\.tif are not in the"):
        read(path)


def test_pages_of_a_part_that_its_description_leaves_out_are_said(tmp_path):
    images = image_of(0, 4, "".join(part(t, t, 'IFD="0"') for t in range(4)))
    (image,), said = told_by(ome_files(tmp_path, images, (0, 1)))
    assert values(image) == [0, 100]
    assert "has 2 planes that its OME description does not mention" in said


@pytest.mark.parametrize("axis", ["T", "Z"])
def test_files_that_name_each_other_are_not_stacked(tmp_path, axis):
    """Each of them is read as the whole recording, which was stacked as often as it has files."""
    ome_files(tmp_path, TIME_LAPSE, range(4))
    with pytest.raises(FileError, match="open this file alone"):
        read(tmp_path, stack_axis=axis)


@pytest.mark.parametrize(
    ("is_there", "said"), [(True, "open that file"), (False, "not in its folder; add it there")]
)
def test_the_file_that_describes_the_others(tmp_path, is_there, said):
    text = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<BinaryOnly MetadataFile="t0.ome.tif" UUID="urn:uuid:1"/></OME>'
    )
    plane = np.ones((4, 5), np.uint16)
    tifffile.imwrite(tmp_path / "t1.ome.tif", plane, metadata=None, description=text)
    if is_there:
        tifffile.imwrite(tmp_path / "t0.ome.tif", plane)
    assert said in told_by(tmp_path / "t1.ome.tif")[1]


def stacks(folder, files, sizes, *, present, prefix="rec"):
    """Write those files of a recording of Micro-Manager that are there; return the first of them.

    Parameters
    ----------
    folder
        Where to write.
    files
        The places (frame, slice, channel, position) of the planes in each file.
    sizes
        Number of frames, slices, channels and positions of the recording.
    present
        Numbers of the files that are there.
    prefix
        How their names begin.
    """
    keys = dict(zip(("Frames", "Slices", "Channels", "Positions"), sizes, strict=True))
    summary = {
        "MicroManagerVersion": "1.4", "Prefix": "rec", "TimeFirst": False, "SlicesFirst": False,
        "Interval_ms": 1000, "PixelSize_um": 0.1, "ChNames": ["a", "b"][: sizes[2]], **keys,
    }  # fmt: skip
    paths = [folder / f"{prefix}_MMStack{f'_{n}' if n else ''}.ome.tif" for n in range(len(files))]
    for number in present:
        planes = [
            ((c, z, t, r), np.full((4, 5), 1000 * r + 100 * t + 10 * z + c, np.uint16))
            for t, z, c, r in files[number]
        ]
        write_stack(paths[number], planes, summary)
    return paths[present[0]]


def frames(*numbers):
    return [(t, 0, 0, 0) for t in numbers]


THREE = [frames(0, 1), frames(2, 3), frames(4, 5)]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_all_files_of_micro_manager(tmp_path, first):
    """A warning told of reading a closed file."""
    present = [first, *(n for n in range(3) if n != first)]
    (image,), said = told_by(stacks(tmp_path, THREE, (6, 1, 1, 1), present=present))
    assert (values(image), said) == ([0, 100, 200, 300, 400, 500], "")
    assert image.meta["times"] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("present", "frames_there", "said"),
    [
        ((0,), [0, 1], "lacks 4 of its 6 planes; read are only T 0, 1, counted from 0"),
        ((2,), [4, 5], "lacks 4 of its 6 planes; read are only T 4, 5, counted from 0"),
        ((1, 2), [2, 3, 4, 5], "lacks 2 of its 6 planes; read are only T 2 to 5"),
        ((2, 0), [0, 1, 4, 5], "The planes along T are not equally spaced"),
    ],
)
def test_missing_files_of_micro_manager(tmp_path, present, frames_there, said):
    """Without a word, frames 4 and 5 were the first ones."""
    (image,), text = told_by(stacks(tmp_path, THREE, (6, 1, 1, 1), present=present))
    assert values(image) == [100 * t for t in frames_there]
    assert (
        image.translate[0] * {"second": 1, "millisecond": 1e-3}[image.units[0]] == frames_there[0]
    )
    assert image.meta["times"] == [t - frames_there[0] for t in frames_there]
    assert said in text


def test_a_file_that_begins_within_a_stack(tmp_path):
    files = [[(0, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 0)], [(1, 1, 0, 0), (2, 0, 0, 0), (2, 1, 0, 0)]]
    (image,), said = told_by(stacks(tmp_path, files, (3, 2, 1, 1), present=[1]))
    assert (image.axes, values(image)) == ("TZYX", [200, 210])
    assert "lacks 3 of its 6 planes; read are only T 2" in said
    assert "1 plane of incomplete parts is left out" in said


def test_a_channel_of_micro_manager_keeps_its_name(tmp_path):
    files = [[(t, 0, 1, 0) for t in range(2)]]
    (image,), said = told_by(stacks(tmp_path, files, (2, 1, 2, 1), present=[0]))
    assert (image.axes, image.channels, values(image)) == ("TCYX", ("b",), [1, 101])
    assert image.meta["times"] == [0, 1]
    assert "read are only C 1" in said


def test_one_of_two_positions_of_micro_manager(tmp_path):
    files = [[(t, 0, 0, r) for t in range(2)] for r in range(2)]
    (image,), said = told_by(stacks(tmp_path, files, (2, 1, 1, 2), present=[1]))
    assert (image.axes, values(image)) == ("TYX", [1000, 1100])
    assert "has position 1 of the 2 of its recording" in said


def test_two_of_three_positions_of_micro_manager(tmp_path):
    files = [[(0, 0, 0, 0)], [(0, 0, 0, 1), (0, 0, 0, 2)]]
    assert (
        "has positions 1, 2 of the 3 of its rec"
        in told_by(stacks(tmp_path, files, (1, 1, 1, 3), present=[1]))[1]
    )


def test_frames_keep_their_times_where_many_more_were_announced(tmp_path):
    """A recording may be stopped long before the number of frames that was entered."""
    (image,), _ = told_by(stacks(tmp_path, [frames(0, 2, 4)], (30_000, 1, 1, 1), present=[0]))
    assert image.meta["times"] == [0, 2, 4]


def test_a_renamed_stack_has_the_frames_that_its_index_states(tmp_path):
    (image,), said = told_by(stacks(tmp_path, THREE, (6, 1, 1, 1), present=[1, 0], prefix="new"))
    assert values(image) == [200, 300]
    assert "read are only T 2, 3" in said


def test_a_stack_of_another_recording_is_not_mixed_in(tmp_path):
    """Its plane took the place of the first one."""
    path = stacks(tmp_path, THREE, (6, 1, 1, 1), present=[0, 1, 2])
    write_stack(
        tmp_path / "rec_MMStack_copy.tif",
        [((0, 0, 0, 0), np.full((4, 5), 9, np.uint16))],
        {"MicroManagerVersion": "1.4", "Frames": 1},
    )
    with pytest.raises(FileError, match="is not the only file with some of its planes"):
        read(path)


def test_a_result_beside_a_recording_is_not_damage(tmp_path):
    """The sentence was that the recording is damaged."""
    path = stacks(tmp_path, THREE, (6, 1, 1, 1), present=[0])
    tifffile.imwrite(tmp_path / "rec_MMStack_denoised.tif", np.zeros((4, 5), np.float32))
    with pytest.raises(FileError, match="such as results; move these to another folder"):
        read(path)


def test_an_announced_number_that_is_no_number_of_planes(tmp_path):
    path = stacks(tmp_path, [frames(0, 1)], (10**9, 1, 1, 1), present=[0])
    (image,), said = told_by(path)
    assert values(image) == [0, 100]
    assert "has 2 of the 1000000000 planes that it announces" in said


def ndtiff(folder, files):
    """Write files with planes (time, channel) of 100 times the time, and their index."""
    index, paths = b"", []
    for number, places in enumerate(files):
        paths.append(folder / f"x_NDTiffStack{f'_{number}' if number else ''}.tif")
        index += write_ndtiff(
            paths[-1],
            [
                ({"time": t, "channel": c}, np.full((4, 5), 100 * t + c + 1, np.uint16))
                for t, c in places
            ],
        )
    (folder / "NDTiff.index").write_bytes(index)
    return paths


TWO_FILES = [[(0, 0), (0, 1), (1, 0)], [(1, 1), (2, 0), (2, 1)]]


@pytest.mark.parametrize("number", [0, 1])
def test_all_files_of_ndtiff(tmp_path, number):
    (image,), said = told_by(ndtiff(tmp_path, TWO_FILES)[number])
    assert (image.axes, values(image), said) == ("TCYX", [1, 2, 101, 102, 201, 202], "")


@pytest.mark.parametrize(
    ("places", "found", "said"),
    [
        ([(0, 0), (0, 1), (1, 0)], [1, 2], "lacks 1 of its 4 planes; read are only T 0"),
        ([(0, 0), (0, 1), (2, 0), (2, 1)], [1, 2, 201, 202], "read are only T 0, 2"),
    ],
)
def test_planes_that_are_not_in_the_index_are_not_black(tmp_path, places, found, said):
    """They were 0, without a word."""
    (image,), text = told_by(ndtiff(tmp_path, [places])[0])
    assert values(image) == found
    assert said in text


def test_missing_files_of_ndtiff_are_named(tmp_path):
    first, second = ndtiff(tmp_path, TWO_FILES)
    first.unlink()
    with pytest.raises(FileError, match=r"2 files, of which x_NDTiffStack\.tif is not in the"):
        read(second)


def test_an_index_does_not_lead_out_of_the_folder(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (path,) = ndtiff(inside, [[(0, 0)]])
    index = (inside / "NDTiff.index").read_bytes()
    name = b"../x_NDTiffStack.tif"
    index = index.replace(
        len(path.name).to_bytes(4, "little") + path.name.encode(),
        len(name).to_bytes(4, "little") + name,
    )
    (inside / "NDTiff.index").write_bytes(index)
    (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(FileError, match="not in the folder"):
        read(path)


def test_a_missing_index_is_named(tmp_path):
    path = ndtiff(tmp_path, TWO_FILES)[0]
    (tmp_path / "NDTiff.index").unlink()
    (image,), said = told_by(path)
    assert values(image) == [1, 2, 101]
    assert "NDTiff.index, which says where the planes of" in said
