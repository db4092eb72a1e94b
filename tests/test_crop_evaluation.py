"""The classifier alone on labelled pictures: crops against squares painted by hand, the command
line with a model that knows red from blue.
"""

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
from conftest import assert_clear_error, textured_photo

from mask_detector.audit import audit_dataset
from mask_detector.crop_evaluation import evaluate_crops, judge_crops, list_crops
from mask_detector.crop_report import crop_text, order_by_interest, tiles_of, write_verdicts
from mask_detector.errors import DatasetError
from mask_detector.export import export_tflite
from mask_detector.model_file import save_model
from mask_detector.parts import split_photos
from mask_detector.types import ModelCard

NAMES = ("with_mask", "without_mask")
RED, BLUE = (0, 0, 255), (255, 0, 0)  # BGR; the models below call red masked


class RedIsMasked:
    """p(with_mask) is the mean of the crop's red as a part of 255."""

    card = ModelCard(NAMES, 16)

    def __init__(self):
        self.seen = 0

    def predict(self, crops):
        self.seen += len(crops)
        red = crops[..., 0].mean(axis=(1, 2)) / 255
        return np.stack([red, 1 - red], axis=1).astype(np.float32)


def photo_with(seed, *squares, size=(120, 160)):
    """A textured photo with squares (left, top, side, colour) painted on black surroundings."""
    photo = textured_photo(seed, size)
    for left, top, side, colour in squares:
        edge, end = side // 2, 3 * side // 2
        photo[max(0, top - edge) : top + end, max(0, left - edge) : left + end] = 0
        photo[top : top + side, left : left + side] = colour
    return photo


def write_annotated(root, photos):
    """Photos and their marks: name -> (picture, [(left, top, width, height, class)])."""
    for folder in ("images", "annotations"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, (photo, faces) in photos.items():
        cv2.imwrite(str(root / "images" / f"{name}.png"), photo)
        objects = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
            f"<xmax>{x + width}</xmax><ymax>{y + height}</ymax></bndbox></object>"
            for x, y, width, height, label in faces
        )
        (root / "annotations" / f"{name}.xml").write_text(f"<annotation>{objects}</annotation>")
    return root


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """Three photos: a red and a blue face, a red one called bare, small and strange ones."""
    both = photo_with(1, (30, 40, 40, RED), (110, 40, 20, BLUE))
    wrong = photo_with(2, (60, 50, 30, RED))
    return write_annotated(
        tmp_path_factory.mktemp("streets"),
        {
            "a": (both, [(30, 40, 40, 40, "mask"), (110, 40, 20, 20, "no_mask")]),
            "b": (wrong, [(60, 50, 30, 30, "no_mask"), (2, 2, 12, 30, "mask")]),
            "c": (
                photo_with(3),
                [
                    (9, 9, 60, 60, "incorrect_mask"),
                    (400, 9, 50, 50, "mask"),
                    (150, 60, 50, 40, "mask"),
                ],
            ),
        },
    )


@pytest.fixture(scope="module")
def crops(streets):
    audit = audit_dataset(streets)
    return list_crops(audit, audit.photos, NAMES)


@pytest.fixture(scope="module")
def judged(crops):
    return judge_crops(crops, RedIsMasked(), [0.0, 0.5])


def folder_of_crops(root, reds, blues, swapped=0):
    """Red and blue faces with some texture; `swapped` red ones lie in the wrong folder."""
    for index in range(reds + blues + swapped):
        is_red = index < reds or index >= reds + blues
        folder = root / ("WithMask" if index < reds else "WithoutMask")
        folder.mkdir(parents=True, exist_ok=True)
        photo = textured_photo(index, (32, 32)) // 4 + np.uint8(RED if is_red else BLUE) // 4 * 3
        cv2.imwrite(str(folder / f"{index:03d}.png"), photo)
    return root


@pytest.fixture(scope="module")
def model(keras, tmp_path_factory):
    """Two logits, 8 x red and 8 x blue of 0-1, tempered by 2; verdicts below 0.9 are not given."""
    inputs = keras.Input((24, 24, 3))
    means = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    network = keras.Model(inputs, keras.layers.Dense(2, "softmax", use_bias=False)(means))
    network.layers[-1].set_weights([np.array([[8, 0], [0, 0], [0, 8]], np.float32)])
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    card = ModelCard(NAMES, 24, temperature=2.0, thresholds={"not_sure": 0.9})
    save_model(network, card, path)
    export_tflite(network, card, path.with_suffix(".tflite"), number_format="float32")
    return path


