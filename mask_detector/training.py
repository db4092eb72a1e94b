"""Train a classifier, stage by stage (see `training_stages.py`).

What stays frozen in all stages is computed once for several views of each picture
(`feature_cache.py`), and the stages train what stands on it; where nothing is frozen, every epoch
sees new views. Each finished epoch is kept (see `checkpoints.py`); the
order of the pictures and everything random depend on the seed and the epoch's number, so that a
resumed training ends like an unbroken one.
"""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from sklearn.utils.class_weight import compute_class_weight

from mask_detector.architectures import build_model, set_trainable_top, set_trainable_whole
from mask_detector.checkpoints import Checkpoints
from mask_detector.cores import core_count
from mask_detector.errors import ModelError, first_line
from mask_detector.feature_cache import FeatureBatches, cut, extract
from mask_detector.frozen_network import FrozenNetwork
from mask_detector.input_pipeline import PictureBatches, reseed
from mask_detector.labels import Meaning, meaning_of
from mask_detector.networks.cost import cost_of
from mask_detector.training_options import TrainingOptions
from mask_detector.training_stages import Stage, stages_of
from mask_detector.types import Sample
from mask_detector.wording import counted

logger = logging.getLogger(__name__)


def prepare_device() -> str:
    """Let GPU memory grow as needed, and say what will compute."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    names = [tf.config.experimental.get_device_details(g).get("device_name", g.name) for g in gpus]
    device = ", ".join(names) if gpus else f"CPU ({core_count()} cores)"
    return f"TensorFlow {tf.__version__}, Keras {keras.__version__} on {device}"


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that has learned, and the quickest way to ask it."""

    model: keras.Model
    run: Callable[[np.ndarray], np.ndarray]  # (n, h, w, 3) RGB 0-255 -> (n, classes) float32


def train(
    splits: dict[str, list[Sample]],
    class_names: tuple[str, ...],
    options: TrainingOptions,
    checkpoints: Checkpoints,
    log_path: Path,
    *,
    verbose: int = 1,
) -> TrainedNetwork:
    """Train all stages, and return the model of the best epoch.

    Args:
        splits: `train` and `val` samples.
        class_names: in the order of the labels.
        options: every knob.
        checkpoints: keeps each epoch, and knows where to go on.
        log_path: a CSV with a row per epoch, rewritten after each.
        verbose: Keras' progress: 1 a bar, 2 a line per epoch, 0 nothing.

    Returns:
        The model goes from RGB 0-255 to probabilities, without augmentation or optimizer.
    """
    options = replace(options, augmentation=augmentation_for(class_names, options.augmentation))
    keras.utils.set_random_seed(options.seed)
    model = _build(options, len(class_names))
    plan = _plan(model, splits, options, checkpoints.folder)
    weights = _class_weights(plan.batches.labels)
    for stage in stages_of(options, len(plan.batches.labels)):
        if checkpoints.is_finished(stage.name):
            continue
        begun = _begin(stage, model, plan.trained, checkpoints)
        logger.info("training %s, %s", stage.description, counted(stage.epochs, "epoch"))
        begun.fit(
            plan.batches.dataset,
            shuffle=False,  # `batches` do it; Keras would warn
            validation_data=plan.validation.dataset,
            epochs=stage.epochs,
            initial_epoch=len(checkpoints.rows_of(stage.name)),
            class_weight=weights,
            callbacks=[
                keras.callbacks.LearningRateScheduler(stage.rate),
                _EpochKeeper(stage.name, plan.batches, options.seed, checkpoints, log_path),
            ],
            verbose=verbose,
        )
        checkpoints.finish_stage(stage.name)
    _take_weights(plan.trained, checkpoints.best_model)
    return TrainedNetwork(model, plan.run)


def _build(options: TrainingOptions, class_count: int) -> keras.Model:
    model = build_model(
        options.architecture,
        image_size=options.image_size,
        class_count=class_count,
        weights=options.backbone_weights,
        width=options.width_multiplier,
        rounds_kernels=options.kernels == "int8" and not options.is_from_scratch,
    )
    logger.info("%s: %s", options.architecture, cost_of(model))
    return model


def _class_weights(labels: np.ndarray) -> dict[int, float]:
    """The square root of full balance: between the recall of a rare class and its precision."""
    balanced = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    return dict(enumerate(np.sqrt(balanced)))


_Batches = PictureBatches | FeatureBatches


class _Plan(NamedTuple):
    """What learns, from what, and how all of it is asked afterwards."""

    trained: keras.Model  # the network, or what stands on its frozen part
    batches: _Batches
    validation: _Batches
    run: Callable[[np.ndarray], np.ndarray]  # see `TrainedNetwork`


