"""`train`: from folders of photos to a model file, its report and its plots."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.commands.argument_types import number_formats_or_none
from mask_detector.commands.cropping import with_face_crops
from mask_detector.commands.shared import add_face_argument
from mask_detector.errors import MaskDetectorError, OptionError, writing
from mask_detector.runtimes.onnx_runtime import EXPORTING, check_installed
from mask_detector.training_options import TrainingOptions
from mask_detector.wording import counted

if TYPE_CHECKING:
    import keras

    from mask_detector.checkpoints import Checkpoints
    from mask_detector.training import TrainedNetwork
    from mask_detector.training_data import TrainingData
    from mask_detector.training_result import TrainingResult

HELP = "train a classifier on folders of photos"
_PLOT_SUFFIXES = (".png", ".pdf", ".svg", ".jpg")
_JUDGED_COUNT = 600  # held-out pictures by which an export is judged; `export` takes more

logger = logging.getLogger(__name__)


def add_dataset_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which photos to train on."""
    parser.add_argument(
        "-d",
        "--dataset",
        type=Path,
        action="append",
        metavar="DIR",
        help="folder with one folder of photos per class (split 70/15/15 here), with "
        "train/val/test folders of such, or with photos and boxes in the files of "
        "PASCAL VOC, COCO or YOLO; give it again for each further source (default: dataset)",
    )
    parser.add_argument(
        "--classes",
        metavar="A,B,...",
        help="train on these classes only, in this order; by default on all, sorted by name",
    )


