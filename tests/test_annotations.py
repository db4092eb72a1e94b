"""Faces that people marked in PASCAL VOC's XML are read with their classes, to the pixel."""

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import textured_photo
from data_sets import voc, write

from mask_detector.annotations.formats import read_boxes
from mask_detector.annotations.pascal_voc import is_annotated, read_voc
from mask_detector.dataset import scan
from mask_detector.errors import DatasetError
from mask_detector.types import FaceBox, LabelledBox, ListedPhoto


def marked(photo):
    """The faces of a photo as `(class, left, top, right, bottom)`."""
    return [
        (face.class_name, face.box.left, face.box.top, face.box.right, face.box.bottom)
        for face in photo.faces
    ]


def test_boxes_are_read_to_the_pixel(tmp_path):
    """A white rectangle in a black photo, marked as VOC counts: from 1, edges included."""
    import cv2
    import numpy as np

    photo = np.zeros((60, 80, 3), np.uint8)
    photo[20:50, 10:40] = 255
    write(tmp_path / "images" / "a.png", photo)
    rows, columns = np.nonzero(photo[..., 0])
    corners = (columns.min() + 1, rows.min() + 1, columns.max() + 1, rows.max() + 1)
    voc(tmp_path / "annotations" / "a.xml", "a.png", [("with_mask", *map(int, corners))])
    ((path, (face,)),) = [(p.path, p.faces) for p in read_voc(tmp_path)]
    box = face.box
    assert face.class_name == "with_mask"
    inside = cv2.imread(str(path))[box.top : box.bottom, box.left : box.right]
    assert inside.shape == (30, 30, 3) and inside.min() == 255


LAYOUTS = [("images", "annotations"), ("JPEGImages", "Annotations"), (".", "."), ("images", ".")]


@pytest.mark.parametrize(("images", "annotations"), LAYOUTS)
def test_the_usual_layouts_are_known(images, annotations, tmp_path):
    for index in (2, 1, 3):
        write(tmp_path / images / f"p{index}.jpg", textured_photo(index))
        boxes = [("mask", 1, 1, 20 + index, 30), ("bare", 31, 5, 50, 40)]
        voc(tmp_path / annotations / f"p{index}.xml", f"p{index}.jpg", boxes)
    assert is_annotated(tmp_path)
    photos = read_voc(tmp_path)
    assert [photo.path for photo in photos] == [
        tmp_path / images / f"p{index}.jpg" for index in (1, 2, 3)
    ]
    assert [marked(photo) for photo in photos] == [
        [("mask", 0, 0, 20 + index, 30), ("bare", 30, 4, 50, 40)] for index in (1, 2, 3)
    ]


def test_a_folder_of_classes_is_no_annotated_one(tmp_path):
    write(tmp_path / "with_mask" / "a.jpg", textured_photo(0))
    (tmp_path / "annotations").mkdir()
    assert not is_annotated(tmp_path)
    with pytest.raises(DatasetError, match=r"no annotated photos at .*annotations/1\.xml"):
        read_voc(tmp_path)


@pytest.mark.parametrize(
    "named",
    ["", "renamed since.png", "images/p.jpg", "/home/somebody/photos/p.jpg", r"C:\photos\p.jpg"],
)
def test_a_photo_is_found_by_the_name_of_its_annotation_where_the_name_inside_is_of_no_use(
    named, tmp_path
):
    write(tmp_path / "images" / "p.jpg", textured_photo(0))
    voc(tmp_path / "annotations" / "p.xml", named, [("mask", 1, 1, 20, 20)])
    assert [photo.path for photo in read_voc(tmp_path)] == [tmp_path / "images" / "p.jpg"]


def test_the_name_inside_goes_before_the_name_of_the_annotation(tmp_path):
    for name in ("1.jpg", "one.jpg"):
        write(tmp_path / "images" / name, textured_photo(len(name)))
    voc(tmp_path / "annotations" / "1.xml", "one.jpg", [("mask", 1, 1, 20, 20)])
    assert [photo.path.name for photo in read_voc(tmp_path)] == ["one.jpg"]


