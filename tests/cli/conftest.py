import pytest

from napari_cellinr import Image, write
from napari_cellinr.cli import main
from napari_cellinr.simulate.embryo import embryo


@pytest.fixture(scope="session")
def sample():
    return embryo("membranes", (8, 16, 20), seed=1)


@pytest.fixture
def raw_file(tmp_path, sample):
    return str(write(tmp_path / "raw.tif", sample.raw))


@pytest.fixture
def plain_file(tmp_path, sample):
    """A file that knows its axes but no voxel size."""
    return str(write(tmp_path / "plain.tif", Image(sample.raw.array())))


@pytest.fixture
def jobs(put_job):
    """Replace the real job by a quick one, and return what it was called with."""
    from fake import FakeJobs

    jobs = FakeJobs()
    put_job("denoise", jobs)
    return jobs


@pytest.fixture
def run(capsys):
    """Return a function that runs a command line: exit status, standard output, error."""

    def run(*words, main=main):
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
