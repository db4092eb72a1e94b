"""Pictures of every kind on disk come out as RGB, damaged ones as one kind of error."""

import os
import shutil
import zlib

import cv2
import numpy as np
import pytest
from conftest import textured_photo
from PIL import Image

from mask_detector.errors import UnreadableImageError
from mask_detector.images import crop_face, fit, read_image
from mask_detector.types import FaceBox

ORIENTATION = 0x0112  # EXIF tag

# What a viewer shows for each EXIF orientation of the stored picture (EXIF 2.32, table 6).
SHOWN = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, 1),
}


def patches():
    """Six unlike patches of one colour, `(32, 48, 3)` uint8 RGB: no turn looks like another."""
    colours = np.array(
        [
            [[250, 10, 10], [10, 250, 10], [10, 10, 250]],
            [[240, 240, 20], [128, 128, 128], [0, 0, 0]],
        ],
        dtype=np.uint8,
    )
    return colours.repeat(16, axis=0).repeat(16, axis=1)


def difference(first, second):
    return np.abs(first.astype(int) - second.astype(int)).max()


def assert_reads_as(path, expected, within=0):
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.shape == expected.shape
    assert difference(image, expected) <= within


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm"])
def test_a_lossless_file_of_opencv_comes_back_exactly(tmp_path, suffix):
    photo = textured_photo(1)
    path = tmp_path / f"a{suffix}"
    assert cv2.imwrite(str(path), photo)
    assert_reads_as(path, photo[..., ::-1])


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_a_lossy_file_reads_as_opencv_reads_it(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    assert cv2.imwrite(str(path), textured_photo(2))
    assert_reads_as(path, cv2.imread(str(path))[..., ::-1], within=4)


@pytest.mark.parametrize("suffix", [".gif", ".png"])
def test_a_palette_picture_gets_its_colours_back(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(patches()).quantize(6).save(path)
    assert_reads_as(path, patches())


def test_the_first_frame_of_an_animation_is_taken(tmp_path):
    path = tmp_path / "a.gif"
    later = Image.fromarray(255 - patches())
    Image.fromarray(patches()).quantize(6).save(path, save_all=True, append_images=[later])
    assert_reads_as(path, patches())


def test_grey_becomes_three_equal_channels(tmp_path):
    grey = textured_photo(3)[..., 0]
    cv2.imwrite(str(tmp_path / "a.png"), grey)
    assert_reads_as(tmp_path / "a.png", np.stack([grey] * 3, axis=-1))


def test_a_black_and_white_picture_becomes_0_and_255(tmp_path):
    grey = np.where(textured_photo(3)[..., 0] > 127, 255, 0).astype(np.uint8)
    Image.fromarray(grey).convert("1", dither=Image.Dither.NONE).save(tmp_path / "a.png")
    assert_reads_as(tmp_path / "a.png", np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("brightest", [200, 65535])
def test_16_bit_grey_is_scaled_by_its_full_range_however_dark(tmp_path, suffix, brightest):
    deep = np.linspace(0, brightest, 600).astype(np.uint16).reshape(20, 30)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), deep)
    expected = np.stack([deep / 257] * 3, axis=-1)
    assert_reads_as(tmp_path / f"a{suffix}", expected, within=1)


@pytest.mark.parametrize("brightest", [200, 65535])
def test_16_bit_grey_is_scaled_alike_in_either_byte_order(tmp_path, brightest):
    deep = np.linspace(0, brightest, 600).astype(">u2").reshape(20, 30)
    Image.fromarray(deep).save(tmp_path / "a.tiff")
    assert (tmp_path / "a.tiff").read_bytes()[:2] == b"MM"
    assert_reads_as(tmp_path / "a.tiff", np.stack([deep / 257] * 3, axis=-1), within=1)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_colour_keeps_its_upper_8_bits(tmp_path, suffix):
    deep = textured_photo(4).astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / f"a{suffix}"), deep)
    assert_reads_as(tmp_path / f"a{suffix}", textured_photo(4)[..., ::-1])


