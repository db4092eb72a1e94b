"""The forms of masks on an average head, as surfaces in millimetres (see `head_pose.py`).

    shape = SHAPES["surgical"]
    points = surface(shape, is_under_nose=False, columns=96, rows=72)  # (72, 96, 3)

A surface is a sheet: u goes from the picture's left side (-1) to the right (1), v from the upper
edge (0) to the lower (1). Its middle line spans the face from the nose to below the chin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# The face's middle line: height and depth of bridge, tip and root of the nose, lips, chin, throat.
_PROFILE = np.array([
    (0, 8), (20, 18), (38, 28), (46, 15), (56, 17), (64, 15), (76, 10), (92, 13), (106, 4),
    (118, -16),
], float)  # fmt: skip
UNDER_NOSE_MM = 52.0  # where the upper edge of a mask runs that leaves the nose out
_EAR_MM = np.array([[69, 24, -78], [68, 44, -80]], float)  # upper and lower end of the right one


@dataclass(frozen=True)
class Shape:
    """What makes one form of mask unlike another; millimetres."""

    top: float  # height of the upper edge, at the middle line
    bottom: float
    side_top: float  # of the edges at the cheeks
    side_bottom: float
    half_width: tuple[float, float, float]  # above, in the middle, below
    side_depth: float = -42.0
    stand_off: tuple[float, ...] = (2.0, 2.0, 2.0, 2.0, 2.0)  # before the face, top to bottom
    roundness: float = 1.0  # of a cut across: below 1 flat in front, above 1 a ridge
    peak: float = 1.0  # of the outline: below 1 a rectangle's, above 1 pointed at nose and chin


SHAPES = {
    "surgical": Shape(17, 116, 34, 88, (59, 63, 57), stand_off=(1, 3, 6, 5, 1), peak=0.9),
    "cloth": Shape(14, 119, 42, 76, (62, 64, 55), stand_off=(1, 3, 5, 4, 1), peak=1.2),
    "ffp2": Shape(9, 116, 40, 84, (59, 61, 52), -42, (1, 9, 17, 11, 1), 1.7, peak=2.0),
    "duckbill": Shape(10, 114, 36, 86, (56, 58, 50), -42, (1, 18, 38, 16, 0), 0.75, peak=1.5),
}


def surface(shape: Shape, *, is_under_nose: bool, columns: int, rows: int) -> np.ndarray:
    """Points of the sheet, `(rows, columns, 3)`; row 0 is the upper edge."""
    v = np.linspace(0, 1, rows)[:, None]
    across = np.linspace(-1, 1, columns)[None, :]
    slip = UNDER_NOSE_MM - shape.top if is_under_nose else 0.0  # it slides down at the nose ...
    middle = shape.top + slip + v * (shape.bottom + 0.1 * slip - shape.top - slip)
    side = shape.side_top + 0.5 * slip + v * (shape.side_bottom - shape.side_top - 0.3 * slip)
    front = _taut(middle[:, 0])[:, None] + np.interp(
        v, np.linspace(0, 1, len(shape.stand_off)), shape.stand_off
    ) * (0.7 if is_under_nose else 1.0)
    half_width = np.interp(v, (0, 0.5, 1), shape.half_width)
    angle = across * np.pi / 2 * 0.999  # rounding must not take the cosine below 0
    bow = np.cos(angle) ** shape.roundness  # 1 at the middle line, 0 at the cheeks
    return np.stack(
        [
            half_width * np.sin(angle) * np.ones_like(v),
            side + (middle - side) * np.cos(angle) ** shape.peak,
            shape.side_depth + (front - shape.side_depth) * bow,
        ],
        axis=-1,
    )


def straps(sheet: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Loops from the cheeks to the ears: the side (-1 or 1) and `(2, 3)` ends of each strap."""
    found = []
    for sign, column in ((-1.0, 0), (1.0, -1)):
        ears = _EAR_MM * (sign, 1, 1)
        for row, ear in ((2, ears[0]), (-3, ears[1])):
            found.append((sign, np.stack([sheet[row, column], ear])))
    return found


def _taut(heights: np.ndarray) -> np.ndarray:
    """How deep cloth lies that is drawn over the face between its edges: it spans the hollows."""
    inner = _PROFILE[(heights[0] < _PROFILE[:, 0]) & (_PROFILE[:, 0] < heights[-1])]
    ends = [(y, np.interp(y, *_PROFILE.T)) for y in (heights[0], heights[-1])]
    hull: list[np.ndarray] = []
    for point in np.array([ends[0], *inner, ends[1]]):
        while len(hull) > 1 and _turns_inward(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return np.interp(heights, *np.array(hull).T)


def _turns_inward(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> bool:
    """Whether the middle one of three points lies behind the line between the others."""
    (y1, z1), (y2, z2) = second - first, third - first
    return z1 * y2 <= z2 * y1
