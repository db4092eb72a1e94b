"""Read the layout of a folder of photos: classes, given splits, marked faces, telling names.

Three layouts are known: `root/<class>/...`, `root/{train,val,test}/<class>/...`, and photos with
boxes around their faces (see `annotations/formats.py`). No photo is opened here; `audit.py` does
that.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from mask_detector.annotations.formats import is_annotated, read_boxes
from mask_detector.errors import DatasetError
from mask_detector.photo_names import is_drawn, original_of
from mask_detector.split_names import split_named, visible_folders
from mask_detector.types import ListedPhoto

_NOT_PHOTOS = {"thumbs.db", "desktop.ini", "readme.md", "readme.txt", "license", "license.txt"}


@dataclass(frozen=True)
class Listing:
    """What a data set's folders hold, in a fixed order."""

    root: Path
    class_names: tuple[str, ...]  # sorted; the order of the model's outputs
    photos: tuple[ListedPhoto, ...]

    @property
    def is_split(self) -> bool:
        return any(photo.split for photo in self.photos)


def scan(root: Path, least_classes: int = 2) -> Listing:
    """List the photos below `root` with their classes.

    Args:
        root: in one of the three layouts.
        least_classes: 2 for learning from; 1 is enough to judge a model by.

    Raises:
        DatasetError: no such folder, too few classes, or a class without files.
    """
    if not root.is_dir():
        raise DatasetError(
            f"no data set at {root}: expected a folder with one folder of photos per class, "
            f"such as {root}/with_mask and {root}/without_mask"
        )
    if is_annotated(root):
        return _scan_annotated(root, least_classes)
    children = visible_folders(root)
    given = [child for child in children if split_named(child.name)]
    if given and len(given) < len(children):
        others = ", ".join(child.name for child in children if child not in given)
        raise DatasetError(
            f"{root} mixes split folders ({', '.join(c.name for c in given)}) with others "
            f"({others}); expected either train/val/test folders or class folders"
        )
    photos: list[ListedPhoto] = []
    folder_names = set()
    for parent in given or [root]:
        split = split_named(parent.name) if given else None
        for folder in visible_folders(parent):
            folder_names.add(folder.name)
            photos += [ListedPhoto(path, folder.name, split) for path in _files(folder)]
    listing = Listing(root, tuple(sorted({photo.class_name for photo in photos})), tuple(photos))
    _check(listing, folder_names, least_classes)
    return listing


def _scan_annotated(root: Path, least_classes: int) -> Listing:
    """Photos with boxes: each stands for the rarest class that it shows.

    A split by this class deals out photos, not faces, so that a crowd is as likely to be in the
    test as a portrait, and still gives each split its part of the rare class.
    """
    annotated = [photo for photo in read_boxes(root) if photo.faces]
    counts = Counter(face.class_name for photo in annotated for face in photo.faces)
    if len(counts) < least_classes:
        raise DatasetError(
            f"the boxes of {root} name these classes: {', '.join(counts) or 'none'}; expected at "
            f"least {'two' if least_classes > 1 else 'one'}"
        )
    photos = [
        replace(photo, class_name=min((counts[f.class_name], f.class_name) for f in photo.faces)[1])
        for photo in annotated
    ]
    listing = Listing(root, tuple(sorted(counts)), tuple(photos))
    _check_train(listing, "images/...")
    return listing


def _check(listing: Listing, folder_names: set[str], least_classes: int) -> None:
    empty = sorted(folder_names - set(listing.class_names))
    # A folder of drawn masks alone goes with a source that has the other classes.
    are_drawn = all(is_drawn(photo.path) for photo in listing.photos)
    if len(listing.class_names) < (1 if are_drawn else least_classes) or empty:
        found = ", ".join(listing.class_names) or "none"
        wanted = "two folders, each" if least_classes > 1 else "one folder"
        raise DatasetError(
            f"{listing.root} has photos of these classes: {found}"
            + f"; expected at least {wanted} with photos of one class"
            + (f"; fill or delete those that hold no file: {', '.join(empty)}" if empty else "")
            + ("" if found != "none" else " (python -m mask_detector fetch-dataset gets some)")
        )
    _check_train(listing, "<class>/...")
    for split in sorted({photo.split for photo in listing.photos if photo.split}):
        present = {photo.class_name for photo in listing.photos if photo.split == split}
        missing = sorted(set(listing.class_names) - present)
        if missing:
            raise DatasetError(
                f"{listing.root}/{split} has no photos of {', '.join(missing)}; "
                f"expected every class in every split, spelled alike"
            )


