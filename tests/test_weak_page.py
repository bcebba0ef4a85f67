"""The page about where denoising is weak has the figures of the pages that it cites."""

import ast
import re
from pathlib import Path

import pytest

import napari_cellinr

DOCUMENTS = Path(__file__).parents[1] / "docs"
PAGE = DOCUMENTS / "explanation" / "weak.md"
TEXT = PAGE.read_text("utf-8")
SOURCE = Path(napari_cellinr.__file__).parent
SMALL = 80  # percent of the voxels inside 90 % intervals, below which a case is on the page
FIVE = 5

NUMBER = re.compile(r"(?<![\w.])[+−-]?\d+(?:\.\d+)?(?![\w]|\.\d)")
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")


def numbers(text):
    """Return the numbers of a text, with a sign only where it is a minus."""
    return {found.lstrip("+").replace("-", "−") for found in NUMBER.findall(text)}


def sections():
    """Return the text of each section, by its heading."""
    parts = re.split(r"^## (.+)$", TEXT, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text, columns):
    """Return the rows of the first table of a text that has such columns, without its head."""
    table = text.split(columns)[1].split("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def phantoms():
    """Return what the benchmark of phantoms says of each case, by the names of its columns."""
    page = (DOCUMENTS / "benchmarks" / "phantoms.md").read_text("utf-8")
    head = next(line for line in page.splitlines() if line.startswith("| case |"))
    names = head.strip("| ").split(" | ")
    found = (dict(zip(names, row, strict=True)) for row in rows(page, head[-20:]))
    return {row["case"]: row for row in found}


@pytest.mark.parametrize("heading", sections())
def test_each_figure_is_on_a_page_that_its_section_cites(heading):
    text = sections()[heading]
    cited = {PAGE.parent / target for target in LINK.findall(text)}
    there = set().union(*(numbers(page.read_text("utf-8")) for page in cited))
    figures = numbers(LINK.sub("]", text))
    assert figures or heading == "Series"
    assert not figures - there


def test_the_cases_with_least_signal_are_on_the_page():
    kept = {case: row["kept: ours, Gaussian, BM"].split() for case, row in phantoms().items()}
    least = sorted(kept, key=lambda case: float(kept[case][0]))[:FIVE]
    found = rows(sections()["Hardly any light"], "| case | CellINR | best Gaussian |")
    assert found == [[case, *kept[case]] for case in least]


def test_the_cases_with_the_smallest_lead_are_on_the_page():
    cases = phantoms()
    least = sorted(cases, key=lambda case: float(cases[case]["lead"]))[:FIVE]
    found = rows(sections()["Little lead over simpler methods"], "| case | lead, dB |")
    assert found == [[case, cases[case]["lead"], cases[case]["adds"]] for case in least]


def test_the_cases_with_too_small_standard_errors_are_on_the_page():
    inside = {case: row["inside 90 %"].split() for case, row in phantoms().items()}
    small = [case for case, thirds in inside.items() if min(map(int, thirds)) < SMALL]
    found = rows(sections()["Standard errors that are too small"], "| case | dark third |")
    assert found == [[case, *inside[case]] for case in small]


def test_of_how_many_cases_it_is_said():
    assert TEXT.count(f"of the {len(phantoms())} cases") == 2
    assert phantoms()["membranes scmos"]["warned"] == ""
    assert phantoms()["neurons stripes"]["adds"] == "+0.01"
    assert phantoms()["neurons stripes"]["lead"] == "+5.66"


def test_the_warnings_that_it_quotes_are_in_the_code():
    said = "".join(
        node.value
        for path in [*SOURCE.glob("methods/cellinr/**/*.py"), SOURCE / "config" / "base.py",
                     SOURCE / "fitting" / "report.py"]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )  # fmt: skip
    said = said.replace("The  of the camera", "The rows of the camera")
    quoted = re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", TEXT)
    assert len(quoted) >= 4
    for words in quoted:
        if words != "Denoise":
            assert words in said, words
