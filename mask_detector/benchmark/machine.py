"""What a benchmark ran on, and the least time that the networks' arithmetic takes there."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mask_detector.assets import provide_ssd
from mask_detector.cores import core_count
from mask_detector.engines import fastest_sibling
from mask_detector.file_hash import sha256_of
from mask_detector.model_file import read_card
from mask_detector.ssd.opencv import SsdDetector

_LIBRARIES = ("numpy", "opencv-python", "opencv-python-headless", "tensorflow", "keras",
              "ai-edge-litert")  # fmt: skip
_MATRIX_SIDE = 2048
_TRIES = 5
# Multiply-adds count two. Source: Sandler et al., MobileNetV2, CVPR 2018: 300 million of them.
_MOBILENET_V2_GFLOP = 0.6
_MOBILENET_V2_SIDE = 224


@dataclass(frozen=True)
class Floor:
    """The least milliseconds of one pass through a network in float32.

    A convolution can't be quicker than matrix products of as many operations, unless its numbers
    are smaller: instructions for 8-bit numbers do up to four times as many at once.
    """

    network: str
    gflop: float
    least_ms: float


@dataclass(frozen=True)
class Machine:
    """What a benchmark ran on, looked at before it began."""

    date: str
    processor: str
    cores: int
    load_average: float | None  # processes that wanted a core in the last minute
    versions: dict[str, str]
    files: dict[str, str]  # SHA-256 by name: the models, and what was made from them
    matrix_gflop_per_s: float
    floors: list[Floor]

    @classmethod
    def look(cls, model: Path, face_folder: Path, detect_size: int) -> Machine:
        """Look at the machine and the files, and measure its matrix rate; takes a second.

        Args:
            model: the classic loop's.
            face_folder: of the detector's weights.
            detect_size: of our detector, see `ssd/shapes.py`.
        """
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        prototxt, weights = provide_ssd(face_folder)
        prepared = sorted(face_folder.glob("ssd_*.tflite"))
        files = dict.fromkeys((model, fastest_sibling(model, "auto"), weights, *prepared))
        rate = matrix_rate()
        card = read_card(model)
        gflops = {
            f"SSD at {pixels} pixels": ssd_gflop(prototxt, weights, pixels)
            for pixels in (SsdDetector.NATIVE_SIZE, detect_size)
        }
        if card and card.architecture == "mobilenet_v2":
            gflops["MobileNetV2, a face"] = mobilenet_v2_gflop(card.image_size)
        return cls(
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            processor=processor_name(),
            cores=core_count(),
            load_average=load,
            versions=versions(),
            files={path.name: sha256_of(path) for path in files},
            matrix_gflop_per_s=rate,
            floors=[Floor(name, gflop, 1000 * gflop / rate) for name, gflop in gflops.items()],
        )

    @property
    def title(self) -> str:
        return f"{self.processor}, {self.cores} cores, {self.date[:10]}"

    @property
    def is_busy(self) -> bool:
        """Whether others used much of it when the benchmark began."""
        return self.load_average is not None and self.load_average > 0.5 * self.cores


def processor_name() -> str:
    """`AMD EPYC`, or what little the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Python and the libraries that do the work."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def matrix_rate() -> float:
    """Billions of float32 operations per second in numpy's matrix product, the best of 5 tries."""
    rng = np.random.default_rng(0)
    left, right = rng.random((2, _MATRIX_SIDE, _MATRIX_SIDE), np.float32)
    seconds = []
    for _ in range(_TRIES):
        started = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - started)
    return 2 * _MATRIX_SIDE**3 / min(seconds) / 1e9


def ssd_gflop(prototxt: Path, weights: Path, side: int) -> float:
    """Billions of operations of one pass through the face SSD, counted by OpenCV."""
    network = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
    return network.getFLOPS((1, 3, side, side)) / 1e9


def mobilenet_v2_gflop(side: int) -> float:
    """Billions of operations of one pass through MobileNetV2 at another input size."""
    return _MOBILENET_V2_GFLOP * (side / _MOBILENET_V2_SIDE) ** 2
