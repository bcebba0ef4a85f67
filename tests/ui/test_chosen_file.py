"""The name that a dialog returns gets its suffix, and never another file's name."""

import pytest

from napari_cellinr.errors import FileError
from napari_cellinr.ui.widgets.chosen_file import chosen_file


def test_a_suffix_is_added_and_a_point_in_a_name_stays(tmp_path):
    assert chosen_file(str(tmp_path / "a.csv"), (".csv",)) == tmp_path / "a.csv"
    assert chosen_file(str(tmp_path / "a.SVG"), (".png", ".svg")) == tmp_path / "a.SVG"
    assert chosen_file(str(tmp_path / "worm 0.5um"), (".csv",)) == tmp_path / "worm 0.5um.csv"


def test_a_file_that_the_dialog_has_not_asked_about_is_not_replaced(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(FileError, match=r"a\.png exists"):
        chosen_file(str(tmp_path / "a"), (".png",))
