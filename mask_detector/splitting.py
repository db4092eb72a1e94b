"""Split photos into train, val and test so that no group is torn apart.

scikit-learn's group splitters put a group of 300 photos into any fold; here a large group
trains whenever smaller ones can fill the held-out splits, so that one person is not the test.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection

import numpy as np

from mask_detector.errors import DatasetError
from mask_detector.types import Sample
from mask_detector.wording import counted

# Largest group that val or test takes, as a part of what it should hold of a class: small
# groups first, then, where those do not fill it, any that still has room.
_SMALL, _ANY = 0.1, 1.0


def split_by_group(
    samples: list[Sample],
    class_names: tuple[str, ...],
    shares: dict[str, float],
    seed: int,
    needed: Collection[str] | None = None,
) -> dict[str, list[Sample]]:
    """Deal whole groups out to the splits, each class by its shares.

    Args:
        samples: the photos; `group` says which belong together.
        class_names: names for the labels, for the error message.
        shares: part of each class per split, summing to 1, such as
            `{"train": 0.7, "val": 0.15, "test": 0.15}`; the first takes what the others leave.
        seed: the same seed deals the same way.
        needed: classes that every split must have; by default all. One that is not and that has
            too few groups is in the first split alone.

    Raises:
        DatasetError: a needed class has fewer independent groups than there are splits.
    """
    needed = class_names if needed is None else needed
    groups = _shuffled_groups(samples, seed)
    _check_group_counts(groups, class_names, len(shares), needed)
    total = Counter(sample.label for sample in samples)
    remainder, *held_out = shares
    wanted = {
        split: {label: max(1, round(n * shares[split])) for label, n in total.items()}
        for split in held_out
    }
    dealt: dict[str, list[list[Sample]]] = {split: [] for split in shares}
    dealt[remainder] = groups
    spare = _spare_small_groups(groups, wanted)
    for group_share in (_SMALL, _ANY):
        dealt[remainder] = _deal(dealt[remainder], dealt, wanted, group_share, spare)
    for split in held_out:
        missing = _give_missing_classes(dealt[remainder], dealt[split], class_names)
        if lacking := [name for name in missing if name in needed]:
            raise DatasetError(
                f"no independent photos of class {lacking[0]} are left for the {split} split: too "
                f"many are copies of each other, of one person, or mixed with other classes"
            )
    return {split: [s for members in parts for s in members] for split, parts in dealt.items()}


def _shuffled_groups(samples: list[Sample], seed: int) -> list[list[Sample]]:
    groups: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.group].append(sample)
    order = np.random.default_rng(seed).permutation(sorted(groups))
    return [groups[key] for key in order.tolist()]


def _label_counts(groups: list[list[Sample]]) -> Counter[int]:
    return Counter(sample.label for members in groups for sample in members)


def _groups_per_label(groups: list[list[Sample]]) -> Counter[int]:
    return Counter(label for members in groups for label in {s.label for s in members})


def _is_small(counts: Counter[int], wanted: dict[str, dict[int, int]]) -> bool:
    """Whether a group is for some split no more than a small part of what it should hold."""
    return any(
        all(n <= max(1, want[label] * _SMALL) for label, n in counts.items())
        for want in wanted.values()
    )


def _spare_small_groups(
    groups: list[list[Sample]], wanted: dict[str, dict[int, int]]
) -> Counter[int]:
    """How many small groups of each class the source can do without: half of them.

    What is photographed often may look unlike what is photographed once. Of 17 sound castings ten
    had 29 photos or more, all of one make; had the others been dealt out, training would never
    have seen the makes that it is judged by.
    """
    small = [members for members in groups if _is_small(_label_counts([members]), wanted)]
    return Counter({label: -(-n // 2) for label, n in _groups_per_label(small).items()})


def _deal(
    source: list[list[Sample]],
    dealt: dict[str, list[list[Sample]]],
    wanted: dict[str, dict[int, int]],
    group_share: float,
    spare: Counter[int],
) -> list[list[Sample]]:
    """Give each group that fits to the split which lacks most of it; return the rest.

    One after the other the first split would take all small groups where those are scarce. For
    the same reason the source keeps one group of a class for each split that has none of it.
    """
    have = {split: _label_counts(dealt[split]) for split in wanted}
    left = _groups_per_label(source)
    rest = []
    for members in source:
        counts = _label_counts([members])
        is_small = _is_small(counts, wanted)
        fitting = {}  # split: the part of what it wants that it would still lack
        for split, want in wanted.items():
            if all(
                n <= min(want[k] - have[split][k], max(1, want[k] * group_share))
                and left[k] > 1 + sum(not have[other][k] for other in wanted if other != split)
                and not (is_small and spare[k] < 1)
                for k, n in counts.items()
            ):
                fitting[split] = min(1 - have[split][k] / want[k] for k in counts)
        if not fitting:
            rest.append(members)
            continue
        split = max(fitting, key=fitting.__getitem__)
        dealt[split].append(members)
        have[split] += counts
        left -= Counter(dict.fromkeys(counts, 1))
        if is_small:
            spare.subtract(dict.fromkeys(counts, 1))
    return rest


def _give_missing_classes(
    source: list[list[Sample]],
    target: list[list[Sample]],
    class_names: tuple[str, ...],
) -> list[str]:
    """Where only large groups exist, a split without a class gets the smallest of them.

    Returns:
        The classes of which no group can be given.
    """
    missing = []
    for label, name in enumerate(class_names):
        if any(sample.label == label for members in target for sample in members):
            continue
        left = _groups_per_label(source)
        fitting = [
            members
            for members in source
            if label in {s.label for s in members} and all(left[s.label] > 1 for s in members)
        ]
        if not fitting:
            missing.append(name)
            continue
        smallest = min(fitting, key=len)
        source.remove(smallest)
        target.append(smallest)
    return missing


def _check_group_counts(
    groups: list[list[Sample]],
    class_names: tuple[str, ...],
    split_count: int,
    needed: Collection[str],
) -> None:
    counts = _groups_per_label(groups)
    for label, name in enumerate(class_names):
        if counts[label] < split_count and name in needed:
            raise DatasetError(
                f"class {name} has {counted(counts[label], 'independent photo')} (copies of one "
                f"picture and photos of one person count once, drawn masks not at all); at least "
                f"{split_count} are needed to train, validate and test"
            )
