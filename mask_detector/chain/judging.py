"""Run the whole chain over annotated photos, once, for many settings.

Every photo is searched once per detect size, at the lowest confidence of interest, and every
face judged once per margin: a higher confidence only leaves boxes out. `chain/evaluation.py` makes
figures of the result.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mask_detector.annotations.formats import read_boxes
from mask_detector.audit import audit_dataset
from mask_detector.detection_scores import ScoredPhoto
from mask_detector.errors import DatasetError, UnreadableImageError
from mask_detector.face_boxes import edges_of
from mask_detector.face_detectors import FaceDetector
from mask_detector.images import read_image
from mask_detector.labels import model_class_of
from mask_detector.mask_classifiers import MaskClassifier
from mask_detector.parts import photos_of_part
from mask_detector.pipeline import Pipeline
from mask_detector.types import FaceBox, ListedPhoto

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setting:
    """What can be chosen without training anything."""

    confidence: float  # boxes that score less are left out
    margin: float  # of the crop, as a fraction of the box per side
    detect_size: int = 0  # pixels that the detector sees; 0 is its own choice


@dataclass(frozen=True)
class JudgedPhotos:
    """Photos with everything that the chain found in them, by detect size and margin."""

    class_names: tuple[str, ...]  # the model's, then annotated ones that it does not know
    known: int  # how many of them the model knows
    not_sure: float  # the model's threshold: verdicts below it are not given
    paths: tuple[Path, ...]  # of the photos that could be read, in the order of `photos`
    photos: dict[tuple[int, float], list[ScoredPhoto]]
    unreadable: int  # photos left out

    def at(self, setting: Setting) -> list[ScoredPhoto]:
        photos = self.photos[setting.detect_size, setting.margin]
        return [photo.above(setting.confidence) for photo in photos]


def annotated_photos(
    root: Path, part: str, split_seed: int, model_classes: Sequence[str] | None = None
) -> list[ListedPhoto]:
    """Photos of a folder with the boxes that people drew.

    Args:
        root: see `annotations.formats.read_boxes`.
        part: `all`, or `train`, `val` or `test` of the split that the training makes.
        split_seed: of that split.
        model_classes: see `parts.photos_of_part`.

    Raises:
        DatasetError: no such photos there.
    """
    if part == "all":
        return read_boxes(root)
    audit = audit_dataset(root, least_classes=1)
    return [photo.listed for photo in photos_of_part(audit, part, split_seed, model_classes)]


def judge_photos(
    photos: Sequence[ListedPhoto],
    detectors: dict[int, FaceDetector],
    classifier: MaskClassifier,
    margins: Sequence[float],
) -> JudgedPhotos:
    """Search and judge every photo.

    Args:
        photos: with their annotated faces.
        detectors: by detect size, each at the lowest confidence of interest.
        classifier: what judges the crops.
        margins: of the crops.

    Raises:
        DatasetError: no photo can be read, or the model knows none of the annotated classes.
    """
    class_names, labels = _labels(photos, classifier.card.class_names)
    known = len(classifier.card.class_names)
    pipelines = {
        (size, margin): Pipeline(detector, classifier, margin)
        for size, detector in detectors.items()
        for margin in margins
    }
    judged: dict[tuple[int, float], list[ScoredPhoto]] = {key: [] for key in pipelines}
    paths = []
    for photo, image in open_photos(photos):
        paths.append(photo.path)
        boxes = {size: detector.detect(image) for size, detector in detectors.items()}
        for (size, margin), pipeline in pipelines.items():
            verdicts = [face.probabilities for face in pipeline.judge(image, boxes[size])]
            probabilities = np.array(verdicts, float).reshape(-1, known)
            judged[size, margin].append(score_photo(photo, labels, boxes[size], probabilities))
    not_sure = classifier.card.least_confidence
    unreadable = len(photos) - len(paths)
    return JudgedPhotos(class_names, known, not_sure, tuple(paths), judged, unreadable)


def open_photos(photos: Sequence[ListedPhoto]) -> Iterator[tuple[ListedPhoto, np.ndarray]]:
    """Decode photo by photo, `(h, w, 3)` uint8 BGR; those that can't be read are left out.

    Raises:
        DatasetError: at the end, when not one could be read.
    """
    opened = 0
    for photo in tqdm(photos, "judging", unit="photo", disable=None):
        try:
            image = cv2.cvtColor(read_image(photo.path), cv2.COLOR_RGB2BGR)
        except UnreadableImageError as error:
            logger.warning("left out: %s", error)
            continue
        opened += 1
        yield photo, image
    if not opened:
        raise DatasetError(f"none of {len(photos)} annotated photos can be read")


def score_photo(
    photo: ListedPhoto,
    labels: dict[str, int],
    boxes: Sequence[FaceBox],
    probabilities: np.ndarray,
) -> ScoredPhoto:
    """Put what people marked beside what was found.

    Args:
        photo: with its annotated faces.
        labels: the index of each of their classes.
        boxes: what a detector found.
        probabilities: `(boxes, classes)` what a classifier says of each.
    """
    return ScoredPhoto(
        edges_of([face.box for face in photo.faces]),
        np.array([labels[face.class_name] for face in photo.faces], int),
        boxes=edges_of(boxes),
        scores=np.array([box.score for box in boxes], float),
        probabilities=probabilities,
    )


def _labels(
    photos: Sequence[ListedPhoto], model_classes: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Number the classes: the model's own first, then annotated ones that it does not know."""
    annotated = sorted({face.class_name for photo in photos for face in photo.faces})
    indices = {name: model_class_of(name, model_classes) for name in annotated}
    unknown = tuple(name for name in annotated if indices[name] is None)
    if len(unknown) == len(annotated):
        raise DatasetError(
            f"the annotated photos name {', '.join(annotated) or 'no face'}, of which the model "
            f"knows none; its classes are {', '.join(model_classes)}"
        )
    indices |= {name: len(model_classes) + i for i, name in enumerate(unknown)}
    return (*model_classes, *unknown), indices
