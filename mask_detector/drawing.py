"""Draw boxes and verdicts: green with a mask, red without, amber worn wrongly, grey not sure."""

from __future__ import annotations

import cv2
import numpy as np

from mask_detector.labels import NOT_SURE, Meaning, display_name, meaning_of
from mask_detector.types import Face

Colour = tuple[int, int, int]  # BGR

_COLOURS: dict[Meaning, Colour] = {
    Meaning.COMPLIANT: (60, 180, 0),
    Meaning.WRONG: (0, 165, 255),
    Meaning.MISSING: (40, 40, 230),
}
_OTHER_COLOURS: tuple[Colour, ...] = (  # for classes that are not about masks, by their order
    (200, 120, 20), (180, 60, 180), (150, 150, 0), (90, 90, 90),
)  # fmt: skip
_NOT_SURE_COLOUR: Colour = (140, 140, 140)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def colour_of(face: Face) -> Colour:
    """The colour of a verdict, BGR."""
    if not face.is_sure:
        return _NOT_SURE_COLOUR
    meaning = meaning_of(face.label)
    if meaning in _COLOURS:
        return _COLOURS[meaning]
    return _OTHER_COLOURS[face.class_names.index(face.label) % len(_OTHER_COLOURS)]


def caption(face: Face) -> str:
    """The words above a box: `No Mask: 97.1%`, or `Not sure: 71.0%`."""
    verdict = display_name(face.label) if face.is_sure else NOT_SURE
    return f"{verdict}: {face.confidence:.1%}"


def draw_faces(image: np.ndarray, faces: list[Face]) -> np.ndarray:
    """Return a copy of an image `(h, w, 3)` uint8 BGR with every face boxed and named."""
    drawn = image.copy()
    scale = max(0.4, min(image.shape[:2]) / 800)
    for face in faces:
        box, colour = face.box, colour_of(face)
        corners = (box.left, box.top), (box.right - 1, box.bottom - 1)
        cv2.rectangle(drawn, *corners, colour, _thickness(scale) + 1)
        _draw_caption(drawn, caption(face), (box.left, box.top), colour, scale)
    return drawn


def _thickness(scale: float) -> int:
    return max(1, round(2 * scale))


def _draw_caption(
    image: np.ndarray, text: str, corner: tuple[int, int], colour: Colour, scale: float
) -> None:
    """White words on the box's colour, above the box or, at the upper edge, inside it."""
    thickness = _thickness(scale)
    (width, height), baseline = cv2.getTextSize(text, _FONT, scale, thickness)
    left, top = corner
    left = max(0, min(left, image.shape[1] - width))
    bottom = top if top >= height + 2 * baseline else top + height + 2 * baseline
    corners = (left, bottom - height - 2 * baseline), (left + width, bottom)
    cv2.rectangle(image, *corners, colour, cv2.FILLED)
    origin = (left, bottom - baseline)
    cv2.putText(image, text, origin, _FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)
