"""`--detector none`: whole photos and frames are judged, with no face detector in the way."""

import json
import re

import cv2
import numpy as np
import pytest
from conftest import SHIPPED_MODEL, textured_photo, write_video

from mask_detector.cli import main
from mask_detector.drawing import draw_faces
from mask_detector.face_detectors import open_detector
from mask_detector.images import fit
from mask_detector.mask_classifiers import load_classifier
from mask_detector.model_file import save_model
from mask_detector.pipeline import Pipeline, WholePicturePipeline
from mask_detector.types import Face, FaceBox, Frame, ModelCard

NAMES = ("def_front", "ok_front")
NONE = ("--detector", "none", "--face", "no such folder")


@pytest.fixture(scope="module")
def model(keras, tmp_path_factory):
    """A model file that calls dark pictures faulty; its margin would widen a face's box."""
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    weights = np.repeat([[-10.0, 10.0]], 3, axis=0)
    network.layers[-1].set_weights([weights, np.array([15.0, -15.0])])
    path = tmp_path_factory.mktemp("model") / "castings.keras"
    save_model(network, ModelCard(NAMES, 32, crop_margin=0.2), path)
    return path


@pytest.fixture(scope="module")
def sound():
    """A light piece; its dark twin is faulty."""
    return 155 + textured_photo(3, (90, 120)) // 3


@pytest.fixture(scope="module")
def faulty(sound):
    return sound - 150


def test_the_picture_is_the_one_box_and_needs_no_weights(tmp_path, portrait):
    detector = open_detector("none", folder=tmp_path / "nothing", confidence=0.9)
    assert detector.detect(portrait) == [FaceBox(0, 0, 512, 600, 1.0)]
    assert detector.detect(portrait[:1, :7]) == [FaceBox(0, 0, 7, 1, 1.0)]
    unadjusted = open_detector("none", folder=tmp_path, confidence=0.9, is_adjusted=False)
    assert unadjusted.detect(portrait) == detector.detect(portrait)


def test_the_classifier_sees_what_it_sees_of_whole_photos(tmp_path, portrait):
    classifier = load_classifier(SHIPPED_MODEL.with_suffix(".tflite"))
    size = classifier.card.image_size
    whole = cv2.cvtColor(fit(portrait, size), cv2.COLOR_BGR2RGB)[None]
    detector = open_detector("none", folder=tmp_path, confidence=0.5)
    (face,) = Pipeline(detector, classifier)(portrait)
    np.testing.assert_allclose(face.probabilities, classifier.predict(whole)[0], atol=1e-6)
    assert face.is_clear


