"""Find faces by MTCNN, a cascade of three small networks, run by the package `mtcnn`.

The package carries its weights. It is an optional extra, and loads TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from mask_detector.errors import MaskDetectorError
from mask_detector.face_boxes import BoxAdjustment, clean_boxes
from mask_detector.images import scaled
from mask_detector.quiet import load_tensorflow
from mask_detector.types import FaceBox

if TYPE_CHECKING:
    from mtcnn import MTCNN


class MtcnnDetector:
    """MTCNN; it sees faces from 20 pixels up in what it is shown.

    The picture is scaled, its shape kept, until its longer side has `detect_size` pixels.
    Source: Zhang et al., Joint Face Detection and Alignment using Multi-task Cascaded
    Convolutional Networks, 2016; https://github.com/ipazc/mtcnn
    """

    DETECT_SIZE = 640  # longer side of what the networks see, in pixels
    adjustment = BoxAdjustment(dy=0.057, width=1.053)

    def __init__(self, confidence: float, detect_size: int = 0) -> None:
        self._network = _load()
        self._confidence = confidence
        self._longer_side = detect_size or self.DETECT_SIZE

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        height, width = image.shape[:2]
        shown = cv2.cvtColor(scaled(image, self._longer_side), cv2.COLOR_BGR2RGB)
        rows = self._search(shown.astype(np.float32))  # of uint8 it makes float64, which is slower
        edges = rows[:, 1:5] * ((width / shown.shape[1], height / shown.shape[0]) * 2)
        return clean_boxes(
            self.adjustment.apply(edges), rows[:, 5], self._confidence, width, height
        )

    def _search(self, image: np.ndarray) -> np.ndarray:
        """`(n, 16)`: picture, left, top, right, bottom, score, landmarks; `(0, 6)` is legal."""
        try:
            return self._network.detect_faces(
                image,
                fit_to_image=False,
                box_format="xyxy",
                output_type="numpy",
                threshold_onet=0.0,  # the caller's threshold is applied to the boxes
            )
        except Exception as error:  # TensorFlow's and numpy's, of which memory is the likeliest
            height, width = image.shape[:2]
            raise MaskDetectorError(
                f"MTCNN can't search {width}x{height} pixels ({error!r:.200}); try a smaller "
                f"--detect-size, or another --detector"
            ) from error


def _load() -> MTCNN:
    try:
        load_tensorflow()
        from mtcnn import MTCNN
        from mtcnn.stages import StageONet, StagePNet, StageRNet  # what came before 1.0 has none
    except ImportError as error:
        raise MaskDetectorError(
            f"the face detector mtcnn needs packages that are not here ({error}); "
            f'pip install "mtcnn>=1.0" tensorflow'
        ) from error
    return MTCNN(stages=[StagePNet, StageRNet, StageONet])
