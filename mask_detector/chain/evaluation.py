"""How right the whole chain is on annotated photos: photo, face detector, crop, verdict.

Use:
    judged = judge_photos(read_boxes(folder), {0: detector}, classifier, margins=[0.3])
    report = evaluate_chain(judged, Setting(confidence=0.5, margin=0.3))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mask_detector.chain.judging import JudgedPhotos, Setting
from mask_detector.detection_scores import (
    ScoredPhoto,
    box_offsets,
    match,
    mean_interval,
    rank,
    shorter_sides,
)
from mask_detector.evaluation import SIZE_NAMES, size_of

IOUS = (0.4, 0.5)
SMALL_SIDE = 24  # shorter side in pixels below which people hardly see a mask either


@dataclass(frozen=True)
class PrecisionScore:
    """Average precisions at one overlap; None where no such face is annotated."""

    iou: float
    min_side: int  # pixels; smaller faces are ignored
    per_class: dict[str, float | None]
    mean: float | None
    interval: tuple[float | None, float | None]  # 95 % bootstrap interval of the mean
    ceiling_per_class: dict[str, float | None]  # were every found face judged rightly
    ceiling: float | None


@dataclass(frozen=True)
class FoundScore:
    """Which faces were found at one overlap, and what was said of them."""

    iou: float
    found: dict[str, dict[str, tuple[int, int]]]  # class -> size or "all" -> found, annotated
    right: dict[str, tuple[int, int]]  # class -> right verdicts, found
    sure_right: dict[str, tuple[int, int]]  # the same of verdicts the model is sure of
    false_boxes_per_photo: float  # boxes that overlap no annotated face
    sure_false_boxes_per_photo: float  # those of them that get a verdict the model is sure of
    double_boxes_per_photo: float  # further boxes on a face


@dataclass(frozen=True)
class ChainReport:
    """Everything about one setting."""

    setting: Setting
    photos: int
    unreadable: int
    faces: dict[str, int]
    unknown_classes: tuple[str, ...]  # annotated, but the model does not know them: ignored
    not_sure: float
    precision: tuple[PrecisionScore, ...]
    found: tuple[FoundScore, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class BoxOffsets:
    """Median way from the detector's boxes to the annotated ones, in fractions of its boxes."""

    n: int
    dx: float  # of the centre, to the right
    dy: float  # downwards
    log_width: float  # natural logarithm of annotated width / box width
    log_height: float


def evaluate_chain(
    judged: JudgedPhotos,
    setting: Setting,
    *,
    ious: tuple[float, ...] = IOUS,
    min_sides: tuple[int, ...] = (0, SMALL_SIDE),
    resamples: int = 1000,
) -> ChainReport:
    """Compute every figure of one setting.

    Args:
        judged: the photos, searched at this setting's confidence or a lower one.
        setting: what to look at.
        ious: least overlaps of a hit.
        min_sides: shorter sides in pixels below which faces are ignored, for average precision.
        resamples: of the bootstrap; 0 leaves the intervals out.
    """
    photos = judged.at(setting)
    labels = np.concatenate([photo.labels for photo in photos])
    best = {iou: [photo.with_true_labels(iou) for photo in photos] for iou in ious}
    return ChainReport(
        setting=setting,
        photos=len(photos),
        unreadable=judged.unreadable,
        faces={name: int((labels == i).sum()) for i, name in enumerate(judged.class_names)},
        unknown_classes=judged.class_names[judged.known :],
        not_sure=judged.not_sure,
        precision=tuple(
            precision_score(judged, photos, best[iou], iou, min_side, resamples=resamples)
            for iou in ious
            for min_side in min_sides
        ),
        found=tuple(found_score(judged, photos, iou) for iou in ious),
    )


def precision_score(
    judged: JudgedPhotos,
    photos: list[ScoredPhoto],
    best: list[ScoredPhoto],
    iou: float,
    min_side: int,
    *,
    resamples: int,
) -> PrecisionScore:
    """Average precision per class, and its ceiling, that of `best`.

    Args:
        judged: where the photos come from.
        photos: what was found in them, and said of it.
        best: the same with every found face judged rightly, see `ScoredPhoto.with_true_labels`.
        iou: the least overlap of a hit.
        min_side: shorter side in pixels below which faces are ignored.
        resamples: of the bootstrap; 0 leaves the interval out.
    """
    names = judged.class_names[: judged.known]
    rankings, best_rankings = (
        [rank(judged_photos, index, iou, min_side) for index in range(judged.known)]
        for judged_photos in (photos, best)
    )
    precisions, ceilings = (
        np.array([ranking.average_precision() for ranking in each])
        for each in (rankings, best_rankings)
    )
    low, high = mean_interval(rankings, resamples=resamples) if resamples else (np.nan, np.nan)
    return PrecisionScore(
        iou=iou,
        min_side=min_side,
        per_class={name: _or_none(value) for name, value in zip(names, precisions, strict=True)},
        mean=_mean(precisions),
        interval=(_or_none(low), _or_none(high)),
        ceiling_per_class={name: _or_none(v) for name, v in zip(names, ceilings, strict=True)},
        ceiling=_mean(ceilings),
    )


