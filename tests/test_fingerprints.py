"""Copies of a photo are recognised in other pixels, strangers are not."""

import hashlib
import shutil

import cv2
import numpy as np
import pytest
from conftest import textured_photo

from mask_detector.copies.fingerprints import fingerprint, near_duplicates
from mask_detector.errors import UnreadableImageError
from mask_detector.images import read_image

# What people do to a photo that they pass on; `(h, w, 3)` uint8 BGR in and out.
CHANGES = {
    "smaller": lambda p: cv2.resize(p, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
    "larger": lambda p: cv2.resize(p, None, fx=1.7, fy=1.7, interpolation=cv2.INTER_CUBIC),
    "squeezed": lambda p: cv2.resize(p, (100, 100), interpolation=cv2.INTER_AREA),
    "brighter": lambda p: cv2.convertScaleAbs(p, alpha=1.0, beta=20),
    "darker": lambda p: cv2.convertScaleAbs(p, alpha=0.8, beta=0),
    "grey": lambda p: cv2.merge([cv2.cvtColor(p, cv2.COLOR_BGR2GRAY)] * 3),
    "mirrored": lambda p: p[:, ::-1],
    "mirrored and smaller": lambda p: cv2.resize(
        p[:, ::-1], None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA
    ),
    "as it is": lambda p: p,
}


def write_all(folder, photos, suffix=".png", options=()):
    folder.mkdir()
    paths = [folder / f"{index:04d}{suffix}" for index in range(len(photos))]
    for path, photo in zip(paths, photos, strict=True):
        assert cv2.imwrite(str(path), photo, options)
    return paths


def pairs_of(paths):
    return near_duplicates([fingerprint(path) for path in paths])


@pytest.fixture(scope="module")
def unlike(tmp_path_factory):
    photos = [textured_photo(seed) for seed in range(80)]
    return write_all(tmp_path_factory.mktemp("unlike") / "photos", photos)


def test_unlike_photos_are_not_taken_for_copies(unlike):
    assert len(pairs_of(unlike)) == 0


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_strangers(unlike, tmp_path, change):
    copies = [CHANGES[change](cv2.imread(str(path))) for path in unlike[:40]]
    paths = write_all(tmp_path / "copies", copies, ".jpg", (cv2.IMWRITE_JPEG_QUALITY, 70))
    expected = [[index, len(unlike) + index] for index in range(40)]
    assert pairs_of([*unlike, *paths]).tolist() == expected


@pytest.mark.parametrize("change", CHANGES)
def test_two_photos_alone_are_compared_too(tmp_path, change):
    photo = textured_photo(5)
    paths = write_all(tmp_path / "pair", [photo, CHANGES[change](photo)])
    assert pairs_of(paths).tolist() == [[0, 1]]
    assert len(pairs_of(write_all(tmp_path / "no", [photo, textured_photo(6)]))) == 0


def test_exact_copies_are_pairs_each_with_each(unlike, tmp_path):
    copies = [shutil.copyfile(unlike[3], tmp_path / name) for name in "ab"]
    assert pairs_of([*unlike, *copies]).tolist() == [[3, 80], [3, 81], [80, 81]]


def test_every_pair_of_a_set_of_over_a_thousand_is_found_once(unlike):
    prints = [fingerprint(path) for path in unlike] * 14  # more than the rows compared at once
    expected = [[i, j] for i in range(len(prints)) for j in range(i + 80, len(prints), 80)]
    assert near_duplicates(prints).tolist() == expected


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_photos_make_no_pair(unlike, count):
    assert pairs_of(unlike[:count]).shape == (0, 2)


def test_a_set_in_which_all_photos_show_the_same_thing_is_not_one_cluster(tmp_path):
    common = cv2.resize(textured_photo(1), (200, 200)).astype(np.float64)
    photos = []
    for seed in range(60):
        detail = cv2.resize(textured_photo(1000 + seed), (200, 200)).astype(np.float64)
        photos.append((0.9 * common + 0.1 * detail).astype(np.uint8))
    photos.append(cv2.resize(photos[0], (150, 150), interpolation=cv2.INTER_AREA))
    assert pairs_of(write_all(tmp_path / "alike", photos)).tolist() == [[0, 60]]


def test_a_fingerprint_says_what_the_file_holds(tmp_path):
    photo = textured_photo(2, size=(70, 90))
    (path,) = write_all(tmp_path / "one", [photo])
    found = fingerprint(path)
    assert found.file_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.width, found.height) == (90, 70)
    assert found.contrast == pytest.approx(max(photo[..., c].std() for c in range(3)))
    assert found.thumbnail.shape == (32, 32)


def test_one_colour_has_no_contrast(tmp_path):
    (path,) = write_all(tmp_path / "flat", [np.full((40, 40, 3), (9, 90, 200), np.uint8)])
    assert fingerprint(path).contrast == 0.0


def test_an_unreadable_file_has_no_fingerprint(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"words")
    with pytest.raises(UnreadableImageError, match=r"a\.jpg"):
        fingerprint(tmp_path / "a.jpg")


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_of_real_photos_are_found(data, tmp_path, change):
    paths = real_photos(data)
    copies = [CHANGES[change](read_image(path)[..., ::-1]) for path in paths[::5]]
    copied = write_all(tmp_path / "copies", copies, ".jpg", (cv2.IMWRITE_JPEG_QUALITY, 70))
    expected = [[5 * index, len(paths) + index] for index in range(len(copied))]
    assert pairs_of([*paths, *copied]).tolist() == expected


def test_real_photos_of_different_people_are_not_taken_for_copies(data):
    assert len(pairs_of(real_photos(data))) == 0


def real_photos(data):
    """Every fortieth photo of each class: neighbours by name may be of one person."""
    folders = [data / "masks4k" / name for name in ("with_mask", "without_mask")]
    return [path for folder in folders for path in sorted(folder.iterdir())[::40]]
