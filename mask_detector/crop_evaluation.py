"""How right the classifier alone is on labelled pictures: face crops, or faces marked in photos.

crops = list_crops(audit, audit.photos, classifier.card.class_names)
for margin, probabilities in judge_crops(crops, classifier, [0.0, 0.3]).items():
    report = evaluate_crops(crops, probabilities, margin, not_sure=0.6)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mask_detector.audit import Audit, Photo
from mask_detector.cores import core_count
from mask_detector.curves import ClassCurves, curves_of
from mask_detector.errors import DatasetError
from mask_detector.evaluation import SIZE_NAMES, evaluate, size_of
from mask_detector.face_crops import add_face_crops
from mask_detector.face_detectors import FaceDetector
from mask_detector.images import cut_out, read_image
from mask_detector.intervals import Estimate, Scores, estimate_scores, proportion
from mask_detector.labels import model_class_of
from mask_detector.mask_classifiers import MaskClassifier
from mask_detector.types import SMALLEST_SIDE, Report, Sample

_PHOTOS_AT_ONCE = 32  # decoded ahead of the classifier: a large set does not make memory grow


@dataclass(frozen=True)
class Crops:
    """Labelled pictures to judge, and how many are not judged for which reason."""

    root: Path
    class_names: tuple[str, ...]  # the model's; labels are their indices
    samples: tuple[Sample, ...]
    left_out: dict[str, int]  # reason -> faces, or photos where none are marked
    unused_files: int  # of the whole data set: exact copies, and what the audit found unusable

    @property
    def labels(self) -> np.ndarray:
        """`(n,)` the true classes' indices."""
        return np.array([sample.label for sample in self.samples], int)

    @property
    def is_marked(self) -> bool:
        """Whether faces are cut out of photos, so that a margin means something."""
        return any(sample.box is not None for sample in self.samples)


@dataclass(frozen=True)
class CropReport:
    """Scores at one margin."""

    margin: float | None  # None for photos judged whole
    report: Report  # scikit-learn's figures and the confusion matrix
    scores: Scores  # the same and more, with intervals
    curves: tuple[ClassCurves, ...]  # in class order
    recall_by_size: tuple[dict[str, Estimate], ...]  # in class order; empty for whole photos
    not_sure: float  # see `ModelCard.least_confidence`
    unsure: Estimate  # the part of the verdicts below it
    right_of_given: Estimate  # the right part of the others

    def to_dict(self) -> dict[str, Any]:
        """For JSON: of the curves the areas alone."""
        values = asdict(replace(self, curves=()))
        del values["curves"]
        return values | {"areas": {curve.class_name: curve.areas() for curve in self.curves}}


def list_crops(
    audit: Audit,
    photos: Iterable[Photo],
    model_classes: tuple[str, ...],
    smallest_face: int = SMALLEST_SIDE,
) -> Crops:
    """Choose what is judged: every photo, or every marked face in those that have marks.

    Args:
        audit: of the whole data set; exact copies are already dropped.
        photos: those of the audit to use, all or one part of the split.
        model_classes: in the order of the model's outputs; an annotated class is found among
            them by name, else by meaning.
        smallest_face: shorter side in pixels, of what the photo shows of it, below which a marked
            face is left out. By default as in training, so that the figures can be compared with
            the model card's.

    Raises:
        DatasetError: nothing is left to judge.
    """
    label_of = {name: model_class_of(name, model_classes) for name in audit.class_names}
    samples: list[Sample] = []
    left_out: Counter[str] = Counter()
    for number, photo in enumerate(photos):
        # Augmented copies that do not say of what are one group, so that no split tears one apart;
        # drawn as one, hundreds of pictures would make or break every interval.
        group = photo.group if photo.source != "" else -1 - number
        size = photo.fingerprint
        for name, box in photo.listed.pictures:
            shown = box and box.within(size.width, size.height)
            if label_of[name] is None:
                left_out[f"of class {name}, which the model does not know"] += 1
            elif shown and min(shown.width, shown.height) <= 0:
                left_out["marked outside their photo"] += 1
            elif shown and min(shown.width, shown.height) < smallest_face:
                left_out[f"smaller than {smallest_face} px"] += 1
            else:
                samples.append(Sample(photo.listed.path, label_of[name], group, shown))
    unused = len(audit.skipped) + len(audit.copies) + sum(map(len, audit.contradictions))
    if not samples:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise DatasetError(
            f"{audit.root} has nothing to judge ({reasons or 'no photo in this part'}); the "
            f"model's classes are {', '.join(model_classes)}"
        )
    return Crops(audit.root, model_classes, tuple(samples), dict(left_out), unused)