def test_photos_are_judged_whole_and_named_as_their_classes_are(
    model, sound, faulty, tmp_path, capsys
):
    for name, piece in (("a", sound), ("b", faulty)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), piece)
    options = ("--model", str(model), *NONE)
    assert main(["image", str(tmp_path), *options, "--output", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [re.sub(r"\d+%", "N%", line.split(": ", 1)[1]) for line in lines] == [
        "ok_front (Confidence: N%) at 0,0,120,90",
        "def_front (Confidence: N%) at 0,0,120,90",
    ]
    for name, piece in (("a", sound), ("b", faulty)):
        copy = cv2.imread(str(tmp_path / "out" / f"{name}.png")).astype(int)
        assert copy.shape == piece.shape
        assert (np.abs(copy - piece).max(axis=2) > 20)[:, 0].all()  # a frame at the very edge
    assert main(["image", str(tmp_path / "a.png"), *options, "--json"]) == 0
    (face,) = json.loads(capsys.readouterr().out)["faces"]
    assert (face["box"], face["clear"], face["sure"]) == ([0, 0, 120, 90], True, True)
    assert face["probabilities"]["ok_front"] > 0.9


@pytest.mark.parametrize("width", [40, 64, 100])
def test_a_caption_is_shrunk_to_a_small_picture(width):
    picture = np.zeros((90, width, 3), np.uint8)
    names = ("def_front", "a class with a long name")
    face = Face(FaceBox(0, 0, width, 90, 1.0), (0.0, 1.0), names)
    drawn = draw_faces(picture, [face])
    assert drawn.shape == picture.shape
    # Left of the frame's line, at the caption's height: its ground ends with a plain column.
    letters = (drawn[2:12].astype(int).min(axis=(0, 2)) != drawn[2:12].max(axis=(0, 2))).nonzero()
    written = np.nonzero(np.abs(np.diff(drawn[:10].astype(int), axis=1)).max(axis=(0, 2)) > 10)[0]
    assert letters[0].size and written.max() > 0.8 * width and written.max() < width - 1


def film(folder, parts):
    """A film of 25 frames a second: a piece for so many frames, then the next."""
    frames = [piece for piece, count in parts for _ in range(count)]
    return write_video(folder / "belt.avi", frames)


def test_each_frame_is_judged_by_itself_and_all_are_one_track(model, sound, faulty):
    detector = open_detector("none", folder=model.parent, confidence=0.5)
    judge = WholePicturePipeline(Pipeline(detector, load_classifier(model)))
    pieces = [sound, faulty, sound, sound, faulty]
    frames = [Frame(piece, i, i / 25, "belt") for i, piece in enumerate(pieces)]
    faces = [judge(frame) for frame in frames]
    assert [face.label for (face,) in faces] == [
        "ok_front", "def_front", "ok_front", "ok_front", "def_front"
    ]  # fmt: skip
    assert {face.track_id for (face,) in faces} == {1}
    (still,) = judge(Frame(sound, 0, 0.0, "a.png", is_still=True))
    assert still.track_id is None


def test_a_faulty_piece_on_a_belt_is_a_breach_and_each_one_is_kept(
    model, sound, faulty, tmp_path, capsys
):
    belt = film(tmp_path, [(sound, 30), (faulty, 25), (sound, 25), (faulty, 25), (sound, 20)])
    events, kept, drawn = (tmp_path / name for name in ("e.jsonl", "kept", "drawn.avi"))
    status = main([
        "video", "--source", str(belt), "--model", str(model), *NONE, "--no-display",
        "--events", str(events), "--alarm-on", "def_front", "--alarm-after", "0.4",
        "--alarm-every", "1", "--snapshots", str(kept), "--no-blur", "--output", str(drawn),
    ])  # fmt: skip
    assert status == 0
    told = [json.loads(line) for line in events.read_text().splitlines()]
    alarms = [event for event in told if event["event"] == "alarm"]
    assert [alarm["verdict"] for alarm in alarms] == ["def_front"] * 2
    assert [alarm["time"] for alarm in alarms] == pytest.approx([1.6, 3.6], abs=0.1)
    assert {event["track"] for event in told} == {1} and alarms[0]["box"] == [0, 0, 120, 90]
    verdicts = [event["verdict"] for event in told if event["event"] in ("settled", "changed")]
    assert verdicts == ["ok_front", "def_front", "ok_front", "def_front", "ok_front"]
    pictures = [cv2.imread(str(path)) for path in sorted(kept.iterdir())]
    assert len(pictures) == 2
    for picture in pictures:
        centre = picture[30:80, 20:100].astype(int)
        assert np.abs(centre - faulty[30:80, 20:100]).mean() < 12  # recognisable: not blurred
    summary = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"125 frames \(def_front 50, ok_front 75\), [\d.]+ frames/s", summary)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("video", "--snapshots", "kept", "--alarm-on", "def_front"), "--no-blur"),
        (("video", "--blur"), "--blur would blur whole pictures"),
        (("image", "a.png", "--blur"), "--blur would blur whole pictures"),
        (("video", "--summary", "1"), "--summary counts people"),
        (("video", "--alarm", "sound"), "--alarm-on def_front"),
        (("demo", "--no-camera"), "the demo shows a person"),
        (("evaluate", "--boxes", "photos"), "--dataset"),
    ],
)
def test_what_needs_faces_is_refused_in_one_line(arguments, words, model, sound, tmp_path, capsys):
    belt = film(tmp_path, [(sound, 3)])
    source = ("--source", str(belt), "--no-display") if arguments[0] == "video" else ()
    assert main([*arguments, *source, "--model", str(model), *NONE]) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert words in line


def test_check_says_that_whole_frames_are_judged(model, sound, tmp_path, capsys):
    belt = film(tmp_path, [(sound, 3)])
    options = ("--source", str(belt), "--no-display", "--model", str(model), *NONE)
    assert main(["check", *options]) == 0
    assert "face detector none: whole frames are judged" in capsys.readouterr().out
