"""Say of each face crop which class it is: trained models behind one small interface.

Use:
    classifier = load_classifier(Path("models/mask_detector.keras"))
    probabilities = classifier.predict(crops)  # (n, size, size, 3) RGB uint8 -> (n, classes)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mask_detector.calibration import apply_temperature
from mask_detector.errors import ModelError
from mask_detector.foreign_models import adapted_keras, adapted_runtime, card_for, nameless
from mask_detector.keras_files import load_keras
from mask_detector.model_file import kind_of, read_card
from mask_detector.orientations import Answers, averaged
from mask_detector.runtimes.litert_model import LiteRtModel
from mask_detector.runtimes.onnx_model import OnnxModel
from mask_detector.types import ModelCard

_CHUNK = 32  # crops computed at once: a crowd does not make memory grow


class MaskClassifier(Protocol):
    """Anything that judges crops; `card` says what its answers mean."""

    card: ModelCard

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Judge crops.

        Args:
            crops: `(n, size, size, 3)` uint8 RGB with `size = card.image_size`; n = 0 is legal.

        Returns:
            `(n, classes)` float32 probabilities in the order of `card.class_names`, calibrated
            by the card's temperature; the mean over the orientations that the card asks for.
        """
        ...


class KerasClassifier:
    """A Keras model run through one compiled function.

    `model.predict` would take 64 ms for one face and leak memory in a loop; this takes 15.
    """

    def __init__(self, model: Any, card: ModelCard) -> None:
        import tensorflow as tf

        self.card = card
        size = card.image_size
        signature = [tf.TensorSpec((None, size, size, 3), tf.uint8)]

        @tf.function(input_signature=signature)
        def infer(crops: tf.Tensor) -> tf.Tensor:
            return model(tf.cast(crops, tf.float32), training=False)

        self._infer = infer
        self.predict(np.zeros((1, size, size, 3), np.uint8))  # so that no camera waits for it

    def predict(self, crops: np.ndarray) -> np.ndarray:
        if not len(crops):
            return np.empty((0, len(self.card.class_names)), np.float32)
        return _probabilities(self._answers, crops, self.card)

    def _answers(self, crops: np.ndarray) -> np.ndarray:
        parts = [
            self._infer(crops[start : start + _CHUNK]).numpy()
            for start in range(0, len(crops), _CHUNK)
        ]
        return np.concatenate(parts)


class RuntimeClassifier:
    """A model run by LiteRT or ONNX Runtime; nothing of TensorFlow is loaded."""

    def __init__(self, model: Answers, card: ModelCard) -> None:
        self._model, self.card = model, card
        self.predict(np.zeros((1, card.image_size, card.image_size, 3), np.uint8))

    def predict(self, crops: np.ndarray) -> np.ndarray:
        return _probabilities(self._model, crops, self.card)


def _probabilities(run: Answers, crops: np.ndarray, card: ModelCard) -> np.ndarray:
    """From what any engine answers, `(n, outputs)`, to what the card promises."""
    answers = averaged(run, card.orientations)(crops)
    if answers.shape[1] == 1:  # one sigmoid: the probability of the second class
        answers = np.concatenate([1 - answers, answers], axis=1)
    return apply_temperature(answers, card.temperature)


def load_classifier(
    path: Path,
    *,
    class_names: tuple[str, ...] | None = None,
    input_range: tuple[float, float] = (-1.0, 1.0),
    orientations: int = 0,
) -> MaskClassifier:
    """Load any model file: one of ours, or an old one from elsewhere.

    Args:
        path: `.keras`, `.tflite`, `.onnx`, HDF5 under any suffix, or a SavedModel folder.
        class_names: the order of the outputs of a model that carries no card.
        input_range: what such a model wants 0-255 scaled to; tutorials built on MobileNetV2
            use -1 to 1, plain CNNs mostly 0 to 1.
        orientations: in how many to judge each picture; 0 for as many as the card says.

    Raises:
        ModelError: no model, a damaged one, one without a card when `class_names` is not given,
            or class names that do not fit its outputs.
    """
    open_model = {"tflite": LiteRtModel, "onnx": OnnxModel}.get(kind_of(path))
    if open_model:  # at once: a .tflite that was cut off has lost its card, too
        card = _read_card(path, class_names)
        model = open_model(path) if card else open_model(path, input_range)
        if card is None:
            card = card_for(model, path, class_names)
            model = adapted_runtime(model, card, path)
        return RuntimeClassifier(model, _in_orientations(card, orientations))
    network = load_network(
        path, class_names=class_names, input_range=input_range, orientations=orientations
    )
    return KerasClassifier(network.run, network.card)


@dataclass(frozen=True)
class Network:
    """A Keras model with its layers, for those who look inside."""

    model: Any
    run: Callable[..., Any]  # the model as `(pixels, training) -> answers`, pixels RGB 0-255
    card: ModelCard


def load_network(
    path: Path,
    *,
    class_names: tuple[str, ...] | None = None,
    input_range: tuple[float, float] = (-1.0, 1.0),
    orientations: int = 0,
) -> Network:
    """Load a model that Keras runs; see `load_classifier`."""
    card = _read_card(path, class_names)
    if card is None and class_names is None:
        raise nameless(path)  # before TensorFlow takes seconds to load
    model = load_keras(path)
    run = model
    if card is None:
        card = card_for(model, path, class_names)
        run = adapted_keras(model, input_range, card, path)
    return Network(model, run, _in_orientations(card, orientations))


def _read_card(path: Path, class_names: tuple[str, ...] | None) -> ModelCard | None:
    card = read_card(path)
    if card and class_names and class_names != card.class_names:
        raise ModelError(
            f"--classes {','.join(class_names)} contradicts {path}, whose outputs are "
            f"{','.join(card.class_names)}; leave the option out"
        )
    return card


def _in_orientations(card: ModelCard, count: int) -> ModelCard:
    return replace(card, orientations=count) if count else card
