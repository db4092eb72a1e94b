"""Would a background class pay, a way for the classifier to say "this is no face"?

    python -m benchmarks.background_class --boxes DIR --part val

DIR holds photos with boxes. The detector looks at them in three sizes and with a low
threshold, and three scores of its boxes are tried: its own; with the verdict's sureness ("not sure"
as "no face"); and with the probability of a face, which a logistic regression learns from the
classifier's last features of the boxes found in the train part. Both are joined by their geometric
mean. Prints a markdown table of what each finds, and how many false boxes it costs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.one_line_errors import errors_in_one_line
from mask_detector.calibration import apply_temperature
from mask_detector.chain.evaluation import SMALL_SIDE, evaluate_chain
from mask_detector.chain.judging import JudgedPhotos, Setting, annotated_photos, judge_photos
from mask_detector.detection_scores import ScoredPhoto
from mask_detector.frozen_network import FrozenNetwork
from mask_detector.mask_classifiers import load_network
from mask_detector.pyramid import open_pyramid

FACE_IOU, BACKGROUND_IOU = 0.4, 0.2  # from which, and below which, a box shows a face or none
STRENGTH = 1e-3  # of the regression, sklearn's C; 1e-4 and 1e-2 gave nearly the same
SIZES = {"ssd": 400, "yunet": 640}  # pixels of the middle of the three looks
LOWEST = {"ssd": 0.08, "yunet": 0.3}  # score from which boxes are asked for
THRESHOLDS = {"ssd": (0.15, 0.2, 0.25, 0.3, 0.4), "yunet": (0.4, 0.5, 0.6, 0.7, 0.8)}


class Remembering:
    """A classifier that keeps the last features of all that it judges."""

    def __init__(self, path: Path) -> None:
        network = load_network(path)
        model, self.card = network.model, network.card
        pooled = next(
            layer.output
            for layer in reversed(model.layers)
            if isinstance(layer, keras.layers.GlobalAveragePooling2D)
        )
        both = keras.layers.Concatenate()([pooled, model.output])
        self._network = FrozenNetwork(keras.Model(model.input, both), sys.maxsize)
        self._kept: list[np.ndarray] = []

    def predict(self, crops: np.ndarray) -> np.ndarray:
        both = self._network(crops)
        features, answers = np.split(both, [-len(self.card.class_names)], axis=1)
        self._kept.append(features)
        return apply_temperature(answers, self.card.temperature)

    def features(self) -> np.ndarray:
        """Of everything judged since the last call, `(n, channels)`."""
        features, self._kept = np.concatenate(self._kept), []
        return features


def learn_faces(
    photos: list[ScoredPhoto], features: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """From boxes on annotated photos: the probability that a box's features are of a face."""
    overlap = np.concatenate([photo.overlaps.max(axis=1, initial=0) for photo in photos])
    is_clear = (overlap >= FACE_IOU) | (overlap < BACKGROUND_IOU)
    regression = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000))
    regression.fit(features[is_clear], overlap[is_clear] >= FACE_IOU)
    return lambda features: regression.predict_proba(features)[:, 1]


def sureness(probabilities: np.ndarray) -> np.ndarray:
    """How far the surest class lies above chance, `(n, classes)` -> `(n,)`, 0-1."""
    chance = 1 / probabilities.shape[1]
    return (probabilities.max(axis=1) - chance) / (1 - chance)


def table(judged: JudgedPhotos, is_face: np.ndarray, thresholds: tuple[float, ...]) -> str:
    """A row per score and threshold.

    Args:
        judged: photos at one setting.
        is_face: probability of each of their boxes, in their order.
        thresholds: of the score.
    """
    ((key, photos),) = judged.photos.items()
    own = np.concatenate([photo.scores for photo in photos])
    sure = sureness(np.concatenate([photo.probabilities for photo in photos]))
    scores = {
        "the detector's": own,
        "with the verdict's sureness": np.sqrt(own * sure),
        "with a background class": np.sqrt(own * is_face),
    }
    ends = np.cumsum([len(photo.scores) for photo in photos])[:-1]
    lines = [
        f"| score | from | mean AP, IoU {FACE_IOU}, >= {SMALL_SIDE} px | ceiling | "
        f"{' | '.join(f'found {name}' for name in judged.class_names)} | false boxes per photo |",
        "|" + "---|" * (5 + len(judged.class_names)),
    ]
    for name, values in scores.items():
        per_photo = zip(photos, np.split(values, ends), strict=True)
        rescored = [replace(photo, scores=part) for photo, part in per_photo]
        for threshold in thresholds:
            report = evaluate_chain(
                replace(judged, photos={key: rescored}),
                Setting(threshold, margin=key[1], detect_size=key[0]),
                ious=(FACE_IOU,),
                min_sides=(SMALL_SIDE,),
                resamples=0,
            )
            (precision,), (found,) = report.precision, report.found
            cells = [f"{threshold:g}", f"{precision.mean:.3f}", f"{precision.ceiling:.3f}"]
            cells += ["{}/{}".format(*counts["all"]) for counts in found.found.values()]
            lines.append(f"| {name} | {' | '.join(cells)} | {found.false_boxes_per_photo:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boxes", type=Path, required=True, help="folder of photos with boxes")
    parser.add_argument("--part", default="val", choices=("val", "test"))
    parser.add_argument("--model", type=Path, default=Path("models/mask_detector.keras"))
    parser.add_argument("--detector", default="ssd", choices=tuple(SIZES))
    parser.add_argument("--face", type=Path, default=Path("face_detector"))
    args = parser.parse_args()
    with errors_in_one_line():
        classifier = Remembering(args.model)
        size, margin = SIZES[args.detector], classifier.card.crop_margin
        lowest = LOWEST[args.detector]
        looks = open_pyramid(args.detector, folder=args.face, confidence=lowest, detect_size=size)

        def judge(part: str) -> tuple[JudgedPhotos, np.ndarray]:
            photos = annotated_photos(args.boxes, part, split_seed=42)
            return judge_photos(photos, {size: looks}, classifier, [margin]), classifier.features()

        learned, features = judge("train")
        is_face = learn_faces(learned.photos[size, margin], features)
        judged, features = judge(args.part)
        print(table(judged, is_face(features), THRESHOLDS[args.detector]))


if __name__ == "__main__":
    main()
