"""Judge a picture in several orientations and average: for things that lie any way up.

A quarter turn or a mirror is exact, it invents no pixel; yet a network answers each a little
otherwise, and the mean of its answers is right more often than any of them. Nothing is trained
for it, and each orientation costs as much as the first.

Source: Krizhevsky et al., ImageNet classification with deep convolutional neural networks, NIPS
2012, average over crops and mirrored pictures.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ALL_ORIENTATIONS = 8  # four quarter turns, and each of them mirrored

Answers = Callable[[np.ndarray], np.ndarray]  # (n, h, w, 3) pictures -> (n, classes)


def oriented(pictures: np.ndarray, orientation: int) -> np.ndarray:
    """Turn pictures, or maps of them, by quarters, and from the fifth orientation on mirror them.

    Args:
        pictures: `(n, side, side, ...)`.
        orientation: 0, as they are, to 7.

    Returns:
        The same shape and type.
    """
    turned = np.rot90(pictures, orientation % 4, axes=(1, 2))
    return np.ascontiguousarray(turned[:, :, ::-1] if orientation >= 4 else turned)


def upright(pictures: np.ndarray, orientation: int) -> np.ndarray:
    """Undo `oriented`."""
    turned = pictures[:, :, ::-1] if orientation >= 4 else pictures
    return np.ascontiguousarray(np.rot90(turned, -(orientation % 4), axes=(1, 2)))


def averaged(answers: Answers, orientations: int) -> Answers:
    """The mean of what is answered to the first so many orientations of each picture."""
    if orientations == 1:
        return answers
    return lambda pictures: np.mean(
        [answers(oriented(pictures, index)) for index in range(orientations)], axis=0
    )
