"""What was opened in whatever way is opened in the same way when a macro is done again."""

import shlex

import imageio.v3
import numpy as np
import pytest
import tifffile

from napari_cellinr.cli import make_parser
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.io import read, read_all
from napari_cellinr.macro import Macro, iter_replay, load_macro, script
from napari_cellinr.ui.layers import opening
from napari_cellinr.ui.session.console import console_of

pytestmark = [
    pytest.mark.gui,
    # files 1, 2 and 10 show that numbers are sorted as numbers
    pytest.mark.filterwarnings("ignore:numbers are missing:napari_cellinr.errors.FileWarning"),
]


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "movie"
    place.mkdir()
    values = np.random.default_rng(0).integers(0, 200, (4, 2, 8, 9), dtype=np.uint16)
    for number, stack in zip((1, 2, 10, 11), values, strict=True):
        metadata = {"axes": "ZYX", "spacing": 1.5, "unit": "um"}
        path = place / f"f_{number}.tif"
        tifffile.imwrite(path, stack, imagej=True, resolution=(5, 5), metadata=metadata)
    return place


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    """Say that numbered files count time, whenever it is asked."""
    from napari import settings

    if hasattr(settings, "get_plugin_settings"):  # napari before 0.9 always asks
        settings.get_plugin_settings("napari-cellinr").files.numbered_files = "ask"
    monkeypatch.setattr(opening, "choice", lambda paths: "time")


def by_canvas(viewer, dock, folder):
    viewer.open(folder, plugin="napari-cellinr")


def as_stack(viewer, dock, folder):
    viewer.open(sorted(folder.iterdir()), plugin="napari-cellinr", stack=True)


def on_the_dock(viewer, dock, folder):
    dock.open(sorted(folder.iterdir()))


def some_of_them(viewer, dock, folder):
    dock.open([folder / "f_1.tif", folder / "f_10.tif"])


def by_name(viewer, dock, folder):
    console_of(viewer).open(folder)


def calls(text):
    return [line for line in str(text).splitlines() if line.startswith("cellinr.")]


def without_a_viewer(text, tmp_path, **options):
    (tmp_path / "macro.py").write_text(text)
    macro = load_macro(tmp_path / "macro.py")
    return finish(iter_replay(macro, output=tmp_path / "out", **options))


def read_by_the_script(macro):
    """Return what the first line of the script for Python reads."""
    lines = script(macro, "headless").splitlines()
    (line,) = (one for one in lines if " = read" in one)
    scope = {"read": read, "read_all": read_all}
    exec(line, scope)
    return scope[line.split()[0]]


WAYS = [
    (by_canvas, "movie", "", ""),
    (by_name, "movie", "", ""),
    (as_stack, "f", "/f_*.tif", ""),
    (on_the_dock, "f", "/f_*.tif", ""),
    (some_of_them, "f", "", ", files=['f_1.tif', 'f_10.tif']"),
]


@pytest.mark.parametrize(
    ("way", "name", "end", "more"), WAYS, ids=[way.__name__ for way, *_ in WAYS]
)
def test_a_series(viewer, dock, use_job, folder, tmp_path, monkeypatch, way, name, end, more):
    viewer.layers.clear()
    use_job()
    cellinr = console_of(viewer)
    way(viewer, dock, folder)
    given = np.array(viewer.layers[name].data)
    cellinr.denoise(name)
    cellinr.wait()
    numbers = np.array(viewer.layers[f"denoised · {name}"].data)
    used = f"cellinr.use({name!r}, {str(folder) + end!r}, along='T'{more})"
    wanted = [used, f"cellinr.denoise({name!r}, seed=0)"]
    assert calls(cellinr.macro) == wanted
    text = str(cellinr.macro)
    macro = dock.dispatcher.recorder.macro
    assert Macro.from_json(macro.as_json()) == macro
    monkeypatch.setattr(opening, "choice", lambda paths: pytest.fail("asked again"))
    viewer.layers.clear()
    cellinr.clear()
    exec(compile(text, "macro", "exec"), {})
    cellinr.wait()
    assert np.array_equal(viewer.layers[name].data, given)
    assert np.array_equal(viewer.layers[f"denoised · {name}"].data, numbers)
    assert calls(cellinr.macro) == wanted
    (written,) = without_a_viewer(text, tmp_path)
    assert np.array_equal(read(written).array(), numbers)
    assert np.array_equal(read_by_the_script(macro).array(), given)
    (line,) = (one for one in script(macro, "cli").splitlines() if one.startswith("napari-"))
    options = make_parser().parse_args(shlex.split(line)[1:])
    assert options.stack == "T"
    if not more:
        assert np.array_equal(read(options.input, stack_axis=options.stack).array(), given)