def _plan(
    model: keras.Model, splits: dict[str, list[Sample]], options: TrainingOptions, folder: Path
) -> _Plan:
    """Keep what the frozen part makes of the pictures, where there is such a part."""
    set_trainable_top(model, options.fine_tune)
    parts = cut(model) if options.views else None
    if parts:
        frozen, trained = parts
        trunk = FrozenNetwork(frozen, len(splits["train"]) * options.views)
        batches = _feature_batches(trunk, splits, options, folder)
        return _Plan(trained, *batches, trunk.followed_by(trained))
    # The validation side is judged once more, and a test side of about as many pictures.
    run = FrozenNetwork(model, 2 * len(splits["val"]) * options.orientations)
    return _Plan(model, *_picture_batches(splits, options), run)


def _picture_batches(
    splits: dict[str, list[Sample]], options: TrainingOptions
) -> tuple[_Batches, _Batches]:
    """Training pictures seen anew in every epoch, and validation pictures."""
    size, margin, batch_size = options.image_size, options.crop_margin, options.batch_size
    if options.is_from_scratch:
        batch_size = even_batch_size(len(splits["train"]), batch_size)
    train = PictureBatches(splits["train"], size, batch_size, margin=margin, seed=options.seed)
    train.augmentation = options.augmentation
    return train, _validation_batches(splits, options)


def _validation_batches(
    splits: dict[str, list[Sample]], options: TrainingOptions
) -> PictureBatches:
    """Pictures as they are, each in all orientations in which it will be judged."""
    samples = [
        replace(sample, orientation=orientation)
        for sample in splits["val"]
        for orientation in range(options.orientations)
    ]
    size, margin = options.image_size, options.crop_margin
    return PictureBatches(samples, size, options.batch_size, margin=margin)


def augmentation_for(class_names: tuple[str, ...], wanted: str) -> str:
    """What `auto` stands for: pictures of faces are changed as a camera might change them."""
    if wanted != "auto":
        return wanted
    are_faces = any(meaning_of(name) is not Meaning.OTHER for name in class_names)
    return "camera" if are_faces else "gentle"


def even_batch_size(picture_count: int, most: int) -> int:
    """The size that as many batches need if all are about as large.

    Else an epoch may end with a batch of one, and BatchNorm take its values for a tenth of all
    that it has ever seen, just before the network is judged.
    """
    return -(-picture_count // -(-picture_count // most))


def _feature_batches(
    trunk: FrozenNetwork, splits: dict[str, list[Sample]], options: TrainingOptions, folder: Path
) -> tuple[_Batches, _Batches]:
    """The same, but with what the frozen part makes of `options.views` views of each picture."""
    size, margin, seed = options.image_size, options.crop_margin, options.seed
    repeated = [sample for sample in splits["train"] for _ in range(options.views)]
    views = PictureBatches(
        repeated, size, options.batch_size, margin=margin, seed=seed, shuffle=False
    )
    views.augmentation = options.augmentation
    validation = _validation_batches(splits, options)
    return (
        FeatureBatches(
            extract(trunk, views, folder / "train-features.npy"),
            views.labels[:: options.views],
            options.batch_size,
            view_count=options.views,
            seed=seed,
        ),
        FeatureBatches(
            extract(trunk, validation, folder / "val-features.npy"),
            validation.labels,
            options.batch_size,
        ),
    )


def _begin(
    stage: Stage, model: keras.Model, trained: keras.Model, checkpoints: Checkpoints
) -> keras.Model:
    """The compiled model a stage begins with, or goes on with."""
    if checkpoints.rows_of(stage.name):
        return _kept(checkpoints.last_model)
    if checkpoints.history:
        _take_weights(trained, checkpoints.best_model)
    if stage.trained_layers is None:  # `trained` has layers of `model`
        set_trainable_whole(model)
    else:
        set_trainable_top(model, stage.trained_layers)
    trained.compile(
        optimizer=keras.optimizers.Adam(stage.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    # What `fit` makes only while it traces its first step has it trace that step twice, which
    # takes seconds; so the metric is made above, not named, and the optimizer's moments here.
    trained.optimizer.build(trained.trainable_variables)
    return trained


def _take_weights(model: keras.Model, path: Path) -> None:
    model.set_weights(_kept(path, compile=False).get_weights())


def _kept(path: Path, **options: Any) -> keras.Model:
    try:
        return keras.models.load_model(path, **options)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} is damaged ({first_line(error)}); delete {path.parent} and train anew"
        ) from error


class _EpochKeeper(keras.callbacks.Callback):
    """Seeds each epoch by its number, and keeps it when it is over."""

    def __init__(
        self, stage: str, batches: _Batches, seed: int, checkpoints: Checkpoints, log_path: Path
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
        self._checkpoints.record(row, self.model)
        _write_log(self._checkpoints.history, self._log_path)


def _write_log(history: list[dict[str, Any]], path: Path) -> None:
    names = list(dict.fromkeys(name for row in history for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(history)
