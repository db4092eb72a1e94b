"""The whole way on real photos and clips: train, judge, watch; and the shipped model's figures."""

import json
import re

import numpy as np
import pytest
from conftest import SHIPPED_MODEL


def test_a_small_training_on_real_photos_judges_others(
    data, imagenet, tmp_path, run, run_here, face_folder
):
    """Every twentieth photo of the real set trains; photos of another source are judged."""
    for name in ("with_mask", "without_mask"):
        (tmp_path / "dataset" / name).mkdir(parents=True)
        for photo in sorted((data / "masks4k" / name).iterdir())[::20]:
            (tmp_path / "dataset" / name / photo.name).symlink_to(photo)
    done = run(
        "train_mask_detector.py", "--dataset", "dataset", "--model", "m.keras", "--plot", "p.png",
        "--epochs", "4", "--fine-tune-epochs", "2", "--views", "3", "--image-size", "96",
        "--export", "none",
        "--backbone-weights", imagenet, "--face", face_folder, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = re.search(r"^dataset: train (\d+), val (\d+), test (\d+)$", done.stdout, re.M)
    pictures = re.search(r"^pictures: train (\d+), val (\d+), test (\d+)$", done.stdout, re.M)
    assert counts.groups()[1:] == pictures.groups()[1:]  # each judged once
    assert 1.5 < int(pictures[1]) / int(counts[1]) < 2  # most faces are found, and shown twice
    from mask_detector.mask_classifiers import load_classifier

    classifier = load_classifier(tmp_path / "m.keras")
    assert accuracy_on_other_faces(classifier, data) > 0.85
    options = ("--part", "test", "--crop", "faces", "--face", face_folder, "--json")
    judged = run_here(
        "evaluate", "--dataset", "dataset", "-m", "m.keras", *options, cwd=tmp_path
    )  # as the training judged it
    assert "judged whole: " in judged.stderr
    figures, card = json.loads(judged.stdout), classifier.card
    assert figures["confusion_matrix"] == card.metrics["confusion_matrix"]


def accuracy_on_other_faces(classifier, data):
    """Part of every tenth face crop of `faces12k`, a set never trained on, that is right."""
    from mask_detector.images import fit, read_image

    size = classifier.card.image_size
    paths = [
        path
        for name in classifier.card.class_names
        for path in sorted((data / "faces12k" / name).iterdir())[::10]
    ]
    crops = np.stack([fit(read_image(path), size) for path in paths])
    answers = classifier.predict(crops).argmax(axis=1)
    names = np.array(classifier.card.class_names)
    return (names[answers] == [path.parent.name for path in paths]).mean()


def test_the_shipped_model_judges_faces_of_another_source(data, keras):
    from mask_detector.mask_classifiers import load_classifier

    assert accuracy_on_other_faces(load_classifier(SHIPPED_MODEL), data) > 0.97


@pytest.mark.parametrize(
    ("clip", "verdict"), [("gituatu_mask", "Mask"), ("yash_nomask", "No Mask")]
)
def test_a_real_clip_is_judged_right_from_start_to_end(clip, verdict, data, run, face_folder):
    done = run("detect_mask_video.py", "--source", data / "videos" / f"{clip}.mp4", "--no-display")
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    frames, faces = map(int, re.match(r"(\d+) frames?, (\d+) faces?", last).groups())
    right = int(re.search(rf"[( ]{verdict} (\d+)", last).group(1))
    assert faces >= 0.9 * frames and right >= 0.98 * faces, last


def test_a_real_photo_is_judged_with_its_box(data, run, face_folder):
    """A street photo with a person who drew boxes on it: ours lie on theirs."""
    annotation = data / "ilc2021" / "annotations"
    from xml.etree import ElementTree

    photos, drawn = [], {}
    for file in sorted(annotation.glob("*.xml"))[:400]:
        root = ElementTree.parse(file).getroot()
        photo = data / "ilc2021" / "images" / f"{file.stem}.jpg"
        boxes = [
            [int(float(box.find(key).text)) for key in ("xmin", "ymin", "xmax", "ymax")]
            for box in root.iter("bndbox")
        ]
        if photo.exists() and len(boxes) == 1 and boxes[0][2] - boxes[0][0] > 80:
            photos.append(photo)
            drawn[str(photo)] = boxes[0]
    done = run("-m", "mask_detector", "image", "--json", *photos[:20])
    records = [json.loads(line) for line in done.stdout.splitlines()]
    best = [
        max((overlap(face["box"], drawn[record["path"]]) for face in record["faces"]), default=0)
        for record in records
    ]
    assert len(records) == 20 and np.mean(np.array(best) > 0.4) > 0.8


def overlap(a, b):
    """Intersection over union of two boxes, by counting pixels."""
    grid = np.zeros((2, max(a[3], b[3]), max(a[2], b[2])), bool)
    for layer, (left, top, right, bottom) in zip(grid, (a, b), strict=True):
        layer[max(0, top) : bottom, max(0, left) : right] = True
    return grid.all(axis=0).sum() / grid.any(axis=0).sum()
