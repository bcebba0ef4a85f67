"""The command that prints templates, and the reader of what comes of them."""

import json

import pytest

from napari_cellinr.cli import main
from napari_cellinr.cli.optics import read_optics
from napari_cellinr.config.optics import KINDS, optics_from_dict
from napari_cellinr.errors import CellINRError


@pytest.mark.parametrize("kind", list(KINDS))
def test_printed_template_is_what_reconstruct_reads(kind, capsys, tmp_path):
    assert main(["optics", kind]) == 0
    text = capsys.readouterr().out
    values = json.loads(text)
    assert set(values["_help"]) == set(values) - {"_help"}
    path = tmp_path / "microscope.json"
    path.write_text(text, encoding="utf-8")
    optics = read_optics(str(path))
    assert optics.kind == kind
    assert read_optics(kind) == optics_from_dict({"kind": kind})
    if not KINDS[kind].FILES:
        assert optics == KINDS[kind].example()


def test_files_lie_beside_the_json(tmp_path):
    path = tmp_path / "microscope.json"
    path.write_text(json.dumps({"kind": "time-lapse", "psf": "psf.tif"}))
    assert read_optics(str(path)).psf == str(tmp_path / "psf.tif")
    path.write_text(json.dumps({"kind": "time-lapse", "psf": "/elsewhere/psf.tif"}))
    assert read_optics(str(path)).psf == "/elsewhere/psf.tif"


def test_unknown_kind_ends_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["optics", "confocal"])
    assert caught.value.code == 2
    assert "time-lapse" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["confocal", "nothing.json"])
def test_refusals(text):
    with pytest.raises(CellINRError):
        read_optics(text)


def test_no_text(tmp_path):
    path = tmp_path / "bad.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CellINRError, match="JSON"):
        read_optics(str(path))
