"""From one or several audited data sets to the pictures that are trained, validated and tested on.

    data = gather([audit_dataset(Path("dataset")), audit_dataset(Path("streets"))], split_seed=42)
    data.splits["train"]  # list[Sample]

Each source is split by itself, so its test part stays the same whatever it is trained with. What
two sources have in common then stays on the side that is judged, test before val before train, and
counts once. A file that two sources put into different classes is left out of both.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from mask_detector.audit import Audit, Photo
from mask_detector.copies.fingerprints import near_duplicates
from mask_detector.errors import DatasetError
from mask_detector.labels import Meaning, meaning_of
from mask_detector.parts import split_photos
from mask_detector.photo_names import is_drawn, original_of
from mask_detector.types import SMALLEST_SIDE, Sample

_PRECEDENCE = ("train", "val", "test")  # of two copies on different sides the later stays


@dataclass(frozen=True)
class TrainingData:
    """Labelled pictures on the three sides of a split, and where they come from."""

    class_names: tuple[str, ...]  # in the order of the labels
    splits: dict[str, list[Sample]]
    sources: dict[str, dict[str, int]]  # name of a source: pictures per split
    shared_count: int  # photos left out because another source holds the same picture
    contradictions: tuple[Path, ...]  # files left out: two sources put them into different classes
    fingerprint: str  # SHA-256 over the sources' own

    @property
    def speaks_of_masks(self) -> bool:
        """Whether any class is about masks, so that its pictures show faces."""
        return any(meaning_of(name) != Meaning.OTHER for name in self.class_names)


def gather(
    audits: list[Audit], *, split_seed: int, class_names: tuple[str, ...] | None = None
) -> TrainingData:
    """Split every source and put the sides together.

    Args:
        audits: the sources. Classes with one name, or with one meaning (`mask`, `WithMask`), are
            one class; the first source's name counts.
        split_seed: deals out the photos of each source.
        class_names: the classes to use, in the order of the model's outputs; photos and faces of
            others are left out. By default all, sorted.

    Raises:
        DatasetError: classes that no source has, or a side left without one of the classes.
    """
    names_of = _common_names(audits)
    known = sorted({name for names in names_of for name in names.values()})
    classes = class_names or tuple(known)
    if unknown := [name for name in classes if name not in known]:
        raise DatasetError(
            f"no photos of class {', '.join(unknown)}; the data has {', '.join(known)}"
        )
    if len(classes) < 2:
        raise DatasetError(f"one class alone ({classes[0]}) can't be told apart; name at least two")
    needed = [tuple(n for n, name in names.items() if name in classes) for names in names_of]
    sides = [
        split_photos(replace(audit, class_names=names), split_seed)
        for audit, names in zip(audits, needed, strict=True)
    ]
    sides = _without_drawn_from_held_out(sides)
    contradictory = _contradictory_photos(sides, names_of)
    shared = _shared_photos(sides) - contradictory
    left_out = shared | contradictory
    splits: dict[str, list[Sample]] = {split: [] for split in _PRECEDENCE}
    sources: dict[str, dict[str, int]] = {}
    first_group = 0
    for number, (audit, side) in enumerate(zip(audits, sides, strict=True)):
        label_of = {name: classes.index(c) for name, c in names_of[number].items() if c in classes}
        counts = {}
        for split in _PRECEDENCE:
            kept = [p for i, p in enumerate(side[split]) if (number, split, i) not in left_out]
            samples = [s for photo in kept for s in _samples(photo, label_of, first_group)]
            counts[split] = len(samples)
            splits[split] += samples
        sources[_unused_name(audit, sources)] = counts
        first_group += 1 + max(photo.group for photo in audit.photos)
    _check_classes(splits, classes)
    prints = "\n".join(audit.data_fingerprint for audit in audits)
    fingerprint = (
        audits[0].data_fingerprint
        if len(audits) == 1
        else hashlib.sha256(prints.encode()).hexdigest()
    )
    contradictions = sorted(sides[n][split][i].listed.path for n, split, i in contradictory)
    return TrainingData(classes, splits, sources, len(shared), tuple(contradictions), fingerprint)


def _without_drawn_from_held_out(
    sides: list[dict[str, list[Photo]]],
) -> list[dict[str, list[Photo]]]:
    """Take out drawn masks whose originals another source judges by; groups are each one's own."""
    held_out = {
        original_of(photo.listed.path)
        for side in sides
        for split in _PRECEDENCE[1:]
        for photo in side[split]
    }
    return [
        side
        | {
            "train": [
                photo
                for photo in side["train"]
                if not is_drawn(photo.listed.path) or original_of(photo.listed.path) not in held_out
            ]
        }
        for side in sides
    ]


