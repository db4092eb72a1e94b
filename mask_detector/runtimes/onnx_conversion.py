"""Turn a Keras network into the bytes of an ONNX file (`.onnx`), which many programs run.

Keras does it through the package tf2onnx, an extra: `pip install -r requirements-onnx.txt`.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.errors import ModelError, first_line
from mask_detector.quiet import standard_error_dropped
from mask_detector.runtimes.onnx_runtime import check_installed

if TYPE_CHECKING:
    import keras

INPUT_NAME = "rgb_0_to_255"


def to_onnx(model: keras.Model, image_size: int) -> bytes:
    """Convert a network; it takes any number of pictures at a time.

    Args:
        model: from `(n, size, size, 3)` RGB 0-255 to probabilities.
        image_size: that size, in pixels.

    Raises:
        ModelError: a package is missing, or ONNX has no word for something in the network.
    """
    import tensorflow as tf

    check_installed("tf2onnx", "onnx")
    shape = (None, image_size, image_size, 3)
    signature = [tf.TensorSpec(shape, tf.float32, name=INPUT_NAME)]
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # it tells of every step
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            with standard_error_dropped(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Keras looks up a name that numpy is to reuse
                model.export(path, format="onnx", input_signature=signature, verbose=False)
        except Exception as error:  # an operation that ONNX lacks shows in many ways
            raise ModelError(
                f"{model.name} can't be converted to ONNX: {first_line(error)}"
            ) from error
        return path.read_bytes()
