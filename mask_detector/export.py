"""Turn a Keras model into a LiteRT file (`.tflite`), and say what it lost on the way.

    crops = load_crops(draw_balanced(train, REPRESENTATIVE_COUNT, seed=42), card)
    export_tflite(model, card, Path("mask_detector.tflite"), crops=crops)

Raw RGB 0-255 goes in as before. Out come logits, not probabilities: softmax in eight bits could
say nothing between .996 and 1, so `litert_model` does it in floats.

Source of full integer quantization: Jacob et al., Quantization and training of neural networks
for efficient integer-arithmetic-only inference, CVPR 2018, https://arxiv.org/abs/1712.05877.
"""

from __future__ import annotations

import itertools
import random
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from mask_detector.errors import ModelError
from mask_detector.images import crop_face, fit, read_image
from mask_detector.litert_model import LOGITS
from mask_detector.mask_classifiers import MaskClassifier
from mask_detector.model_file import save_tflite
from mask_detector.quiet import standard_error_dropped
from mask_detector.types import ModelCard, Sample

if TYPE_CHECKING:
    import keras

NUMBER_FORMATS = ("int8", "float16", "float32")
REPRESENTATIVE_COUNT = 400  # crops that show the converter how large numbers get inside


def export_tflite(
    model: keras.Model,
    card: ModelCard,
    path: Path,
    *,
    number_format: str = "int8",
    crops: np.ndarray | None = None,
) -> None:
    """Write a Keras model and its card as a LiteRT file, whole or not at all.

    Args:
        model: takes `(n, size, size, 3)` RGB 0-255 and ends in softmax or one sigmoid.
        card: travels with it as it is.
        path: the file to write.
        number_format: `int8` (weights and everything in between), `float16` (weights alone) or
            `float32`.
        crops: for int8: `(n, size, size, 3)` uint8 RGB as at run time, some hundreds of all
            classes.

    Raises:
        ModelError: a network that LiteRT can't run, or a place that can't be written.
    """
    import tensorflow as tf

    if number_format not in NUMBER_FORMATS:
        raise ModelError(f"unknown format {number_format!r}; known: {', '.join(NUMBER_FORMATS)}")
    if number_format == "int8" and (crops is None or not len(crops)):
        raise ModelError("int8 needs representative crops; none were given")
    settings: dict[str, Any] = {"target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}}
    if number_format != "float32":
        settings["optimizations"] = [tf.lite.Optimize.DEFAULT]
    if number_format == "float16":
        settings["target_spec"]["supported_types"] = [tf.float16]
    if number_format == "int8":
        settings["target_spec"]["supported_ops"] = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        settings["representative_dataset"] = lambda: ([c[None].astype(np.float32)] for c in crops)
        settings["inference_input_type"] = tf.uint8  # in steps of 1 from 0: pixels as they are
    size = card.image_size
    signature = [tf.TensorSpec((1, size, size, 3), tf.float32, name="rgb_0_to_255")]
    save_tflite(_converted(with_logits(model), signature, settings), card, path)


def _converted(model: keras.Model, signature: list[Any], settings: dict[str, Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        try:
            with standard_error_dropped():  # TensorFlow's C++ side lists its settings there
                model.export(
                    path, format="litert", input_signature=signature, verbose=False, **settings
                )
        except Exception as error:  # an operation that LiteRT lacks shows in many ways
            reason = (str(error).splitlines() or [repr(error)])[0]
            raise ModelError(
                f"{model.name} can't be converted to LiteRT: {reason[:200]}"
            ) from error
        return path.read_bytes()


def with_logits(model: keras.Model) -> keras.Model:
    """The same network without its last softmax or sigmoid; its one output is named `logits`.

    Raises:
        ModelError: it ends in something else.
    """
    import keras

    last = model.layers[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    is_softmax = activation == "softmax" or isinstance(last, keras.layers.Softmax)
    if not is_softmax and (activation != "sigmoid" or model.output_shape[-1] != 1):
        raise ModelError(
            f"{model.name} ends in {type(last).__name__} {last.name} with "
            f"{model.output_shape[-1]} outputs; expected softmax, or one sigmoid for two classes"
        )
    logits = last.input
    if isinstance(last, keras.layers.Dense):
        linear = keras.layers.Dense.from_config({**last.get_config(), "activation": "linear"})
        logits = linear(last.input)
        linear.set_weights(last.get_weights())
    return keras.Model(model.inputs, {LOGITS: logits}, name=model.name)


def draw_balanced(samples: list[Sample], count: int, seed: int) -> list[Sample]:
    """Draw at most `count` samples, of each class as many as of any other while there are some."""
    members_of: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        members_of[sample.label].append(sample)
    generator = random.Random(seed)
    for members in members_of.values():
        generator.shuffle(members)
    rounds = itertools.zip_longest(*members_of.values())  # the first of each class, then the second
    return [s for one_of_each in rounds for s in one_of_each if s is not None][:count]


def load_crops(samples: list[Sample], card: ModelCard) -> np.ndarray:
    """Read pictures as the model is to see them: `(n, size, size, 3)` uint8 RGB."""
    crops = np.empty((len(samples), card.image_size, card.image_size, 3), np.uint8)
    for index, sample in enumerate(samples):
        image = read_image(sample.path)
        if sample.box is not None:
            image = crop_face(image, sample.box, card.crop_margin)
        crops[index] = fit(image, card.image_size)
    return crops


@dataclass(frozen=True)
class Parity:
    """Two models' answers to the same labelled crops."""

    n: int
    accuracies: tuple[float, float]  # balanced: mean over the classes; before, after
    agreement: float  # part of the crops to which both give the same verdict
    largest_difference: float  # of two probabilities
    milliseconds: tuple[float, float]  # per face, median; before, after

    @property
    def loss(self) -> float:
        """Balanced accuracy lost, in percentage points."""
        return 100 * (self.accuracies[0] - self.accuracies[1])


def compare(before: MaskClassifier, after: MaskClassifier, samples: list[Sample]) -> Parity:
    """Let two classifiers of the same classes judge the same crops, one by one as a camera does."""
    answers: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    times: tuple[list[float], list[float]] = ([], [])
    for sample in tqdm(samples, desc="comparing", unit="crop", disable=None):
        crop = load_crops([sample], before.card)
        for number, classifier in enumerate((before, after)):
            started = time.perf_counter()
            answers[number].append(classifier.predict(crop)[0])
            times[number].append(1000 * (time.perf_counter() - started))
    first, second = np.array(answers[0]), np.array(answers[1])
    labels = np.array([sample.label for sample in samples])
    return Parity(
        n=len(samples),
        accuracies=(_balanced_accuracy(first, labels), _balanced_accuracy(second, labels)),
        agreement=float((first.argmax(axis=1) == second.argmax(axis=1)).mean()),
        largest_difference=float(np.abs(first - second).max()),
        milliseconds=(float(np.median(times[0])), float(np.median(times[1]))),
    )


def _balanced_accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    right = probabilities.argmax(axis=1) == labels
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))
