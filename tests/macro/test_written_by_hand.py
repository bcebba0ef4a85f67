"""Macros as people write them, by the guide or from memory, do what they do in the console."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_cellinr import Image, read, write
from napari_cellinr.cli import main
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.fitting.problem import Fitted, Progress, finish
from napari_cellinr.macro import (
    Macro,
    Source,
    Step,
    iter_replay,
    load_macro,
    parse_script,
    script,
)
from napari_cellinr.methods import METHODS


def fake_job(image, config, monitor):
    """Add 1 with the preset fast, 2 with any other."""
    yield Progress("fitting", 1, 2)
    data = np.asarray(image.data, np.float32) + (1 if config.preset == "fast" else 2)
    result = image.like(data, name=f"{image.name} denoised")
    background = image.like(data * 0, name=f"{image.name} background")
    return Fitted((result, background), config, {}, (), "steps", {"steps": 7})


@pytest.fixture(autouse=True)
def job(put_job, tmp_path, monkeypatch):
    put_job("denoise", fake_job)
    monkeypatch.chdir(tmp_path)


def plane(value, name="embryo.tif"):
    tifffile.imwrite(name, np.full((8, 9), value, np.uint16), metadata=None)


def two_channels(name, values=(10, 20), channels=("DAPI", "GFP")):
    data = np.stack([np.full((8, 9), value, np.uint16) for value in values])
    write(name, Image(data, "CYX", channels=channels))


def replayed(text, **options):
    return finish(iter_replay(parse_script(text), **options))


GUIDE = """
cellinr.open("embryo.tif")
cellinr.denoise("embryo", background="keep")
cellinr.save("embryo denoised", "clean.tif")
"""


def test_the_lines_of_the_guide(tmp_path):
    plane(5)
    assert replayed(GUIDE) == [Path("clean.tif")]
    assert read("clean.tif").array()[0, 0] == 6


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + GUIDE.encode(),
        GUIDE.replace("\n", "\r\n").encode(),
        GUIDE.replace("\n", "\n    ").encode(),
        GUIDE.strip().replace("\n", "; ").encode(),
        GUIDE.replace('", background', '",  # a layer\n\n    background').encode(),
    ],
    ids=["mark of UTF-8", "ends of lines of Windows", "indented", "semicolons", "continued"],
)
def test_ways_to_store_the_same_lines(text):
    Path("macro.py").write_bytes(text)
    assert load_macro("macro.py") == parse_script(GUIDE)


def test_backslashes_that_begin_an_escape():
    with pytest.raises(FileError, match=r"Write \\\\ or / instead of"):
        parse_script('cellinr.open("C:\\Users\\embryo.tif")')


@pytest.mark.parametrize(
    "call",
    [
        r'open("data\a.tif")',
        r'use("a", "data\new\a.tif")',
        r'open("C:\temp\b.tif", along="T")',
        r'save("a", "out\new.tif")',
        r'save("a", path="data\a.tif")',
        r'figure("a", path="out\figure.png")',
    ],
)
def test_backslashes_that_became_a_control_character(call):
    with pytest.raises(FileError, match=r"line 1: the path .* control .*instead of .* or r\"…\""):
        parse_script(f"cellinr.{call}")
    doubled = call.replace("\\", "\\\\")
    assert len(parse_script(f"cellinr.{doubled}").steps) == 1
    raw = call.replace(', "', ', r"').replace('("', '(r"').replace('path="', 'path=r"')
    assert parse_script(f"cellinr.{raw}") == parse_script(f"cellinr.{doubled}")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("name", ["m.py", "m.json"])
def test_another_encoding_than_utf_8(name, encoding):
    """PowerShell writes UTF-16 with >."""
    Path(name).write_text("# é\n" + GUIDE, encoding=encoding)
    with pytest.raises(FileError, match=rf"{name} is not a text file in UTF-8.*saved as UTF-8"):
        load_macro(name)


def test_the_same_lines_on_another_file_and_in_a_batch(tmp_path):
    plane(5)
    plane(7, "other.tif")
    Path("m.py").write_text(GUIDE)
    assert main(["replay", "m.py", "--input", "other.tif", "--folder", "r"]) == 0
    assert read("r/clean.tif").array()[0, 0] == 8
    assert main(["batch", "m.py", "embryo.tif", "other.tif", "--folder", "b"]) == 0
    values = [read(f"b/{name}/clean.tif").array()[0, 0] for name in ("embryo", "other")]
    assert values == [6, 8]


@pytest.mark.parametrize("form", ["{1} {0}", "{0} · {1}"], ids=["of version 0.1", "of now"])
def test_images_of_a_fit_are_known_by_both_forms_of_their_names(form):
    plane(5)
    saved = "".join(
        f'cellinr.save("{form.format(what, "embryo")}", "{what}.tif")\n'
        for what in ("background", "denoised")
    )
    replayed(f'cellinr.open("embryo.tif")\ncellinr.denoise("embryo")\n{saved}')
    assert [read(f"{what}.tif").array()[0, 0] for what in ("denoised", "background")] == [6, 0]
    replayed(
        'cellinr.open("embryo.tif")\ncellinr.denoise("embryo")\n'
        f'cellinr.save("{form.format("background", "embryo")}", "alone.tif")'
    )
    assert read("alone.tif").array()[0, 0] == 0


@pytest.mark.parametrize(
    ("call", "added"),
    [
        ('denoise("embryo")', 1),
        ('denoise("embryo", "preview")', 2),
        ('denoise("embryo", preset="preview")', 2),
        ('denoise(layer="embryo", preset="preview")', 2),
    ],
)
def test_presets_mean_what_they_mean_in_the_console(call, added):
    plane(5)
    replayed(
        f'cellinr.open("embryo.tif")\ncellinr.{call}\ncellinr.save("embryo denoised", "c.tif")'
    )
    assert read("c.tif").array()[0, 0] == 5 + added


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('denoise("embryo", "sharp")', "preset 'sharp'; allowed are"),
        ('denoise("embryo", "fast", preset="fast")', "given preset twice"),
        ('denoise("embryo", "fast", 3)', "3 arguments without a name; layer and preset"),
        ('superresolve("embryo", "fast")', "2 arguments without a name; layer may"),
        ('save_macro("m.py")', "belongs in the console"),
        ('continue_fit("embryo denoised", 50)', "no step before has fitted"),
    ],
)
def test_calls_that_cannot_be_meant(call, said):
    with pytest.raises(FileError, match=said):
        parse_script(f"cellinr.{call}")


def test_a_fit_is_continued():
    macro = parse_script(
        'cellinr.open("embryo.tif")\ncellinr.denoise("embryo")\n'
        'cellinr.continue_fit("embryo denoised", steps=50)'
    )
    step = macro.steps[-1]
    assert (step.action, step.beginning, step.arguments) == (
        "denoise", "continue_from", {"steps": 50},
    )  # fmt: skip
    assert [source.layer for source in step.sources] == ["embryo", "embryo denoised"]


def test_what_only_shows_something_is_left_out():
    text = GUIDE + "cellinr.wait()\ncellinr.macro\ncellinr.last\ncellinr.stop()\n"
    assert parse_script(text) == parse_script(GUIDE)


@pytest.mark.parametrize(("layer", "value"), [("cells DAPI", 11), ("cells GFP", 21)])
def test_a_channel_has_the_name_that_napari_gives_it(layer, value):
    two_channels("cells.tif")
    two_channels("more.tif", (50, 60))
    lines = (
        f'cellinr.open("cells.tif")\ncellinr.denoise("{layer}")\n'
        f'cellinr.save("{layer} denoised", "c.tif")'
    )
    replayed(lines)
    assert np.unique(read("c.tif").array()) == value
    replayed(lines, source="more.tif", output="more")
    assert np.unique(read("more/c.tif").array()) == value + 40


def test_both_channels_of_another_file_keep_their_names():
    two_channels("cells.tif")
    two_channels("more.tif", (50, 60))
    written = replayed(
        'cellinr.open("cells.tif")\ncellinr.denoise("cells DAPI")\ncellinr.denoise("cells GFP")',
        source="more.tif",
        output="out",
    )
    assert [path.name for path in written] == ["more DAPI denoised.tif", "more GFP denoised.tif"]
    assert [read(path).array()[0, 0] for path in written] == [51, 61]


def test_unnamed_channels_are_numbered_from_1():
    two_channels("cells.tif", channels=())
    replayed(
        'cellinr.open("cells.tif")\ncellinr.denoise("cells channel 2")\n'
        'cellinr.save("cells channel 2 denoised", "c.tif")'
    )
    assert np.unique(read("c.tif").array()) == 21


def test_two_files_of_the_same_name():
    for folder, value in (("a", 5), ("b", 9)):
        Path(folder).mkdir()
        plane(value, f"{folder}/cells.tif")
    replayed(
        'cellinr.open("a/cells.tif")\ncellinr.open("b/cells.tif")\n'
        'cellinr.denoise("cells [1]")\ncellinr.save("cells [1] denoised", "c.tif")\n'
        'cellinr.denoise("cells")\ncellinr.save("cells denoised", "d.tif")'
    )
    assert [read(name).array()[0, 0] for name in ("c.tif", "d.tif")] == [10, 6]


def test_a_layer_that_the_file_does_not_have():
    two_channels("cells.tif")
    with pytest.raises(FileError, match=r"no layer 'cells RFP'.*'cells DAPI', 'cells GFP'"):
        replayed('cellinr.open("cells.tif")\ncellinr.denoise("cells RFP")')


@pytest.mark.parametrize(
    "name", ["embryo denoized", "embryo", "nonsense", "embryo superresolved", "embryos denoised"]
)
def test_a_layer_that_no_step_makes(name):
    plane(5)
    text = GUIDE.replace('save("embryo denoised"', f'save("{name}"')
    if name == "embryo":  # the file itself, which is there
        assert replayed(text) == [Path("clean.tif")]
        assert read("clean.tif").array()[0, 0] == 5
        return
    with pytest.raises(FileError, match=f"layer '{name}' was not read from a file, and no step"):
        replayed(text)
    assert not Path("clean.tif").exists()


COMPARED = """
cellinr.open("embryo.tif")
cellinr.denoise("embryo", background="{}")
cellinr.compare("denoised · embryo")
"""


@pytest.mark.parametrize("form", ["{0} · embryo", "embryo {0}", "{0} · embryo [1]"])
@pytest.mark.parametrize(("background", "name"), [("subtract", "WBNS"), ("keep", "Gaussian")])
def test_conventional_results_are_known_by_their_names(background, name, form):
    values = np.random.default_rng(0).poisson(9, (32, 32)).astype(np.uint16)
    tifffile.imwrite("embryo.tif", values, metadata=None)
    lines = COMPARED.format(background)
    conventional = f'cellinr.save("{form.format(name)}", "{{}}.tif")\n'
    difference = f'cellinr.save("minus {name} · denoised · embryo", "{{}}.tif")\n'
    replayed(lines + conventional.format("alone"))
    replayed(lines + conventional.format("a") + difference.format("b"))
    replayed(lines + difference.format("c") + conventional.format("d"))
    config = METHODS["cellinr"].config(background=background)
    truth = METHODS["cellinr"].conventional(Image(values), config).array()
    for path in ("alone", "a", "d"):
        np.testing.assert_allclose(read(f"{path}.tif").array(), truth, rtol=1e-5)
    for path in ("b", "c"):
        np.testing.assert_allclose(read(f"{path}.tif").array(), values + 1 - truth, atol=1e-4)
    for style in ("headless", "cli"):
        text = script(parse_script(lines + conventional.format("alone")), style)
        assert ("[1]" if style == "headless" else "--output conventional=alone.tif") in text


@pytest.mark.parametrize(("background", "name"), [("subtract", "Gaussian"), ("keep", "cubic")])
def test_another_conventional_result_is_none(background, name):
    plane(5)
    text = COMPARED.format(background) + f'cellinr.save("{name} · embryo", "alone.tif")'
    made = "WBNS" if background == "subtract" else "Gaussian"
    with pytest.raises(FileError, match=f"is called '{made} · embryo'"):
        replayed(text)
    with pytest.raises(FileError, match="and no step before makes it"):
        replayed(text.replace(f"{name} ·", "wavelets ·"))


def test_a_crop_is_no_result_of_a_fit():
    plane(5)
    text = GUIDE.replace("cellinr.save", 'cellinr.crop("embryo", Y=[0, 4])\ncellinr.save')
    assert replayed(text) == [Path("clean.tif")]
    assert read("clean.tif").array().shape == (8, 9)
    misspelled = text.replace('save("embryo denoised"', 'save("embryo denoized"')
    with pytest.raises(FileError, match="layer 'embryo denoized' was not read"):
        replayed(misspelled.replace("clean.tif", "other.tif"))


@pytest.mark.parametrize("name", ["background · embryo [1]", "embryo background [1]", "background"])
def test_the_background_of_a_second_fit(name):
    plane(5)
    lines = GUIDE.splitlines()
    again = [*lines[:3], lines[2], f'cellinr.save("{name}", "background.tif")']
    assert replayed("\n".join(again)) == [Path("background.tif")]
    assert not read("background.tif").array().any()


@pytest.mark.parametrize("channels", [("GFP", "GFP2"), ("1", "10")])
def test_names_of_channels_that_begin_alike(channels):
    two_channels("cells.tif", channels=channels)
    first, second = (f"cells {name}" for name in channels)
    text = f"""
