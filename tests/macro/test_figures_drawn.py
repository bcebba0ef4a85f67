"""Figures and movies: the same place and time in every image, scale bar, time, limits."""

import sys

import imageio.v3 as iio
import numpy as np
import pytest

from napari_cellinr import Image, write_figure, write_movie
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.macro.figures.figure import Drawing
from napari_cellinr.macro.figures.planes import layout_of, planes_at, time_text

UNITS = ("second", "micrometer", "micrometer", "micrometer")


def ramp(n_times, n_planes, time_step, z_step, name="raw"):
    """An image whose values are its time in s plus a hundred times its z in µm."""
    times = np.arange(n_times) * time_step
    depths = np.arange(n_planes) * z_step
    data = times[:, None, None, None] + 100 * depths[None, :, None, None] + np.zeros((8, 12))
    return Image(data.astype(np.float32), "TZYX", (time_step, z_step, 0.5, 0.5), UNITS, name=name)


def test_a_finer_result_is_shown_at_the_place_and_time_of_the_source():
    raw, result = ramp(4, 3, 2.0, 1.0), ramp(7, 5, 1.0, 0.5, "result")
    layout = layout_of((raw, result), None, None, True, None)
    planes = planes_at(layout, {"T": 2, "Z": 1})
    values = [float(plane.data[0, 0]) for plane in planes]
    assert values == [104, 104, 0]
    assert layout.titles == ("raw", "result", "difference")


def test_a_difference_is_the_result_minus_the_source_on_a_symmetric_scale():
    raw = ramp(2, 2, 1.0, 1.0)
    result = raw.like(raw.data + 3, name="result")
    layout = layout_of((raw, result), None, None, True, None)
    assert layout.limits[-1] == (-3, 3)
    np.testing.assert_allclose(planes_at(layout, {"T": 1})[-1].data, 3)


def test_a_crop_is_the_same_region_in_a_finer_image():
    raw = Image(np.zeros((8, 12), np.float32), "YX", (1, 1), UNITS[2:])
    fine = Image(np.zeros((16, 24), np.float32), "YX", (0.5, 0.5), UNITS[2:])
    layout = layout_of((raw, fine), None, None, False, {"Y": [2, 5], "X": [0, 6]})
    assert [plane.data.shape for plane in planes_at(layout, {})] == [(3, 6), (6, 12)]


def test_the_time_is_that_of_the_frame():
    raw = ramp(4, 1, 2.5, 1.0)
    assert time_text(raw, 3) == "7.5 s"
    assert time_text(ramp(100, 1, 60.0, 1.0), 10) == "10.0 min"
    assert time_text(raw.take("T", 0), 0) == ""
    unknown = Image(np.zeros((3, 4, 4), np.float32), "TYX")
    assert time_text(unknown, 2) == "frame 2"


def test_times_that_a_file_states_are_in_seconds_and_only_for_its_frames():
    """A series in minutes, cropped and refined: the stated times of its frames no longer fit."""
    units = ("minute", "micrometer", "micrometer")
    data = np.zeros((5, 4, 4), np.float32)
    raw = Image(data, "TYX", (2, 1, 1), units, meta={"times": [0, 120, 240, 360, 600]})
    assert time_text(raw, 4) == "10.0 min"
    later = raw.crop(T=slice(2, 4))
    assert [time_text(later, index) for index in (0, 1)] == ["4.0 min", "6.0 min"]
    finer = Image(np.zeros((9, 4, 4), np.float32), "TYX", (1, 1, 1), units, meta=raw.meta)
    assert time_text(finer, 8) == "8.0 min"


def test_images_of_different_regions_show_what_they_share():
    x = np.arange(100, dtype=np.float32) + np.zeros((6, 1), np.float32)
    raw = Image(x, "YX", (0.5, 0.5), UNITS[2:])
    part = raw.crop(X=slice(40, 80))
    for crop, ends in ((None, (40, 79)), ({"X": (50, 70)}, (50, 69))):
        planes = planes_at(layout_of((raw, part), None, None, True, crop), {})
        for plane in planes[:2]:
            assert (plane.data[0, 0], plane.data[0, -1]) == ends
        assert not planes[2].data.any()
    with pytest.raises(ConfigError, match="different regions along X"):
        layout_of((part, raw.crop(X=slice(80, 100))), None, None, True, None)


