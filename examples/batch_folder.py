"""The same steps for all images of a folder: python batch_folder.py [FOLDER].

Without a folder, one with two simulated images is made. The table `results/summary.csv` says what
was done. On the command line: napari-cellinr batch recipe.py FOLDER --folder results
"""

import sys
from pathlib import Path

from napari_cellinr import write
from napari_cellinr.cli import main
from napari_cellinr.simulate.embryo import embryo

# %% The images
folder = Path(sys.argv[1] if len(sys.argv) > 1 else "images")
if not folder.exists():
    folder.mkdir()
    for seed in (1, 2):
        write(folder / f"embryo{seed}.tif", embryo(size=(6, 24, 24), seed=seed).raw)

# %% The recipe: what is done with each image, here written by hand
macro = 'cellinr.open("embryo.tif")\ncellinr.denoise("embryo", "preview", background="keep")\n'
Path("recipe.py").write_text(macro, encoding="utf-8")

# %% The batch; images whose results are there already are skipped
status = main(["batch", "recipe.py", str(folder), "--folder", "results"])
print(Path("results/summary.csv").read_text("utf-8"))
print("all done" if status == 0 else "see the errors above")