cellinr.open("cells.tif")
cellinr.denoise("{first}", "fast")
cellinr.denoise("{second}", "fast")
cellinr.save("denoised · {second}", "second.tif")
"""
    replayed(text)
    assert read("second.tif").array()[0, 0] == 21


def test_two_files_of_one_name_that_are_both_denoised():
    for folder, value in (("a", 5), ("b", 50)):
        Path(folder).mkdir()
        plane(value, f"{folder}/embryo.tif")
    text = """
cellinr.open("a/embryo.tif")
cellinr.open("b/embryo.tif")
cellinr.denoise("embryo", "fast")
cellinr.denoise("embryo [1]", "fast")
cellinr.save("denoised · embryo [1]", "second.tif")
"""
    replayed(text)
    assert read("second.tif").array()[0, 0] == 51


def test_a_misspelled_source_of_a_second_fit_takes_no_other_layer():
    plane(5)
    text = GUIDE.replace(
        "cellinr.save", 'cellinr.denoise("embryo denoized", preset="best")\ncellinr.save'
    ).replace('save("embryo denoised"', 'save("embryo denoised denoised"')
    with pytest.raises(FileError, match="layer 'embryo denoized' was not read"):
        replayed(text)


def test_a_series_of_numbered_files():
    Path("movie").mkdir()
    for number in range(3):
        plane(number, f"movie/t{number}.tif")
    for place, layer in (("movie", "movie"), ("movie/t*.tif", "t")):
        replayed(
            f'cellinr.open("{place}", along="T")\ncellinr.denoise("{layer}")\n'
            f'cellinr.save("{layer} denoised", "{layer}.tif")'
        )
        assert read(f"{layer}.tif").array()[:, 0, 0].tolist() == [1, 2, 3]


def test_a_folder_stands_for_the_images_in_it():
    Path("plates").mkdir()
    for number in (1, 2):
        plane(number, f"plates/well {number}.tif")
    Path("plates/notes.txt").write_text("no image")
    plane(5)
    Path("m.py").write_text(GUIDE)
    assert main(["batch", "m.py", "plates", "--folder", "b"]) == 0
    values = [read(f"b/well {number}/clean.tif").array()[0, 0] for number in (1, 2)]
    assert values == [2, 3]


def test_a_folder_without_images_is_an_error(capsys):
    Path("empty").mkdir()
    Path("m.py").write_text(GUIDE)
    assert main(["batch", "m.py", "empty", "--folder", "b"]) == 2
    assert "contains no readable image" in capsys.readouterr().err


def test_results_do_not_become_inputs(capsys):
    plane(5)
    Path("m.py").write_text(GUIDE)
    assert main(["batch", "m.py", ".", "--folder", "."]) == 2
    assert "another folder" in capsys.readouterr().err


def test_a_folder_is_one_series_if_the_macro_works_on_a_series():
    for folder in ("a", "b"):
        Path(folder).mkdir()
        for number in range(2):
            plane(number, f"{folder}/t{number}.tif")
    Path("m.py").write_text('cellinr.open("a", along="T")\ncellinr.denoise("a")\n')
    assert main(["batch", "m.py", "a", "b", "--folder", "out"]) == 0
    assert sorted(path.name for path in Path("out").glob("*.tif")) == [
        "a denoised.tif", "b denoised.tif",
    ]  # fmt: skip


def test_a_recipe_written_by_hand():
    plane(5)
    steps = [
        {"action": "open", "sources": [{"path": "embryo.tif"}], "results": ["embryo"]},
        {"action": "denoise", "sources": [{"layer": "embryo"}], "arguments": {"preset": "preview"}},
        {
            "action": "save",
            "sources": [{"layer": "embryo denoised"}],
            "arguments": {"path": "clean.tif"},
        },
    ]
    recipe = {"format": "napari-cellinr recipe", "version": 1, "steps": steps}
    Path("recipe.json").write_text(json.dumps(recipe))
    assert main(["replay", "recipe.json"]) == 0
    assert read("clean.tif").array()[0, 0] == 7


@pytest.mark.parametrize("address", ["https://a.example/c.zarr", "s3://bucket/c.zarr"])
def test_nothing_is_fetched_from_an_address_in_a_macro(tmp_path, monkeypatch, address):
    """Macros come from others, too; users give addresses themselves."""
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr("napari_cellinr.io.zarr.remote.remote", asked.append)
    source = Source("cells", path=address)
    macro = Macro((Step("denoise", (source,), results=("denoised · cells",)),))
    with pytest.raises(FileError, match="nothing is fetched"):
        finish(iter_replay(macro, output=tmp_path))
    assert asked == []


@pytest.mark.parametrize("text", ["", "# nothing\n", "cellinr.wait()\n"])
def test_a_macro_without_steps_is_an_error(text):
    with pytest.raises(ConfigError, match="the macro has no steps that can be repeated"):
        replayed(text)


def test_points_in_the_names_of_files_belong_to_the_names_of_results(tmp_path):
    macro = tmp_path / "m.py"
    macro.write_text('cellinr.open("x.tif")\ncellinr.denoise("x", "fast")\n')
    for name in ("day.1.a.tif", "day.1.b.ome.tif"):
        plane(3, name)
    assert main(["batch", str(macro), "day.1.a.tif", "day.1.b.ome.tif", "--folder", "out"]) == 0
    found = sorted(path.name for path in Path("out").glob("*.tif"))
    assert found == ["day.1.a denoised.tif", "day.1.b denoised.tif"]
