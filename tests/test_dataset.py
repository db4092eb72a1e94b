"""What folders and file names tell about photos, before any of them is opened."""

import os
from pathlib import Path

import pytest

from mask_detector.dataset import augmented_from, person_of, scan
from mask_detector.errors import DatasetError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")  # scan only reads names
    return root


def listed(listing):
    return [
        (photo.path.relative_to(listing.root).as_posix(), photo.class_name, photo.split)
        for photo in listing.photos
    ]


def test_class_folders_are_listed_with_their_photos(tmp_path):
    listing = scan(touch(tmp_path, "with_mask/b.jpg", "with_mask/a.png", "without_mask/c"))
    assert listing.class_names == ("with_mask", "without_mask")
    assert not listing.is_split
    assert listed(listing) == [
        ("with_mask/a.png", "with_mask", None),
        ("with_mask/b.jpg", "with_mask", None),
        ("without_mask/c", "without_mask", None),
    ]


def test_photos_in_nested_folders_belong_to_the_class_above(tmp_path):
    listing = scan(touch(tmp_path, "x/person 1/day 2/a.jpg", "x/b.jpg", "y/z/c.jpg"))
    assert [(path, name) for path, name, _ in listed(listing)] == [
        ("x/b.jpg", "x"),
        ("x/person 1/day 2/a.jpg", "x"),
        ("y/z/c.jpg", "y"),
    ]


def test_hidden_files_and_leftovers_of_systems_are_no_photos(tmp_path):
    root = touch(
        tmp_path,
        "x/a.jpg", "x/.DS_Store", "x/Thumbs.db", "x/desktop.ini", "x/.hidden/b.jpg",
        "x/__MACOSX/._a.jpg", "y/c.jpg", ".git/config", "__MACOSX/x/a.jpg", "README.md",
        "y/README.md",
    )  # fmt: skip
    assert [path for path, _, _ in listed(scan(root))] == ["x/a.jpg", "y/c.jpg"]
    assert scan(root).class_names == ("x", "y")


def test_the_order_does_not_depend_on_the_order_of_creation(tmp_path):
    names = [f"{c}/{n}.jpg" for c in "qab" for n in (3, 10, 1, "Z", "a")]
    first = touch(tmp_path / "first", *names)
    second = touch(tmp_path / "second", *names[::-1])
    assert listed(scan(first)) == listed(scan(second))
    assert scan(first).class_names == ("a", "b", "q")


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("train", "val", "test"), ("train", "val", "test")),
        (("Train", "Validation", "Test"), ("train", "val", "test")),
        (("training", "valid"), ("train", "val")),
        (("TRAIN", "testing"), ("train", "test")),
        (("train",), ("train",)),
    ],
)
def test_given_splits_are_recognised_in_their_usual_spellings(tmp_path, folders, splits):
    root = touch(tmp_path, *(f"{f}/{c}/1.jpg" for f in folders for c in ("on", "off")))
    listing = scan(root)
    assert listing.is_split
    assert listing.class_names == ("off", "on")
    assert {split for _, _, split in listed(listing)} == set(splits)
    for folder, split in zip(folders, splits, strict=True):
        assert (f"{folder}/on/1.jpg", "on", split) in listed(listing)


def test_folders_behind_links_are_read(tmp_path):
    touch(tmp_path, "elsewhere/a.jpg", "set/y/b.jpg")
    (tmp_path / "set" / "x").symlink_to(tmp_path / "elsewhere")
    assert [path for path, _, _ in listed(scan(tmp_path / "set"))] == ["x/a.jpg", "y/b.jpg"]


def test_a_link_to_a_folder_above_lists_nothing_twice(tmp_path):
    root = touch(tmp_path, "x/a.jpg", "y/b.jpg")
    (root / "x" / "again").symlink_to(root / "x")
    assert [path for path, _, _ in listed(scan(root))] == ["x/a.jpg", "y/b.jpg"]


