"""`synthesize DIR`: masks drawn on photos of bare faces, to train with."""

from __future__ import annotations

import argparse
from pathlib import Path

from mask_detector.commands.argument_types import fraction, some_of
from mask_detector.commands.shared import add_face_argument
from mask_detector.errors import MaskDetectorError, OptionError
from mask_detector.labels import Meaning, meaning_of
from mask_detector.wording import counted

HELP = "draw masks on photos of bare faces: more pictures to train with, never to judge by"

STYLES = ("surgical", "cloth", "ffp2", "duckbill", "patterned")  # drawn_masks.STYLES; see shared.py
_NEW_FOLDERS = {Meaning.COMPLIANT: "with_mask", Meaning.WRONG: "mask_worn_wrongly"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "photos", type=Path, metavar="DIR", help="photos of bare faces, as a class folder holds"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("drawn_masks"),
        metavar="DIR",
        help="data set that the pictures are added to: to its folder that means 'with mask', and "
        "those worn under the nose to the one that means 'worn wrongly'; made where missing. As a "
        "folder of its own it is one more --dataset for `train`. Files are called "
        "drawn_mask_STYLE_PHOTO.jpg: by this name they only ever train, and not where their photo "
        "is held out. A file that is there stays as it is",
    )
    parser.add_argument(
        "--styles",
        type=some_of(STYLES),
        default=",".join(STYLES),
        metavar="A,B,...",
        help="forms of masks, one by lot for each photo",
    )
    parser.add_argument(
        "--under-nose",
        type=fraction,
        default=0.0,
        metavar="SHARE",
        help="part of the photos whose masks leave the nose out; with a model of two classes leave "
        "it 0",
    )
    parser.add_argument(
        "--seed", type=int, default=42, help="the same seed draws the same mask on the same photo"
    )
    add_face_argument(
        parser,
        "folder of the face detectors' weights. YuNet's five points turn a mask as the head is "
        "turned; without its weights the SSD's boxes serve, for upright and frontal heads",
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.assets import face_folder
    from mask_detector.capture.stills import photos_in
    from mask_detector.synthesis.drawn_sets import DrawOptions, draw_on_folder
    from mask_detector.synthesis.face_landmarks import open_head_finder

    if args.seed < 0:
        raise OptionError(f"--seed {args.seed}: expected 0 or more")
    if not args.photos.is_dir():
        raise MaskDetectorError(f"no folder {args.photos}: expected photos of bare faces")
    folder_of = {
        is_under_nose: _folder(args.output, meaning)
        for is_under_nose, meaning in ((False, Meaning.COMPLIANT), (True, Meaning.WRONG))
    }
    photos = photos_in(args.photos)
    finder = open_head_finder(face_folder(args.face))
    options = DrawOptions(tuple(args.styles), args.under_nose, args.seed)
    result = draw_on_folder(photos, folder_of, finder, options)
    for look, count in sorted(result.written.items()):
        print(f"{look}: {count}")
    print(f"{counted(result.written.total(), 'picture')} written below {args.output}")
    if result.present:
        print(f"{result.present} were there before and are left as they are")
    if result.faceless:
        print(f"{counted(result.faceless, 'photo')} left out: no face found")
    if result.unreadable:
        print(f"{counted(result.unreadable, 'file')} left out: can't be read")
    if result.faceless == len(photos):
        raise MaskDetectorError(f"no face found in any photo of {args.photos}")
    return 0


def _folder(output: Path, meaning: Meaning) -> Path:
    """The class folder of that meaning, whatever its spelling, or a new one."""
    there = sorted(output.iterdir()) if output.is_dir() else []
    alike = [path for path in there if path.is_dir() and meaning_of(path.name) is meaning]
    if len(alike) > 1:
        raise MaskDetectorError(
            f"{output} has several folders that mean '{meaning.value}': "
            f"{', '.join(path.name for path in alike)}; name another --output"
        )
    return alike[0] if alike else output / _NEW_FOLDERS[meaning]