def _mean(values: np.ndarray) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmean(values))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)  # JSON knows no nan


def found_score(judged: JudgedPhotos, photos: list[ScoredPhoto], iou: float) -> FoundScore:
    """Count found faces per class and size, right verdicts among them, and false boxes."""
    matches = [match(photo.overlaps, photo.scores, iou) for photo in photos]
    right, sure_right = _right_verdicts(judged, photos, matches)
    false_boxes, sure_false = (
        count_false_boxes(photos, iou, least) for least in (0.0, judged.not_sure)
    )
    unmatched = sum(int((face_of < 0).sum()) for face_of in matches)
    return FoundScore(
        iou=iou,
        found=count_found(photos, matches, judged.class_names),
        right=right,
        sure_right=sure_right,
        false_boxes_per_photo=false_boxes / len(photos),
        sure_false_boxes_per_photo=sure_false / len(photos),
        double_boxes_per_photo=(unmatched - false_boxes) / len(photos),
    )


def count_found(
    photos: list[ScoredPhoto], matches: list[np.ndarray], class_names: Sequence[str]
) -> dict[str, dict[str, tuple[int, int]]]:
    """How many faces were found of how many annotated: class -> size or "all" -> both.

    Args:
        photos: their labels are indices of `class_names`.
        matches: of each photo the face that each box found, see `match`.
        class_names: of the annotated faces.
    """
    labels = np.concatenate([photo.labels for photo in photos])
    sizes = size_of(np.concatenate([shorter_sides(photo.faces) for photo in photos]))
    was_found = np.concatenate(
        [np.isin(np.arange(len(p.faces)), m) for p, m in zip(photos, matches, strict=True)]
    )
    found = {}
    for label, name in enumerate(class_names):
        of_class = labels == label
        masks = [of_class & (sizes == size) for size in range(len(SIZE_NAMES))]
        counts = [(int(was_found[mask].sum()), int(mask.sum())) for mask in (*masks, of_class)]
        found[name] = dict(zip((*SIZE_NAMES, "all"), counts, strict=True))
    return found


def count_false_boxes(photos: list[ScoredPhoto], iou: float, least_confidence: float = 0.0) -> int:
    """How many boxes overlap no annotated face by so much, and get a verdict of that confidence."""
    count = 0
    for photo in photos:
        is_false = photo.overlaps.max(axis=1, initial=0.0) < iou
        is_given = photo.probabilities.max(axis=1, initial=0.0) >= least_confidence
        count += int((is_false & is_given).sum())
    return count


@dataclass(frozen=True)
class FoundVerdicts:
    """What was said of the faces that were found, and whose class the model knows."""

    probabilities: np.ndarray  # (n, classes)
    labels: np.ndarray  # (n,) the true classes' indices
    groups: np.ndarray  # (n,) number of the photo


def found_verdicts(judged: JudgedPhotos, setting: Setting, iou: float) -> FoundVerdicts:
    """The verdicts on found faces, for everything that is computed of verdicts alone."""
    photos = judged.at(setting)
    matches = [match(photo.overlaps, photo.scores, iou) for photo in photos]
    labels, probabilities = _verdicts(photos, matches)
    groups = np.repeat(np.arange(len(photos)), [(face_of >= 0).sum() for face_of in matches])
    is_known = labels < judged.known
    return FoundVerdicts(probabilities[is_known], labels[is_known], groups[is_known])


def _verdicts(
    photos: list[ScoredPhoto], matches: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Labels `(n,)` of the found faces, and probabilities `(n, classes)` of their boxes."""
    found = zip(photos, matches, strict=True)
    pairs = [(p.labels[m[m >= 0]], p.probabilities[m >= 0]) for p, m in found]
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])


def _right_verdicts(
    judged: JudgedPhotos, photos: list[ScoredPhoto], matches: list[np.ndarray]
) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
    """Per class the right and all verdicts on found faces; the same of the sure ones alone."""
    labels, probabilities = _verdicts(photos, matches)
    is_right = probabilities.argmax(axis=1) == labels
    is_sure = probabilities.max(axis=1, initial=0.0) >= judged.not_sure
    right, sure_right = {}, {}
    for label, name in enumerate(judged.class_names[: judged.known]):
        of_class = labels == label
        right[name] = int((is_right & of_class).sum()), int(of_class.sum())
        sure = of_class & is_sure
        sure_right[name] = int((is_right & sure).sum()), int(sure.sum())
    return right, sure_right


def measure_offsets(judged: JudgedPhotos, setting: Setting, *, iou: float = 0.4) -> BoxOffsets:
    """How the detector's boxes differ from annotated ones, beyond its present adjustment."""
    offsets = box_offsets(judged.at(setting), iou)
    medians = np.median(offsets, axis=0) if len(offsets) else np.zeros(4)
    return BoxOffsets(len(offsets), *(float(value) for value in medians))