def _check_train(listing: Listing, below: str) -> None:
    splits = {photo.split for photo in listing.photos if photo.split}
    if splits and "train" not in splits:
        raise DatasetError(
            f"{listing.root} has {', '.join(sorted(splits))} but no train folder; expected "
            f"{listing.root}/train/{below}"
        )


def _files(folder: Path) -> list[Path]:
    found = []
    seen = set()  # a link to a folder above would lead round for ever
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__")))
        for name in sorted(names):
            if not name.startswith(".") and name.lower() not in _NOT_PHOTOS:
                found.append(Path(parent) / name)
    return found


# `0_0_anhu_0123.jpg` (RMFD, AFDB) and `Aaron_Eckhart_0001.jpg` (LFW) name the person.
_PERSON = (
    re.compile(r"^\d+_\d+_(?P<person>[a-z][a-z-]{2,})_\d+", re.IGNORECASE),
    re.compile(
        r"^(?P<person>[A-Z][A-Za-z.'-]*(?:_(?:[A-Z][A-Za-z.'-]*|al-\w+|al|bin|da|de|del|den|der|di|"
        r"dos|du|el|la|le|of|van|von|y))+)_\d{4}$"
    ),
)
_NOT_PEOPLE = re.compile(
    r"(?:^|[_-])(?:(?:un|no|with|without)?mask(?:s|ed)?|images?|img|photos?|pictures?|faces?|"
    r"screenshots?|copy|main|frames?|aug(?:mented)?)(?:$|[_-])",
    re.I,
)
_AUGMENTED_WORD = (
    r"(?:aug(?:mented|mentation)?|flip(?:ped)?|mirror(?:ed)?|rot(?:ated?|ation)?\d*|"
    r"nois[ey]|blur(?:red)?|zoom(?:ed)?|shear(?:ed)?)"
)
_AUGMENTED_SUFFIX = re.compile(rf"^(?P<stem>.+?)[ _.-]+{_AUGMENTED_WORD}[ _.-]*\d*$", re.I)
_AUGMENTED_PREFIX = re.compile(rf"^{_AUGMENTED_WORD}[ _.-]+(?P<stem>.+)$", re.I)
_ROBOFLOW_COPY = re.compile(r"^(?P<stem>.+)\.rf\.[0-9a-f]{16,}$", re.I)


def person_of(path: Path) -> str | None:
    """The person a file name identifies, or None where it names nobody."""
    for pattern in _PERSON:
        match = pattern.match(original_of(path))
        if match and not _NOT_PEOPLE.search(match["person"]):
            return match["person"].lower()
    return None


def augmented_from(path: Path) -> str | None:
    """The stem of the photo that an augmented copy was made from.

    Returns:
        None for a file that does not call itself augmented; an empty string for one that does
        but does not say what it was made from (`augmented_image_297.jpg`).
    """
    source, stem = None, path.stem
    while stem:  # copies of copies: `photo12_aug3_flip`
        for pattern in (_ROBOFLOW_COPY, _AUGMENTED_SUFFIX, _AUGMENTED_PREFIX):
            match = pattern.match(stem)
            if match:
                break
        else:
            return source
        source = stem = match["stem"]
        is_number_only = not re.sub(r"image|img|photo|picture|[\d _.()-]", "", stem, flags=re.I)
        if is_number_only and pattern is _AUGMENTED_PREFIX:
            return ""
    return source
