"""Failures of a fit are errors that say what to do, also those of libraries that do not load."""

import pytest

from napari_cellinr.errors import FitError
from napari_cellinr.fitting.resources.guard import explained_failures


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImportError("libgfortran.so.5: failed to map segment from shared object"), "library"),
        (ImportError("_fitpack.so: Cannot allocate memory"), "library"),
        (RuntimeError("can't start new thread"), "not enough memory"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("CUDA error: unspecified launch failure"), "Try a crop"),
    ],
)
def test_a_failure_says_what_to_do(error, words):
    with pytest.raises(FitError, match=words), explained_failures():
        raise error


def test_a_library_that_is_missing_is_not_a_want_of_memory():
    with pytest.raises(ModuleNotFoundError), explained_failures():
        raise ModuleNotFoundError("No module named 'scipy'")
