"""Run an ONNX model (`.onnx`), ours or another's, by ONNX Runtime; without TensorFlow.

Ours take pictures as rows of RGB pixels, as Keras does; models that PyTorch wrote, as three planes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mask_detector.calibration import are_logits, probabilities_of
from mask_detector.cores import core_count
from mask_detector.errors import ModelError
from mask_detector.runtimes.onnx_runtime import open_session

_CHUNK = 32  # crops computed at once: a crowd does not make memory grow
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
_PROBE_SIDE = 224  # pixels of the picture shown first, where the model leaves it open


class OnnxModel:
    """Crops in, probabilities out.

    `input_shape` and `output_shape` read as those of a Keras model: None where a size is free.
    """

    def __init__(self, path: Path, input_range: tuple[float, float] = (0.0, 255.0)) -> None:
        """
        Args:
            path: the file.
            input_range: what the model wants pixels scaled to; our own take them as they are.

        Raises:
            ModelError: a damaged file, a network that ONNX Runtime can't run, or one that is no
                classifier of pictures.
        """
        self._session = open_session(path, core_count())
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; expected a "
                f"classifier with one of each"
            )
        self._input_name, shape = inputs[0].name, _shape(inputs[0].shape)
        self._has_planes = len(shape) == 4 and shape[1] == 3 != shape[3]
        self.input_shape = (shape[0], *shape[2:], 3) if self._has_planes else shape
        self.output_shape = _shape(outputs[0].shape)
        self._range = input_range
        if inputs[0].type not in _DTYPES or shape[0] not in (1, None):
            raise ModelError(
                f"{path} takes {inputs[0].type} of shape {shape}; expected "
                f"{', '.join(_DTYPES)}, and one picture at a time or any number"
            )
        self._dtype = _DTYPES[inputs[0].type]
        self._chunk = shape[0] or _CHUNK
        self._gives_logits = self._probe() if len(self.input_shape) == 4 else False

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Judge crops `(n, size, size, 3)` uint8 RGB: `(n, outputs)` float32 probabilities."""
        starts = range(0, len(crops), self._chunk)
        parts = [self._run(crops[start : start + self._chunk]) for start in starts]
        answers = np.concatenate(parts) if parts else np.empty((0, self.output_shape[-1]))
        return probabilities_of(answers) if self._gives_logits else answers.astype(np.float32)

    def _run(self, crops: np.ndarray) -> np.ndarray:
        low, high = self._range
        if (low, high) != (0.0, 255.0) and self._dtype is not np.uint8:
            crops = crops * np.float32((high - low) / 255.0) + np.float32(low)
        if self._has_planes:
            crops = crops.transpose(0, 3, 1, 2)
        values = np.ascontiguousarray(crops, self._dtype)
        return self._session.run(None, {self._input_name: values})[0]

    def _probe(self) -> bool:
        """Whether answers are logits: the file does not say."""
        height, width = (side or _PROBE_SIDE for side in self.input_shape[1:3])
        shape = (self._chunk, height, width, 3)
        answers = self._run(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
        return answers.ndim == 2 and are_logits(answers)


def _shape(sizes: list[int | str | None]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in sizes)
