"""The sheet's pixels where each tile should be, the words under them, odd names and wrong turns."""

import cv2
import numpy as np
import pytest
from conftest import textured_photo

from mask_detector.errors import MaskDetectorError
from mask_detector.images import read_image
from mask_detector.labels import shortened
from mask_detector.montage import Tile, draw_montage

COLOURS = ((250, 10, 10), (10, 250, 10), (10, 10, 250), (240, 240, 10))


def flat(colour, size=(40, 60)):
    return np.full((*size, 3), colour, np.uint8)


def sheet_of(tmp_path, tiles, title="title"):
    draw_montage(tiles, tmp_path / "sheet.png", title)
    return read_image(tmp_path / "sheet.png")


def patches(sheet, colour):
    """Bounding boxes (left, top, width, height) of a colour's patches, row by row."""
    mask = (sheet == colour).all(axis=2).astype(np.uint8)
    boxes = cv2.connectedComponentsWithStats(mask)[2][1:, :4].tolist()
    return sorted(boxes, key=lambda box: (box[1], box[0]))


def test_tiles_are_squares_of_112_pixels_row_by_row(tmp_path):
    tiles = [Tile(flat(COLOURS[i % 4], (30 + i, 200 - i)), "a", "b") for i in range(19)]
    sheet = sheet_of(tmp_path, tiles)
    assert sheet.shape[1] == 8 * 144
    found = sorted((top, left, i) for i, colour in enumerate(COLOURS)
                   for left, top, width, height in patches(sheet, colour)
                   if (width, height) == (112, 112))  # fmt: skip
    assert [i for _, _, i in found] == [i % 4 for i in range(19)]
    assert len({top for top, _, _ in found}) == 3
    assert len({left for _, left, _ in found}) == 8


def test_colours_stay_rgb_and_tiles_are_stretched_as_the_model_sees_them(tmp_path):
    photo = textured_photo(3)[:, :, ::-1].copy()
    sheet = sheet_of(tmp_path, [Tile(photo, "", "")])
    expected = cv2.resize(photo, (112, 112), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(sheet[40 : 40 + 112, 16 : 16 + 112], expected)


@pytest.mark.parametrize("letter", "im口")
@pytest.mark.filterwarnings("ignore:Glyph")
def test_two_lines_stand_under_a_tile_and_within_its_column(tmp_path, letter):
    tiles = [Tile(flat(COLOURS[0]), "", ""), Tile(flat(COLOURS[1]), letter * 60, "true: no_mask")]
    sheet = sheet_of(tmp_path, tiles, "")
    under = (sheet[40 + 112 :] < 128).any(axis=2)
    assert not under[:, :144].any()  # nothing under the first, whose lines are empty
    assert not under[:, 288:].any()  # and what belongs to the second does not reach the third
    assert under[:20, 150:282].any(axis=0).sum() > 40  # but uses the room there is
    assert under[20:40].any()
    assert not under[-2:].any()


def test_no_tiles_leave_the_title(tmp_path):
    sheet = sheet_of(tmp_path, [], "0 of 0 mistakes")
    assert sheet.shape == (40, 8 * 144, 3)
    assert (sheet < 128).any()


@pytest.mark.parametrize(
    "name", ["$x_1$ 50 %", "bytes\udcff 9 %", "口罩 88 %", "قناع 7 %", "\\frac"]
)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_of_any_kind_are_drawn(tmp_path, name):
    blank = sheet_of(tmp_path, [Tile(flat(COLOURS[0]), "", "")])
    assert (sheet_of(tmp_path, [Tile(flat(COLOURS[0]), name, name)], "title") != blank).any()


@pytest.mark.parametrize("length", range(1, 12))
def test_a_long_line_keeps_both_ends(length):
    short = shortened("with_mask 9 %", length)
    assert len(short) == length
    start, end = short.split("…")
    assert "with_mask 9 %".startswith(start) and "with_mask 9 %".endswith(end)
    assert abs(len(start) - len(end)) <= 1


def test_a_line_that_fits_stays():
    assert shortened("with_mask 9 %", 13) == shortened("with_mask 9 %", 99) == "with_mask 9 %"


def test_a_folder_is_made_and_one_that_cannot_be_is_named(tmp_path):
    draw_montage([], tmp_path / "deep" / "er" / "a.png", "t")
    assert (tmp_path / "deep" / "er" / "a.png").is_file()
    (tmp_path / "file").write_text("")
    with pytest.raises(MaskDetectorError, match=r"file.*can't be written"):
        draw_montage([], tmp_path / "file" / "a.png", "t")
