"""Turn a Keras network into the bytes of a LiteRT file (`.tflite`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mask_detector.errors import ModelError, first_line
from mask_detector.quiet import standard_error_dropped

if TYPE_CHECKING:
    import keras

_LARGE = 10_000  # numbers; most weights of a network, BatchNorm's above all, have fewer


def to_litert(
    model: keras.Model, input_shape: tuple[int, ...], settings: dict[str, Any] | None = None
) -> bytes:
    """Convert a network for LiteRT's own operations; those of TensorFlow are not allowed in.

    Args:
        model: with one input.
        input_shape: with the batch, of numbers only; LiteRT gains nothing from a batch over 1.
        settings: attributes of `tf.lite.TFLiteConverter`; float32 throughout where none are.

    Raises:
        ModelError: a network that LiteRT can't run.
    """
    import tensorflow as tf

    # TensorFlow takes long over many variables and over large constants; Keras' own `export`, which
    # writes down every layer on the way, takes three to five times as long as this.
    network = tf.Module()
    network.large = [variable.value for variable in model.variables if _is_large(variable)]
    weights = [
        [each.value if _is_large(each) else np.asarray(each) for each in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    network.serve = tf.function(
        lambda pixels: model.stateless_call(*weights, pixels, training=False)[0],
        input_signature=[tf.TensorSpec(input_shape, tf.float32, name=model.inputs[0].name)],
        autograph=False,
    )
    try:
        with standard_error_dropped():  # TensorFlow's C++ side lists its settings there
            converter = tf.lite.TFLiteConverter.from_concrete_functions(
                [network.serve.get_concrete_function()], network
            )
            for name, value in (settings or {}).items():
                setattr(converter, name, value)
            return converter.convert()
    except Exception as error:  # an operation that LiteRT lacks shows in many ways
        raise ModelError(
            f"{model.name} can't be converted to LiteRT: {first_line(error)}"
        ) from error


def _is_large(variable: keras.Variable) -> bool:
    return np.prod(variable.shape) >= _LARGE
