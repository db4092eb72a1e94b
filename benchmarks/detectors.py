"""What each face detector costs and finds on photos whose faces people have boxed.

    python -m benchmarks.detectors --boxes DIR --part test --json detectors.json

DIR holds photos with boxes. Prints a markdown table, a row per detector and size that
it sees, at its default confidence: frames per second and milliseconds of finding the faces alone;
the parts of the faces found, by class and by shorter side in pixels; false boxes per photo. Faces
are looked for in the photos as they are, as `evaluate --boxes` does. The time is the median over
some photos brought to 1280 pixels, all detectors in turn on each, so that whatever else the machine
does hits them alike; each is shown twice and the second pass counts, as the frames of a camera are
all of one size.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.one_line_errors import errors_in_one_line
from mask_detector.assets import face_folder
from mask_detector.benchmark.machine import processor_name, versions
from mask_detector.chain.evaluation import SMALL_SIDE, count_false_boxes, count_found
from mask_detector.chain.judging import annotated_photos, open_photos, score_photo
from mask_detector.commands.shared import DEFAULT_CONFIDENCES, WITH_PYRAMID
from mask_detector.cores import core_count
from mask_detector.detection_scores import ScoredPhoto, match
from mask_detector.errors import MaskDetectorError, writing
from mask_detector.evaluation import SIZE_EDGES, SIZE_NAMES
from mask_detector.face_detectors import FaceDetector, open_detector
from mask_detector.images import scaled
from mask_detector.labels import Meaning, display_name, meaning_of
from mask_detector.pyramid import open_pyramid, sizes_around
from mask_detector.types import ListedPhoto

CANDIDATES = (
    "ssd:300,ssd:400,ssd:600,ssd:400:pyramid,yunet:640,yunet:1280,yunet:640:pyramid,mtcnn:640,haar"
)
IOU = 0.4  # least overlap of a box with the face that it found
TIMED_SIDE = 1280  # longer side of the photos that are timed, in pixels
LARGE = f">={SMALL_SIDE}"
_ORDER = (Meaning.COMPLIANT, Meaning.WRONG, Meaning.MISSING, Meaning.OTHER)

Counts = dict[str, dict[str, tuple[int, int]]]  # class -> sizes -> faces found, annotated


@dataclass(frozen=True)
class Candidate:
    """A detector, and how large it sees the picture."""

    name: str
    detect_size: int = 0  # pixels; 0 for one that takes no size
    confidence: float = 0.0
    is_pyramid: bool = False  # looks at half and at twice the size, too

    @classmethod
    def parse(cls, text: str) -> Candidate:
        """Read `ssd:400`, `ssd:400:pyramid`, or `haar`."""
        found = re.fullmatch(r"([\w-]+)(?::(\d+)(:pyramid)?)?", text.strip())
        is_known = found and found[1] in DEFAULT_CONFIDENCES
        if not is_known or (found[3] and found[1] not in WITH_PYRAMID):
            raise MaskDetectorError(
                f"{text!r} is no detector; expected one of {', '.join(DEFAULT_CONFIDENCES)}, and "
                f"the pixels that it sees, as in ssd:400 or, of {', '.join(WITH_PYRAMID)}, "
                f"ssd:400:pyramid"
            )
        name, size, pyramid = found.groups()
        return cls(name, int(size or 0), DEFAULT_CONFIDENCES[name], bool(pyramid))

    def open(self, folder: Path) -> FaceDetector:
        """Open the detector that it stands for.

        Raises:
            MaskDetectorError: it can't be had here.
        """
        how = {"folder": folder, "confidence": self.confidence, "detect_size": self.detect_size}
        return (open_pyramid if self.is_pyramid else open_detector)(self.name, **how)


@dataclass
class Search:
    """What one detector found, and how long it took."""

    photos: list[ScoredPhoto] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    candidate: Candidate
    median_ms: float
    frames_per_s: float
    found: Counts
    false_boxes_per_photo: float


def open_candidates(candidates: list[Candidate], folder: Path) -> dict[Candidate, FaceDetector]:
    """Open what can be had here, and say what can not."""
    opened = {}
    for candidate in candidates:
        try:
            opened[candidate] = candidate.open(face_folder(folder))
        except MaskDetectorError as error:
            print(f"left out: {error}", file=sys.stderr)
    if not opened:
        raise MaskDetectorError("none of the detectors can be had here")
    return opened


def search(
    photos: list[ListedPhoto],
    class_names: list[str],
    detectors: dict[Candidate, FaceDetector],
    timed: int,
) -> dict[Candidate, Search]:
    """Look for faces in every photo, and take the time on `timed` of them, evenly spread."""
    labels = {name: index for index, name in enumerate(class_names)}
    searches = {candidate: Search() for candidate in detectors}
    timed_numbers = set(np.linspace(0, len(photos) - 1, min(timed, len(photos))).astype(int))
    for number, (photo, image) in enumerate(open_photos(photos)):
        for candidate, detector in detectors.items():
            boxes = detector.detect(image)
            unjudged = np.empty((len(boxes), 0))
            searches[candidate].photos.append(score_photo(photo, labels, boxes, unjudged))
        for candidate, detector in detectors.items() if number in timed_numbers else ():
            searches[candidate].times_ms.append(time_of(detector, scaled(image, TIMED_SIDE)))
    return searches


def time_of(detector: FaceDetector, image: np.ndarray) -> float:
    """Milliseconds of the second of two passes."""
    detector.detect(image)
    started = time.perf_counter()
    detector.detect(image)
    return 1000 * (time.perf_counter() - started)


def score(candidate: Candidate, searched: Search, class_names: list[str]) -> Row:
    """Count what was found."""
    photos = searched.photos
    matches = [match(photo.overlaps, photo.scores, IOU) for photo in photos]
    found = count_found(photos, matches, class_names)
    for sizes in found.values():
        sizes[LARGE] = tuple(
            sum(sizes[name][part] for name, edge in zip(SIZE_NAMES, SIZE_EDGES, strict=True)
                if edge >= SMALL_SIDE)
            for part in (0, 1)
        )  # fmt: skip
    median_ms = float(np.median(searched.times_ms))
    false_boxes = count_false_boxes(photos, IOU) / len(photos)
    return Row(candidate, median_ms, 1000 / median_ms, found, false_boxes)


def markdown(rows: list[Row]) -> str:
    """The table, after a line of what its cells hold."""
    first = rows[0].found
    shown = (*SIZE_NAMES, LARGE)
    classes = " / ".join(display_name(name).lower() for name in first)
    counts = "; ".join(
        f"{size} px: {' / '.join(str(sizes[size][1]) for sizes in first.values())}"
        for size in shown
    )
    head = ["detector", "sees", "frames/s (ms)", *(f"{size} px" for size in shown)]
    lines = [
        f"Found, at IoU {IOU}: {classes}. Faces: {counts}.",
        "",
        f"| {' | '.join([*head, 'false boxes per photo'])} |",
        "|" + "---|" * (len(head) + 1),
    ]
    for row in rows:
        size, is_pyramid = row.candidate.detect_size, row.candidate.is_pyramid
        sizes_seen = sizes_around(size) if is_pyramid else (size,)
        seen = f"{', '.join(map(str, sizes_seen))} px" if size else "all"
        cells = [
            f"{row.candidate.name} at {row.candidate.confidence:g}",
            seen,
            f"{row.frames_per_s:.3g} ({row.median_ms:.3g})",
            *(" / ".join(_part(sizes[size]) for sizes in row.found.values()) for size in shown),
            f"{row.false_boxes_per_photo:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _part(counts: tuple[int, int]) -> str:
    return f"{counts[0] / counts[1]:.2f}" if counts[1] else "-"


def report(args: argparse.Namespace) -> None:
    """Measure, print the table, and write every figure as JSON."""
    candidates = [Candidate.parse(text) for text in args.detectors.split(",")]
    photos = annotated_photos(args.boxes, args.part, args.split_seed)
    named = {face.class_name for photo in photos for face in photo.faces}
    class_names = sorted(named, key=lambda name: (_ORDER.index(meaning_of(name)), name))
    detectors = open_candidates(candidates, args.face)
    searches = search(photos, class_names, detectors, args.timed)
    rows = [score(candidate, found, class_names) for candidate, found in searches.items()]
    print(markdown(rows))
    machine = {"processor": processor_name(), "cores": core_count()} | versions()
    facts = ", ".join(f"{name} {value}" for name, value in machine.items())
    print(f"\n{len(photos)} photos ({args.part}); {facts}")
    if args.json:
        options = {"part": args.part, "split_seed": args.split_seed, "photos": len(photos)}
        timing = {"timed_photos": args.timed, "timed_side": TIMED_SIDE, "iou": IOU}
        figures = {"machine": machine, "detectors": [asdict(row) for row in rows]}
        with writing(args.json):
            args.json.write_text(json.dumps(options | timing | figures, indent=1) + "\n")


def main() -> None:
    """Read the options and report; what is wrong is told in one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boxes", type=Path, required=True, help="photos with boxes")
    parser.add_argument("--part", choices=("all", "train", "val", "test"), default="test")
    parser.add_argument("--split-seed", type=int, default=42, help="the training's --split-seed")
    parser.add_argument("--detectors", default=CANDIDATES, help="default: %(default)s")
    parser.add_argument("--timed", type=int, default=30, help="photos to time (default: 30)")
    parser.add_argument("--face", type=Path, default=Path("face_detector"), help="their weights")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure, too")
    args = parser.parse_args()
    with errors_in_one_line():
        report(args)


if __name__ == "__main__":
    main()