def test_a_missing_value_does_not_spoil_the_limits_of_a_difference():
    raw = ramp(2, 2, 1.0, 1.0)
    data = raw.data + 3
    data[1, 1, 0, 0] = np.nan
    assert layout_of((raw, raw.like(data)), None, None, True, None).limits[-1] == (-3, 3)


def test_axes_are_named_in_any_case_and_order():
    raw = ramp(3, 2, 1.0, 1.0)
    layout = layout_of((raw,), None, None, False, None)
    assert planes_at(layout, {"t": 2})[0].data[0, 0] == 2
    with pytest.raises(ConfigError, match="at Q was given"):
        planes_at(layout, {"Q": 1})
    turned = Image(np.zeros((12, 8), np.float32), "XY")
    assert planes_at(layout_of((turned,), None, None, False, None), {})[0].shape == (8, 12)


@pytest.mark.parametrize(
    "options",
    [{"dpi": 0}, {"limits": [[0]]}, {"limits": [5]}, {"crop": {"X": 5}}, {"crop": {"X": [0]}}],
)
def test_options_that_make_no_figure_are_named(tmp_path, options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))}"):
        write_figure(tmp_path / "a.png", ramp(2, 2, 1.0, 1.0), **options)


def test_the_scale_bar_has_the_length_that_it_says():
    wide = Image(np.zeros((40, 100), np.float32), "YX", (0.2, 0.2), UNITS[2:], name="a")
    drawing = Drawing(layout_of((wide,), None, None, True, None), {}, 50)
    (bar,) = [one for one in drawing.figure.axes[0].artists if hasattr(one, "size_bar")]
    (box,) = bar.size_bar.get_children()
    assert box.get_width() == 5  # µm, of 20
    assert bar.txt_label.get_text() == "5 µm"
    plain = Image(np.zeros((40, 100), np.float32), "YX", name="a")
    drawing = Drawing(layout_of((plain,), None, None, True, None), {}, 50)
    (bar,) = [one for one in drawing.figure.axes[0].artists if hasattr(one, "size_bar")]
    assert bar.txt_label.get_text() == "20 px"


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_figures_are_written(tmp_path, suffix):
    path = tmp_path / f"figure{suffix}"
    write_figure(path, ramp(2, 2, 1.0, 1.0), at={"T": 1}, dpi=40)
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(start)


# imageio leaves the pipe of ffmpeg open when it has read a movie.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_movies_run_along_an_axis(tmp_path):
    raw = ramp(3, 2, 1.0, 1.0)
    for name in ("movie.gif", "movie.mp4"):
        write_movie(tmp_path / name, raw, at={"Z": 1}, limits=[[100, 102]], dpi=40)
        frames = iio.imread(tmp_path / name)
        assert len(frames) == 3
        middle = frames[:, frames.shape[1] // 3, frames.shape[2] // 2, 0].astype(float)
        assert np.all(np.diff(middle) > 60)  # from black to white
        assert frames.shape[1] % 2 == frames.shape[2] % 2 == 0 or name.endswith("gif")


def test_what_is_not_allowed_is_named(tmp_path):
    raw = ramp(2, 2, 1.0, 1.0)
    with pytest.raises(FileError, match=r"\.png, \.svg, \.pdf"):
        write_figure(tmp_path / "figure.bmp", raw)
    with pytest.raises(ConfigError, match="0 to 1 are allowed"):
        write_figure(tmp_path / "figure.png", raw, at={"T": 5})
    with pytest.raises(ConfigError, match="one for each"):
        write_figure(tmp_path / "figure.png", raw, limits=[[0, 1], [0, 1]])
    with pytest.raises(ConfigError, match="two or more frames"):
        write_movie(tmp_path / "movie.gif", raw.take("T", 0))


def test_a_missing_library_is_named_with_the_command_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(FileError, match=r'pip install "napari-cellinr\[figures\]"'):
        write_figure(tmp_path / "figure.png", ramp(1, 1, 1.0, 1.0))
    assert not list(tmp_path.iterdir())
