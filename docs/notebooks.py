"""Make a notebook from each example: python docs/notebooks.py [FOLDER].

The docstring becomes the first cell, each part that begins with `# %% Title` a cell of its own.
"""

import ast
import json
import sys
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[1] / "examples"


def notebook(source: str) -> dict[str, Any]:
    """Return the content of a notebook (nbformat 4.5) with the code of an example."""
    docstring = ast.get_docstring(ast.parse(source)) or ""
    code = source.partition('"""\n')[2].strip("\n")
    cells = [_cell("markdown", docstring)]
    first, *parts = code.split("# %% ")
    cells.append(_cell("code", first.strip("\n")))
    for part in parts:
        title, _, lines = part.partition("\n")
        cells += [_cell("markdown", f"## {title}"), _cell("code", lines.strip("\n"))]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _cell(kind: str, text: str) -> dict[str, Any]:
    """Return a cell."""
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": text}
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell


def main(folder: Path) -> None:
    """Write all notebooks into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(EXAMPLES.glob("*.py")):
        text = json.dumps(notebook(path.read_text("utf-8")), indent=1, ensure_ascii=False)
        (folder / path.with_suffix(".ipynb").name).write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "notebooks"))
