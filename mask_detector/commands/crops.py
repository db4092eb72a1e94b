"""`crops --boxes DIR --output DIR`: training folders out of photos with marked faces."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.commands.argument_types import fraction, whole_number
from mask_detector.errors import MaskDetectorError
from mask_detector.types import DEFAULT_CROP_MARGIN, LEAST_FACE_SIDE
from mask_detector.wording import counted

if TYPE_CHECKING:
    from mask_detector.annotations.cutting_out import CutResult

HELP = "cut marked faces out of photos, into one folder per class to train on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--boxes",
        type=Path,
        required=True,
        metavar="DIR",
        help="photos whose faces are boxed and labelled, in the files of PASCAL VOC, COCO or YOLO; "
        "found out by itself",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="where to: DIR/CLASS/PHOTO_faceNofM.png, or DIR/train/CLASS/... where the photos "
        "have given splits; a file that is there stays as it is",
    )
    parser.add_argument(
        "--margin",
        type=fraction,
        default=DEFAULT_CROP_MARGIN,
        metavar="PART",
        help="how far a picture reaches beyond its box, as a part of the box per side; the default "
        "is what `video` shows the classifier, less cuts hair and chin off",
    )
    parser.add_argument(
        "--smallest-face",
        type=whole_number,
        default=LEAST_FACE_SIDE,
        metavar="PIXELS",
        help="leave out faces whose shorter side is less; they hardly show a mask to a person",
    )
    parser.add_argument(
        "--format",
        choices=("png", "jpg"),
        default="png",
        help="png keeps every pixel; jpg (quality 95) takes about a fifth of the space",
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.annotations.cutting_out import CutOptions, cut_out_faces
    from mask_detector.annotations.formats import read_boxes

    photos = read_boxes(args.boxes)
    if not any(photo.faces for photo in photos):
        listed = counted(len(photos), "photo")
        raise MaskDetectorError(f"{args.boxes} lists {listed}, and no face in any")
    options = CutOptions(args.margin, args.smallest_face, args.format)
    result = cut_out_faces(photos, args.output, options)
    print("\n".join(_lines(result, args)))
    if not result.written and not result.present:
        raise MaskDetectorError(f"no face of {args.boxes} was cut out; see why above")
    return 0


def _lines(result: CutResult, args: argparse.Namespace) -> list[str]:
    lines = [f"{name}: {counted(n, 'face')}" for name, n in sorted(result.written.items())]
    lines.append(f"{counted(result.written.total(), 'picture')} written to {args.output}")
    if result.present:
        lines.append(f"{result.present} were there before and are left as they are")
    if result.too_small:
        small = counted(result.too_small, "face")
        lines.append(f"{small} left out: smaller than {args.smallest_face} pixels")
    if result.unreadable:
        lines.append(f"{counted(result.unreadable, 'photo')} left out: can't be read")
    return lines
