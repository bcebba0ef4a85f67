"""Write docs/about/licences.md: the licences of what the package needs, as installed here.

python docs/site/licences.py
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "about" / "licences.md"
HEAD = """# Licences

napari-cellinr is under the [BSD-3-Clause licence](../../LICENSE). It contains no code of others.
What it needs is installed beside it, under these licences. Written by `python
docs/site/licences.py` from the metadata of the packages.

| package | needed by | licence |
|---|---|---|
"""
TAIL = """
LGPL (PySide6) allows use by programs of any licence, as long as the library can be exchanged,
which is so in Python. PyQt6, which some installations of napari use instead, is under the GPL.
"""


def licence_of(name: str) -> str:
    """Return the licence of an installed package, in the words of its metadata."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return ""
    stated = found.get("License-Expression") or ""
    classes = found.get_all("Classifier") or []
    names = [line.rpartition(":: ")[2] for line in classes if line.startswith("License ::")]
    short = (found.get("License") or "").partition("\n")[0]
    return stated or ", ".join(names) or short


def main() -> None:
    """Write the page; lines of packages that are not installed stay as they are."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"base": project["dependencies"], **project["optional-dependencies"]}
    known = {}
    if PAGE.exists():
        known = dict(re.findall(r"^\| ([\w.-]+) \| .*? \| (.*) \|$", PAGE.read_text("utf-8"), re.M))
    rows = {}
    for group, lines in groups.items():
        for line in lines:
            name = re.match(r"[\w.-]+", line)[0]
            if name != project["name"]:
                licence = licence_of(name) or known.get(name, "")
                rows.setdefault(name, f"| {name} | {group} | {licence} |")
    PAGE.write_text(HEAD + "\n".join(rows.values()) + "\n" + TAIL, "utf-8")


if __name__ == "__main__":
    main()
