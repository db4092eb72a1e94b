"""Photos that several sources hold: each counts once, on the side that is judged."""

import shutil

import pytest
from conftest import textured_photo, write_dataset
from data_sets import copy, gathered, given_splits, inside, portraits, reencode, write


def place_of(root, data):
    return {
        name: split
        for split, samples in data.splits.items()
        for name in inside(root, (s.path for s in samples if root in s.path.parents))
    }


@pytest.fixture
def sharing(tmp_path):
    """Two sources; each side of one shows a photo of each side of the other again.

    Returns:
        Both folders, and `{(side of one, side of two): (file of one, file of two)}`.
    """
    one = given_splits(tmp_path / "one", train=8, val=4, test=4)
    two = write_dataset(tmp_path / "two", {"on": 24, "off": 24}, start=5000)
    shown_again = {}
    for split in ("train", "val", "test"):
        there = sorted(n for n, side in place_of(two, gathered(two)).items() if side == split)
        for side, name in zip(("train", "val", "test"), there, strict=False):
            again = f"{side}/{name.split('/')[0]}/again {split}.jpg"
            reencode(two / name, one / again)
            shown_again[side, split] = again, name
    return one, two, shown_again


@pytest.mark.parametrize("order", [1, -1])
def test_a_photo_that_two_sources_show_stays_where_it_is_judged(sharing, order):
    one, two, shown_again = sharing
    data = gathered(*(one, two)[::order])
    left_of_one, left_of_two = place_of(one, data), place_of(two, data)
    expected = {
        ("train", "train"): (True, True), ("train", "val"): (False, True),
        ("train", "test"): (False, True), ("val", "train"): (True, False),
        ("val", "val"): (True, True), ("val", "test"): (False, True),
        ("test", "train"): (True, False), ("test", "val"): (True, False),
        ("test", "test"): (True, True),
    }  # fmt: skip
    assert {
        sides: (name_one in left_of_one, name_two in left_of_two)
        for sides, (name_one, name_two) in shown_again.items()
    } == expected
    assert data.shared_count == 6
    assert len(left_of_one) + len(left_of_two) == 32 + 9 + 48 - 6


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_file_that_two_sources_hold_on_one_side_counts_once(split, tmp_path):
    one, two = (given_splits(tmp_path / name, train=8, val=4, test=4) for name in ("one", "two"))
    for path in list(two.rglob("*.png")):  # others, but for the copies of one folder
        if path.relative_to(two).parts[:2] != (split, "on"):
            shutil.copyfile(next_photo(tmp_path), path)
    data = gathered(one, two)
    count = {"train": 8, "val": 4, "test": 4}[split]
    assert data.shared_count == count
    assert data.sources["one"] == {"train": 16, "val": 8, "test": 8}
    assert data.sources["two"][split] == data.sources["one"][split] - count
    assert not [name for name in place_of(two, data) if name.startswith(f"{split}/on")]


def next_photo(folder):
    """A picture like none before it."""
    number = len(list(folder.glob("other*.png")))
    write(folder / f"other{number}.png", textured_photo(77_000 + number))
    return folder / f"other{number}.png"


def test_exact_copies_between_sources_are_seen_too(tmp_path):
    one, two = portraits(tmp_path / "one"), portraits(tmp_path / "two", start=100)
    tested = next(n for n, split in place_of(two, gathered(two)).items() if split == "test")
    trained = next(n for n, split in place_of(one, gathered(one)).items() if split == "train")
    copy(two / tested, one / trained)
    assert place_of(one, gathered(one))[trained] == "train"
    together = gathered(one, two)
    assert trained not in place_of(one, together)
    assert place_of(two, together)[tested] == "test"


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_that_two_sources_call_differently_is_used_by_neither(tmp_path, order):
    one = portraits(tmp_path / "one")
    two = portraits(tmp_path / "two", start=100, names=("bare", "mask"))
    disputed = sorted((one / "with_mask").iterdir())[:3]
    agreed = sorted((one / "with_mask").iterdir())[3]
    for path in disputed:
        shutil.copyfile(path, two / "bare" / f"again_{path.name}")
    shutil.copyfile(agreed, two / "mask" / f"again_{agreed.name}")
    data = gathered(*(one, two)[::order])
    assert set(data.contradictions) == {*disputed, *(two / "bare").glob("again_*")}
    used = {sample.path for part in data.splits.values() for sample in part}
    assert not used & set(data.contradictions)
    assert len(used) == 40 + 44 - 6 - 1 and data.shared_count == 1
