"""Write the list of files in ARCHITECTURE.md again, from the first lines of their docstrings.

Descriptions that are there stay as they are, also those of files that were moved: a new file takes
that of the only one of its name that is gone, if it is the only new one of that name.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "napari_cellinr"
PAGE = ROOT / "ARCHITECTURE.md"
ORDER = (
    "", "image", "config", "io", "motion", "fields", "optics", "classic", "acquisition", "simulate",
    "fitting", "methods", "runs", "macro", "cli", "ui",
)  # fmt: skip


def summary(path: Path) -> str:
    """Return the first line of a module's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return text.partition("\n")[0].rstrip(".")


def lower(text: str) -> str:
    """Return a sentence as it stands after a colon; acronyms and names of ours keep capitals."""
    first = text.partition(" ")[0]
    return text[:1].lower() + text[1:] if first[1:].islower() or first == "A" else text


def place(folder: Path) -> tuple[int, Path]:
    """Return where a folder comes in the list: by layer, then by name."""
    parts = folder.relative_to(PACKAGE).parts
    return ORDER.index(parts[0] if parts else ""), folder


known_of: dict[Path, str] = {}
current = PACKAGE
titles: dict[Path, str] = {}
for heading, title, file, text in re.findall(
    r"^### `([\w/]+)/`\n\n(.*)|^- `(\w+\.py)`: (.*)$", PAGE.read_text("utf-8"), re.M
):
    if heading:
        current = PACKAGE if heading == PACKAGE.name else PACKAGE / heading
        titles[current] = title
    else:
        known_of[current / file] = text
gone = [path for path in known_of if not path.exists()]
new = [path for path in PACKAGE.rglob("*.py") if path not in known_of]
names = [[path.name for path in paths] for paths in (gone, new)]
moved = {
    path.name: known_of[path]
    for path in gone
    if all(of_paths.count(path.name) == 1 for of_paths in names)
}

lines = []
folders = {path.parent for path in PACKAGE.rglob("*.py")}
for folder in sorted(folders, key=place):
    name = PACKAGE.name if folder == PACKAGE else folder.relative_to(PACKAGE).as_posix()
    title = titles.get(folder) or summary(folder / "__init__.py").partition(":")[0] + "."
    lines += [f"### `{name}/`", "", title, ""]
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            text = known_of.get(path) or moved.get(path.name) or lower(summary(path))
            lines.append(f"- `{path.name}`: {text}")
    lines.append("")
head = PAGE.read_text("utf-8").partition("<!-- files -->")[0]
PAGE.write_text(f"{head}<!-- files -->\n\n" + "\n".join(lines) + "\n<!-- /files -->\n", "utf-8")
