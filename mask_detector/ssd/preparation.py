"""Make the face SSD's files for LiteRT out of the Caffe network, and measure what they lose.

    maker = SsdMaker(prototxt, weights, (344, 256), probes)  # checked equal to OpenCV's run
    file = maker.int8(list(made_up_scenes(box, 48, seed=1)))
    parity = compare_runs(maker.opencv, LiteRtSsdDetector(file, CONFIDENCE), judged)

Source of full integer quantization: Jacob et al., Quantization and training of neural networks
for efficient integer-arithmetic-only inference, CVPR 2018, https://arxiv.org/abs/1712.05877.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mask_detector.detection_scores import iou_of, match
from mask_detector.errors import ModelError
from mask_detector.face_boxes import edges_of, without_parts
from mask_detector.face_detectors import FaceDetector
from mask_detector.file_hash import sha256_of
from mask_detector.runtimes.litert_conversion import to_litert
from mask_detector.ssd.caffe_description import read_layers, read_weights
from mask_detector.ssd.file import SsdFile, SsdRecord
from mask_detector.ssd.litert import Canvas, SsdRunner
from mask_detector.ssd.network import Ranges, build_network
from mask_detector.ssd.opencv import SsdDetector
from mask_detector.types import FaceBox

MOST_DIFFERENCE = 1e-4  # of a raw number between the float32 file and OpenCV's run
CONFIDENCE = 0.25  # at which runs are compared: the detector's usual one
LEAST_FOUND, MOST_EXTRA = 0.98, 0.02  # of the boxes of OpenCV's run
_IOU = 0.5  # from which two boxes are the same


class SsdMaker:
    """Makes files of one network for pictures of one size."""

    def __init__(
        self, prototxt: Path, weights: Path, size: tuple[int, int], probes: list[np.ndarray]
    ) -> None:
        """Build the network and check it.

        Args:
            prototxt: the Caffe description.
            weights: the `.caffemodel`.
            size: width and height of what the network sees, in pixels.
            probes: pictures, uint8 BGR, on which it must say what OpenCV's run says.

        Raises:
            ModelError: it says something else.
        """
        self.opencv = SsdDetector(prototxt, weights, CONFIDENCE, size)
        text, (width, height) = prototxt.read_text(), size
        layers, arrays = read_layers(text), read_weights(text, weights.read_bytes())
        self._build = partial(build_network, layers, arrays, height, width, SsdDetector.MEAN_BGR)
        self._network = network = self._build()
        self._shape = network.model.input_shape
        answer = self.opencv.raw_answer(probes[0])
        record = SsdRecord(
            weights_sha256=sha256_of(weights),
            height=height,
            width=width,
            number_format="float32",
            margin=network.margin,
            edge_bgr=network.edge_bgr,
            variances=tuple(answer.variances.tolist()),
        )
        self.float32 = SsdFile(record, to_litert(network.model, self._shape), answer.priors)
        self.largest_difference = largest_difference(self.float32, self.opencv, probes)
        if not self.largest_difference <= MOST_DIFFERENCE:
            raise ModelError(
                f"the SSD of {width}x{height} pixels built anew differs from OpenCV's run by "
                f"{self.largest_difference:.2g}, more than {MOST_DIFFERENCE:g}; it is not kept"
            )

    def int8(self, pictures: list[np.ndarray]) -> SsdFile:
        """Round weights and everything in between to eight bits, after levelling the channels.

        Args:
            pictures: some dozens, uint8 BGR, of faces and of what stands around them: they show
                how large numbers get.
        """
        import tensorflow as tf

        record = replace(self.float32.record, number_format="int8")
        builtins = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
        settings: dict[str, Any] = {
            "optimizations": [tf.lite.Optimize.DEFAULT],
            "representative_dataset": lambda: self._inputs(pictures),
            "inference_input_type": tf.uint8,
            "target_spec": tf.lite.TargetSpec(builtins),  # a square root has no int8 form
        }
        levelled = self._build(ranges=self._ranges(pictures[::2])).model
        return SsdFile(record, to_litert(levelled, self._shape, settings), self.float32.priors)

    def _ranges(self, pictures: list[np.ndarray]) -> dict[str, Ranges]:
        most: dict[str, dict[str, Any]] = {}
        for (shown,) in self._inputs(pictures):
            for name, tensors in self._network.inner(shown).items():
                known = most.setdefault(name, {})
                for part, tensor in tensors.items():
                    highest = np.max(tensor, axis=(0, 1, 2)).astype(np.float64)
                    known[part] = np.maximum(known.get(part, -np.inf), highest)
        return {name: Ranges(parts["out"], parts.get("addend")) for name, parts in most.items()}

    def _inputs(self, pictures: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
        canvas = Canvas(self.float32.record, self._shape, np.float32)
        for picture in pictures:
            shown = canvas.show(picture).copy()
            shown[0, 0, 0, :2] = 0, 255  # in a corner outside the picture: then a step is 1
            yield [shown]


def largest_difference(file: SsdFile, opencv: SsdDetector, pictures: list[np.ndarray]) -> float:
    """Of all raw numbers that two runs of one network give for the same pictures."""
    runner, differences = SsdRunner(file), []
    for picture in pictures:
        logits, offsets = (np.concatenate(grids) for grids in runner(picture))
        answer = opencv.raw_answer(picture)
        differences.append(np.abs(logits - answer.logits).max())
        differences.append(np.abs(offsets - answer.offsets).max())
        differences.append(np.abs(file.priors - answer.priors).max())
    return float(np.max(differences))


@dataclass(frozen=True)
class RunParity:
    """How far a quick run of a detector finds what its reference finds."""

    photo_count: int
    box_count: int  # of the reference
    found: int  # of these, by the quick run
    extra: int  # boxes of the quick run that the reference has not
    milliseconds: tuple[float, float]  # per photo, median; reference, quick run

    @property
    def is_within_bounds(self) -> bool:
        return (
            self.found >= LEAST_FOUND * self.box_count and self.extra <= MOST_EXTRA * self.box_count
        )


def compare_runs(
    reference: FaceDetector, quick: FaceDetector, pictures: Iterable[np.ndarray]
) -> RunParity:
    """Let two runs look at the same pictures in turn; counted are the boxes that people get."""
    photo_count = box_count = found = extra = 0
    times: tuple[list[float], list[float]] = ([], [])
    for picture in tqdm(pictures, desc="comparing", unit="photo", leave=False, disable=None):
        (expected, boxes), seconds = zip(
            *(_timed(detector, picture) for detector in (reference, quick)), strict=True
        )
        for kept, second in zip(times, seconds, strict=True):
            kept.append(1000 * second)
        matched = int((_partners(boxes, expected) >= 0).sum())
        photo_count, box_count = photo_count + 1, box_count + len(expected)
        found, extra = found + matched, extra + len(boxes) - matched
    milliseconds = tuple(float(np.median(kept)) for kept in times)
    return RunParity(photo_count, box_count, found, extra, milliseconds)


def _timed(detector: FaceDetector, picture: np.ndarray) -> tuple[list[FaceBox], float]:
    started = time.perf_counter()
    boxes = detector.detect(picture)
    return without_parts(boxes), time.perf_counter() - started  # as `SsdByShape` does


def _partners(boxes: list[FaceBox], expected: list[FaceBox]) -> np.ndarray:
    overlaps = iou_of(edges_of(boxes), edges_of(expected))
    return match(overlaps, np.array([box.score for box in boxes]), _IOU)