def test_names_that_are_not_utf_8_are_listed(tmp_path):
    try:
        root = touch(tmp_path, os.fsdecode(b"x/caf\xe9.jpg"), "y/b.jpg")
    except OSError:
        pytest.skip("this file system refuses the name")
    assert scan(root).photos[0].path.exists()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], ["none", "at least two"]),
        (["a.jpg", "b.jpg"], ["none", "at least two"]),
        (["mask/a.jpg"], ["mask", "at least two"]),
        (["set/mask/a.jpg", "set/none/a.jpg"], ["set", "at least two"]),
        (["x/a.jpg", "y/.hidden"], ["x", "hold no file: y"]),
        (["x/a.jpg", "y/b.jpg", "z/empty/.keep"], ["hold no file: z"]),
        (["train/x/a.jpg", "train/y/a.jpg", "extra/c.jpg"], ["mixes", "train", "extra"]),
        (["train/x/a", "train/y/a", "val/x/b"], ["val", "no photos of y", "every split"]),
        (["train/x/a", "train/y/a", "test/x/b", "test/Y/b"], ["no photos of", "spelled alike"]),
        (["val/x/a", "val/y/a", "test/x/b", "test/y/b"], ["no train folder", "test, val"]),
        (["train/a.jpg", "test/b.jpg"], ["none", "at least two"]),
    ],
)
def test_an_unusable_layout_is_refused_with_what_was_found_and_expected(tmp_path, names, words):
    with pytest.raises(DatasetError) as caught:
        scan(touch(tmp_path, *names))
    for word in [str(tmp_path), *words]:
        assert word in str(caught.value)


def test_one_class_is_enough_to_judge_by(tmp_path):
    root = touch(tmp_path, "mask/a.jpg", "mask/b.jpg")
    assert scan(root, least_classes=1).class_names == ("mask",)
    with pytest.raises(DatasetError, match="at least one folder with photos of one class"):
        scan(touch(tmp_path / "loose", "a.jpg"), least_classes=1)


def test_a_missing_folder_is_refused_by_name(tmp_path):
    with pytest.raises(DatasetError, match=r"no data set at .*nowhere: expected a folder"):
        scan(tmp_path / "nowhere")


def test_a_file_is_no_data_set(tmp_path):
    touch(tmp_path, "photos.zip")
    with pytest.raises(DatasetError, match=r"no data set at .*photos\.zip"):
        scan(tmp_path / "photos.zip")


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("0_0_anhu_0123.jpg", "anhu"),
        ("0_0_anhu_0007.png", "anhu"),
        ("1_3_WangLeehom_0042.jpg", "wangleehom"),
        ("Aaron_Eckhart_0001.jpg", "aaron_eckhart"),
        ("Catherine_Zeta-Jones_0011.jpg", "catherine_zeta-jones"),
        ("Jean-Claude_Van_Damme_0001.jpg", "jean-claude_van_damme"),
        ("Casting_def_0001.jpg", None),
        ("Abdullah_al-Attiyah_0003.jpg", "abdullah_al-attiyah"),
        ("JK_Rowling_0006.jpg", "jk_rowling"),
        ("Romain_Duris_0001.jpg", "romain_duris"),
        ("Augustin_Calleri_0001.jpg", "augustin_calleri"),
        ("with_mask_12.jpg", None),
        ("with_mask_1234.jpg", None),
        ("With_Mask_0012.jpg", None),
        ("Face_Image_0001.jpg", None),
        ("augmented_image_297.jpg", None),
        ("0_0_0 copy 27.jpg", None),
        ("0_0_28 copy 2.jpg", None),
        ("12-with-mask.jpg", None),
        ("IMG_0001.jpg", None),
        ("Screenshot_2020-05-01_0001.png", None),
        ("1.jpg", None),
        ("0129.png", None),
    ],
)
def test_a_name_tells_the_person_or_nobody(name, person):
    assert person_of(Path("some/folder") / name) == person


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("augmented_image_297.jpg", ""),
        ("aug_12.jpg", ""),
        ("flipped (3).png", ""),
        ("photo12_aug3.jpg", "photo12"),
        ("photo12_aug_3.jpg", "photo12"),
        ("photo12-augmented.jpg", "photo12"),
        ("IMG_flip.jpg", "IMG"),
        ("7_rot90.jpg", "7"),
        ("7_rotated_90.jpg", "7"),
        ("a b mirrored.png", "a b"),
        ("aug_anna.jpg", "anna"),
        ("name_jpg.rf.0123456789abcdef0123456789abcdef.jpg", "name_jpg"),
        ("name_jpg.rf.FEDCBA9876543210fedcba9876543210.jpg", "name_jpg"),
        ("photo12.jpg", None),
        ("augustus.jpg", None),
        ("flipper_3.jpg", None),
        ("0_0_anhu_0123.jpg", None),
        ("Alan_Shearer_0001.jpg", None),
        ("name.rf.jpg", None),
        ("0_0_0 copy 27.jpg", None),
    ],
)
def test_a_name_tells_what_an_augmented_copy_was_made_from(name, source):
    assert augmented_from(Path("some/folder") / name) == source


def test_a_copy_of_a_copy_comes_from_the_same_photo():
    assert augmented_from(Path("photo12_aug_3_flip.jpg")) == "photo12"
