"""Compare found boxes with annotated ones: overlap, matching, average precision. Numpy only.

Use:
    photos = [ScoredPhoto(faces, labels, boxes, scores, probabilities), ...]
    ranking = rank(photos, class_index=0, iou=0.5, min_side=24)
    ranking.average_precision()
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class ScoredPhoto:
    """One photo's annotated faces and found boxes; boxes are left, top, right, bottom in pixels.

    A label from `probabilities.shape[1]` on is a class that the model does not know.
    """

    faces: np.ndarray  # (g, 4) float, annotated
    labels: np.ndarray  # (g,) int, class of each annotated face
    boxes: np.ndarray  # (d, 4) float, found
    scores: np.ndarray  # (d,) how sure the detector is of each, 0-1
    probabilities: np.ndarray  # (d, classes) what the classifier says of each

    @cached_property
    def overlaps(self) -> np.ndarray:
        """IoU of every found box with every annotated face, `(d, g)`."""
        return iou_of(self.boxes, self.faces)

    def above(self, confidence: float) -> ScoredPhoto:
        """The same photo without the boxes that score less."""
        kept = self.scores >= confidence
        return ScoredPhoto(
            self.faces,
            self.labels,
            self.boxes[kept],
            self.scores[kept],
            self.probabilities[kept],
        )

    def with_true_labels(self, iou: float) -> ScoredPhoto:
        """The same boxes, judged by a classifier that is never wrong about a face.

        A box that found a face of a known class gets that class with probability 1. All others
        keep what the classifier said: a box around no face has no true class.
        """
        face_of = match(self.overlaps, self.scores, iou)
        classes = self.probabilities.shape[1]
        probabilities = self.probabilities.copy()
        for box in np.flatnonzero(face_of >= 0):
            label = self.labels[face_of[box]]
            if label < classes:
                probabilities[box] = np.arange(classes) == label
        return ScoredPhoto(self.faces, self.labels, self.boxes, self.scores, probabilities)


def iou_of(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of `(n, 4)` with `(m, 4)` boxes, as `(n, m)`."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    return shared / (areas[0][:, None] + areas[1][None, :] - shared)


def shorter_sides(boxes: np.ndarray) -> np.ndarray:
    """The shorter side in pixels of `(n, 4)` boxes."""
    return (boxes[:, 2:] - boxes[:, :2]).min(axis=1)


def match(overlaps: np.ndarray, scores: np.ndarray, iou: float) -> np.ndarray:
    """Give each box at most one face and each face at most one box, the surest box first.

    A box takes, of the faces still free that it overlaps by at least `iou`, the one that it
    overlaps most. So COCO does it: https://github.com/cocodataset/cocoapi

    Args:
        overlaps: `(d, g)` IoU.
        scores: `(d,)`; of equal ones the first in order chooses first.
        iou: the least overlap that counts.

    Returns:
        `(d,)` the face's index, -1 for none.
    """
    face_of = np.full(len(scores), -1)
    free = overlaps.copy()
    if not overlaps.size:
        return face_of
    for box in np.argsort(-scores, kind="stable"):
        best = int(free[box].argmax())
        if free[box, best] >= iou:
            face_of[box] = best
            free[:, best] = -1.0
    return face_of


@dataclass(frozen=True)
class Ranking:
    """All candidates of one class over all photos, the surest first; the ignored are left out."""

    scores: np.ndarray  # (n,) falling
    is_hit: np.ndarray  # (n,) bool
    photo: np.ndarray  # (n,) index of the photo
    face_counts: np.ndarray  # (photos,) annotated faces of the class that count

    @cached_property
    def _ends(self) -> np.ndarray:
        """The last of each run of equal scores: no threshold can part them."""
        return np.flatnonzero(np.diff(self.scores, append=-np.inf))

    def average_precision(self, weights: np.ndarray | None = None) -> float:
        """Area under the precision envelope at every point, as VOC has had it since 2010.

        Args:
            weights: `(photos,)` how often each photo counts; by default once.

        Returns:
            0-1; nan where no face of the class is annotated.
        """
        if weights is None:
            weights = np.ones(len(self.face_counts))
        faces = weights @ self.face_counts
        if faces == 0:
            return float("nan")
        weight = weights[self.photo]
        hits = np.cumsum(weight * self.is_hit)[self._ends]
        found = np.cumsum(weight)[self._ends]
        precision = hits / np.maximum(found, 1e-9)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return float(np.diff(hits, prepend=0.0) @ envelope / faces)


def rank(photos: list[ScoredPhoto], class_index: int, iou: float, min_side: int = 0) -> Ranking:
    """Rank the boxes of all photos as candidates of one class.

    Every box is a candidate of every class, with the detector's score x the probability of the
    class, because that product is what a user can set a threshold on; taking only the likeliest
    class would cut off the low end of each ranking. What is ignored is neither hit nor false
    alarm, like VOC's difficult objects and COCO's sizes: annotated faces of a class that the
    model does not know or smaller than `min_side`, boxes that match one of them and no face that
    counts, and boxes smaller than `min_side` that match none.

    Args:
        photos: annotated faces and found boxes.
        class_index: the class.
        iou: the least overlap of a hit.
        min_side: shorter side in pixels below which faces are ignored.
    """
    parts = [_candidates(photo, class_index, iou, min_side) for photo in photos]
    scores = np.concatenate([scores for scores, _, _ in parts] or [np.empty(0)])
    is_hit = np.concatenate([hits for _, hits, _ in parts] or [np.empty(0, bool)])
    photo = np.repeat(np.arange(len(parts)), [len(scores) for scores, _, _ in parts])
    order = np.argsort(-scores, kind="stable")
    counts = np.array([count for _, _, count in parts], float)
    return Ranking(scores[order], is_hit[order].astype(bool), photo[order].astype(int), counts)


def _candidates(
    photo: ScoredPhoto, class_index: int, iou: float, min_side: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Scores and hits of one photo's boxes that count, and the number of faces that do."""
    scores = photo.scores * photo.probabilities[:, class_index]
    is_ignored = photo.labels >= photo.probabilities.shape[1]
    is_ignored |= shorter_sides(photo.faces) < min_side
    wanted = (photo.labels == class_index) & ~is_ignored
    is_hit = match(photo.overlaps[:, wanted], scores, iou) >= 0
    skipped = photo.overlaps[:, is_ignored].max(axis=1, initial=0.0) >= iou
    skipped |= shorter_sides(photo.boxes) < min_side
    counts = is_hit | ~skipped
    return scores[counts], is_hit[counts], int(wanted.sum())


