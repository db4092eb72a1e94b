"""What `evaluate --boxes` does: the whole way, photo -> face detector -> crop -> verdict."""

from __future__ import annotations

import argparse
import itertools
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mask_detector.commands.shared import (
    DEFAULT_CONFIDENCES,
    WHOLE_PICTURES,
    looks_at_pyramid,
    open_classifier,
    open_face_detector,
)
from mask_detector.errors import OptionError

if TYPE_CHECKING:
    from mask_detector.chain.judging import JudgedPhotos, Setting
    from mask_detector.types import ModelCard

SWEEP_CONFIDENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SWEEP_MARGINS = (0.0, 0.1, 0.2, 0.3, 0.4)
_DISAGREEMENT_IOU = 0.4  # overlap from which a box is around a marked face
_VERDICT_IOU = 0.5  # overlap from which a box has found a face, for the verdicts' summary


def evaluate_boxes(args: argparse.Namespace) -> dict[str, Any]:
    """Search and judge, print the text, write the pictures; return every figure.

    Without --sweep the summary of the verdicts on the found faces stands at the top.
    """
    from mask_detector.chain.judging import annotated_photos, judge_photos

    _check_options(args)
    classifier = open_classifier(args)
    model_classes = classifier.card.class_names
    photos = annotated_photos(args.boxes, args.part, args.split_seed, model_classes)
    settings = _settings(args, classifier.card.crop_margin)
    least = min(setting.confidence for setting in settings)
    detectors = {
        size: open_face_detector(args, least, size, is_adjusted=not args.raw_boxes)
        for size in args.detect_size
    }
    margins = list(dict.fromkeys(setting.margin for setting in settings))
    judged = judge_photos(photos, detectors, classifier, margins)
    is_pyramid = looks_at_pyramid(args, is_adjusted=not args.raw_boxes)
    if args.sweep:
        figures = _sweep(judged, settings)
    else:
        detector_name = f"{args.detector} (pyramid)" if is_pyramid else args.detector
        figures = _one_setting(args, judged, settings[0], classifier.card, detector_name)
    return {**figures, "pyramid": is_pyramid}


def _one_setting(
    args: argparse.Namespace,
    judged: JudgedPhotos,
    setting: Setting,
    card: ModelCard,
    detector_name: str,
) -> dict[str, Any]:
    from mask_detector.chain.disagreements import find_disagreements, write_disagreements
    from mask_detector.chain.evaluation import evaluate_chain, found_verdicts
    from mask_detector.chain.report import chain_text
    from mask_detector.evaluation_pictures import draw_evaluation
    from mask_detector.evaluation_summary import summary_of_verdicts

    report = evaluate_chain(judged, setting)
    found = found_verdicts(judged, setting, _VERDICT_IOU)
    summary = summary_of_verdicts(found.probabilities, found.labels, card.class_names, found.groups)
    print(chain_text(report, detector_name))
    print(_summary_text(summary))
    if args.output:
        disagreements = find_disagreements(judged, setting, _DISAGREEMENT_IOU)
        write_disagreements(disagreements, judged, setting, args.output)
        if len(found.labels):
            title = f"{args.boxes.resolve().name}, faces found"
            draw_evaluation(found.probabilities, found.labels, card, args.output, title)
        print(f"wrote {args.output}")
    return {**summary, "settings": [report.to_dict()]}


def _summary_text(summary: dict[str, Any]) -> str:
    if not summary["n"]:
        return f"no verdict to sum up: no face was found at IoU {_VERDICT_IOU}"
    rows = [
        f"{name}: precision {score['precision']:.3f}, recall {score['recall']:.3f}, F1 "
        f"{score['f1']:.3f}, ROC area {_number(score['roc_area'])}, average precision "
        f"{_number(score['average_precision'])}"
        for name, score in summary["per_class"].items()
    ]
    low, high = summary["accuracy_interval"]
    return "\n".join([
        "",
        f"verdicts on the {summary['n']} faces found, IoU {_VERDICT_IOU}: accuracy "
        f"{summary['accuracy']:.3f} ({low:.3f}-{high:.3f}), calibration error "
        f"{summary['calibration_error']:.3f}",
        *rows,
    ])  # fmt: skip


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _sweep(judged: JudgedPhotos, settings: list[Setting]) -> dict[str, Any]:
    from mask_detector.chain.evaluation import SMALL_SIDE, evaluate_chain, measure_offsets
    from mask_detector.chain.judging import Setting
    from mask_detector.chain.report import sweep_text

    reports = [
        evaluate_chain(judged, setting, min_sides=(SMALL_SIDE,), resamples=0)
        for setting in settings
    ]
    least = min(setting.confidence for setting in settings)
    sizes = dict.fromkeys(setting.detect_size for setting in settings)
    offsets = {
        size: measure_offsets(judged, Setting(least, settings[0].margin, size)) for size in sizes
    }
    print(sweep_text(reports, offsets))
    return {
        "settings": [report.to_dict() for report in reports],
        "box_offsets": {size: asdict(offset) for size, offset in offsets.items()},
    }


def _check_options(args: argparse.Namespace) -> None:
    """Only a sweep tries several values; boxes are for a detector to find."""
    if args.detector == WHOLE_PICTURES:
        raise OptionError(
            "--boxes measures how a detector finds faces, and --detector none looks for none; "
            "judge whole pictures, or the marked faces, with --dataset"
        )
    if args.sweep and args.output:
        raise OptionError("--output shows one setting, and --sweep tries many; leave one out")
    for option in ("confidence", "margin", "detect_size"):
        values = getattr(args, option)
        if values and len(values) > 1 and not args.sweep:
            raise OptionError(
                f"--{option.replace('_', '-')} names {len(values)} values; expected one, or "
                f"--sweep to try them all"
            )


def _settings(args: argparse.Namespace, trained_margin: float) -> list[Setting]:
    """Every combination of what was asked for; without --sweep that is one."""
    from mask_detector.chain.judging import Setting

    confidences = SWEEP_CONFIDENCES if args.sweep else (DEFAULT_CONFIDENCES[args.detector],)
    margins = SWEEP_MARGINS if args.sweep else (trained_margin,)
    return [
        Setting(confidence, margin, size)
        for size, confidence, margin in itertools.product(
            args.detect_size, args.confidence or confidences, args.margin or margins
        )
    ]
