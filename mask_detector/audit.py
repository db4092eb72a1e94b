"""Look at a data set before training: what is there, what is broken, what leaks.

Use:
    audit = audit_dataset(Path("dataset"))
    print(audit_text(audit))
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mask_detector.copies.fingerprints import Fingerprint, fingerprint, near_duplicates
from mask_detector.copies.photo_groups import clusters, components, name_pairs
from mask_detector.cores import core_count
from mask_detector.dataset import Listing, augmented_from, person_of, scan
from mask_detector.errors import DatasetError, UnreadableImageError
from mask_detector.photo_names import is_drawn
from mask_detector.types import SMALLEST_SIDE, ListedPhoto

LEAST_CONTRAST = 2.0  # of 255; below it the picture is one colour


@dataclass(frozen=True)
class Photo:
    """A usable photo of the data set."""

    listed: ListedPhoto
    fingerprint: Fingerprint
    group: int  # see `types.Sample`
    person: str | None  # see `dataset.person_of`
    source: str | None  # see `dataset.augmented_from`


@dataclass(frozen=True)
class Audit:
    """Everything found; `photos` are those that training uses."""

    root: Path
    class_names: tuple[str, ...]  # those that a split must have on each side
    photos: tuple[Photo, ...]
    skipped: tuple[tuple[Path, str], ...]  # file, reason
    copies: tuple[Path, ...]  # byte-for-byte the same as a photo kept; used once
    contradictions: tuple[tuple[Path, ...], ...]  # the same file in several classes; unused
    near_clusters: tuple[tuple[int, ...], ...]  # indices into photos

    @property
    def is_split(self) -> bool:
        """Whether the folders give splits."""
        return any(photo.listed.split for photo in self.photos)

    @property
    def people(self) -> dict[str, int]:
        """People named by files and how many photos each has, most first."""
        return dict(Counter(p.person for p in self.photos if p.person).most_common())

    @property
    def augmented_count(self) -> int:
        """Photos whose names say that they are copies made from others."""
        return sum(photo.source is not None for photo in self.photos)

    @property
    def drawn_count(self) -> int:
        """Photos with masks drawn on, by their names; see `photo_names`."""
        return sum(is_drawn(photo.listed.path) for photo in self.photos)

    @property
    def near_contradictions(self) -> tuple[tuple[int, ...], ...]:
        """Clusters of look-alikes with several labels: a wrong label, or a mask drawn on."""
        return self._clusters_with_several(lambda photo: photo.listed.class_name)

    @property
    def leaks(self) -> tuple[tuple[int, ...], ...]:
        """Clusters of look-alikes that the given splits tear apart."""
        return self._clusters_with_several(lambda photo: photo.listed.split)

    @property
    def torn_from_train(self) -> frozenset[Path]:
        """Photos of the given train split that val or test also shows, by fingerprint alone."""
        return frozenset(
            self.photos[i].listed.path
            for cluster in self.leaks
            for i in cluster
            if self.photos[i].listed.split == "train"
        )

    @property
    def keeps_given_split(self) -> bool:
        """Whether the given splits are of use: train has to give up less than half."""
        train = sum(photo.listed.split == "train" for photo in self.photos)
        return self.is_split and len(self.torn_from_train) <= train / 2

    def _clusters_with_several(self, key: Callable[[Photo], Any]) -> tuple[tuple[int, ...], ...]:
        return tuple(c for c in self.near_clusters if len({key(self.photos[i]) for i in c}) > 1)

    @property
    def people_across_splits(self) -> tuple[str, ...]:
        """People named by files whom the given splits show on several sides."""
        splits_of: dict[str, set[str | None]] = defaultdict(set)
        for photo in self.photos:
            if photo.person:
                splits_of[photo.person].add(photo.listed.split)
        return tuple(sorted(person for person, splits in splits_of.items() if len(splits) > 1))

    @property
    def data_fingerprint(self) -> str:
        """SHA-256 over the names, classes, bytes and marked faces of all usable photos."""
        lines = sorted(
            f"{os.fsencode(p.listed.path.relative_to(self.root)).hex()} {p.fingerprint.file_hash}"
            + "".join(f" {face}" for face in p.listed.faces)
            for p in self.photos
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def audit_dataset(root: Path, *, least_classes: int = 2) -> Audit:
    """Open every photo below `root` and find copies, leaks and broken files.

    Args:
        root: a data set in one of the layouts that `dataset.py` knows.
        least_classes: 2 for learning from; 1 is enough to judge a model by.

    Raises:
        DatasetError: no data set there, too few classes, or one in which not one photo is usable.
    """
    listing = scan(root, least_classes)
    usable, skipped = _open_all(listing)
    usable, copies, contradictions = _drop_exact_copies(usable)
    present = {(listed.class_name, listed.split) for listed, _ in usable}
    for listed in listing.photos:
        if (listed.class_name, listed.split) not in present:
            place = f"the {listed.split} split of {root}" if listed.split else root
            is_claimed = any(listed.path in paths for paths in contradictions)
            why = "; the very files lie in another class, too" if is_claimed else ""
            raise DatasetError(
                f"class {listed.class_name} in {place} has not one usable photo{why}, as "
                f"{listed.path}"
            )
    near_pairs = near_duplicates([print_ for _, print_ in usable]).tolist()
    people = [person_of(listed.path) for listed, _ in usable]
    sources = [augmented_from(listed.path) for listed, _ in usable]
    named_pairs = name_pairs([listed for listed, _ in usable], people, sources)
    groups = components(len(usable), [*near_pairs, *named_pairs])
    return Audit(
        root=root,
        class_names=listing.class_names,
        photos=tuple(
            Photo(listed, print_, int(group), person, source)
            for (listed, print_), group, person, source in zip(
                usable, groups, people, sources, strict=True
            )
        ),
        skipped=tuple(skipped),
        copies=tuple(copies),
        contradictions=tuple(contradictions),
        near_clusters=clusters(components(len(usable), near_pairs)),
    )


_Usable = list[tuple[ListedPhoto, Fingerprint]]


def _open_all(listing: Listing) -> tuple[_Usable, list[tuple[Path, str]]]:
    def look(listed: ListedPhoto) -> Fingerprint | str:
        try:
            found = fingerprint(listed.path)
        except UnreadableImageError as error:
            return str(error).split(":")[0]
        if min(found.width, found.height) < SMALLEST_SIDE:
            return f"too small ({found.width}x{found.height}, at least {SMALLEST_SIDE})"
        if found.contrast < LEAST_CONTRAST:
            return "a single colour"
        return found

    usable: _Usable = []
    skipped = []
    with ThreadPoolExecutor(core_count()) as pool:  # Pillow decodes without the GIL
        results = tqdm(
            pool.map(look, listing.photos),
            total=len(listing.photos),
            desc="looking at photos",
            unit="photo",
            disable=None,
        )
        for listed, found in zip(listing.photos, results, strict=True):
            if isinstance(found, str):
                skipped.append((listed.path, found))
            else:
                usable.append((listed, found))
    return usable, skipped


def _drop_exact_copies(usable: _Usable) -> tuple[_Usable, list[Path], list[tuple[Path, ...]]]:
    """Keep one of each file per class and split; drop files that two classes both claim."""
    by_hash: dict[str, _Usable] = defaultdict(list)
    for item in usable:
        by_hash[item[1].file_hash].append(item)
    kept, copies, contradictions = [], [], []
    for items in by_hash.values():
        if len({listed.class_name for listed, _ in items}) > 1:
            contradictions.append(tuple(listed.path for listed, _ in items))
            continue
        first_of: dict[str | None, ListedPhoto] = {}
        for listed, print_ in items:
            if listed.split in first_of:
                copies.append(listed.path)
            else:
                first_of[listed.split] = listed
                kept.append((listed, print_))
    return sorted(kept, key=lambda item: item[0].path), copies, contradictions
