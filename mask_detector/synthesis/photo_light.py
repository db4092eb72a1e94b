"""What a photo says of its light and sharpness, so that what is drawn into it fits."""

from __future__ import annotations

import cv2
import numpy as np

from mask_detector.synthesis.head_pose import Head

_WHITE = 232.0  # what the brightest twentieth of a well exposed photo comes to
_MOST_SIGMA = 40.0  # pixels of a blur that is made on all pixels
FACE_MM = np.array([  # the face's outline, from the brows down
    (-56, -18, -20), (0, -24, 10), (56, -18, -20), (60, 40, -35), (50, 84, -35), (24, 110, -5),
    (0, 114, 0), (-24, 110, -5), (-50, 84, -35), (-60, 40, -35),
], float)  # fmt: skip


class FaceLight:
    """The light on a face: how strong, of which colour, and how it falls off across the face."""

    def __init__(self, image: np.ndarray, head: Head, cover: np.ndarray) -> None:
        """
        Args:
            image: `(h, w, 3)` uint8 BGR, nothing drawn yet.
            head: whose face.
            cover: `(h, w)` 0-1 where something will be drawn.
        """
        face = np.zeros(image.shape[:2], np.float32)
        outline = np.rint(head.project(FACE_MM)).astype(np.int32)
        cv2.fillConvexPoly(face, cv2.convexHull(outline), 1.0)
        pixels = image[face > 0].astype(np.float32)
        if not len(pixels):  # the face is beside the picture
            pixels = image.reshape(-1, 3).astype(np.float32)
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
        sigma = max(1.0, 0.3 * head.eye_distance)  # wide, or beard and lips would shine through
        weight = blurred(face, sigma)
        smooth = blurred(grey * face, sigma) / np.maximum(weight, 1e-3)
        level = float(smooth[cover > 0.5].mean()) if (cover > 0.5).any() else 1.0
        fall = np.clip(smooth / max(level, 1.0), 0.45, 1.6)
        self._fall = np.where(weight > 0.05, fall, 1.0)[..., None]
        brightest = _brightest(image, outline)
        self._strength = float(np.clip(brightest.mean() / _WHITE, 0.3, 1.08))
        self._tint = np.clip(brightest / max(1.0, brightest.mean()), 0.75, 1.25)
        self._is_grey = float(np.ptp(pixels, axis=1).mean()) < 4.0  # a black-and-white photo

    def on(self, cloth: np.ndarray) -> np.ndarray:
        """Cloth `(h, w, 3)` float32 BGR in white light, as it looks in this photo."""
        if self._is_grey:
            cloth = cv2.cvtColor(cloth.astype(np.float32), cv2.COLOR_BGR2GRAY)[..., None]
        return np.clip(cloth * self._fall * self._strength * self._tint**0.6, 0, 255)


def blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    """Blur `(h, w)` float32 by a Gaussian; a wide one, made in seconds, on fewer pixels."""
    shrink = int(sigma / _MOST_SIGMA) + 1
    if shrink == 1:
        return cv2.GaussianBlur(values, (0, 0), sigma)
    height, width = values.shape
    small = (max(1, width // shrink), max(1, height // shrink))
    fewer = cv2.resize(values, small, interpolation=cv2.INTER_AREA)
    fewer = cv2.GaussianBlur(fewer, (0, 0), sigma / shrink)
    return cv2.resize(fewer, (width, height), interpolation=cv2.INTER_LINEAR)


def softness(image: np.ndarray, head: Head) -> float:
    """How blurred a photo is at a face: the standard deviation in pixels of a blur like it.

    A photo that was enlarged loses nothing when it is made small and large again: the factor at
    which it first does tells what it was enlarged by.
    """
    places = head.project(FACE_MM)
    height, width = image.shape[:2]
    left, top = np.clip(places.min(axis=0), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(places.max(axis=0), (left + 1, top + 1), (width, height)).astype(int)
    face = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2GRAY).astype(np.float32)
    size = face.shape[1::-1]
    lost_least = 0.012 * max(20.0, float(np.ptp(face)))
    factor = 1.0
    for tried in (1.5, 2.0, 3.0, 4.0, 6.0):
        small = tuple(max(1, round(side / tried)) for side in size)
        if min(small) < 6:
            break
        smaller = cv2.resize(face, small, interpolation=cv2.INTER_AREA)
        back = cv2.resize(smaller, size, interpolation=cv2.INTER_CUBIC)
        if float(np.abs(back - face).mean()) > lost_least:
            break
        factor = tried
    return 0.45 * factor


def _brightest(image: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Mean colour of the brightest twentieth of a face and what is around it, `(3,)` BGR."""
    height, width = image.shape[:2]
    low, high = outline.min(axis=0), outline.max(axis=0)
    reach = (high - low) // 2
    left, top = np.clip(low - reach, 0, (width - 1, height - 1))
    right, bottom = np.clip(high + reach, (left + 1, top + 1), (width, height))
    around = image[top:bottom, left:right].reshape(-1, 3).astype(np.float32)
    levels = around.mean(axis=1)
    return around[levels >= np.quantile(levels, 0.95)].mean(axis=0)
