"""Feed pictures to Keras: decoded in parallel, in batches, never the whole set in memory.

Photos and faces cut out of them go the same way as at run time, `images.crop_face` and then
`images.fit`. For training, each is seen differently every time: cut out a little off and with
another margin, at times with a side missing, as the few, blurred and compressed pixels that a
camera gives a distant face, mirrored, turned, and in other light. That is done by OpenCV, picture
by picture: Keras' layers take ten times as long for it, which is as long as the network itself.
"""

from __future__ import annotations

import functools

import cv2
import keras
import numpy as np
import tensorflow as tf

from mask_detector.images import crop_face, cut_out, fit, read_image
from mask_detector.orientations import oriented
from mask_detector.types import FaceBox, Sample

TRAINING_MARGINS = (0.0, 0.35)  # drawn for each view of a face; a fraction of the box, per side
_SHIFT = 0.08  # most that a view is off the middle, as a fraction of the box
_CUT_AWAY = 0.15  # most of a whole photo's edge that is cut away, per side
_OFTEN_CUT_OFF = 0.3  # of the views: a part is missing, as at the edge of a frame
_CUT_OFF = (0.15, 0.5)  # of that part; half as much from below, where a mask is what is missing
_GENTLE = 0.3  # of shift, cut, and change of light, where what matters may be small or at the edge
_FAR_SIDES = (20, 96)  # shorter side of a face as seen from afar, pixels
_GAMMAS = (-0.8, 1.5)  # powers of 2; above 0 is darker
_JPEG_QUALITIES = (25, 90)
_DEGREES, _ALL_DEGREES = 20, 180  # most that a view is turned, either way
_BRIGHTNESS = 0.25 * 255  # most that is added to or taken from every value
_CONTRASTS = (1.0, 1.3)
_GREYNESS = (-0.6, 0.6)  # 1 would be grey, below 0 the colours are stronger
_LUMA = (0.2989, 0.5870, 0.1140)  # how bright red, green and blue look, ITU-R BT.601
_DECODED = 8  # photos kept decoded: faces of one photo follow each other


