"""Class activation maps: which places of a feature map speak for a class, in numbers that compare.

    maps = METHODS["hirescam"](features, gradients)  # (n, h, w), signed

`features` are what a convolutional layer gives for n pictures, `gradients` the derivative of the
class's score by each of them, both `(n, h, w, channels)`. Nothing is scaled to its own maximum,
as it is elsewhere: a map is in units of the score per picture, that is, how much the score would
gain if the whole picture were like that place, or rather all its places that have a say: where the
surest few decide (`spots`), or one of each four behind a pooling, the others' gradients are 0. A
flat map stays flat, and what speaks against the class is negative; a map's mean over the places
that have a say is what its features add to the score.

Sources: Selvaraju et al., Grad-CAM, ICCV 2017, https://arxiv.org/abs/1610.02391;
Chattopadhyay et al., Grad-CAM++, WACV 2018, https://arxiv.org/abs/1710.11063;
Jiang et al., LayerCAM, IEEE Transactions on Image Processing 30, 2021;
Draelos and Carin, Use HiResCAM instead of Grad-CAM, 2020, https://arxiv.org/abs/2011.08891. They
cut off what is negative in the end; here that is left to who looks at the map.

Where a network averages over all places behind the features, gradients are the same in every
place. Then Grad-CAM and HiResCAM are one, Grad-CAM++ and LayerCAM another. Where its head tells
places apart, Grad-CAM blurs what it should show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from mask_detector.images import resized
from mask_detector.types import FaceBox

# Heat below it is none: a picture that were all like its hottest place would move the class from
# 50 % to at most 73 %.
LEAST_HEAT = 1.0  # log-odds per picture
REGION_SHARE = 0.5  # of the hottest place's heat: what is hotter belongs to its region


@dataclass(frozen=True)
class Explanation:
    """What a network says of one picture, and which places speak for it."""

    heat: np.ndarray  # (h, w) float32 in the feature map's places: log-odds per picture, signed
    class_name: str  # the class that it speaks for or against
    class_names: tuple[str, ...]
    probabilities: tuple[float, ...]  # calibrated, one per class
    share: float = 1.0  # of the places, those that have a say

    @property
    def probability(self) -> float:
        """Of the class that the heat is about."""
        return self.probabilities[self.class_names.index(self.class_name)]

    @property
    def gain(self) -> float:
        """Log-odds that the places which speak for the class add up to."""
        return float(np.maximum(self.heat, 0).mean()) / self.share

    @property
    def loss(self) -> float:
        """Log-odds, 0 or negative, that the places which speak against it add up to."""
        return -float(np.maximum(-self.heat, 0).mean()) / self.share

    @property
    def is_cold(self) -> bool:
        """Whether no place speaks for the class."""
        return float(self.heat.max()) < LEAST_HEAT


def _grad_cam(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Weigh each channel by the mean of its gradients."""
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    return (weights * features).sum(axis=3)


def _grad_cam_plus_plus(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Weigh each channel by a mean of its positive gradients in which few places may outweigh many.

    The share of a place follows equation 19 and, as in the authors' own code
    (https://github.com/adityac94/Grad_CAM_plus_plus), the shares of a channel sum to 1. Their
    factor, the exponential of the score, is the same for every place and left out: it overflows.
    """
    # The derivation takes features for what a ReLU leaves; negative ones would turn shares round.
    sums = np.maximum(features, 0).sum(axis=(1, 2), keepdims=True)
    positive = np.maximum(gradients, 0)
    shares = np.where(positive > 0, 1 / (2 + sums * positive), 0)  # g² / (2 g² + sum g³)
    totals = shares.sum(axis=(1, 2), keepdims=True)
    shares = np.divide(shares, totals, out=np.zeros_like(shares), where=totals > 0)
    weights = (shares * positive).sum(axis=(1, 2), keepdims=True)
    return (weights * features).sum(axis=3)


def _layer_cam(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Weigh every place of every channel by its own gradient where that is positive."""
    return (np.maximum(gradients, 0) * features).sum(axis=3)


def _hires_cam(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Weigh every place of every channel by its own gradient, whatever its sign."""
    return (gradients * features).sum(axis=3)


def share_with_a_say(gradients: np.ndarray) -> np.ndarray:
    """Of each picture's places, `(n,)`, the part that the score depends on; 1 if it has none."""
    shares = (gradients != 0).any(axis=3).mean(axis=(1, 2))
    return np.where(shares > 0, shares, 1.0)


def _per_picture(
    method: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A place's part of the score, times the places with a say: the same units in any grid."""

    def scaled_method(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        maps = method(features, gradients)
        counts = share_with_a_say(gradients) * (maps.shape[1] * maps.shape[2])
        return (maps * counts[:, None, None]).astype(np.float32)

    return scaled_method


METHODS = {
    "gradcam": _per_picture(_grad_cam),
    "gradcam++": _per_picture(_grad_cam_plus_plus),
    "layercam": _per_picture(_layer_cam),
    "hirescam": _per_picture(_hires_cam),
}


def spread(heat: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bring a map `(h, w)` to a picture's size, `(height, width)`, smoothly and unscaled."""
    return resized(np.ascontiguousarray(heat, np.float32), width, height)


def hottest_region(
    heat: np.ndarray, width: int, height: int, share: float = REGION_SHARE
) -> FaceBox | None:
    """Box the hottest place with all around it that is nearly as hot.

    Args:
        heat: `(h, w)`, log-odds per picture.
        width: of the picture that the map belongs to, in pixels.
        height: likewise.
        share: of the hottest place's heat that the region keeps everywhere, 0-1. The authors of
            Grad-CAM take 0.15 for whole animals; faults are small.

    Returns:
        A box in pixels of the picture, its score the hottest place's heat; the whole picture where
        it is equally hot everywhere, and None where it is hot nowhere.
    """
    if float(heat.max()) < LEAST_HEAT:
        return None
    wide = spread(heat, width, height)
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(
        (wide >= share * wide.max()).astype(np.uint8)
    )
    number = numbers[np.unravel_index(wide.argmax(), wide.shape)]
    left, top, across, down = (int(value) for value in boxes[number, :4])
    return FaceBox(left, top, left + across, top + down, float(wide.max()))
