"""How a head is turned, from five points of its face; and where its other points then are.

    head = fit_head(points)  # eyes, tip of the nose, corners of the mouth
    head.project(np.array([[0.0, 110.0, 0.0]]))  # where the chin is in the picture, in pixels

The head is an average one in millimetres: between the eyes is 0, x goes to the picture's right, y
down, z towards the camera. It is seen from far (scaled orthographic projection).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Averages of adults; heights and the mouth's width as YuNet sees them on 130 frontal faces.
LANDMARKS_MM = np.array(
    [[-31.5, 0, 0], [31.5, 0, 0], [0, 38, 28], [-25, 64, 6], [25, 64, 6]], float
)
_EYE_DISTANCE_MM = 63.0
# How far points stray from an average face, and how far people turn and nod before a camera. Five
# points say little of nodding, which a long nose feigns: without this some heads look at the sky.
_POINT_SPREAD = 0.05  # of the distance between the eyes
_NOD_SPREAD, _TURN_SPREAD = 0.2, 0.7  # radians


@dataclass(frozen=True)
class Head:
    """Where an average head has to be to look as it does in the picture."""

    rotation: np.ndarray  # (3, 3)
    pixels_per_mm: float
    origin: np.ndarray  # (2,) the point between the eyes, in pixels

    @property
    def eye_distance(self) -> float:
        """Pixels between the eyes, were the head not turned."""
        return _EYE_DISTANCE_MM * self.pixels_per_mm

    def project(self, points_mm: np.ndarray) -> np.ndarray:
        """Where points `(..., 3)` of the head are in the picture, `(..., 2)` in pixels."""
        return self.turn(points_mm)[..., :2] * self.pixels_per_mm + self.origin

    def turn(self, points_mm: np.ndarray) -> np.ndarray:
        """Points or directions `(..., 3)` of the head as the camera sees them, in millimetres."""
        return points_mm @ self.rotation.T


def fit_head(landmarks: np.ndarray) -> Head:
    """Turn, scale and move the average head until its points meet those of a face.

    Args:
        landmarks: `(5, 2)` in pixels, in the order of `LANDMARKS_MM`.
    """
    from scipy.optimize import least_squares

    across = landmarks[1] - landmarks[0]
    size = max(1e-6, np.linalg.norm(landmarks - landmarks.mean(axis=0)))
    usual = np.linalg.norm(LANDMARKS_MM[:, :2] - LANDMARKS_MM[:, :2].mean(axis=0))
    scale = size / usual  # pixels per millimetre of a head that is not turned

    def head_of(values: np.ndarray) -> Head:
        nod, turn, roll, log_scale, *origin = values
        rotation = _rotation(nod, turn, roll)
        return Head(rotation, scale * np.exp(log_scale), landmarks[:2].mean(axis=0) + origin)

    def misses(values: np.ndarray) -> np.ndarray:
        apart = (head_of(values).project(LANDMARKS_MM) - landmarks) / (_EYE_DISTANCE_MM * scale)
        return np.append(
            apart.ravel() / _POINT_SPREAD, [values[0] / _NOD_SPREAD, values[1] / _TURN_SPREAD]
        )

    start = np.array([0, 0, np.arctan2(across[1], across[0]), 0, 0, 0])
    steps = np.array([1, 1, 1, 1, size, size])
    return head_of(least_squares(misses, start, x_scale=steps).x)


def _rotation(nod: float, turn: float, roll: float) -> np.ndarray:
    """First nodding (about x), then turning (about y), then rolling (about z); radians."""
    (c1, c2, c3), (s1, s2, s3) = np.cos((nod, turn, roll)), np.sin((nod, turn, roll))
    about_x = np.array([[1, 0, 0], [0, c1, -s1], [0, s1, c1]])
    about_y = np.array([[c2, 0, s2], [0, 1, 0], [-s2, 0, c2]])
    about_z = np.array([[c3, -s3, 0], [s3, c3, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
