"""The pages of docs/benchmarks have the text of the templates that the benchmarks fill."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
PAGES = ROOT / "docs" / "benchmarks"
TEMPLATES = [path for path in sorted(FOLDER.rglob("*.md")) if (PAGES / path.name).exists()]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_page_differs_from_its_template_in_filled_parts_only(template):
    parts = re.split(r"\{\w+\}", template.read_text("utf-8").rstrip())
    page = (PAGES / template.name).read_text("utf-8")
    place = 0
    for part in parts:
        text = part.strip()
        assert text in page[place:], text
        place = page.index(text, place) + len(text)
    assert page.startswith(parts[0])


def test_empty_parts_leave_no_blank_lines(tmp_path, monkeypatch):
    if not FOLDER.is_dir():
        pytest.skip("the benchmarks are not part of this copy")
    monkeypatch.syspath_prepend(FOLDER)
    from common import page

    monkeypatch.setattr(page, "PAGES", tmp_path / "pages")
    template = tmp_path / "one.md"
    template.write_text("# One\n\n{first}\n\n{none}\n\nEnd of {first}.\n\n{none}\n")
    table = page.table(["a", "b"], [["1", page.number(float("nan"))]])
    page.write_page(template, first=table, none="")
    assert table == "| a | b |\n| --- | --- |\n| 1 | – |"
    written = (tmp_path / "pages" / "one.md").read_text("utf-8")
    assert written == f"# One\n\n{table}\n\nEnd of {table}.\n"
