"""Overlap, matching and average precision: against pixels, scikit-learn and a plain loop."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from mask_detector.detection_scores import (
    Ranking,
    ScoredPhoto,
    box_offsets,
    iou_of,
    match,
    mean_interval,
    rank,
    shorter_sides,
)

MASKED, BARE, UNKNOWN = 0, 1, 2


def photo(faces=(), labels=(), boxes=(), scores=(), probabilities=()):
    return ScoredPhoto(
        np.array(faces, float).reshape(-1, 4),
        np.array(labels, int),
        np.array(boxes, float).reshape(-1, 4),
        np.array(scores, float),
        np.array(probabilities, float).reshape(-1, 2),
    )


def square(left, side=40, top=0):
    return (left, top, left + side, top + side)


def random_photo(rng):
    """Faces of many sizes; boxes near them, on them twice, and anywhere; scores with ties."""
    count = rng.integers(0, 6)
    corners = rng.integers(0, 150, (count, 2))
    faces = np.hstack([corners, corners + rng.integers(8, 60, (count, 2))])
    near = faces[rng.integers(0, count, 5)] + rng.integers(-8, 9, (5, 4)) if count else faces
    stray = rng.integers(0, 150, (rng.integers(0, 4), 2))
    boxes = np.vstack([near, np.hstack([stray, stray + rng.integers(8, 60, (len(stray), 2))])])
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    masked = rng.integers(0, 11, len(boxes)) / 10
    return photo(
        faces,
        rng.integers(0, 3, count),
        boxes,
        rng.integers(1, 6, len(boxes)) / 5,
        np.stack([masked, 1 - masked], axis=1),
    )


def random_photos(seed, count=25):
    rng = np.random.default_rng(seed)
    return [random_photo(rng) for _ in range(count)]


def counted_iou(first, second):
    """By painting both boxes."""
    canvas = np.zeros((2, 220, 220), bool)
    for layer, (left, top, right, bottom) in zip(canvas, (first, second), strict=True):
        layer[int(top) + 10 : int(bottom) + 10, int(left) + 10 : int(right) + 10] = True
    return (canvas[0] & canvas[1]).sum() / (canvas[0] | canvas[1]).sum()


def looped_iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return width * height / (sum(areas) - width * height)


def side(box):
    return min(box[2] - box[0], box[3] - box[1])


def looped_average_precision(photos, label, iou, min_side):
    """The VOC way: one list of all boxes of all photos, a set of taken faces, no numpy."""
    found = [
        (score * chances[label], index, tuple(box))
        for index, each in enumerate(photos)
        for box, score, chances in zip(each.boxes, each.scores, each.probabilities, strict=True)
    ]
    found.sort(key=lambda entry: -entry[0])

    def ignored(face, its_label):
        return its_label == UNKNOWN or side(face) < min_side

    total = sum(
        its_label == label and not ignored(face, its_label)
        for each in photos
        for face, its_label in zip(each.faces, each.labels, strict=True)
    )
    taken, verdicts = set(), []
    for score, index, box in found:
        faces = list(zip(photos[index].faces, photos[index].labels, strict=True))
        close = [(looped_iou(box, face), number) for number, (face, _) in enumerate(faces)]
        close = [(overlap, number) for overlap, number in close if overlap >= iou]
        real = [
            (overlap, -number)
            for overlap, number in close
            if faces[number][1] == label
            and not ignored(*faces[number])
            and (index, number) not in taken
        ]
        if real:
            taken.add((index, -max(real)[1]))
            verdicts.append((score, True))
        elif not any(ignored(*faces[number]) for _, number in close) and side(box) >= min_side:
            verdicts.append((score, False))
    return area_under_envelope(verdicts, total)


def area_under_envelope(verdicts, total):
    """Sum, over each threshold's gain in recall, of the best precision at that recall or more."""
    points = []
    for threshold in sorted({score for score, _ in verdicts}, reverse=True):
        kept = [is_hit for score, is_hit in verdicts if score >= threshold]
        points.append((sum(kept) / total, sum(kept) / len(kept)))
    area, reached = 0.0, 0.0
    for recall, _ in points:
        area += (recall - reached) * max((p for r, p in points if r >= recall), default=0.0)
        reached = recall
    return area


def test_iou_is_that_of_counted_pixels():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 100, (2, 12, 2))
    first, second = (np.hstack([c, c + rng.integers(1, 90, c.shape)]) for c in corners)
    expected = [[counted_iou(a, b) for b in second] for a in first]
    np.testing.assert_allclose(iou_of(first, second), expected)
    assert iou_of(first, np.empty((0, 4))).shape == (12, 0)
    assert iou_of(np.empty((0, 4)), second).shape == (0, 12)


