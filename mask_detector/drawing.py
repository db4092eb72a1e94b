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


def caption(face: Face, *, with_id: bool = False, is_short: bool = False) -> str:
    """The words at a box: `No Mask: 97.1%`, `Not sure: 71.0%`, `Not sure` where it is not clear.

    Args:
        face: what was said of it.
        with_id: begin with the number of its track: `3 Mask: 98.3%`.
        is_short: leave the verdict to the colour: `98%`, `?` where it is not sure.
    """
    if is_short:
        words = f"{face.confidence:.0%}" if face.is_sure else "?"
    elif face.is_clear:
        verdict = display_name(face.label) if face.is_sure else NOT_SURE
        words = f"{verdict}: {face.confidence:.1%}"
    else:  # too small or cut off: whatever the classifier says of it counts for nothing
        words = NOT_SURE
    return f"{face.track_id} {words}" if with_id and face.track_id is not None else words


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
    """Return a copy of an image `(h, w, 3)` uint8 BGR with every face boxed and named.

    No caption covers another face or caption: where there is no room it is short, or left out.
    """
    drawn = image.copy()
    scale = max(0.4, min(image.shape[:2]) / 800)
    for face in faces:
        box = face.box
        corners = (box.left, box.top), (box.right - 1, box.bottom - 1)
        cv2.rectangle(drawn, *corners, colour_of(face), thickness_at(scale) + 1)
    edges = [face.box.edges for face in faces]
    laid: list[tuple[int, int, int, int]] = []
    by_size = sorted(range(len(faces)), key=lambda i: -faces[i].box.width * faces[i].box.height)
    for index in by_size:  # the nearest are named first
        others = np.array(edges[:index] + edges[index + 1 :] + laid).reshape(-1, 4)
        for is_short in (False, True):
            words = caption(faces[index], with_id=with_ids, is_short=is_short)
            label = _shrunk(label_of(words, colour_of(faces[index]), scale), image.shape[1])
            if place := _free_place(label.shape[:2], faces[index].box, image.shape[:2], others):
                left, top, right, bottom = place
                drawn[top:bottom, left:right] = label[: bottom - top]
                laid.append(place)
                break
    return drawn


def _shrunk(label: np.ndarray, width: int) -> np.ndarray:
    """A caption no wider than the picture."""
    if label.shape[1] <= width:
        return label
    return resized(label, width, max(1, round(label.shape[0] * width / label.shape[1])))


def _free_place(
    size: tuple[int, int], box: FaceBox, shape: tuple[int, int], others: np.ndarray
) -> tuple[int, int, int, int] | None:
    """Where a caption covers none of the others: above its box, below it, or in a large one.

    Args:
        size: height and width of the caption.
        box: of its face.
        shape: height and width of the picture.
        others: `(n, 4)` left, top, right and bottom of what must stay free.

    Returns:
        Left, top, right and bottom in the picture; None where there is no such place.
    """
    (height, width), (most_down, most_right) = size, shape
    left = max(0, min(box.left, most_right - width))
    above, below = box.top - height + 1, box.bottom - 1
    tops = [top for top in (above, below) if top >= 0 and top + height <= most_down]
    if 2 * height <= box.height:
        tops.append(max(0, box.top))
    for top in tops:
        place = left, top, left + width, min(top + height, most_down)
        is_apart = (
            (others[:, 0] >= place[2]) | (others[:, 2] <= place[0])
            | (others[:, 1] >= place[3]) | (others[:, 3] <= place[1])
        )  # fmt: skip
        if is_apart.all():
            return place
    return None


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
