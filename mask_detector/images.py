"""Decode any picture, cut faces out of it, and bring crops to the model's size.

Training and run time both go through these functions, so a face looks the same to the model in
both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mask_detector.errors import UnreadableImageError, writing
from mask_detector.replacing import replacing
from mask_detector.types import FaceBox

if TYPE_CHECKING:
    from PIL import Image


def read_image(path: Path | str) -> np.ndarray:
    """Decode a picture file by its content, whatever its suffix.

    EXIF rotation is applied, transparency is laid over white, grey becomes three equal
    channels, 16 bits per channel are scaled to 8, and of an animation the first frame is taken.

    Returns:
        `(h, w, 3)` uint8 RGB.

    Raises:
        UnreadableImageError: no picture, a damaged one, or a kind that Pillow does not know.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(_to_rgb(_upright(image)))
    except FileNotFoundError as error:
        raise UnreadableImageError(f"no such picture: {path}") from error
    except UnidentifiedImageError as error:
        raise UnreadableImageError(f"not a picture: {path}") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImageError(f"picture of too many pixels: {path} ({error})") from error
    except (OSError, ValueError, SyntaxError, MemoryError) as error:
        raise UnreadableImageError(f"damaged picture: {path} ({error})") from error
    except Exception as error:  # Pillow's readers raise struct.error, IndexError and more
        raise UnreadableImageError(f"damaged picture: {path} ({error!r})") from error


def upright_size(path: Path | str) -> tuple[int, int]:
    """Width and height in pixels of what `read_image` gives, from the file's head alone.

    Raises:
        UnreadableImageError: no picture, or a kind that Pillow does not know.
    """
    from PIL import ExifTags, Image

    try:
        with Image.open(path) as image:
            is_on_its_side = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
            return image.size[::-1] if is_on_its_side else image.size
    except Exception as error:  # Pillow's readers raise struct.error, IndexError and more
        raise UnreadableImageError(f"not a picture: {path} ({error!r})") from error


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    image.load()  # what is wrong with the pixels themselves shows here
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block says nothing about the pixels
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_deep_grey_to_8_bit(np.asarray(image)))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _deep_grey_to_8_bit(grey: np.ndarray) -> np.ndarray:
    """Scale 16-bit, 32-bit or float grey by the range its values use: 0-1, 0-255 or 0-65535."""
    values = np.nan_to_num(grey.astype(np.float64))
    top = values.max(initial=0.0)
    if np.issubdtype(grey.dtype, np.floating) and top <= 1.0:
        values = values * 255.0
    elif top > 255.0 or (grey.dtype.kind == "u" and grey.dtype.itemsize == 2):
        values = values / 257.0
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def crop_face(image: np.ndarray, box: FaceBox, margin: float) -> np.ndarray:
    """Cut a face out with some of its surroundings, as far as the picture reaches.

    Args:
        image: `(h, w, 3)`, either channel order.
        box: the face.
        margin: how far to go beyond the box on each side, as a fraction of its width (left
            and right) and height (top and bottom).

    Returns:
        A view `(h', w', 3)` of the picture, at least one pixel each way.
    """
    shown = box.widened(margin).within(image.shape[1], image.shape[0])
    return image[shown.top : shown.bottom, shown.left : shown.right]


def write_picture(image: np.ndarray, path: Path, parameters: Sequence[int] = ()) -> None:
    """Write `(h, w, 3)` uint8 BGR as the path's suffix says, whole or not at all.

    Args:
        image: the picture.
        path: the file; its folder is made where it is missing.
        parameters: as `cv2.imencode` takes them.

    Raises:
        MaskDetectorError: it can't be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        is_encoded, data = cv2.imencode(path.suffix, image, parameters)
        if not is_encoded:
            raise OSError("OpenCV can't encode it")
        with replacing(path) as partial:
            partial.write_bytes(data.tobytes())  # not imwrite: it takes no name but plain text


def resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Stretch a picture, averaging where it shrinks so that nothing aliases."""
    shrinks = image.shape[0] > height or image.shape[1] > width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=interpolation)


def fit(image: np.ndarray, size: int) -> np.ndarray:
    """Stretch a picture to `(size, size, 3)`; nothing aliases."""
    return resized(image, size, size)


def scaled(image: np.ndarray, longer_side: int) -> np.ndarray:
    """Bring a picture's longer side to that many pixels, its shape kept; nothing aliases."""
    height, width = image.shape[:2]
    factor = longer_side / max(height, width)
    return resized(image, max(1, round(width * factor)), max(1, round(height * factor)))


def cut_out(image: np.ndarray, box: FaceBox | None, margin: float | None, size: int) -> np.ndarray:
    """Bring a face, or where `box` is None the whole picture, to the model's `(size, size, 3)`."""
    return fit(image if box is None else crop_face(image, box, margin), size)