def with_faces_cut_out(crops: Crops, new_detector: Callable[[], FaceDetector]) -> Crops:
    """The same, with the face in place of each photo that shows one alone, as training judges.

    Args:
        crops: whole photos.
        new_detector: see `face_crops.add_face_crops`.
    """
    judged = add_face_crops({"test": list(crops.samples)}, new_detector)["test"]
    return replace(crops, samples=tuple(judged))


def judge_crops(
    crops: Crops,
    classifier: MaskClassifier,
    margins: Sequence[float],
) -> dict[float | None, np.ndarray]:
    """Judge every picture at every margin, opening each photo once.

    Returns:
        By margin, `(n, classes)` float32 calibrated probabilities in the order of
        `crops.samples`. Photos judged whole have one margin, None.
    """
    used = list(dict.fromkeys(margins)) if crops.is_marked else [None]
    size = classifier.card.image_size
    photos = [list(members) for _, members in groupby(crops.samples, lambda s: s.path)]

    def load(samples: list[Sample]) -> np.ndarray:  # (margins, faces, size, size, 3)
        image = read_image(samples[0].path)
        return np.array([[cut_out(image, s.box, m, size) for s in samples] for m in used])

    parts = []
    with (
        tqdm(
            total=len(crops.samples) * len(used),
            desc="judging",
            unit="crop",
            disable=None,
        ) as bar,
        ThreadPoolExecutor(core_count()) as pool,
    ):
        for start in range(0, len(photos), _PHOTOS_AT_ONCE):
            loaded = pool.map(load, photos[start : start + _PHOTOS_AT_ONCE])
            views = np.concatenate(list(loaded), axis=1)
            answers = classifier.predict(views.reshape(-1, size, size, 3))
            parts.append(answers.reshape(len(used), -1, answers.shape[1]))
            bar.update(len(answers))
    return dict(zip(used, np.concatenate(parts, axis=1), strict=True))


def evaluate_crops(
    crops: Crops, probabilities: np.ndarray, margin: float | None, not_sure: float
) -> CropReport:
    """Score the verdicts at one margin.

    Args:
        crops: what was judged.
        probabilities: `(n, classes)`, see `judge_crops`.
        margin: where they come from.
        not_sure: confidence below which the model gives no verdict.
    """
    labels = crops.labels
    is_right = probabilities.argmax(axis=1) == labels
    is_given = probabilities.max(axis=1) >= not_sure
    groups = np.array([sample.group for sample in crops.samples])
    return CropReport(
        margin=margin,
        report=evaluate(probabilities, labels, crops.class_names),
        scores=estimate_scores(probabilities, labels, groups),
        curves=curves_of(probabilities, labels, crops.class_names),
        recall_by_size=_recall_by_size(crops, is_right) if crops.is_marked else (),
        not_sure=not_sure,
        unsure=proportion((~is_given).sum(), len(labels)),
        right_of_given=proportion((is_right & is_given).sum(), is_given.sum()),
    )


def _recall_by_size(crops: Crops, is_right: np.ndarray) -> tuple[dict[str, Estimate], ...]:
    boxes = [sample.box for sample in crops.samples]
    is_cut_out = np.array([box is not None for box in boxes])
    sizes = size_of([min(box.width, box.height) if box else 0 for box in boxes])
    result = []
    for label in range(len(crops.class_names)):
        of_class = is_cut_out & (crops.labels == label)
        masks = [of_class & (sizes == size) for size in range(len(SIZE_NAMES))]
        shares = [proportion(is_right[mask].sum(), mask.sum()) for mask in masks]
        result.append(dict(zip(SIZE_NAMES, shares, strict=True)))
    return tuple(result)