@pytest.fixture(scope="module")
def quick_model(model):
    """The same for LiteRT, so that no process has to load TensorFlow."""
    return model.with_suffix(".tflite")


# ---------------------------------------------------------------- which pictures


def test_faces_are_listed_by_meaning_and_the_rest_counted(crops):
    found = [(s.path.stem, s.label, s.box.left, s.box.width) for s in crops.samples]
    assert found == [("a", 0, 30, 40), ("a", 1, 110, 20), ("b", 1, 60, 30)]
    assert crops.left_out == {
        "smaller than 16 px": 2,  # of one 10 of its 50 pixels are in the photo
        "of class incorrect_mask, which the model does not know": 1,
        "marked outside their photo": 1,
    }


def test_the_smallest_face_can_be_chosen(streets):
    audit = audit_dataset(streets)
    sides = {
        least: [min(s.box.width, s.box.height) for s in
                list_crops(audit, audit.photos, NAMES, least).samples]
        for least in (0, 12, 13, 31)
    }  # fmt: skip
    assert sides == {0: [40, 20, 30, 12, 10], 12: [40, 20, 30, 12], 13: [40, 20, 30], 31: [40]}


@pytest.mark.parametrize(
    ("classes", "least", "words"),
    [(("cat", "dog"), 16, "the model does not know.*cat, dog"), (NAMES, 99, "smaller than 99 px")],
)
def test_nothing_left_to_judge_is_an_error(streets, classes, least, words):
    audit = audit_dataset(streets)
    with pytest.raises(DatasetError, match=words):
        list_crops(audit, audit.photos, classes, least)


def test_augmented_copies_of_unknown_photos_are_drawn_one_by_one(tmp_path):
    root = folder_of_crops(tmp_path, 6, 6)
    for path in list((root / "WithMask").iterdir()):
        path.rename(path.with_name(f"Augmented_{path.name}"))
    audit = audit_dataset(root)
    assert len({photo.group for photo in audit.photos if photo.source == ""}) == 1
    samples = list_crops(audit, audit.photos, NAMES).samples
    augmented = [s.group for s in samples if s.path.name.startswith("Augmented")]
    assert len(set(augmented)) == 6
    assert not set(augmented) & {photo.group for photo in audit.photos}


# ---------------------------------------------------------------- judging


def test_faces_are_cut_out_at_every_margin(judged):
    np.testing.assert_allclose(judged[0.0][:, 0], [1, 0, 1], atol=1e-6)  # the pure colours
    half = judged[0.5][:, 0]  # black on every side, half as wide as the face: a quarter is red
    assert (half[0], half[2]) == pytest.approx((0.25, 0.25), abs=0.03)
    assert half[1] == pytest.approx(0.0, abs=0.03)


def test_each_face_is_judged_once_per_margin(crops):
    classifier = RedIsMasked()
    judge_crops(crops, classifier, [0.0, 0.0, 0.2])
    assert classifier.seen == 2 * 3


def test_photos_of_a_folder_are_judged_whole_in_their_order(tmp_path):
    root = folder_of_crops(tmp_path, 50, 20)  # more than are decoded at once
    audit = audit_dataset(root)
    crops = list_crops(audit, audit.photos, NAMES)
    ((margin, probabilities),) = judge_crops(crops, RedIsMasked(), [0.0, 0.3]).items()
    assert margin is None
    for sample, answer in zip(crops.samples, probabilities, strict=True):
        red = cv2.imread(str(sample.path))[..., 2].mean() / 255
        assert answer[0] == pytest.approx(red, abs=0.01)
    assert (probabilities.argmax(axis=1) == crops.labels).all()


# ---------------------------------------------------------------- figures and files


def test_a_report_is_as_counted_by_hand(crops, judged):
    report = evaluate_crops(crops, judged[0.0], 0.0, not_sure=0.6)
    assert report.report.confusion_matrix == ((1, 0), (1, 1))
    assert report.scores.balanced_accuracy.value == pytest.approx((1 + 1 / 2) / 2)
    sizes = [{k: (e.value, e.n) for k, e in s.items() if e.n} for s in report.recall_by_size]
    assert sizes == [{"24-48": (1.0, 1)}, {"16-24": (1.0, 1), "24-48": (0.0, 1)}]
    assert report.unsure.value == 0.0
    assert (report.right_of_given.value, report.right_of_given.n) == (2 / 3, 3)


