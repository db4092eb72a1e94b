"""Boxes in VOC's, YOLO's and COCO's files: the same faces whichever they are written in."""

import json

import cv2
import numpy as np
import pytest
from conftest import textured_photo
from data_sets import voc, write
from PIL import Image

from mask_detector.annotations.formats import is_annotated, read_boxes
from mask_detector.dataset import scan
from mask_detector.errors import DatasetError

NAMES = ["with_mask", "without_mask"]
# Photo of 80 x 60 pixels: class, left, top, right, bottom; right and bottom exclusive.
FACES = {
    "a": [("with_mask", 10, 20, 40, 50), ("without_mask", 50, 0, 80, 24)],
    "b": [("without_mask", 8, 6, 72, 54)],
    "c": [],
}


def photos(folder, names=FACES):
    for seed, name in enumerate(names):
        write(folder / f"{name}.png", textured_photo(seed, (60, 80)))


def as_voc(root, faces=FACES):
    photos(root / "images", faces)
    for name, marked in faces.items():
        boxes = [(c, left + 1, top + 1, right, bottom) for c, left, top, right, bottom in marked]
        voc(root / "annotations" / f"{name}.xml", f"{name}.png", boxes)


def yolo_line(face):
    name, left, top, right, bottom = face
    numbers = (left + right) / 160, (top + bottom) / 120, (right - left) / 80, (bottom - top) / 60
    return " ".join([str(NAMES.index(name)), *(f"{number:.6f}" for number in numbers)])


def labels(folder, faces=FACES):
    folder.mkdir(parents=True, exist_ok=True)
    for name, marked in faces.items():
        (folder / f"{name}.txt").write_text("\n".join(map(yolo_line, marked)) + "\n")


def as_yolo(root, faces=FACES, images="images", texts="labels"):
    photos(root / images, faces)
    labels(root / texts, faces)
    (root / "classes.txt").write_text("\n".join(NAMES))


def coco(faces=FACES, prefix=""):
    images = [{"id": 7 + i, "file_name": f"{prefix}{name}.png"} for i, name in enumerate(faces)]
    annotations = [
        {"id": 1, "image_id": 7 + i, "category_id": 3 + NAMES.index(name), "iscrowd": 0,
         "bbox": [left, top, right - left, bottom - top]}
        for i, marked in enumerate(faces.values())
        for name, left, top, right, bottom in marked
    ]  # fmt: skip
    categories = [{"id": 3 + i, "name": name} for i, name in enumerate(NAMES)]
    return {"images": images, "annotations": annotations, "categories": categories}


def as_coco(root, faces=FACES, file="annotations/instances.json"):
    photos(root / "images", faces)
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(json.dumps(coco(faces)))


FORMATS = {"voc": as_voc, "yolo": as_yolo, "coco": as_coco}


def marked(photo):
    return [
        (face.class_name, face.box.left, face.box.top, face.box.right, face.box.bottom)
        for face in photo.faces
    ]


def read(root):
    return {photo.path.stem: marked(photo) for photo in read_boxes(root)}


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_same_faces_to_the_pixel(make, tmp_path):
    make(tmp_path)
    assert is_annotated(tmp_path)
    assert read(tmp_path) == FACES
    assert [photo.path for photo in read_boxes(tmp_path)] == [
        tmp_path / "images" / f"{name}.png" for name in FACES
    ]
    assert all(photo.split is None for photo in read_boxes(tmp_path))


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_train_and_test_folders_are_the_splits(make, tmp_path):
    make(tmp_path / "train", {"a": FACES["a"]})
    make(tmp_path / "valid", {"b": FACES["b"]})
    assert is_annotated(tmp_path) and read(tmp_path) == {n: FACES[n] for n in "ab"}
    listing = scan(tmp_path)
    assert [(p.path.stem, p.split) for p in listing.photos] == [("a", "train"), ("b", "val")]
    assert listing.class_names == tuple(NAMES)
    (tmp_path / "test" / "with_mask").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"test holds no annotated photos"):
        read_boxes(tmp_path)


def test_boxes_without_a_train_part_can_not_be_trained_on(tmp_path):
    as_voc(tmp_path / "test")
    with pytest.raises(DatasetError, match="has test but no train folder"):
        scan(tmp_path)


