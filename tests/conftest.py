"""Fixtures for every test."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    """Keep each file, and all viewers, in one of the processes that run tests.

    Fixtures of a file are made once then; of two windows, one only has the keyboard.
    """
    for item in items:
        file = item.nodeid.partition("::")[0]
        group = "ui" if file.startswith("tests/ui/") else file
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def data_folder():
    """Return the folder with real microscopy data beside the repository, or skip the test."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data are not beside the repository (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def rendered_as_told():
    """Return a function that renders, and checks that its geometry was told before."""
    from dataclasses import replace

    from napari_cellinr.api import render
    from napari_cellinr.fitting.stored import geometry
    from napari_cellinr.methods import lattice

    def check(fit, query):
        images = render(fit, query)
        assert geometry(images[0]) == geometry(lattice(replace(fit, tensors={}), query))
        return images

    return check
