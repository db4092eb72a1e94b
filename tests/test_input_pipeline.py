"""Photos reach Keras as they are: decoded alike, in an order that seed and epoch decide."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import textured_photo

from mask_detector.types import Sample


@pytest.fixture
def samples(tmp_path):
    """Twenty photos in several formats, one with a name that is not UTF-8."""
    made = []
    for index in range(20):
        suffix = (".png", ".jpg", ".bmp", ".webp")[index % 4]
        path = tmp_path / f"{index}{suffix}"
        cv2.imwrite(str(path), textured_photo(index))
        made.append(Sample(path, index % 3, index))
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe odd.png"))
    made[0].path.rename(odd)
    return [Sample(odd, 0, 0), *made[1:]]


def batches_of(samples, seed=None):
    from mask_detector.input_pipeline import PhotoBatches

    return PhotoBatches(samples, 48, 8, seed=seed)


def read(batches, epoch=0):
    batches.start_epoch(epoch)
    parts = [(x.numpy(), y.numpy()) for x, y in batches.dataset]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def test_without_a_seed_photos_come_in_order_and_unchanged(keras, samples):
    from mask_detector.images import fit, read_image

    pixels, labels = read(batches_of(samples))
    assert labels.tolist() == [sample.label for sample in samples]
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, [fit(read_image(s.path), 48) for s in samples])


def test_the_number_of_batches_is_known_beforehand(keras, samples):
    assert len(batches_of(samples).dataset) == 3


def test_an_epoch_looks_the_same_whenever_it_is_reached(keras, samples):
    straight, resumed = batches_of(samples, seed=7), batches_of(samples, seed=7)
    first, _ = read(straight, 0)
    second, labels = read(straight, 1)
    again, labels_again = read(resumed, 1)
    np.testing.assert_array_equal(second, again)
    np.testing.assert_array_equal(labels, labels_again)
    assert not np.array_equal(first, second)


def test_each_epoch_shows_every_photo_once(keras, samples):
    _, labels = read(batches_of(samples, seed=3), 5)
    assert sorted(labels) == sorted(sample.label for sample in samples)


def test_augmented_photos_stay_in_range_and_differ_from_the_originals(keras, samples):
    pixels, _ = read(batches_of(samples, seed=3))
    originals, _ = read(batches_of(samples))
    assert pixels.min() >= 0 and pixels.max() <= 255
    assert not any(np.allclose(p, o, atol=8) for p in pixels for o in originals)


def test_about_half_of_the_training_photos_are_seen_from_afar(keras, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    batches = batches_of([Sample(tmp_path / "noise.png", 0, 0)] * 60, seed=5)
    loaded = [batches._load(np.int32(index), np.int32(0)) for index in range(60)]
    detail = np.array([cv2.Laplacian(image, cv2.CV_64F).std() for image in loaded])
    assert 0.3 < (detail < detail.max() * 0.7).mean() < 0.7
    assert {image.shape for image in loaded} == {(48, 48, 3)}
