"""Cut faces out of folders of photos, for the verbs that train on such and judge them."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.errors import OptionError

if TYPE_CHECKING:
    from mask_detector.crop_evaluation import Crops
    from mask_detector.training_data import TrainingData


def add_crop_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--crop`, of verbs that judge folders of photos."""
    parser.add_argument(
        "--crop",
        choices=("none", "faces"),
        default="none",
        help="none: judge photos as they are, as a folder of face crops wants it; faces: cut the "
        "face out of each photo in which the detector sees one alone, as the training does with "
        "photos of masks",
    )


def judged_crops(args: argparse.Namespace, crops: Crops) -> Crops:
    """The pictures to judge, cut out where `--crop` says so.

    Raises:
        OptionError: faces shall be sought where they are marked, or a margin goes around whole
            photos.
    """
    from mask_detector.assets import face_folder
    from mask_detector.crop_evaluation import with_faces_cut_out
    from mask_detector.face_crops import open_training_detector

    if args.crop == "faces":
        if crops.is_marked:
            raise OptionError(
                f"--crop faces seeks faces, and those of {args.dataset} are marked; leave it out"
            )
        folder = face_folder(args.face)
        crops = with_faces_cut_out(crops, lambda: open_training_detector(folder))
    if args.margin is not None and not crops.is_marked:
        raise OptionError(
            f"--margin is for faces that are cut out, and the photos of {args.dataset} are judged "
            f"whole; leave it out, or see --crop faces"
        )
    return crops


def with_face_crops(data: TrainingData, crop: str, face: Path) -> TrainingData:
    """Add to a data set the faces that the detector sees in its photos, where the training does so.

    Args:
        data: what was gathered.
        crop: `TrainingOptions.crop`.
        face: folder of the detector's weights.
    """
    from mask_detector.assets import face_folder
    from mask_detector.face_crops import add_face_crops, open_training_detector

    if crop != "faces" and not (crop == "auto" and data.speaks_of_masks):
        return data
    folder = face_folder(face)
    splits = add_face_crops(data.splits, lambda: open_training_detector(folder))
    return dataclasses.replace(data, splits=splits)