@pytest.mark.parametrize("top", [1.0, 255.0])
def test_float_grey_is_scaled_by_the_range_it_uses(tmp_path, top):
    values = np.linspace(0, top, 600, dtype=np.float32).reshape(20, 30)
    Image.fromarray(values).save(tmp_path / "a.tiff")
    assert_reads_as(tmp_path / "a.tiff", np.stack([values / top * 255] * 3, axis=-1), within=1)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_transparency_is_laid_over_white(tmp_path, suffix):
    colour = textured_photo(5)[..., ::-1]
    alpha = np.linspace(0, 255, colour.shape[1]).astype(np.uint8)
    alpha = np.broadcast_to(alpha, colour.shape[:2])
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.dstack([colour, alpha])).save(path, lossless=True, exact=True)
    opacity = alpha[..., None] / 255
    assert_reads_as(path, colour * opacity + 255 * (1 - opacity), within=2)


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_a_transparent_palette_colour_becomes_white(tmp_path, suffix):
    indexed = Image.fromarray(patches()).quantize(6)
    clear = indexed.getpixel((0, 0))
    indexed.save(tmp_path / f"a{suffix}", transparency=clear)
    expected = patches()
    expected[:16, :16] = 255
    assert_reads_as(tmp_path / f"a{suffix}", expected)


def test_transparent_grey_is_laid_over_white(tmp_path):
    grey = textured_photo(6)[..., 0]
    alpha = np.full_like(grey, 51)
    Image.fromarray(np.dstack([grey, alpha])).save(tmp_path / "a.png")
    expected = np.stack([grey * 0.2 + 255 * 0.8] * 3, axis=-1)
    assert_reads_as(tmp_path / "a.png", expected, within=1)