def test_unsure_verdicts_are_counted_apart(crops):
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.55, 0.45]])
    report = evaluate_crops(crops, probabilities, 0.0, not_sure=0.6)
    assert (report.unsure.value, report.unsure.n) == (1 / 3, 3)
    assert (report.right_of_given.value, report.right_of_given.n) == (1.0, 2)


def test_the_text_names_figures_intervals_and_the_worst_margin(crops, judged):
    reports = [evaluate_crops(crops, p, margin, 0.6) for margin, p in judged.items()]
    lines = [" ".join(line.split()) for line in crop_text(crops, reports).splitlines()]
    assert lines[0] == "3 faces: with_mask 1, without_mask 2"
    assert "left out: 2 faces smaller than 16 px" in lines
    assert "accuracy 0.667 0.208-0.939 3" in lines  # Wilson's 2 of 3
    assert "faces 16-24 px 1.000 0.207-1.000 1" in lines
    assert lines[-1] == "worst margin: 0.5, balanced accuracy 0.500"
    assert sum(line.startswith("crop margin") for line in lines) == 2
    assert not any("worst" in line for line in crop_text(crops, reports[:1]).splitlines())


def test_the_surest_mistakes_and_the_least_sure_right_verdicts_come_first():
    first = np.array([0.9, 0.6, 0.2, 0.99, 0.7, 0.55])
    wrong, right = order_by_interest(np.stack([first, 1 - first], 1), np.array([1, 0, 0, 0, 1, 0]))
    assert wrong.tolist() == [0, 2, 4]
    assert right.tolist() == [5, 1, 3]


def test_tiles_show_the_crop_the_answer_and_the_truth(crops, judged):
    (tile,) = tiles_of(crops, judged[0.0], [2], 0.0)
    assert (tile.first_line, tile.second_line) == ("with_mask 100 %", "true: without_mask")
    assert tile.image.shape == (112, 112, 3) and (tile.image == RED[::-1]).all()


def test_verdicts_are_written_with_box_truth_and_probabilities(crops, judged, tmp_path):
    write_verdicts(crops, judged[0.5], 0.8, tmp_path / "new" / "v.csv")
    with (tmp_path / "new" / "v.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["photo"], r["left"], r["right"], r["true_class"]) for r in rows] == [
        ("images/a.png", "30", "70", "with_mask"),  # the one mistake
        ("images/b.png", "60", "90", "without_mask"),
        ("images/a.png", "110", "130", "without_mask"),
    ]
    assert [r["is_right"] for r in rows] == ["0", "1", "1"]
    assert [r["verdict"] for r in rows] == ["Not sure", "Not sure", "without_mask"]
    for row in rows:
        assert float(row["p(with_mask)"]) + float(row["p(without_mask)"]) == pytest.approx(1)


# ---------------------------------------------------------------- the command line


EVALUATE = ("-m", "mask_detector", "evaluate")


