"""Faces cut out of photos with boxes, pixel for pixel, and the command that does it."""

import cv2
import numpy as np
import pytest
from conftest import textured_photo
from data_sets import voc, write

from mask_detector.annotations.cutting_out import PICTURE_FORMATS, CutOptions, cut_out_faces
from mask_detector.annotations.formats import read_boxes
from mask_detector.audit import audit_dataset
from mask_detector.cli import main
from mask_detector.dataset import scan
from mask_detector.parts import split_photos
from mask_detector.photo_names import original_of

PICTURE = textured_photo(5, (100, 120))
BOXES = [
    ("with_mask", 11, 21, 50, 60), ("without_mask", 71, 41, 120, 100), ("with_mask", 1, 1, 9, 9)
]  # fmt: skip


@pytest.fixture
def streets(tmp_path):
    root = tmp_path / "streets"
    write(root / "images" / "Straße 1.png", PICTURE)
    write(root / "images" / "b.png", textured_photo(6, (100, 120)))
    voc(root / "annotations" / "Straße 1.xml", "Straße 1.png", BOXES)
    voc(root / "annotations" / "b.xml", "b.png", [("without_mask", 11, 11, 60, 60)])
    return root


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_faces_are_cut_out_with_their_margin_and_say_whence(streets, tmp_path, capsys):
    output = tmp_path / "faces"
    assert main(["crops", "--boxes", str(streets), "--output", str(output)]) == 0
    assert set(files(output)) == {
        "with_mask/Straße 1_face1of3.png", "without_mask/Straße 1_face2of3.png",
        "without_mask/b_face1of1.png",
    }  # fmt: skip
    crops = [
        cv2.imdecode(np.fromfile(output / name, np.uint8), cv2.IMREAD_COLOR)
        for name in ("with_mask/Straße 1_face1of3.png", "without_mask/Straße 1_face2of3.png")
    ]
    # By hand: a fifth of 40 x 40 is 8 on each side; of 50 x 60 it is 10 and 12, up to the edge.
    np.testing.assert_array_equal(crops[0], PICTURE[12:68, 2:58])
    np.testing.assert_array_equal(crops[1], PICTURE[28:100, 60:120])
    assert capsys.readouterr().out.splitlines() == [
        "with_mask: 1 face", "without_mask: 2 faces", f"3 pictures written to {output}",
        "1 face left out: smaller than 16 pixels",
    ]  # fmt: skip


def test_nothing_is_written_over(streets, tmp_path, capsys):
    output = tmp_path / "faces"
    options = ["crops", "--boxes", str(streets), "--output", str(output), "--smallest-face", "4"]
    mine = output / "without_mask" / "b_face1of1.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    assert main(options) == 0
    before = files(output)
    assert before["without_mask/b_face1of1.png"] == b"mine" and len(before) == 4
    assert "1 were there before" in capsys.readouterr().out
    assert main([*options, "--margin", "0"]) == 0
    assert files(output) == before
    assert "0 pictures written" in capsys.readouterr().out


def test_margin_and_format_are_chosen(streets, tmp_path):
    assert PICTURE_FORMATS == ("png", "jpg")  # those that the option names
    cut_out_faces(read_boxes(streets), tmp_path, CutOptions(0.0, 16, "jpg"))
    crop = cv2.imdecode(
        np.fromfile(tmp_path / "with_mask" / "Straße 1_face1of3.jpg", np.uint8), cv2.IMREAD_COLOR
    )
    assert crop.shape == (40, 40, 3)
    assert np.abs(crop.astype(int) - PICTURE[20:60, 10:50]).mean() < 4


def test_given_splits_are_kept(tmp_path):
    for split, seed in (("train", 1), ("test", 2)):
        root = tmp_path / "set" / split
        write(root / "images" / "p.png", textured_photo(seed, (100, 120)))
        boxes = [("with_mask", 1, 1, 50, 50), ("without_mask", 61, 1, 110, 50)]
        voc(root / "annotations" / "p.xml", "p.png", boxes)
    output = tmp_path / "faces"
    assert main(["crops", "--boxes", str(tmp_path / "set"), "--output", str(output)]) == 0
    listing = scan(output)
    assert listing.class_names == ("with_mask", "without_mask")
    assert sorted(p.split for p in listing.photos) == ["test", "test", "train", "train"]


def test_faces_of_one_photo_stay_on_one_side_of_a_split(tmp_path):
    """Unlike pictures: only their names say that they come from one photo."""
    for number in range(60):
        for face, name in ((1, "on"), (2, "off")):
            photo = textured_photo(1000 + 2 * number + face)
            write(tmp_path / name / f"street {number}_face{face}of2.png", photo)
    splits = split_photos(audit_dataset(tmp_path), seed=1)
    sides = {}
    for split, photos in splits.items():
        for photo in photos:
            sides.setdefault(original_of(photo.listed.path), set()).add(split)
    assert len(sides) == 60 and all(len(side) == 1 for side in sides.values())
    assert min(len(photos) for photos in splits.values()) >= 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda root: (root / "annotations" / "b.xml").write_text("<a>"), "b.xml is no PASCAL VOC"),
        (lambda root: voc(root / "annotations" / "b.xml", "b.png", [("../x", 1, 1, 50, 50)]),
         "can't be a folder's name"),
        (lambda root: [path.unlink() for path in root.rglob("*.xml")], "no annotated photos"),
    ],
)  # fmt: skip
def test_what_can_not_be_cut_out_is_one_clear_line(change, words, streets, tmp_path, capsys):
    change(streets)
    assert main(["crops", "--boxes", str(streets), "--output", str(tmp_path / "faces")]) == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert words in line
    assert not (tmp_path / "faces").exists()


def test_an_unreadable_photo_is_counted(streets, tmp_path, capsys):
    (streets / "images" / "b.png").write_bytes(b"no photo")
    assert main(["crops", "--boxes", str(streets), "--output", str(tmp_path / "faces")]) == 0
    assert "1 photo left out: can't be read" in capsys.readouterr().out
