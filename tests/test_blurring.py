"""What is left of a face, measured on real portraits; what lies outside stays as it was."""

import time

import cv2
import numpy as np
import pytest

from mask_detector.blurring import CELLS, WIDENED, blur
from mask_detector.types import FaceBox


@pytest.fixture(scope="module")
def detector(face_folder):
    from mask_detector.face_detectors import open_detector

    return open_detector("ssd", folder=face_folder, confidence=0.5)


@pytest.fixture(scope="module")
def box(detector, portrait):
    (found,) = detector.detect(portrait)
    return found


def part(image, box):
    return image[box.top : box.bottom, box.left : box.right]


def fine_energy(image):
    """The variance of what is finer than an eighth of the image, in grey levels squared."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float64)
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    spectrum = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    down, across = (np.abs(np.fft.fftfreq(n)) * n for n in grey.shape)
    is_fine = np.hypot(down[:, None], across[None]) > 8  # periods along the image
    return spectrum[is_fine].sum() / grey.size**2


def likeness(first, second):
    """The highest correlation of what distinguishes two faces, whatever shift lies between them.

    Of both the coarse shading, which all faces share, is taken off first.
    """
    details = []
    for image in (first, second):
        grey = cv2.cvtColor(cv2.resize(image, (96, 112)), cv2.COLOR_BGR2GRAY).astype(np.float32)
        details.append(grey - cv2.GaussianBlur(grey, (0, 0), 6))
    middle = np.ascontiguousarray(details[1][12:-12, 12:-12])
    return cv2.matchTemplate(details[0], middle, cv2.TM_CCOEFF_NORMED).max()


def blocks(seed, side):
    """A square picture of blocks that are finer than cells."""
    coarse = np.random.default_rng(seed).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_NEAREST)


def rank_of(image):
    """How many independent rows a picture has; grey levels are rounded, hence the tolerance."""
    patch = image[..., 0].astype(float)
    return np.linalg.matrix_rank(patch, tol=2 * np.sqrt(len(patch)))


def test_the_detector_finds_no_face_any_more(portrait, masked_portrait, detector, box):
    for picture in (portrait, masked_portrait):
        assert detector.detect(picture)
        assert detector.detect(blur(picture, [box])) == []


def test_what_is_finer_than_a_cell_is_gone(portrait, box):
    before, after = (fine_energy(part(image, box)) for image in (portrait, blur(portrait, [box])))
    assert after < 0.01 * before


def test_the_features_of_the_face_are_gone(portrait, box):
    face, blurred = part(portrait, box), part(blur(portrait, [box]), box)
    other_take = cv2.convertScaleAbs(cv2.GaussianBlur(face, (0, 0), 1.5), alpha=0.8, beta=20)
    assert likeness(face, other_take) > 0.9  # the measure knows the face again, in other light
    assert likeness(face, blurred) < 0.35


@pytest.mark.parametrize("side", [24, 60, 200])
def test_a_face_of_any_size_leaves_as_few_numbers(side):
    """Colours run between the middles of so many rows: the picture has no more rank than those."""
    box = FaceBox(side, side, 2 * side, 2 * side, 1.0)
    image = blocks(side, 3 * side)
    assert rank_of(part(image, box.widened(WIDENED))) > 2 * CELLS
    assert 2 <= rank_of(part(blur(image, [box]), box.widened(WIDENED))) <= CELLS


def test_outside_the_widened_boxes_nothing_changes_nor_in_the_original(portrait, box):
    before, blurred = portrait.copy(), blur(portrait, [box])
    place = box.widened(WIDENED)
    assert np.array_equal(portrait, before)
    is_outside = np.ones(portrait.shape[:2], bool)
    is_outside[max(0, place.top) : place.bottom, max(0, place.left) : place.right] = False
    assert np.array_equal(blurred[is_outside], portrait[is_outside])
    assert (blurred[~is_outside] != portrait[~is_outside]).any(axis=1).mean() > 0.9
    assert place.width >= 1.4 * box.width and place.height >= 1.4 * box.height


def test_a_face_that_is_cut_off_is_blurred_as_coarsely_as_the_whole(portrait, box):
    """The detector clips boxes; half a face must not get twice as many cells."""
    middle = (box.left + box.right) // 2
    half = np.ascontiguousarray(portrait[:, middle:])
    shifted = FaceBox(box.left - middle, box.top, box.right - middle, box.bottom, box.score)
    clipped = shifted.within(half.shape[1], half.shape[0])
    assert clipped.visible == pytest.approx(0.5, abs=0.05)
    assert fine_energy(part(blur(half, [clipped]), clipped)) < 0.01 * fine_energy(
        part(half, clipped)
    )
    corner = FaceBox(0, 0, 120, 120, 0.9, visible=0.25)  # of a face of 240 x 240 pixels
    blurred = blur(blocks(1, 240), [corner])
    assert rank_of(part(blurred, corner)) <= CELLS / 2


def test_overlapping_boxes_hide_both_faces(portrait, box, detector):
    shifted = FaceBox(box.left + 40, box.top + 30, box.right + 40, box.bottom + 30, 0.9)
    for boxes in ([box, shifted], [shifted, box]):
        assert detector.detect(blur(portrait, boxes)) == []


@pytest.mark.parametrize(
    "box",
    [FaceBox(-50, -50, 30, 30, 0.9), FaceBox(490, 580, 700, 800, 0.9), FaceBox(600, 5, 620, 9, 0.9),
     FaceBox(10, 10, 11, 11, 0.9), FaceBox(0, 0, 0, 0, 0.9), FaceBox(-9, -9, 999, 999, 0.9)],
)  # fmt: skip
def test_boxes_at_and_beyond_the_edge_are_no_error(portrait, box):
    assert blur(portrait, [box]).shape == portrait.shape


def test_it_is_quick():
    image = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    box = FaceBox(500, 200, 700, 400, 0.9)

    def least_s(boxes):
        times_s = []
        for _ in range(20):
            begin_s = time.perf_counter()
            blur(image, boxes)
            times_s.append(time.perf_counter() - begin_s)
        return min(times_s)

    assert least_s([box] * 4) - least_s([]) < 4 * 0.003
