"""Pictures reach Keras as a camera's do: cut out alike, in an order that seed and epoch decide."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import textured_photo

from mask_detector.types import FaceBox, ModelCard, Sample


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


def batches_of(samples, seed=None, margin=0.3, **options):
    from mask_detector.input_pipeline import PictureBatches

    return PictureBatches(samples, 48, 8, margin=margin, seed=seed, **options)


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


def test_an_order_can_be_kept_while_every_epoch_looks_different(keras, samples):
    batches = batches_of(samples, seed=3, shuffle=False)
    first, labels = read(batches, 0)
    assert labels.tolist() == [sample.label for sample in samples]
    assert not np.array_equal(first, read(batches, 1)[0])


def test_views_depend_on_the_seed_from_the_first_picture_on(keras, samples):
    """Also where nobody has said which epoch begins."""
    views = [
        np.concatenate([x.numpy() for x, _ in batches_of(samples, seed=seed).dataset])
        for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(views[0], views[1])
    assert not np.array_equal(views[0], views[2])


class Remembers:
    """A classifier that keeps the crops it is asked about."""

    def __init__(self, image_size, margin):
        self.card = ModelCard(("on", "off"), image_size, crop_margin=margin)

    def predict(self, crops):
        self.crops = crops
        return np.full((len(crops), 2), 0.5, np.float32)


BOXES = [
    FaceBox(100, 60, 220, 200, 0.9),  # larger than the classifier's picture
    FaceBox(30, 40, 51, 67, 0.9),  # smaller
    FaceBox(0, 0, 60, 90, 0.9),  # at a corner
    FaceBox(300, 150, 320, 240, 0.9),  # at the other one
    FaceBox(0, 0, 320, 240, 0.9),  # all of it
]


@pytest.mark.parametrize("margin", [0.0, 0.3, 1.5])
def test_a_face_gets_the_very_pixels_that_it_gets_before_a_camera(keras, tmp_path, margin):
    """The rule that ties training to run time: same box, same margin, same pixels, RGB."""
    from mask_detector.pipeline import Pipeline

    frame_bgr = textured_photo(1, (240, 320))
    frame_bgr[..., 2] //= 4  # red and blue can't be taken for each other
    cv2.imwrite(str(tmp_path / "frame.png"), frame_bgr)
    classifier = Remembers(48, margin)
    Pipeline(None, classifier).judge(frame_bgr, BOXES)
    samples = [Sample(tmp_path / "frame.png", 0, 0, box) for box in BOXES]
    trained, _ = read(batches_of(samples, margin=margin))
    assert trained.dtype == classifier.crops.dtype == np.uint8
    np.testing.assert_array_equal(trained, classifier.crops)
    assert (trained[..., 0].mean(axis=(1, 2)) < trained[..., 2].mean(axis=(1, 2))).all()


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_the_margin_goes_around_the_box_and_ends_with_the_picture(keras, tmp_path, margin):
    """Every pixel tells its place: red its column, green its row."""
    box = FaceBox(100, 60, 148, 108, 0.9)
    samples = [Sample(place_map(tmp_path), 0, 0, b) for b in (box, FaceBox(0, 0, 48, 48, 0.9))]
    (middle, corner), _ = read(batches_of(samples, margin=margin))
    reach = round(48 * margin)
    assert middle[0, 0, :2] == pytest.approx([100 - reach, 60 - reach], abs=1)
    assert middle[-1, -1, :2] == pytest.approx([147 + reach, 107 + reach], abs=1)
    assert corner[0, 0, :2] == pytest.approx([0, 0], abs=1)
    assert corner[-1, -1, :2] == pytest.approx([47 + reach, 47 + reach], abs=1)


def place_map(folder):
    rows, columns = np.mgrid[:200, :250].astype(np.uint8)
    rgb = np.dstack([columns, rows, np.full_like(rows, 128)])
    cv2.imwrite(str(folder / "places.png"), rgb[..., ::-1])
    return folder / "places.png"


def test_views_of_a_face_keep_to_the_margins_of_training(keras, tmp_path):
    from mask_detector.images import read_image
    from mask_detector.input_pipeline import TRAINING_MARGINS, _random_crop

    image, box = read_image(place_map(tmp_path)), FaceBox(85, 70, 165, 130, 0.9)
    margins, offsets = [], []
    for seed in range(300):
        crop = _random_crop(image, box, np.random.default_rng(seed))
        (left, top), (right, bottom) = crop[0, 0, :2].astype(int), crop[-1, -1, :2].astype(int) + 1
        across, down = ((right - left) / 80 - 1) / 2, ((bottom - top) / 60 - 1) / 2
        assert across == pytest.approx(down, abs=0.02)  # one margin for all sides
        margins += [across, down]
        offsets.append([((left + right) / 2 - 125) / 80, ((top + bottom) / 2 - 100) / 60])
    low, high = TRAINING_MARGINS
    assert low - 0.01 <= min(margins) < low + 0.03 and high - 0.03 < max(margins) <= high + 0.01
    assert 0.07 < np.abs(offsets).max() < 0.1  # a little off the middle, every way
    assert np.abs(np.mean(offsets, axis=0)).max() < 0.01


def test_views_of_a_whole_photo_lose_some_of_its_edge_only(keras, tmp_path):
    from mask_detector.images import read_image
    from mask_detector.input_pipeline import _random_crop

    image = read_image(place_map(tmp_path))
    for seed in range(100):
        height, width = _random_crop(image, None, np.random.default_rng(seed)).shape[:2]
        assert 0.6 * 200 < height <= 200 and 0.6 * 250 < width <= 250


def test_three_in_ten_views_lack_a_side_and_half_as_much_from_below(keras, tmp_path):
    from mask_detector.images import read_image
    from mask_detector.input_pipeline import _cut_off_at_times

    image = read_image(place_map(tmp_path))
    missing = []  # fractions, from left, top, right, bottom
    for seed in range(400):
        seen = _cut_off_at_times(image, np.random.default_rng(seed)).astype(int)
        (left, top), (right, bottom) = seen[0, 0, :2], seen[-1, -1, :2] + 1
        assert seen.shape == (bottom - top, right - left, 3)  # nothing stretched, turned, mirrored
        missing.append((left / 250, top / 200, 1 - right / 250, 1 - bottom / 200))
    missing = np.array(missing)
    sides_cut = (missing > 0).sum(axis=1)
    assert sides_cut.max() == 1 and 0.24 < (sides_cut == 1).mean() < 0.36
    for side, (least, most) in enumerate([(0.15, 0.5)] * 3 + [(0.075, 0.25)]):
        shares = missing[missing[:, side] > 0, side]
        assert least - 0.01 <= shares.min() < least + 0.06
        assert most - 0.08 < shares.max() <= most


@pytest.mark.parametrize(
    "box", [FaceBox(0, 0, 2, 2, 1.0), FaceBox(249, 199, 250, 200, 1.0), FaceBox(9, 9, 10, 60, 1.0)]
)
def test_no_view_of_a_tiny_face_is_empty(keras, tmp_path, box):
    batches = batches_of([Sample(place_map(tmp_path), 0, 0, box)] * 40, seed=1, margin=0.0)
    assert read(batches)[0].shape == (40, 48, 48, 3)
    assert read(batches_of([Sample(place_map(tmp_path), 0, 0, box)]))[0].shape == (1, 48, 48, 3)


def test_about_half_of_the_training_photos_are_seen_from_afar(keras, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    batches = batches_of([Sample(tmp_path / "noise.png", 0, 0)] * 60, seed=5)
    loaded = [batches._load(np.int32(index), np.int32(0)) for index in range(60)]
    detail = np.array([cv2.Laplacian(image, cv2.CV_64F).std() for image in loaded])
    assert 0.3 < (detail < detail.max() * 0.5).mean() < 0.8
    assert {image.shape for image in loaded} == {(48, 48, 3)}


# Where Keras has a layer for it, that is the oracle; our pictures are rounded to whole numbers.


@pytest.mark.parametrize("contrast", [1.0, 1.15, 1.3])
@pytest.mark.parametrize("brightness", [-60.0, 0.0, 33.3])
def test_other_light_is_that_of_keras_layers(keras, brightness, contrast):
    from mask_detector.input_pipeline import relight

    image = cv2.GaussianBlur(textured_photo(3), (0, 0), 2)
    pixels = np.float32(image)[None]
    brighter = keras.layers.RandomBrightness(0.5, value_range=(0, 255)).transform_images(
        pixels, {"rgb_delta": brightness}
    )
    expected = keras.layers.RandomContrast(0.3, value_range=(0, 255)).transform_images(
        brighter, {"contrast_factor": contrast}
    )
    np.testing.assert_allclose(relight(image, brightness, contrast), expected[0], atol=1.5)


@pytest.mark.parametrize("amount", [-0.6, 0.0, 0.4, 1.0])
def test_greyer_and_more_colourful_is_what_keras_layer_makes(keras, amount):
    from mask_detector.input_pipeline import grey_out

    image = textured_photo(3)
    layer = keras.layers.RandomColorDegeneration(0.6, value_range=(0, 255))
    expected = layer.transform_images(np.float32(image)[None], {"factor": np.float32(amount)})
    np.testing.assert_allclose(grey_out(image, amount), expected[0], atol=1)


@pytest.mark.parametrize("degrees", [-20.0, 0.0, 7.5, 20.0])
def test_a_turned_picture_goes_on_at_its_edge(degrees):
    from scipy import ndimage

    from mask_detector.input_pipeline import turn

    image = cv2.GaussianBlur(textured_photo(3), (0, 0), 2)
    expected = ndimage.rotate(image.astype(float), degrees, reshape=False, order=1, mode="nearest")
    assert np.abs(turn(image, degrees) - expected).mean() < 1
    np.testing.assert_allclose(turn(image, degrees), expected, atol=8)  # steps of 1/32 pixel


def test_views_are_mirrored_turned_and_lit_as_much_as_is_said(keras):
    """Two grey spots on grey tell where they went; the mean tells the light."""
    from mask_detector.input_pipeline import _in_other_light, _turned

    image = np.full((101, 101, 3), 100, np.uint8)
    cv2.circle(image, (80, 50), 6, (250, 250, 250), -1)
    angles, mirrored, means = [], 0, []
    for seed in range(400):
        random = np.random.default_rng(seed)
        rows, columns = np.nonzero(_turned(image, random, 20)[..., 0] > 200)
        across, down = columns.mean() - 50, 50 - rows.mean()
        mirrored += across < 0
        angles.append(np.degrees(np.arctan2(down, abs(across))))
        means.append(float(_in_other_light(np.full((8, 8, 3), 128, np.uint8), random).mean()))
    assert 160 < mirrored < 240
    assert -20.5 < min(angles) < -18 and 18 < max(angles) < 20.5
    assert 63 <= min(means) < 70 and 186 < max(means) <= 193


@pytest.mark.parametrize("quality", [25, 60, 89])
def test_a_compressed_view_is_what_pillow_makes_of_the_same_colours(keras, quality):
    """Blue on red: with the two swapped, JPEG keeps other things and loses others."""
    import io

    from PIL import Image

    from mask_detector.input_pipeline import compressed

    image = cv2.cvtColor(textured_photo(3), cv2.COLOR_BGR2RGB)
    image[::3] = (250, 20, 40)
    image[:, ::5] = (20, 60, 240)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    expected = np.asarray(Image.open(file).convert("RGB")).astype(int)
    np.testing.assert_allclose(compressed(image, quality), expected, atol=6)
    swapped = compressed(image[..., ::-1].copy(), quality)[..., ::-1]
    assert np.abs(swapped - expected).max() > 30  # or the order would not matter here


def test_a_view_depends_on_its_place_and_not_on_its_company(keras, samples):
    one_by_one, _ = read(batches_of(samples, seed=3, shuffle=False))
    from mask_detector.input_pipeline import PictureBatches

    together = PictureBatches(samples, 48, 20, margin=0.3, seed=3, shuffle=False)
    np.testing.assert_array_equal(one_by_one, read(together)[0])
