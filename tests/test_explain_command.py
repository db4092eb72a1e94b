"""`explain` as users run it, with a small network that knows red from blue."""

import json

import cv2
import numpy as np
import pytest
from conftest import ROOT
from heat_models import colour_model, network_of, noisy, write_photo

from mask_detector.cli import main
from mask_detector.images import read_image
from mask_detector.model_file import save_model

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture(scope="module")
def model(keras, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "colours.keras"
    network = network_of(colour_model(keras, size=64))
    save_model(network.model, network.card, path)
    return path


@pytest.fixture
def photo(tmp_path):
    """96 x 192 pixels, a red square in the lower left."""
    picture = np.concatenate([noisy(1, (12, 60, 24, RED), size=96)[0], noisy(2, size=96)[0]], 1)
    return write_photo(tmp_path / "photos" / "belt.png", picture)


def explain(*arguments, code=0):
    assert main(["explain", *map(str, arguments)]) == code


def test_a_whole_photo_is_explained_and_its_hottest_region_boxed(model, photo, tmp_path, capsys):
    explain(photo, "-m", model, "--detector", "none", "--region", "--json", "-o", tmp_path / "out")
    record = json.loads(capsys.readouterr().out)
    assert (record["width"], record["height"]) == (192, 96)
    (face,) = record["faces"]
    assert face["box"] == [0, 0, 192, 96]
    assert face["class"] == "red" and face["probability"] > 0.7
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    odds = np.log(face["probability"] / (1 - face["probability"]))
    heat = face["heat"]
    assert heat["gain"] + heat["loss"] == pytest.approx(odds, abs=0.1)
    assert heat["places"] == [8, 8] and heat["hottest"] > 10
    left, top, right, bottom = face["region"]
    centre = (left + right) / 2, (top + bottom) / 2
    assert centre == pytest.approx((24, 72), abs=12)
    assert right - left <= 60 and bottom - top <= 40
    assert face["picture"] == str(tmp_path / "out" / "belt.png_heat.png")
    assert read_image(face["picture"]).shape[1] > 1000


def test_words_for_people_and_a_named_class(model, photo, tmp_path, capsys):
    explain(photo, "-m", model, "--detector", "none", "--class", "blue", "--region",
            "-o", tmp_path / "out")  # fmt: skip
    line = capsys.readouterr().out.strip()
    assert line.startswith(f"{photo}: blue ") and "against it -" in line
    assert "hottest region" not in line  # nothing speaks for blue


def test_every_face_of_a_photo_has_a_picture(model, portrait, face_folder, tmp_path, capsys):
    two = np.concatenate([portrait, portrait], axis=1)
    for name in ("a/two.jpg", "b/two.jpg"):
        (tmp_path / name).parent.mkdir()
        cv2.imwrite(str(tmp_path / name), two)
    explain(tmp_path / "a", tmp_path / "b", "-m", model, "-f", face_folder,
            "-o", tmp_path / "out", "--region", "0.2", "--json")  # fmt: skip
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = [(r, face) for r in records for face in r["faces"]]
    assert len(records) == 2 and len(found) == 4
    names = sorted(p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.rglob("*.png"))
    assert names == [f"{d}/two.jpg_face{i}_heat.png" for d in "ab" for i in (1, 2)]
    for record, face in found:
        left, top, right, bottom = face["region"]  # margin 0: it lies in the face
        assert face["box"][0] <= left < right <= face["box"][2] <= record["width"]
        assert face["box"][1] <= top < bottom <= face["box"][3] <= record["height"]


def test_a_photo_without_a_face_is_said_to_have_none(model, photo, face_folder, tmp_path, capsys):
    explain(photo, "-m", model, "-f", face_folder, "-o", tmp_path / "out")
    assert capsys.readouterr().out == f"{photo}: no face found\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--class", "green"], ["--class green", "blue, red"]),
        (["--layer", "nowhere"], ["no layer nowhere", "feature_map"]),
        (["--classes", "red,blue"], ["--classes", "contradicts"]),
        (["-m", ROOT / "models" / "mask_detector.tflite"], ["no gradients", ".keras"]),
        (["-m", "missing.keras"], ["missing.keras was not found"]),
    ],
)
def test_what_cannot_be_explained_is_one_clear_line(model, photo, tmp_path, capsys, options, words):
    given = ["--detector", "none", "-o", tmp_path / "out", *options]
    code = 2 if "--class" in options else 1
    explain(photo, *([] if "-m" in options else ["-m", model]), *given, code=code)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def test_a_missing_photo_is_told_before_the_model_is_loaded(tmp_path, capsys):
    explain(tmp_path / "no.jpg", "-m", "missing.keras", code=1)
    assert "no such photo" in capsys.readouterr().err


def test_a_model_without_feature_map_says_what_stands_in(keras, photo, tmp_path, capsys, caplog):
    layers = keras.layers
    old = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(3, 3, activation="relu", name="only"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    old.save(tmp_path / "old.h5")
    with caplog.at_level("INFO"):
        explain(photo, "-m", tmp_path / "old.h5", "--classes", "a,b", "--detector", "none",
                "-o", tmp_path / "out")  # fmt: skip
    assert "no layer feature_map" in caplog.text and "only, in 30 x 30 places" in caplog.text
