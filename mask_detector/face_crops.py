"""Show training photos as the camera shows faces: cut out where the detector sees them.

A photo in which the detector finds exactly one face is trained on twice, whole and cut out, and
judged cut out. Whole photos alone teach a network that a face comes with hair, shoulders and a
background, which a face cut from a frame does not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mask_detector.cores import core_count
from mask_detector.face_detectors import FaceDetector, open_detector
from mask_detector.images import read_image
from mask_detector.types import SMALLEST_SIDE, FaceBox, Sample

_CONFIDENCE = 0.5
DETECT_SIZE = 224  # pixels; with more, faces that fill the photo are found in halves


def open_training_detector(folder: Path) -> FaceDetector:
    """The detector for training photos: sure of its faces, which are large there.

    It is OpenCV's run on every machine, so that each cuts out the same faces, whatever is prepared.

    Args:
        folder: of its weights.
    """
    return open_detector(
        "ssd-opencv", folder=folder, confidence=_CONFIDENCE, detect_size=DETECT_SIZE
    )


def add_face_crops(
    splits: dict[str, list[Sample]],
    new_detector: Callable[[], FaceDetector],
) -> dict[str, list[Sample]]:
    """Look for the face in every photo that has no box yet.

    Args:
        splits: samples per split; those with a box stay as they are.
        new_detector: makes a detector; each thread has its own.

    Returns:
        The splits, with the cut-out faces added in `train`, and in place of their photos in the
        others, which so hold one picture of each photo.
    """
    whole = {s.path: s for samples in splits.values() for s in samples if s.box is None}
    boxes = _only_faces(list(whole), new_detector)

    def as_seen(sample: Sample, split: str) -> list[Sample]:
        box = boxes.get(sample.path) if sample.box is None else None
        if box is None:
            return [sample]
        cut_out = dataclasses.replace(sample, box=box)
        return [sample, cut_out] if split == "train" else [cut_out]

    return {
        split: [view for sample in samples for view in as_seen(sample, split)]
        for split, samples in splits.items()
    }


def _only_faces(paths: list[Path], new_detector: Callable[[], FaceDetector]) -> dict[Path, FaceBox]:
    """The face of each photo that shows one alone, and large enough."""
    worker_count = min(4, core_count())
    detectors = [new_detector() for _ in range(worker_count)]

    def look(start: int) -> list[tuple[Path, FaceBox]]:
        found = []
        for path in paths[start::worker_count]:
            image_bgr = np.ascontiguousarray(read_image(path)[:, :, ::-1])
            boxes = detectors[start].detect(image_bgr)
            if len(boxes) == 1 and min(boxes[0].width, boxes[0].height) >= SMALLEST_SIDE:
                found.append((path, boxes[0]))
            bar.update()
        return found

    with (
        tqdm(
            total=len(paths),
            desc="looking for faces",
            unit="photo",
            disable=None,
        ) as bar,
        ThreadPoolExecutor(worker_count) as pool,
    ):
        return dict(pair for found in pool.map(look, range(worker_count)) for pair in found)
