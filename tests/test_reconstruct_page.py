"""The guide to reconstruction quotes warnings that are said, and numbers that were measured."""

import ast
import re
from pathlib import Path

import pytest

import napari_cellinr

SOURCE = Path(napari_cellinr.__file__).parent
DOCUMENTS = Path(__file__).parents[1] / "docs"
GUIDE = (DOCUMENTS / "guide" / "reconstruct.md").read_text("utf-8")
BENCHMARK = (DOCUMENTS / "benchmarks" / "nstm.md").read_text("utf-8")
FOLDERS = ("methods/nstm", "classic/frames", "acquisition")
FILLED = "\0"  # what a message is filled with, such as a number
LITERAL = 0.5  # part of a quotation that has to be in the text itself


def texts(path):
    """Return the texts of a file that are no docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inner = {id(part) for node in joined for part in node.values}
    inner |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else FILLED for p in node.values)
            yield "".join(map(str, parts))
        elif isinstance(getattr(node, "value", None), str) and id(node) not in inner:
            yield node.value


def is_said(quoted, text):
    """Return whether words are a part of a text whose filled parts may be anything.

    The largest number of letters that are in the text itself is kept for each place in it.
    """
    at = dict.fromkeys(range(len(text)), 0)
    for letter in quoted:
        following = {}
        for start, found in at.items():
            place = start
            while place < len(text) and text[place] == FILLED:
                following[place] = max(following.get(place, 0), found)
                place += 1
            if place < len(text) and text[place] == letter:
                following[place + 1] = max(following.get(place + 1, 0), found + 1)
        at = following
    return max(at.values(), default=0) >= LITERAL * len(quoted)


def quotations():
    """Return the parts of all warnings in the table of the guide, without what is left out."""
    table = GUIDE.split("| warning |")[1].split("\n\n")[0]
    first = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    quoted = [each for cell in first for each in re.findall(r"\*([^*]+)\*", cell)]
    parts = [part.strip() for each in quoted for part in each.split("…")]
    return [part.replace(" %", "%") for part in parts if part]


@pytest.fixture(scope="module")
def said():
    files = [path for folder in FOLDERS for path in sorted((SOURCE / folder).rglob("*.py"))]
    return [text.replace(" %", "%") for path in files for text in texts(path)]


def test_each_warning_that_the_guide_quotes_is_in_the_code(said):
    quoted = quotations()
    assert len(quoted) > 15
    for words in quoted:
        parts = words.split(", ") if words.startswith("saturated") else [words]
        for part in parts:
            assert any(is_said(part, text) for text in said), part


def test_words_that_nobody_says_are_found_out(said):
    for words in ("The motion is not certain", "In 12% of the image, most of it around y 34"):
        assert not any(is_said(words, text) for text in said)


def crossing():
    """Return the number of wrong tracks, of all tracks and of recordings that were warned of."""
    part = BENCHMARK.split("## Objects that cross")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in part.splitlines() if re.match(r"\| \d", line)]
    tracks = [tuple(map(int, re.findall(r"\d+", row[1]))) for row in rows]
    warned = [row[6] for row in rows]
    return *map(sum, zip(*tracks, strict=True)), warned


def test_the_followed_tracks_are_those_of_the_benchmark():
    wrong, count, warned = crossing()
    assert f"of {count} crossing blobs in ten recordings, {count - wrong} were followed" in GUIDE
    words = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    assert f"{words[warned.count('yes')].capitalize()} of the ten recordings were warned" in GUIDE
    page = (DOCUMENTS / "decisions" / "motion-layers.md").read_text("utf-8")
    assert f"{wrong} of {count} tracks are off by more than 2 pixels" in page
    assert f"{wrong} of {count} tracks are off by more than 2 pixels" in BENCHMARK


def test_how_often_the_motion_error_is_not_reached_is_that_of_the_benchmark():
    part = BENCHMARK.split("| motion error, px |")[1].split("\n\n")[0]
    rows = [line.split(" | ") for line in part.splitlines()[2:]]
    below = [int(row[4].rstrip("%")) for row in rows]
    limits = [float(re.findall(r"[\d.]+", row[0])[-1]) for row in rows[:-1]]
    small, large = below[: limits.index(1) + 1], below[limits.index(1) + 1 :]
    text = " ".join(GUIDE.split())
    assert f"{min(small)} to {max(small)} % are nearer than it up to an error of one pixel" in text
    assert f"and {min(large)} to {max(large)} % above" in text
