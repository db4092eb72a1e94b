"""What the verbs that judge faces have in common: their options, and the pipeline made of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mask_detector.commands.argument_types import (
    detect_size,
    fraction,
    list_of,
    number_pair,
    up_to,
    whole_number_from_0,
)
from mask_detector.engines import ENGINES, fastest_sibling
from mask_detector.errors import OptionError
from mask_detector.orientations import ALL_ORIENTATIONS
from mask_detector.types import LEAST_FACE_SIDE

if TYPE_CHECKING:
    from mask_detector.face_detectors import FaceDetector
    from mask_detector.mask_classifiers import MaskClassifier
    from mask_detector.pipeline import Pipeline
    from mask_detector.profiling import Profile

# Least score of a face unless the user says otherwise. The keys are those of
# face_detectors.DETECTORS, here so that asking for help does not load OpenCV.
DEFAULT_CONFIDENCES = {
    "ssd": 0.25, "ssd-opencv": 0.25, "yunet": 0.6, "mtcnn": 0.7, "haar": 0.0, "none": 0.0,
}  # fmt: skip
WHOLE_PICTURES = "none"  # the detector that takes each picture as it is
DETECTOR_NAMES = tuple(DEFAULT_CONFIDENCES)
LIVE_SSD_SIZE, _PHOTO_SSD_SIZE = 300, 400  # a camera does not wait, a photo does
_OTHER_SIZE = 640  # of yunet and mtcnn
WITH_PYRAMID = ("ssd", "ssd-opencv", "yunet")  # mtcnn and haar look at many sizes by themselves


def add_part_arguments(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add `--part` and `--split-seed`: which photos of a data set; `more` ends the help."""
    parser.add_argument(
        "--part",
        choices=("all", "train", "val", "test"),
        default="all",
        help="which photos: all, or a part of the split that the training makes" + more,
    )
    parser.add_argument(
        "--split-seed",
        type=whole_number_from_0,
        default=42,
        help="the training's --split-seed, for --part",
    )


def add_face_argument(
    parser: argparse.ArgumentParser,
    text: str = "folder of the face detector's weights; they are put there on first use",
) -> None:
    """Add `--face`, the folder of the face detector."""
    parser.add_argument("-f", "--face", type=Path, default=Path("face_detector"), help=text)


