"""What the verbs that judge faces have in common: their options, and the pipeline made of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.errors import MaskDetectorError

if TYPE_CHECKING:
    from mask_detector.pipeline import Pipeline

DETECTOR_NAMES = ("ssd", "haar")  # the keys of face_detectors.DETECTORS, without loading OpenCV


def fraction(text: str) -> float:
    """An argparse type: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to 1")
    return value


def number_pair(text: str) -> tuple[float, float]:
    """An argparse type: two numbers, `-1,1`."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected two numbers, as in -1,1") from None
    return low, high


def add_judging_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-m",
        "--model",
        type=Path,
        default=Path("models/mask_detector.keras"),
        help="the classifier: .keras, or an old .h5 or .model file",
    )
    parser.add_argument(
        "-f",
        "--face",
        type=Path,
        default=Path("face_detector"),
        help="folder of the face detector's weights; they are put there on first use",
    )
    parser.add_argument(
        "-c",
        "--confidence",
        type=fraction,
        default=0.5,
        help="least score of a detected face, 0-1; lower finds more faces and "
        "more that are none (ssd only)",
    )
    parser.add_argument(
        "--detector",
        choices=DETECTOR_NAMES,
        default="ssd",
        help="ssd: OpenCV's Caffe network; haar: the older cascade, which needs no weights but is "
        "slower, sees frontal faces only and finds fewer of them",
    )
    parser.add_argument(
        "--classes",
        metavar="A,B,...",
        help="names of the outputs, in order, of an old model that does not carry them",
    )
    parser.add_argument(
        "--input-range",
        type=number_pair,
        metavar="LOW,HIGH",
        default="-1,1",
        help="what an old model wants pixels scaled to; write --input-range=0,1 "
        "for most plain CNNs",
    )


def open_pipeline(args: argparse.Namespace) -> Pipeline:
    """Load detector and classifier as the options say.

    Raises:
        MaskDetectorError: one of them can't be had.
    """
    from mask_detector.assets import face_folder, find_file
    from mask_detector.face_detectors import open_detector
    from mask_detector.mask_classifiers import load_classifier
    from mask_detector.pipeline import Pipeline

    class_names = tuple(name.strip() for name in args.classes.split(",")) if args.classes else None
    if class_names and len(set(class_names)) != len(class_names):
        raise MaskDetectorError(f"--classes {args.classes} names a class twice")
    detector = open_detector(
        args.detector, folder=face_folder(args.face), confidence=args.confidence
    )
    classifier = load_classifier(
        find_file(args.model), class_names=class_names, input_range=args.input_range
    )
    return Pipeline(detector, classifier)
