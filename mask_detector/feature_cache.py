"""Compute what the frozen part of a network says about each picture once, not in every epoch.

    trunk, top = cut(model)                        # where the layers that train begin
    store = extract(FrozenNetwork(trunk, n), batches, path)  # (n, ...) float16 on disk
    top.fit(FeatureBatches(store, labels, ...).dataset)

Training then runs the top alone. Of each picture several augmented views are kept, and the epochs
take turns with them.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import BinaryIO

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from mask_detector.errors import writing
from mask_detector.frozen_network import FrozenNetwork
from mask_detector.input_pipeline import PictureBatches, ordered_indices, with_length

_MOST_ROOM = 1.5  # of features; a picture's is 1. ResNet50's last blocks take in 1.33

logger = logging.getLogger(__name__)


def cut(model: keras.Model) -> tuple[keras.Model, keras.Model] | None:
    """Split a model into what never changes in training and what does.

    Args:
        model: with `trainable` set on its layers for the stage that trains most of them.

    Returns:
        `trunk` and `top`, which share the layers of `model`; None where the trunk's features
        would take far more room than the pictures.
    """
    layers = model.layers
    first_active = next(
        i
        for i, layer in enumerate(layers)
        if layer.trainable_weights or isinstance(layer, keras.layers.Dropout)
    )
    position = {id(layer): i for i, layer in enumerate(layers)}
    last_use = [0] * len(layers)  # of a layer's output: the last layer that takes it
    for i, layer in enumerate(layers):
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors:
                producer = position.get(id(tensor._keras_history.operation))
                if producer is not None:
                    last_use[producer] = max(last_use[producer], i)
    for i in range(first_active - 1, 0, -1):
        if all(last_use[earlier] <= i for earlier in range(i)):  # nothing leads past it
            features = layers[i].output
            size = np.prod(features.shape[1:]) * np.dtype(np.float16).itemsize
            if size <= _MOST_ROOM * np.prod(model.input_shape[1:]):
                trunk = keras.Model(model.input, features, name="trunk")
                return trunk, keras.Model(features, model.output, name="top")
            return None
    return None


def extract(trunk: FrozenNetwork, batches: PictureBatches, path: Path) -> np.ndarray:
    """Run the trunk over all pictures in order, and keep the features on disk.

    Args:
        trunk: the first model from `cut`.
        batches: not shuffled.
        path: a `.npy` file; one that is complete is used again.

    Returns:
        `(n, ...)` float16, mapped from the file.
    """
    if path.exists():
        try:
            return np.load(path, mmap_mode="r")
        except (OSError, ValueError) as error:
            logger.warning("%s is damaged (%s): computed anew", path, error)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with writing(partial), partial.open("wb") as file:  # not mapped: a full disk would kill us
        _write_features(trunk, batches, file)
    partial.replace(path)
    return np.load(path, mmap_mode="r")


def _write_features(trunk: FrozenNetwork, batches: PictureBatches, file: BinaryIO) -> None:
    shape = (len(batches.labels), *trunk.output_shape[1:])
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for images, _ in tqdm(batches.dataset, desc="frozen features", unit="batch", disable=None):
        file.write(trunk(images.numpy()).astype("<f2").tobytes())


class FeatureBatches:
    """Batches of kept features for `fit`, `evaluate` and `predict`."""

    def __init__(
        self,
        store: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        *,
        view_count: int = 1,
        seed: int | None = None,
    ) -> None:
        """
        Args:
            store: `(n * view_count, ...)` float16; the views of a picture follow each other.
            labels: `(n,)` of the pictures.
            batch_size: pictures per batch.
            view_count: views kept of each picture; an epoch shows one of them.
            seed: shuffle, anew for each epoch; None keeps the order.
        """
        self.labels = labels
        self._store, self._view_count = store, view_count
        self._epoch = tf.Variable(0, trainable=False, dtype=tf.int32)

        def load(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            features = tf.numpy_function(self._load, [indices, self._epoch], tf.float32)
            features.set_shape((None, *store.shape[1:]))
            return features, tf.gather(labels, indices)

        batches = ordered_indices(len(labels), seed, self._epoch).batch(batch_size).map(load)
        self.dataset = with_length(batches, len(labels), batch_size).prefetch(tf.data.AUTOTUNE)

    def start_epoch(self, epoch: int) -> None:
        """Choose what the next pass over `dataset` looks like."""
        self._epoch.assign(epoch)

    def _load(self, indices: np.ndarray, epoch: np.ndarray) -> np.ndarray:
        views = (indices + int(epoch)) % self._view_count  # of each epoch: some of every view
        return _rows(self._store, indices * self._view_count + views).astype(np.float32)


def _rows(store: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Some rows of an array; of one in a file, without holding on to what was read.

    All pages that were ever read through a mapping count as memory of the process.
    """
    if isinstance(store, np.memmap):
        store = np.memmap(store.filename, store.dtype, "r", store.offset, store.shape)
    return store[indices]
