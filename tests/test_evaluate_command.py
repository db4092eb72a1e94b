"""`python -m mask_detector evaluate --boxes`: text, JSON, sweep, parts, wrong turns."""

import json

import cv2
import pytest
from conftest import SHIPPED_MODEL, assert_clear_error, textured_photo

from mask_detector.parts import split_photos

EVALUATE = ("-m", "mask_detector", "evaluate")
QUICK = ("--model", SHIPPED_MODEL.with_suffix(".tflite"))  # the `.keras` one takes seconds to load
FACE = (175, 110, 360, 345)  # of the portrait, seen by eye


def write_voc(root, name, picture, faces):
    """One photo and its annotation; faces are (left, top, right, bottom, class)."""
    for folder in ("images", "annotations"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(root / "images" / f"{name}.png"), picture)
    objects = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for left, top, right, bottom, label in faces
    )
    (root / "annotations" / f"{name}.xml").write_text(
        f"<annotation><filename>{name}.png</filename>{objects}</annotation>"
    )


@pytest.fixture(scope="module")
def streets(tmp_path_factory, portrait, masked_portrait):
    root = tmp_path_factory.mktemp("streets")
    write_voc(root, "bare", portrait, [(*FACE, "without_mask")])
    write_voc(root, "masked", masked_portrait, [(*FACE, "with_mask"), (5, 5, 15, 17, "with_mask")])
    write_voc(root, "hat", portrait, [(*FACE, "hat")])
    return root


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """24 unlike pictures without a face, each with one box."""
    root = tmp_path_factory.mktemp("crowd")
    for index in range(24):
        name = ("with_mask", "without_mask")[index % 2]
        write_voc(root, f"p{index}", textured_photo(index), [(10, 10, 60, 60, name)])
    return root


def test_the_classic_setting_is_measured_and_written(run_here, streets, tmp_path):
    options = ("--confidence", "0.5", "--detect-size", "300", "--margin", "0", "--raw-boxes")
    done = run_here("evaluate", "--boxes", streets, *options, "--json", tmp_path / "figures.json")
    assert done.returncode == 0, done.stderr
    assert "3 photos with 4 faces: with_mask 2, without_mask 1, hat 1" in done.stdout
    assert "detector ssd, confidence 0.5, detect size 300, crop margin 0" in done.stdout
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["detector"] == "ssd" and written["part"] == "all"
    assert not written["pyramid"]
    (report,) = written["settings"]
    assert report["setting"] == {"confidence": 0.5, "margin": 0.0, "detect_size": 300}
    assert report["found"][0]["found"]["with_mask"]["all"] == [1, 2]
    assert [score["ceiling"] for score in report["precision"]] == [0.75, 1.0, 0.75, 1.0]


def test_a_sweep_gives_every_combination_the_figures_it_has_alone(run, streets, tmp_path):
    judged = (*EVALUATE, *QUICK, "--boxes", streets)
    lists = ("-c", "0.2,0.5", "--margin", "0.1,0.3", "--detect-size", "300,400")
    done = run(*judged, "--sweep", *lists, "--json", tmp_path / "all.json")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith(("300 ", "400 "))]
    assert len(rows) == 8
    assert "size 400: centre" in done.stdout
    written = json.loads((tmp_path / "all.json").read_text())
    assert (
        written["pyramid"]
        and len(written["settings"]) == 8
        and set(written["box_offsets"]) == {"300", "400"}
    )

    one = ("-c", "0.5", "--margin", "0.1", "--detect-size", "400")
    run(*judged, *one, "--json", tmp_path / "one.json")
    figures = json.loads((tmp_path / "one.json").read_text())
    (alone,) = figures["settings"]
    assert figures["pyramid"]
    (same,) = [each for each in written["settings"] if each["setting"] == alone["setting"]]
    assert same["found"] == alone["found"]
    means = [score["mean"] for score in alone["precision"] if score["min_side"]]
    assert [score["mean"] for score in same["precision"]] == pytest.approx(means, abs=1e-6)


@pytest.mark.parametrize("part, seed", [("test", 42), ("val", 7)])
def test_a_part_is_that_of_the_trainings_split(run, crowd, tmp_path, part, seed):
    from data_sets import audit

    expected = split_photos(audit(crowd), seed)[part]
    done = run(
        *(*EVALUATE, *QUICK, "--boxes", crowd, "--part", part, "--split-seed", seed),
        *("--json", tmp_path / "figures.json"),
    )
    assert done.returncode == 0, done.stderr
    (report,) = json.loads((tmp_path / "figures.json").read_text())["settings"]
    names = [photo.listed.faces[0].class_name for photo in expected]
    assert report["photos"] == len(expected) < 24
    assert report["faces"] == {name: names.count(name) for name in ("with_mask", "without_mask")}


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--boxes", "nowhere"], ["nowhere", "PASCAL VOC"]),
        (["--boxes", "{streets}", "-c", "0.2,0.4"], ["--confidence", "2 values", "--sweep"]),
        (["--boxes", "{streets}", "--detect-size", "300,400"], ["--detect-size", "--sweep"]),
        (["--boxes", "{streets}", "--model", "none.keras"], ["none.keras"]),
        (["--boxes", "{streets}", "--json", "no/such/folder/f.json"], ["f.json"]),
    ],
    ids=str,
)
def test_a_wrong_turn_is_one_clear_line(run, streets, tmp_path, arguments, words):
    done = run(*EVALUATE, *(text.format(streets=streets) for text in arguments), cwd=tmp_path)
    assert_clear_error(done, *words, code=2 if "--sweep" in words else 1)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "--boxes"),
        (["--boxes", "x", "--detect-size", "12"], "from 64"),
        (["--boxes", "x", "--margin", "0.1,2"], "from 0 to 1"),
        (["--boxes", "x", "--part", "rest"], "--part"),
    ],
    ids=str,
)
def test_unusable_arguments_exit_with_2(run, arguments, words):
    done = run(*EVALUATE, *arguments)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
