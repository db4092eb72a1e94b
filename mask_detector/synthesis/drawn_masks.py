"""Draw masks on photos of bare faces: made-up pictures to train with, never to judge by.

    (head,) = finder.heads(image)
    drawn = draw_mask_on(image, head, MaskLook("surgical"), np.random.default_rng(1))

A mask is a surface on an average head that is turned as the face is (`head_pose.py`,
`mask_shapes.py`). Its cloth gets the light that falls on the face, the colour of that light, and
the sharpness of the photo. What real photos have besides (hands, hair and glasses before the mask)
is not drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from mask_detector.synthesis.head_pose import Head
from mask_detector.synthesis.mask_shapes import SHAPES, straps, surface
from mask_detector.synthesis.mask_textures import TEXTURES, texture
from mask_detector.synthesis.photo_light import FACE_MM, FaceLight, blurred, softness

STYLES = tuple(TEXTURES)
_COLUMNS, _ROWS = 96, 72  # patches of one colour that a mask is laid of
_FINE_EYE_DISTANCE = 160.0  # pixels between the eyes at which it is drawn, then brought to size
_MOST_FINENESS = 8
_STRAP_MM = 1.8
_STRAPS_BGR = (36, 36, 36), (222, 222, 220)  # of dark masks, of others
_REACH = 1.6  # distances between the eyes: beyond it neither light nor shadow of a mask reach
_SHADOW = 0.22  # part of the light that a mask's edge keeps from the skin beside it


@dataclass(frozen=True)
class MaskLook:
    """Which mask is drawn, and how it is worn."""

    style: str  # of `STYLES`
    is_under_nose: bool = False

    @property
    def name(self) -> str:
        """As it stands in the names of files."""
        return self.style + ("-under-nose" if self.is_under_nose else "")


def draw_mask_on(
    image: np.ndarray, head: Head, look: MaskLook, generator: np.random.Generator
) -> np.ndarray:
    """Return a copy of a photo with a mask drawn on one of its heads.

    Args:
        image: `(h, w, 3)` uint8 BGR.
        head: where it is and how it is turned.
        look: which mask, worn how.
        generator: chooses colour, folds and print.
    """
    sheet = surface(
        SHAPES.get(look.style, SHAPES["cloth"]),
        is_under_nose=look.is_under_nose,
        columns=_COLUMNS + 1,
        rows=_ROWS + 1,
    )
    cloth = texture(look.style, generator)
    drawn = image.copy()
    left, top, right, bottom = _surroundings(sheet, head, image.shape)
    if left < right and top < bottom:
        part = image[top:bottom, left:right]
        moved = replace(head, origin=head.origin - (left, top))
        drawn[top:bottom, left:right] = _with_mask(part, moved, sheet, cloth)
    return drawn


def _surroundings(
    sheet: np.ndarray, head: Head, shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """The part of the photo that has anything to do with the mask: left, top, right, bottom."""
    places = head.project(np.concatenate([sheet.reshape(-1, 3), FACE_MM]))
    reach = _REACH * head.eye_distance
    low, high = np.floor(places.min(axis=0) - reach), np.ceil(places.max(axis=0) + reach)
    left, top = np.clip(low, 0, shape[1::-1]).astype(int)
    right, bottom = np.clip(high, 0, shape[1::-1]).astype(int)
    return left, top, right, bottom


def _with_mask(image: np.ndarray, head: Head, sheet: np.ndarray, cloth: np.ndarray) -> np.ndarray:
    cover = _painted(sheet, cloth, head, image.shape)
    cover = cv2.GaussianBlur(cover, (0, 0), max(0.35, softness(image, head)))
    opacity = cover[..., 3:] / 255
    light = FaceLight(image, head, opacity[..., 0])
    lit = light.on(cover[..., :3])
    wide = blurred(opacity[..., 0], max(0.5, 0.05 * head.eye_distance))[..., None]
    skin = image * (1 - _SHADOW * wide)
    drawn = skin * (1 - opacity) + lit
    is_near = wide > 0.002  # all else stays as it is to the last bit
    return np.where(is_near, np.clip(np.rint(drawn), 0, 255), image).astype(np.uint8)


def _painted(
    sheet: np.ndarray, cloth: np.ndarray, head: Head, shape: tuple[int, ...]
) -> np.ndarray:
    """The mask alone, `(h, w, 4)` float32: BGR times opacity, and opacity; 0-255."""
    height, width = shape[:2]
    fineness = float(np.clip(np.ceil(_FINE_EYE_DISTANCE / head.eye_distance), 1, _MOST_FINENESS))
    reach = np.concatenate([sheet.reshape(-1, 3), *(ends for _, ends in straps(sheet))])
    places = head.project(reach)
    left, top = np.floor(np.clip(places.min(axis=0) - 2, 0, (width, height))).astype(int)
    right, bottom = np.ceil(np.clip(places.max(axis=0) + 2, 0, (width, height))).astype(int)
    whole = np.zeros((height, width, 4), np.float32)
    if left >= right or top >= bottom:
        return whole
    size = round((right - left) * fineness), round((bottom - top) * fineness)
    canvas = np.zeros((size[1], size[0], 4), np.uint8)

    def pixels(points: np.ndarray) -> np.ndarray:
        """In sixteenths of the canvas's pixels."""
        return np.rint((head.project(points) - (left, top)) * fineness * 16).astype(np.int32)

    strap_colour = _STRAPS_BGR[int(cloth.mean() > 90)]
    thickness = max(1, round(_STRAP_MM * head.pixels_per_mm * fineness))
    for side, ends in straps(sheet):
        if head.turn(np.array([side, 0.0, 0.0]))[2] > -0.2:  # else the cheek hides it
            line = [pixels(ends)]
            cv2.polylines(canvas, line, False, (*strap_colour, 255), thickness, cv2.LINE_8, 4)
    corners, colours = _patches(sheet, cloth, head)
    for corner, colour in zip(pixels(corners), colours.tolist(), strict=True):
        cv2.fillConvexPoly(canvas, corner, (*colour, 255), cv2.LINE_8, 4)
    painted = canvas.astype(np.float32)
    painted[..., :3] *= painted[..., 3:] / 255
    size = right - left, bottom - top
    whole[top:bottom, left:right] = cv2.resize(painted, size, interpolation=cv2.INTER_AREA)
    return whole


