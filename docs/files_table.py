"""Write the list of files in ARCHITECTURE.md again, from the first lines of their docstrings.

Titles of folders that are there stay as they are.
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


NAMES = ("Adam", "Fourier", "Gaussian", "Leica", "Nikon", "Wiener", "Zarr", "Zeiss", "Qt")
"""First words that keep their capital."""


def lower(text: str) -> str:
    """Return a sentence as it stands after a colon; acronyms and names keep capitals."""
    first = re.split(r"\W", text)[0]
    is_word = first[1:].islower() or first == "A"
    return text[:1].lower() + text[1:] if is_word and first not in NAMES else text


def place(folder: Path) -> tuple[int, Path]:
    """Return where a folder comes in the list: by layer, then by name."""
    parts = folder.relative_to(PACKAGE).parts
    return ORDER.index(parts[0] if parts else ""), folder


titles: dict[Path, str] = {}
for heading, title in re.findall(r"^### `([\w/]+)/`\n\n(.*)", PAGE.read_text("utf-8"), re.M):
    titles[PACKAGE if heading == PACKAGE.name else PACKAGE / heading] = title

lines = []
folders = {path.parent for path in PACKAGE.rglob("*.py")}
for folder in sorted(folders, key=place):
    name = PACKAGE.name if folder == PACKAGE else folder.relative_to(PACKAGE).as_posix()
    title = titles.get(folder) or summary(folder / "__init__.py").partition(":")[0] + "."
    lines += [f"### `{name}/`", "", title, ""]
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            lines.append(f"- `{path.name}`: {lower(summary(path))}")
    lines.append("")
head = PAGE.read_text("utf-8").partition("<!-- files -->")[0]
PAGE.write_text(f"{head}<!-- files -->\n\n" + "\n".join(lines) + "\n<!-- /files -->\n", "utf-8")
