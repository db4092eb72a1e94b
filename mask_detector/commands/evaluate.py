"""`evaluate`: how right the classifier is, alone or together with the face detector.

`--dataset DIR` judges labelled pictures as they are; `--boxes DIR` goes the whole way, photo ->
face detector -> crop -> verdict.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mask_detector.commands.shared import (
    DEFAULT_CONFIDENCES,
    add_judging_arguments,
    fraction,
    list_of,
    open_classifier,
    open_face_detector,
)
from mask_detector.errors import MaskDetectorError, writing

if TYPE_CHECKING:
    import numpy as np

    from mask_detector.chain_judging import Setting
    from mask_detector.crop_evaluation import CropReport, Crops

HELP = "measure the classifier alone, or with the detector on photos with annotated faces"

SWEEP_CONFIDENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SWEEP_MARGINS = (0.0, 0.1, 0.2, 0.3, 0.4)
SMALLEST_FACE = 16  # audit.SMALLEST_SIDE, here so that asking for help does not load OpenCV
SHOWN = 48  # tiles of a montage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--boxes",
        type=Path,
        metavar="DIR",
        help="detector and classifier together: photos whose faces are boxed and labelled in "
        "PASCAL VOC's XML",
    )
    what.add_argument(
        "--dataset",
        type=Path,
        metavar="DIR",
        help="the classifier alone: a folder of face crops per class, or photos as for --boxes, "
        "whose marked faces are cut out",
    )
    add_judging_arguments(parser, several=True)
    parser.add_argument(
        "--margin",
        type=list_of(fraction),
        metavar="PART",
        help="how far a crop reaches beyond its box, as a part of the box per side "
        "(default: what the model was trained with)",
    )
    parser.add_argument(
        "--sweep",
        action="store_true",
        help="one line per setting: every combination of the values of --confidence, --margin and "
        "--detect-size, which take lists such as 0.2,0.4; for choosing them on --part val",
    )
    parser.add_argument(
        "--raw-boxes",
        action="store_true",
        help="with --boxes: the detector's boxes as they come, not brought to those people draw; "
        "the SSD sees the picture stretched to a square, as in tutorials",
    )
    parser.add_argument(
        "--part",
        choices=("all", "train", "val", "test"),
        default="all",
        help="which photos: all, or a part of the split that the training makes",
    )
    parser.add_argument(
        "--split-seed", type=int, default=42, help="the training's --split-seed, for --part"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write every figure to this file, too"
    )
    parser.add_argument(
        "--smallest-face",
        type=int,
        metavar="PIXELS",
        help="with --dataset: leave out marked faces whose shorter side is less "
        f"(default: {SMALLEST_FACE}, as the training does)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="with --dataset: write the confusion matrix, the reliability, the surest mistakes and "
        "the least sure right verdicts as PNG and every verdict as CSV there; with several "
        "margins into a folder for each",
    )


def run(args: argparse.Namespace) -> int:
    _check_way(args)
    return _run_on_dataset(args) if args.dataset else _run_on_boxes(args)


def _check_way(args: argparse.Namespace) -> None:
    """Say what is wrong now, not after minutes of work; refuse options that would do nothing."""
    way, other = ("dataset", "boxes") if args.dataset else ("boxes", "dataset")
    foreign = ("sweep", "confidence") if args.dataset else ("smallest_face", "output")
    for option in foreign:
        if getattr(args, option):
            name = option.replace("_", "-")
            raise MaskDetectorError(f"--{name} goes with --{other}, not with --{way}; leave it out")
    if args.output:
        with writing(args.output):
            args.output.mkdir(parents=True, exist_ok=True)
    if args.json and not args.json.parent.is_dir():
        raise MaskDetectorError(f"--json {args.json}: there is no folder {args.json.parent}")


def _run_on_dataset(args: argparse.Namespace) -> int:
    from mask_detector.audit import audit_dataset, split_photos
    from mask_detector.calibration import NOT_SURE_THRESHOLD
    from mask_detector.crop_evaluation import evaluate_crops, judge_crops, list_crops
    from mask_detector.crop_report import crop_text

    classifier = open_classifier(args)
    audit = audit_dataset(args.dataset)
    parts = {"all": audit.photos} if args.part == "all" else split_photos(audit, args.split_seed)
    smallest = SMALLEST_FACE if args.smallest_face is None else args.smallest_face
    card = classifier.card
    crops = list_crops(audit, parts[args.part], card.class_names, smallest)
    if not crops.is_marked and (args.margin or args.smallest_face):
        raise MaskDetectorError(
            f"--margin and --smallest-face are for marked faces, which {args.dataset} has none of: "
            f"its photos are judged whole; leave them out"
        )
    judged = judge_crops(crops, classifier, args.margin or [card.crop_margin])
    not_sure = card.thresholds.get(NOT_SURE_THRESHOLD, 0.0)
    reports = [evaluate_crops(crops, p, margin, not_sure) for margin, p in judged.items()]
    print(crop_text(crops, reports))
    for report in reports if args.output else []:
        folder = args.output / f"margin_{report.margin:g}" if len(reports) > 1 else args.output
        _write_pictures(crops, judged[report.margin], report, folder, card.temperature)
    figures = {"smallest_face": smallest, "left_out": crops.left_out}
    _write_json(args, figures | {"margins": [report.to_dict() for report in reports]})
    return 0


def _write_pictures(
    crops: Crops, probabilities: np.ndarray, report: CropReport, folder: Path, temperature: float
) -> None:
    from mask_detector.calibration import apply_temperature
    from mask_detector.crop_report import order_by_interest, tiles_of, write_verdicts
    from mask_detector.montage import draw_montage
    from mask_detector.plots import plot_confusion_matrix, plot_reliability

    labels = crops.labels
    uncalibrated = apply_temperature(probabilities, 1 / temperature)
    with writing(folder):
        plot_confusion_matrix(report.report, folder / "confusion_matrix.png", crops.root.name)
        path = folder / "reliability.png"
        plot_reliability(uncalibrated, probabilities, labels, path, crops.root.name)
    wrong, right = order_by_interest(probabilities, labels)
    for name, what, indices in (
        ("mistakes", "mistakes, the surest first", wrong),
        ("unsure", "right verdicts, the least sure first", right),
    ):
        shown = indices[:SHOWN]
        title = f"{len(shown)} of {len(indices)} {what}; {len(labels)} pictures judged"
        tiles = tiles_of(crops, probabilities, shown, report.margin)
        draw_montage(tiles, folder / f"{name}.png", title)
    write_verdicts(crops, probabilities, report.not_sure, folder / "verdicts.csv")
    print(f"wrote {folder}")


def _run_on_boxes(args: argparse.Namespace) -> int:
    from mask_detector.chain_evaluation import SMALL_SIDE, evaluate_chain, measure_offsets
    from mask_detector.chain_judging import Setting, annotated_photos, judge_photos
    from mask_detector.chain_report import chain_text, sweep_text

    _check_options(args)
    photos = annotated_photos(args.boxes, args.part, args.split_seed)
    classifier = open_classifier(args)
    settings = _settings(args, classifier.card.crop_margin)
    least = min(setting.confidence for setting in settings)
    detectors = {
        size: open_face_detector(args, least, size, is_adjusted=not args.raw_boxes)
        for size in args.detect_size
    }
    margins = list(dict.fromkeys(setting.margin for setting in settings))
    judged = judge_photos(photos, detectors, classifier, margins)
    if not args.sweep:
        report = evaluate_chain(judged, settings[0])
        print(chain_text(report, args.detector))
        _write_json(args, {"settings": [report.to_dict()]})
        return 0
    reports = [
        evaluate_chain(judged, setting, min_sides=(SMALL_SIDE,), resamples=0)
        for setting in settings
    ]
    offsets = {
        size: measure_offsets(judged, Setting(least, margins[0], size)) for size in detectors
    }
    print(sweep_text(reports, offsets))
    _write_json(
        args,
        {
            "settings": [report.to_dict() for report in reports],
            "box_offsets": {size: asdict(offset) for size, offset in offsets.items()},
        },
    )
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """Only a sweep tries several values."""
    for option in ("confidence", "margin", "detect_size"):
        values = getattr(args, option)
        if values and len(values) > 1 and not args.sweep:
            raise MaskDetectorError(
                f"--{option.replace('_', '-')} names {len(values)} values; expected one, or "
                f"--sweep to try them all"
            )


def _settings(args: argparse.Namespace, trained_margin: float) -> list[Setting]:
    """Every combination of what was asked for; without --sweep that is one."""
    from mask_detector.chain_judging import Setting

    confidences = SWEEP_CONFIDENCES if args.sweep else (DEFAULT_CONFIDENCES[args.detector],)
    margins = SWEEP_MARGINS if args.sweep else (trained_margin,)
    return [
        Setting(confidence, margin, size)
        for size, confidence, margin in itertools.product(
            args.detect_size, args.confidence or confidences, args.margin or margins
        )
    ]


def _write_json(args: argparse.Namespace, figures: dict[str, Any]) -> None:
    if args.json:
        options = {
            "dataset" if args.dataset else "boxes": str(args.dataset or args.boxes),
            "part": args.part,
            "split_seed": args.split_seed,
            "model": str(args.model),
        }
        if args.boxes:
            options["detector"] = args.detector
        with writing(args.json):
            args.json.write_text(json.dumps(options | figures, indent=1) + "\n")
