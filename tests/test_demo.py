"""The demo's clip and the mask drawn on it; and the demo itself as `make demo` starts it."""

import re

import cv2
import numpy as np
import pytest
from conftest import SHIPPED_MODEL, assert_clear_error

from mask_detector.cli import main
from mask_detector.demo import FRAMES_PER_PART, write_demo_clip
from mask_detector.errors import MaskDetectorError
from mask_detector.face_detectors import open_detector

# Seen by eye on the portrait: (left, top, right, bottom).
EYES = ((200, 172, 245, 203), (280, 168, 325, 203))
MOUTH = (220, 262, 300, 292)
NOSTRILS = (245, 232, 290, 248)

needs_model = pytest.mark.skipif(
    not SHIPPED_MODEL.exists(), reason=f"needs the shipped model {SHIPPED_MODEL}"
)


@pytest.fixture(scope="module")
def box(portrait, face_folder):
    (found,) = open_detector("ssd", folder=face_folder, confidence=0.5).detect(portrait)
    return found


def cut(image, place):
    left, top, right, bottom = place
    return image[top:bottom, left:right]


@pytest.mark.parametrize("eye", EYES)
def test_the_mask_leaves_the_eyes_alone(eye, portrait, masked_portrait):
    seen, bare = (cut(picture, eye).astype(int) for picture in (masked_portrait, portrait))
    assert np.abs(seen - bare).max() <= 3  # the end of its shadow


@pytest.mark.parametrize("place", [MOUTH, NOSTRILS])
def test_the_mask_covers_mouth_and_nose(place, portrait, masked_portrait):
    covered, bare = (cut(picture, place).astype(int) for picture in (masked_portrait, portrait))
    assert np.abs(covered - bare).mean() > 30
    assert covered.std(axis=(0, 1)).max() < bare.std(axis=(0, 1)).min()  # cloth, no lips


def test_only_the_lower_face_changes(portrait, masked_portrait, box):
    changed = np.argwhere((masked_portrait != portrait).any(axis=2))
    margin = 0.1 * box.width
    assert changed[:, 0].min() > box.top + 0.3 * box.height
    assert changed[:, 0].max() < box.bottom + margin
    assert changed[:, 1].min() > box.left - margin and changed[:, 1].max() < box.right + margin


def test_the_face_is_still_found_under_the_mask(masked_portrait, box, face_folder):
    (found,) = open_detector("ssd", folder=face_folder, confidence=0.5).detect(masked_portrait)
    assert abs(found.left - box.left) < 20 and abs(found.top - box.top) < 30


def test_the_clip_is_bare_first_and_masked_after(tmp_path):
    write_demo_clip(tmp_path / "new" / "clip.mp4")
    capture = cv2.VideoCapture(str(tmp_path / "new" / "clip.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 2 * FRAMES_PER_PART
    mouths = [cut(capture.read()[1], MOUTH).reshape(-1, 3) for _ in range(2 * FRAMES_PER_PART)]
    capture.release()
    is_bluish = [mouth[:, 0].mean() > mouth[:, 2].mean() for mouth in mouths]
    assert is_bluish == [False] * FRAMES_PER_PART + [True] * FRAMES_PER_PART


@needs_model
def test_a_demo_that_finds_no_face_is_an_error(face_folder, tmp_path, capsys):
    options = ("--no-camera", "--confidence", "1.0", "--face", face_folder, "--output", tmp_path)
    assert main(["demo", *map(str, options)]) == 1
    told = capsys.readouterr()
    assert told.out.count("no face found") == 2
    assert "expected No Mask first and Mask after" in told.err


def test_a_clip_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(MaskDetectorError, match="can't be written"):
        write_demo_clip(tmp_path / "file" / "clip.mp4")


@needs_model
def test_the_demo_sees_no_mask_first_and_then_a_mask(run, tmp_path):
    done = run("-m", "mask_detector", "demo", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"bare face: {FRAMES_PER_PART} frames, No Mask {FRAMES_PER_PART}"
    assert lines[1] == f"mask drawn on: {FRAMES_PER_PART} frames, Mask {FRAMES_PER_PART}"
    assert re.fullmatch(
        r"100 frames, 100 faces \(Mask 50, No Mask 50\), [\d.]+ frames/s", lines[-1]
    )
    capture = cv2.VideoCapture(str(tmp_path / "out" / "demo.mp4"))
    frame_count = 0
    while capture.read()[0]:
        frame_count += 1
    capture.release()
    assert frame_count == 100
    picture = cv2.imread(str(tmp_path / "out" / "demo.jpg"))
    bare, masked = np.hsplit(picture.astype(int), 2)
    assert np.abs(bare - masked).mean() > 1  # the two parts, side by side
    assert str(tmp_path) not in done.stdout and "out/demo.mp4" in done.stdout


def test_a_demo_without_its_model_is_a_clear_error(run, tmp_path):
    done = run("-m", "mask_detector", "demo", "--model", "none.keras", cwd=tmp_path)
    assert_clear_error(done, "none.keras", str(tmp_path))
    assert list(tmp_path.iterdir()) == []
