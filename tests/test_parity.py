"""What an export lost: figures against sums done by hand, and the bounds that refuse it."""

import dataclasses

import cv2
import numpy as np
import pytest
from conftest import textured_photo

from mask_detector.runtimes.parity import (
    BOUNDS,
    Bound,
    Judged,
    Parity,
    compare,
    draw_balanced,
    load_crops,
)
from mask_detector.types import FaceBox, ModelCard, Sample

SIZE = 32
CARD = ModelCard(("dark", "light", "odd"), SIZE, crop_margin=0.1)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """40 pictures of unequal classes, some with a face to cut out."""
    folder = tmp_path_factory.mktemp("pictures")
    box = FaceBox(20, 30, 60, 80, 1.0)
    drawn = []
    for index in range(40):
        cv2.imwrite(str(folder / f"{index}.png"), textured_photo(index, (96, 80 + index % 3)))
        label = 0 if index % 2 else 1 + index % 3 // 2
        drawn.append(Sample(folder / f"{index}.png", label, index, box if index % 5 else None))
    return drawn


class Brightness:
    """A classifier of few words: its probabilities follow from a crop's mean brightness."""

    card = CARD

    def __init__(self, shift):
        self.shift = shift
        self.sizes_seen = []

    def predict(self, crops):
        self.sizes_seen.append(crops.shape)
        light = (crops.mean(axis=(1, 2, 3)) + self.shift) / 40 - 3
        logits = np.outer(light, [-1, 1, 0])
        powers = np.exp(logits)
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def test_parity_is_what_counting_says(samples):
    before, after = Brightness(0), Brightness(9)
    parity = compare(before, {"brighter": after, "same": before}, samples)["brighter"]
    crops = load_crops(samples, CARD)
    labels = [sample.label for sample in samples]
    answers = [classifier.predict(crops) for classifier in (before, after)]
    verdicts = [[int(np.argmax(row)) for row in rows] for rows in answers]
    accuracies = []
    for given in verdicts:
        recalls = []
        for label in set(labels):
            own = [verdict for verdict, true in zip(given, labels, strict=True) if true == label]
            recalls.append(own.count(label) / len(own))
        accuracies.append(sum(recalls) / len(recalls))
    agreeing = sum(a == b for a, b in zip(*verdicts, strict=True))
    assert 0 < agreeing < len(samples)  # or nothing would be tested
    assert parity.n == 40
    assert (parity.before.accuracy, parity.after.accuracy) == pytest.approx(tuple(accuracies))
    assert parity.loss == pytest.approx(100 * (accuracies[0] - accuracies[1]))
    assert parity.agreement == pytest.approx(agreeing / 40)
    assert parity.largest_difference == pytest.approx(np.abs(answers[0] - answers[1]).max(), 1e-4)
    assert min(parity.before.milliseconds, parity.after.milliseconds) > 0


def test_every_picture_is_judged_once_by_each_and_alone(samples):
    first, second, third = Brightness(0), Brightness(1), Brightness(2)
    parities = compare(first, {"second": second, "third": third}, samples)
    assert list(parities) == ["second", "third"]
    for classifier in (first, second, third):
        assert classifier.sizes_seen == [(1, SIZE, SIZE, 3)] * 40
    assert parities["second"].before is parities["third"].before


def test_crops_are_cut_as_at_run_time(samples):
    whole, cut = load_crops([dataclasses.replace(samples[1], box=None), samples[1]], CARD)
    picture = cv2.imread(str(samples[1].path))[..., ::-1]
    area = {"dsize": (SIZE, SIZE), "interpolation": cv2.INTER_AREA}
    np.testing.assert_array_equal(whole, cv2.resize(picture, **area))
    np.testing.assert_array_equal(cut, cv2.resize(picture[25:85, 16:64], **area))


def parity_of(before, after, labels):
    answers = [np.stack([np.subtract(1, p), p], axis=1) for p in (before, after)]
    return Parity(*(Judged(given, np.array(labels), 1.0) for given in answers))


@pytest.mark.parametrize(
    "after, bound, words",
    [
        ([0.1, 0.4, 0.6, 0.9], Bound(), ""),
        ([0.1, 0.6, 0.6, 0.9], Bound(), ""),  # a picture of four proves nothing
        ([0.1, 0.6, 0.6, 0.9], Bound(loss=0), "loses 25.00 percentage points of balanced accuracy"),
        (
            [0.6, 0.6, 0.6, 0.9],
            Bound(),
            "loses 50.00 percentage points of balanced accuracy, more than 25 (one picture)",
        ),
        (
            [0.6, 0.6, 0.6, 0.9],
            Bound(loss=30),
            "loses 50.00 percentage points of balanced accuracy, more than 30",
        ),
        ([0.1, 0.6, 0.6, 0.9], Bound(loss=25.0), ""),
        ([0.1, 0.4, 0.6, 0.96], Bound(difference=0.05), "moves a probability by 0.0600, more"),
        ([0.1, 0.4, 0.6, 0.94], Bound(difference=0.05), ""),
    ],
)
def test_what_lies_beyond_its_bound_is_named(after, bound, words):
    problem = parity_of([0.1, 0.4, 0.6, 0.9], after, [0, 0, 1, 1]).problem(bound)
    assert problem.startswith(words) and bool(problem) == bool(words)


def test_the_finer_the_numbers_the_closer_they_must_be():
    assert BOUNDS["int8"].difference >= BOUNDS["float16"].difference > BOUNDS["float32"].difference
    assert {bound.loss for bound in BOUNDS.values()} == {0.5}


def samples_of(*labels):
    return [Sample(None, label, index) for index, label in enumerate(labels)]


@pytest.mark.parametrize("count, expected", [(0, {}), (6, {0: 2, 1: 2, 2: 2}), (9, {0: 4, 1: 3,
                                             2: 2}), (99, {0: 20, 1: 3, 2: 2})])  # fmt: skip
def test_each_class_is_drawn_as_often_as_it_can_be(count, expected):
    samples = samples_of(*[0] * 20, *[1] * 3, *[2] * 2)
    drawn = draw_balanced(samples, count, seed=5)
    labels = [sample.label for sample in drawn]
    assert {label: labels.count(label) for label in set(labels)} == expected
    assert len(set(drawn)) == len(drawn) and drawn == draw_balanced(samples, count, seed=5)
    if count == 6:
        assert drawn != draw_balanced(samples, count, seed=6)
