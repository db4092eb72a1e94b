"""Colours that stand for numbers: what is faint stays faint, and all pictures share one scale."""

import numpy as np
import pytest
from conftest import textured_photo

from mask_detector.errors import MaskDetectorError
from mask_detector.explaining.activation_maps import Explanation
from mask_detector.explaining.heat_drawing import (
    FULL_HEAT,
    colours_of,
    draw_explanation,
    heat_words,
    overlay,
)
from mask_detector.images import read_image
from mask_detector.types import FaceBox


def explanation(heat, name="with_mask"):
    return Explanation(np.array(heat, np.float32), name, (name, "other"), (0.875, 0.125))


def drawn(tmp_path, heat, **options):
    path = tmp_path / "drawn" / "heat.png"
    crop = np.full((60, 50, 3), 128, np.uint8)
    draw_explanation(crop, explanation(heat), path, title="Mask 87.5 %", **options)
    return read_image(path).astype(int)


def reddish(sheet):
    """How many pixels of the panels (without the scale beside them) are much more red than blue."""
    red, _, blue = np.moveaxis(sheet[40:, :1180], 2, 0)
    return int((red - blue > 100).sum())


def bluish(sheet):
    return reddish(sheet[..., ::-1])


def test_nothing_is_white_and_what_speaks_for_or_against_is_red_or_blue():
    colours = colours_of(np.array([[0, FULL_HEAT, -FULL_HEAT, 3 * FULL_HEAT]])).tolist()[0]
    assert min(colours[0]) >= 253
    assert colours[1] == colours[3] == [255, 0, 0]
    assert colours[2] == [0, 0, 255]


def test_an_overlay_leaves_what_says_nothing_and_covers_by_strength():
    photo = textured_photo(1, (70, 70))
    heat = np.zeros((7, 7), np.float32)
    heat[3, 3], heat[0, 6] = FULL_HEAT, -FULL_HEAT
    laid = overlay(photo, heat).astype(int)
    np.testing.assert_array_equal(laid[50:, :20], photo[50:, :20])
    shift = laid - photo
    assert shift[35, 35, 0] >= 0 >= shift[35, 35, 2] and shift[5, 65, 2] >= 0 >= shift[5, 65, 0]
    weak = overlay(photo, heat / 10).astype(int) - photo
    np.testing.assert_allclose(weak[35, 35], shift[35, 35] / 10, atol=1)


def test_faint_heat_is_not_stretched(tmp_path):
    """The loudest place of a faint map gets a tenth of the colour, however faint the others are."""
    photo = textured_photo(2, (70, 70))
    noise = np.random.default_rng(0).uniform(-1, 1, (7, 7)).astype(np.float32) * FULL_HEAT / 50
    assert np.abs(overlay(photo, noise).astype(int) - photo).max() <= 5
    assert reddish(drawn(tmp_path, noise)) == bluish(drawn(tmp_path, noise)) == 0


def test_negative_heat_is_drawn_blue_and_strong_heat_red(tmp_path):
    hot = drawn(tmp_path, np.full((4, 4), FULL_HEAT))
    cold = drawn(tmp_path, np.full((4, 4), -FULL_HEAT))
    assert reddish(hot) > 200_000 and bluish(hot) == 0
    assert bluish(cold) > 200_000 and reddish(cold) == 0


def test_the_scale_is_the_callers(tmp_path):
    heat = np.full((4, 4), 2.0)
    assert reddish(drawn(tmp_path, heat)) == 0
    assert reddish(drawn(tmp_path, heat, full_heat=2.0)) > 200_000


def test_a_region_is_outlined_in_all_three_panels(tmp_path):
    def yellow(sheet):
        red, green, blue = np.moveaxis(sheet, 2, 0)
        columns = np.flatnonzero(((red > 240) & (green > 240) & (blue < 60)).any(axis=0))
        return 1 + int((np.diff(columns) > 120).sum()) if len(columns) else 0

    heat = np.zeros((4, 4))
    assert yellow(drawn(tmp_path, heat)) == 0
    assert yellow(drawn(tmp_path, heat, region=FaceBox(10, 10, 25, 30, 1.0))) == 3


def test_words_say_what_adds_up_and_where_there_is_nothing():
    assert heat_words(explanation([[8, -4], [0, 0]])) == "for with_mask +2.0, against -1.0 log-odds"
    assert heat_words(explanation([[0.2, -4]])).startswith("nothing speaks for with_mask (+0.1, -2")
    assert "-0.0" in heat_words(explanation([[8, 0]]))


@pytest.mark.parametrize("name", ["口罩", "$x_1", "a\udcff"])
def test_any_class_name_can_be_written(tmp_path, name):
    path = tmp_path / "named.png"
    crop = np.zeros((20, 30, 3), np.uint8)
    with np.testing.suppress_warnings() as quiet:
        quiet.filter(UserWarning)
        draw_explanation(crop, explanation([[1.0]], name), path, title=name)
    assert read_image(path).shape[1] > 1000


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    crop = np.zeros((20, 30, 3), np.uint8)
    with pytest.raises(MaskDetectorError, match="file"):
        draw_explanation(crop, explanation([[1.0]]), tmp_path / "file" / "a.png", title="")
