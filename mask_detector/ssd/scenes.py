"""Pictures to make the SSD's files by: scenes of one real portrait, and photos.

The portrait is matplotlib's (see `demo.py`): bare and masked, near and far, in many lights, before
smooth backgrounds of any colour. Measured on street photos, eight bits set by these scenes find as
many faces as eight bits set by other street photos; so every machine makes the same file. What
matters is that some faces fill the scene: without them the coarsest grids of boxes overflow.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from mask_detector.demo import masked_portrait, portrait
from mask_detector.errors import MaskDetectorError, UnreadableImageError
from mask_detector.images import read_image
from mask_detector.sources import photos_in
from mask_detector.types import FaceBox

_SIZE = (480, 640)  # height and width of a scene in pixels, a usual camera's
_MOST_FACES = 6
# Least and greatest height of a face, as parts of the scene's; any is as likely as twice it.
ANY_HEIGHT = (0.05, 1.5)
USUAL_HEIGHTS = (0.15, 0.9)  # before a camera; fewer faces of which a detector is half sure
_FEATHER = 0.06  # of the portrait's width: where it fades into the background


def made_up_scenes(
    box: FaceBox, scene_count: int, seed: int, heights: tuple[float, float] = ANY_HEIGHT
) -> Iterator[np.ndarray]:
    """Make scenes, the same ones for the same seed.

    Args:
        box: of the portrait's face.
        scene_count: how many.
        seed: of all that is drawn by lot.
        heights: of faces, as parts of the scene's.

    Yields:
        `(480, 640, 3)` uint8 BGR.
    """
    generator = np.random.default_rng(seed)
    looks = [portrait(), masked_portrait()]
    for _ in range(scene_count):
        scene = _background(generator)
        count = generator.integers(1, _MOST_FACES + 1)
        pixels = _SIZE[0] * np.exp(generator.uniform(*np.log(heights), count))
        for height in sorted(pixels, reverse=True):  # the near would hide the far
            _paste(scene, looks[generator.integers(2)], box, height, generator)
        yield _in_some_light(scene, generator)


def _background(generator: np.random.Generator) -> np.ndarray:
    """Colours that flow into each other; hard edges would spend steps on what photos lack."""
    coarse = generator.uniform(0, 255, (*generator.integers(2, 9, 2), 3)).astype(np.float32)
    scene = cv2.resize(coarse, _SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(scene, 0, 255)


def _paste(
    scene: np.ndarray,
    look: np.ndarray,
    box: FaceBox,
    height: float,
    generator: np.random.Generator,
) -> None:
    """Lay the portrait into the scene, its face `height` pixels high and wherever."""
    scale = height / box.height
    middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    transform = cv2.getRotationMatrix2D(middle, generator.uniform(-20, 20), scale)
    transform[:, 2] += generator.uniform(0.1, 0.9, 2) * _SIZE[::-1] - middle
    if generator.random() < 0.5:  # mirrored where it stands
        transform[0] = -transform[0]
        transform[0, 2] += _SIZE[1]
    opacity = np.zeros(look.shape[:2], np.float32)
    border = round(_FEATHER * look.shape[1])
    opacity[border:-border, border:-border] = 1
    opacity = cv2.blur(opacity, (2 * border + 1, 2 * border + 1))
    softened = cv2.GaussianBlur(look, (0, 0), max(0.3, 0.4 / scale))  # or it would alias
    placed, cover = (
        cv2.warpAffine(picture, transform, _SIZE[::-1]) for picture in (softened, opacity)
    )
    scene += (placed - scene) * cover[..., None]


def _in_some_light(scene: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Brightness and tint of some lamp, and a camera's noise."""
    gamma = np.exp(generator.uniform(-0.4, 0.4))
    tint = generator.uniform(0.92, 1.08, 3).astype(np.float32)
    noise = generator.standard_normal(scene.shape, np.float32)
    scene = 255 * (scene / 255) ** np.float32(gamma) * tint
    scene += np.float32(generator.uniform(0, 4)) * noise
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8)


class JudgedPictures:
    """What two runs of the detector are compared on: a folder's photos, else made-up scenes."""

    PROBE_COUNT = 3

    def __init__(self, folder: Path | None, box: FaceBox, count: int) -> None:
        """
        Args:
            folder: of photos; of many, they are taken evenly.
            box: of the portrait's face, for scenes.
            count: how many at most.

        Raises:
            MaskDetectorError: the folder holds no picture.
        """
        self._folder, self._box, self._count = folder, box, count
        self.name = f"photos of {folder}" if folder else "scenes made of a portrait"
        if folder and not self.probes:  # scenes take a while, and can always be made
            raise MaskDetectorError(f"{folder} holds no picture that can be read; expected photos")

    @cached_property
    def probes(self) -> list[np.ndarray]:
        """The first few, on which raw numbers are compared."""
        return list(islice(self, self.PROBE_COUNT))

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields `(h, w, 3)` uint8 BGR, the same ones each time."""
        if self._folder is None:
            yield from self._scenes
            return
        paths = photos_in(self._folder)
        for path in paths[:: -(-len(paths) // self._count)]:
            try:
                yield cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)
            except UnreadableImageError:
                continue  # a list of labels or the like

    @cached_property
    def _scenes(self) -> list[np.ndarray]:
        """Kept, as making one takes longer than looking at it does; 250 are 230 MB."""
        # Another seed than that of the scenes which set the eight bits.
        scenes = made_up_scenes(self._box, self._count, seed=2, heights=USUAL_HEIGHTS)
        return list(scenes)
