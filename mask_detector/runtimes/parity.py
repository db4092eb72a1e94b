"""What a model lost on its way into another file: both judge the same held-out pictures.

parities = compare(before, {"int8": after}, samples)
problem = parities["int8"].problem(BOUNDS["int8"])
"""

from __future__ import annotations

import itertools
import random
import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from mask_detector.images import cut_out, read_image
from mask_detector.mask_classifiers import MaskClassifier
from mask_detector.types import ModelCard, Sample


@dataclass(frozen=True)
class Bound:
    """What an export may lose; beyond it the file is refused."""

    loss: float = 0.5  # balanced accuracy, percentage points; one picture is no loss, but for 0
    difference: float = 1.0  # of two probabilities; 1 allows any


# float16 and float32 hold the numbers of Keras but for rounding, so no probability may move by more
# than rounding explains: on 1,027 validation pictures it was .033 at most, and .000006.
BOUNDS = {
    "int8": Bound(),
    "float16": Bound(difference=0.05),
    "float32": Bound(difference=0.001),
    "onnx": Bound(difference=0.001),  # float32 as well
}


@dataclass(frozen=True)
class Judged:
    """One classifier's answers to labelled crops, and how long it took for each."""

    probabilities: np.ndarray  # (n, classes)
    labels: np.ndarray  # (n,)
    milliseconds: float  # per face, median

    @property
    def accuracy(self) -> float:
        """Balanced: the mean over the classes."""
        from sklearn.metrics import balanced_accuracy_score

        return float(balanced_accuracy_score(self.labels, self.probabilities.argmax(axis=1)))


@dataclass(frozen=True)
class Parity:
    """Two models' answers to the same labelled crops."""

    before: Judged
    after: Judged

    @property
    def n(self) -> int:
        return len(self.before.labels)

    @property
    def loss(self) -> float:
        """Balanced accuracy lost, in percentage points."""
        return 100 * (self.before.accuracy - self.after.accuracy)

    @property
    def one_picture(self) -> float:
        """Balanced accuracy that a picture of the rarest class is worth, in percentage points."""
        counts = np.unique(self.before.labels, return_counts=True)[1]
        return 100 / (len(counts) * counts.min())

    @property
    def agreement(self) -> float:
        """Part of the crops to which both give the same verdict."""
        verdicts = [judged.probabilities.argmax(axis=1) for judged in (self.before, self.after)]
        return float((verdicts[0] == verdicts[1]).mean())

    @property
    def largest_difference(self) -> float:
        """Of two probabilities."""
        return float(np.abs(self.before.probabilities - self.after.probabilities).max())

    def problem(self, bound: Bound) -> str:
        """What lies beyond the bound, in words; empty where nothing does."""
        # Of few pictures one is more than any bound, and proves nothing.
        most = max(bound.loss, self.one_picture) if bound.loss > 0 else bound.loss
        if self.loss > most + 1e-9:
            return (
                f"loses {self.loss:.2f} percentage points of balanced accuracy, more than "
                f"{most:.3g}" + (" (one picture)" if most > bound.loss else "")
            )
        if self.largest_difference > bound.difference:
            return (
                f"moves a probability by {self.largest_difference:.4f}, more than "
                f"{bound.difference:g}"
            )
        return ""


def compare(
    before: MaskClassifier, after: dict[str, MaskClassifier], samples: list[Sample]
) -> dict[str, Parity]:
    """Let classifiers of the same classes judge the same crops, one by one as a camera does.

    Args:
        before: the model that was exported.
        after: what became of it, by name.
        samples: labelled pictures that neither was made from.
    """
    classifiers = [before, *after.values()]
    answers: list[list[np.ndarray]] = [[] for _ in classifiers]
    times_ms: list[list[float]] = [[] for _ in classifiers]
    for sample in tqdm(samples, desc="comparing", unit="crop", disable=None):
        crop = load_crops([sample], before.card)
        for number, classifier in enumerate(classifiers):
            started = time.perf_counter()
            answers[number].append(classifier.predict(crop)[0])
            times_ms[number].append(1000 * (time.perf_counter() - started))
    labels = np.array([sample.label for sample in samples])
    first, *others = (
        Judged(np.array(given), labels, float(np.median(spent)))
        for given, spent in zip(answers, times_ms, strict=True)
    )
    return {name: Parity(first, judged) for name, judged in zip(after, others, strict=True)}


def draw_balanced(samples: list[Sample], count: int, seed: int) -> list[Sample]:
    """Draw at most `count` samples, of each class as many as of any other while there are some."""
    members_of: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        members_of[sample.label].append(sample)
    generator = random.Random(seed)
    for members in members_of.values():
        generator.shuffle(members)
    rounds = itertools.zip_longest(*members_of.values())  # the first of each class, then the second
    return [s for one_of_each in rounds for s in one_of_each if s is not None][:count]


def load_crops(samples: list[Sample], card: ModelCard) -> np.ndarray:
    """Read pictures as the model is to see them: `(n, size, size, 3)` uint8 RGB."""
    size = card.image_size
    crops = np.empty((len(samples), size, size, 3), np.uint8)
    for index, sample in enumerate(samples):
        crops[index] = cut_out(read_image(sample.path), sample.box, card.crop_margin, size)
    return crops
