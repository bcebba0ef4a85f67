"""The small commands: info, sample, compare, and the help of all."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_cellinr import Image, __version__, read, write
from napari_cellinr.cli import make_parser
from napari_cellinr.cli.optics import read_optics
from napari_cellinr.cli.shared import progress
from napari_cellinr.config import CellINRConfig
from napari_cellinr.config.optics import optics_from_dict
from napari_cellinr.fitting.problem import Progress
from napari_cellinr.simulate.recordings import MotionSample
from napari_cellinr.simulate.samples import SAMPLES


def test_info_as_json(run, raw_file, sample):
    status, out, error = run("info", raw_file, "--json")
    assert (status, error) == (0, "")
    facts = json.loads(out)
    assert list(facts)[:7] == ["axes", "shape", "dtype", "scale", "units", "channels", "name"]
    assert facts["memory"] == 8 * 16 * 20 * 4
    assert facts["time_step"] is None
    assert facts["scale"] == pytest.approx(list(sample.raw.scale))
    facts["scale"] = None
    assert {key: facts[key] for key in list(facts)[:7]} == {
        "axes": "ZYX", "shape": [8, 16, 20], "dtype": "float32", "scale": None,
        "units": ["micrometer"] * 3, "channels": [], "name": "raw",
    }  # fmt: skip


def test_info_as_text(run, raw_file, plain_file, tmp_path):
    assert run("info", raw_file)[1].splitlines() == [
        "raw (float32, 10.2 kB)",
        "  Z       8  step 0.5 micrometer",
        "  Y      16  step 0.25 micrometer",
        "  X      20  step 0.25 micrometer",
    ]
    assert "step unknown" in run("info", plain_file)[1]
    image = Image(np.zeros((2, 4, 5), np.uint8), "CYX", channels=("red", "blue"))
    path = write(tmp_path / "two.ome.tif", image)
    assert "channels: red, blue" in run("info", path)[1]


@pytest.mark.parametrize("command", ["info", "compare", "denoise"])
def test_missing_files_are_one_line(run, tmp_path, command):
    words = [tmp_path / "none.tif"] + [tmp_path / "other.tif"] * (command != "info")
    status, out, error = run(command, *words)
    assert (status, out) == (2, "")
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("kind", ["embryo-membranes", "embryo-nuclei"])
def test_sample(run, tmp_path, kind):
    folder = tmp_path / "new" / "folder"
    status, out, _ = run("sample", kind, folder, "--seed", 4, "--size", "6,16,20")
    names = ["raw.tif", "truth.tif", "truth_with_background.tif"]
    assert (status, out) == (0, "".join(f"wrote {folder / name}\n" for name in names))
    images = [read(folder / name) for name in names]
    assert all(image.shape == (6, 16, 20) for image in images)
    assert all(image.is_calibrated for image in images)
    assert images[2].array().mean() > images[1].array().mean()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("embryo-series", {"raw": "TZYX", "truth": "TZYX", "truth_with_background": "TZYX"}),
        ("moving-cells", {"raw": "TZYX", "truth": "TZYX"}),
    ],
)
def test_samples_in_time(run, tmp_path, kind, names):
    assert run("sample", kind, tmp_path, "--seed", 1, "--size", "4,8,8")[0] == 0
    images = {name: read(tmp_path / f"{name}.tif") for name in names}
    assert sorted(tmp_path.iterdir()) == sorted(tmp_path / f"{name}.tif" for name in names)
    assert {name: image.axes for name, image in images.items()} == names
    assert images["raw"].shape[1:] == (4, 8, 8)


def test_recordings_of_motion_have_motion_and_optics(run, tmp_path, monkeypatch):
    raw = Image(np.ones((3, 4, 5), np.float32), "TYX")
    optics = optics_from_dict({"kind": "rolling-shutter", "row_time": 0.1, "psf": "psf.tif"})
    made = MotionSample(raw, raw, raw, optics, raw.take("T", 0))
    monkeypatch.setattr("napari_cellinr.simulate.recordings.moving", lambda kind, seed: made)
    assert run("sample", "motion-ball", tmp_path)[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "raw.tif", "truth.tif", "motion.tif", "psf.tif", "optics.json"
    }  # fmt: skip
    assert read_optics(str(tmp_path / "optics.json")).psf == str(tmp_path / "psf.tif")
    assert run("sample", "motion-ball", tmp_path)[0] == 2
    status, _, error = run("sample", "motion-ball", tmp_path, "--size", "4,8,8", "--overwrite")
    assert (status, error.count("\n")) == (2, 1)
    assert "has only one" in error


def test_every_sample_of_the_viewer_can_be_written():
    assert len(SAMPLES) == 8
    for kind in SAMPLES:
        assert make_parser().parse_args(["sample", kind, "f"]).kind == kind


@pytest.mark.parametrize("size", ["6,16", "6,16,x", "0,1,2", "2,16,16"])
def test_sample_of_impossible_size(run, tmp_path, size):
    status, _, error = run("sample", "embryo-nuclei", tmp_path, "--size", size)
    assert status == 2
    assert error.startswith("error: ")


def test_sample_into_a_file(run, raw_file):
    status, _, error = run("sample", "embryo-nuclei", raw_file)
    assert status == 2
    assert "cannot be created" in error


def test_compare(run, tmp_path, sample):
    truth = write(tmp_path / "truth.tif", sample.truth)
    raw = write(tmp_path / "raw.tif", sample.raw)
    status, out, _ = run("compare", raw, truth)
    measures = json.loads(out)
    span = float(np.ptp(sample.truth.array()))
    error = float(np.mean((sample.raw.array() - sample.truth.array()) ** 2))
    assert status == 0
    assert list(measures) == ["psnr", "ssim", "data_range"]
    assert measures["data_range"] == pytest.approx(span)
    assert measures["psnr"] == pytest.approx(10 * np.log10(span**2 / error), abs=1e-3)
    wider = json.loads(run("compare", raw, truth, "--data-range", 10 * span)[1])
    assert wider["psnr"] == pytest.approx(measures["psnr"] + 20, abs=1e-3)
    assert json.loads(run("compare", truth, truth)[1]) == {
        "psnr": None, "ssim": 1.0, "data_range": pytest.approx(span),
    }  # fmt: skip


def test_compare_of_different_sizes(run, tmp_path, raw_file, sample):
    other = write(tmp_path / "other.tif", sample.truth.crop(Z=slice(0, 4)))
    status, _, error = run("compare", raw_file, other)
    assert status == 2
    assert "(8, 16, 20)" in error


def test_help_is_made_from_the_settings(run):
    status, out, _ = run("denoise", "--help-all")
    assert status == 0
    words = " ".join(out.split())
    for name in CellINRConfig.model_fields:
        has_option = not CellINRConfig.is_advanced(name) or name in CellINRConfig.FILES
        option = f"--{name.replace('_', '-')}" if has_option else name
        assert option in words
        text = CellINRConfig.help(name).partition(" Leave empty")[0].rstrip(".")
        assert text[1:] in words
    assert max(map(len, out.splitlines())) <= 80


def test_version_and_commands(run):
    assert run("--version")[1] == f"napari-cellinr {__version__}\n"
    assert run()[0] == 2
    assert "COMMAND" in run()[2]
    assert run("dance")[0] == 2
    for command in ("denoise", "info", "sample", "compare", "demo"):
        assert run(command, "--help")[0] == 0


def test_help_and_info_load_no_torch_and_no_qt(raw_file):
    script = (
        "import sys; from napari_cellinr.cli import main, make_parser\n"
        "make_parser().format_help(); main(['info', sys.argv[1]])\n"
        "heavy = {'torch', 'qtpy', 'napari', 'magicgui', 'skimage'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", script, raw_file], check=True, capture_output=True)


def test_every_option_has_help():
    commands = make_parser()._subparsers._group_actions[0].choices
    for name, parser in commands.items():
        for action in parser._actions:
            assert action.help, f"{name} {action.dest}"


def test_a_macro_is_replayed_on_another_file(run, raw_file, jobs, tmp_path):
    macro = tmp_path / "macro.py"
    macro.write_text("cellinr.denoise('embryo', background='keep', seed=4)\n")
    status, out, _ = run("replay", macro, "--input", raw_file, "--folder", tmp_path / "results")
    assert status == 0
    assert jobs.calls[0][1].background == "keep"
    assert jobs.calls[0][1].seed == 4
    assert "wrote" in out
    assert len(list((tmp_path / "results").iterdir())) == 1
    status, _, error = run("replay", macro)
    assert status == 2
    assert "was not read from a file" in error


def test_a_replay_shows_its_plan_and_keeps_to_it(run, raw_file, jobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outside, macro = tmp_path.parent / "planted.tif", tmp_path / "macro.py"
    macro.write_text(
        f"cellinr.use('a', {str(raw_file)!r})\ncellinr.denoise('a', seed=4)\n"
        f"cellinr.save('a denoised', {str(outside)!r})\n"
    )
    status, out, error = run("replay", macro)
    assert (status, len(jobs.calls)) == (2, 0)
    assert out.splitlines() == [
        f"step 1: cellinr.use('a', {str(raw_file)!r})",
        "step 2: cellinr.denoise('a', seed=4)",
        f"step 3: cellinr.save('a denoised', {str(outside)!r})",
        f"writes {outside}",
    ]
    assert "--allow-outside" in error
    assert run("replay", macro, "--allow-outside", "--plan")[0] == 0
    assert not outside.exists()
    assert run("replay", macro, "--allow-outside")[0] == 0
    assert outside.exists()
    status, out, error = run("replay", macro, "--allow-outside")
    assert (status, "(replaces the existing file)" in out) == (2, True)
    assert "--overwrite" in error
    assert run("replay", macro, "--allow-outside", "--overwrite")[0] == 0
    before = Path(raw_file).read_bytes()
    status, _, error = run(
        "replay", macro, "--folder", tmp_path, "--overwrite", "--input", raw_file
    )
    assert status == 0  # the name of the file, in the chosen folder
    macro.write_text(macro.read_text().replace(str(outside), str(raw_file)))
    status, _, error = run("replay", macro, "--allow-outside", "--overwrite")
    assert (status, "never writes its inputs" in error) == (2, True)
    assert Path(raw_file).read_bytes() == before


def test_no_name_controls_the_terminal(run, tmp_path, monkeypatch, jobs):
    name = "a\x1b]0;title\x07\x1b[2J\x9b31m\u202eb\r\n"
    path = tmp_path / f"{name}.ome.tif"
    data = np.ones((2, 3, 8, 9), np.float32)
    write(path, Image(data, "CZYX", name=name, channels=("g\x1b[31m", "r\nwrote all")))
    macro = tmp_path / f"{name}.py"
    macro.write_text(f"cellinr.denoise('a{chr(0x9B)}', seed=4)\n", encoding="utf-8")
    texts = [
        *run("info", path)[1:],
        *run("info", tmp_path / f"none{name}.tif")[1:],
        *run("replay", macro, "--input", path, "--folder", tmp_path / f"out{name}")[1:],
        *run("batch", macro, path, "--folder", tmp_path / f"batch{name}")[1:],
        *run("denoise", path, tmp_path / "x.tif", "--set", f"{name}=1")[1:],
        *run("dance\x1b[2J")[1:],
        *run("optics", "dance\x1b[2J")[1:],
    ]
    assert not any(set(text) & {*"\x1b\x07\x9b\u202e\r"} for text in texts)
    assert "wrote all" not in [line.strip() for text in texts for line in text.splitlines()]
    bar = progress.describe(Progress(f"reading {name}", 1, 2))
    assert bar == progress.one_line(bar)


def test_convert_keeps_the_calibration(run, raw_file, tmp_path):
    for name in ("a.ome.tif", "a.nii.gz", "a.zarr", "b.tif"):
        assert run("convert", raw_file, tmp_path / name)[0] == 0
        for key in ("axes", "shape", "scale", "units"):
            assert getattr(read(tmp_path / name), key) == getattr(read(raw_file), key)
    status, out, _ = run("convert", raw_file, tmp_path / "c.tif", "--dtype", "uint8")
    assert status == 0
    assert "wrote" in out
    assert read(tmp_path / "c.tif").dtype == np.uint8


def test_convert_a_folder(run, tmp_path):
    folder = tmp_path / "planes"
    folder.mkdir()
    for number in range(3):
        tifffile.imwrite(folder / f"{number}.tif", np.zeros((4, 5), np.uint8))
    status, _, error = run("convert", folder, tmp_path / "a.tif")
    assert (status, error.count("\n")) == (2, 1)
    assert "--stack T" in error
    assert run("convert", folder, tmp_path / "a.tif", "--stack", "Z")[0] == 0
    assert read(tmp_path / "a.tif").axes == "ZYX"
    assert json.loads(run("info", folder, "--stack", "T", "--json")[1])["axes"] == "TYX"


def test_info_of_several_images_and_unknown_axes(run, tmp_path):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for name in ("left", "right"):
            metadata = {"axes": "ZYX", "Name": name, "PhysicalSizeX": 0.1}
            file.write(np.zeros((2, 3, 4), np.uint8), photometric="minisblack", metadata=metadata)
    facts = json.loads(run("info", path, "--json")[1])
    assert [one["name"] for one in facts["series"]] == ["a left", "a right"]
    assert facts["memory"] == 24
    assert facts["voxel_size"] == {"Z": None, "Y": None, "X": "0.1 micrometer"}
    assert run("convert", path, tmp_path / "b.tif", "--series", "1")[0] == 0
    status, _, error = run("convert", path, tmp_path / "c.tif", "--series", "2")
    assert status == 2
    assert "has 2 images" in error


@pytest.mark.parametrize(("letter", "data"), [("Q", (3, 8, 9)), ("I", (3, 8, 9)), ("S", (8, 9, 2))])
def test_unknown_axes_survive_and_fits_name_the_option(run, tmp_path, letter, data):
    path = tmp_path / "a.tif"
    options = {"Q": {}, "I": {"metadata": None}, "S": {"extrasamples": ["unassalpha"]}}[letter]
    planar = {"planarconfig": "contig"} if letter == "S" else {}
    values = np.arange(np.prod(data), dtype=np.uint8).reshape(data)
    tifffile.imwrite(path, values, photometric="minisblack", **options, **planar)
    assert letter in json.loads(run("info", path, "--json")[1])["unknown_axes"]
    status, _, error = run("denoise", path, tmp_path / "out.tif")
    assert status == 2
    assert "--axes" in error
    assert error.rstrip("\n").splitlines()[-1].startswith("error:")


def test_info_of_a_colour_picture(run, tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 9, 3), np.uint8), photometric="rgb")
    assert "colour image" in run("info", path)[1]
    status, _, error = run("denoise", path, tmp_path / "out.tif")
    assert status == 2
    assert "--axes YXC" in error


def test_a_batch_tells_which_files_failed(run, raw_file, jobs, tmp_path):
    recipe = tmp_path / "recipe.py"
    recipe.write_text("cellinr.denoise('embryo', background='keep', seed=4)\n")
    out_folder = tmp_path / "results"
    words = ("batch", recipe, raw_file, tmp_path / "none.tif", "--folder", out_folder)
    status, out, error = run(*words)
    assert status == 1
    assert "1 of 2 images is done" in out
    assert "none.tif" in error
    assert (out_folder / "summary.csv").is_file()
    status, out, _ = run(*words)
    assert "skipped" in out
    assert len(jobs.calls) == 1
