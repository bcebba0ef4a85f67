"""Fixtures for every test."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder():
    """Return the folder with real microscopy data beside the repository, or skip the test."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data are not beside the repository (../shared/data)")
    return folder
