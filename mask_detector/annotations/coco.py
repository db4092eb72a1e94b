"""Read photos whose faces were boxed and labelled by hand, in COCO's JSON.

    photos = read_coco(Path("streets"))  # streets/annotations/instances.json, streets/images/a.jpg

One file lists photos, categories and boxes. It lies in `annotations/`, or beside the photos; where
its name has a word such as `train` or `val`, that is the split of its photos. Source of the
format: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from mask_detector.errors import DatasetError
from mask_detector.split_names import split_named
from mask_detector.types import FaceBox, LabelledBox, ListedPhoto

_FOLDERS = ("annotations", "Annotations", ".")
_KEYS = ("images", "annotations", "categories")


def is_coco(root: Path) -> bool:
    """Whether a folder holds a file of COCO's boxes."""
    return bool(_files(root))


def read_coco(root: Path) -> list[ListedPhoto]:
    """Read every photo that the COCO files of `root` list, in the order of their names.

    Boxes of crowds (`iscrowd`) are dropped.

    Raises:
        DatasetError: no such file there, one that is damaged or contradicts itself, or a photo is
            missing.
    """
    files = _files(root)
    if not files:
        raise DatasetError(
            f"no annotated photos at {root}: expected a COCO file such as "
            f"{root}/annotations/instances.json"
        )
    photos = [photo for path, content in files.items() for photo in _read(path, content, root)]
    return sorted(photos, key=lambda photo: photo.path)


def _files(root: Path) -> dict[Path, dict[str, Any]]:
    """COCO's files of boxes, read; beside them may lie others about the photos, as of captions."""
    for name in _FOLDERS:
        paths = [p for p in sorted((root / name).glob("*.json")) if not p.name.startswith(".")]
        found = {p: content for p in paths if (content := _content(p)) is not None}
        if found:
            named = {p: content for p, content in found.items() if p.name.startswith("instances")}
            return named or found
    return {}


def _content(path: Path) -> dict[str, Any] | None:
    """What is in a file of boxes; None for any other JSON."""
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:
        if path.parent.name in _FOLDERS:
            raise DatasetError(
                f"{path} is damaged ({error}); expected a COCO file: write it anew, or take it away"
            ) from error
        return None  # beside photos and folders lie other programs' files
    is_coco_file = isinstance(content, dict) and all(
        isinstance(content.get(key), list) for key in _KEYS
    )
    has_boxes = is_coco_file and (
        not content["annotations"]
        or any(isinstance(item, dict) and "bbox" in item for item in content["annotations"])
    )
    return content if has_boxes else None


def _read(path: Path, content: dict[str, Any], root: Path) -> list[ListedPhoto]:
    split = next(filter(None, map(split_named, re.findall("[A-Za-z]+", path.stem))), None)
    try:
        names = {item["id"]: str(item["name"]).strip() for item in content["categories"]}
        faces = defaultdict(list)
        for item in content["annotations"]:
            if "bbox" in item and not item.get("iscrowd"):
                face = LabelledBox(_box(item["bbox"]), names[item["category_id"]])
                faces[item["image_id"]].append(face)
        listed = [(str(item["file_name"]), faces.pop(item["id"], [])) for item in content["images"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DatasetError(
            f"{path} is no COCO annotation ({type(error).__name__}: {error}); expected images with "
            f"id and file_name, categories with id and name, and annotations with image_id, "
            f"category_id and bbox of x, y, width and height in pixels"
        ) from error
    if faces:
        raise DatasetError(f"{path} has boxes of photos that it does not list: {[*faces][:3]}")
    folders = _photo_folders(path, root)
    return [
        ListedPhoto(_photo(name, folders, path), split=split, faces=tuple(marked))
        for name, marked in listed
    ]


def _box(edges: list[float]) -> FaceBox:
    x, y, width, height = (float(edge) for edge in edges)
    left, top, right, bottom = map(round, (x, y, x + width, y + height))
    return FaceBox(max(0, left), max(0, top), right, bottom, 1.0)


def _photo_folders(path: Path, root: Path) -> list[Path]:
    """Where the photos may lie: `images`, beside the file, or as in COCO's own `train2017`."""
    words = re.findall("[A-Za-z]+[0-9]*", path.stem)
    named = [root / word for word in words] + [root / "images" / word for word in words]
    places = [root / "images", root / "JPEGImages", root, path.parent, *named]
    return [place for place in places if place.is_dir()]


def _photo(name: str, folders: list[Path], path: Path) -> Path:
    relative = Path(name.replace("\\", "/"))
    for folder in folders:
        for part in (relative, Path(relative.name)):  # an address of another machine
            if not part.is_absolute() and (folder / part).is_file():
                return folder / part
    raise DatasetError(
        f"the photo {name} of {path} is missing: expected it in "
        f"{' or '.join(str(folder) for folder in folders[:2])}"
    )
