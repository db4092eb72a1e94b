"""What a model gets wrong, or barely right, with the heat that shows why.

mistakes = find_mistakes(crops, probabilities, explainer, margin, most=24)
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mask_detector.crop_evaluation import Crops
from mask_detector.crop_report import order_by_interest
from mask_detector.errors import writing
from mask_detector.explaining.activation_maps import Explanation
from mask_detector.explaining.explainer import Explainer
from mask_detector.explaining.heat_drawing import FULL_HEAT, overlay
from mask_detector.explaining.label_checks import class_bars, doubtful_labels
from mask_detector.images import cut_out, fit, read_image
from mask_detector.montage import TILE_SIDE, Tile
from mask_detector.types import EDGES, FaceBox


@dataclass(frozen=True)
class ExplainedVerdict:
    """A picture as the network saw it, what it is labelled as, and what the network says."""

    photo: str  # below the data set's folder
    box: FaceBox | None
    picture: np.ndarray  # (size, size, 3) uint8 RGB
    true_class: str
    explanation: Explanation  # of the verdict

    def tiles(self, full_heat: float = FULL_HEAT) -> list[Tile]:
        """Two for a montage: the picture, and its heat laid over it."""
        heat, confidence = self.explanation, f"{self.explanation.probability:.0%}"
        heated = overlay(fit(self.picture, TILE_SIDE), heat.heat, full_heat)
        return [
            Tile(self.picture, f"{heat.class_name} {confidence}", f"labelled {self.true_class}"),
            Tile(heated, f"{heat.gain:+.1f} {heat.loss:+.1f}", Path(self.photo).name),
        ]


@dataclass(frozen=True)
class DoubtfulLabel:
    """A label against which the model is confident."""

    photo: str  # below the data set's folder
    box: FaceBox | None
    true_class: str
    looks_like: str
    probability: float  # of what it looks like
    bar: float  # what the model gives that class on average where it is the label


@dataclass(frozen=True)
class Mistakes:
    """The verdicts worth looking at, and how many there are of each kind."""

    judged: int
    wrong_count: int
    wrong: tuple[ExplainedVerdict, ...]  # the surest first
    unsure: tuple[ExplainedVerdict, ...]  # right, the least sure first
    doubtful: tuple[DoubtfulLabel, ...]  # all of them, the surest first


def find_mistakes(
    crops: Crops, probabilities: np.ndarray, explainer: Explainer, margin: float | None, most: int
) -> Mistakes:
    """Choose the verdicts worth looking at, and explain them.

    Args:
        crops: what was judged.
        probabilities: `(n, classes)`, see `crop_evaluation.judge_crops`.
        explainer: of the model that judged.
        margin: of the crops; None for photos judged whole.
        most: how many to explain of each kind.
    """
    wrong, right = order_by_interest(probabilities, crops.labels)
    return Mistakes(
        judged=len(crops.samples),
        wrong_count=len(wrong),
        wrong=_explained(crops, wrong[:most], explainer, margin),
        unsure=_explained(crops, right[:most], explainer, margin),
        doubtful=_doubtful(crops, probabilities),
    )


def _explained(
    crops: Crops, indices: Sequence[int], explainer: Explainer, margin: float | None
) -> tuple[ExplainedVerdict, ...]:
    if not len(indices):
        return ()
    samples = [crops.samples[index] for index in indices]
    size = explainer.network.card.image_size
    pictures = [cut_out(read_image(s.path), s.box, margin, size) for s in samples]
    explanations = explainer.explain(np.array(pictures))
    return tuple(
        ExplainedVerdict(
            s.path.relative_to(crops.root).as_posix(),
            s.box,
            picture,
            crops.class_names[s.label],
            explanation,
        )
        for s, picture, explanation in zip(samples, pictures, explanations, strict=True)
    )


def _doubtful(crops: Crops, probabilities: np.ndarray) -> tuple[DoubtfulLabel, ...]:
    bars = class_bars(probabilities, crops.labels)
    found = []
    for index in doubtful_labels(probabilities, crops.labels):
        sample, verdict = crops.samples[index], int(probabilities[index].argmax())
        found.append(
            DoubtfulLabel(
                sample.path.relative_to(crops.root).as_posix(),
                sample.box,
                crops.class_names[sample.label],
                crops.class_names[verdict],
                float(probabilities[index, verdict]),
                float(bars[verdict]),
            )
        )
    return tuple(found)


def write_doubtful(doubtful: Sequence[DoubtfulLabel], path: Path) -> None:
    """Write a line per label that looks wrong, the surest first.

    Raises:
        MaskDetectorError: the file can't be written.
    """
    with (
        writing(path),
        path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(["photo", *EDGES, "labelled", "looks_like", "probability", "class_mean"])
        for label in doubtful:
            box = label.box.edges if label.box else ("",) * len(EDGES)
            figures = [f"{label.probability:.6f}", f"{label.bar:.6f}"]
            table.writerow([label.photo, *box, label.true_class, label.looks_like, *figures])
