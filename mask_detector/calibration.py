"""Make confidence mean what it says: a temperature, and the least confidence worth a verdict.

Both are found on validation photos and travel in the model card:
    temperature = fit_temperature(probabilities, labels)
    calibrated = apply_temperature(probabilities, temperature)
    thresholds = {NOT_SURE_THRESHOLD: not_sure_threshold(calibrated, labels)}

Source of the temperature: Guo et al., On calibration of modern neural networks, ICML 2017,
https://arxiv.org/abs/1706.04599. It changes no verdict, only how sure the verdict claims to be.
"""

from __future__ import annotations

import numpy as np

TEMPERATURE_RANGE = (0.25, 10.0)  # beyond it a fit says more about the few photos than the model
CONFIDENCE_BINS = 15  # of equal width, as in Guo et al.
HIGHEST_THRESHOLD = 0.99  # above it most faces would be left without a verdict


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits `(n, classes)` into float64 probabilities of the same shape."""
    logits = np.asarray(logits, np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def probabilities_of(logits: np.ndarray) -> np.ndarray:
    """What logits `(n, outputs)` of softmax or, where it is one, of a sigmoid say; float32."""
    if logits.shape[1] == 1:
        return softmax(np.pad(logits, ((0, 0), (1, 0))))[:, 1:].astype(np.float32)
    return softmax(logits).astype(np.float32)


def are_logits(answers: np.ndarray) -> bool:
    """Whether what a network says of some pictures, `(n, outputs)`, can be no probabilities.

    PyTorch's classifiers leave softmax to the caller, most of Keras' have it inside.
    """
    has_sum_1 = answers.shape[1] == 1 or np.allclose(answers.sum(axis=1), 1, atol=1e-2)
    return not has_sum_1 or answers.min() < 0 or answers.max() > 1 + 1e-3


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits behind probabilities by the temperature.

    Args:
        probabilities: `(n, classes)` float, each row a distribution; 0 and 1 are legal.
        temperature: above 0; more than 1 makes the answers less sure, 1 leaves every bit alone.

    Returns:
        `(n, classes)` probabilities of the same dtype.
    """
    if temperature == 1.0:
        return probabilities
    return softmax(_logits(probabilities) / temperature).astype(probabilities.dtype)


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """Logits `(n, classes)` float64 up to a constant per row; a 0 becomes the least float32."""
    least = np.finfo(np.float32).tiny  # log 0 would be minus infinity
    return np.log(np.maximum(np.asarray(probabilities, np.float64), least))


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature that makes the labels most likely.

    Args:
        probabilities: `(n, classes)` of photos that were not trained on, as the model gives them.
        labels: `(n,)` the true classes' indices.

    Returns:
        The temperature of the least negative log likelihood within `TEMPERATURE_RANGE`; 1.0
        where nothing can be learned: no photos, or no verdict that is wrong (the likelihood
        would then grow with every step towards certainty).
    """
    from scipy.optimize import minimize_scalar

    labels = np.asarray(labels)
    if (probabilities.argmax(axis=1) == labels).all():
        return 1.0
    logits = _logits(probabilities)
    logits -= logits[np.arange(len(labels)), labels][:, None]  # of the true class: 0

    def loss(log_temperature: float) -> float:  # mean of -log p(true class)
        return float(np.logaddexp.reduce(logits / np.exp(log_temperature), axis=1).mean())

    found = minimize_scalar(
        loss, bounds=np.log(TEMPERATURE_RANGE), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def not_sure_threshold(
    probabilities: np.ndarray, labels: np.ndarray, least_accuracy: float = 0.99
) -> float:
    """Find the confidence below which a verdict had better be "not sure".

    Args:
        probabilities: `(n, classes)`, calibrated, of photos that were not trained on.
        labels: `(n,)` the true classes' indices.
        least_accuracy: how often the verdicts that remain shall be right, 0-1.

    Returns:
        The lowest confidence, 0-1, such that the verdicts given at or above it are right that
        often; 0.0 if all of them already are, and where there are no photos. At most
        `HIGHEST_THRESHOLD`, also where no confidence keeps the promise: then even the surest
        verdicts are wrong too often, and that is for the report to say, not for a threshold
        to mend. With few photos the promise is rough: 1 wrong in 99 is as good as 1 in 100.
    """
    right = probabilities.argmax(axis=1) == np.asarray(labels)
    if not len(right) or right.mean() >= least_accuracy:
        return 0.0
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    accuracy = np.cumsum(right) / np.arange(1, len(right) + 1)  # of the k surest verdicts
    is_last_of_its_kind = np.append(confidence[1:] != confidence[:-1], True)
    keeps = np.flatnonzero(is_last_of_its_kind & (accuracy >= least_accuracy))
    return float(min(confidence[keeps[-1]], HIGHEST_THRESHOLD)) if len(keeps) else HIGHEST_THRESHOLD


def bin_of(confidence: np.ndarray, bins: int = CONFIDENCE_BINS) -> np.ndarray:
    """Which of equally wide bins from 0 to 1 each confidence falls into; `(n,)`, as it is."""
    return np.minimum((confidence * bins).astype(int), bins - 1)


def reliability_bins(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = CONFIDENCE_BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort verdicts by their confidence into equally wide bins from 0 to 1.

    Args:
        probabilities: `(n, classes)`.
        labels: `(n,)` the true classes' indices.
        bins: how many.

    Returns:
        Of each bin how many verdicts it holds, their mean confidence, and which part of them is
        right: three arrays `(bins,)`; the latter two are 0 where a bin is empty.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == np.asarray(labels)
    filled = bin_of(confidence, bins)
    counts = np.bincount(filled, minlength=bins)
    sums = [np.bincount(filled, weights=values, minlength=bins) for values in (confidence, right)]
    return counts, *(total / np.maximum(counts, 1) for total in sums)
