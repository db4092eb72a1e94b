"""How right a model is on faces that are small, and on faces that the picture's edge cuts off.

    python -m benchmarks.unclear_faces --boxes DIR --part val --model models/mask_detector.tflite

DIR holds photos with boxes. The faces are those that people marked, so no detector has
a say. To cut a face off, the photo is cropped through its box from each side in turn. From this
table on the validation part come `LEAST_FACE_SIDE` and `LEAST_FACE_VISIBLE` in
`mask_detector/types.py`: below them a verdict is "not sure". Prints markdown tables with 95 %
intervals.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.one_line_errors import errors_in_one_line
from mask_detector.chain.judging import annotated_photos, open_photos
from mask_detector.images import cut_out
from mask_detector.intervals import proportion
from mask_detector.labels import model_class_of
from mask_detector.mask_classifiers import MaskClassifier, load_classifier
from mask_detector.types import EDGES, FaceBox

SIDES = (0, 12, 16, 20, 24, 32, 48, 96)  # pixels, where a row of the first table begins
PARTS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)  # of a box that the second table's rows leave visible
LEAST_CUT_SIDE = 32  # pixels; only faces that are large enough are cut off


def cut_off(image: np.ndarray, box: FaceBox, edge: str, part: float) -> tuple[np.ndarray, FaceBox]:
    """Crop a photo through a box so that `part` of it stays; the box is clipped, too."""
    height, width = image.shape[:2]
    gone_x, gone_y = round(box.width * (1 - part)), round(box.height * (1 - part))
    left = box.left + gone_x if edge == "left" else 0
    top = box.top + gone_y if edge == "top" else 0
    right = box.right - gone_x if edge == "right" else width
    bottom = box.bottom - gone_y if edge == "bottom" else height
    moved = FaceBox(box.left - left, box.top - top, box.right - left, box.bottom - top, box.score)
    return image[top:bottom, left:right], moved.within(right - left, bottom - top)


def verdict(classifier: MaskClassifier, image: np.ndarray, box: FaceBox) -> int:
    """The class that a model sees in a box of a photo, uint8 BGR."""
    card = classifier.card
    crop = cut_out(image, box, card.crop_margin, card.image_size)
    return int(classifier.predict(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)[None])[0].argmax())


def marked_faces(
    boxes: Path, part: str, classifier: MaskClassifier
) -> Iterator[tuple[np.ndarray, FaceBox, int]]:
    """Photos, boxes and classes of the faces whose class the model knows."""
    for photo, image in open_photos(annotated_photos(boxes, part, split_seed=42)):
        for face in photo.faces:
            label = model_class_of(face.class_name, classifier.card.class_names)
            box = face.box.within(image.shape[1], image.shape[0])
            if label is not None and min(box.width, box.height) > 0:
                yield image, box, label


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boxes", type=Path, required=True, help="folder of photos with boxes")
    parser.add_argument("--part", default="val", choices=("all", "train", "val", "test"))
    parser.add_argument("--model", type=Path, default=Path("models/mask_detector.tflite"))
    args = parser.parse_args()
    with errors_in_one_line():
        print("\n".join(tables(args.boxes, args.part, load_classifier(args.model))))


def tables(boxes: Path, part: str, classifier: MaskClassifier) -> list[str]:
    """Lines of both tables."""
    names = classifier.card.class_names
    by_side: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    by_cut: dict[tuple[float, str], list[tuple[int, bool]]] = defaultdict(list)
    for image, box, label in marked_faces(boxes, part, classifier):
        shorter = min(box.width, box.height)
        row = max(side for side in SIDES if side <= shorter)
        by_side[row].append((label, verdict(classifier, image, box) == label))
        if shorter < LEAST_CUT_SIDE:
            continue
        for kept in PARTS:
            for edge in EDGES:
                shown = cut_off(image, box, edge, kept)
                by_cut[kept, edge].append((label, verdict(classifier, *shown) == label))
    lines = ["| shorter side, px | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for side in SIDES:
        cells = [_cell(by_side[side], label) for label in range(len(names))]
        lines.append(f"| from {side} | " + " | ".join(cells) + " |")
    lines += ["", "| visible | cut at | " + " | ".join(names) + " |"]
    lines.append("|---|---|" + "---|" * len(names))
    for kept in PARTS:
        for edge in EDGES:
            cells = [_cell(by_cut[kept, edge], label) for label in range(len(names))]
            lines.append(f"| {kept:.0%} | {edge} | " + " | ".join(cells) + " |")
    return lines


def _cell(judged: list[tuple[int, bool]], label: int) -> str:
    right = [is_right for each, is_right in judged if each == label]
    if not right:
        return "-"
    share = proportion(sum(right), len(right))
    return f"{share.value:.3f} ({share.low:.3f}-{share.high:.3f}), n {len(right)}"


if __name__ == "__main__":
    main()
