"""Every mutant of the benchmark can still be made: its text is in the source, once."""

import runpy
from collections import Counter
from pathlib import Path

import pytest

import napari_cellinr

SOURCE = Path(napari_cellinr.__file__).parent
TABLE = Path(__file__).parents[1] / "benchmarks" / "mutants" / "table.py"


@pytest.mark.skipif(not TABLE.is_file(), reason="the benchmarks are not part of this copy")
def test_each_mutant_can_be_made():
    mutants = runpy.run_path(str(TABLE))["MUTANTS"]
    files = {one.file: (SOURCE / one.file).read_text("utf-8") for one in mutants}
    assert [one.old for one in mutants if files[one.file].count(one.old) != 1] == []
    tests = {name for one in mutants for name in one.tests}
    assert [name for name in tests if not (Path(__file__).parents[1] / name).is_file()] == []
    assert max(Counter((one.file, one.old, one.new) for one in mutants).values()) == 1
