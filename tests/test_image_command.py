"""`python -m mask_detector image`: lines, JSON, copies, and photos that can't be read."""

import json
import re
import shutil
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import SHIPPED_MODEL, assert_clear_error

from mask_detector.face_detectors import open_detector
from mask_detector.model_file import read_card, save_tflite

IMAGE = ("-m", "mask_detector", "image")
NAMES = ("with_mask", "without_mask")


@pytest.fixture
def album(tmp_path, portrait, masked_portrait):
    """A working folder with photos in subfolders."""
    for name in ("photos/sub", "photos/more", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "photos/bare.png"), portrait)
    cv2.imwrite(str(tmp_path / "photos/sub/masked ü.png"), masked_portrait)
    cv2.imwrite(str(tmp_path / "elsewhere/wall.png"), np.full((90, 120, 3), 128, np.uint8))
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_line_per_face_and_annotated_copies(run, album, portrait, face_folder):
    (album / "photos" / "broken.jpg").write_bytes(b"no photo")
    (album / "photos" / "notes.txt").write_text("no photo either")
    before = contents(album)
    done = run(*IMAGE, "photos", "elsewhere/wall.png", "--output", "out", cwd=album)
    assert done.returncode == 0, done.stderr
    bare, masked, wall = done.stdout.splitlines()
    verdict = re.compile(r"(.*): (Mask|No Mask) \(Confidence: (\d+)%\) at (\d+),(\d+),(\d+),(\d+)")
    for line, path in ((bare, "photos/bare.png"), (masked, "photos/sub/masked ü.png")):
        match = verdict.fullmatch(line)
        assert match and match[1] == path and 50 <= int(match[3]) <= 100, line
    (box,) = open_detector("ssd", folder=face_folder, confidence=0.5).detect(portrait)
    assert bare.endswith(f" at {box.left},{box.top},{box.right - box.left},{box.bottom - box.top}")
    assert wall == "elsewhere/wall.png: no face found"
    for name in ("photos/broken.jpg", "photos/notes.txt"):
        assert name in done.stderr
    assert "2 unreadable files skipped" in done.stderr and "Traceback" not in done.stderr

    after = contents(album)
    assert {path: after[path] for path in before} == before
    written = {str(path.relative_to(album / "out")) for path in set(after) - set(before)}
    assert written == {"photos/bare.png", "photos/sub/masked ü.png", "elsewhere/wall.png"}
    copy = cv2.imread(str(album / "out/photos/bare.png")).astype(int)
    changed = np.abs(copy - portrait).max(axis=2) > 60
    assert changed[box.top + 10 : box.bottom - 10, box.left].mean() > 0.8
    assert not changed[box.bottom + 20 :].any()


def test_json_says_everything_of_every_face(run, album, portrait):
    model = SHIPPED_MODEL.with_suffix(".tflite")
    arguments = ("photos/bare.png", "elsewhere/wall.png", "--json", "--confidence", "0.01")
    done = run(*IMAGE, *arguments, "--model", model, cwd=album)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    photo, wall = (json.loads(line) for line in done.stdout.splitlines())
    for record in (photo, wall):
        assert set(record) == {"path", "width", "height", "faces"}
    assert (photo["path"], photo["width"], photo["height"]) == ("photos/bare.png", 512, 600)
    assert (wall["path"], wall["width"], wall["height"]) == ("elsewhere/wall.png", 120, 90)
    scores = [face["detector_score"] for face in photo["faces"]]
    assert scores and scores == sorted(scores, reverse=True) and min(scores) >= 0.01
    least = max(0.7, read_card(model).thresholds["not_sure"])
    for face in photo["faces"] + wall["faces"]:
        keys = {"box", "detector_score", "label", "confidence", "clear", "sure"}
        keys |= {"probabilities"}
        assert set(face) == keys
        if abs(face["confidence"] - least) > 1e-4:  # it is rounded
            assert face["sure"] == (face["clear"] and face["confidence"] > least)
        assert set(face["probabilities"]) == set(NAMES)
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert face["label"] == max(face["probabilities"], key=face["probabilities"].get)
        assert face["confidence"] == face["probabilities"][face["label"]]
    assert photo["faces"][0]["clear"] and photo["faces"][0]["sure"]
    left, top, right, bottom = photo["faces"][0]["box"]
    assert 0 <= left < right <= 512 and 0 <= top < bottom <= 600