def test_a_file_of_another_reader(viewer, dock, use_job, tmp_path):
    viewer.layers.clear()
    use_job()
    picture = tmp_path / "pic.png"
    imageio.v3.imwrite(picture, np.random.default_rng(0).integers(0, 255, (40, 48), np.uint8))
    cellinr = console_of(viewer)
    viewer.open(picture, plugin="napari")
    viewer.layers["pic"].name = "mine"
    cellinr.denoise("mine", axes="YX")
    cellinr.wait()
    numbers = np.array(viewer.layers["denoised · mine"].data)
    macro = dock.dispatcher.recorder.macro
    wanted = [
        f"cellinr.use('mine', {str(picture)!r}, reader='napari')",
        "cellinr.denoise('mine', axes='YX', seed=0)",
    ]
    text = str(cellinr.macro)
    assert calls(text) == wanted
    viewer.layers.clear()
    cellinr.clear()
    exec(compile(text, "macro", "exec"), {})
    cellinr.wait()
    assert np.array_equal(viewer.layers["denoised · mine"].data, numbers)
    assert calls(cellinr.macro) == wanted
    assert "# " + str(picture) + " was opened by the reader 'napari'" in script(macro, "cli")
    assert "mine = read('mine.tif')  # " in script(macro, "headless")
    with pytest.raises(FileError, match="opened by the reader 'napari' of napari; save layer 'mi"):
        without_a_viewer(text, tmp_path)
    cellinr.save("mine", tmp_path / "mine.tif")
    (written,) = without_a_viewer(text, tmp_path, source=tmp_path / "mine.tif")
    assert np.array_equal(read(written).array(), numbers)
    with pytest.raises(FileError, match="napari reader 'none' could not open"):
        cellinr.use("other", str(picture), reader="none")


@pytest.mark.parametrize("name", ["b DNA", "b actin"])
def test_one_channel_of_one_of_several_images(viewer, dock, use_job, tmp_path, name):
    viewer.layers.clear()
    use_job()
    values = np.random.default_rng(0).random((2, 2, 3, 8, 9), np.float32)
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for image, label in zip(values, "ab", strict=True):
            about = {"axes": "CZYX", "Name": label, "Channel": {"Name": ["DNA", "actin"]}}
            file.write(image, photometric="minisblack", metadata=about)
    dock.open([path])
    (name,) = (one.name for one in viewer.layers if one.name.endswith(name))
    given = np.array(viewer.layers[name].data)
    assert np.array_equal(given, values[1, int("actin" in name)])
    cellinr = console_of(viewer)
    cellinr.denoise(name)
    cellinr.compare(f"denoised · {name}", name)
    cellinr.wait()
    numbers = np.array(viewer.layers[f"denoised · {name}"].data)
    macro, told = dock.dispatcher.recorder.macro, []
    assert Macro.from_json(macro.as_json()) == macro
    for style in (str(cellinr.macro), macro.as_json()):
        file = tmp_path / ("macro.json" if style.startswith("{") else "macro.py")
        file.write_text(style)
        out = {"output": tmp_path / "out", "overwrite": True}
        job = iter_replay(load_macro(file), tell=told.append, **out)
        assert np.array_equal(read(finish(job)[0]).array(), numbers)
    assert told == []  # the data have the digest that was recorded
    assert np.array_equal(read_by_the_script(macro).array(), given)
    lines = [one for one in script(macro, "cli").splitlines() if one.startswith("napari-")]
    assert [line.split()[1] for line in lines] == ["denoise", "convert", "compare"]
    for line in lines[:2]:
        options = make_parser().parse_args(shlex.split(line)[1:])
        image = read_all(options.input)[options.series].take("C", options.channel)
        assert np.array_equal(image.array(), given)


def test_a_folder_instead_of_another_one(viewer, dock, use_job, folder, tmp_path):
    viewer.layers.clear()
    use_job()
    on_the_dock(viewer, dock, folder)
    dock.run()
    console_of(viewer).wait()
    text = str(console_of(viewer).macro)
    (written,) = without_a_viewer(text, tmp_path, source=folder)
    assert read(written).axes == "TZYX"
    alone = "cellinr.use('f', 'f.tif')\ncellinr.denoise('f', seed=0)\n"
    (written,) = without_a_viewer(alone, tmp_path, source=folder, stack_axis="T")
    assert read(written).axes == "TZYX"
    with pytest.raises(FileError, match="along 'C' was given"):
        without_a_viewer(alone.replace("'f.tif'", "'f.tif', along='C'"), tmp_path)