def test_an_absolute_name_never_leads_out_of_the_folder(tmp_path):
    elsewhere = tmp_path / "elsewhere" / "p.jpg"
    for path in (elsewhere, tmp_path / "set" / "images" / "p.jpg"):
        write(path, textured_photo(len(path.parts)))
    voc(tmp_path / "set" / "annotations" / "p.xml", str(elsewhere), [("mask", 1, 1, 20, 20)])
    assert [p.path for p in read_voc(tmp_path / "set")] == [tmp_path / "set" / "images" / "p.jpg"]


@pytest.mark.parametrize("name", ["口罩", "with spaces & <signs>", "a.b.c", b"\xff\xe9"])
def test_odd_file_names(name, tmp_path):
    stem = os.fsdecode(name)
    try:
        write(tmp_path / "plain.jpg", textured_photo(0))
        (tmp_path / "plain.jpg").rename(tmp_path / f"{stem}.jpg")
    except OSError:
        pytest.skip("this file system refuses the name")
    inside = "" if isinstance(name, bytes) else f"{stem}.jpg"
    voc(tmp_path / "plain.xml", inside, [("mask", 1, 1, 20, 20)])
    (tmp_path / "plain.xml").rename(tmp_path / f"{stem}.xml")
    assert [photo.path for photo in read_voc(tmp_path)] == [tmp_path / f"{stem}.jpg"]


def test_boxes_without_area_are_told_and_left_out_and_fractions_rounded(tmp_path, caplog):
    boxes = [
        ("mask", 30, 10, 29, 40),
        ("mask", 10, 30, 40, 29),
        ("mask", 0, 0, 12, 13),
        ("bare", 5.6, 6.4, 20.7, 30.2),
        ("bare", 7, 7, 7, 7),
    ]
    write(tmp_path / "p.png", textured_photo(0))
    voc(tmp_path / "p.xml", "p.png", boxes)
    (photo,) = read_boxes(tmp_path)
    assert caplog.messages == ["left out: 2 boxes without area, in p.png"]
    assert marked(photo) == [
        ("mask", 0, 0, 12, 13),
        ("bare", 5, 5, 21, 30),
        ("bare", 6, 6, 7, 7),
    ]
    assert {face.box for face in photo.faces} >= {FaceBox(0, 0, 12, 13, 1.0)}


def test_parts_of_an_object_are_no_faces_of_their_own(tmp_path):
    write(tmp_path / "p.png", textured_photo(0))
    voc(tmp_path / "p.xml", "p.png", [("mask", 1, 1, 20, 20)])
    tree = ElementTree.parse(tmp_path / "p.xml")
    part = ElementTree.SubElement(tree.find("object"), "part")
    part.append(tree.find("object/bndbox"))
    ElementTree.SubElement(part, "name").text = "nose"
    tree.write(tmp_path / "p.xml")
    assert [marked(photo) for photo in read_voc(tmp_path)] == [[("mask", 0, 0, 20, 20)]]


def test_a_photo_without_a_face_is_read_too(tmp_path):
    write(tmp_path / "p.png", textured_photo(0))
    voc(tmp_path / "p.xml", "p.png", [])
    assert [photo.faces for photo in read_voc(tmp_path)] == [()]


def test_hidden_files_are_no_annotations(tmp_path):
    """A Mac leaves `._p.xml` beside each file that it packs."""
    write(tmp_path / "p.png", textured_photo(0))
    voc(tmp_path / "p.xml", "p.png", [("mask", 1, 1, 20, 20)])
    (tmp_path / "._p.xml").write_bytes(b"\x00\x05\x16\x07")
    assert len(read_voc(tmp_path)) == 1


@pytest.mark.parametrize("content", ["<project/>", "<annotation/>", "no XML"])
def test_a_stray_file_beside_class_folders_makes_no_annotations_of_them(content, tmp_path):
    for name in ("on", "off"):
        write(tmp_path / name / "a.jpg", textured_photo(len(name)))
    (tmp_path / "project.xml").write_text(content)
    assert not is_annotated(tmp_path)
    listing = scan(tmp_path)
    assert listing.class_names == ("off", "on") and len(listing.photos) == 2


def test_a_folder_of_something_else_beside_photos_and_their_boxes_does_no_harm(tmp_path):
    write(tmp_path / "p.png", textured_photo(0))
    voc(tmp_path / "p.xml", "p.png", [("mask", 1, 1, 20, 20)])
    write(tmp_path / "results" / "q.png", textured_photo(1))
    assert [photo.path.name for photo in read_voc(tmp_path)] == ["p.png"]


