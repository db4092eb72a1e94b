"""Train the networks of a comparison one after the other, through the code that `train` uses.

All files lie in one folder, by the networks' names. What is finished there is not trained again,
and what was begun goes on after its last finished epoch, so the same command resumes a comparison
that was killed; with more networks it extends one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mask_detector.architectures import architecture_named
from mask_detector.checkpoints import Checkpoints, rank
from mask_detector.comparison.verdict import Entry
from mask_detector.engines import sibling_path
from mask_detector.errors import MaskDetectorError, writing
from mask_detector.export import export_beside
from mask_detector.intervals import estimate_scores
from mask_detector.mask_classifiers import load_classifier
from mask_detector.model_file import save_model
from mask_detector.networks.cost import cost_of
from mask_detector.runtimes.parity import load_crops
from mask_detector.training import train
from mask_detector.training_data import TrainingData
from mask_detector.training_options import TrainingOptions
from mask_detector.training_result import TrainingResult, judge
from mask_detector.types import Sample

FORMATS = ("float32", "int8")
_JUDGED_COUNT = 300  # held-out pictures by which an export is judged
_TIMED_COUNT = 40  # pictures; each network sees each once


def name_of(options: TrainingOptions) -> str:
    """What a network is called in the table and in its files' names: `vgg_small_x0.5`."""
    width = options.width_multiplier
    return options.architecture + (f"_x{width:g}" if width != 1 else "")


def networks_of(
    architectures: Sequence[str],
    widths: Sequence[float],
    common: dict[str, Any],
    weights: dict[str, str],
    budget: int,
) -> list[TrainingOptions]:
    """The options of every network to compare; those of one width only appear once.

    Args:
        architectures: keys of `ARCHITECTURES`.
        widths: multipliers of their channels.
        common: options that are the same for all.
        weights: by architecture what it begins with; "" stands for all others. A file fits one
            width; other widths, and those without ImageNet weights, begin with random ones.
        budget: passes over the pictures in all; 0 leaves it to each network.

    Raises:
        MaskDetectorError: a network that does not exist, or an option out of its range.
    """
    found = []
    for architecture in architectures:
        entry = architecture_named(architecture)
        for width in widths if entry.is_scalable else [1.0]:
            given = weights.get(architecture, weights.get("", "auto"))
            if given == "auto":
                given = entry.default_weights
            has_imagenet = bool(entry.imagenet_from) and width in entry.imagenet_widths
            fits = has_imagenet if given == "imagenet" else width == 1
            options = TrainingOptions(
                **common,
                architecture=architecture,
                width_multiplier=width,
                backbone_weights=given if fits else "none",
            )
            found.append(_with_budget(options, budget))
    return found


