"""Recognise copies of a photo: the same file, or the same picture in other pixels.

A pair counts as near duplicates when its perceptual hashes differ in at most 12 of 64 bits and
its 32x32 thumbnails, each less the data set's mean thumbnail, correlate by 0.9 or more; mirrored
copies too. Hashes alone cannot do it: at 12 bits they join four strangers for every copy among
faces, and at 6 bits nearly all photos of a set in which every photo shows the same casting. What
is left after the mean is taken away is what makes a photo this one and no other.

Where all photos of a set are alike, this is still too coarse, and a copy that was turned is as good
as a new photo: there the thumbnails have to correlate by 0.97, and turned copies are looked for
(see `turned_copies`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import imagehash
import numpy as np
from PIL import Image

from mask_detector.copies.turned_copies import turned_copies, unit_rows
from mask_detector.file_hash import sha256_of
from mask_detector.images import read_image

MOST_BITS = 12
LEAST_CORRELATION = 0.9
LEAST_OF_ALIKE = 0.97  # where all photos are alike: strangers among castings had up to .946
_THUMBNAIL_SIDE = 32
_ENOUGH_FOR_A_MEAN = 50  # photos
_ALIKE = 0.4  # mean correlation of two photos: .58 among castings, .18 among face crops
_CHUNK = 256  # rows of the distance matrix held at once: 0.2 GB for 100,000 photos


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a decoded photo: about 1 KB, whatever its size."""

    path: Path  # where it was read
    file_hash: str  # SHA-256 of the file's bytes
    picture_hash: np.uint64  # 64-bit perceptual hash (DCT of the grey picture)
    mirrored_hash: np.uint64
    thumbnail: np.ndarray  # (32, 32) uint8 grey
    width: int
    height: int
    contrast: float  # standard deviation of the grey values, 0-128


def fingerprint(path: Path) -> Fingerprint:
    """Decode a photo and sum it up.

    Raises:
        UnreadableImageError: see `images.read_image`.
    """
    image = read_image(path)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    side = (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
    return Fingerprint(
        path=path,
        file_hash=sha256_of(path),
        picture_hash=_perceptual_hash(grey),
        mirrored_hash=_perceptual_hash(grey[:, ::-1]),
        thumbnail=cv2.resize(grey, side, interpolation=cv2.INTER_AREA),
        width=image.shape[1],
        height=image.shape[0],
        contrast=float(cv2.meanStdDev(image)[1].max()),  # numpy takes longer than all the rest
    )


def _perceptual_hash(grey: np.ndarray) -> np.uint64:
    bits = imagehash.phash(Image.fromarray(grey)).hash.ravel()
    return np.packbits(bits).view(np.uint64)[0]


def near_duplicates(fingerprints: list[Fingerprint]) -> np.ndarray:
    """Find the pairs that show the same picture, by the rule at the top of this file.

    Returns:
        `(pairs, 2)` indices, the smaller first; exact copies included.
    """
    if len(fingerprints) < 2:
        return np.empty((0, 2), np.int64)
    if not _are_alike(fingerprints):
        return _lying_alike(fingerprints, LEAST_CORRELATION)
    lying = _lying_alike(fingerprints, LEAST_OF_ALIKE)
    turned = turned_copies([f.path for f in fingerprints])
    return np.unique(np.concatenate([lying, turned]), axis=0)


def _are_alike(fingerprints: list[Fingerprint]) -> bool:
    """Whether all photos seem to show one kind of thing in the same place."""
    if len(fingerprints) < _ENOUGH_FOR_A_MEAN:
        return False
    vectors = unit_rows(np.stack([f.thumbnail for f in fingerprints]))
    return float(np.square(vectors.mean(axis=0)).sum()) >= _ALIKE  # the mean of all dot products


def _lying_alike(fingerprints: list[Fingerprint], least_correlation: float) -> np.ndarray:
    """Pairs that look the same as they are, or when one of them is mirrored."""
    hashes = np.array([f.picture_hash for f in fingerprints])
    mirrored = np.array([f.mirrored_hash for f in fingerprints])
    thumbnails = np.stack([f.thumbnail for f in fingerprints])
    vectors, mirrored_vectors = _centred(thumbnails), _centred(thumbnails[:, :, ::-1])
    found = []
    for start in range(0, len(hashes), _CHUNK):
        rows = hashes[start : start + _CHUNK, None]
        for other_hashes, other_vectors in ((hashes, vectors), (mirrored, mirrored_vectors)):
            bits = np.bitwise_count(rows ^ other_hashes[None, :])
            first, second = np.nonzero(bits <= MOST_BITS)
            first += start
            first, second = first[first < second], second[first < second]
            correlation = np.einsum("ij,ij->i", vectors[first], other_vectors[second])
            same = correlation >= least_correlation
            found.append(np.stack([first[same], second[same]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _centred(thumbnails: np.ndarray) -> np.ndarray:
    """Unit vectors `(n, 1024)` less their mean, so that a dot product is a correlation.

    Of two photos alone the mean is halfway between them and would hide any likeness: it is
    taken away only where there are enough photos for a mean to show what all have in common.
    """
    vectors = unit_rows(thumbnails)
    if len(vectors) < _ENOUGH_FOR_A_MEAN:
        return vectors
    return unit_rows(vectors - vectors.mean(axis=0))
