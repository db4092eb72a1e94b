"""Turn a Keras network into the bytes of a LiteRT file (`.tflite`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mask_detector.errors import ModelError, first_line
from mask_detector.quiet import standard_error_dropped

if TYPE_CHECKING:
    import keras


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

    # With weights that are written into it, a graph takes half the time of one with variables, and
    # a fifth of that of Keras' own `export`, which writes down every layer on the way.
    weights = [
        [np.asarray(variable) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    network = tf.Module()
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