def test_the_names_and_splits_of_roboflows_yolo_are_read(tmp_path):
    for split, name in (("train", "a"), ("valid", "b"), ("test", "c")):
        photos(tmp_path / split / "images", [name])
        labels(tmp_path / split / "labels", {name: FACES[name]})
    (tmp_path / "data.yaml").write_text(f"train: ../train/images\nnc: 2\nnames: {NAMES}\n")
    (tmp_path / "README.roboflow.txt").write_text("exported")
    found = [(p.path.stem, p.split, marked(p)) for p in read_boxes(tmp_path)]
    assert sorted(found) == [
        ("a", "train", FACES["a"]), ("b", "val", FACES["b"]), ("c", "test", [])
    ]  # fmt: skip


def test_ultralytics_own_layout_and_numbered_names_are_read(tmp_path):
    for split, name in (("train", "a"), ("val", "b")):
        photos(tmp_path / "images" / split, [name])
        labels(tmp_path / "labels" / split, {name: FACES[name]})
    (tmp_path / "masks.yaml").write_text("names:\n  0: with_mask\n  1: without_mask\n")
    found = [(p.path.stem, p.split, marked(p)) for p in read_boxes(tmp_path)]
    assert found == [("a", "train", FACES["a"]), ("b", "val", FACES["b"])]


@pytest.mark.parametrize("make", [as_voc, as_yolo])
@pytest.mark.parametrize("beside", ["a.json", "a.txt", "a.xml", "a.npy", "a.zzz", "a.aaa"])
def test_other_programs_files_beside_the_photos_are_no_photos(make, beside, tmp_path):
    make(tmp_path)
    (tmp_path / "images" / beside).write_text("{}")
    assert read(tmp_path) == FACES
    assert read_boxes(tmp_path)[0].path.name == "a.png"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_names_of_classes_are_utf_8(encoding, tmp_path):
    as_yolo(tmp_path)
    (tmp_path / "classes.txt").write_text("maskiert ✓\nohne größe\n", encoding)
    assert {name for faces in read(tmp_path).values() for name, *_ in faces} == {
        "maskiert ✓", "ohne größe"
    }  # fmt: skip
    (tmp_path / "classes.txt").write_bytes("ohne größe\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"classes.txt can't be read .* in UTF-8"):
        read_boxes(tmp_path)


@pytest.mark.parametrize("folder", [".", "obj_train_data"])
def test_label_files_may_lie_beside_the_photos(folder, tmp_path):
    as_yolo(tmp_path, images=folder, texts=folder)
    assert read(tmp_path) == FACES


def test_a_polygon_is_boxed_and_a_score_is_passed_over(tmp_path):
    photos(tmp_path / "images", ["a"])
    labels(tmp_path / "labels", {"a": []})
    lines = "1 0.125 0.5 0.5 0.25 0.375 0.75\n0 0.5 0.5 0.25 0.5 0.93\n"
    (tmp_path / "labels" / "a.txt").write_text(lines)
    (tmp_path / "labels" / "classes.txt").write_text("with_mask\nwithout_mask\n")
    assert read(tmp_path) == {
        "a": [("without_mask", 10, 15, 40, 45), ("with_mask", 30, 15, 50, 45)]
    }


def test_parts_of_a_photo_on_its_side_are_parts_of_what_is_shown(tmp_path):
    """A camera held upright stores rows and columns as the sensor lies, and says so in EXIF."""
    (tmp_path / "images").mkdir()
    shown = np.zeros((80, 60, 3), np.uint8)
    shown[60:80, 0:15] = 255  # the lowest quarter, at the left
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to see it
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(shown)))
    stored.save(tmp_path / "images" / "a.png", exif=exif)
    labels(tmp_path / "labels", {})
    (tmp_path / "labels" / "a.txt").write_text("0 0.125 0.875 0.25 0.25")
    (tmp_path / "classes.txt").write_text("corner")
    assert read(tmp_path) == {"a": [("corner", 0, 60, 15, 80)]}


def test_a_photo_of_unknown_size_is_named_and_left_out(tmp_path, caplog):
    as_yolo(tmp_path)
    (tmp_path / "images" / "b.png").write_bytes(b"no photo")
    assert set(read(tmp_path)) == {"a", "c"} and "b.png" in caplog.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("7 0.5 0.5 0.1 0.1", "class 7.* 0 with_mask, 1 without_mask"),
        ("with_mask 0.5 0.5 0.1 0.1", "no YOLO label file"),
        ("0 0.5 0.5 0.1", "a line of 4 numbers"),
        ("0 nan 0.5 0.1 0.1", "no YOLO label file"),
        ("0 inf 0.5 0.1 0.1", "no YOLO label file"),
    ],
)
def test_what_is_no_label_file_is_named(text, words, tmp_path):
    as_yolo(tmp_path)
    (tmp_path / "labels" / "b.txt").write_text(text)
    with pytest.raises(DatasetError, match=rf"labels/b\.txt .*{words}"):
        read_boxes(tmp_path)