def _patches(sheet: np.ndarray, cloth: np.ndarray, head: Head) -> tuple[np.ndarray, np.ndarray]:
    """Patches of the sheet that the camera sees, the farthest first.

    Returns:
        Corners `(n, 4, 3)` in millimetres, and colours `(n, 3)` BGR with the shade of their slope.
    """
    corners = np.stack([sheet[:-1, :-1], sheet[:-1, 1:], sheet[1:, 1:], sheet[1:, :-1]], axis=2)
    normals = np.cross(
        sheet[:-1, 1:] - sheet[:-1, :-1] + sheet[1:, 1:] - sheet[1:, :-1],
        sheet[1:, :-1] - sheet[:-1, :-1] + sheet[1:, 1:] - sheet[:-1, 1:],
    )
    normals /= np.maximum(1e-9, np.linalg.norm(normals, axis=-1, keepdims=True))
    seen = head.turn(normals)
    slope = 0.80 + 0.25 * (seen @ np.array([0.0, -0.45, 0.9]))  # most light comes from above
    patches = cv2.resize(cloth, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA)
    colours = np.clip(patches * slope[..., None], 0, 255)
    depth = head.turn(corners.mean(axis=2))[..., 2]
    faces_camera = seen[..., 2] > 0
    order = np.argsort(depth[faces_camera])
    return corners[faces_camera][order], colours[faces_camera][order]
