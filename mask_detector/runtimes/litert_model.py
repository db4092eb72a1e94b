"""Run a LiteRT model (`.tflite`), ours or another's, without TensorFlow.

LiteRT starts in a tenth of a second where TensorFlow takes several, and judges a face in a few
milliseconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mask_detector.calibration import probabilities_of
from mask_detector.errors import ModelError
from mask_detector.runtimes.litert_runtime import open_interpreter

LOGITS = "logits"  # the name of an output that softmax has yet to turn into probabilities


class LiteRtModel:
    """Crops in, probabilities out; whole numbers inside are nobody else's business.

    `input_shape` and `output_shape` read as those of a Keras model: None where a size is free.
    """

    def __init__(self, path: Path, input_range: tuple[float, float] = (0.0, 255.0)) -> None:
        """
        Args:
            path: the file.
            input_range: what the model wants pixels scaled to; our own take them as they are.

        Raises:
            ModelError: a damaged file, or a network that LiteRT can't run by itself.
        """
        self._interpreter = open_interpreter(path, str(path))
        (self._input, *more_inputs) = self._interpreter.get_input_details()
        (self._output, *more_outputs) = self._interpreter.get_output_details()
        if more_inputs or more_outputs:
            raise ModelError(
                f"{path} has {len(more_inputs) + 1} inputs and {len(more_outputs) + 1} outputs; "
                f"expected a classifier with one of each"
            )
        self.input_shape, self.output_shape = map(_shape, (self._input, self._output))
        self._range = input_range
        signatures = self._interpreter.get_signature_list().values()
        self._gives_logits = any(LOGITS in signature["outputs"] for signature in signatures)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Judge crops `(n, size, size, 3)` uint8 RGB: `(n, outputs)` float32 probabilities.

        One after the other: LiteRT gains nothing from a batch.
        """
        answers = np.empty((len(crops), self.output_shape[-1]), np.float32)
        for index, crop in enumerate(crops):
            self._interpreter.set_tensor(self._input["index"], self._to_input(crop[None]))
            self._interpreter.invoke()
            answers[index] = self._interpreter.get_tensor(self._output["index"])[0]
        answers = _dequantized(answers, self._output)
        # Softmax here, in floats: in eight bits it could say nothing between .996 and 1.
        return probabilities_of(answers) if self._gives_logits else answers

    def _to_input(self, crop: np.ndarray) -> np.ndarray:
        dtype, (step, zero) = self._input["dtype"], self._input["quantization"]
        low, high = self._range
        is_as_it_is = (low, high) == (0.0, 255.0) and (step, zero) in ((1.0, 0), (0.0, 0))
        if is_as_it_is or (np.issubdtype(dtype, np.integer) and not step):
            return crop.astype(dtype, copy=False)
        values = crop * np.float32((high - low) / 255.0) + np.float32(low)
        if not step:
            return values.astype(dtype, copy=False)
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values / step) + zero, limits.min, limits.max).astype(dtype)


def _shape(tensor: dict[str, Any]) -> tuple[int | None, ...]:
    return tuple(int(size) if size > 0 else None for size in tensor["shape_signature"])


def _dequantized(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    step, zero = tensor["quantization"]
    return (values - np.float32(zero)) * np.float32(step) if step else values
