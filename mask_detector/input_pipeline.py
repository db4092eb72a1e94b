"""Feed photos to Keras: decoded in parallel, in batches, never the whole set in memory."""

from __future__ import annotations

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers

from mask_detector.images import fit, read_image
from mask_detector.types import Sample

_FAR_SIDES = (24, 96)  # shorter side of a shrunk photo, pixels


class PhotoBatches:
    """Batches of photos for `fit`, `evaluate` and `predict`.

    With a seed, order and augmentation of an epoch depend on the seed and the epoch's number
    alone, so a training that was killed and resumed sees what an unbroken one sees.
    """

    def __init__(
        self, samples: list[Sample], image_size: int, batch_size: int, *, seed: int | None = None
    ) -> None:
        """
        Args:
            samples: the photos.
            image_size: side of the pictures that come out, in pixels.
            batch_size: photos per batch.
            seed: shuffle and augment, anew for each epoch; None gives the photos as they are, in
                the order of `samples`.
        """
        self.labels = np.array([sample.label for sample in samples], np.int32)
        self._paths = [sample.path for sample in samples]  # may hold names that are not UTF-8
        self._image_size = image_size
        self._seed = seed
        self._epoch = tf.Variable(0, trainable=False, dtype=tf.int32)
        self._augmentation = build_augmentation() if seed is not None else None
        self.dataset = self._build(batch_size)

    def start_epoch(self, epoch: int) -> None:
        """Choose what the next pass over `dataset` looks like."""
        self._epoch.assign(epoch)
        if self._augmentation:
            reseed(self._augmentation, self._seed, epoch)

    def _build(self, batch_size: int) -> tf.data.Dataset:
        indices = tf.range(len(self._paths))

        def one_epoch(_: tf.Tensor) -> tf.data.Dataset:
            order = indices
            if self._seed is not None:
                order = tf.random.experimental.stateless_shuffle(indices, [self._seed, self._epoch])
            return tf.data.Dataset.from_tensor_slices(order)

        def load(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            image = tf.numpy_function(self._load, [index, self._epoch], tf.uint8)
            image.set_shape((self._image_size, self._image_size, 3))
            return image, tf.gather(self.labels, index)

        batches = (
            tf.data.Dataset.range(1)
            .flat_map(one_epoch)
            .map(load, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(batch_size)
        )
        if self._augmentation:  # one batch after the other: each draws the next random numbers
            batches = batches.map(lambda x, y: (self._augmentation(x, training=True), y))
        batch_count = -(-len(self._paths) // batch_size)
        batches = batches.apply(tf.data.experimental.assert_cardinality(batch_count))
        return batches.prefetch(tf.data.AUTOTUNE)

    def _load(self, index: np.ndarray, epoch: np.ndarray) -> np.ndarray:
        image = read_image(self._paths[int(index)])
        if self._seed is not None:
            image = _from_afar(image, np.random.default_rng((self._seed, int(epoch), int(index))))
        return fit(image, self._image_size)


def _from_afar(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Half of the time, shrink a photo to the few pixels that a camera gives a distant face.

    `fit` then enlarges it, as it does with a small face at run time. Sharp photos alone teach a
    network details that no camera shows.
    """
    height, width = image.shape[:2]
    scale = random.integers(_FAR_SIDES[0], _FAR_SIDES[1], endpoint=True) / min(height, width)
    if random.random() < 0.5 or scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def build_augmentation() -> keras.Sequential:
    """Random views of photos, `(n, h, w, 3)` RGB 0-255 in and out.

    It belongs to the data, not to the model: the file that is saved holds none of it.
    """
    edges = {"fill_mode": "nearest"}
    return keras.Sequential(
        [
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(20 / 360, **edges),
            layers.RandomZoom(0.15, **edges),
            layers.RandomTranslation(0.15, 0.15, **edges),
            layers.RandomShear(0.15, 0.15, **edges),
            layers.RandomBrightness(0.2, value_range=(0, 255)),
            layers.RandomContrast(0.2, value_range=(0, 255)),
        ],
        name="augmentation",
    )


def reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Start every random layer of a model at a place that the seed and the epoch decide."""
    generators = [v for v in model.variables if "seed_generator_state" in v.path]
    for index, variable in enumerate(generators):
        variable.assign([seed + index, epoch << 16])
