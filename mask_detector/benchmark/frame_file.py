"""A file of raw frames, read one by one.

Use:
    file = FrameFile.write(images, Path("frames.raw"))  # (n, h, w, 3) uint8 BGR
    for frame in file.frames(begin=0, count=100):
        ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mask_detector.errors import writing
from mask_detector.types import Frame

FPS = 30.0  # of the frames' own clock


@dataclass(frozen=True)
class FrameFile:
    """Raw frames in a file, read one by one as a camera's driver hands them over: a copy each.

    Held in memory instead, they would weigh more than a whole loop.
    """

    path: Path
    width: int
    height: int
    count: int

    @classmethod
    def write(cls, images: np.ndarray, path: Path) -> FrameFile:
        """Write `(n, h, w, 3)` uint8 BGR."""
        with writing(path):
            images.tofile(path)
        count, height, width = images.shape[:3]
        return cls(path, width, height, count)

    def frames(self, begin: int, count: int) -> Iterator[Frame]:
        """Give `count` frames from number `begin` on, round and round, 30 to the second."""
        size = self.height * self.width * 3
        with self.path.open("rb") as file:
            for index in range(begin, begin + count):
                file.seek(index % self.count * size)
                image = np.fromfile(file, np.uint8, size).reshape(self.height, self.width, 3)
                yield Frame(image, index, index / FPS, "benchmark")
