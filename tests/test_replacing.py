"""Files are written whole or not at all."""

import numpy as np
import pytest
from conftest import textured_photo

from mask_detector.errors import MaskDetectorError
from mask_detector.images import read_image, write_picture
from mask_detector.replacing import replacing


def test_what_fails_half_way_leaves_what_was_there(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("before")
    with pytest.raises(KeyError), replacing(path) as partial:
        partial.write_text("half")
        raise KeyError
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    with replacing(path) as partial:
        partial.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after" and list(tmp_path.iterdir()) == [path]


def test_a_picture_that_cannot_be_put_in_its_place_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken.png" / "by a folder").mkdir(parents=True)
    with pytest.raises(MaskDetectorError, match=r"taken\.png can't be written"):
        write_picture(textured_photo(0), tmp_path / "taken.png")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]


def test_a_picture_written_is_read_again_with_its_channels_in_order(tmp_path):
    photo = textured_photo(1)
    write_picture(photo[..., ::-1], tmp_path / "new" / "größer.png")
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "größer.png"), photo)
