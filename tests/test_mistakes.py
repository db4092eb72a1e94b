"""`mistakes` on pictures that are red or blue, some of them labelled as the other."""

import csv
import re

import pytest
from conftest import textured_photo
from data_sets import voc, write
from heat_models import colour_model, network_of

from mask_detector.cli import main
from mask_detector.images import read_image
from mask_detector.model_file import save_model

TINTS = {"blue": (60, 0, -60), "red": (-60, 0, 60)}  # BGR, added
SWAPPED = {"blue": [3, 8], "red": [5]}  # labelled so, but of the other colour


@pytest.fixture(scope="module")
def model(keras, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "colours.keras"
    network = network_of(colour_model(keras, slope=14.0))
    save_model(network.model, network.card, path)
    return path


def tinted(seed, colour):
    photo = textured_photo(seed).astype(int) // 2 + 64
    grey = photo.mean(axis=2, keepdims=True)  # no colour of its own
    return (grey + TINTS[colour]).clip(0, 255).astype("uint8")


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for start, (label, other) in enumerate((("blue", "red"), ("red", "blue"))):
        for i in range(12):
            colour = other if i in SWAPPED[label] else label
            write(root / label / f"{i:02d}.png", tinted(100 * start + i, colour))
    return root


def swapped_names():
    return {f"{label}/{i:02d}.png" for label, numbers in SWAPPED.items() for i in numbers}


def read_table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_labels_that_are_wrong_are_listed_and_nothing_else(model, photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["mistakes", "--dataset", str(photos), "-m", str(model), "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "judged 24 pictures: 21 right, 3 wrong\nlabels that look wrong: 3\n" in said
    rows = read_table(out / "labels_to_check.csv")
    assert {row["photo"] for row in rows} == swapped_names()
    for row in rows:
        assert row["photo"].startswith(row["labelled"]) and row["looks_like"] != row["labelled"]
        assert float(row["probability"]) >= float(row["class_mean"]) > 0.5
    confidence = [float(row["probability"]) for row in rows]
    assert confidence == sorted(confidence, reverse=True)


def test_the_page_needs_no_other_file_and_shows_what_it_says(model, photos, tmp_path):
    out = tmp_path / "out"
    assert main(["mistakes", "--dataset", str(photos), "-m", str(model), "-o", str(out),
                 "--count", "5"]) == 0  # fmt: skip
    page = (out / "mistakes.html").read_text()
    assert all(link.startswith("data:image/jpeg") for link in re.findall(r'src="([^"]*)"', page))
    assert not re.search(r"<(script|link)|url\(|https?://", page)
    wrong, right = re.findall(r"<section>.*?</section>", page, re.S)[:2]
    assert wrong.count("<figure>") == 3 and right.count("<figure>") == 5
    assert "surest first (3)" in wrong and "least sure first (5 of 21)" in right
    for name in swapped_names():
        assert name in wrong and name not in right
    assert len(page) < 400_000
    for name, pictures in (("mistakes.png", 3), ("unsure.png", 5)):
        sheet = read_image(out / name)
        assert sheet.shape[0] == 40 + -(-2 * pictures // 8) * 158


def test_marked_faces_are_judged_and_named_by_their_box(model, tmp_path):
    root = tmp_path / "streets"
    for i in range(6):
        photo = textured_photo(500 + i, (120, 160))
        boxes = []
        for left, colour in ((10, "blue"), (90, "red")):
            photo[30:70, left : left + 40] = tinted(700 + i, colour)[:40, :40]
            label = "red" if (i, colour) == (2, "blue") else colour
            boxes.append((label, left + 1, 31, left + 40, 70))
        write(root / "images" / f"{i}.png", photo)
        voc(root / "annotations" / f"{i}.xml", f"{i}.png", boxes)
    out = tmp_path / "out"
    assert main(["mistakes", "--dataset", str(root), "-m", str(model), "-o", str(out)]) == 0
    (row,) = read_table(out / "labels_to_check.csv")
    assert (row["photo"], row["left"], row["top"]) == ("images/2.png", "10", "30")
    assert "images/2.png at 10,30,40,40" in (out / "mistakes.html").read_text()


def test_names_are_shown_as_they_are_not_as_markup(keras, photos, tmp_path):
    network = network_of(colour_model(keras, slope=14.0), names=("<b>lue", "$red"))
    save_model(network.model, network.card, tmp_path / "odd.keras")
    for old, new in zip(("blue", "red"), network.card.class_names, strict=True):
        (photos / old).rename(photos / new)
    out = tmp_path / "out"
    assert main(["mistakes", "--dataset", str(photos), "-m", str(tmp_path / "odd.keras"),
                 "-o", str(out)]) == 0  # fmt: skip
    page = (out / "mistakes.html").read_text()
    assert "<b>lue" not in page and "&lt;b&gt;lue" in page and "$red" in page


def test_a_model_without_mistakes_makes_a_page_that_says_so(model, photos, tmp_path, capsys):
    for name in swapped_names():
        (photos / name).unlink()
    out = tmp_path / "out"
    assert main(["mistakes", "--dataset", str(photos), "-m", str(model), "-o", str(out)]) == 0
    assert "21 right, 0 wrong\nlabels that look wrong: 0" in capsys.readouterr().out
    page = (out / "mistakes.html").read_text()
    assert page.count("<p>None.</p>") == 2
    assert read_table(out / "labels_to_check.csv") == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--margin", "0.1"], "--margin is for faces that are cut out"),
        (["-o", "{photos}/blue/00.png/out"], "can't be written"),
        (["-m", "models/mask_detector.tflite"], "no gradients"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(model, photos, tmp_path, capsys, options, words):
    given = [option.format(photos=photos) for option in options]
    defaults = ["-o", str(tmp_path / "out"), "-m", str(model)]
    assert main(["mistakes", "--dataset", str(photos), *defaults, *given]) == (
        2 if "--margin" in given else 1
    )
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and words in errors[0]