def mean_interval(
    rankings: list[Ranking], *, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % bootstrap interval of the mean average precision; whole photos are drawn.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, percentile interval.

    Returns:
        Lower and upper end; nan without annotated faces.
    """
    rankings = [ranking for ranking in rankings if ranking.face_counts.any()]
    if not rankings:
        return float("nan"), float("nan")
    photos = len(rankings[0].face_counts)
    random = np.random.default_rng(seed)
    means = []
    for _ in range(resamples):
        weights = np.bincount(random.integers(0, photos, photos), minlength=photos).astype(float)
        values = [ranking.average_precision(weights) for ranking in rankings]
        if not np.isnan(values).all():
            means.append(np.nanmean(values))
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def box_offsets(photos: list[ScoredPhoto], iou: float) -> np.ndarray:
    """How annotated faces differ from the boxes that found them.

    Returns:
        `(n, 4)`: the way from the box's centre to the face's, right and down, as a fraction of
        the box's width and height; the natural logarithms of face width / box width and of face
        height / box height.
    """
    boxes, faces = [np.empty((0, 4))], [np.empty((0, 4))]
    for photo in photos:
        face_of = match(photo.overlaps, photo.scores, iou)
        boxes.append(photo.boxes[face_of >= 0])
        faces.append(photo.faces[face_of[face_of >= 0]])
    box, face = np.concatenate(boxes), np.concatenate(faces)
    box_sizes, face_sizes = box[:, 2:] - box[:, :2], face[:, 2:] - face[:, :2]
    moved = (face[:, 2:] + face[:, :2] - box[:, 2:] - box[:, :2]) / 2 / box_sizes
    return np.concatenate([moved, np.log(face_sizes / box_sizes)], axis=1)
