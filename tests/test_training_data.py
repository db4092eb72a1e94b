"""Several sources become one training: classes by their meaning, and no test photo that trains."""

from collections import Counter

import cv2
import pytest
from conftest import textured_photo, write_dataset
from data_sets import audit, gathered, portraits, reencode, voc, write

from mask_detector.audit import audit_dataset
from mask_detector.audit_report import audit_text
from mask_detector.errors import DatasetError
from mask_detector.parts import split_photos
from mask_detector.training_data import gather
from mask_detector.types import FaceBox


def street(root, *, photos=20, start=500):
    """Photos of 120x160 with two marked faces each; every fourth shows a mask worn wrongly."""
    for index in range(photos):
        write(root / "images" / f"s{index:02d}.png", textured_photo(start + index, (120, 160)))
        first = "wrong_mask" if index % 4 == 0 else ("mask", "bare_no_mask")[index % 2]
        boxes = [(first, 11, 11, 60, 70), ("mask", 81, 21, 120, 80)]
        voc(root / "annotations" / f"s{index:02d}.xml", f"s{index:02d}.png", boxes)
    return root


def on_side(data, split, root=None):
    """The pictures of a side as (file, box, class), of one source or of all."""
    return sorted(
        (str(sample.path), str(sample.box), data.class_names[sample.label])
        for sample in data.splits[split]
        if root is None or root in sample.path.parents
    )


def test_one_folder_of_classes_gives_each_photo_once_by_its_folder(tmp_path):
    root = portraits(tmp_path)
    audited = audit(root)
    data = gather([audited], split_seed=0)
    samples = [sample for part in data.splits.values() for sample in part]
    assert data.class_names == ("with_mask", "without_mask")
    assert Counter(s.path for s in samples) == Counter(p.listed.path for p in audited.photos)
    assert all(data.class_names[s.label] == s.path.parent.name for s in samples)
    assert {s.box for s in samples} == {None}
    assert data.sources == {root.name: {split: len(part) for split, part in data.splits.items()}}
    assert data.fingerprint == audited.data_fingerprint
    assert data.shared_count == 0


def test_two_sources_are_put_together_and_counted_apart(tmp_path):
    one, two = portraits(tmp_path / "one"), portraits(tmp_path / "two", 12, start=100)
    data = gathered(one, two)
    assert data.sources == {
        "one": {split: len(on_side(data, split, one)) for split in data.splits},
        "two": {split: len(on_side(data, split, two)) for split in data.splits},
    }
    assert [sum(counts.values()) for counts in data.sources.values()] == [40, 24]
    assert data.fingerprint not in {audit(one).data_fingerprint, audit(two).data_fingerprint}
    groups = {root: {s.group for part in data.splits.values() for s in part
                     if root in s.path.parents} for root in (one, two)}  # fmt: skip
    assert groups[one].isdisjoint(groups[two])


def test_two_sources_of_one_name_are_counted_apart_too(tmp_path):
    data = gathered(portraits(tmp_path / "a/set"), portraits(tmp_path / "b/set", start=100))
    assert list(data.sources) == ["set", "set (2)"]


def test_a_sources_part_of_a_side_is_the_same_alone_and_together(tmp_path):
    one, two = portraits(tmp_path / "one"), street(tmp_path / "two")
    together, alone = gathered(one, two), {root: gathered(root) for root in (one, two)}
    swapped = gathered(two, one)
    names = {"mask": "with_mask", "bare_no_mask": "without_mask"}  # the first source's
    for root in (one, two):
        for split in ("train", "val", "test"):
            by_itself = on_side(alone[root], split, root)
            assert by_itself
            assert on_side(together, split, root) == [
                (path, box, names.get(name, name)) for path, box, name in by_itself
            ]
            assert [entry[:2] for entry in on_side(swapped, split, root)] == [
                entry[:2] for entry in by_itself
            ]


