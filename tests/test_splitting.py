"""Whole groups are dealt to train, val and test, whatever the sizes of the groups."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mask_detector.errors import DatasetError
from mask_detector.splitting import split_by_group
from mask_detector.types import Sample

SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}
NAMES = ("a", "b", "c", "d")


def make(*groups):
    """Samples of groups, each given as its labels: `make([0], [0, 0, 1])`."""
    return [
        Sample(Path(f"{number}_{index}.jpg"), label, number)
        for number, labels in enumerate(groups)
        for index, label in enumerate(labels)
    ]


def of_sizes(**sizes):
    """Groups of one class each: `of_sizes(a=[1, 1, 5], b=[2, 2, 2])`."""
    return make(*([NAMES.index(name)] * size for name, all_ in sizes.items() for size in all_))


def split(samples, seed=0, shares=SHARES):
    class_names = NAMES[: 1 + max(sample.label for sample in samples)]
    return split_by_group(samples, class_names, shares, seed)


def counts(splits):
    return {name: Counter(s.label for s in samples) for name, samples in splits.items()}


def assert_sound(samples, splits, shares=SHARES):
    """Every sample once, no group on two sides, every class everywhere."""
    assert list(splits) == list(shares)
    dealt = [s for part in splits.values() for s in part]
    assert sorted(dealt, key=lambda s: s.path) == sorted(samples, key=lambda s: s.path)
    side_of = {}
    for name, part in splits.items():
        for sample in part:
            assert side_of.setdefault(sample.group, name) == name
        assert {s.label for s in part} == {s.label for s in samples}


def random_groups(rng, class_count, draw_sizes):
    """At least four groups of each class alone, and now and then one of two classes."""
    groups = [[label] * n for label in range(class_count) for n in draw_sizes(rng)]
    for _ in range(rng.integers(0, 4)):
        pair = rng.choice(class_count, 2, replace=False).tolist()
        groups.append(pair * int(rng.integers(1, 4)))
    return [groups[i] for i in rng.permutation(len(groups))]


def small_groups(rng):
    """Mostly photos that stand alone, as in an ordinary set."""
    return np.minimum(rng.geometric(0.6, rng.integers(60, 200)), 6)


def any_groups(rng):
    """From all alike to a few giants, and as few as four."""
    return np.minimum(rng.zipf(rng.uniform(1.3, 3.0), rng.integers(4, 60)), 400)


def sound_split(seed, sizes):
    """A random set of two to four classes and its split, found sound."""
    rng = np.random.default_rng(seed)
    samples = make(*random_groups(rng, int(rng.integers(2, 5)), sizes))
    splits = split(samples, seed)
    assert_sound(samples, splits)
    return samples, splits


@pytest.mark.parametrize("seed", range(40))
def test_shares_are_right_for_each_class_where_groups_are_small(seed):
    samples, splits = sound_split(seed, small_groups)
    total = Counter(s.label for s in samples)
    for name, of_class in counts(splits).items():
        for label, n in total.items():
            assert of_class[label] == pytest.approx(SHARES[name] * n, abs=0.03 * n + 1)


@pytest.mark.parametrize("seed", range(150))
def test_a_split_is_sound_whatever_the_sizes_of_the_groups(seed):
    samples, splits = sound_split(seed, any_groups)
    total = Counter(s.label for s in samples)
    for name in ("val", "test"):
        groups_of = {s.label: set() for s in samples}
        for sample in splits[name]:
            groups_of[sample.label].add(sample.group)
        for label, n in counts(splits)[name].items():
            # Beyond its share a split has only what came along to bring a missing class.
            assert n <= round(SHARES[name] * total[label]) + 1 or len(groups_of[label]) <= 2


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shares", [{"train": 1.0}, {"train": 0.8, "test": 0.2}])
def test_fewer_splits_are_dealt_the_same_way(seed, shares):
    rng = np.random.default_rng(seed)
    samples = make(*random_groups(rng, 2, small_groups))
    splits = split(samples, seed, shares)
    assert_sound(samples, splits, shares)
    for name, part in splits.items():
        assert len(part) == pytest.approx(shares[name] * len(samples), abs=0.03 * len(samples))


def test_the_same_seed_deals_the_same_way_and_another_differently():
    samples = of_sizes(a=[1] * 100, b=[2] * 80)
    assert split(samples, 7) == split(samples, 7)
    tests = {frozenset(s.path for s in split(samples, seed)["test"]) for seed in range(10)}
    assert len(tests) == 10


def test_every_photo_is_tested_under_some_seed():
    samples = of_sizes(a=[1] * 40, b=[3] * 20)
    tested = {s.path for seed in range(60) for s in split(samples, seed)["test"]}
    assert len(tested) == len(samples)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("giant", [60, 300, 5000])
def test_a_huge_group_trains(giant, seed):
    samples = of_sizes(a=[giant] + [1] * 200, b=[1] * 400)
    splits = split(samples, seed)
    assert_sound(samples, splits)
    assert {s.group for s in splits["train"]} >= {0}


@pytest.mark.parametrize("seed", range(10))
def test_what_a_huge_group_leaves_is_shared_by_val_and_test(seed):
    splits = split(of_sizes(a=[900] + [1] * 100, b=[1] * 1000), seed)
    assert [counts(splits)[name][0] for name in ("train", "val", "test")] == [950, 25, 25]


@pytest.mark.parametrize("seed", range(10))
def test_what_is_rarely_photographed_trains_too(seed):
    sound = [67, 61, 57, 52, 51, 50, 50, 48, 38, 29, 7, 7, 6, 6, 5, 5, 1]
    splits = split(of_sizes(a=sound, b=[5] * 100), seed)
    sizes_of = {
        name: list(Counter(s.group for s in part if s.label == 0).values())
        for name, part in splits.items()
    }
    assert sum(size <= 7 for size in sizes_of["train"]) >= 3  # of seven, half may be dealt out
    assert max(sizes_of["val"]) > 7 and max(sizes_of["test"]) > 7


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("people", "photos"), [(20, 50), (10, 30), (40, 25)])
def test_a_few_people_with_many_photos_still_fill_val_and_test(people, photos, seed):
    samples = of_sizes(a=[photos] * people, b=[photos] * people)
    splits = split(samples, seed)
    assert_sound(samples, splits)
    for name in ("val", "test"):
        assert len(splits[name]) / len(samples) == pytest.approx(0.15, abs=0.051)


@pytest.mark.parametrize("seed", range(5))
def test_people_seen_with_and_without_a_mask_stay_whole(seed):
    samples = make(*([0] * 10 + [1] * 15 for _ in range(20)))
    splits = split(samples, seed)
    assert_sound(samples, splits)
    assert [len({s.group for s in part}) for part in splits.values()] == [14, 3, 3]


@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 5, 5), (400, 2, 1), (98, 1, 1), (1, 50, 50)])
@pytest.mark.parametrize("seed", range(5))
def test_three_groups_of_a_class_are_enough(sizes, seed):
    samples = of_sizes(a=sizes, b=[1] * 60)
    splits = split(samples, seed)
    assert_sound(samples, splits)


@pytest.mark.parametrize("sizes", [(1, 1), (500, 3), (40,)])
def test_fewer_groups_of_a_class_than_splits_are_refused(sizes):
    with pytest.raises(DatasetError) as caught:
        split(of_sizes(a=[1] * 60, b=sizes))
    assert f"class b has {len(sizes)} independent photo" in str(caught.value)
    assert "at least 3" in str(caught.value)


@pytest.mark.parametrize("sizes", [(1,), (1, 1), (500, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_a_class_that_nobody_needs_may_be_too_rare_and_trains(sizes, seed):
    samples = of_sizes(a=[1] * 60, b=sizes, c=[2] * 30)
    splits = split_by_group(samples, NAMES[:3], SHARES, seed, needed=("a", "c"))
    assert [s.label for part in splits.values() for s in part].count(1) == sum(sizes)
    assert {s.label for s in splits["train"]} == {0, 1, 2}
    for name in ("val", "test"):
        assert {s.label for s in splits[name]} >= {0, 2}
    with pytest.raises(DatasetError, match="class b has"):
        split_by_group(samples, NAMES[:3], SHARES, seed, needed=("a", "b"))


def test_what_is_needed_changes_no_split_that_can_be_made():
    samples = of_sizes(a=[1] * 60, b=[3] * 9, c=[2] * 30)
    assert split_by_group(samples, NAMES[:3], SHARES, 5, needed=("a",)) == split(samples, 5)


def test_classes_that_can_not_be_kept_apart_are_refused():
    # Three groups hold b, but whichever trains, c then lacks a group of its own to test.
    with pytest.raises(DatasetError, match="independent photos"):
        split(make([0, 1], [0, 1], [1, 2], [0], [0], [0], [2]))
