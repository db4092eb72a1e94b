"""Measure what following faces saves and steadies, clip by clip.

    python -m benchmarks.tracks --videos DIR --model models/mask_detector.tflite

Each face is classified in each frame, and the tracks are given only the verdicts they ask for; so
both are compared on the very same faces. Prints a markdown table: frames; faces per frame; how
many tracks they make up; verdicts asked for, as a part of all faces; how often the shown verdict
changes within a track, frame by frame and held ("not sure" counts as a verdict); of the faces that
are sure frame by frame, how many show that verdict held, and how many another; milliseconds that
the tracker itself takes per frame.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.one_line_errors import errors_in_one_line
from mask_detector.commands.shared import DEFAULT_CONFIDENCES, LIVE_SSD_SIZE
from mask_detector.face_detectors import open_detector
from mask_detector.labels import NOT_SURE
from mask_detector.mask_classifiers import load_classifier
from mask_detector.pipeline import Pipeline
from mask_detector.sources import open_source
from mask_detector.tracking import FaceTracker, TrackingOptions
from mask_detector.types import Face

HEADER = """\
| clip | frames | faces/frame | tracks | classified | changes | held | agree | oppose | ms |
|---|---|---|---|---|---|---|---|---|---|"""


@dataclass
class Clip:
    """What one clip showed."""

    frames: int = 0
    classified: int = 0
    update_ms: list[float] = field(default_factory=list)
    verdicts_of: dict[int, list[tuple[str, str]]] = field(default_factory=dict)  # single, held


def follow(path: Path, pipeline: Pipeline, tracker: FaceTracker, most_frames: int) -> Clip:
    """Play a clip."""
    clip = Clip()
    with open_source(str(path)) as source:
        for frame in source:
            if most_frames and frame.index >= most_frames:
                break
            boxes = pipeline.detector.detect(frame.image)
            single = {face.box: face for face in pipeline.judge(frame.image, boxes)}
            started_s = time.perf_counter()
            tracks = tracker.update(boxes, frame.time_s)
            due = [track for track in tracks if track.is_due]
            for track in due:
                track.observe(single[track.box].probabilities)
            faces = [track.face(is_clear=pipeline.is_clear(track.box)) for track in tracks]
            clip.update_ms.append((time.perf_counter() - started_s) * 1000)
            clip.classified += len(due)
            clip.frames += 1
            for face in faces:
                shown = verdict_of(single[face.box]), verdict_of(face)
                clip.verdicts_of.setdefault(face.track_id, []).append(shown)
    return clip


def verdict_of(face: Face) -> str:
    """What is written above a face."""
    return face.label if face.is_sure else NOT_SURE


def row(name: str, clip: Clip) -> str:
    """One line of the table."""
    tracks = list(clip.verdicts_of.values())
    shown = [pair for verdicts in tracks for pair in verdicts]
    faces = max(1, len(shown))
    sure = [(single, held) for single, held in shown if single != NOT_SURE]
    agreeing = sum(single == held for single, held in sure) / max(1, len(sure))
    opposing = sum(held not in (single, NOT_SURE) for single, held in sure) / max(1, len(sure))
    steps = [step for verdicts in tracks for step in pairwise(verdicts)]
    changes = [sum(old[kind] != new[kind] for old, new in steps) for kind in (0, 1)]
    return (
        f"| {name} | {clip.frames} | {len(shown) / max(1, clip.frames):.1f} | {len(tracks)} "
        f"| {clip.classified / faces:.1%} | {changes[0]} | {changes[1]} "
        f"| {agreeing:.1%} | {opposing:.1%} | {np.median(clip.update_ms):.2f} |"
    )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, required=True, help="a folder of clips")
    parser.add_argument("--model", type=Path, default=Path("models/mask_detector.tflite"))
    parser.add_argument("--face", type=Path, default=Path("face_detector"), help="its weights")
    parser.add_argument("--every", type=int, default=TrackingOptions.every, help="frames")
    parser.add_argument("--frames", type=int, default=0, help="of each clip; 0: all")
    args = parser.parse_args()
    with errors_in_one_line():
        detector = open_detector(
            "ssd",
            folder=args.face,
            confidence=DEFAULT_CONFIDENCES["ssd"],
            detect_size=LIVE_SSD_SIZE,
        )
        pipeline = Pipeline(detector, load_classifier(args.model))
        card, options = pipeline.classifier.card, TrackingOptions(every=args.every)
        print(HEADER)
        for path in sorted(args.videos.iterdir()):
            tracker = FaceTracker(card.class_names, pipeline.least_confidence, options)
            print(row(path.stem, follow(path, pipeline, tracker, args.frames)), flush=True)


if __name__ == "__main__":
    main()