@pytest.mark.parametrize("images, annotations", LAYOUTS)
def test_boxes_inside_train_and_test_folders_are_given_splits(images, annotations, tmp_path):
    for seed, split in enumerate(("train", "valid", "test")):
        for index in range(2):
            name = f"{split}{index}"
            write(tmp_path / split / images / f"{name}.jpg", textured_photo(10 * seed + index))
            boxes = [(("mask", "bare")[index], 1, 1, 20, 30)]
            voc(tmp_path / split / annotations / f"{name}.xml", f"{name}.jpg", boxes)
    listing = scan(tmp_path)
    found = sorted((photo.path.name, photo.split, photo.class_name) for photo in listing.photos)
    assert found == [
        (f"{folder}{index}.jpg", split, ("mask", "bare")[index])
        for folder, split in (("test", "test"), ("train", "train"), ("valid", "val"))
        for index in range(2)
    ]


def test_a_missing_photo_is_named(tmp_path):
    write(tmp_path / "images" / "a.png", textured_photo(0))
    voc(tmp_path / "annotations" / "b.xml", "b.png", [("mask", 1, 1, 20, 20)])
    with pytest.raises(DatasetError, match=r"photo of .*b\.xml is missing.*images"):
        read_voc(tmp_path)


BOX = "<bndbox><xmin>{}</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "words",
        "<annotation><object>",
        "<annotation><object><name>mask</name></object></annotation>",
        f"<annotation><object>{BOX.format(1)}</object></annotation>",
        f"<annotation><object><name/>{BOX.format(1)}</object></annotation>",
        *(
            f"<annotation><object><name>mask</name>{BOX.format(number)}</object></annotation>"
            for number in ("left", "", "nan", "inf")
        ),
        '<?xml version="1.0" encoding="no-such"?><annotation/>',
        "<annotation><object><name>mask</name><bndbox><xmin>1</xmin></bndbox></object>"
        "</annotation>",
    ],
)
def test_what_is_no_voc_annotation_is_refused_with_what_was_expected(content, tmp_path):
    write(tmp_path / "p.png", textured_photo(0))
    Path(tmp_path / "p.xml").write_text(content)
    with pytest.raises(DatasetError, match=r"p\.xml is no PASCAL VOC annotation .*<bndbox>"):
        read_voc(tmp_path)


def test_the_real_set_is_read_in_full(data):
    """Against a count of the tags in the files' text."""
    root = data / "ilc2021"
    texts = [path.read_text() for path in sorted((root / "annotations").glob("*.xml"))]
    photos = read_voc(root)
    assert len(photos) == len(texts) > 800
    assert sum(len(photo.faces) for photo in photos) == sum(t.count("<object>") for t in texts)
    for name in {face.class_name for photo in photos for face in photo.faces}:
        assert sum(face.class_name == name for photo in photos for face in photo.faces) == sum(
            text.count(f"<name>{name}</name>") for text in texts
        )


@pytest.mark.parametrize(
    ("edges", "shown"),
    [
        ((3, 4, 30, 40), (3, 4, 30, 40)),
        ((-5, -6, 30, 40), (0, 0, 30, 40)),
        ((10, 20, 99, 99), (10, 20, 80, 60)),
    ],
)
def test_a_picture_shows_what_lies_inside_of_it(edges, shown):
    assert FaceBox(*edges, 0.5).within(80, 60) == FaceBox(*shown, 0.5)


@pytest.mark.parametrize("edges", [(80, 0, 90, 50), (0, 60, 9, 70), (-9, 3, 0, 9), (3, -9, 9, 0)])
def test_of_a_box_outside_a_picture_shows_nothing(edges):
    box = FaceBox(*edges, 1.0).within(80, 60)
    assert min(box.width, box.height) <= 0


def test_a_photo_gives_its_faces_or_itself():
    box = FaceBox(1, 2, 3, 4, 1.0)
    marked_photo = ListedPhoto(Path("a.png"), "rare", faces=(LabelledBox(box, "mask"),) * 2)
    assert marked_photo.pictures == [("mask", box)] * 2
    assert ListedPhoto(Path("b.png"), "bare").pictures == [("bare", None)]
