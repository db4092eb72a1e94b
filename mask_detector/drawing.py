"""Draw boxes and verdicts: green with a mask, red without, amber worn wrongly, grey not sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from mask_detector.blurring import blur
from mask_detector.images import resized
from mask_detector.labels import NOT_SURE, Meaning, display_name, meaning_of
from mask_detector.lettering import label_of, thickness_at
from mask_detector.types import Face, FaceBox, Frame

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
_NOTE_COLOUR: Colour = (60, 60, 60)


def colour_of(face: Face) -> Colour:
    """The colour of a face's verdict, BGR."""
    return verdict_colour(face.label if face.is_sure else NOT_SURE, face.class_names)


def verdict_colour(verdict: str, class_names: Sequence[str]) -> Colour:
    """The colour of a class among others, or of `NOT_SURE`, BGR."""
    if verdict == NOT_SURE:
        return _NOT_SURE_COLOUR
    meaning = meaning_of(verdict)
    if meaning in _COLOURS:
        return _COLOURS[meaning]
    return _OTHER_COLOURS[class_names.index(verdict) % len(_OTHER_COLOURS)]


def caption(face: Face, *, with_id: bool = False) -> str:
    """The words above a box: `No Mask: 97.1%`, `Not sure: 71.0%`; numbered `3 Mask: 98.3%`."""
    verdict = display_name(face.label) if face.is_sure else NOT_SURE
    number = f"{face.track_id} " if with_id and face.track_id is not None else ""
    return f"{number}{verdict}: {face.confidence:.1%}"


@dataclass(frozen=True)
class AnnotatedFrame:
    """A frame and its faces, drawn once for all who show or keep the picture."""

    frame: Frame
    faces: list[Face]
    with_ids: bool = False  # number the tracks
    is_blurred: bool = False  # make faces unrecognisable
    missed: tuple[FaceBox, ...] = ()  # where faces were a moment ago that are not found now

    @cached_property
    def picture(self) -> np.ndarray:
        """The frame's image with every face boxed and named, `(h, w, 3)` uint8 BGR; read only."""
        return self.draw(is_blurred=self.is_blurred)

    def draw(self, *, is_blurred: bool) -> np.ndarray:
        """Draw the faces, blurred or not, `(h, w, 3)` uint8 BGR; read only."""
        image = self.frame.image
        if is_blurred:
            image = blur(image, [*(face.box for face in self.faces), *self.missed])
        return draw_faces(image, self.faces, with_ids=self.with_ids) if self.faces else image


def draw_faces(image: np.ndarray, faces: list[Face], *, with_ids: bool = False) -> np.ndarray:
    """Return a copy of an image `(h, w, 3)` uint8 BGR with every face boxed and named."""
    drawn = image.copy()
    scale = max(0.4, min(image.shape[:2]) / 800)
    for face in faces:
        box, colour = face.box, colour_of(face)
        corners = (box.left, box.top), (box.right - 1, box.bottom - 1)
        cv2.rectangle(drawn, *corners, colour, thickness_at(scale) + 1)
        _lay_caption(drawn, label_of(caption(face, with_id=with_ids), colour, scale), box)
    return drawn


def draw_note(image: np.ndarray, text: str, line: int = 0) -> np.ndarray:
    """Return a copy of an image `(h, w, 3)` uint8 BGR with words at its foot.

    Args:
        image: to be noted on.
        text: a short line.
        line: how many lines above the lowest.
    """
    noted = image.copy()
    label = label_of(text, _NOTE_COLOUR, max(0.4, min(image.shape[:2]) / 800))
    top = max(0, image.shape[0] - (line + 1) * label.shape[0])
    place = noted[top : top + label.shape[0], : label.shape[1]]
    place[:] = label[: place.shape[0], : place.shape[1]]
    return noted


def _lay_caption(image: np.ndarray, label: np.ndarray, box: FaceBox) -> None:
    """Lay a caption above the box or, at the upper edge, inside it; small pictures shrink it."""
    height, width = label.shape[:2]
    if width > image.shape[1]:
        height, width = max(1, round(height * image.shape[1] / width)), image.shape[1]
        label = resized(label, width, height)
    left = max(0, min(box.left, image.shape[1] - width))
    top = box.top - height + 1 if box.top >= height - 1 else box.top
    place = image[top : top + height, left : left + width]
    place[:] = label[: place.shape[0], : place.shape[1]]