def add_model_arguments(parser: argparse.ArgumentParser, *, looks_inside: bool = False) -> None:
    """Add the classifier's file, and what an old one does not say of itself."""
    kinds = (
        ".keras, or an old .h5 or .model file; exports such as .tflite have no gradients"
        if looks_inside
        else ".keras, .tflite (quicker, and without TensorFlow), .onnx (with onnxruntime), or an "
        "old .h5 or .model file"
    )
    parser.add_argument(
        "-m",
        "--model",
        type=Path,
        default=Path("models/mask_detector.keras"),
        help=f"the classifier: {kinds}",
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
    parser.add_argument(
        "--orientations",
        type=up_to(ALL_ORIENTATIONS),
        metavar="N",
        help="judge each picture in this many orientations and average: 4 quarter turns, 8 with "
        "each mirrored; takes so many times as long, and is for things that lie any way up, not "
        "for faces (default: as the model was trained for)",
    )


def add_judging_arguments(
    parser: argparse.ArgumentParser,
    *,
    several: bool = False,
    looks_inside: bool = False,
    is_live: bool = False,
) -> None:
    """Add the options of detector and classifier.

    Args:
        parser: where to.
        several: for measuring; `--confidence` and `--detect-size` take lists, `0.2,0.4`, and the
            very file that is given is judged: there is no `--engine`.
        looks_inside: the model itself is needed, layer by layer: there is no `--engine`, and no
            face is too small.
        is_live: for frames that do not wait: the detector looks once, and the SSD at fewer pixels.
    """
    wrap = list_of if several else (lambda value_type: value_type)
    add_model_arguments(parser, looks_inside=looks_inside)
    ssd_size = LIVE_SSD_SIZE if is_live else _PHOTO_SSD_SIZE
    parser.set_defaults(engine="", ssd_size=ssd_size)
    if not several and not looks_inside:
        parser.add_argument(
            "--engine",
            choices=ENGINES,
            default="auto",
            help="what runs the classifier. litert: the quickest sound .tflite beside the model, "
            "made from it by `export`; keras: the model itself, with TensorFlow; auto: litert "
            "where there is such a file",
        )
        parser.add_argument(
            "--min-face",
            type=whole_number_from_0,
            default=LEAST_FACE_SIDE,
            metavar="PIXELS",
            help="shorter side of a face that is judged; a smaller one, or one cut off by the "
            "picture's edge, is 'not sure'",
        )
    add_face_argument(parser)
    parser.add_argument(
        "-c",
        "--confidence",
        type=wrap(fraction),
        help="least score of a detected face, 0-1; lower finds more faces and more that are none "
        f"(default: {_default_confidences()}; haar and none take none)",
    )
    parser.add_argument(
        "--detector",
        choices=DETECTOR_NAMES,
        default="ssd",
        help="ssd: OpenCV's Caffe network, run by LiteRT in the shapes that `prepare` has built; "
        "ssd-opencv: by OpenCV; yunet: OpenCV's newer one, which finds smaller faces; "
        "mtcnn: the package of that name (pip install mtcnn), many times slower; haar: the older "
        "cascade, which needs no weights but is slower, sees frontal faces only and finds fewer of "
        "them; none: whole pictures are judged, by a model that was trained on such (castings on a "
        "belt), each frame of a video by itself",
    )
    parser.add_argument(
        "--detect-size",
        type=wrap(detect_size),
        default="0",
        metavar="PIXELS",
        help="how large the detector sees the picture: the longer side for yunet and mtcnn; ssd "
        "sees as many pixels as a square of this side has, several times faster once `prepare "
        "--detect-size PIXELS` has built it for that many; twice the size finds faces half as "
        f"large and takes four times as long; 0 is the detector's own size: ssd {ssd_size}, yunet "
        f"and mtcnn {_OTHER_SIZE}",
    )
    parser.add_argument(
        "--pyramid",
        action=argparse.BooleanOptionalAction,
        default=not is_live,
        help="ssd and yunet look at half and at twice the size, too: they find more faces, small "
        "ones and ones that fill the picture, and draw more boxes around none, in five times the "
        f"time (default: {'no' if is_live else 'yes'})",
    )


def _default_confidences() -> str:
    return ", ".join(f"{name} {least}" for name, least in DEFAULT_CONFIDENCES.items() if least)


def check_blurring(args: argparse.Namespace) -> None:
    """Refuse to blur where nothing says what.

    Raises:
        MaskDetectorError: `--blur` with whole pictures.
    """
    if args.blur and args.detector == WHOLE_PICTURES:
        raise OptionError(
            "--detector none looks for no faces, so that --blur would blur whole pictures; leave "
            "one of them out"
        )


def open_pipeline(args: argparse.Namespace, profile: Profile | None = None) -> Pipeline:
    """Load detector and classifier as the options say; a profile measures their work.

    Raises:
        MaskDetectorError: one of them can't be had.
    """
    from mask_detector.pipeline import Pipeline
    from mask_detector.profiling import NO_PROFILE

    return Pipeline(
        open_face_detector(args, args.confidence, args.detect_size),
        open_classifier(args),
        least_side=args.min_face,
        profile=profile or NO_PROFILE,
    )


def open_face_detector(
    args: argparse.Namespace,
    confidence: float | None,
    detect_size: int,
    *,
    is_adjusted: bool = True,
) -> FaceDetector:
    """Open the detector that the options name; without a confidence it takes its default."""
    from mask_detector.assets import face_folder
    from mask_detector.face_detectors import open_detector
    from mask_detector.pyramid import open_pyramid

    _check_detector(args)
    how = {
        "folder": face_folder(args.face),
        "confidence": DEFAULT_CONFIDENCES[args.detector] if confidence is None else confidence,
        "detect_size": used_detect_size(args, detect_size),
    }
    if looks_at_pyramid(args, is_adjusted=is_adjusted):
        return open_pyramid(args.detector, **how)
    return open_detector(args.detector, **how, is_adjusted=is_adjusted)


def _check_detector(args: argparse.Namespace) -> None:
    """Refuse what a detector would pass over without a word.

    Raises:
        OptionError: a score or a size for one that knows neither.
    """
    if DEFAULT_CONFIDENCES[args.detector]:
        return
    sizes = args.detect_size if isinstance(args.detect_size, list) else [args.detect_size]
    given = {"--confidence": args.confidence is not None, "--detect-size": any(sizes)}
    if named := [option for option, is_given in given.items() if is_given]:
        raise OptionError(
            f"{' and '.join(named)}: --detector {args.detector} knows no such thing; leave it out"
        )


def looks_at_pyramid(args: argparse.Namespace, *, is_adjusted: bool = True) -> bool:
    """Whether the detector that the options name looks at a picture in several sizes."""
    return args.pyramid and is_adjusted and args.detector in WITH_PYRAMID


def used_detect_size(args: argparse.Namespace, detect_size: int) -> int:
    """The pixels of a `--detect-size`, for whose 0 the detector's own size stands."""
    return detect_size or (args.ssd_size if args.detector.startswith("ssd") else _OTHER_SIZE)


def open_classifier(args: argparse.Namespace) -> MaskClassifier:
    """Load the model that the options name, or the LiteRT file that stands in for it."""
    from mask_detector.assets import find_file
    from mask_detector.mask_classifiers import load_classifier

    path = find_file(args.model)
    return load_classifier(
        fastest_sibling(path, args.engine) if args.engine else path,
        **how_to_read(args),
    )


def how_to_read(args: argparse.Namespace) -> dict[str, Any]:
    """What the options say of a model, for `load_classifier` and `load_network`."""
    return {
        "class_names": class_names_of(args.classes),
        "input_range": args.input_range,
        "orientations": args.orientations or 0,
    }


def class_names_of(text: str | None) -> tuple[str, ...] | None:
    """Read `--classes A,B,...`; None where it is not given.

    Raises:
        OptionError: a name stands there twice, or is empty.
    """
    names = tuple(name.strip() for name in text.split(",")) if text else None
    if names and not all(names):
        raise OptionError(f"--classes {text}: a name is missing between two commas, or at an end")
    if names and len(set(names)) != len(names):
        raise OptionError(f"--classes {text} names a class twice")
    return names
