"""Cut the faces that people boxed out of their photos: one folder of pictures per class.

result = cut_out_faces(read_boxes(Path("streets")), Path("faces"))
result.written  # {"with_mask": 1574, ...}
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mask_detector.errors import DatasetError, UnreadableImageError
from mask_detector.images import crop_face, read_image, write_picture
from mask_detector.photo_names import face_name
from mask_detector.types import DEFAULT_CROP_MARGIN, LEAST_FACE_SIDE, LabelledBox, ListedPhoto

logger = logging.getLogger(__name__)

_ENCODINGS = {".png": [], ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95]}
PICTURE_FORMATS = tuple(suffix.removeprefix(".") for suffix in _ENCODINGS)


@dataclass(frozen=True)
class CutOptions:
    """How faces are cut out."""

    margin: float = DEFAULT_CROP_MARGIN  # beyond the box, as a fraction of it per side
    least_side: int = LEAST_FACE_SIDE  # pixels of the shorter side; smaller faces are left out
    picture_format: str = "png"  # see `PICTURE_FORMATS`


@dataclass
class CutResult:
    """How many faces became pictures, and why others did not."""

    written: Counter[str] = field(default_factory=Counter)  # by class
    present: int = 0  # files that were there before, and were left as they are
    too_small: int = 0
    unreadable: int = 0  # photos


def cut_out_faces(
    photos: Sequence[ListedPhoto],
    output: Path,
    options: CutOptions | None = None,
) -> CutResult:
    """Write each face to `output/CLASS`, or where the photos have splits to `output/SPLIT/CLASS`.

    No file is ever written over, so that the same call goes on where one was stopped.

    Args:
        photos: with their marked faces.
        output: folder of the pictures; made where it is missing.
        options: how they are cut out.

    Raises:
        DatasetError: two photos of one name, or a class whose name can't be a folder's.
        MaskDetectorError: a picture can't be written.
    """
    options = options or CutOptions()
    targets = _targets(photos, output, options)
    result = CutResult()
    for photo in tqdm(photos, "cutting out", unit="photo", disable=None):
        try:
            image_rgb = read_image(photo.path) if photo.faces else None
        except UnreadableImageError as error:
            logger.warning("left out: %s", error)
            result.unreadable += 1
            continue
        for number, face in enumerate(photo.faces):
            _cut_out(image_rgb, face, targets[photo.path][number], options, result)
    return result


def _cut_out(
    image_rgb: np.ndarray, face: LabelledBox, target: Path, options: CutOptions, result: CutResult
) -> None:
    box = face.box.within(image_rgb.shape[1], image_rgb.shape[0])
    if min(box.width, box.height) < options.least_side:
        result.too_small += 1
        return
    if target.exists():
        result.present += 1
        return
    crop = crop_face(image_rgb, box, options.margin)
    write_picture(cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), target, _ENCODINGS[target.suffix])
    result.written[face.class_name] += 1


def _targets(
    photos: Sequence[ListedPhoto], output: Path, options: CutOptions
) -> dict[Path, list[Path]]:
    """Where each face of each photo goes."""
    suffix = f".{options.picture_format}"
    targets: dict[Path, list[Path]] = {}
    owner: dict[Path, Path] = {}
    for photo in photos:
        folder = output / photo.split if photo.split else output
        targets[photo.path] = []
        for number, face in enumerate(photo.faces, 1):
            name = face.class_name
            if Path(name).name != name or name.startswith("."):
                raise DatasetError(
                    f"class {name!r} of {photo.path} can't be a folder's name; rename it in the "
                    f"annotations"
                )
            target = folder / name / (face_name(photo.path, number, len(photo.faces)) + suffix)
            if owner.setdefault(target, photo.path) != photo.path:
                raise DatasetError(
                    f"{owner[target]} and {photo.path} would both be cut out as {target.name}; "
                    f"give the photos different names"
                )
            targets[photo.path].append(target)
    return targets
