"""The file that keeps the face SSD for LiteRT (`.tflite`), and what it says about itself.

Behind the network stands a zip, as behind our classifiers (see `model_file.py`): a record of what
the file was made from, and the prior boxes. A file that does not fit the Caffe weights, or is
damaged, is not used.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mask_detector.errors import ModelError, writing
from mask_detector.replacing import replacing

NUMBER_FORMATS = ("int8", "float32")  # the quicker first
BUILDER = 2  # goes up when files of an older builder are to be made anew
_RECORD, _PRIORS = "ssd_record.json", "priors.npy"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SsdRecord:
    """What a file was made from, and what it takes to run it."""

    weights_sha256: str  # of the .caffemodel
    height: int  # of what the network sees, in pixels
    width: int
    number_format: str
    margin: int  # of the picture in the input, see ssd.network.SsdNetwork
    edge_bgr: tuple[float, ...]
    variances: tuple[float, ...]  # what offsets are multiplied by
    builder: int = BUILDER


@dataclass(frozen=True)
class SsdFile:
    """A network as LiteRT takes it, its record and its prior boxes."""

    record: SsdRecord
    network: bytes
    priors: np.ndarray  # (priors, 4) float32: left, top, right, bottom, as fractions


def ssd_path(folder: Path, height: int, width: int, number_format: str) -> Path:
    """Where the network for pictures of one size is kept."""
    size = f"{width}" if width == height else f"{width}x{height}"
    return folder / f"ssd_{size}_{number_format}.tflite"


def write_ssd(file: SsdFile, folder: Path) -> Path:
    """Write a file, whole or not at all, and return its path.

    Raises:
        MaskDetectorError: the folder can't be written to.
    """
    record = file.record
    path = ssd_path(folder, record.height, record.width, record.number_format)
    facts = {**asdict(record), "network_sha256": hashlib.sha256(file.network).hexdigest()}
    content, priors = io.BytesIO(file.network), io.BytesIO()
    np.save(priors, file.priors)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_PRIORS, priors.getvalue())
        archive.writestr(_RECORD, json.dumps({**facts, "network_bytes": len(file.network)}))
    with writing(path), replacing(path) as partial:
        partial.write_bytes(content.getvalue())
    return path


def read_ssd(path: Path, weights_sha256: tuple[str, ...]) -> SsdFile:
    """Read a file and check it.

    Args:
        path: the file.
        weights_sha256: of the Caffe weights, of which it must have been made.

    Raises:
        ModelError: damaged, or made from other weights or by another builder.
    """
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            facts = json.loads(archive.read(_RECORD))
            priors = np.load(io.BytesIO(archive.read(_PRIORS)))
        network = content[: facts.pop("network_bytes")]
        is_whole = hashlib.sha256(network).hexdigest() == facts.pop("network_sha256")
        record = SsdRecord(**facts)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is damaged ({error})") from error
    if not is_whole:
        raise ModelError(f"{path} is damaged (its SHA-256 differs)")
    if record.weights_sha256 not in weights_sha256:
        raise ModelError(f"{path} was made from another .caffemodel")
    if record.builder != BUILDER:
        raise ModelError(f"{path} was made by builder {record.builder}, not {BUILDER}")
    return SsdFile(record, network, priors)


def has_ssd(folder: Path) -> bool:
    """Whether `prepare` has left any file, sound or not."""
    return any(folder.glob("ssd_*.tflite"))


def find_ssd(
    folder: Path, height: int, width: int, weights_sha256: tuple[str, ...]
) -> SsdFile | None:
    """The quickest sound file for one size; None where `prepare` has left none."""
    for number_format in NUMBER_FORMATS:
        path = ssd_path(folder, height, width, number_format)
        if path.exists():
            try:
                return read_ssd(path, weights_sha256)
            except ModelError as error:
                logger.warning("%s; not used: `python -m mask_detector prepare` mends it", error)
    return None
