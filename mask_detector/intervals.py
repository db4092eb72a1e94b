"""How far a score can be trusted: every one with its 95 % interval.

    scores = estimate_scores(probabilities, labels, groups)
    scores.accuracy  # Estimate(value=0.975, low=0.968, high=0.981, n=2600)
    proportion(19, 20)  # any other share

Shares of pictures (accuracy, recall) get Wilson's interval, which takes each picture for a draw of
its own. Scores that are no shares (balanced accuracy, precision, F1, calibration error) are
computed anew on groups drawn with replacement, 1000 times: duplicates, photos of one person and
faces of one photo come and go together. Where every draw gives the same, as without any mistake,
it knows nothing of what it has not seen: then precision gets Wilson's interval and the others none.
Source of the latter: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13
(percentile intervals). The calibration error of a draw is on average larger than that of the
pictures drawn from, so its interval lies a little high.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mask_detector.calibration import CONFIDENCE_BINS, bin_of

LEVEL = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A score and its 95 % interval; None where the pictures can't tell."""

    value: float | None
    low: float | None
    high: float | None
    n: int  # pictures that it is counted over

    def text(self) -> str:
        """Value, interval and n in columns of a fixed width."""
        figures = ["-" if f is None else f"{f:.3f}" for f in (self.value, self.low, self.high)]
        return f"{figures[0]:>5}  {f'{figures[1]}-{figures[2]}':>13}  {self.n:>7}"


@dataclass(frozen=True)
class Scores:
    """Scores of a classifier; tuples are in class order."""

    accuracy: Estimate
    balanced_accuracy: Estimate  # mean of the recalls of the classes that are shown
    recall: tuple[Estimate, ...]
    precision: tuple[Estimate, ...]
    f1: tuple[Estimate, ...]
    calibration_error: Estimate  # expected calibration error, see `evaluation`


def proportion(successes: int, n: int) -> Estimate:
    """Estimate a share from `successes` in `n` draws, with Wilson's score interval.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, Journal
    of the American Statistical Association 22, 1927.
    """
    from scipy.stats import binomtest

    if n == 0:
        return Estimate(None, None, None, 0)
    found = binomtest(int(successes), int(n)).proportion_ci(LEVEL, method="wilson")
    return Estimate(successes / n, float(found.low), float(found.high), int(n))


def estimate_scores(
    probabilities: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Scores:
    """Score verdicts.

    Args:
        probabilities: `(n, classes)`, n at least 1.
        labels: `(n,)` the true classes' indices.
        groups: `(n,)` numbers of the groups that are drawn as wholes.
        resamples: how often to draw.
        seed: of the drawing; the same seed gives the same intervals.
    """
    classes = probabilities.shape[1]
    totals = _totals_per_group(probabilities, labels, groups)
    sums = totals.sum(axis=0)
    matrix = sums[: classes**2].reshape(classes, classes).astype(int)
    values = _scores_of(sums[None], classes)
    drawn = _scores_of(_resampled_sums(totals, resamples, seed), classes)

    def bootstrapped(name: str, counts: np.ndarray) -> tuple[Estimate, ...]:
        columns = zip(values[name][0], drawn[name].T, counts, strict=True)
        return tuple(_estimate(value, column, int(n)) for value, column, n in columns)

    whole = np.array([len(labels)])
    answered = matrix.sum(axis=0)
    precision = [
        drawn_interval if drawn_interval.low is not None else proportion(matrix[i, i], answered[i])
        for i, drawn_interval in enumerate(bootstrapped("precision", answered))
    ]
    return Scores(
        accuracy=proportion(np.trace(matrix), len(labels)),
        balanced_accuracy=bootstrapped("balanced_accuracy", whole)[0],
        recall=tuple(proportion(matrix[i, i], matrix[i].sum()) for i in range(classes)),
        precision=tuple(precision),
        f1=bootstrapped("f1", matrix.sum(axis=1)),
        calibration_error=bootstrapped("calibration_error", whole)[0],
    )


def _totals_per_group(
    probabilities: np.ndarray, labels: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """All that the scores are made of, summed over each group: `(groups, classes² + bins)`.

    First the confusion matrix, row by row (true class), then for each bin of confidence the sum
    of confidence less the count of right verdicts.
    """
    classes = probabilities.shape[1]
    _, row = np.unique(groups, return_inverse=True)
    confidence = probabilities.max(axis=1)
    answers = probabilities.argmax(axis=1)
    totals = np.zeros((row.max() + 1, classes**2 + CONFIDENCE_BINS))
    np.add.at(totals, (row, labels * classes + answers), 1)
    np.add.at(totals, (row, classes**2 + bin_of(confidence)), confidence - (answers == labels))
    return totals


def _resampled_sums(totals: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Draw as many rows as there are, with replacement, and sum them: `(resamples, columns)`."""
    random = np.random.default_rng(seed)
    count = len(totals)
    draws = (random.integers(0, count, count) for _ in range(resamples))
    sums = [np.bincount(draw, minlength=count) @ totals for draw in draws]
    return np.array(sums).reshape(resamples, totals.shape[1])


def _scores_of(sums: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Scores of each row of sums, `(rows, 1 or classes)`; nan where they have no meaning."""
    matrix = sums[:, : classes**2].reshape(-1, classes, classes)
    right = matrix.diagonal(axis1=1, axis2=2)
    shown, answered = matrix.sum(axis=2), matrix.sum(axis=1)
    with np.errstate(invalid="ignore"):  # 0 / 0 is nan, which is meant
        recall, precision = right / shown, right / answered
        f1 = 2 * right / (shown + answered)
    gaps = np.abs(sums[:, classes**2 :]).sum(axis=1)
    return {
        "balanced_accuracy": np.nanmean(recall, axis=1, keepdims=True),
        "precision": precision,
        "f1": f1,
        "calibration_error": (gaps / matrix.sum(axis=(1, 2)))[:, None],
    }


def _estimate(value: float, drawn: np.ndarray, n: int) -> Estimate:
    if np.isnan(value):
        return Estimate(None, None, None, n)
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn) or np.ptp(drawn) == 0:
        return Estimate(float(value), None, None, n)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high), n)
