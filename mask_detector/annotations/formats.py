"""Read photos with boxed faces, in whichever format the boxes are written.

    photos = read_boxes(Path("streets"))  # list[ListedPhoto]

PASCAL VOC, COCO and YOLO are told apart by their files. Such photos may also lie in folders named
train, val and test, which are then their splits. A new format is one entry in `_FORMATS`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mask_detector.annotations.coco import is_coco, read_coco
from mask_detector.annotations.pascal_voc import is_annotated as is_voc
from mask_detector.annotations.pascal_voc import read_voc
from mask_detector.annotations.yolo import is_yolo, read_yolo
from mask_detector.errors import DatasetError
from mask_detector.split_names import split_folders
from mask_detector.types import ListedPhoto
from mask_detector.wording import counted

_NAMED = 3  # photos, of those with boxes left out

logger = logging.getLogger(__name__)


class _Format(NamedTuple):
    is_there: Callable[[Path], bool]
    read: Callable[[Path], list[ListedPhoto]]


# Who exports one set in several formats gets the first: it needs to guess least.
_FORMATS = {
    "PASCAL VOC": _Format(is_voc, read_voc),
    "COCO": _Format(is_coco, read_coco),
    "YOLO": _Format(is_yolo, read_yolo),
}


def is_annotated(root: Path) -> bool:
    """Whether a folder holds photos with boxes rather than one folder per class."""
    return _format_of(root) is not None or any(
        _format_of(folder) is not None for folder, _ in split_folders(root)
    )


def read_boxes(root: Path) -> list[ListedPhoto]:
    """Read the photos of a folder with the boxes that people drew.

    Boxes without area are counted, said and left out.

    Raises:
        DatasetError: no boxes there, files that contradict themselves, or a photo is missing.
    """
    photos = _read(root)
    flat = [photo.path.name for photo in photos for face in photo.faces if not face.box.has_area]
    if flat:
        boxes = counted(len(flat), "box without area", "boxes without area")
        names = list(dict.fromkeys(flat))
        others = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        logger.warning("left out: %s, in %s%s", boxes, ", ".join(names[:_NAMED]), others)
    return [
        replace(photo, faces=tuple(face for face in photo.faces if face.box.has_area))
        for photo in photos
    ]


def _read(root: Path) -> list[ListedPhoto]:
    if found := _format_of(root):
        return found.read(root)
    parts = [(folder, split, _format_of(folder)) for folder, split in split_folders(root)]
    if not any(part_format for _, _, part_format in parts):
        raise DatasetError(
            f"no annotated photos at {root}: expected boxes in the files of "
            f"{', '.join(_FORMATS)}, such as {root}/annotations/1.xml and {root}/images/1.jpg"
        )
    for folder, _, part_format in parts:
        if part_format is None:
            raise DatasetError(
                f"{folder} holds no annotated photos, but the folders beside it do; expected "
                f"boxes in each"
            )
    return [
        replace(photo, split=split)
        for folder, split, part_format in parts
        for photo in part_format.read(folder)
    ]


def _format_of(root: Path) -> _Format | None:
    return next((known for known in _FORMATS.values() if known.is_there(root)), None)
