"""Look at a data set before training: what is there, what is broken, what leaks.

Use:
    audit = audit_dataset(Path("dataset"))
    print(audit_text(audit))
    splits = split_photos(audit, seed=42)  # {"train": [Photo, ...], "val": ..., "test": ...}
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from mask_detector.dataset import Listing, augmented_from, person_of, scan
from mask_detector.errors import DatasetError, UnreadableImageError
from mask_detector.fingerprints import Fingerprint, fingerprint, near_duplicates
from mask_detector.splitting import split_by_group
from mask_detector.types import ListedPhoto, Sample

SMALLEST_SIDE = 16  # pixels; less shows no mask even to a person
LEAST_CONTRAST = 2.0  # of 255; below it the picture is one colour
SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}


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
    class_names: tuple[str, ...]
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
    def near_contradictions(self) -> tuple[tuple[int, ...], ...]:
        """Clusters of look-alikes with several labels: a wrong label, or a mask drawn on."""
        return self._clusters_with_several(lambda photo: photo.listed.class_name)

    @property
    def leaks(self) -> tuple[tuple[int, ...], ...]:
        """Clusters of look-alikes that the given splits tear apart."""
        return self._clusters_with_several(lambda photo: photo.listed.split)

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


def audit_dataset(root: Path, *, show_progress: bool = True) -> Audit:
    """Open every photo below `root` and find copies, leaks and broken files.

    Raises:
        DatasetError: no data set there, or a class in which not one photo is usable.
    """
    listing = scan(root)
    usable, skipped = _open_all(listing, show_progress)
    usable, copies, contradictions = _drop_exact_copies(usable)
    present = {(listed.class_name, listed.split) for listed, _ in usable}
    for listed in listing.photos:
        if (listed.class_name, listed.split) not in present:
            place = f"the {listed.split} split of {root}" if listed.split else root
            raise DatasetError(f"class {listed.class_name} in {place} has not one usable photo")
    near_pairs = near_duplicates([print_ for _, print_ in usable])
    people = [person_of(listed.path) for listed, _ in usable]
    sources = [augmented_from(listed.path) for listed, _ in usable]
    name_pairs = _name_pairs([listed for listed, _ in usable], people, sources)
    groups = _components(len(usable), [*near_pairs.tolist(), *name_pairs])
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
        near_clusters=_clusters(_components(len(usable), near_pairs.tolist())),
    )


_Usable = list[tuple[ListedPhoto, Fingerprint]]


def _open_all(listing: Listing, show_progress: bool) -> tuple[_Usable, list[tuple[Path, str]]]:
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
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes without the GIL
        results = tqdm(
            pool.map(look, listing.photos),
            total=len(listing.photos),
            desc="looking at photos",
            unit="photo",
            disable=None if show_progress else True,
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


def _name_pairs(
    photos: list[ListedPhoto], people: list[str | None], sources: list[str | None]
) -> Iterable[tuple[int, int]]:
    """Link photos whose names say that they show one person or come from one photo."""
    stems_with_copies = set(filter(None, sources))
    first_with: dict[tuple[str, ...], int] = {}
    for index, (listed, person, source) in enumerate(zip(photos, people, sources, strict=True)):
        stem = listed.path.stem if source is None else source
        keys = []
        if stem == "":  # augmented, but nothing says from what: all such stay together
            keys.append(("augmented",))
        elif stem in stems_with_copies:
            keys.append(("stem", listed.class_name, stem))
        if person:
            keys.append(("person", person))
        for key in keys:
            yield first_with.setdefault(key, index), index


def _components(count: int, pairs: list) -> np.ndarray:
    """Number the connected components of `count` photos linked by pairs of indices."""
    links = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), (count, count))
    return connected_components(graph, directed=False)[1]


def _clusters(components: np.ndarray) -> tuple[tuple[int, ...], ...]:
    members: dict[int, list[int]] = defaultdict(list)
    for index, component in enumerate(components.tolist()):
        members[component].append(index)
    return tuple(tuple(indices) for indices in members.values() if len(indices) > 1)


def split_photos(audit: Audit, seed: int) -> dict[str, list[Photo]]:
    """Give every usable photo to train, val or test.

    Given splits are kept, except that train gives up photos which val or test also shows; what
    is missing (val, test or both) is taken from train. No group is ever on two sides of a split
    made here.
    """
    photos: dict[str | None, list[Photo]] = defaultdict(list)
    for photo in audit.photos:
        photos[photo.listed.split].append(photo)
    if not audit.is_split:
        return _deal(photos[None], audit.class_names, SHARES, seed)
    held_out = {split: photos[split] for split in ("val", "test") if photos[split]}
    torn = _torn_from_train(audit)
    train = [photo for photo in photos["train"] if photo.listed.path not in torn]
    shares = {split: part for split, part in SHARES.items() if split not in held_out}
    whole = sum(shares.values())
    shares = {split: part / whole for split, part in shares.items()}
    return {**_deal(train, audit.class_names, shares, seed), **held_out}


def _deal(
    photos: list[Photo], class_names: tuple[str, ...], shares: dict[str, float], seed: int
) -> dict[str, list[Photo]]:
    photo_of = {photo.listed.path: photo for photo in photos}
    if any(photo.listed.faces for photo in photos):  # a class may never be the rarest of a photo
        class_names = tuple(sorted({photo.listed.class_name for photo in photos}))
    samples = [
        Sample(photo.listed.path, class_names.index(photo.listed.class_name), photo.group)
        for photo in photos
    ]
    splits = split_by_group(samples, class_names, shares, seed)
    return {split: [photo_of[s.path] for s in members] for split, members in splits.items()}


def _torn_from_train(audit: Audit) -> set[Path]:
    """Train photos that look like one in val or test, by fingerprint alone."""
    return {
        audit.photos[i].listed.path
        for cluster in audit.leaks
        for i in cluster
        if audit.photos[i].listed.split == "train"
    }