def test_a_verdict_below_the_threshold_of_the_card_is_not_sure(run, album):
    shipped = SHIPPED_MODEL.with_suffix(".tflite")
    sure, unsure = (album / name for name in ("sure.tflite", "unsure.tflite"))
    with zipfile.ZipFile(shipped) as appended:
        network = shipped.read_bytes()[: appended.infolist()[0].header_offset]
    for path, threshold in ((sure, 0.5), (unsure, 1.1)):
        card = replace(read_card(shipped), thresholds={"not_sure": threshold})
        save_tflite(network, card, path)
    photos = ("photos/bare.png", "photos/sub/masked ü.png")
    judged = [run(*IMAGE, *photos, "--model", path, cwd=album).stdout for path in (sure, unsure)]
    assert "Not sure" not in judged[0] and judged[0].count("Mask (Confidence: ") == 2
    assert judged[1] == re.sub(r"(No )?Mask \(", "Not sure (", judged[0])
    records = run(*IMAGE, *photos, "--json", "--model", unsure, cwd=album).stdout.splitlines()
    for record in map(json.loads, records):
        (face,) = record["faces"]
        assert face["sure"] is False and face["label"] in NAMES
        assert face["confidence"] == max(face["probabilities"].values())


def test_photos_none_of_which_can_be_read_are_an_error(run, tmp_path):
    for name in ("a.jpg", "b.png"):
        (tmp_path / name).write_bytes(b"no photo")
    done = run(*IMAGE, "a.jpg", "b.png", cwd=tmp_path)
    assert_clear_error(done, "no readable photo", "a.jpg", "b.png")
    assert "2 unreadable files skipped" in done.stderr and done.stdout == ""


@pytest.mark.parametrize(
    "case",
    [
        (["photos/none.png"], ["no such photo or folder: photos/none.png"]),
        (["photos/bare.png", "none"], ["no such photo or folder: none"]),
        (["photos/more"], ["photos/more", "expected photos"]),
        (["photos", "--output", "photos"], ["--output photos", "written over"]),
        (["photos/bare.png", "--output", "{album}/photos"], ["photos", "written over"]),
        (["photos/bare.png", "--model", "none.keras"], ["none.keras", "{album}"]),
        (["photos/bare.png", "{album}/elsewhere/wall.png", "--output", "out",
          "--model", "none.keras"], ["none.keras"]),
    ],
    ids=lambda case: " ".join(case[0]),
)  # fmt: skip
def test_a_wrong_turn_is_one_clear_line(run, album, case):
    arguments, words = case
    before = contents(album)
    done = run(*IMAGE, *(text.format(album=album) for text in arguments), cwd=album)
    code = 2 if "written over" in words else 1
    assert_clear_error(done, *(word.format(album=album) for word in words), code=code)
    assert done.stdout == "" and contents(album) == before


def test_no_photo_at_all_exits_with_2(run):
    done = run(*IMAGE)
    assert done.returncode == 2 and "PHOTO|FOLDER" in done.stderr
    done = run(*IMAGE, "")
    assert done.returncode == 2 and "not nothing" in done.stderr


@pytest.mark.parametrize("output", ["photos/sub", "photos/copies/.."])
def test_an_output_folder_among_the_photos_never_covers_an_original(run, album, output):
    shutil.copy(album / "elsewhere/wall.png", album / "photos/sub/bare.png")
    (album / "photos" / "copies").mkdir()
    before = contents(album)
    run(*IMAGE, "photos", "--output", output, cwd=album)
    after = contents(album)
    assert {path: after[path] for path in before} == before


def test_copies_of_photos_from_a_folder_above_stay_in_the_output_folder(run, album):
    before = contents(album)
    arguments = ("../photos/bare.png", "wall.png", "--output", "out")
    done = run(*IMAGE, *arguments, cwd=album / "elsewhere")
    assert done.returncode == 0, done.stderr
    after = contents(album)
    assert {path: after[path] for path in before} == before
    new = set(after) - set(before)
    assert len(new) == 2
    assert all((album / "elsewhere/out").resolve() in path.resolve().parents for path in new)