def _with_budget(options: TrainingOptions, budget: int) -> TrainingOptions:
    """A third of the passes goes to the head where the backbone is fine-tuned afterwards."""
    if not budget or not options.fine_tune:
        return replace(options, epochs=budget)
    head = max(1, budget // 3)
    return replace(options, epochs=head, fine_tune_epochs=max(1, budget - head))


def check_folder(folder: Path, settings: dict[str, Any]) -> None:
    """Begin a comparison in a folder, or see that the one there had the same settings.

    Raises:
        MaskDetectorError: it had others, or the folder can't be written.
    """
    path = folder / "comparison_settings.json"
    text = json.dumps(settings, indent=1, sort_keys=True)
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(text)
    try:
        before, now = json.loads(path.read_text()), json.loads(text)
    except ValueError as error:
        raise MaskDetectorError(f"{path} is damaged ({error}); delete {folder}") from error
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if changed:
        differences = ", ".join(f"{k} was {before.get(k)}, now {now.get(k)}" for k in changed)
        raise MaskDetectorError(
            f"{folder} holds a comparison under other conditions ({differences}); give another "
            f"folder with --output, or delete it"
        )


def train_network(
    options: TrainingOptions, data: TrainingData, folder: Path, *, verbose: int = 2
) -> Entry:
    """Train, judge and export one network, or read what an earlier run found.

    Raises:
        MaskDetectorError: weights that can't be had, or files that can't be read or written.
    """
    name = name_of(options)
    finished = folder / f"{name}.json"
    if finished.exists():
        return _read(finished, options)
    settings = {**options.to_dict(), "classes": data.class_names, "data": data.fingerprint}
    checkpoints = Checkpoints.open(folder / f"{name}.training", settings, resume=True)
    started = time.monotonic()
    log_path = folder / f"{name}_log.csv"
    trained = train(data.splits, data.class_names, options, checkpoints, log_path, verbose=verbose)
    wall_s = time.monotonic() - started
    model, result = trained.model, judge(trained.run, data, options)
    path = folder / f"{name}.keras"
    save_model(model, result.card, path)
    variants = export_beside(model, path, FORMATS, data.splits, _JUDGED_COUNT, options.split_seed)
    sizes = {v.number_format: v.size for v in variants if not v.problem}
    history = checkpoints.history
    # A resumed run did not see all epochs, an unbroken one did more than them.
    training_s = round(max(wall_s, sum(row["seconds"] for row in history)), 1)
    entry = Entry(
        name=name,
        architecture=options.architecture,
        width=options.width_multiplier,
        weights=Path(options.backbone_weights).name,
        image_size=options.image_size,
        epochs=len(history),
        training_s=training_s,
        bytes_of={name: sizes.get(name) for name in FORMATS},
        validation_accuracy=min(history, key=rank)["val_accuracy"],
        **asdict(cost_of(model)),
        **_scores(result, data),
    )
    partial = finished.with_suffix(".part")
    partial.write_text(json.dumps(entry.to_dict(), indent=1))
    partial.replace(finished)
    checkpoints.discard()
    keras.backend.clear_session()
    return entry


def _read(path: Path, options: TrainingOptions) -> Entry:
    try:
        entry = Entry.from_dict(json.loads(path.read_text()))
    except (ValueError, TypeError, KeyError) as error:
        raise MaskDetectorError(f"{path} is damaged ({error}); delete it") from error
    weights = Path(options.backbone_weights).name
    if entry.weights != weights:
        raise MaskDetectorError(
            f"{path} tells of a network that began with weights {entry.weights}, not {weights}; "
            f"delete it, or give another folder with --output"
        )
    return entry


def _scores(result: TrainingResult, data: TrainingData) -> dict[str, Any]:
    scores = estimate_scores(result.calibrated, result.labels, groups_of_test(data))
    return {
        "accuracy": scores.accuracy,
        "f1": dict(zip(data.class_names, scores.f1, strict=True)),
        "is_right": tuple((result.calibrated.argmax(axis=1) == result.labels).tolist()),
    }


def groups_of_test(data: TrainingData) -> np.ndarray:
    """Numbers of the groups of copies that the test pictures belong to, `(n,)`."""
    return np.array([sample.group for sample in data.splits["test"]])


def time_networks(
    entries: Sequence[Entry], folder: Path, samples: list[Sample]
) -> dict[str, dict[str, float]]:
    """Milliseconds for one picture, by network and number format: the median.

    All take turns at each picture, so that what else the machine does strikes all alike.
    """
    paths = {
        (entry.name, number_format): sibling_path(folder / f"{entry.name}.keras", number_format)
        for entry in entries
        for number_format, size in entry.bytes_of.items()
        if size
    }
    classifiers = {key: load_classifier(path) for key, path in paths.items()}
    step = max(1, len(samples) // _TIMED_COUNT)
    spent: dict[tuple[str, str], list[float]] = {key: [] for key in classifiers}
    for sample in samples[::step][:_TIMED_COUNT]:
        for key, classifier in classifiers.items():
            crop = load_crops([sample], classifier.card)
            started = time.perf_counter()
            classifier.predict(crop)
            spent[key].append(1000 * (time.perf_counter() - started))
    times: dict[str, dict[str, float]] = {entry.name: {} for entry in entries}
    for (name, number_format), values in spent.items():
        times[name][number_format] = float(np.median(values))
    return times
