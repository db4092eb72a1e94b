"""`train`: from folders of photos to a model file, its report and its plots."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.errors import writing
from mask_detector.training_options import TrainingOptions

if TYPE_CHECKING:
    import keras

    from mask_detector.audit import Audit
    from mask_detector.checkpoints import Checkpoints
    from mask_detector.types import ModelCard, Report, Sample

HELP = "train a classifier on folders of photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d",
        "--dataset",
        type=Path,
        default=Path("dataset"),
        help="folder with one folder of photos per class (split 70/15/15 here), or with "
        "train/val/test folders of such",
    )
    parser.add_argument(
        "-m",
        "--model",
        type=Path,
        default=Path("models/mask_detector.keras"),
        help="where to save the model, .keras or .h5; its report goes beside it",
    )
    parser.add_argument(
        "-p",
        "--plot",
        type=Path,
        default=Path("models/training_plot.png"),
        help="where to save the curves of loss and accuracy",
    )
    for knob in dataclasses.fields(TrainingOptions):
        parser.add_argument(
            "--" + knob.name.replace("_", "-"),
            type=type(knob.default),
            default=knob.default,
            help=knob.metadata["help"],
        )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on after the last finished epoch of a training that was stopped; give the same "
        "options",
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.audit import audit_dataset, split_samples
    from mask_detector.audit_report import audit_text
    from mask_detector.model_file import check_suffix
    from mask_detector.quiet import load_tensorflow

    names = [knob.name for knob in dataclasses.fields(TrainingOptions)]
    options = TrainingOptions(**{name: getattr(args, name) for name in names})
    check_suffix(args.model)
    for path in (args.model, args.plot):
        _check_writable(path)
    audit = audit_dataset(args.dataset)
    print(audit_text(audit))
    splits = split_samples(audit, options.seed)
    print("split: " + ", ".join(f"{name} {len(samples)}" for name, samples in splits.items()))
    load_tensorflow()
    checkpoints = _open_checkpoints(args, options, audit)
    model = _fit(args, options, audit, splits, checkpoints)
    _report_and_save(args, options, audit, splits, model, checkpoints.history)
    checkpoints.discard()
    return 0


def _check_writable(path: Path) -> None:
    """Fail before the training, not after it."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()


def _open_checkpoints(
    args: argparse.Namespace, options: TrainingOptions, audit: Audit
) -> Checkpoints:
    from mask_detector.checkpoints import Checkpoints

    settings = {**options.to_dict(), "data": audit.data_fingerprint}
    folder = args.model.with_suffix(".training")
    checkpoints = Checkpoints.open(folder, settings, resume=args.resume)
    done = len(checkpoints.history)
    if done:
        print(f"resuming after epoch {done}")
    elif args.resume:
        print("nothing to resume; training from the first epoch")
    return checkpoints


def _fit(
    args: argparse.Namespace,
    options: TrainingOptions,
    audit: Audit,
    splits: dict[str, list[Sample]],
    checkpoints: Checkpoints,
) -> keras.Model:
    from mask_detector.training import prepare_device, train

    print(prepare_device())
    log_path = _beside(args.model, "log.csv")
    verbose = 1 if sys.stdout.isatty() else 2
    try:
        return train(splits, audit.class_names, options, checkpoints, log_path, verbose=verbose)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped after {len(checkpoints.history)} finished epochs; add --resume to go on"
        ) from None


def _report_and_save(
    args: argparse.Namespace,
    options: TrainingOptions,
    audit: Audit,
    splits: dict[str, list[Sample]],
    model: keras.Model,
    history: list[dict],
) -> None:
    from mask_detector.evaluation import evaluate, report_text
    from mask_detector.input_pipeline import PhotoBatches
    from mask_detector.model_file import save_model
    from mask_detector.plots import plot_confusion_matrix, plot_history

    test = PhotoBatches(splits["test"], options.image_size, options.batch_size)
    probabilities = model.predict(test.dataset, verbose=0)
    report = evaluate(probabilities, test.labels, audit.class_names)
    text = report_text(probabilities, test.labels, report)
    print(f"\ntest split, never trained on:\n{text}")
    saved = {
        "model": args.model,
        "report": _beside(args.model, "report.txt"),
        "matrix": _beside(args.model, "confusion_matrix.png"),
        "curves": args.plot,
        "log": _beside(args.model, "log.csv"),
    }
    save_model(model, _card(options, audit, splits, report), saved["model"])
    saved["report"].write_text(text, errors="backslashreplace")
    plot_confusion_matrix(report, saved["matrix"], "test split")
    plot_history(history, saved["curves"])
    for what, path in saved.items():
        print(f"saved {what + ':':8} {path}")


def _beside(model: Path, ending: str) -> Path:
    return model.with_name(f"{model.stem}_{ending}")


def _card(
    options: TrainingOptions, audit: Audit, splits: dict[str, list[Sample]], report: Report
) -> ModelCard:
    import keras
    import tensorflow

    from mask_detector import __version__
    from mask_detector.types import ModelCard

    return ModelCard(
        class_names=audit.class_names,
        image_size=options.image_size,
        architecture=options.architecture,
        crop_margin=options.crop_margin,
        training_data={
            "fingerprint": audit.data_fingerprint,
            "photos": {split: len(samples) for split, samples in splits.items()},
        },
        training_options=options.without_folders(),
        metrics={"split": "test", **report.to_dict()},
        versions={
            "mask_detector": __version__,
            "keras": keras.__version__,
            "tensorflow": tensorflow.__version__,
        },
    )
