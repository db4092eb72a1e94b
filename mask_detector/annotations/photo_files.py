"""Which file of a folder is the photo that an annotation of the same name speaks of.

Data sets name photos oddly (`a.jpg_1088Wx1632H`), and lay other programs' files beside them.
"""

from __future__ import annotations

from pathlib import Path

_PICTURES = frozenset(
    (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".avif", ".heic")
)
_TEXTS = frozenset((".txt", ".xml", ".json", ".csv", ".yaml", ".yml", ".md"))


def photos_by_stem(folder: Path) -> dict[str, Path]:
    """The photos of a folder by name without suffix.

    Of files of one name the first with a picture's suffix is taken, else the first that is no text.
    """
    found: dict[str, Path] = {}
    for is_picture in (True, False):
        for path in sorted(folder.iterdir()):
            suffix = path.suffix.lower()
            if (suffix in _PICTURES) is is_picture and suffix not in _TEXTS:
                found.setdefault(path.stem, path)
    return found
