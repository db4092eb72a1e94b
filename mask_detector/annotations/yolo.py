"""Read photos whose faces were boxed and labelled by hand, in YOLO's text files.

    photos = read_yolo(Path("streets"))  # streets/images/a.jpg, streets/labels/a.txt, data.yaml

A line is a face: the number of its class, then its centre, width and height as parts of the
picture's; of a polygon the box around it is taken. Known layouts: `images/` and `labels/` side by
side, or each with train, val and test below; darknet's `obj_train_data/`; and text files beside
the photos. Source of the format: https://docs.ultralytics.com/datasets/detect/
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mask_detector.annotations.photo_files import photos_by_stem
from mask_detector.errors import DatasetError, UnreadableImageError
from mask_detector.images import upright_size
from mask_detector.split_names import split_folders, split_named
from mask_detector.types import FaceBox, LabelledBox, ListedPhoto

logger = logging.getLogger(__name__)

_NAME_LISTS = ("classes.txt", "obj.names", "_darknet.labels")
_LAYOUTS = (("labels", "images"), ("obj_train_data", "obj_train_data"), (".", "."))


class _Pair(NamedTuple):
    labels: Path
    photo: Path
    split: str | None


def is_yolo(root: Path) -> bool:
    """Whether a folder holds photos with YOLO's label files."""
    return next(_pairs(root), None) is not None


def read_yolo(root: Path) -> list[ListedPhoto]:
    """Read every label file below `root` whose photo is there, in the order of their names.

    Photos that can't be opened are named and left out: the size of a box depends on theirs.

    Raises:
        DatasetError: no label files there, one that is none, or classes without names.
    """
    pairs = list(_pairs(root))
    if not pairs:
        raise DatasetError(
            f"no annotated photos at {root}: expected YOLO label files such as "
            f"{root}/labels/1.txt and {root}/images/1.jpg"
        )
    names = _class_names(root)
    photos = []
    for pair in pairs:
        try:
            size = upright_size(pair.photo)
        except UnreadableImageError as error:
            logger.warning("left out: %s", error)
            continue
        photos.append(ListedPhoto(pair.photo, split=pair.split, faces=_faces(pair, size, names)))
    return photos


def _pairs(root: Path) -> Iterator[_Pair]:
    for labels_name, images_name in _LAYOUTS:
        labels, images = root / labels_name, root / images_name
        if not labels.is_dir() or not images.is_dir():
            continue
        places = [(labels, None)]
        if labels != images:
            places += split_folders(labels)
        for folder, split in places:
            yield from _pairs_in(folder, images / folder.relative_to(labels), split)


def _pairs_in(labels: Path, images: Path, split: str | None) -> Iterator[_Pair]:
    texts = [path for path in sorted(labels.glob("*.txt")) if not path.name.startswith(".")]
    if not texts or not images.is_dir():
        return
    photo_of = photos_by_stem(images)
    for path in texts:  # lists of names lie there, too, which belong to no photo
        if path.stem in photo_of and photo_of[path.stem].is_file():
            yield _Pair(path, photo_of[path.stem], split)


def _faces(pair: _Pair, size: tuple[int, int], names: dict[int, str]) -> tuple[LabelledBox, ...]:
    try:
        rows = [
            [float(number) for number in line.split()]
            for line in pair.labels.read_text("utf-8-sig").splitlines()
            if line.strip()
        ]
        return tuple(LabelledBox(_box(row, size), names[int(row[0])]) for row in rows)
    except KeyError as error:
        known = ", ".join(f"{number} {name}" for number, name in sorted(names.items()))
        raise DatasetError(
            f"{pair.labels} has a face of class {error}, which has no name; the names are "
            f"{known or 'missing: expected a classes.txt, or a data.yaml with names'}"
        ) from error
    except (ValueError, OverflowError) as error:  # letters, too few numbers, infinite ones
        raise DatasetError(
            f"{pair.labels} is no YOLO label file ({error}); expected lines of five numbers: "
            f"class, x, y, width and height"
        ) from error


def _box(row: list[float], size: tuple[int, int]) -> FaceBox:
    """The box of a line: `class x y width height [score]`, or of a polygon `class x y x y x y`."""
    if len(row) in (5, 6):
        x, y, width, height = row[1:5]
        edges = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    elif len(row) >= 7 and len(row) % 2:
        edges = min(row[1::2]), min(row[2::2]), max(row[1::2]), max(row[2::2])
    else:
        raise ValueError(f"a line of {len(row)} numbers")
    left, top, right, bottom = (round(part * size[i % 2]) for i, part in enumerate(edges))
    return FaceBox(max(0, left), max(0, top), min(right, size[0]), min(bottom, size[1]), 1.0)


def _class_names(root: Path) -> dict[int, str]:
    """The names of the classes by number; empty where nothing lists them."""
    folders = [root, root / "labels", root / "obj_train_data"]
    if split_named(root.name):
        folders.append(root.parent)  # of `train`, `valid` and `test` side by side
    for folder in folders:
        for name in _NAME_LISTS:
            if (folder / name).is_file():
                lines = _lines(folder / name)
                return {number: line.strip() for number, line in enumerate(lines) if line.strip()}
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            if names := _names_in_yaml(path):
                return names
    return {}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path} can't be read ({error}); expected the names of the classes in UTF-8"
        ) from error


def _names_in_yaml(path: Path) -> dict[int, str]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text("utf-8-sig"))
        names = content["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (yaml.YAMLError, KeyError, TypeError, ValueError):  # some other program's file
        return {}
