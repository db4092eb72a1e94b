"""Where the chain and those who marked the faces disagree: to be looked at, and mended.

    found = find_disagreements(judged, setting, iou=0.4)
    write_disagreements(found, judged, Path("judged"))

A box around no marked face counts as a mistake of the detector. Often it is one of the marks: who
boxes the faces of a crowd by hand leaves some out, and a good detector finds them.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mask_detector.chain.judging import JudgedPhotos, Setting
from mask_detector.detection_scores import ScoredPhoto, match, shorter_sides
from mask_detector.errors import writing
from mask_detector.images import fit, read_image
from mask_detector.montage import TILE_SIDE, Tile, draw_montage
from mask_detector.types import EDGES

_SHOWN = 64  # tiles of a sheet
_SURROUNDINGS = 3.0  # sides of a box that its tile shows
_QUESTIONED = (230, 40, 40)  # RGB of what a tile is about
_MARKED = (0, 180, 60)  # and of the faces that are marked


@dataclass(frozen=True)
class Disagreements:
    """Indices of the photo and, in it, of the box or the face."""

    iou: float  # of a box and the face that it found, at least
    false_boxes: tuple[tuple[int, int], ...]  # around no marked face, the surest first
    missed_faces: tuple[tuple[int, int], ...]  # that no box found, the largest first


def find_disagreements(judged: JudgedPhotos, setting: Setting, iou: float) -> Disagreements:
    """Match boxes with marked faces, and keep what is left over of both."""
    false_boxes, missed_faces = [], []
    for index, photo in enumerate(judged.at(setting)):
        is_false = photo.overlaps.max(axis=1, initial=0.0) < iou
        false_boxes += [(-photo.scores[i], index, i) for i in np.flatnonzero(is_false)]
        is_missed = ~np.isin(np.arange(len(photo.faces)), match(photo.overlaps, photo.scores, iou))
        sides = shorter_sides(photo.faces)
        missed_faces += [(-sides[i], index, i) for i in np.flatnonzero(is_missed)]
    return Disagreements(
        iou,
        tuple((index, int(i)) for _, index, i in sorted(false_boxes)),
        tuple((index, int(i)) for _, index, i in sorted(missed_faces)),
    )


def write_disagreements(
    found: Disagreements, judged: JudgedPhotos, setting: Setting, folder: Path
) -> None:
    """Write `false_boxes.png`, `missed_faces.png`, and `disagreements.csv` with all of both.

    Raises:
        MaskDetectorError: a file can't be written.
    """
    photos = judged.at(setting)
    rows = [
        *_rows("no marked face", found.false_boxes, judged, photos),
        *_rows("not found", found.missed_faces, judged, photos),
    ]
    path = folder / "disagreements.csv"
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            csv.writer(file).writerows([["what", "photo", *EDGES, "class", "score"], *rows])
    for name, title, places in (
        ("false_boxes", "boxes around no marked face, the surest first", found.false_boxes),
        ("missed_faces", "marked faces not found, the largest first", found.missed_faces),
    ):
        shown = places[:_SHOWN]
        tiles = [_tile(judged, photos, place, is_face=name == "missed_faces") for place in shown]
        draw_montage(tiles, folder / f"{name}.png", f"{len(shown)} of {len(places)} {title}")


def _rows(
    what: str,
    places: Sequence[tuple[int, int]],
    judged: JudgedPhotos,
    photos: Sequence[ScoredPhoto],
) -> list[list[object]]:
    """A line each: the photo, where in it, the class that it is marked or taken for, the score."""
    rows = []
    for index, i in places:
        photo = photos[index]
        if what == "not found":
            edges, label, score = photo.faces[i], photo.labels[i], ""
        else:
            edges, label = photo.boxes[i], photo.probabilities[i].argmax()
            score = f"{photo.scores[i]:.4f}"
        edges = [round(edge) for edge in edges.tolist()]
        rows.append([what, judged.paths[index], *edges, judged.class_names[label], score])
    return rows


def _tile(
    judged: JudgedPhotos,
    photos: Sequence[ScoredPhoto],
    place: tuple[int, int],
    *,
    is_face: bool,
) -> Tile:
    """A box or a face in the middle of its surroundings, with all marked faces there."""
    index, i = place
    photo = photos[index]
    if is_face:
        edges = photo.faces[i]
        words = f"{judged.class_names[photo.labels[i]]}, {shorter_sides(edges[None])[0]:.0f} px"
    else:
        edges, answer = photo.boxes[i], photo.probabilities[i]
        words = f"{photo.scores[i]:.2f} {judged.class_names[answer.argmax()]}"
    path = judged.paths[index]
    side = max(1, round(_SURROUNDINGS * max(edges[2] - edges[0], edges[3] - edges[1])))
    corner = np.rint((edges[:2] + edges[2:] - side) / 2).astype(int)
    picture = fit(_square(read_image(path), corner, side), TILE_SIDE)
    boxes = [(face, _MARKED) for face in photo.faces] + [(edges, _QUESTIONED)]
    for box, colour in boxes:
        ends = np.rint((box.reshape(2, 2) - corner) * TILE_SIDE / side).astype(int)
        cv2.rectangle(picture, *map(tuple, ends.tolist()), colour, 1)
    return Tile(picture, words, path.name)


def _square(image: np.ndarray, corner: np.ndarray, side: int) -> np.ndarray:
    """Cut `(side, side, 3)` out of a picture, black where the picture ends."""
    square = np.zeros((side, side, 3), np.uint8)
    (left, top), (height, width) = corner.tolist(), image.shape[:2]
    shown = image[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
    place = max(0, -top), max(0, -left)
    square[place[0] : place[0] + shown.shape[0], place[1] : place[1] + shown.shape[1]] = shown
    return square
