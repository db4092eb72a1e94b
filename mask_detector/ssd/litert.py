"""The face SSD run by LiteRT, a fraction of the time of OpenCV's run; without TensorFlow.

The network's file is made by `prepare` (see `preparation.py`).
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from mask_detector.errors import ModelError
from mask_detector.face_boxes import clean_boxes, surest_of_overlapping
from mask_detector.runtimes.litert_runtime import open_interpreter
from mask_detector.ssd.file import SsdFile, SsdRecord
from mask_detector.ssd.opencv import SsdDetector
from mask_detector.types import FaceBox

# As the description's last layer has it.
_NMS_IOU = 0.45  # of boxes that overlap more than this, the surest stays
_MOST_COMPARED, _MOST_KEPT = 400, 200


class Canvas:
    """The network's input: the picture, and around it the colour that counts as nothing."""

    def __init__(self, record: SsdRecord, shape: tuple[int, ...], dtype: type) -> None:
        _, rows, columns, channels = shape  # two pixels side by side are one column
        canvas = np.empty((rows, columns * channels // 3, 3), dtype)
        canvas[:] = np.rint(record.edge_bgr) if dtype == np.uint8 else record.edge_bgr
        self._input = canvas.reshape(shape)  # the same memory
        self._size = (record.width, record.height)
        begin, height, width = record.margin, record.height, record.width
        self._place = canvas[begin : begin + height, begin : begin + width]

    def show(self, image: np.ndarray) -> np.ndarray:
        """Stretch `(h, w, 3)` uint8 BGR into its place; the next call writes over it."""
        if self._place.dtype == np.uint8:
            cv2.resize(image, self._size, dst=self._place)  # right where it is wanted
        else:
            self._place[:] = cv2.resize(image, self._size)
        return self._input


class SsdRunner:
    """Pictures in; logits and offsets out, per grid of prior boxes."""

    def __init__(self, file: SsdFile) -> None:
        """
        Raises:
            ModelError: a network that LiteRT can't run.
        """
        self._interpreter = open_interpreter(file.network, "the SSD")
        try:
            (tensor,) = self._interpreter.get_input_details()
            outputs = self._interpreter.get_signature_runner().get_output_details()
            grids = range(len(outputs) // 2)
            self._logits = [outputs[f"logits_{grid}"]["index"] for grid in grids]
            self._offsets = [outputs[f"offsets_{grid}"]["index"] for grid in grids]
        except (ValueError, RuntimeError, KeyError) as error:
            raise ModelError(f"the SSD can't be run by LiteRT: {error}") from error
        dtype = tensor["dtype"]
        if np.issubdtype(dtype, np.integer) and tensor["quantization"] != (1.0, 0):
            raise ModelError(f"the SSD takes pixels in steps of {tensor['quantization']}, not of 1")
        self._index = tensor["index"]
        self._canvas = Canvas(file.record, tuple(tensor["shape"]), dtype)

    def __call__(self, image: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Run the network on `(h, w, 3)` uint8 BGR.

        Returns:
            Logits `(n,)` and offsets `(n, 4)` of each grid, float32.
        """
        self._interpreter.set_tensor(self._index, self._canvas.show(image))
        self._interpreter.invoke()
        read = self._interpreter.get_tensor
        logits = [read(index).ravel() for index in self._logits]
        return logits, [read(index).reshape(-1, 4) for index in self._offsets]


class LiteRtSsdDetector:
    """The same detector as `SsdDetector`, from a file made for one size."""

    adjustment = SsdDetector.adjustment

    def __init__(self, file: SsdFile, confidence: float) -> None:
        """
        Raises:
            ModelError: a network that LiteRT can't run.
        """
        self._runner = SsdRunner(file)
        self._priors = file.priors
        self._variances = np.array(file.record.variances, np.float32)
        self._confidence = confidence
        least = min(max(confidence, SsdDetector.LEAST_SCORE), 1 - 1e-6)
        self._least_logit = math.log(least / (1 - least)) - 1e-5  # rounding is no reason to drop

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        height, width = image.shape[:2]
        logits, offsets, priors = self._likely(*self._runner(image))
        scores = 1 / (1 + np.exp(-logits))
        edges = decode(offsets * self._variances, priors)
        kept = surest_of_overlapping(
            edges,
            scores,
            _NMS_IOU,
            least_score=SsdDetector.LEAST_SCORE,
            most_compared=_MOST_COMPARED,
        )[:_MOST_KEPT]
        edges = self.adjustment.apply(edges[kept] * (width, height, width, height))
        return clean_boxes(edges, scores[kept], self._confidence, width, height)

    def _likely(
        self, logits: list[np.ndarray], offsets: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logits, offsets and prior boxes of what may be a face: some dozens of thousands."""
        found, start = [], 0
        for grid_logits, grid_offsets in zip(logits, offsets, strict=True):
            likely = np.flatnonzero(grid_logits >= self._least_logit)
            found.append((grid_logits[likely], grid_offsets[likely], self._priors[start + likely]))
            start += len(grid_logits)
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def decode(offsets: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Turn offsets `(n, 4)`, multiplied by their variances, into edges `(n, 4)`.

    Source: Liu et al., SSD: Single Shot MultiBox Detector, 2016, section 2.2, solved for the box.
    """
    sizes = priors[:, 2:] - priors[:, :2]
    centres = (priors[:, 2:] + priors[:, :2]) / 2 + offsets[:, :2] * sizes
    halves = np.exp(offsets[:, 2:]) * sizes / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)
