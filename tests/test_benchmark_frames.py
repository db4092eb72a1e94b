"""Composed frames: the faces asked for are there, they sway, and the file gives them back."""

import cv2
import imutils
import numpy as np
import pytest
from conftest import textured_photo

from mask_detector.benchmark.frame_file import FrameFile
from mask_detector.benchmark.frames import (
    FRAME_COUNT,
    MOST_HEADS,
    Case,
    compose,
    cut_out_heads,
    photos_below,
    portraits,
)
from mask_detector.errors import MaskDetectorError, SourceError
from mask_detector.face_detectors import open_detector

SIZES = ((640, 480), (1280, 720))
FACES = (1, 2, 5, 10)


@pytest.fixture(scope="module")
def ours(face_folder):
    return open_detector("ssd", folder=face_folder, confidence=0.3)


@pytest.fixture(scope="module")
def classic(face_folder):
    """The classic loop's detector as OpenCV's own sample runs it: a picture, and how many."""
    network = cv2.dnn.readNet(
        str(face_folder / "deploy.prototxt"),
        str(face_folder / "res10_300x300_ssd_iter_140000.caffemodel"),
    )

    def count(image):
        small = imutils.resize(image, width=400)
        network.setInput(cv2.dnn.blobFromImage(small, 1.0, (300, 300), (104.0, 177.0, 123.0)))
        return int((network.forward()[0, 0, :, 2] > 0.5).sum())

    return count


@pytest.fixture(scope="module")
def cutouts(face_folder):
    detector = open_detector("ssd", folder=face_folder, confidence=0.5)
    return cut_out_heads(portraits(), detector)


@pytest.mark.parametrize("face_count", FACES)
@pytest.mark.parametrize("size", SIZES)
def test_both_detectors_find_the_faces_asked_for(size, face_count, cutouts, classic, ours):
    images = compose(Case(*size, face_count), cutouts, count=5)
    assert images.shape == (5, size[1], size[0], 3) and images.dtype == np.uint8
    for counts in ([classic(image) for image in images], [len(ours.detect(i)) for i in images]):
        assert np.median(counts) == face_count
        assert min(counts) == face_count and max(counts) <= face_count + 2  # one seen twice


def test_faces_sway_by_a_few_pixels_and_end_where_they_began(cutouts, face_folder):
    detector = open_detector("ssd", folder=face_folder, confidence=0.9)
    images = compose(Case(640, 480, 1), cutouts)
    assert len(images) == FRAME_COUNT
    after = np.roll(images, -1, axis=0)
    steps = np.abs(images.astype(np.int16) - after).mean(axis=(1, 2, 3))
    assert steps.min() > 0.01  # no frame is the one before, the first after the last included
    assert steps.max() < 3 * np.median(steps)
    boxes = [detector.detect(image)[0] for image in images[::3]]
    centres = [(box.left + box.right) / 2 for box in boxes]
    assert 4 < np.ptp(centres) < 40
    assert 1.02 < max(box.width for box in boxes) / min(box.width for box in boxes) < 1.25


def test_different_people_take_turns_and_no_two_faces_are_the_same_picture(cutouts):
    (image,) = compose(Case(640, 480, 4), cutouts, count=1)
    quarters = [image[top : top + 240, left : left + 213] for top in (0, 240) for left in (0, 213)]
    differences = [np.abs(quarters[0].astype(int) - other).mean() for other in quarters[1:]]
    assert min(differences) > 5


def test_the_file_gives_the_frames_back_round_and_round(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3), np.uint8)
    file = FrameFile.write(images, tmp_path / "frames.raw")
    frames = list(file.frames(begin=3, count=6))
    assert [frame.index for frame in frames] == [3, 4, 5, 6, 7, 8]
    np.testing.assert_allclose(np.diff([frame.time_s for frame in frames]), 1 / 30)
    for frame, expected in zip(frames, (3, 0, 1, 2, 3, 0), strict=True):
        np.testing.assert_array_equal(frame.image, images[expected])
        assert frame.image.flags.writeable  # the classic loop may draw on it


def test_a_cut_out_shows_one_face_with_its_surroundings(cutouts, ours):
    assert len(cutouts) == len(portraits())
    for cutout in cutouts:
        (box,) = ours.detect(cutout.image)
        assert abs(box.left - cutout.box.left) < 0.2 * cutout.box.width
        assert cutout.image.shape[0] > 1.3 * cutout.box.height
        assert cutout.image.shape[1] > 1.3 * cutout.box.width


def test_photos_without_a_face_are_named_as_such(ours):
    with pytest.raises(MaskDetectorError, match=r"no face .* alone \(3 photos"):
        cut_out_heads([textured_photo(seed) for seed in range(3)], ours)


def test_a_face_too_small_or_with_a_neighbour_is_left_out(portrait, face_folder):
    detector = open_detector("ssd", folder=face_folder, confidence=0.5)
    small = cv2.resize(portrait, (90, 105), interpolation=cv2.INTER_AREA)
    alone = cut_out_heads([portrait], detector)[0]
    narrow = alone.image[:, round(0.4 * alone.box.width) : -round(0.4 * alone.box.width)]
    three = np.hstack([narrow] * 3)
    assert len(detector.detect(three)) == 3
    for photo in (np.vstack([small] * 2), three):
        with pytest.raises(MaskDetectorError, match="no face"):
            cut_out_heads([photo], detector)


def test_no_more_photos_are_read_than_needed(portrait, ours):
    read = iter([portrait] * (MOST_HEADS + 3))
    assert len(cut_out_heads(read, ours)) == MOST_HEADS
    assert len(list(read)) == 3


def test_files_that_are_no_photos_are_passed_over(tmp_path, portrait):
    (tmp_path / "notes.txt").write_text("no photo")
    cv2.imwrite(str(tmp_path / "portrait.png"), portrait)
    (photo,) = photos_below(tmp_path)
    np.testing.assert_array_equal(photo, portrait)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no files"):
        list(photos_below(tmp_path / "empty"))
