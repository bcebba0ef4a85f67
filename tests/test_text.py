"""Text for messages."""

import pytest

from napari_cellinr.text import n_of, number_list


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([3], "3"),
        ([3, 4], "3, 4"),
        ([3, 4, 5], "3 to 5"),
        ([1, 4, 6, 7, 8, 9, 12], "1, 4, 6 to 9, 12"),
        (range(1, 500), "1 to 499"),
        ([1, 3, 5], "1, 3, 5"),
    ],
)
def test_numbers_are_listed(numbers, text):
    assert number_list(numbers) == text


def test_a_long_list_ends_with_an_ellipsis():
    assert number_list([1, 3, 5, 7], most=3) == "1, 3, 5 …"


def test_one_thing_is_not_several():
    assert [n_of(n, "plane") for n in (0, 1, 2)] == ["0 planes", "1 plane", "2 planes"]
    assert [n_of(n, "axis is", "axes are") for n in (1, 2)] == ["1 axis is", "2 axes are"]
