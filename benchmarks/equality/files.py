"""Runs of macros, batches, file formats and the functions at the top of the package."""

from __future__ import annotations

import ast
import json
import shlex
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from inputs import moving, write_ome, write_tiff  # isort: skip

if TYPE_CHECKING:
    from command import Folder

__all__ = ["RUNS"]


def _step(action: str, *layers: str, results: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Return a step of a recipe, of which the first layer came from the file of its name."""
    sources = [{"layer": layer, "path": f"{layer}.tif"} for layer in layers]
    for source in sources:
        if source["layer"] not in {"cells", "movie"}:
            source["path"] = ""
    return {"action": action, "sources": sources, "results": list(results), **more}


CALIBRATE = _step("calibrate", "cells", arguments={"Y": 0.1, "X": 0.1})
DENOISE = _step(
    "denoise",
    "cells",
    arguments={"background": "keep", "preset": "preview"},
    results=("cells denoised", "cells background", "cells signal"),
    roles=["result", "background", "signal"],
    seed=3,
    versions={"torch": "2.9", "napari-cellinr": "0.1.0"},
)
FAILED = _step("denoise", "cells", arguments={"steps": 0}, status="failed", note="no step", seed=0)
WARM = _step(
    "denoise",
    "cells",
    "cells denoised",
    arguments={"preset": "preview"},
    results=("cells denoised [2]",),
    seed=1,
    beginning="warm_start",
)
RENDER = _step(
    "render", "cells denoised", arguments={"scale": {"Y": 2.0}}, results=("cells denoised [1]",)
)
COMPARE = _step(
    "compare",
    "cells denoised",
    results=("cells denoised difference", "cells denoised conventional"),
)
AGAINST = _step("compare", "cells denoised", "cells", results=("against",))
RECONSTRUCT = _step(
    "reconstruct",
    "movie",
    arguments={"preset": "preview", "steps": 20, "optics": {"kind": "line-scan", "row_time": 0.01}},
    results=("movie reconstructed", "movie speed"),
    roles=["result", "speed"],
    seed=0,
)
SHOW = _step(
    "show_motion",
    "movie reconstructed",
    arguments={"every": 6, "shortest": 0},
    results=("movie reconstructed motion",),
)
SUPERRESOLVE = _step(
    "superresolve",
    "movie",
    arguments={"preset": "preview", "scale": {"T": 2.0}},
    results=("movie super-resolved",),
    seed=2,
)


def _save(layer: str, path: str) -> dict[str, Any]:
    return _step("save", layer, arguments={"path": path})


STEPS = [
    CALIBRATE,
    DENOISE,
    FAILED,
    _save("cells denoised", "clean.tif"),
    _save("cells background", "background.tif"),
    _save("cells denoised", "cells.cellinr"),
    RENDER,
    _save("cells denoised [1]", "rendered.tif"),
    COMPARE,
    AGAINST,
    WARM,
    _save("cells denoised [2]", "again.ome.tif"),
    RECONSTRUCT,
    _save("movie reconstructed", "scene.tif"),
    _save("movie speed", "speed.tif"),
    SHOW,
    _save("movie reconstructed motion", "motion.csv"),
    SUPERRESOLVE,
    _save("movie super-resolved", "finer.tif"),
]


def _write_recipe(folder: Folder, steps: list[dict[str, Any]], name: str = "recipe.json") -> None:
    recipe = {"format": "napari-cellinr recipe", "version": 1, "steps": steps}
    (folder / name).write_text(json.dumps(recipe, indent=1), "utf-8")


def _write_inputs(folder: Folder) -> None:
    write_tiff(folder / "cells.tif", moving(1, (28, 30), 31)[0], "YX")
    write_tiff(folder / "movie.tif", moving(4, (18, 20), 32), "TYX", finterval=0.5)


def replay(folder: Folder) -> None:
    """A recipe done again."""
    _write_inputs(folder)
    _write_recipe(folder, STEPS)
    (folder / "out").mkdir()
    folder.cli("replay", "recipe.json", "--output", "out")


def renderings(folder: Folder) -> None:
    """The three renderings of a recipe: their calls, and what they do."""
    from napari_cellinr.macro import load_macro, script  # no name at the top of the package

    _write_inputs(folder)
    _write_recipe(folder, STEPS)
    macro = load_macro(folder / "recipe.json")
    console, headless, shell = (script(macro, one) for one in ("console", "headless", "cli"))
    folder.output["console"] = json.dumps(_python_calls(console))
    folder.output["headless"] = json.dumps(_python_calls(headless))
    lines = [shlex.split(line, comments=True) for line in shell.splitlines()]
    folder.output["shell"] = json.dumps([words for words in lines if words])
    for words in lines:
        if words:
            folder.cli(*words[1:])
    for name in ("headless", "console"):
        (folder / name).mkdir()
    for name in ("cells.tif", "movie.tif"):
        shutil.copy(folder / name, folder / "headless" / name)
    folder.python(f"import os; os.chdir('headless')\n{headless}")
    (folder / "console.py").write_text(console, "utf-8")
    folder.cli("replay", "console.py", "--output", "console")


def _python_calls(text: str) -> list[str]:
    """Return the statements of a script without comments and imports."""
    nodes = ast.parse(text).body
    return [ast.unparse(one) for one in nodes if not isinstance(one, ast.Import | ast.ImportFrom)]


def batch(folder: Folder) -> None:
    """A recipe with every file of a folder, with every time point, and passed over."""
    for number in range(3):
        write_tiff(folder / f"{number}.tif", moving(1, (20, 22), 33 + number)[0], "YX")
    (folder / "broken.tif").write_text("no image", "utf-8")
    write_tiff(folder / "movie.tif", moving(2, (20, 22), 36), "TYX", finterval=0.5)
    _write_recipe(folder, [DENOISE])
    _write_recipe(folder, [DENOISE, _save("cells denoised", "clean.tif")], "saving.json")
    folder.cli("batch", "recipe.json", "0.tif", "1.tif", "--output", "done")
    folder.cli("batch", "recipe.json", "1.tif", "2.tif", "--output", "done", "--workers", 2)
    words = ["movie.tif", "--output", "times", "--every-time"]
    folder.cli("batch", "saving.json", *words)
    folder.cli("batch", "saving.json", "broken.tif", "0.tif", "--output", "broken", status=1)
    marks = sorted(path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*.json"))
    folder.output["marks"] = json.dumps(marks)
    (folder / "broken.tif").unlink()


def formats(folder: Folder) -> None:
    """Each format written and read, from a file with every axis, and a folder of pictures."""
    data = np.stack([moving(2, (3, 12, 14), seed) for seed in (37, 38)], axis=2)
    names = {"Channel": {"Name": ["membranes", "nuclei"]}}
    times = {"TimeIncrement": 3.0, "TimeIncrementUnit": "s"}
    steps = {"PhysicalSizeX": 0.2, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 0.5}
    write_ome(folder / "in.ome.tif", data, "TZCYX", **names, **times, **steps)
    before = "in.ome.tif"
    for name in ("a.tif", "b.ome.tif", "c.zarr", "d.ome.tif"):  # from format to format
        folder.cli("convert", before, name)
        before = name
    folder.cli("info", before, "--json", keep="info")
    one = ["--channel", 1, "--crop", "t=1:2,x=2:12"]
    folder.cli("convert", "in.ome.tif", "e.nii.gz", *one)
    folder.cli("convert", "e.nii.gz", "f.tif", "--dtype", "float32", "--voxel", "z=1")
    folder.cli("convert", "e.nii.gz", "g.nii", "--dtype", "uint8")
    (folder / "pictures").mkdir()
    for number, plane in enumerate(moving(3, (12, 14), 39)):
        write_tiff(folder / f"pictures/t{number}.tif", plane, "YX")
    folder.cli("convert", "pictures", "h.tif", "--stack", "T", "--voxel", "t=2")
    for kind in ("time-lapse", "line-scan", "point-scan", "z-scan", "dpc", "sim2d", "sim3d",
                 "rolling-shutter"):  # fmt: skip
        values = json.loads(folder.cli("optics", kind))
        folder.output[f"optics {kind}"] = json.dumps(
            {name: value for name, value in values.items() if name != "_help"}
        )


_API = """
import numpy as np
from napari_cellinr import (
    CellINRConfig, Image, NSTMConfig, SpatimeConfig, compare, continue_fit, denoise, load_fit,
    read, read_all, reconstruct, render, save_fit, superresolve, warm_start, write, write_motion,
)
cells, movie = read("cells.tif"), read_all("movie.tif")[0]
fit = denoise(cells, "preview", seed=4, steps=10, background="keep")
write("denoised.tif", fit.image("result"))
write("background.tif", fit.image("background"))
save_fit("denoised.cellinr", fit)
write("rendered.tif", render(load_fit("denoised.cellinr"), scale={"Y": 2}, crop={"X": (2, 20)})[0])
write("continued.tif", continue_fit(fit, cells, 5).images[0])
write("warm.tif", warm_start(fit, cells, preset="preview", steps=5).images[0])
for number, image in enumerate(compare(fit, source=cells)):
    write(f"compared{number}.tif", image)
scene = reconstruct(movie, {"kind": "line-scan", "row_time": 0.01}, preset="preview", steps=15)
write("speed.tif", scene.image("speed"))
write_motion("arrows.csv", scene, every=6, shortest=0)
finer = superresolve(movie, "preview", lazily=True, scale={"t": 2})
write("finer.ome.zarr", finer.image("result"))
array = denoise(np.asarray(cells.array()), "preview", steps=3).images[0]
write("array.tif", array)
configs = CellINRConfig(), SpatimeConfig(), NSTMConfig()
"""


def functions(folder: Folder) -> None:
    """The functions at the top of the package, and the default settings."""
    _write_inputs(folder)
    folder.python(_API)
    from napari_cellinr import CellINRConfig, NSTMConfig, SpatimeConfig

    for config in (CellINRConfig, SpatimeConfig, NSTMConfig):
        for preset in ("fast", "preview", *(() if config is NSTMConfig else ("paper",))):
            values = config(preset=preset).as_dict()
            folder.output[f"{config.__name__} {preset}"] = json.dumps(values)


RUNS = {
    "macro-replay": replay,
    "macro-renderings": renderings,
    "batch": batch,
    "formats": formats,
    "functions": functions,
}