def test_the_shorter_side_is_the_shorter():
    assert shorter_sides(np.array([[0, 0, 5, 9], [3, 3, 13, 5]])).tolist() == [5, 2]
    assert shorter_sides(np.empty((0, 4))).shape == (0,)


def test_the_surest_box_takes_the_face_and_the_second_gets_none():
    overlaps = np.array([[0.9, 0.0], [0.6, 0.0], [0.0, 0.3]])
    assert match(overlaps, np.array([0.5, 0.8, 0.9]), 0.5).tolist() == [-1, 0, -1]


def test_a_box_whose_best_face_is_taken_gets_the_next():
    overlaps = np.array([[0.9, 0.5], [0.8, 0.55]])
    assert match(overlaps, np.array([0.9, 0.8]), 0.5).tolist() == [0, 1]


@pytest.mark.parametrize("overlap, expected", [(0.5, [0]), (0.4999, [-1])])
def test_just_enough_overlap_is_enough(overlap, expected):
    assert match(np.array([[overlap]]), np.array([1.0]), 0.5).tolist() == expected


def test_nothing_matches_nothing():
    assert match(np.empty((0, 3)), np.empty(0), 0.5).tolist() == []
    assert match(np.empty((2, 0)), np.ones(2), 0.5).tolist() == [-1, -1]


def test_a_case_worked_by_hand():
    """Hit at .9, false at .8, hit at .7, one of three faces missed: 1/3 x 1 + 1/3 x 2/3."""
    one = photo(
        [square(0), square(100), square(200)],
        [MASKED] * 3,
        [square(0), square(300), square(100)],
        [0.9, 0.8, 0.7],
        [(1, 0)] * 3,
    )
    assert rank([one], MASKED, 0.5).average_precision() == pytest.approx(1 / 3 + 2 / 9)
    assert np.isnan(rank([one], BARE, 0.5).average_precision())


def test_every_box_is_a_candidate_of_every_class():
    """A bare face called masked at .6: a false alarm of the one, a late hit of the other."""
    one = photo([square(0)], [BARE], [square(0)], [0.5], [(0.6, 0.4)])
    masked, bare = rank([one], MASKED, 0.5), rank([one], BARE, 0.5)
    assert (masked.scores.tolist(), masked.is_hit.tolist()) == ([0.3], [False])
    assert (bare.scores.tolist(), bare.is_hit.tolist()) == ([0.2], [True])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_no_threshold_parts_equal_scores(order):
    boxes = np.array([square(0), square(300)])[list(order)]
    one = photo([square(0)], [MASKED], boxes, [0.5, 0.5], [(1, 0)] * 2)
    assert rank([one], MASKED, 0.5).average_precision() == 0.5


@pytest.mark.parametrize(
    "faces, labels, boxes, candidates",
    [
        ([square(0)], [UNKNOWN], [square(0)], 0),  # worn wrongly: neither hit nor false
        ([square(0)], [UNKNOWN], [square(0), square(2)], 0),  # nor is the second on it
        ([square(0, 20)], [MASKED], [square(0, 20)], 0),  # a small face
        ([square(0, 20)], [BARE], [square(0, 26)], 0),  # of another class, in a larger box
        ([], [], [square(0, 20)], 0),  # a small box on nothing
        ([], [], [square(0, 24)], 1),  # just large enough to be false
        ([square(0, 24)], [MASKED], [square(0, 23)], 1),  # a small box on a face that counts
        ([square(0)], [BARE], [square(0)], 1),  # another known class: false
        ([square(0)], [MASKED], [square(0), square(2)], 2),  # a duplicate: false
    ],
)
def test_what_is_ignored_counts_neither_way(faces, labels, boxes, candidates):
    one = photo(faces, labels, boxes, [0.9] * len(boxes), [(0.8, 0.2)] * len(boxes))
    ranking = rank([one], MASKED, 0.5, min_side=24)
    assert len(ranking.scores) == candidates
    assert ranking.face_counts.tolist() == [
        sum(label == MASKED and side(face) >= 24 for face, label in zip(faces, labels, strict=True))
    ]


def test_a_face_that_counts_goes_before_one_that_is_ignored():
    one = photo([square(0), square(4)], [UNKNOWN, MASKED], [square(0)], [0.9], [(1, 0)])
    assert rank([one], MASKED, 0.5).is_hit.tolist() == [True]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("iou", [0.4, 0.5])
