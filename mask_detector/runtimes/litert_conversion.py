"""Turn a Keras network into the bytes of a LiteRT file (`.tflite`)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

    signature = [tf.TensorSpec(input_shape, tf.float32, name=model.inputs[0].name)]
    builtins = {"target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        try:
            with standard_error_dropped():  # TensorFlow's C++ side lists its settings there
                model.export(
                    path,
                    format="litert",
                    input_signature=signature,
                    verbose=False,
                    **(builtins | (settings or {})),
                )
        except Exception as error:  # an operation that LiteRT lacks shows in many ways
            raise ModelError(
                f"{model.name} can't be converted to LiteRT: {first_line(error)}"
            ) from error
        return path.read_bytes()
