"""The loop that the usual tutorial teaches, written anew from its description to be measured.

Each frame is made 400 pixels wide, OpenCV's Caffe SSD looks at it in a square of 300, every face
that scores more than .5 is cut out as it is boxed, turned to RGB, resized, and all of them go
through Keras' `model.predict` in one batch; box and label are drawn on the small frame.

Two things are easier on it here than in the tutorial: `predict` prints no progress bar, and
`preprocess_input` is left out, because the model scales its pixels itself.

Use:
    loop = open_classic_loop(Path("models/mask_detector.keras"), Path("face_detector"))
    names = loop.run(frames, Profile())  # of every face, frame by frame
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import imutils
import numpy as np

from mask_detector.assets import provide_ssd
from mask_detector.errors import ModelError
from mask_detector.keras_files import load_keras
from mask_detector.labels import Meaning, display_name, meaning_of
from mask_detector.model_file import read_card
from mask_detector.profiling import Profile
from mask_detector.types import Frame

Edges = tuple[int, int, int, int]  # left, top, right, bottom in pixels

_GREEN, _RED = (0, 255, 0), (0, 0, 255)  # BGR


class ClassicLoop:
    """Judges one frame after the other; nothing overlaps."""

    WIDTH = 400  # pixels across that each frame is resized to
    DETECT_SIDE = 300
    MEAN_BGR = (104.0, 177.0, 123.0)
    CONFIDENCE = 0.5
    BATCH_SIZE = 32
    description = "OpenCV's Caffe SSD at 300 pixels, Keras' predict"

    def __init__(self, prototxt: Path, weights: Path, model: Path) -> None:
        """
        Raises:
            ModelError: the model says nothing about its classes, or Keras can't read it.
        """
        card = read_card(model)
        if card is None:
            raise ModelError(f"{model} carries no card; expected a .keras file of this program")
        self._card = card
        self._network = cv2.dnn.readNet(str(prototxt), str(weights))
        self._model = load_keras(model)

    def run(self, frames: Iterable[Frame], profile: Profile) -> list[list[str]]:
        """Judge frames and draw on them; the class names of every frame's faces."""
        names = []
        small = (imutils.resize(frame.image, width=self.WIDTH) for frame in frames)
        for frame in profile.timed("capture", small):
            with profile.stage("detect"):
                places = self.detect(frame)
            with profile.stage("classify"):
                answers = self.classify(frame, places)
            with profile.stage("draw"):
                names.append([self._card.class_names[int(row.argmax())] for row in answers])
                for place, name, row in zip(places, names[-1], answers, strict=True):
                    draw(frame, place, name, float(row.max()))
        return names

    def detect(self, frame: np.ndarray) -> list[Edges]:
        """Find the faces of a small frame, in the network's order, clipped to the frame."""
        side = (self.DETECT_SIDE, self.DETECT_SIDE)
        self._network.setInput(cv2.dnn.blobFromImage(frame, 1.0, side, self.MEAN_BGR))
        found = self._network.forward()  # (1, 1, n, 7): 0, 1, score, left, top, right, bottom
        height, width = frame.shape[:2]
        places = []
        for index in range(found.shape[2]):
            if found[0, 0, index, 2] > self.CONFIDENCE:
                scaled = found[0, 0, index, 3:7] * np.array([width, height, width, height])
                left, top, right, bottom = (int(edge) for edge in scaled)
                left, top = max(0, left), max(0, top)
                right, bottom = min(width - 1, right), min(height - 1, bottom)
                if left < right and top < bottom:
                    places.append((left, top, right, bottom))
        return places

    def classify(self, frame: np.ndarray, places: list[Edges]) -> np.ndarray:
        """Judge the faces of a small frame: `(n, classes)` as the model gives them."""
        if not places:
            return np.empty((0, len(self._card.class_names)), np.float32)
        side = (self._card.image_size, self._card.image_size)
        faces = []
        for left, top, right, bottom in places:
            face = cv2.cvtColor(frame[top:bottom, left:right], cv2.COLOR_BGR2RGB)
            faces.append(cv2.resize(face, side).astype(np.float32))
        return self._model.predict(np.array(faces), batch_size=self.BATCH_SIZE, verbose=0)


def open_classic_loop(model: Path, face_folder: Path) -> ClassicLoop:
    """The loop with the detector's weights from a folder, where they are put on first use."""
    return ClassicLoop(*provide_ssd(face_folder), model)


def draw(frame: np.ndarray, place: Edges, name: str, probability: float) -> None:
    """Box a face and write its label above, as large on every frame."""
    left, top, right, bottom = place
    colour = _GREEN if meaning_of(name) is Meaning.COMPLIANT else _RED
    label = f"{display_name(name)}: {probability:.2%}"
    cv2.putText(frame, label, (left, top - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 2)
    cv2.rectangle(frame, (left, top), (right, bottom), colour, 2)
