"""Models from elsewhere: what they do not say of themselves is asked for, read off or tried.

The card of such a model is made of the class names that people give and of its shapes. Its pixels
are scaled as people say, and answers that can be no probabilities go through the softmax that it
lacks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mask_detector.calibration import are_logits, probabilities_of
from mask_detector.errors import ModelError
from mask_detector.orientations import Answers
from mask_detector.types import ModelCard
from mask_detector.wording import counted


def nameless(path: Path) -> ModelError:
    """What to say of a model that carries no card where nobody named its classes."""
    return ModelError(
        f"{path} does not say which output is which class; name them in order, for instance "
        f"--classes with_mask,without_mask"
    )


def card_for(model: Any, path: Path, class_names: tuple[str, ...] | None) -> ModelCard:
    """Make a card of what a person says and the shapes tell.

    Args:
        model: with an `input_shape` and an `output_shape`.
        path: its file, for messages.
        class_names: in the order of the outputs.

    Raises:
        ModelError: no names, others than it has outputs, or no classifier of square pictures.
    """
    if class_names is None:
        raise nameless(path)
    shape, answers = model.input_shape, model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2]:
        raise ModelError(f"{path} takes input of shape {shape}; expected (n, size, size, 3)")
    if not isinstance(answers, tuple) or len(answers) != 2:
        raise ModelError(
            f"{path} answers in shape {answers}; expected (n, classes), a number for each"
        )
    if len(class_names) != max(answers[1], 2):
        means = " (it is the probability of the second of two)" if answers[1] == 1 else ""
        raise ModelError(
            f"{path} has {counted(answers[1], 'output')}{means}, but --classes names "
            f"{len(class_names)}: {','.join(class_names)}"
        )
    return ModelCard(class_names=class_names, image_size=shape[1] or 224)


def adapted_runtime(run: Answers, card: ModelCard, path: Path) -> Answers:
    """A LiteRT or ONNX model that gives probabilities, whatever it gave before.

    Raises:
        ModelError: it answers with what is no number.
    """
    if not _gives_logits(run(_noise(card)), path):
        return run
    return lambda crops: probabilities_of(run(crops))


def adapted_keras(
    model: Any, input_range: tuple[float, float], card: ModelCard, path: Path
) -> Callable[..., Any]:
    """A Keras model that takes pixels of 0-255 and gives probabilities, `(pixels, training)`.

    Raises:
        ModelError: it answers with what is no number.
    """
    import keras
    import tensorflow as tf

    low, high = input_range

    def scaled(pixels: Any, training: bool = False) -> Any:
        return model(pixels * ((high - low) / 255.0) + low, training=training)

    def judged(pixels: Any, training: bool = False) -> Any:
        logits = scaled(pixels, training=training)
        last = keras.ops.sigmoid if logits.shape[-1] == 1 else keras.ops.softmax
        return last(logits)

    answers = scaled(tf.constant(_noise(card), tf.float32))
    return judged if _gives_logits(np.asarray(answers), path) else scaled


def _noise(card: ModelCard) -> np.ndarray:
    """Two pictures, `(2, size, size, 3)` uint8, to see what a network makes of pictures."""
    shape = (2, card.image_size, card.image_size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _gives_logits(answers: np.ndarray, path: Path) -> bool:
    if not np.isfinite(answers).all():
        raise ModelError(f"{path} answers with what is no number: its weights are damaged")
    return are_logits(answers)
