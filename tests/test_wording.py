"""Counts in words and columns of text."""

import pytest

from mask_detector.wording import counted, table_lines


@pytest.mark.parametrize(
    "count, words", [(0, "0 photos"), (1, "1 photo"), (2, "2 photos"), (1000, "1000 photos")]
)
def test_one_is_one_and_all_other_counts_are_several(count, words):
    assert counted(count, "photo") == words


def test_a_noun_may_have_a_plural_of_its_own():
    assert [counted(n, "person", "people") for n in (0, 1, 2)] == [
        "0 people",
        "1 person",
        "2 people",
    ]


def test_columns_are_as_wide_as_their_widest_cell():
    rows = [["name", "n", "%"], ["a long one", "7", "12.5"], ["b", "1234", ""]]
    assert table_lines(rows) == [
        "name           n     %",
        "a long one     7  12.5",
        "b           1234",
    ]
    assert table_lines([["a", "bb", "1"], ["aaa", "b", "22"]], labels=2) == [
        "a    bb   1",
        "aaa  b   22",
    ]
