"""A photo with one face is trained on whole and cut out, and judged cut out."""

import cv2
import numpy as np
import pytest
from conftest import textured_photo
from data_sets import write

from mask_detector.commands.cropping import with_face_crops
from mask_detector.detection_scores import iou_of
from mask_detector.face_boxes import edges_of
from mask_detector.face_crops import add_face_crops, open_training_detector
from mask_detector.training_data import TrainingData
from mask_detector.types import FaceBox, Sample


@pytest.fixture(scope="module")
def photos(portrait, masked_portrait, tmp_path_factory):
    """Photos by what they show."""
    folder = tmp_path_factory.mktemp("photos")
    small = cv2.resize(portrait, (36, 42), interpolation=cv2.INTER_AREA)
    shown = {
        "bare": portrait,
        "masked": masked_portrait,
        "nobody": textured_photo(0, (200, 200)),
        "two": np.hstack([portrait, masked_portrait[:, ::-1]]),
        "few pixels": small,
    }
    for name, photo in shown.items():
        write(folder / f"{name}.png", photo)
    return {name: folder / f"{name}.png" for name in shown}


@pytest.fixture(scope="module")
def detector(face_folder):
    return open_training_detector(face_folder)


def looked_at(splits, face_folder):
    return add_face_crops(
        splits,
        lambda: open_training_detector(face_folder),
    )


def test_training_shows_the_photo_and_its_face_the_other_sides_the_face_alone(
    photos, face_folder, detector
):
    both = [Sample(photos["bare"], 1, 7), Sample(photos["masked"], 0, 8)]
    found = looked_at({"train": both, "val": both, "test": both[1:]}, face_folder)
    boxes = {}
    for sample in both:
        (boxes[sample.path],) = detector.detect(cv2.imread(str(sample.path)))  # BGR, by OpenCV
    cut_out = [Sample(s.path, s.label, s.group, boxes[s.path]) for s in both]
    assert found == {
        "train": [both[0], cut_out[0], both[1], cut_out[1]],
        "val": cut_out,
        "test": cut_out[1:],
    }


@pytest.mark.parametrize("name", ["nobody", "two", "few pixels"])
def test_a_photo_without_one_clear_face_stays_whole(name, photos, face_folder, detector):
    seen = detector.detect(cv2.imread(str(photos[name])))
    assert len(seen) == {"nobody": 0, "two": 2, "few pixels": 1}[name]
    assert name != "few pixels" or min(seen[0].width, seen[0].height) < 16
    splits = {split: [Sample(photos[name], 1, 3)] for split in ("train", "val", "test")}
    assert looked_at(splits, face_folder) == splits


def test_faces_that_are_marked_stay_as_they_are_marked(photos, face_folder):
    marked = Sample(photos["bare"], 0, 1, FaceBox(1, 2, 30, 40, 1.0))
    splits = {"train": [marked], "val": [], "test": [marked]}
    assert looked_at(splits, face_folder) == splits


@pytest.mark.parametrize(
    ("crop", "class_names", "is_cut_out"),
    [
        ("none", ("with_mask", "without_mask"), False),
        ("auto", ("with_mask", "without_mask"), True),
        ("auto", ("faulty", "sound"), False),
        ("faces", ("faulty", "sound"), True),
    ],
)
def test_training_and_export_see_faces_where_the_option_says_so(
    photos, face_folder, crop, class_names, is_cut_out
):
    samples = [Sample(photos["bare"], 1, 7)]
    data = TrainingData(class_names, {"train": samples, "val": samples}, {}, 0, (), "")
    splits = with_face_crops(data, crop, face_folder).splits
    assert (splits == data.splits) is not is_cut_out
    assert (splits["val"][0].box is not None) is is_cut_out


def test_many_photos_keep_their_order_and_their_own_faces(portrait, face_folder, tmp_path):
    """Several threads look; each photo shows the face somewhere else."""
    samples, height = [], portrait.shape[0]
    for index in range(9):
        shifted = cv2.warpAffine(
            portrait, np.float32([[1, 0, 20 * index - 80], [0, 1, 0]]), portrait.shape[1::-1]
        )
        write(tmp_path / f"{index}.jpg", shifted)
        samples.append(Sample(tmp_path / f"{index}.jpg", index % 2, index))
    found = looked_at({"train": samples, "val": [], "test": []}, face_folder)["train"]
    assert found[::2] == samples
    assert [(s.path, s.label, s.group) for s in found[1::2]] == [
        (s.path, s.label, s.group) for s in samples
    ]
    centres = np.array([(s.box.left + s.box.right) / 2 for s in found[1::2]])
    np.testing.assert_allclose(np.diff(centres), 20, atol=8)
    assert all(0 <= s.box.top < s.box.bottom <= height for s in found[1::2])


def test_a_face_that_fills_the_photo_is_cut_out_whole(close_up, detector):
    """Most training photos are such; a detector that sees many pixels finds them in halves."""
    photo, drawn = close_up
    (found,) = detector.detect(photo)
    assert iou_of(edges_of([found]), drawn)[0, 0] > 0.8
