"""Say in words and in JSON what an audit of a data set found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from mask_detector.audit import Audit
from mask_detector.labels import Meaning, meaning_of
from mask_detector.wording import counted

_NAMED = 10  # files listed by name under each heading before "and N more"
_NAMED_IN_CLUSTER = 4


def audit_text(audit: Audit) -> str:
    """The audit for people: figures first, then what to mend, worst first."""
    classes = counted(len(audit.class_names), "class", "classes")
    lines = [f"{audit.root}: {counted(len(audit.photos), 'usable photo')} of {classes}"]
    lines += _class_lines(audit)
    sides = np.array([min(p.fingerprint.width, p.fingerprint.height) for p in audit.photos])
    low, middle, high = np.percentile(sides, (5, 50, 95)).astype(int)
    lines.append(f"  shorter side: median {middle} px, 5-95 % of photos {low}-{high} px")
    lines += _named(
        "the same file in several classes, none used",
        [" = ".join(_short(audit, path) for path in paths) for paths in audit.contradictions],
    )
    lines += _named(
        "skipped", [f"{_short(audit, path)}: {reason}" for path, reason in audit.skipped]
    )
    lines += _named("exact copies, each used once", [_short(audit, p) for p in audit.copies])
    lines += _cluster_lines(audit)
    if audit.augmented_count:
        copies = counted(audit.augmented_count, "augmented copy", "augmented copies")
        lines.append(f"  {copies}, by their names: kept together")
    if audit.drawn_count:
        lines.append(
            f"  {counted(audit.drawn_count, 'photo')} with masks drawn on, by their names: they "
            f"train, and nobody is judged by them"
        )
    lines += _named(
        "people are in several of the given splits (test figures will flatter)",
        list(audit.people_across_splits),
    )
    if audit.people:
        most = ", ".join(f"{name} {count}" for name, count in list(audit.people.items())[:3])
        lines.append(
            f"  {counted(len(audit.people), 'person', 'people')} named by "
            f"{counted(sum(audit.people.values()), 'file')} (most: {most})"
            + ("" if audit.is_split else ": each stays on one side of our split")
        )
    return "\n".join(lines)


def _class_lines(audit: Audit) -> list[str]:
    counts = _counts(audit)
    width = max(len(name) for name in audit.class_names)
    lines = []
    for name in audit.class_names:
        meaning = meaning_of(name)
        understood = f"  (understood as: {meaning.value})" if meaning != Meaning.OTHER else ""
        splits = counts[name]
        parts = ", ".join(f"{k} {n}" for k, n in splits.items() if k) if audit.is_split else ""
        total = sum(splits.values())
        lines.append(f"  {name:{width}} {total:6d}{f'  [{parts}]' if parts else ''}{understood}")
    lines += _shared_meanings(audit)
    totals = [sum(splits.values()) for splits in counts.values()]
    balance = max(totals) / max(1, min(totals))  # marked photos: some class may stand for none
    lines.append(
        f"  largest class / smallest: {balance:.2f}"
        + (" (class weights make up for it)" if balance > 1.05 else "")
    )
    return lines


def _shared_meanings(audit: Audit) -> list[str]:
    """Classes that people will see as one: verdicts of both are green, say, and called `Mask`."""
    names_of: dict[Meaning, list[str]] = {}
    for name in audit.class_names:
        names_of.setdefault(meaning_of(name), []).append(name)
    return [
        f"  {' and '.join(names)}: all understood as {meaning.value}; rename what means something "
        f"else, or put them into one folder"
        for meaning, names in names_of.items()
        if meaning is not Meaning.OTHER and len(names) > 1
    ]


def _cluster_lines(audit: Audit) -> list[str]:
    lines = []
    if audit.near_clusters:
        sizes = [len(cluster) for cluster in audit.near_clusters]
        clusters = counted(len(sizes), "cluster")
        lines.append(
            f"  near duplicates: {sum(sizes)} photos in {clusters}, the largest of {max(sizes)}"
        )
    lines += _named(
        "look alike but are labelled differently (wrong label, or a mask drawn on)",
        [_cluster(audit, indices) for indices in audit.near_contradictions],
    )
    what_follows = (
        "train gives up its side, val and test keep theirs"
        if audit.keeps_given_split
        else f"train would have to give up {len(audit.torn_from_train)} photos, more than half, so "
        f"all photos are dealt anew"
    )
    lines += _named(
        f"are torn apart by the given splits ({what_follows})",
        [_cluster(audit, indices) for indices in audit.leaks],
    )
    return lines


def _named(heading: str, items: list[str]) -> list[str]:
    if not items:
        return []
    more = [f"    ... and {len(items) - _NAMED} more"] if len(items) > _NAMED else []
    return [f"  {len(items)} {heading}:", *(f"    {item}" for item in items[:_NAMED]), *more]


def _cluster(audit: Audit, indices: tuple[int, ...]) -> str:
    shown = [_short(audit, audit.photos[i].listed.path) for i in indices[:_NAMED_IN_CLUSTER]]
    more = len(indices) - len(shown)
    return " ~ ".join(shown) + (f" ~ {more} more" if more else "")


def _short(audit: Audit, path: Path) -> str:
    return str(path.relative_to(audit.root))


def _counts(audit: Audit) -> dict[str, Counter[str | None]]:
    counts: dict[str, Counter[str | None]] = {name: Counter() for name in audit.class_names}
    for photo in audit.photos:
        counts[photo.listed.class_name][photo.listed.split] += 1
    return counts


def audit_to_dict(audit: Audit) -> dict[str, Any]:
    """The audit for programs: every file is named, paths relative to the data set's folder."""

    def names(clusters: tuple[tuple[int, ...], ...]) -> list[list[str]]:
        return [[_short(audit, audit.photos[i].listed.path) for i in c] for c in clusters]

    return {
        "root": str(audit.root),
        "photos": len(audit.photos),
        "classes": {name: sum(splits.values()) for name, splits in _counts(audit).items()},
        "splits": {
            name: {split: n for split, n in splits.items() if split}
            for name, splits in _counts(audit).items()
        }
        if audit.is_split
        else None,
        "skipped": [{"file": _short(audit, p), "reason": reason} for p, reason in audit.skipped],
        "exact_copies": [_short(audit, path) for path in audit.copies],
        "contradictions": [[_short(audit, p) for p in paths] for paths in audit.contradictions],
        "near_duplicates": names(audit.near_clusters),
        "near_contradictions": names(audit.near_contradictions),
        "across_splits": names(audit.leaks),
        "keeps_given_split": audit.keeps_given_split,
        "people": audit.people,
        "people_across_splits": list(audit.people_across_splits),
        "augmented_copies": audit.augmented_count,
        "drawn_masks": audit.drawn_count,
        "fingerprint": audit.data_fingerprint,
    }
