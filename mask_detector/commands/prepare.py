"""`prepare`: build the face detector's network anew for LiteRT, which runs it much faster."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.commands.argument_types import detect_size
from mask_detector.commands.shared import add_face_argument
from mask_detector.errors import MaskDetectorError

if TYPE_CHECKING:
    import numpy as np

    from mask_detector.ssd.file import SsdFile
    from mask_detector.ssd.preparation import RunParity, SsdMaker
    from mask_detector.ssd.scenes import JudgedPictures

HELP = "build the face detector's network anew for LiteRT, several times faster than OpenCV's run"
_SHOWN_COUNT = 48  # scenes that show int8 the range of numbers
_JUDGED_COUNT = 250  # photos, or scenes where there are none, that both runs look at


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_face_argument(parser, "folder of the Caffe network; what is built is put there too")
    parser.add_argument(
        "--detect-size",
        type=detect_size,
        nargs="+",
        default=[300],
        metavar="PIXELS",
        help="how much the detector is to see, as in `video` and `image`: as many pixels as a "
        "square of this side; 0 is its own for photos, 400",
    )
    parser.add_argument(
        "--every-shape",
        action="store_true",
        help="also for upright and square pictures; without it for 4:3 and 16:9, which cameras "
        "give, and OpenCV's run serves the rest",
    )
    parser.add_argument(
        "--format",
        choices=("auto", "int8", "float32"),
        default="auto",
        help="int8: eight bits per number, fastest; float32: OpenCV's very boxes; auto: int8, or "
        "float32 if int8 finds too few of the boxes or too many others",
    )
    parser.add_argument(
        "--photos",
        type=Path,
        metavar="DIR",
        help="photos on which the two runs are compared (default: scenes made of a portrait)",
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.assets import face_folder, find_file, provide_ssd
    from mask_detector.demo import portrait
    from mask_detector.quiet import load_tensorflow
    from mask_detector.ssd.by_shape import SsdByShape
    from mask_detector.ssd.opencv import SsdDetector
    from mask_detector.ssd.preparation import MOST_DIFFERENCE, SsdMaker
    from mask_detector.ssd.scenes import JudgedPictures, made_up_scenes
    from mask_detector.ssd.shapes import ASPECTS, LIVE_ASPECTS, shape_of

    photos = find_file(args.photos) if args.photos else None
    folder = face_folder(args.face)
    prototxt, weights = provide_ssd(folder)
    (box,) = SsdDetector(prototxt, weights, 0.5).detect(portrait())
    judged = JudgedPictures(photos, box, _JUDGED_COUNT)
    try:
        load_tensorflow()
    except ImportError as error:
        raise MaskDetectorError(
            f"TensorFlow, which converts the network, can't be loaded ({error}); OpenCV goes on "
            f"running the face detector. For the faster run: pip install -r requirements.txt"
        ) from error
    shown = list(made_up_scenes(box, _SHOWN_COUNT, seed=1))
    sides = [side or SsdByShape.DETECT_SIZE for side in args.detect_size]
    aspects = ASPECTS if args.every_shape else LIVE_ASPECTS
    for width, height in dict.fromkeys(shape_of(a, side) for side in sides for a in aspects):
        print(f"building the face detector of {width}x{height} pixels ...")
        maker = SsdMaker(prototxt, weights, (width, height), judged.probes)
        print(
            f"float32: raw numbers are OpenCV's within {maker.largest_difference:.1e} "
            f"(at most {MOST_DIFFERENCE:g}; {len(judged.probes)} pictures)"
        )
        _keep(_best(maker, args.format, shown, judged), folder)
    return 0


def _keep(file: SsdFile, folder: Path) -> None:
    """Write the file; it is the only one of its size, for of two the int8 one would be used."""
    from mask_detector.ssd.file import NUMBER_FORMATS, ssd_path, write_ssd

    record, path = file.record, write_ssd(file, folder)
    for number_format in NUMBER_FORMATS:
        if number_format != record.number_format:
            other = ssd_path(folder, record.height, record.width, number_format)
            other.unlink(missing_ok=True)
    print(f"saved {path} ({path.stat().st_size / 1e6:.1f} MB)")


def _best(
    maker: SsdMaker, number_format: str, shown: list[np.ndarray], judged: JudgedPictures
) -> SsdFile:
    """Make the file of the format wanted, and print what it finds.

    Raises:
        MaskDetectorError: int8 is wanted, and is outside its bounds.
    """
    from mask_detector.ssd.litert import LiteRtSsdDetector
    from mask_detector.ssd.preparation import CONFIDENCE, LEAST_FOUND, MOST_EXTRA, compare_runs

    def measured(file: SsdFile) -> RunParity:
        return compare_runs(maker.opencv, LiteRtSsdDetector(file, CONFIDENCE), judged)

    if number_format == "float32":
        print(_table(measured(maker.float32), "float32", judged))
        return maker.float32
    int8 = maker.int8(shown)
    parity = measured(int8)
    if not parity.box_count:
        raise MaskDetectorError(
            f"OpenCV's run finds no face in {parity.photo_count} {judged.name}; expected photos "
            f"with faces, for something to compare"
        )
    print(_table(parity, "int8", judged))
    if parity.is_within_bounds:
        return int8
    problem = (
        f"int8 is outside its bounds: at least {LEAST_FOUND:.0%} found and at most "
        f"{MOST_EXTRA:.0%} more"
    )
    if number_format == "int8":
        raise MaskDetectorError(f"{problem}; it is not written. Try --format float32")
    print(f"{problem}; float32 is kept instead")
    print(_table(measured(maker.float32), "float32", judged))
    return maker.float32


def _table(parity: RunParity, number_format: str, judged: JudgedPictures) -> str:
    from mask_detector.ssd.preparation import CONFIDENCE

    opencv_ms, litert_ms = parity.milliseconds
    boxes = max(1, parity.box_count)
    return "\n".join(
        [
            f"{parity.photo_count} {judged.name}, boxes that score {CONFIDENCE:g} or more",
            f"{'':10}{'boxes':>7}{'found':>9}{'more':>9}{'ms per photo':>15}",
            f"{'opencv':10}{parity.box_count:>7}{'':18}{opencv_ms:>15.1f}",
            f"{number_format:10}{parity.found + parity.extra:>7}{parity.found / boxes:>9.2%}"
            f"{parity.extra / boxes:>9.2%}{litert_ms:>15.1f}",
        ]
    )