def test_numbers_without_names_are_no_classes(tmp_path):
    as_yolo(tmp_path)
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(DatasetError, match=r"expected a classes\.txt, or a data\.yaml"):
        read_boxes(tmp_path)


def test_cocos_own_layout_gives_the_splits(tmp_path):
    for split, name in (("train2017", "a"), ("val2017", "b")):
        photos(tmp_path / split, [name])
        file = tmp_path / "annotations" / f"instances_{split}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(coco({name: FACES[name]})))
        file.with_name(f"captions_{split}.json").write_text(json.dumps({"images": [], "x": 1}))
    found = [(p.path.stem, p.split, marked(p)) for p in read_boxes(tmp_path)]
    assert found == [("a", "train", FACES["a"]), ("b", "val", FACES["b"])]


def test_crowds_flat_boxes_and_addresses_of_other_machines_do_no_harm(tmp_path):
    as_coco(tmp_path)
    content = coco(prefix="/home/somebody/images/")
    extra = {"id": 9, "image_id": 8, "category_id": 3}
    content["annotations"] += [
        extra | {"iscrowd": 1, "bbox": [0, 0, 80, 60]}, extra | {"bbox": [5, 5, 0, 20]}
    ]  # fmt: skip
    (tmp_path / "annotations" / "instances.json").write_text(json.dumps(content))
    assert read(tmp_path) == FACES


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["images"][0].update(file_name="gone.png"), r"gone\.png .* is missing"),
        (lambda c: c["annotations"][0].update(category_id=99), "no COCO annotation .*99"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2]), "no COCO annotation"),
        (lambda c: c["annotations"][0].update(bbox=["x", 2, 3, 4]), "no COCO annotation"),
        (lambda c: c["annotations"][0].update(image_id=99), "does not list"),
        (lambda c: c["images"][0].pop("id"), "no COCO annotation .*id"),
    ],
)
def test_a_coco_file_that_contradicts_itself_is_named(change, words, tmp_path):
    as_coco(tmp_path)
    content = coco()
    change(content)
    (tmp_path / "annotations" / "instances.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=words):
        read_boxes(tmp_path)


def test_a_damaged_coco_file_is_named_and_not_taken_for_none(tmp_path):
    as_coco(tmp_path)
    file = tmp_path / "annotations" / "instances.json"
    file.write_text(file.read_text()[:-5])
    with pytest.raises(DatasetError, match=r"instances\.json is damaged .*expected a COCO file"):
        read_boxes(tmp_path)


def test_folders_of_classes_with_stray_files_are_no_boxes(tmp_path):
    write(tmp_path / "with_mask" / "a.png", textured_photo(0))
    (tmp_path / "classes.txt").write_text("with_mask")
    (tmp_path / "package.json").write_text(json.dumps({"images": [], "version": 1}))
    (tmp_path / "broken.json").write_text("{")
    assert not is_annotated(tmp_path)
    with pytest.raises(DatasetError, match=r"no annotated photos at .*PASCAL VOC, COCO, YOLO"):
        read_boxes(tmp_path)


def test_faces_read_from_yolo_are_what_the_voc_reader_cuts_out(data, tmp_path):
    """Twenty real street photos, written anew as YOLO and COCO by the formats' definitions."""
    real = read_boxes(data / "ilc2021")[:20]
    names = sorted({face.class_name for photo in real for face in photo.faces})
    (tmp_path / "labels").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("\n".join(names))
    for photo in real:
        (tmp_path / "images" / photo.path.name).symlink_to(photo.path)
        height, width = cv2.imread(str(photo.path)).shape[:2]
        lines = [
            f"{names.index(f.class_name)} {f.box.centre[0] / width:.9f} "
            f"{f.box.centre[1] / height:.9f} {f.box.width / width:.9f} {f.box.height / height:.9f}"
            for f in photo.faces
        ]
        (tmp_path / "labels" / f"{photo.path.stem}.txt").write_text("\n".join(lines))
    assert read(tmp_path) == {photo.path.stem: marked(photo) for photo in real}
