"""What a finished training has to show: calibrated on validation pictures, judged on test ones."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow

from mask_detector import __version__
from mask_detector.calibration import (
    apply_temperature,
    fit_temperature,
    not_sure_threshold,
)
from mask_detector.evaluation import evaluate
from mask_detector.input_pipeline import PictureBatches
from mask_detector.orientations import Answers, averaged
from mask_detector.training_data import TrainingData
from mask_detector.training_options import TrainingOptions
from mask_detector.types import NOT_SURE_THRESHOLD, ModelCard, Report

_JUDGED_AT_ONCE = 8  # through the whole network; where Keras runs it, 32 take 350 MB more


@dataclass(frozen=True)
class TrainingResult:
    """A model's card, and its answers about the test pictures."""

    card: ModelCard
    report: Report
    labels: np.ndarray  # (n,) of the test pictures
    raw: np.ndarray  # (n, classes) probabilities as the network gives them
    calibrated: np.ndarray  # (n, classes) the same, with the card's temperature

    @property
    def is_sure(self) -> np.ndarray:
        """Which of the test pictures get a verdict other than "not sure", `(n,)` bool."""
        return self.calibrated.max(axis=1) >= self.card.least_confidence

    @property
    def accuracy_when_sure(self) -> float:
        """How often the verdicts given are right on the test pictures; NaN if none is given."""
        right = self.calibrated.argmax(axis=1) == self.labels
        return float(right[self.is_sure].mean()) if self.is_sure.any() else float("nan")


def judge(run: Answers, data: TrainingData, options: TrainingOptions) -> TrainingResult:
    """Fit temperature and "not sure" on the validation side, then look at the test side once.

    Args:
        run: from pictures `(n, h, w, 3)` RGB 0-255 to probabilities `(n, classes)`; the mean over
            the orientations is taken here.
        data: the pictures.
        options: what they were trained on with.
    """
    run, raw, labels = averaged(run, options.orientations), {}, {}
    for split in ("val", "test"):
        batches = PictureBatches(
            data.splits[split], options.image_size, _JUDGED_AT_ONCE, margin=options.crop_margin
        )
        answers = [run(pictures.numpy()) for pictures, _ in batches.dataset]
        raw[split], labels[split] = np.concatenate(answers), batches.labels
    temperature = fit_temperature(raw["val"], labels["val"])
    calibrated = {split: apply_temperature(raw[split], temperature) for split in raw}
    report = evaluate(calibrated["test"], labels["test"], data.class_names)
    card = ModelCard(
        class_names=data.class_names,
        image_size=options.image_size,
        architecture=options.architecture,
        crop_margin=options.crop_margin,
        temperature=temperature,
        thresholds={NOT_SURE_THRESHOLD: not_sure_threshold(calibrated["val"], labels["val"])},
        orientations=options.orientations,
        training_data={"fingerprint": data.fingerprint, "sources": data.sources},
        training_options=options.without_folders(),
        metrics={"split": "test", **report.to_dict()},
        versions={
            "mask_detector": __version__,
            "keras": keras.__version__,
            "tensorflow": tensorflow.__version__,
        },
    )
    return TrainingResult(card, report, labels["test"], raw["test"], calibrated["test"])
