"""Run a network that no longer changes over many pictures, by the quickest engine there is.

On processors LiteRT takes less than half of Keras' time for MobileNetV2's numbers, though as long
for ResNet50's. It does not share one picture among threads well, so each core gets an interpreter
of its own.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf

from mask_detector.cores import core_count
from mask_detector.errors import ModelError
from mask_detector.runtimes.litert_conversion import to_litert
from mask_detector.runtimes.litert_runtime import open_interpreter

logger = logging.getLogger(__name__)

# Pictures; Keras is through with fewer before the network is converted: with 150 at MobileNetV2's
# 224 pixels, measured on two cores. Small networks gain or lose half a second either way.
_WORTH_CONVERTING = 300


class FrozenNetwork:
    """What a network says of pictures; its engine is chosen when the first are asked for."""

    def __init__(self, model: keras.Model, picture_count: int) -> None:
        """
        Args:
            model: takes `(n, h, w, 3)` RGB 0-255; no layer of it changes any more.
            picture_count: about how many pictures will come.
        """
        self.output_shape: tuple[int | None, ...] = model.output_shape
        self._model, self._picture_count = model, picture_count

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Of pictures `(n, h, w, 3)`, any number type: what comes out, `(n, ...)` float32."""
        return self._compute(pictures)

    def followed_by(self, top: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
        """The whole of which this is the first part: what `top` says of what comes out here."""
        rest = _by_keras(top)
        return lambda pictures: rest(self(pictures))

    @functools.cached_property
    def _compute(self) -> Callable[[np.ndarray], np.ndarray]:
        has_gpu = bool(tf.config.list_physical_devices("GPU"))
        if self._picture_count >= _WORTH_CONVERTING and not has_gpu:
            try:
                return _LiteRtPool(self._model)
            except ModelError as error:
                logger.info("%s; Keras runs it, more slowly", error)
        return _by_keras(self._model)


def _by_keras(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    compute = tf.function(lambda values: model(values, training=False), reduce_retracing=True)
    return lambda values: compute(tf.cast(values, tf.float32)).numpy()


class _LiteRtPool:
    """One single-threaded interpreter per core; LiteRT lets go of Python's lock while it runs."""

    def __init__(self, model: keras.Model) -> None:
        content = to_litert(model, (1, *model.input_shape[1:]))
        self._shape = model.output_shape[1:]
        self._runs = [_open(content, model.name) for _ in range(core_count())]
        self._threads = ThreadPoolExecutor(len(self._runs))

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        features = np.empty((len(pictures), *self._shape), np.float32)
        step = len(self._runs)

        def work(worker: int) -> None:
            for index in range(worker, len(pictures), step):
                self._runs[worker](pictures[index], features[index])

        list(self._threads.map(work, range(step)))  # the list raises what a worker raised
        return features


def _open(content: bytes, name: str) -> Callable[[np.ndarray, np.ndarray], None]:
    """A function that writes one picture's features into the array it is given."""
    interpreter = open_interpreter(content, name, thread_count=1)
    (before,), (after,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(picture: np.ndarray, features: np.ndarray) -> None:
        interpreter.set_tensor(before["index"], picture[None].astype(np.float32))
        interpreter.invoke()
        features[...] = interpreter.get_tensor(after["index"])[0]

    return run
