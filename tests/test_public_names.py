"""`help()` of every public name: what it takes, what it returns, and an example that runs."""

import doctest
import inspect

import pytest

import napari_cellinr
from napari_cellinr import acquisition
from napari_cellinr.config import optics

NAMES = [name for name in napari_cellinr.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", NAMES)
def test_help_has_an_example_that_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    value = getattr(napari_cellinr, name)
    text = inspect.getdoc(value)
    examples = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    assert examples.examples, "no example"
    failures = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(examples, out=failures.append)
    for table in (acquisition._registered, optics._kinds):  # a kind of an example does not stay
        table.pop("tilted", None)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("name", NAMES)
def test_help_says_what_goes_in(name):
    value = getattr(napari_cellinr, name)
    text = inspect.getdoc(value)
    if inspect.isfunction(value):
        parameters = [p for p in inspect.signature(value).parameters if p != "self"]
        assert "Parameters\n---" in text
        assert all(parameter in text for parameter in parameters)
        assert "Raises\n---" in text or name in {"read_all", "setting"}