@pytest.mark.parametrize("min_side", [0, 24])
@pytest.mark.parametrize("label", [MASKED, BARE])
def test_average_precision_is_that_of_a_plain_loop(seed, iou, min_side, label):
    photos = random_photos(seed)
    expected = looped_average_precision(photos, label, iou, min_side)
    assert 0.05 < expected < 0.95
    found = rank(photos, label, iou, min_side).average_precision()
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_that_of_scikit_learns_curve(seed):
    rng = np.random.default_rng(seed)
    scores = -np.sort(-rng.integers(1, 30, 80) / 30)
    is_hit = rng.random(80) < scores
    missed = 7
    faces = int(is_hit.sum()) + missed
    ranking = Ranking(scores, is_hit, np.zeros(80, int), np.array([faces]))
    precision, recall, thresholds = precision_recall_curve(
        np.append(is_hit, np.ones(missed)), np.append(scores, np.zeros(missed))
    )
    precision, recall = precision[:-1][thresholds > 0], recall[:-1][thresholds > 0]
    steps = np.append(np.unique(recall)[::-1], 0.0)
    expected = sum(
        (high - low) * precision[recall >= high].max() for high, low in itertools.pairwise(steps)
    )
    assert ranking.average_precision() == pytest.approx(expected, abs=1e-12)


def test_a_photo_of_weight_two_counts_like_two_photos():
    photos = random_photos(3)
    weights = np.random.default_rng(1).integers(0, 4, len(photos))
    copies = [each for each, count in zip(photos, weights, strict=True) for _ in range(count)]
    weighted = rank(photos, MASKED, 0.5).average_precision(weights.astype(float))
    assert weighted == pytest.approx(rank(copies, MASKED, 0.5).average_precision())


def test_the_interval_is_that_of_photos_really_drawn_again():
    photos = random_photos(4, 20)
    rankings = [rank(photos, label, 0.5) for label in (MASKED, BARE)]
    low, high = mean_interval(rankings, resamples=200, seed=5)
    rng = np.random.default_rng(5)
    means = []
    for _ in range(200):
        drawn = [photos[index] for index in rng.integers(0, 20, 20)]
        means.append(
            np.mean([rank(drawn, label, 0.5).average_precision() for label in (MASKED, BARE)])
        )
    assert (low, high) == pytest.approx(tuple(np.percentile(means, [2.5, 97.5])))
    assert low < np.mean([ranking.average_precision() for ranking in rankings]) < high
    assert (low, high) == mean_interval(rankings, resamples=200, seed=5)


def test_the_interval_of_nothing_is_nan():
    assert np.isnan(mean_interval([rank([photo()], MASKED, 0.5)])).all()


def test_nothing_found_is_zero_and_nothing_to_find_is_nan():
    empty = photo([square(0)], [MASKED])
    assert rank([empty], MASKED, 0.5).average_precision() == 0.0
    assert np.isnan(rank([photo()], MASKED, 0.5).average_precision())
    assert np.isnan(rank([], MASKED, 0.5).average_precision())


def test_true_labels_touch_only_boxes_that_found_a_known_face():
    one = photo(
        [square(0), square(100), square(200)],
        [MASKED, BARE, UNKNOWN],
        [square(0), square(100), square(200), square(300), square(1)],
        [0.9, 0.8, 0.7, 0.6, 0.5],
        [(0.2, 0.8)] * 5,
    )
    truth = one.with_true_labels(0.5)
    assert truth.probabilities.tolist() == [[1, 0], [0, 1], [0.2, 0.8], [0.2, 0.8], [0.2, 0.8]]
    assert one.probabilities.tolist() == [[0.2, 0.8]] * 5


def test_a_higher_confidence_leaves_boxes_out():
    one = photo([], [], [square(0), square(9)], [0.6, 0.3], [(0.2, 0.8), (0.3, 0.7)])
    kept = one.above(0.6)
    assert (kept.scores.tolist(), kept.probabilities.tolist()) == ([0.6], [[0.2, 0.8]])
    assert len(one.above(0.0).boxes) == 2 and len(one.above(0.7).boxes) == 0


def test_offsets_lead_from_the_box_to_the_face():
    box = np.array([100.0, 200.0, 150.0, 300.0])  # 50 wide, 100 high, centre 125, 250
    face = (105, 190, 165, 310)  # 60 wide, 120 high, centre 135, 250
    one = photo([face], [UNKNOWN], [box, square(0)], [0.9, 0.8], [(1, 0)] * 2)
    (offset,) = box_offsets([one, photo()], 0.4)
    np.testing.assert_allclose(offset, [10 / 50, 0, np.log(60 / 50), np.log(120 / 100)])
    assert box_offsets([photo()], 0.4).shape == (0, 4)
