"""The calculator of the site: known answers of its functions, and what its page states."""

import json
import re
from html import unescape
from pathlib import Path

import pytest
from qtpy.QtQml import QJSEngine

pytestmark = pytest.mark.gui

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "benchmarks" / "scale.md").read_text("utf-8")
GIVEN = {
    "amount": 1, "unit": "TB", "bytes": 2, "microseconds": 3.6, "factor": 2, "workers": 10,
    "price": 0.05,
}  # fmt: skip


@pytest.fixture
def call(qapp):
    """Return a function that calls one of the script with a JSON value."""
    engine = QJSEngine()
    loaded = engine.evaluate((DOCS / "site" / "calculator.js").read_text("utf-8"))
    assert not loaded.isError(), loaded.toString()

    def of(function, argument):
        found = engine.evaluate(f"JSON.stringify({function}({json.dumps(argument)}))")
        assert not found.isError(), found.toString()
        return json.loads(found.toString())

    return of


def test_a_terabyte_of_two_bytes_is_half_a_million_million_voxels(call):
    found = call("costOf", GIVEN)
    assert found["voxels"] == 5e11
    assert found["workerHours"] == pytest.approx(1000)
    assert found["hours"] == pytest.approx(100)
    assert found["price"] == pytest.approx(50)
    assert found["terabytes"] == pytest.approx(1e12 * 4 * 4 / 3 / 1e12)


def test_voxels_may_be_given_instead(call):
    found = call("costOf", {**GIVEN, "amount": 500, "unit": "Gvoxel", "bytes": 1})
    assert found == call("costOf", GIVEN)


@pytest.mark.parametrize(
    ("hours", "text"), [(0.5, "30 min"), (53.81, "53.8 h"), (96, "4 days"), (24000, "1 000 days")]
)
def test_durations(call, hours, text):
    assert call("duration", hours) == text


def test_the_sentence(call):
    text = call("sentenceOf", call("costOf", GIVEN))
    assert text == (
        "4.17 days (1 000 hours of a worker, price 50); the result takes up to 5.33 TB."
    )
    assert call("sentenceOf", call("costOf", {**GIVEN, "workers": 0})) == "Enter numbers above 0."
    assert call("sentenceOf", {"hours": None, "voxels": "x"}) == "Enter numbers above 0."


def test_the_page_has_the_fields_that_the_script_reads():
    script = (DOCS / "site" / "calculator.js").read_text("utf-8")
    names = set(re.findall(r'(?:number|field)\("(\w+)"\)', script))
    assert names == {"amount", "bytes", "microseconds", "method", "price", "unit", "workers"}
    assert all(f'name="{name}"' in PAGE for name in names)
    assert 'id="cost-of-a-recording"' in PAGE
    assert "site/calculator.js" in (DOCS.parent / "mkdocs.yml").read_text("utf-8")


def test_form_and_table_state_the_same_costs():
    costs = json.loads(unescape(re.search('data-costs="(.*?)"', PAGE)[1]))
    rows = dict(re.findall(r"^\| (\w+) \| ([\d.]+) µs \|", PAGE, re.MULTILINE))
    assert costs.keys() == rows.keys()
    for name, one in costs.items():
        assert float(rows[name]) == pytest.approx(one["microseconds"], abs=0.06)
        assert one["factor"] == (2 if name == "superresolve" else 1)
