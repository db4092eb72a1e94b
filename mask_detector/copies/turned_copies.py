"""Recognise copies that were turned, mirrored or sheared, among photos of one kind of thing.

    turned_copies([Path("a.png"), Path("b.png"), ...])  # [[0, 7], [0, 9], [7, 9], ...]

Where every photo shows the same product before the same camera, small pictures of strangers are as
like as copies are elsewhere, and a copy that was turned by 40 degrees is less like than a stranger.
What tells them apart is fine: marks of machining, scratches, grain. So local features are matched,
an affine change is fitted to them, and what it makes of the one photo is laid over the other. In
two groups of castings that were looked at, copies had 71 matches or more that fit one change and
correlated by .999 when laid over each other; strangers had 34 matches or fewer, and .982 at most.

Sources: Lowe, Distinctive image features from scale-invariant keypoints, IJCV 2004; Arandjelović
and Zisserman, Three things everyone should know to improve object retrieval, CVPR 2012 (RootSIFT).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from mask_detector.cores import core_count
from mask_detector.images import read_image

LEAST_MATCHES = 40  # that one affine change explains: strangers among castings had up to 34
LEAST_CORRELATION = 0.97  # laid over each other, less what all photos have in common
_SIDE = 256  # pixels; all photos are made so large, a squeezed copy is mended by the affine change
_THUMBNAIL_SIDE = 32
_MOST_FEATURES = 300  # per photo
_VOTERS = 40  # features of each photo, the clearest, that look for their like in all others
_LEAST_VOTES = 3  # to look at a pair closely
_LEAST_OVERLAP = 0.5  # part of the picture
_ROWS = 1024  # of the matrix of likenesses held at once: 0.2 GB for 1,000 photos


@dataclass(frozen=True)
class _Features:
    grey: np.ndarray  # (256, 256) uint8
    points: np.ndarray  # (n, 2) float32 pixels, the clearest first
    descriptors: np.ndarray  # (n, 128) float32 unit vectors

    @property
    def mirrored(self) -> np.ndarray:
        """The descriptors that the mirrored photo would have, `(n, 128)`.

        They are 4 x 4 cells of 8 directions, all relative to the feature's own direction: rows
        change places, and directions turn the other way round.
        """
        cells = self.descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
        return cells[..., [0, 7, 6, 5, 4, 3, 2, 1]].reshape(-1, 128)


def turned_copies(paths: Sequence[Path]) -> np.ndarray:
    """Find the photos that show the same picture, however it lies.

    The time grows with the square of the number of photos: 1,000 take about half a minute.

    Args:
        paths: readable photos.

    Returns:
        `(pairs, 2)` indices, the smaller first: every pair within each group of copies.
    """
    from scipy.cluster.hierarchy import DisjointSet

    with ThreadPoolExecutor(core_count()) as pool:  # OpenCV computes without the GIL
        found = pool.map(_features, paths)
        features = list(_bar(found, len(paths), "looking closer", "photo"))
    common = np.mean([_thumbnail(f.grey) for f in features], axis=0)
    groups = DisjointSet(range(len(paths)))
    candidates = _candidates(features)
    for first, second, is_mirrored in _bar(candidates, len(candidates), "comparing", "pair"):
        if groups.connected(first, second):
            continue  # known by way of a third
        if _is_copy(features[first], features[second], is_mirrored, common):
            groups.merge(first, second)
    pairs = [pair for group in groups.subsets() for pair in combinations(sorted(group), 2)]
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def _bar(items: Iterable[Any], count: int, what: str, unit: str) -> Iterable[Any]:
    return tqdm(items, total=count, desc=what, unit=unit, disable=None)


def _features(path: Path) -> _Features:
    grey = cv2.cvtColor(read_image(path), cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    # The marks that matter are faint; OpenCV's own threshold is four times as high.
    sift = cv2.SIFT_create(
        nfeatures=_MOST_FEATURES,
        contrastThreshold=0.01,
        enable_precise_upscale=True,  # else all points are off by a quarter of a pixel
    )
    keypoints, descriptors = sift.detectAndCompute(grey, None)
    if not keypoints:
        return _Features(grey, np.empty((0, 2), np.float32), np.empty((0, 128), np.float32))
    order = np.argsort([-keypoint.response for keypoint in keypoints], kind="stable")
    descriptors = descriptors[order]
    shares = descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
    points = np.array([keypoint.pt for keypoint in keypoints], np.float32)[order]
    return _Features(grey, points, np.sqrt(shares))


def _candidates(features: list[_Features]) -> list[tuple[int, int, bool]]:
    """Pairs of photos, and whether the first is to be mirrored, the likeliest copies first.

    The clearest features of each photo vote for the one among all others that has the likest.
    """
    owner = np.concatenate([np.full(len(f.points[:_VOTERS]), i) for i, f in enumerate(features)])
    known = np.concatenate([f.descriptors[:_VOTERS] for f in features])
    mirrored = np.concatenate([f.mirrored[:_VOTERS] for f in features])
    count = len(features)
    votes = []
    starts = range(0, len(owner), _ROWS)
    for start in _bar(starts, len(starts), "searching", "part"):
        voters = owner[start : start + _ROWS]
        for is_mirrored, queries in enumerate((known, mirrored)):
            likeness = queries[start : start + _ROWS] @ known.T
            likeness[voters[:, None] == owner] = -1.0
            voted = owner[likeness.argmax(axis=1)]
            pair = np.minimum(voters, voted) * count + np.maximum(voters, voted)
            votes.append(2 * pair + is_mirrored)
    keys, counts = np.unique(np.concatenate(votes) if votes else [], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    keys = keys[order][counts[order] >= _LEAST_VOTES].astype(np.int64).tolist()
    return [(key // 2 // count, key // 2 % count, bool(key % 2)) for key in keys]


def _is_copy(first: _Features, second: _Features, is_mirrored: bool, common: np.ndarray) -> bool:
    change = _change_between(first, second, is_mirrored)
    if change is None:
        return False
    laid = cv2.warpAffine(first.grey, change, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)
    covered = cv2.warpAffine(np.ones_like(first.grey, np.float32), change, (_SIDE, _SIDE))
    shown = _thumbnail(covered) > 0.99
    if shown.mean() < _LEAST_OVERLAP:
        return False
    pictures = np.stack([_thumbnail(laid), _thumbnail(second.grey), common])[:, shown]
    *both, all_have = unit_rows(pictures)
    return float(np.dot(*unit_rows(np.stack(both) - all_have))) >= LEAST_CORRELATION


def _change_between(first: _Features, second: _Features, is_mirrored: bool) -> np.ndarray | None:
    """The `(2, 3)` affine change that lays the first photo over the second; None if none fits."""
    if min(len(first.points), len(second.points)) < LEAST_MATCHES:
        return None
    likeness = (first.mirrored if is_mirrored else first.descriptors) @ second.descriptors.T
    best = likeness.argmax(axis=1)
    is_mutual = likeness.argmax(axis=0)[best] == np.arange(len(best))
    runner_up, winner = np.partition(likeness, -2, axis=1)[:, -2:].T
    # Lowe's ratio test: squared distances of unit vectors are 2 less twice the likeness.
    is_clear = (1 - winner) < 0.8**2 * (1 - runner_up)
    kept = np.nonzero(is_mutual & is_clear)[0]
    if len(kept) < LEAST_MATCHES:
        return None
    cv2.setRNGSeed(0)  # which samples are drawn: the same audit must find the same
    change, is_inlier = cv2.estimateAffine2D(
        first.points[kept], second.points[best[kept]], ransacReprojThreshold=4
    )
    return change if change is not None and is_inlier.sum() >= LEAST_MATCHES else None


def _thumbnail(grey: np.ndarray) -> np.ndarray:
    side = (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
    return cv2.resize(grey.astype(np.float32), side, interpolation=cv2.INTER_AREA)


def unit_rows(pictures: np.ndarray) -> np.ndarray:
    """Grey pictures `(n, ...)` as rows `(n, pixels)` float32 of zero mean and unit length."""
    rows = pictures.reshape(len(pictures), -1).astype(np.float32)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