class PictureBatches:
    """Batches of pictures for `fit`, `evaluate` and `predict`.

    With a seed, order and views of an epoch depend on the seed and the epoch's number alone, so
    a training that was killed and resumed sees what an unbroken one sees.

    Attributes:
        labels: `(n,)` of the pictures.
        dataset: of batches, pictures and labels; each pass over it is an epoch.
        augmentation: what a seed does to pictures: `camera` (cut off, far, dark, blurred or
            compressed at times, moved, turned, relit), `gentle` (moved, turned and relit a
            little), `any-way-up` (as gentle, but turned by any angle) or `none`.
    """

    def __init__(
        self,
        samples: list[Sample],
        image_size: int,
        batch_size: int,
        *,
        margin: float,
        seed: int | None = None,
        shuffle: bool = True,
    ) -> None:
        """
        Args:
            samples: the pictures.
            image_size: side of what comes out, in pixels.
            batch_size: pictures per batch.
            margin: for faces cut out, as at run time; with a seed one is drawn for each view.
            seed: shuffle and augment, anew for each epoch; None gives the pictures as they are,
                in the order of `samples`.
            shuffle: False keeps the order with a seed too.
        """
        self.labels = np.array([sample.label for sample in samples], np.int32)
        self._samples = samples
        self._image_size, self._margin, self._seed = image_size, margin, seed
        self.augmentation = "camera"
        self._epoch = tf.Variable(0, trainable=False, dtype=tf.int32)
        self._read = functools.lru_cache(_DECODED)(read_image)
        self.dataset = self._build(batch_size, shuffle and seed is not None)

    def start_epoch(self, epoch: int) -> None:
        """Choose what the next pass over `dataset` looks like."""
        self._epoch.assign(epoch)

    def _build(self, batch_size: int, shuffle: bool) -> tf.data.Dataset:
        def load(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            image = tf.numpy_function(self._load, [index, self._epoch], tf.uint8)
            image.set_shape((self._image_size, self._image_size, 3))
            return image, tf.gather(self.labels, index)

        batches = (
            ordered_indices(len(self._samples), self._seed if shuffle else None, self._epoch)
            .map(load, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(batch_size)
        )
        return with_length(batches, len(self._samples), batch_size).prefetch(tf.data.AUTOTUNE)

    def _load(self, index: np.ndarray, epoch: np.ndarray) -> np.ndarray:
        sample = self._samples[int(index)]
        image = self._read(sample.path)
        if self._seed is None or self.augmentation == "none":
            view = cut_out(image, sample.box, self._margin, self._image_size)
            return oriented(view[None], sample.orientation)[0]
        random = np.random.default_rng((self._seed, int(epoch), int(index)))
        strength = 1.0 if self.augmentation == "camera" else _GENTLE
        view = _random_crop(image, sample.box, random, strength)
        if self.augmentation == "camera":
            view = _as_a_camera_might(_cut_off_at_times(view, random), random)
        degrees = _ALL_DEGREES if self.augmentation == "any-way-up" else _DEGREES
        view = _turned(fit(view, self._image_size), random, degrees)
        return _in_other_light(view, random, strength)


def ordered_indices(count: int, seed: int | None, epoch: tf.Variable) -> tf.data.Dataset:
    """The numbers below `count`, with a seed in an order that it and the epoch decide."""

    def one_epoch(_: tf.Tensor) -> tf.data.Dataset:
        order = tf.range(count)
        if seed is not None:
            order = tf.random.experimental.stateless_shuffle(order, [seed, epoch])
        return tf.data.Dataset.from_tensor_slices(order)

    return tf.data.Dataset.range(1).flat_map(one_epoch)


def with_length(batches: tf.data.Dataset, count: int, batch_size: int) -> tf.data.Dataset:
    """Say how many batches there are, for the progress bar."""
    return batches.apply(tf.data.experimental.assert_cardinality(-(-count // batch_size)))


def _random_crop(
    image: np.ndarray, box: FaceBox | None, random: np.random.Generator, strength: float = 1.0
) -> np.ndarray:
    """Cut out a face, or most of a photo, with a random margin and a little off the middle."""
    height, width = image.shape[:2]
    margin = random.uniform(*((-strength * _CUT_AWAY, 0) if box is None else TRAINING_MARGINS))
    box = box or FaceBox(0, 0, width, height, 1.0)
    shift = strength * _SHIFT
    across, down = random.uniform(-shift, shift, 2) * (box.width, box.height)
    shifted = FaceBox(
        round(box.left + across),
        round(box.top + down),
        round(box.right + across),
        round(box.bottom + down),
        box.score,
    )
    crop = crop_face(image, shifted, margin)
    return crop if crop.size else image


def _cut_off_at_times(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Leave one side away, as the edge of a frame and an inexact box do."""
    if random.random() >= _OFTEN_CUT_OFF:
        return image
    quarter_turns = random.integers(4)
    share = random.uniform(*_CUT_OFF) * (0.5 if quarter_turns == 2 else 1.0)
    turned = np.rot90(image, quarter_turns)  # that side is the upper one now
    return np.rot90(turned[int(share * len(turned)) :], -quarter_turns)


def _as_a_camera_might(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Half of the time from afar, sometimes in poor light, out of focus or compressed.

    `fit` then enlarges it, as it does with a small face at run time. Sharp photos alone teach a
    network details that no camera shows.
    """
    height, width = image.shape[:2]
    is_far, is_blurred, is_compressed, is_ill_lit = random.random(4) < (0.5, 0.2, 0.25, 0.3)
    scale = random.integers(*_FAR_SIDES, endpoint=True) / min(height, width)
    if is_far and scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if is_ill_lit:  # a gamma: dark faces against a window, or pale ones under a lamp
        exponent = 2 ** random.uniform(*_GAMMAS)
        curve = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
        image = cv2.LUT(image, curve)
    if is_blurred:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.005, 0.03) * min(image.shape[:2]))
    if is_compressed:
        image = compressed(image, int(random.integers(*_JPEG_QUALITIES)))
    return image


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    """Write an RGB picture as JPEG of a quality, 0-100, and read it again."""
    # JPEG blurs colours more than light, so it must be told which channel is red.
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _turned(image: np.ndarray, random: np.random.Generator, degrees: float) -> np.ndarray:
    """Mirror half of the pictures, and turn all of them by up to so much, either way."""
    if random.random() < 0.5:
        image = cv2.flip(image, 1)
    return turn(image, random.uniform(-degrees, degrees))


def turn(image: np.ndarray, degrees: float) -> np.ndarray:
    """Turn a picture around its middle; its edge goes on where nothing was seen."""
    height, width = image.shape[:2]
    middle = (width - 1) / 2, (height - 1) / 2
    matrix = cv2.getRotationMatrix2D(middle, degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _in_other_light(
    image: np.ndarray, random: np.random.Generator, strength: float = 1.0
) -> np.ndarray:
    brightness = strength * random.uniform(-_BRIGHTNESS, _BRIGHTNESS)
    contrast = 1 + strength * (random.uniform(*_CONTRASTS) - 1)
    image = relight(image, brightness, contrast)
    return grey_out(image, strength * random.uniform(*_GREYNESS))


def relight(image: np.ndarray, brightness: float, contrast: float) -> np.ndarray:
    """Add to every value of a picture, then stretch each channel about its mean."""
    values = np.arange(256)
    image = cv2.LUT(image, np.clip(np.rint(values + brightness), 0, 255).astype(np.uint8))
    means = np.array(cv2.mean(image)[:3])
    stretched = (values[:, None] - means) * contrast + means  # (256, 3)
    return cv2.LUT(image, np.clip(np.rint(stretched), 0, 255).astype(np.uint8)[None])


def grey_out(image: np.ndarray, amount: float) -> np.ndarray:
    """Take away this part of an RGB picture's colour; below 0 add to it."""
    return cv2.transform(image, (1 - amount) * np.eye(3) + amount * np.array([_LUMA] * 3))


def reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Start every random layer of a model at a place that the seed and the epoch decide."""
    generators = [v for v in model.variables if "seed_generator_state" in v.path]
    for index, variable in enumerate(generators):
        variable.assign([seed + index, epoch << 16])
