"""`evaluate`: how right the classifier is, alone or together with the face detector.

`--dataset DIR` judges labelled pictures as they are; `--boxes DIR` goes the whole way, photo ->
face detector -> crop -> verdict.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from mask_detector.commands.argument_types import fraction, list_of
from mask_detector.commands.cropping import add_crop_argument
from mask_detector.commands.evaluating import evaluate_dataset
from mask_detector.commands.evaluating_chain import evaluate_boxes
from mask_detector.commands.shared import add_judging_arguments, add_part_arguments
from mask_detector.errors import MaskDetectorError, OptionError, writing
from mask_detector.types import SMALLEST_SIDE

HELP = "measure the classifier alone, or with the detector on photos with annotated faces"

STANDARD_OUTPUT = Path("-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--boxes",
        type=Path,
        metavar="DIR",
        help="detector and classifier together: photos whose faces are boxed and labelled by "
        "PASCAL VOC, COCO or YOLO files",
    )
    what.add_argument(
        "--dataset",
        type=Path,
        metavar="DIR",
        help="the classifier alone: a folder of face crops per class (one class will do), or "
        "photos as for --boxes, whose marked faces are cut out",
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
        "the SSD sees the picture once, stretched to a square, as in tutorials",
    )
    add_crop_argument(parser)
    add_part_arguments(parser)
    parser.add_argument(
        "--json",
        type=Path,
        nargs="?",
        const=STANDARD_OUTPUT,
        metavar="FILE",
        help="every figure as one object, to this file; without a FILE to standard output, and "
        "the text to standard error",
    )
    parser.add_argument(
        "--smallest-face",
        type=int,
        metavar="PIXELS",
        help="with --dataset: leave out marked faces whose shorter side is less "
        f"(default: {SMALLEST_SIDE}, as the training does)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="write the confusion matrix, the reliability, ROC and precision-recall curves there "
        "as PNG; with --dataset also the surest mistakes, the least sure right verdicts, and every "
        "verdict as CSV, with several margins into a folder for each; with --boxes also the boxes "
        "around no marked face and the faces that were not found, as PNG and CSV",
    )


def run(args: argparse.Namespace) -> int:
    _check_way(args)
    is_shown = args.json == STANDARD_OUTPUT
    with contextlib.redirect_stdout(sys.stderr) if is_shown else contextlib.nullcontext():
        figures = evaluate_dataset(args) if args.dataset else evaluate_boxes(args)
    if args.json:
        _write_json(args, figures)
    return 0


def _check_way(args: argparse.Namespace) -> None:
    """Say what is wrong now, not after minutes of work; refuse options that would do nothing."""
    way, other = ("dataset", "boxes") if args.dataset else ("boxes", "dataset")
    if args.dataset:
        foreign = {
            "--sweep": args.sweep,
            "--confidence": args.confidence,
            "--raw-boxes": args.raw_boxes,
            "--detector": args.detector != "ssd",
            "--detect-size": any(args.detect_size),
            "--no-pyramid": not args.pyramid,
        }
    else:
        foreign = {"--smallest-face": args.smallest_face, "--crop": args.crop != "none"}
    for option, is_given in foreign.items():
        if is_given:
            raise OptionError(f"{option} goes with --{other}, not with --{way}; leave it out")
    if args.output:
        with writing(args.output):
            args.output.mkdir(parents=True, exist_ok=True)
    if args.json and not args.json.parent.is_dir():
        raise MaskDetectorError(f"--json {args.json}: there is no folder {args.json.parent}")


def _write_json(args: argparse.Namespace, figures: dict[str, Any]) -> None:
    options = {
        "dataset" if args.dataset else "boxes": str(args.dataset or args.boxes),
        "part": args.part,
        "split_seed": args.split_seed,
        "model": str(args.model),
    }
    if args.boxes:
        options["detector"] = args.detector
    text = json.dumps(options | figures, indent=1)
    if args.json == STANDARD_OUTPUT:
        print(text)
        return
    with writing(args.json):
        args.json.write_text(text + "\n")