def add_knobs(parser: argparse.ArgumentParser, left_out: tuple[str, ...] = ()) -> None:
    """Add the knobs of `TrainingOptions`, but for those named."""
    for knob in dataclasses.fields(TrainingOptions):
        if knob.name not in left_out:
            parser.add_argument(
                "--" + knob.name.replace("_", "-"),
                type=type(knob.default),
                default=knob.default,
                choices=knob.metadata["choices"],
                help=knob.metadata["help"],
            )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset_arguments(parser)
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
        help="where to save the curves of loss and accuracy (default: beside the model, as "
        "<model>_training_plot.png)",
    )
    add_knobs(parser)
    parser.add_argument(
        "--export",
        type=number_formats_or_none,
        default="int8",
        metavar="A,B,...",
        help="files to write beside the model: LiteRT's, which a camera is watched with (int8, "
        "float32, float16 or all), onnx, or none",
    )
    add_face_argument(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on after the last finished epoch of a training that was stopped; give the same "
        "options",
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.model_file import check_suffix
    from mask_detector.quiet import load_tensorflow

    names = [knob.name for knob in dataclasses.fields(TrainingOptions)]
    options = TrainingOptions(**{name: getattr(args, name) for name in names})
    check_suffix(args.model)
    if "onnx" in args.export:
        check_installed(*EXPORTING)
    args.plot = args.plot or _beside(args.model, "training_plot.png")
    if args.plot.suffix.lower() not in _PLOT_SUFFIXES:
        raise OptionError(
            f"--plot {args.plot}: expected a name ending in {', '.join(_PLOT_SUFFIXES)}"
        )
    for path in (args.model, args.plot):
        _check_writable(path)
    data = gather_data(args, options)
    load_tensorflow()
    checkpoints = _open_checkpoints(args, options, data)
    trained = _fit(args, options, data, checkpoints)
    result = _judge(trained, data, options)
    _report_and_save(args, result, trained.model, checkpoints.history)
    if args.export:
        _export(args, data, trained.model)
    checkpoints.discard()  # only now: a training that was killed above is resumed up to there
    return 0


def gather_data(args: argparse.Namespace, options: TrainingOptions) -> TrainingData:
    """Audit and split the sources, and say on the way what they hold."""
    from mask_detector.audit import audit_dataset
    from mask_detector.audit_report import audit_text
    from mask_detector.commands.shared import class_names_of
    from mask_detector.training_data import gather

    audits = []
    for root in args.dataset or [Path("dataset")]:
        audits.append(audit_dataset(root))
        print(audit_text(audits[-1]))
    data = gather(audits, split_seed=options.split_seed, class_names=class_names_of(args.classes))
    data = with_face_crops(data, options.crop, args.face)
    print(_sources_text(data.sources))
    if data.shared_count:
        shared = counted(data.shared_count, "photo")
        print(f"{shared} left out: another source holds the same picture")
    if data.contradictions:
        files = counted(len(data.contradictions), "file")
        print(f"{files} left out: the sources disagree on the class:")
        print("\n".join(f"  {path}" for path in data.contradictions))
    print(_sources_text({"pictures": {split: len(part) for split, part in data.splits.items()}}))
    return data


def _check_writable(path: Path) -> None:
    """Fail before the training, not after it."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
        if path.is_dir():
            raise IsADirectoryError("it is a folder")


def _open_checkpoints(
    args: argparse.Namespace, options: TrainingOptions, data: TrainingData
) -> Checkpoints:
    from mask_detector.checkpoints import Checkpoints

    settings = {**options.to_dict(), "classes": data.class_names, "data": data.fingerprint}
    folder = args.model.with_suffix(".training")
    if args.resume and args.model.exists() and not folder.exists():
        raise MaskDetectorError(
            f"--resume: nothing to go on with, {args.model} is finished; leave --resume out to "
            f"train it anew"
        )
    checkpoints = Checkpoints.open(folder, settings, resume=args.resume)
    done = len(checkpoints.history)
    if done:
        print(f"resuming after epoch {done}")
    elif args.resume:
        print("no epoch was finished; training from the first")
    return checkpoints


def _fit(
    args: argparse.Namespace,
    options: TrainingOptions,
    data: TrainingData,
    checkpoints: Checkpoints,
) -> TrainedNetwork:
    from mask_detector.training import prepare_device, train

    print(prepare_device())
    log_path = _beside(args.model, "log.csv")
    verbose = 1 if sys.stdout.isatty() else 2
    try:
        return train(data.splits, data.class_names, options, checkpoints, log_path, verbose=verbose)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_what_is_kept(len(checkpoints.history))) from None
    finally:
        checkpoints.withdraw()  # no such weights, a full disk, Ctrl-C: nothing was trained


def _what_is_kept(finished: int) -> str:
    if not finished:
        return "stopped before the first epoch was finished"
    return f"stopped after {counted(finished, 'finished epoch')}; add --resume to go on"


def _judge(trained: TrainedNetwork, data: TrainingData, options: TrainingOptions) -> TrainingResult:
    from mask_detector.training_result import judge  # loads Keras

    return judge(trained.run, data, options)


def _report_and_save(
    args: argparse.Namespace, result: TrainingResult, model: keras.Model, history: list[dict]
) -> None:
    from mask_detector.model_file import save_model
    from mask_detector.plots import plot_confusion_matrix, plot_history, plot_reliability

    text = _report_text(result)
    print(f"\n{text}")
    saved = {
        "model": args.model,
        "report": _beside(args.model, "report.txt"),
        "confusion matrix": _beside(args.model, "confusion_matrix.png"),
        "reliability": _beside(args.model, "reliability.png"),
        "curves": args.plot,
        "log": _beside(args.model, "log.csv"),
    }
    save_model(model, result.card, saved["model"])
    saved["report"].write_text(text, "utf-8", errors="backslashreplace")
    plot_confusion_matrix(result.report, saved["confusion matrix"], "test split")
    plot_reliability(
        result.raw, result.calibrated, result.labels, saved["reliability"], "test split"
    )
    plot_history(history, saved["curves"])
    for what, path in saved.items():
        print(f"saved {what + ':':17} {path}")


def _export(args: argparse.Namespace, data: TrainingData, model: keras.Model) -> None:
    from mask_detector.export import export_beside, variants_text

    variants = export_beside(
        model, args.model, args.export, data.splits, _JUDGED_COUNT, args.split_seed
    )
    if variants:
        print(f"\n{variants_text(args.model, variants)}")
    for variant in variants:
        if not variant.problem:
            print(f"saved {variant.number_format + ':':17} {variant.path}")


def _report_text(result: TrainingResult) -> str:
    from mask_detector.evaluation import calibration_error, report_text

    card = result.card
    before = calibration_error(result.raw, result.labels)
    given = f"{result.accuracy_when_sure:.2%}" if result.is_sure.any() else "-"
    return (
        f"test split, never trained on:\n"
        f"{report_text(result.calibrated, result.labels, result.report)}"
        f"temperature {card.temperature:.3f}, fitted on the validation split "
        f"(calibration error without it {before:.4f})\n"
        f'"not sure" below {card.least_confidence:.3f}: {1 - result.is_sure.mean():.1%} of '
        f"the test split; of the verdicts given {given} are right\n\n"
        f"photos and marked faces:\n{_sources_text(card.training_data['sources'])}\n"
    )


def _sources_text(sources: dict[str, dict[str, int]]) -> str:
    """A line per source: how many pictures each split has of it."""
    return "\n".join(
        f"{name}: " + ", ".join(f"{split} {n}" for split, n in counts.items())
        for name, counts in sources.items()
    )


def _beside(model: Path, ending: str) -> Path:
    return model.with_name(f"{model.stem}_{ending}")
