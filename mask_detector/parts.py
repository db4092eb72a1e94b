"""Which photos of a data set a model trains on, and by which it is validated and tested.

Use:
    audit = audit_dataset(Path("dataset"))
    split_photos(audit, seed=42)  # {"train": [Photo, ...], "val": ..., "test": ...}
    photos_of_part(audit, "test", split_seed=42)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from mask_detector.audit import Audit, Photo
from mask_detector.labels import model_class_of
from mask_detector.photo_names import is_drawn, original_of
from mask_detector.splitting import split_by_group
from mask_detector.types import Sample

SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}


def photos_of_part(
    audit: Audit, part: str, split_seed: int, model_classes: Sequence[str] | None = None
) -> Sequence[Photo]:
    """Choose photos of a data set.

    Args:
        audit: of the whole data set.
        part: `all`, or `train`, `val` or `test` of the split that the training makes.
        split_seed: of that split.
        model_classes: a class that is none of them may be too rare to split; by default none is.

    Raises:
        DatasetError: one of them is too rare to split.
    """
    if part == "all":
        return audit.photos
    if model_classes is not None:
        known = (n for n in audit.class_names if model_class_of(n, model_classes) is not None)
        audit = replace(audit, class_names=tuple(known))
    return split_photos(audit, split_seed)[part]


def split_photos(audit: Audit, seed: int) -> dict[str, list[Photo]]:
    """Give every usable photo to train, val or test.

    Given splits are kept, except that train gives up photos which val or test also shows; what
    is missing (val, test or both) is taken from train. Where train would give up more than half,
    the given splits measure memory, and all photos are dealt anew. No group is ever on two sides
    of a split made here. Photos with drawn masks only ever train, and only where nobody is judged
    by the photo that they were made from.
    """
    taken = [photo for photo in audit.photos if not is_drawn(photo.listed.path)]
    drawn = [photo for photo in audit.photos if is_drawn(photo.listed.path)]
    splits = _split_taken(audit, taken, seed) if taken else {split: [] for split in SHARES}
    held_out = [photo for split, side in splits.items() if split != "train" for photo in side]
    names = {original_of(photo.listed.path) for photo in held_out}
    groups = {photo.group for photo in held_out}
    free = [
        photo
        for photo in drawn
        if photo.listed.split in (None, "train")
        and photo.group not in groups
        and original_of(photo.listed.path) not in names
    ]
    return {**splits, "train": splits["train"] + free}


def _split_taken(audit: Audit, taken: list[Photo], seed: int) -> dict[str, list[Photo]]:
    """Split the photos that a camera took."""
    photos: dict[str | None, list[Photo]] = defaultdict(list)
    for photo in taken:
        photos[photo.listed.split].append(photo)
    if not audit.keeps_given_split:
        return _deal(taken, audit.class_names, SHARES, seed)
    held_out = {split: photos[split] for split in ("val", "test") if photos[split]}
    torn = audit.torn_from_train
    train = [photo for photo in photos["train"] if photo.listed.path not in torn]
    shares = {split: part for split, part in SHARES.items() if split not in held_out}
    whole = sum(shares.values())
    shares = {split: part / whole for split, part in shares.items()}
    return {**_deal(train, audit.class_names, shares, seed), **held_out}


def _deal(
    photos: list[Photo], class_names: tuple[str, ...], shares: dict[str, float], seed: int
) -> dict[str, list[Photo]]:
    photo_of = {photo.listed.path: photo for photo in photos}
    shown = {photo.listed.class_name for photo in photos}
    is_marked = any(photo.listed.faces for photo in photos)
    needed = shown.intersection(class_names) if is_marked else class_names
    names = tuple(sorted(shown.union(needed)))  # a class may never be the rarest of a marked photo
    samples = [
        Sample(photo.listed.path, names.index(photo.listed.class_name), photo.group)
        for photo in photos
    ]
    splits = split_by_group(samples, names, shares, seed, needed)
    return {split: [photo_of[s.path] for s in members] for split, members in splits.items()}
