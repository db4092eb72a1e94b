"""Train a classifier in two stages: the new head first, then, if asked, the top of the backbone.

Each finished epoch is kept (see `checkpoints.py`); the order of the photos and everything random
depend on the seed and the epoch's number, so that a resumed training ends like an unbroken one.
"""

from __future__ import annotations

import csv
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.utils.class_weight import compute_class_weight

from mask_detector.architectures import build_model, set_trainable_top
from mask_detector.checkpoints import Checkpoints
from mask_detector.input_pipeline import PhotoBatches, reseed
from mask_detector.training_options import TrainingOptions
from mask_detector.types import Sample

logger = logging.getLogger(__name__)

_EARLY_STOPPING = {"monitor": "val_loss", "patience": 5}
_PLATEAU = {"monitor": "val_loss", "factor": 0.3, "patience": 2}


@dataclass(frozen=True)
class _Stage:
    name: str
    epochs: int
    learning_rate: float
    trained_layers: int  # of the backbone, from the top

    @property
    def description(self) -> str:
        layers = f" and the top {self.trained_layers} layers of the backbone"
        return "the head" + (layers if self.trained_layers else "")


def _stages(options: TrainingOptions) -> list[_Stage]:
    stages = [_Stage("head", options.epochs, options.learning_rate, 0)]
    if options.fine_tune > 0:
        rate = options.learning_rate / 10
        stages.append(_Stage("fine-tuning", options.fine_tune_epochs, rate, options.fine_tune))
    return stages


def prepare_device() -> str:
    """Let GPU memory grow as needed, and say what will compute."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    names = [tf.config.experimental.get_device_details(g).get("device_name", g.name) for g in gpus]
    device = ", ".join(names) if gpus else f"CPU ({os.cpu_count()} cores)"
    return f"TensorFlow {tf.__version__}, Keras {keras.__version__} on {device}"


def train(
    splits: dict[str, list[Sample]],
    class_names: tuple[str, ...],
    options: TrainingOptions,
    checkpoints: Checkpoints,
    log_path: Path,
    *,
    verbose: int = 1,
) -> keras.Model:
    """Train until the validation loss stops falling, and return the best epoch's model.

    Args:
        splits: `train` and `val` samples.
        class_names: in the order of the labels.
        options: every knob.
        checkpoints: keeps each epoch, and knows where to go on.
        log_path: a CSV with a row per epoch, rewritten after each.
        verbose: Keras' progress: 1 a bar, 2 a line per epoch, 0 nothing.

    Returns:
        A model from RGB 0-255 to probabilities, without augmentation or optimizer.
    """
    keras.utils.set_random_seed(options.seed)
    batches = PhotoBatches(
        splits["train"], options.image_size, options.batch_size, seed=options.seed
    )
    validation = PhotoBatches(splits["val"], options.image_size, options.batch_size)
    weights = compute_class_weight("balanced", classes=np.unique(batches.labels), y=batches.labels)
    for stage in _stages(options):
        if checkpoints.is_finished(stage.name):
            continue
        model = _model_for(stage, class_names, options, checkpoints)
        logger.info("training %s, at most %d epochs", stage.description, stage.epochs)
        if not checkpoints.stops_early:
            model.fit(
                batches.dataset,
                validation_data=validation.dataset,
                epochs=stage.epochs,
                initial_epoch=len(checkpoints.rows_of(stage.name)),
                class_weight=dict(enumerate(weights)),
                callbacks=_callbacks(stage, batches, options, checkpoints, log_path),
                verbose=verbose,
            )
        checkpoints.finish_stage(stage.name)
    return keras.models.load_model(checkpoints.best_model, compile=False)


def _model_for(
    stage: _Stage, class_names: tuple[str, ...], options: TrainingOptions, checkpoints: Checkpoints
) -> keras.Model:
    """The compiled model a stage begins with, or goes on with."""
    if checkpoints.rows_of(stage.name):
        return keras.models.load_model(checkpoints.last_model)
    if checkpoints.history:
        model = keras.models.load_model(checkpoints.best_model, compile=False)
    else:
        model = build_model(
            options.architecture,
            image_size=options.image_size,
            class_count=len(class_names),
            weights=options.backbone_weights,
        )
    set_trainable_top(model, stage.trained_layers)
    model.compile(
        optimizer=keras.optimizers.Adam(stage.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def _callbacks(
    stage: _Stage,
    batches: PhotoBatches,
    options: TrainingOptions,
    checkpoints: Checkpoints,
    log_path: Path,
) -> list[keras.callbacks.Callback]:
    judges = [
        keras.callbacks.EarlyStopping(**_EARLY_STOPPING),
        keras.callbacks.ReduceLROnPlateau(**_PLATEAU),
    ]
    replay = _Replay(judges, checkpoints.rows_of(stage.name), stage.learning_rate)
    keeper = _EpochKeeper(stage.name, batches, options.seed, checkpoints, log_path)
    return [*judges, replay, keeper]


class _Replay(keras.callbacks.Callback):
    """Show the epochs of before the interruption to callbacks that remember what they saw."""

    def __init__(
        self, judges: list[keras.callbacks.Callback], rows: list[dict[str, Any]], rate: float
    ) -> None:
        super().__init__()
        self._judges, self._rows, self._rate = judges, rows, rate

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.model.optimizer.learning_rate = self._rate  # the judges lower it again, as then
        for epoch, row in enumerate(self._rows):
            for judge in self._judges:
                judge.on_epoch_end(epoch, dict(row))


class _EpochKeeper(keras.callbacks.Callback):
    """Seeds each epoch by its number, and keeps it when it is over."""

    def __init__(
        self, stage: str, batches: PhotoBatches, seed: int, checkpoints: Checkpoints, log_path: Path
    ) -> None:
        super().__init__()
        self._stage, self._batches, self._seed = stage, batches, seed
        self._checkpoints, self._log_path = checkpoints, log_path
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._started = time.monotonic()
        number = len(self._checkpoints.history)  # counts through all stages
        self._batches.start_epoch(number)
        reseed(self.model, self._seed, number)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        row = {"epoch": len(self._checkpoints.history) + 1, "stage": self._stage}
        row |= {name: float(value) for name, value in (logs or {}).items()}
        row["seconds"] = round(time.monotonic() - self._started, 1)
        self._checkpoints.record(row, self.model, stops_early=bool(self.model.stop_training))
        _write_log(self._checkpoints.history, self._log_path)


def _write_log(history: list[dict[str, Any]], path: Path) -> None:
    names = list(dict.fromkeys(name for row in history for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(history)
