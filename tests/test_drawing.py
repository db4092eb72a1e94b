"""Boxes and captions, judged by the pixels that were drawn."""

import dataclasses

import cv2
import numpy as np
import pytest

from mask_detector.drawing import AnnotatedFrame, caption, colour_of, draw_faces, draw_note
from mask_detector.types import Face, FaceBox, Frame
from mask_detector.watching import Annotator

GREY = np.full((400, 600, 3), 128, np.uint8)
BOX = FaceBox(200, 120, 320, 300, 0.9)


def face(label, box=BOX, confidence=0.971):
    return Face(box, (confidence, 1 - confidence), (label, "another"))


def frame_pixel(image, box=BOX):
    """A pixel of the box's left line, far from the caption."""
    return image[(box.top + box.bottom) // 2, box.left].astype(int)


@pytest.mark.parametrize("label", ["with_mask", "WithMask", "masked"])
def test_a_mask_is_green(label):
    blue, green, red = frame_pixel(draw_faces(GREY, [face(label)]))
    assert green > 1.5 * max(blue, red)


@pytest.mark.parametrize("label", ["without_mask", "NoMask", "unmasked"])
def test_a_bare_face_is_red(label):
    blue, green, red = frame_pixel(draw_faces(GREY, [face(label)]))
    assert red > 1.5 * max(blue, green)


@pytest.mark.parametrize("label", ["mask_weared_incorrect", "incorrect_mask"])
def test_a_mask_worn_wrongly_is_amber(label):
    blue, green, red = frame_pixel(draw_faces(GREY, [face(label)]))
    assert red > green > 1.5 * blue


def test_other_classes_have_colours_of_their_own():
    names = ("cat", "dog", "horse", "with_mask", "without_mask", "incorrect_mask")
    probabilities = np.eye(len(names))
    colours = {colour_of(Face(BOX, tuple(row), names)) for row in probabilities}
    assert len(colours) == len(names)


@pytest.mark.parametrize(
    "label, confidence, words",
    [
        ("with_mask", 0.983, "Mask: 98.3%"),
        ("without_mask", 0.971, "No Mask: 97.1%"),
        ("incorrect_mask", 1.0, "Mask worn wrongly: 100.0%"),
        ("cat", 0.5, "cat: 50.0%"),
    ],
)
def test_the_caption_says_verdict_and_confidence(label, confidence, words):
    assert caption(face(label, confidence=confidence)) == words


@pytest.mark.parametrize("label", ["with_mask", "without_mask", "cat"])
def test_a_face_that_is_not_sure_is_grey_and_says_so(label):
    unsure = dataclasses.replace(face(label, confidence=0.71), least_confidence=0.8)
    assert caption(unsure) == "Not sure: 71.0%"
    blue, green, red = frame_pixel(draw_faces(GREY // 4, [unsure]))
    assert blue == green == red > 100


@pytest.mark.parametrize("least, is_sure", [(0.0, True), (0.75, True), (0.7500001, False)])
def test_a_verdict_is_given_from_the_least_confidence_on(least, is_sure):
    judged = dataclasses.replace(face("with_mask", confidence=0.75), least_confidence=least)
    assert judged.is_sure == is_sure
    assert judged.label == "with_mask"
    assert caption(judged) == ("Mask: 75.0%" if is_sure else "Not sure: 75.0%")


def test_of_a_face_that_is_not_clear_no_percentage_is_told():
    small = dataclasses.replace(face("with_mask", confidence=0.999), is_clear=False)
    assert caption(small) == "Not sure"
    assert caption(small, is_short=True) == "?"
    assert caption(face("with_mask", confidence=0.983), is_short=True) == "98%"


def test_a_track_is_numbered_where_that_is_asked_for():
    tracked = dataclasses.replace(face("with_mask", confidence=0.983), track_id=12)
    assert caption(tracked) == "Mask: 98.3%"
    assert caption(tracked, with_id=True) == "12 Mask: 98.3%"
    assert caption(face("with_mask", confidence=0.983), with_id=True) == "Mask: 98.3%"
    numbered, plain = (draw_faces(GREY, [tracked], with_ids=is_wanted) for is_wanted in (1, 0))
    grounds = [(np.abs(drawn.astype(int) - 128).max(axis=2) > 60) for drawn in (numbered, plain)]
    assert (grounds[1] & ~grounds[0]).sum() == 0  # the longer caption covers the shorter
    assert np.argwhere(grounds[0])[:, 1].max() > np.argwhere(grounds[1])[:, 1].max()


def test_a_frame_is_drawn_on_first_use_and_once():
    annotated = AnnotatedFrame(Frame(GREY, 0, 0.0, "clip"), [face("with_mask")])
    first = annotated.picture
    np.testing.assert_array_equal(first, draw_faces(GREY, [face("with_mask")]))
    assert annotated.picture is first and (GREY == 128).all()
    assert AnnotatedFrame(Frame(GREY, 0, 0.0, "clip"), []).picture is GREY  # no copy in vain


def test_equal_captions_of_two_faces_look_alike():
    """Captions are kept and used again: in their own colour, and unspoilt by what came between."""
    other = FaceBox(20, 250, 140, 390, 0.9)
    both = draw_faces(GREY, [face("with_mask"), face("without_mask", other)])
    swapped = draw_faces(GREY, [face("without_mask", other), face("with_mask")])
    np.testing.assert_array_equal(both, swapped)
    for one in (BOX, other):
        alone = draw_faces(GREY, [face("with_mask" if one is BOX else "without_mask", one)])
        place = np.s_[one.top - 15 : one.top, one.left : one.left + 100]
        np.testing.assert_array_equal(both[place], alone[place])


def test_the_caption_stands_above_the_box_white_on_its_colour():
    drawn = draw_faces(GREY, [face("with_mask")])
    above = drawn[BOX.top - 15 : BOX.top - 3, BOX.left : BOX.right].reshape(-1, 3).astype(int)
    assert (above.min(axis=1) > 200).any()  # letters
    assert ((above[:, 1] > 150) & (above[:, 2] < 50)).any()  # ground
    inside = drawn[BOX.top + 10 : BOX.bottom - 10, BOX.left + 10 : BOX.right - 10]
    assert (inside == 128).all()


def test_the_given_picture_is_not_drawn_on():
    before = GREY.copy()
    drawn = draw_faces(GREY, [face("with_mask")])
    np.testing.assert_array_equal(GREY, before)
    assert (drawn != GREY).any()


def test_without_faces_nothing_is_drawn():
    drawn = draw_faces(GREY, [])
    np.testing.assert_array_equal(drawn, GREY)
    assert drawn is not GREY


@pytest.mark.parametrize("shape", [(400, 600), (60, 40), (1, 1), (3, 900), (2160, 3840)])
def test_faces_at_the_edges_stay_in_the_picture(shape):
    height, width = shape
    image = np.full((*shape, 3), 128, np.uint8)
    x, y = max(1, width // 2), max(1, height // 2)
    boxes = [
        FaceBox(0, 0, x, y, 0.9),
        FaceBox(width - x, 0, width, y, 0.9),
        FaceBox(0, height - y, x, height, 0.9),
        FaceBox(width - 1, height - 1, width, height, 0.9),
        FaceBox(0, 0, width, height, 0.9),
    ]
    for box in boxes:
        drawn = draw_faces(image, [face("without_mask", box)])
        assert drawn.shape == image.shape and (drawn != image).any()


@pytest.mark.parametrize("top", [0, 10, 200])
def test_the_caption_is_whole_wherever_the_box_is(top):
    box = FaceBox(590, top, 600, top + 100, 0.9)  # at the right edge: the words must move left
    drawn = draw_faces(GREY, [face("without_mask", box)])
    letters = np.argwhere(drawn.min(axis=2) > 200)
    (text_width, _), _ = cv2.getTextSize("No Mask: 97.1%", cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    assert np.ptp(letters[:, 1]) > 0.9 * text_width


def crowd(count, seed):
    random = np.random.default_rng(seed)
    boxes = []
    while len(boxes) < count:
        left, top, side = random.integers((0, 0, 12), (560, 360, 30)).tolist()
        box = FaceBox(left, top, left + side, top + side, 0.9)
        if not any(box.left < b.right and b.left < box.right and box.top < b.bottom
                   and b.top < box.bottom for b in boxes):  # fmt: skip
            boxes.append(box)
    return boxes


@pytest.mark.parametrize("count", [2, 10, 40])
def test_no_caption_covers_another_face(count):
    boxes = crowd(count, seed=count)
    drawn = draw_faces(GREY, [face("with_mask", box) for box in boxes])
    for box in boxes:
        inside = drawn[box.top + 3 : box.bottom - 3, box.left + 3 : box.right - 3]
        assert (inside == 128).all()
    grounds = (drawn == colour_of(face("with_mask"))).all(axis=2).sum()
    assert grounds > 60 * count  # many have one, for all that


def test_where_there_is_no_room_a_caption_is_short_or_left_out():
    def letters(*boxes):
        drawn = draw_faces(GREY, [face("without_mask", box) for box in boxes])
        return int((drawn.min(axis=2) > 200).sum())

    middle = FaceBox(250, 180, 280, 210, 0.9)
    whole = letters(middle)
    right = [FaceBox(320, top, 350, top + 30, 0.9) for top in (150, 180, 211)]
    others = letters(*right)
    assert 0 < letters(middle, *right) - others < 0.6 * whole  # 97% instead of No Mask: 97.1%
    around = [FaceBox(left, top, left + 30, top + 30, 0.9)
              for left in (219, 250, 281) for top in (149, 180, 211)]  # fmt: skip
    assert letters(*around) < 9 * whole


def test_below_a_face_at_the_upper_edge_there_is_room_for_its_caption():
    drawn = draw_faces(GREY, [face("with_mask", FaceBox(200, 5, 280, 105, 0.9))])
    assert (drawn[10:100, 205:275] == 128).all() and (drawn[105:118, 205:275] != 128).any()
    full = draw_faces(GREY, [face("with_mask", FaceBox(0, 0, 600, 400, 0.9))])
    assert (full[5:12, 5:50] != 128).any()  # no room but inside


def test_where_a_face_was_a_moment_ago_a_blur_is_kept_up():
    """The detector misses it in a frame: the picture does not show it for that."""
    box = FaceBox(20, 30, 60, 80, 0.9)
    there, gone = [face("without_mask", box)], []
    judged = iter([there, gone, gone, there, gone])
    annotate = Annotator(lambda frame: next(judged), is_blurred=True)
    noise = np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8)
    times = (0.0, 0.4, 0.9, 1.0, 2.5)  # the last is too long ago
    given = [annotate(Frame(noise, n, time_s, "door")) for n, time_s in enumerate(times)]
    for annotated, is_hidden in zip(given, (True, True, True, True, False), strict=True):
        shown = annotated.picture[box.top + 20 : box.bottom - 5, box.left + 5 : box.right - 5]
        was = noise[box.top + 20 : box.bottom - 5, box.left + 5 : box.right - 5]
        assert np.array_equal(shown, was) != is_hidden
    other = Annotator(lambda frame: [])(Frame(noise, 0, 0.1, "yard"))
    assert other.missed == ()


def test_a_note_stands_at_the_foot_and_the_rest_stays():
    noted = draw_note(GREY, "no picture since 18:40:02 UTC")
    changed = np.flatnonzero((noted != GREY).any(axis=(1, 2)))
    assert changed.min() > 350 and changed.max() == 399 and (GREY == 128).all()
    above = draw_note(GREY, "door", line=1)
    assert np.flatnonzero((above != GREY).any(axis=(1, 2))).max() < changed.min()
    assert draw_note(GREY[:5, :7], "door").shape == (5, 7, 3)
