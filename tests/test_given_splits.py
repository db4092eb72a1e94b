"""Splits that folders give are kept, told about, and never let a test photo train."""

import shutil

import pytest
from conftest import write_dataset
from data_sets import (
    assert_groups_are_whole,
    audit,
    clusters,
    copy,
    given_splits,
    inside,
    reencode,
)

from mask_detector.audit import audit_dataset
from mask_detector.audit_report import audit_text, audit_to_dict
from mask_detector.errors import DatasetError
from mask_detector.parts import split_photos


def paths(photos):
    return [photo.listed.path for photo in photos]


@pytest.fixture
def torn(tmp_path):
    """Given splits; train shows again what val and test show."""
    root = given_splits(tmp_path, train=24, val=6, test=6)
    copy(root / "val/on/p000.png", root / "train/on/exact.png")
    reencode(root / "test/off/p001.png", root / "train/off/again.jpg")
    reencode(root / "val/off/p002.png", root / "test/off/both held out.jpg")
    copy(root / "train/on/p003.png", root / "train/on/inside.png")
    reencode(root / "train/on/p004.png", root / "train/on/inside train.jpg")
    return root


def test_what_given_splits_tear_apart_is_named(torn):
    audited = audit(torn)
    expected = [
        ["test/off/both held out.jpg", "val/off/p002.png"],
        ["test/off/p001.png", "train/off/again.jpg"],
        ["train/on/exact.png", "val/on/p000.png"],
    ]
    assert clusters(torn, audited, audited.leaks) == expected
    assert inside(torn, audited.copies) in (["train/on/inside.png"], ["train/on/p003.png"])
    assert sorted(map(sorted, audit_to_dict(audited)["across_splits"])) == expected
    assert audit_to_dict(audited)["splits"] == {
        "off": {"train": 25, "val": 6, "test": 7},
        "on": {"train": 26, "val": 6, "test": 6},
    }
    lines = audit_text(audited).splitlines()
    assert any(line.startswith("  3 are torn apart by the given splits") for line in lines)
    (line,) = [line for line in lines if line.startswith("  on ")]
    for part in ("38", "train 26", "val 6", "test 6"):
        assert part in line


def test_training_leaves_out_what_val_or_test_also_shows(torn):
    audited = audit(torn)
    splits = split_photos(audited, 0)
    names = {split: set(inside(torn, paths(part))) for split, part in splits.items()}
    assert len(names["train"]) == 49
    assert names["train"].isdisjoint({"train/on/exact.png", "train/off/again.jpg"})
    assert {"train/on/p004.png", "train/on/inside train.jpg"} <= names["train"]
    assert (len(names["val"]), len(names["test"])) == (12, 13)
    for split, members in names.items():
        assert {name.split("/")[0] for name in members} == {split}


@pytest.mark.parametrize(
    ("given", "made", "share"),
    [
        ({"train": 40, "val": 6}, "test", 0.15 / 0.85),
        ({"train": 40, "test": 6}, "val", 0.15 / 0.85),
        ({"train": 40}, "val", 0.15),
        ({"train": 40}, "test", 0.15),
    ],
)
def test_a_split_that_is_not_given_is_taken_from_train(tmp_path, given, made, share):
    root = given_splits(tmp_path, **given)
    reencode(root / "train/on/p000.png", root / "train/on/again.jpg")
    audited = audit(root)
    splits = split_photos(audited, 0)
    assert sorted(splits) == ["test", "train", "val"]
    assert {path.split("/")[0] for path in inside(root, paths(splits[made]))} == {"train"}
    assert len(splits[made]) / 80 == pytest.approx(share, abs=0.03)
    assert {photo.listed.class_name for photo in splits[made]} == {"on", "off"}
    for split in set(given) - {"train"}:
        assert len(splits[split]) == 12
    assert sum(map(len, splits.values())) == len(audited.photos)
    assert_groups_are_whole(root, audited, splits)


def test_all_three_given_splits_are_used_as_they_are(tmp_path):
    root = given_splits(tmp_path, train=8, val=3, test=4)
    splits = split_photos(audit(root), 0)
    assert {split: len(part) for split, part in splits.items()} == {
        "train": 16,
        "val": 6,
        "test": 8,
    }
    for split, part in splits.items():
        assert {path.relative_to(root).parts[0] for path in paths(part)} == {split}


def test_train_that_only_repeats_the_other_splits_is_refused(tmp_path):
    root = given_splits(tmp_path, train=4, val=4)
    shutil.rmtree(root / "train" / "on")
    shutil.copytree(root / "val" / "on", root / "train" / "on")
    with pytest.raises(DatasetError, match="class on has 0 independent photos"):
        split_photos(audit(root), 0)


def test_people_whom_given_splits_show_on_several_sides_are_named(tmp_path):
    seed = 0
    for split in ("train", "val", "test"):
        for class_name in ("with_mask", "without_mask"):
            write_dataset(tmp_path / split, {class_name: 4}, start=seed)
            seed += 4
    (tmp_path / "train/without_mask/p000.png").rename(
        tmp_path / "train/without_mask/0_0_anhu_0001.png"
    )
    (tmp_path / "test/without_mask/p000.png").rename(
        tmp_path / "test/without_mask/0_0_anhu_0002.png"
    )
    audit = audit_dataset(tmp_path)
    assert audit.people_across_splits == ("anhu",)
    assert "1 people are in several of the given splits" in audit_text(audit)
