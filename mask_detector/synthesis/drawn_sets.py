"""Draw masks on a folder of photos of bare faces, as an extra source to train with.

result = draw_on_folder(photos, {False: Path("set/with_mask"), True: Path("set/worn_wrongly")}, ...)
"""

from __future__ import annotations

import logging
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mask_detector.errors import UnreadableImageError
from mask_detector.images import read_image, write_picture
from mask_detector.photo_names import drawn_name, is_drawn
from mask_detector.synthesis.drawn_masks import STYLES, MaskLook, draw_mask_on
from mask_detector.synthesis.face_landmarks import HeadFinder

logger = logging.getLogger(__name__)

_QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 95)


@dataclass(frozen=True)
class DrawOptions:
    """Which masks are drawn."""

    styles: tuple[str, ...] = STYLES
    under_nose: float = 0.0  # share of the photos whose masks leave the nose out, 0-1
    seed: int = 42  # of all that is drawn by lot


@dataclass
class DrawResult:
    """How many photos got masks, and why others did not."""

    written: Counter[str] = field(default_factory=Counter)  # by the look of the mask
    present: int = 0  # files that were there before, and were left as they are
    faceless: int = 0  # photos in which no face was found
    unreadable: int = 0


def draw_on_folder(
    photos: Sequence[Path],
    folder_of: dict[bool, Path],
    finder: HeadFinder,
    options: DrawOptions | None = None,
) -> DrawResult:
    """Write a copy of each photo with a mask on every face; no file is ever written over.

    What is drawn on a photo follows from the seed and its name alone, so that photos that come or
    go change no other.

    Args:
        photos: of bare faces; those whose masks are drawn on already are passed over.
        folder_of: where copies go, by whether the mask is worn under the nose.
        finder: what finds the heads.
        options: which masks.

    Raises:
        MaskDetectorError: a picture can't be written.
    """
    options = options or DrawOptions()
    result = DrawResult()
    bare = [path for path in photos if not is_drawn(path)]
    for path in tqdm(bare, "drawing", unit="photo", disable=None):
        generator = np.random.default_rng(
            [options.seed, zlib.crc32(path.name.encode(errors="replace"))]
        )
        is_under_nose = bool(generator.random() < options.under_nose)
        look = MaskLook(options.styles[generator.integers(len(options.styles))], is_under_nose)
        target = folder_of[is_under_nose] / f"{drawn_name(path, look.name)}.jpg"
        if target.exists():
            result.present += 1
            continue
        try:
            image = cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)
        except UnreadableImageError as error:
            logger.warning("left out: %s", error)
            result.unreadable += 1
            continue
        heads = finder.heads(image)
        for head in heads:
            image = draw_mask_on(image, head, look, generator)
        if heads:
            write_picture(image, target, _QUALITY)
            result.written[look.name] += 1
        else:
            result.faceless += 1
    return result