def test_classes_of_one_meaning_are_one_class_under_the_first_sources_name(tmp_path):
    one = portraits(tmp_path / "one", names=("with_mask", "without_mask"))
    two = portraits(tmp_path / "two", start=100, names=("NoMask", "WithMask"))
    three = portraits(tmp_path / "three", start=200, names=("without_mask", "mask_wrong"))
    data = gathered(one, two, three)
    assert data.class_names == ("mask_wrong", "with_mask", "without_mask")
    names = {"NoMask": "without_mask", "WithMask": "with_mask"}
    for split in data.splits:
        for sample in data.splits[split]:
            folder = sample.path.parent.name
            assert data.class_names[sample.label] == names.get(folder, folder)
    assert gathered(two, one).class_names == ("NoMask", "WithMask")


def test_classes_that_a_source_itself_tells_apart_stay_apart(tmp_path):
    one = portraits(tmp_path / "one", names=("no_mask", "mask"))
    two = portraits(tmp_path / "two", start=100, names=("ffp2_mask", "cloth_mask"))
    assert gathered(one, two).class_names == ("cloth_mask", "ffp2_mask", "mask", "no_mask")


def test_classes_that_speak_of_no_mask_are_joined_by_name_alone(tmp_path):
    one = portraits(tmp_path / "one", names=("ok", "cracked"))
    two = portraits(tmp_path / "two", start=100, names=("ok", "dented"))
    data = gathered(one, two)
    assert data.class_names == ("cracked", "dented", "ok")
    assert not data.speaks_of_masks
    assert gathered(portraits(tmp_path / "three", start=200)).speaks_of_masks


@pytest.mark.parametrize("names", [("wrong_mask", "mask"), ("mask", "bare_no_mask")])
def test_the_classes_asked_for_are_used_alone_and_in_that_order(names, tmp_path):
    root = street(tmp_path, photos=24)
    data, everything = gathered(root, class_names=names), gathered(root)
    assert data.class_names == names
    for split in data.splits:
        expected = [entry for entry in on_side(everything, split) if entry[2] in names]
        assert expected and on_side(data, split) == expected


@pytest.mark.parametrize("is_marked", [False, True])
def test_a_class_too_rare_to_be_split_is_no_hindrance_where_it_is_left_out(is_marked, tmp_path):
    if is_marked:
        root = street(tmp_path)
        boxes = [("beard", 11, 11, 60, 70), ("mask", 81, 21, 120, 80)]
        voc(root / "annotations" / "s05.xml", "s05.png", boxes)
        rest = ("mask", "bare_no_mask")
    else:
        root = write_dataset(tmp_path, {"with_mask": 20, "without_mask": 20, "beard": 2})
        rest = ("with_mask", "without_mask")
    with pytest.raises(DatasetError, match=r"class beard has [12] independent photo"):
        gathered(root)
    data = gathered(root, class_names=rest)
    assert data.class_names == rest
    for split in data.splits:
        assert {name for *_, name in on_side(data, split)} == set(rest)
    with pytest.raises(DatasetError, match="class beard has"):
        gathered(root, class_names=("beard", rest[0]))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("with_mask", "beard"), "no photos of class beard; the data has with_mask, without_mask"),
        (("with_mask",), r"one class alone \(with_mask\)"),
    ],
)
def test_classes_that_can_not_be_trained_are_refused(names, words, tmp_path):
    with pytest.raises(DatasetError, match=words):
        gathered(portraits(tmp_path), class_names=names)


def test_faces_too_small_to_show_anything_are_left_out(tmp_path):
    root = street(tmp_path)
    for index in range(20):
        boxes = [("mask", 1, 1, 16, 16), ("bare_no_mask", 31, 31, 46, 46),
                 ("mask", 61, 1, 75, 60), ("mask", 1, 61, 60, 75)]  # fmt: skip
        voc(root / "annotations" / f"s{index:02d}.xml", f"s{index:02d}.png", boxes)
    data = gathered(root)
    assert {s.box for part in data.splits.values() for s in part} == {
        FaceBox(0, 0, 16, 16, 1.0),
        FaceBox(30, 30, 46, 46, 1.0),
    }
    assert sum(map(len, data.splits.values())) == 40


