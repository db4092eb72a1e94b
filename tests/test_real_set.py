"""The public set of 4,094 photos: the audit's figures, a split without a leak, and the figures of
the shipped model, of which it is the larger source.
"""

import hashlib
import re
from collections import Counter

import numpy as np
import pytest
from conftest import SHIPPED_MODEL
from data_sets import assert_groups_are_whole, audit

from mask_detector.parts import split_photos


@pytest.fixture(scope="module")
def real(data):
    root = data / "masks4k"
    return root, audit(root)


def test_the_real_set_holds_what_counting_its_files_says(real):
    root, audited = real
    files = [path for path in root.rglob("*") if path.is_file()]
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert len(audited.photos) == len(hashes) == 3990
    assert len(audited.copies) == len(files) - len(hashes) == 104
    assert audited.skipped == ()
    assert audited.contradictions == ()
    assert audited.class_names == ("with_mask", "without_mask")


def test_the_real_sets_people_are_counted(real):
    _, audited = real
    names = (re.match(r"\d+_\d+_([a-z]{3,})_\d+", p.listed.path.name) for p in audited.photos)
    assert audited.people == Counter(match[1] for match in names if match)
    assert len(audited.people) == 99


@pytest.mark.parametrize("seed", [0, 42])
def test_nobody_of_the_real_set_is_in_two_splits(real, seed):
    root, audited = real
    splits = split_photos(audited, seed)
    side_of = {p.listed.path: split for split, part in splits.items() for p in part}
    assert len(side_of) == 3990
    people, augmented = {}, set()
    for path, split in side_of.items():
        match = re.match(r"\d+_\d+_([a-z]{3,})_\d+", path.name)
        if match:
            assert people.setdefault(match[1], split) == split
        if path.name.startswith("augmented_image"):
            augmented.add(split)
    assert len(people) == 99
    assert len(augmented) == 1
    assert_groups_are_whole(root, audited, splits)
    for name, share in (("train", 0.70), ("val", 0.15), ("test", 0.15)):
        for class_name in audited.class_names:
            of_class = [p for p in audited.photos if p.listed.class_name == class_name]
            here = [p for p in splits[name] if p.listed.class_name == class_name]
            # Not nearer: half of the bare people's small groups are to train.
            assert len(here) / len(of_class) == pytest.approx(share, abs=0.02)


def test_the_shipped_figures_are_those_of_its_test_split(real, data, keras, face_folder):
    """The card's numbers again, from the photos it was not trained on."""
    from sklearn.metrics import confusion_matrix

    from mask_detector.face_crops import add_face_crops, open_training_detector
    from mask_detector.images import crop_face, fit, read_image
    from mask_detector.mask_classifiers import load_classifier
    from mask_detector.training_data import gather

    classifier = load_classifier(SHIPPED_MODEL)
    card = classifier.card
    audits = [
        real[1] if name == "masks4k" else audit(data / name)
        for name in card.training_data["sources"]
    ]
    gathered = gather(
        audits, split_seed=card.training_options["split_seed"], class_names=card.class_names
    )
    assert gathered.fingerprint == card.training_data["fingerprint"]
    assert gathered.sources == card.training_data["sources"]
    test = {"test": gathered.splits["test"]}
    if card.training_options["crop"] != "none":
        test = add_face_crops(
            test,
            lambda: open_training_detector(face_folder),
        )
    crops = [
        read_image(sample.path)
        if sample.box is None
        else crop_face(read_image(sample.path), sample.box, card.crop_margin)
        for sample in test["test"]
    ]
    answers = classifier.predict(np.stack([fit(crop, card.image_size) for crop in crops]))
    labels = [sample.label for sample in test["test"]]
    again = confusion_matrix(labels, answers.argmax(axis=1))
    # Another processor rounds otherwise: a photo on the edge may fall to the other side.
    assert np.abs(again - card.metrics["confusion_matrix"]).max() <= 1
    assert f"n = {len(labels)}" in SHIPPED_MODEL.with_name("mask_detector_report.txt").read_text()