def test_a_folder_of_classes_is_judged_and_everything_written(run_here, model, tmp_path):
    root = folder_of_crops(tmp_path / "faces", 20, 17, swapped=3)
    figures, output = tmp_path / "figures.json", tmp_path / "out" / "deep"
    options = ("-m", model, "--json", figures, "--output", output)
    done = run_here("evaluate", "--dataset", root, *options)
    assert done.returncode == 0, done.stderr
    assert "40 photos: with_mask 20, without_mask 20" in done.stdout
    written = json.loads(figures.read_text())
    assert (written["dataset"], written["part"]) == (str(root), "all")
    (report,) = written["margins"]
    assert report["margin"] is None
    assert report["report"]["confusion_matrix"] == [[20, 0], [3, 17]]
    assert report["scores"]["balanced_accuracy"]["value"] == pytest.approx(0.925)
    assert report["not_sure"] == 0.9
    assert sorted(path.name for path in output.iterdir()) == [
        "confusion_matrix.png", "curves.png", "mistakes.png", "reliability.png", "unsure.png",
        "verdicts.csv",
    ]  # fmt: skip
    mistakes, unsure = (cv2.imread(str(output / f"{n}.png")) for n in ("mistakes", "unsure"))
    assert (len(unsure) - 40) == 5 * (len(mistakes) - 40)  # rows of eight: 37 right, 3 wrong
    with (output / "verdicts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40 and (root / rows[0]["photo"]).is_file()


def test_pictures_of_one_class_alone_give_its_recall(run_here, model, tmp_path):
    root = folder_of_crops(tmp_path / "faces", 4, 5, swapped=1)
    shutil.rmtree(root / "WithMask")
    output = tmp_path / "out"
    done = run_here("evaluate", "--dataset", root, "-m", model, "--json", "--output", output)
    assert done.returncode == 0, done.stderr
    assert "6 photos: with_mask 0, without_mask 6" in done.stderr
    per_class = json.loads(done.stdout)["per_class"]
    assert per_class["without_mask"]["recall"] == pytest.approx(5 / 6)
    assert per_class["with_mask"]["n"] == 0
    assert (output / "curves.png").is_file()


def test_one_part_of_marked_photos_at_several_margins(run, quick_model, tmp_path):
    marked = {
        f"p{i}": (photo_with(i, (60, 50, 30, (RED, BLUE)[i % 2])), [(60, 50, 30, 30, NAMES[i % 2])])
        for i in range(24)
    }
    root = write_annotated(tmp_path / "marked", marked)
    options = ("--part", "val", "--split-seed", "5", "--margin", "0,0.2", "--smallest-face", "24")
    output = ("--output", tmp_path / "out", "--json", tmp_path / "out" / "figures.json")
    done = run(*EVALUATE, "--dataset", root, "-m", quick_model, *options, *output)
    assert done.returncode == 0, done.stderr
    photos = split_photos(audit_dataset(root), 5)["val"]
    assert f"{len(photos)} faces" in done.stdout
    assert "worst margin" in done.stdout.splitlines()[-3]
    with (tmp_path / "out" / "margin_0.2" / "verdicts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["photo"] for row in rows} == {f"images/{p.listed.path.name}" for p in photos}
    written = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [report["margin"] for report in written["margins"]] == [0.0, 0.2]
    assert written["smallest_face"] == 24
    done = run(*EVALUATE, "--dataset", root, "-m", quick_model, "--crop", "faces")
    assert_clear_error(done, "--crop faces", "are marked", code=2)


@pytest.mark.parametrize(
    ("code", "arguments", "words"),
    [
        (2, ["--dataset", "{faces}", "--margin", "0.3"], ["--margin", "judged whole"]),
        (2, ["--dataset", "{faces}", "--sweep"], ["--sweep", "--boxes"]),
        (2, ["--dataset", "{faces}", "--raw-boxes"], ["--raw-boxes", "--boxes"]),
        (2, ["--dataset", "{faces}", "--confidence", "0.3"], ["--confidence", "--boxes"]),
        (2, ["--boxes", "{faces}", "--sweep", "--output", "{faces}"], ["--output", "--sweep"]),
        (2, ["--boxes", "{faces}", "--smallest-face", "30"], ["--smallest-face", "--dataset"]),
        (2, ["--boxes", "{faces}", "--crop", "faces"], ["--crop", "--dataset"]),
        (2, ["--dataset", "{faces}", "--smallest-face", "30"], ["--smallest-face", "has none"]),
        (1, ["--dataset", "{faces}/none"], ["none", "one folder of photos per class"]),
        (1, ["--dataset", "{faces}", "--output", "{model}/out"], ["out", "can't be written"]),
        (1, ["--dataset", "{faces}", "--json", "{faces}/no/f.json"], ["f.json", "no folder"]),
        (1, ["--dataset", "{letters}"], ["nothing to judge", "with_mask, without_mask"]),
    ],
)
def test_wrong_turns_end_in_one_line(run, quick_model, tmp_path, code, arguments, words):
    places = {"faces": folder_of_crops(tmp_path / "faces", 3, 3), "model": quick_model}
    places["letters"] = folder_of_crops(tmp_path / "letters", 3, 3)
    for old, new in (("WithMask", "a"), ("WithoutMask", "b")):
        (places["letters"] / old).rename(places["letters"] / new)
    done = run(*EVALUATE, *(a.format(**places) for a in arguments), "-m", quick_model)
    assert_clear_error(done, *words, code=code)