def test_boxes_end_where_the_photo_ends(tmp_path):
    """As a detector's do; one that lies outside, or sticks in by a little, shows nothing."""
    root = street(tmp_path)
    for index in range(20):
        boxes = [("mask", 101, 51, 300, 200), ("bare_no_mask", -20, -5, 50, 60),
                 ("mask", 401, 401, 500, 500), ("mask", 151, 1, 250, 90)]  # fmt: skip
        voc(root / "annotations" / f"s{index:02d}.xml", f"s{index:02d}.png", boxes)
    assert {s.box for part in gathered(root).splits.values() for s in part} == {
        FaceBox(100, 50, 160, 120, 1.0),
        FaceBox(0, 0, 50, 60, 1.0),
    }


def test_faces_of_one_photo_stay_on_one_side(tmp_path):
    root = street(tmp_path, photos=40)
    for index in range(0, 40, 8):  # and those of its copies
        twin = root / "images" / f"t{index:02d}.jpg"
        reencode(root / "images" / f"s{index:02d}.png", twin)
        voc(root / "annotations" / f"t{index:02d}.xml", twin.name, [("mask", 5, 5, 50, 60)])
    for seed in range(5):
        data = gathered(root, seed=seed)
        sides, faces = {}, Counter()
        for split, samples in data.splits.items():
            for sample in samples:
                number = sample.path.stem[1:]
                assert sides.setdefault(number, split) == split
                faces[sample.path] += 1
        assert set(faces.values()) == {1, 2} and len(faces) == 45
        for split in data.splits:
            assert {name for *_, name in on_side(data, split)} == set(data.class_names)


def test_a_class_that_is_nowhere_the_rarest_is_no_reason_to_refuse(tmp_path):
    """In every photo somebody goes bare, so no photo stands for those who wear a mask."""
    for index in range(12):
        write(tmp_path / "images" / f"{index}.png", textured_photo(index, (120, 160)))
        boxes = [("mask", 1, 1, 50, 50), ("mask", 61, 1, 110, 50), ("no_mask", 1, 61, 50, 110)]
        voc(tmp_path / "annotations" / f"{index}.xml", f"{index}.png", boxes)
    data = gathered(tmp_path)
    assert data.class_names == ("mask", "no_mask")
    for split in data.splits:
        labels = Counter(sample.label for sample in data.splits[split])
        assert labels[0] == 2 * labels[1] > 0


def test_an_audit_of_marked_photos_is_told_in_words(tmp_path):
    root = street(tmp_path)
    assert "20 usable photos of 3 classes" in audit_text(audit(root))
    for index in range(20):  # all photos stand for one class
        boxes = [("mask", 1, 1, 50, 50), ("mask", 61, 1, 110, 50), ("no_mask", 1, 61, 50, 110)]
        voc(root / "annotations" / f"s{index:02d}.xml", f"s{index:02d}.png", boxes)
    assert "20 usable photos of 2 classes" in audit_text(audit(root))


def test_a_moved_box_is_other_data(tmp_path):
    root = street(tmp_path)
    before = gathered(root).fingerprint
    assert gathered(root).fingerprint == before
    voc(root / "annotations" / "s00.xml", "s00.png", [("wrong_mask", 12, 11, 60, 70)])
    assert gathered(root).fingerprint != before


def test_a_side_without_a_class_is_refused_by_name(tmp_path):
    root = street(tmp_path, photos=24)
    audited = audit(root)
    for photo in split_photos(audited, 0)["test"]:
        name = photo.listed.path.stem
        if photo.listed.class_name == "wrong_mask":  # still marked, but 10 pixels small
            boxes = [("wrong_mask", 11, 11, 20, 20), ("mask", 81, 21, 120, 80)]
            voc(root / "annotations" / f"{name}.xml", f"{name}.png", boxes)
    with pytest.raises(DatasetError, match=r"test split has no usable picture of wrong_mask.*--cl"):
        gathered(root)
    assert gathered(root, class_names=("bare_no_mask", "mask")).splits["test"]


def test_boxes_of_one_class_alone_are_refused(tmp_path):
    for index in range(6):
        cv2.imwrite(str(tmp_path / f"{index}.png"), textured_photo(index))
        voc(tmp_path / f"{index}.xml", f"{index}.png", [("mask", 1, 1, 40, 40)])
    with pytest.raises(DatasetError, match="name these classes: mask; expected at least two"):
        gathered(tmp_path)
    assert audit_dataset(tmp_path, least_classes=1).class_names == ("mask",)
