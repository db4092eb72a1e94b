"""Words in any script, judged by what Pillow draws of them and by the pixels."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from mask_detector.drawing import draw_faces
from mask_detector.lettering import label_of
from mask_detector.types import Face, FaceBox

GREEN = (60, 180, 0)
DEJAVU = (
    Path(importlib.util.find_spec("matplotlib").origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
)


def ink(label):
    """Where the letters are: bright in every channel, cut to the words themselves."""
    mask = label.min(axis=2) > 120
    rows, columns = np.nonzero(mask)
    return mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def in_strokes(text, scale):
    picture = np.zeros((60, 600, 3), np.uint8)
    thickness = max(1, round(2 * scale))
    cv2.putText(picture, text, (5, 40), cv2.FONT_HERSHEY_SIMPLEX, scale, (255,) * 3, thickness,
                cv2.LINE_AA)  # fmt: skip
    return ink(picture)


@pytest.mark.parametrize("text", ["Mask: 98.3%", "def_front: 50.0%", "3 No Mask: 97.1%"])
@pytest.mark.parametrize("scale", [0.4, 0.75])
def test_ascii_is_written_in_opencvs_strokes_as_ever(text, scale):
    np.testing.assert_array_equal(ink(label_of(text, GREEN, scale)), in_strokes(text, scale))


@pytest.mark.parametrize("text", ["Без маски: 97.1%", "Ärger über Öl", "χωρίς μάσκα: 3.0%"])
def test_european_scripts_are_drawn_as_pillow_draws_them(text):
    label = label_of(text, GREEN, 0.75)
    picture = Image.new("RGB", (600, 80))
    font = ImageFont.truetype(str(DEJAVU), round(30 * 0.75))
    ImageDraw.Draw(picture).text((5, 5), text, font=font, fill="white")
    np.testing.assert_array_equal(ink(label), ink(np.asarray(picture)))
    question_marks = "".join(letter if letter.isascii() else "??" for letter in text)
    strokes = in_strokes(question_marks, 0.75)
    assert ink(label).shape != strokes.shape


def test_a_letter_that_the_first_font_lacks_comes_from_another():
    """Where the system has such a font; else the box that stands for it is all there is."""
    same = np.array_equal(ink(label_of("口", GREEN, 1.0)), ink(label_of("罩", GREEN, 1.0)))
    if same:
        pytest.skip("no font of this system has Chinese letters")
    mixed, alone = label_of("3 口罩 é", GREEN, 1.0), label_of("口罩", GREEN, 1.0)
    assert mixed.shape[1] > alone.shape[1] + 20  # both in one line


def test_words_are_white_on_their_colour_and_as_high_as_ascii():
    label = label_of("МАСКА", GREEN, 0.8)
    assert (label[0] == GREEN).all() and (label[-1] == GREEN).all()
    assert label.max() == 255
    assert abs(len(ink(label)) - len(ink(label_of("MACKA", GREEN, 0.8)))) <= 2


def test_a_name_that_is_not_utf_8_is_written_out():
    assert (
        label_of("caf\udce9: 3%", GREEN, 0.5).shape == label_of("caf\\udce9: 3%", GREEN, 0.5).shape
    )


def test_a_class_of_another_script_stands_above_its_box():
    box = FaceBox(100, 120, 260, 300, 0.9)
    grey = np.full((400, 600, 3), 128, np.uint8)
    names = ("наполовину", "???")
    drawn, unknown = (draw_faces(grey, [Face(box, p, names)]) for p in ((0.9, 0.1), (0.1, 0.9)))
    above = np.s_[box.top - 18 : box.top - 2, box.left :]
    letters, question_marks = ((d[above].min(axis=2) > 200).sum() for d in (drawn, unknown))
    assert letters > question_marks + 30