def _samples(photo: Photo, label_of: dict[str, int], first_group: int) -> list[Sample]:
    """The photo itself, or each of its marked faces that is large enough to show anything."""
    size, group = photo.fingerprint, first_group + photo.group
    pictures = [
        (name, box and box.within(size.width, size.height)) for name, box in photo.listed.pictures
    ]
    return [
        Sample(photo.listed.path, label_of[name], group, box)
        for name, box in pictures
        if name in label_of and (box is None or min(box.width, box.height) >= SMALLEST_SIDE)
    ]


def _common_names(audits: list[Audit]) -> list[dict[str, str]]:
    """For each source: what each of its classes is called in the end."""
    names: list[str] = []
    result = []
    for audit in audits:
        own_meanings = Counter(meaning_of(name) for name in audit.class_names)
        renamed = {}
        for name in audit.class_names:
            meaning = meaning_of(name)
            alike = [n for n in names if meaning_of(n) == meaning and meaning != Meaning.OTHER]
            is_clear = name not in names and len(alike) == 1 and own_meanings[meaning] == 1
            renamed[name] = alike[0] if is_clear else name
        names += [name for name in renamed.values() if name not in names]
        result.append(renamed)
    return result


_Place = tuple[int, str, int]  # of a photo: source, split, index


def _contradictory_photos(
    sides: list[dict[str, list[Photo]]], names_of: list[dict[str, str]]
) -> set[_Place]:
    """Where equal files lie that the folders of two sources put into different classes.

    One of them is wrong, and nothing tells which; `audit` does the same within one source.
    """
    by_hash: dict[str, list[tuple[_Place, str]]] = defaultdict(list)
    for number, side in enumerate(sides):
        for split, photos in side.items():
            for index, photo in enumerate(photos):
                if not photo.listed.faces:
                    name = names_of[number][photo.listed.class_name]
                    by_hash[photo.fingerprint.file_hash].append(((number, split, index), name))
    return {
        place
        for found in by_hash.values()
        if len({name for _, name in found}) > 1
        for place, _ in found
    }


def _shared_photos(sides: list[dict[str, list[Photo]]]) -> set[_Place]:
    """Photos of which another source holds a copy.

    Of copies on different sides the later side's stays. Of two equal files on one side the first
    source's stays; look-alikes there stay both, as they do within one source.
    """
    if len(sides) < 2:
        return set()
    places = [
        (number, split, index)
        for number, side in enumerate(sides)
        for split in _PRECEDENCE
        for index in range(len(side[split]))
    ]
    prints = [sides[number][split][index].fingerprint for number, split, index in places]
    shared = set()
    for first, second in near_duplicates(prints).tolist():
        here, there = places[first], places[second]  # `there` is of the same source or a later one
        if here[0] == there[0]:
            continue
        if here[1] != there[1]:
            shared.add(min(here, there, key=lambda place: _PRECEDENCE.index(place[1])))
        elif prints[first].file_hash == prints[second].file_hash:
            shared.add(there)
    return shared


def _unused_name(audit: Audit, taken: dict[str, dict[str, int]]) -> str:
    name = audit.root.resolve().name
    return name if name not in taken else f"{name} ({len(taken) + 1})"


def _check_classes(splits: dict[str, list[Sample]], class_names: tuple[str, ...]) -> None:
    for split, samples in splits.items():
        present = {sample.label for sample in samples}
        missing = [name for label, name in enumerate(class_names) if label not in present]
        if missing:
            raise DatasetError(
                f"the {split} split has no usable picture of {', '.join(missing)}; add photos, or "
                f"leave the class out with --classes"
            )