def test_a_cmyk_jpeg_has_the_colours_opencv_sees(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(patches()).convert("CMYK").save(path, quality=95)
    assert_reads_as(path, cv2.imread(str(path))[..., ::-1], within=4)
    assert_reads_as(path, patches(), within=12)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
@pytest.mark.parametrize("orientation", SHOWN)
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"a{suffix}"
    options = {".jpg": {"quality": 95, "subsampling": 0}, ".webp": {"lossless": True}}
    Image.fromarray(patches()).save(path, exif=exif, **options.get(suffix, {}))
    assert_reads_as(path, SHOWN[orientation](patches()), within=4 if suffix == ".jpg" else 0)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow may grumble, but not refuse
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize(
    "block", [b"junk junk", b"XX\0*\0\0\0\x08", b"MM\0*\0\0\xff\xff", b"MM\0*\0\0\0\x08\0\x09abc"]
)
def test_a_picture_with_a_broken_exif_block_is_still_read(tmp_path, suffix, block):
    path = tmp_path / f"a{suffix}"
    options = {"quality": 95, "subsampling": 0} if suffix == ".jpg" else {"lossless": True}
    Image.fromarray(patches()).save(path, exif=b"Exif\0\0" + block, **options)
    assert_reads_as(path, patches(), within=4)


ODD_NAMES = [
    b"001.jpg_1088Wx1632H",
    b"UPPER.PNG",
    b"no_suffix",
    b"two words (1).png",
    b" .png",
    "戴口罩的人.png".encode(),
    b"caf\xe9 \xff.png",
    b"quote'\".png",
    b"-dash.png",
    b"percent%20#.png",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=repr)
def test_a_picture_is_read_whatever_its_name(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    cv2.imwrite(str(tmp_path / "plain.png"), textured_photo(7))
    try:
        shutil.copyfile(tmp_path / "plain.png", path)
    except OSError:
        pytest.skip("this file system refuses the name")
    assert_reads_as(path, textured_photo(7)[..., ::-1])
    assert_reads_as(str(path), textured_photo(7)[..., ::-1])


@pytest.mark.parametrize(("content", "name"), [(".png", "a.jpg"), (".jpg", "a.png")])
def test_a_wrong_suffix_does_not_matter(tmp_path, content, name):
    _, data = cv2.imencode(content, textured_photo(8))
    (tmp_path / name).write_bytes(data.tobytes())
    expected = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    assert_reads_as(tmp_path / name, expected, within=4)


def encoded(suffix, photo):
    return cv2.imencode(suffix, photo)[1].tobytes()


UNREADABLE = {
    "empty.jpg": b"",
    "text.jpg": b"not a picture, only words\n",
    "page.png": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "half.jpg": encoded(".jpg", textured_photo(9))[:700],
    "half.png": encoded(".png", textured_photo(9))[:700],
    "half.webp": encoded(".webp", textured_photo(9))[:200],
    "half.bmp": encoded(".bmp", textured_photo(9))[:2000],
    "start.jpg": encoded(".jpg", textured_photo(9))[:3],
    "zeros.png": bytes(1000),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_whole_picture_is_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(UNREADABLE[name])
    with pytest.raises(UnreadableImageError, match=name):
        read_image(tmp_path / name)


def test_a_folder_is_refused_by_name(tmp_path):
    with pytest.raises(UnreadableImageError, match=tmp_path.name):
        read_image(tmp_path)


def test_a_missing_file_is_refused_as_missing(tmp_path):
    with pytest.raises(UnreadableImageError, match=r"no such picture: .*gone\.jpg"):
        read_image(tmp_path / "gone.jpg")


def test_a_picture_of_a_billion_pixels_is_refused_unopened(tmp_path):
    header = b"IHDR" + (40_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    chunk = (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk + encoded(".png", textured_photo(1))[33:]
    )
    with pytest.raises(UnreadableImageError, match=r"bomb\.png"):
        read_image(tmp_path / "bomb.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_any_damage_ends_in_a_picture_or_in_the_one_error(tmp_path, suffix):
    rng = np.random.default_rng(42)
    whole = encoded(suffix, textured_photo(10, size=(40, 30)))
    path = tmp_path / f"a{suffix}"
    outcomes = {"read": 0, "refused": 0}
    for _ in range(200):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(0, 8)):
            data[place] = rng.integers(256)
        keep = len(data) if rng.random() < 0.7 else rng.integers(len(data))
        path.write_bytes(bytes(data[:keep]))
        try:
            image = read_image(path)
        except UnreadableImageError as error:
            assert path.name in str(error)
            outcomes["refused"] += 1
        else:
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3
            outcomes["read"] += 1
    assert min(outcomes.values()) >= 5  # the damage was neither too small nor too great


@pytest.mark.parametrize(
    ("box", "margin", "expected"),
    [
        ((40, 30, 60, 70), 0.0, (40, 30, 60, 70)),
        ((40, 30, 60, 70), 0.3, (34, 18, 66, 82)),  # 20 x 40: 6 across, 12 down
        ((40, 30, 60, 70), 1.0, (20, 0, 80, 100)),
        ((5, 4, 25, 44), 0.3, (0, 0, 31, 56)),
        ((70, 60, 120, 100), 0.5, (45, 40, 120, 100)),
        ((0, 0, 120, 100), 0.3, (0, 0, 120, 100)),
        ((119, 99, 120, 100), 0.0, (119, 99, 120, 100)),
    ],
)
def test_a_face_is_cut_out_with_its_margin_as_far_as_the_picture_reaches(box, margin, expected):
    image = np.arange(100 * 120 * 3, dtype=np.uint32).reshape(100, 120, 3)
    left, top, right, bottom = expected
    crop = crop_face(image, FaceBox(*box, score=1.0), margin)
    np.testing.assert_array_equal(crop, image[top:bottom, left:right])


def test_a_cut_out_face_shares_the_pictures_memory():
    image = textured_photo(11)
    assert np.shares_memory(crop_face(image, FaceBox(10, 10, 30, 30, 1.0), 0.3), image)


SHAPES = [(96, 80), (24, 24), (10, 200), (200, 10), (1, 1), (7, 500)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [24, 224])
def test_fit_equals_opencv_averaging_when_anything_shrinks(shape, size):
    photo = textured_photo(12, size=shape)
    method = cv2.INTER_AREA if max(shape) > size else cv2.INTER_LINEAR
    fitted = fit(photo, size)
    assert fitted.shape == (size, size, 3)
    assert fitted.dtype == np.uint8
    np.testing.assert_array_equal(fitted, cv2.resize(photo, (size, size), interpolation=method))


def test_shrinking_averages_every_pixel():
    photo = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    blocks = photo.reshape(24, 4, 24, 4, 3).mean(axis=(1, 3))
    assert np.abs(fit(photo, 24) - blocks).max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_one_colour_stays_that_colour(shape):
    photo = np.full((*shape, 3), (12, 130, 251), dtype=np.uint8)
    np.testing.assert_array_equal(fit(photo, 60), np.broadcast_to(photo[0, 0], (60, 60, 3)))


def test_fit_takes_views_with_turned_axes():
    photo = textured_photo(13)
    for view in (photo[..., ::-1], photo[::-1], photo[5:50, 70:3:-1]):
        np.testing.assert_array_equal(fit(view, 32), fit(np.ascontiguousarray(view), 32))
