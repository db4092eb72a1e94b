"""Which network is as right as the best, and smaller? Figures of several, and who is worse.

    entries = [...]  # one per network, all judged by the same pictures
    verdict = judge_entries(entries, groups)
    verdict.smallest.name, verdict.p_values  # chance of such a difference from the best by luck

Whether two networks differ is asked of the pictures of which one is right and the other wrong: the
exact form of McNemar's test, a sign test on these. Copies of one picture are no witnesses of their
own: each group counts once, for the network that is right about more of it.

Source: McNemar, Note on the sampling error of the difference between correlated proportions or
percentages, Psychometrika 12, 1947.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mask_detector.intervals import Estimate

WORSE_BELOW = 0.05  # of p: what is then worse than the best is called so
LEAST_TO_DIFFER = 6  # groups that all speak for one network give p = 2 / 2**6, the first below it


@dataclass(frozen=True)
class Entry:
    """A trained network, and what it cost and is worth."""

    name: str
    architecture: str
    width: float
    weights: str  # it began with: `imagenet`, `none`, or a file's name
    image_size: int
    epochs: int
    parameters: int
    multiply_adds: int  # for one picture
    training_s: float
    bytes_of: dict[str, int | None]  # by number format; None: the file lost too much
    validation_accuracy: float
    accuracy: Estimate  # on the test pictures, as all that follows
    f1: dict[str, Estimate]  # by class
    is_right: tuple[bool, ...]  # about each test picture, in their order

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Entry:
        """Read what `to_dict` wrote, also by way of JSON.

        Raises:
            TypeError: it is something else.
        """
        return cls(
            **data
            | {
                "accuracy": Estimate(**data["accuracy"]),
                "f1": {name: Estimate(**value) for name, value in data["f1"].items()},
                "is_right": tuple(data["is_right"]),
            }
        )


@dataclass(frozen=True)
class Verdict:
    """Who is best, and who is as good as far as these pictures can tell."""

    best: Entry  # highest accuracy; of equal ones the smallest
    smallest: Entry  # of those that are not significantly worse than the best
    p_values: dict[str, float]  # by name, against the best


def judge_entries(entries: Sequence[Entry], groups: np.ndarray) -> Verdict:
    """Find the smallest network that is not significantly worse than the best.

    Args:
        entries: at least one, all judged by the same pictures.
        groups: `(n,)` numbers of the groups of copies among those pictures.
    """
    by_size = sorted(entries, key=lambda entry: (entry.parameters, entry.multiply_adds))
    best = max(by_size, key=lambda entry: sum(entry.is_right))
    p_values = {
        entry.name: p_of_difference(np.array(best.is_right), np.array(entry.is_right), groups)
        for entry in entries
    }
    as_good = (entry for entry in by_size if p_values[entry.name] >= WORSE_BELOW)
    return Verdict(best, next(as_good), p_values)


def p_of_difference(first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> float:
    """The chance that two equally good networks differ as much as these (two-sided, exact).

    Args:
        first: `(n,)` bool, whether the one is right about each picture.
        second: `(n,)` bool, the same for the other.
        groups: `(n,)` numbers of the groups that count once.
    """
    from scipy.stats import binomtest

    _, row = np.unique(groups, return_inverse=True)
    lead = np.bincount(row, first.astype(float)) - np.bincount(row, second.astype(float))
    wins, losses = int((lead > 0).sum()), int((lead < 0).sum())
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
