"""Model files that say what they are: the card travels inside.

A `.keras` file is a zip and takes the card as one more entry; an HDF5 file takes it as an
attribute of its root; behind a `.tflite` stands a zip that holds nothing else; an `.onnx` has room
for notes. Keras, LiteRT and ONNX Runtime read all four as before. What a file is, is told by its
content: an HDF5 model is known under any suffix (`.h5`, `.model`, none).
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mask_detector.errors import ModelError, OptionError
from mask_detector.replacing import replacing
from mask_detector.runtimes.onnx_runtime import check_installed, metadata_of
from mask_detector.types import ModelCard

CARD_ENTRY = "mask_detector_card.json"
SUFFIXES = (".keras", ".h5")


def kind_of(path: Path) -> str:
    """Tell the kind of a model by its content: `keras`, `h5`, `tflite`, `onnx` or `saved_model`.

    Raises:
        ModelError: no such file, or none of these.
    """
    if not path.exists():
        raise ModelError(f"no model at {path}")
    if path.is_dir():
        if (path / "saved_model.pb").exists():
            return "saved_model"
        raise ModelError(f"{path} is a folder without saved_model.pb; expected a model file")
    with path.open("rb") as file:
        head = file.read(256)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "h5"
    if head[4:8] == b"TFL3":  # the name that flatbuffers give a LiteRT model
        return "tflite"
    if head.startswith(b"PK\x03\x04") and zipfile.is_zipfile(path):
        return "keras"
    if _is_onnx(head):
        return "onnx"
    looks_like = _what_it_looks_like(head)
    raise ModelError(
        f"{path} is not a model file{looks_like}; expected a .keras, .tflite or .onnx file, an "
        f"HDF5 file (.h5, .model) or a SavedModel folder"
    )


def _is_onnx(head: bytes) -> bool:
    """A protobuf message has no magic number; ONNX's begins with its version, below 64 for long.

    After this field, the first, comes one of the fields 2 to 8.
    """
    tags = b"\x12\x1a\x22\x28\x32\x3a\x42"
    return len(head) > 2 and head[0] == 0x08 and head[1] < 64 and head[2] in tags


def _what_it_looks_like(head: bytes) -> str:
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return " but a web page, as a dead download link gives it"
    if head.startswith(b"version https://git-lfs"):
        return " but a Git LFS pointer (run `git lfs pull`)"
    if head.startswith(b"PK\x03\x04"):
        return " but a damaged or cut-off zip"
    return "" if head else " but an empty file"


def read_card(path: Path) -> ModelCard | None:
    """Read the card inside a model file; None for a file that has none.

    Raises:
        ModelError: no model, or one so damaged that the card can't be read.
    """
    try:
        text = _card_text(path, kind_of(path))
        return ModelCard.from_dict(json.loads(text)) if text else None
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged or cut off ({error}); fetch it anew") from error


def _card_text(path: Path, kind: str) -> str | None:
    if kind == "keras" or (kind == "tflite" and zipfile.is_zipfile(path)):
        with zipfile.ZipFile(path) as archive:
            return archive.read(CARD_ENTRY).decode() if CARD_ENTRY in archive.namelist() else None
    if kind == "h5":
        import h5py

        with h5py.File(path, "r") as file:
            return file.attrs.get(CARD_ENTRY)
    if kind == "onnx":
        return metadata_of(path).get(CARD_ENTRY)
    if kind == "tflite" and CARD_ENTRY.encode() in path.read_bytes():
        raise ValueError("its card breaks off")  # a zip is known by its end
    return None


def save_model(model: Any, card: ModelCard, path: Path) -> None:
    """Write a Keras model and its card as one file, whole or not at all.

    Args:
        model: a `keras.Model` that takes `(n, size, size, 3)` RGB 0-255 and gives one
            probability per class.
        card: what to say about it.
        path: where to; the suffix `.keras` or `.h5` chooses the format.

    Raises:
        ModelError: another suffix, or a place that can't be written.
    """
    check_suffix(path)
    with _written(path) as partial:
        model.save(partial)
        if path.suffix == ".h5":
            import h5py

            with h5py.File(partial, "a") as file:
                file.attrs[CARD_ENTRY] = _to_text(card)
        else:
            _append_entry(card, partial)


def save_tflite(data: bytes, card: ModelCard, path: Path) -> None:
    """Write a LiteRT model and its card as one file, whole or not at all.

    Args:
        data: the model as the converter gives it.
        card: what to say about it.
        path: where to.

    Raises:
        ModelError: a place that can't be written.
    """
    with _written(path) as partial:
        partial.write_bytes(data)
        _append_entry(card, partial)


def save_onnx(data: bytes, card: ModelCard, path: Path) -> None:
    """Write an ONNX model and its card as one file, whole or not at all.

    Args:
        data: the model as the converter gives it.
        card: what to say about it.
        path: where to.

    Raises:
        ModelError: a place that can't be written, or the package that writes such is missing.
    """
    check_installed("onnx")
    import onnx

    network = onnx.load_model_from_string(data)
    onnx.helper.set_model_props(network, {CARD_ENTRY: _to_text(card)})
    with _written(path) as partial:
        partial.write_bytes(network.SerializeToString())


@contextlib.contextmanager
def _written(path: Path) -> Iterator[Path]:
    """The same in a folder that is made where it is missing; what goes wrong is a ModelError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            yield partial
    except OSError as error:
        raise ModelError(f"{path} can't be written ({error})") from error


def _append_entry(card: ModelCard, path: Path) -> None:
    """Add the card to a zip; behind a file that is none, a zip begins (`zipfile` knows such)."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(CARD_ENTRY, _to_text(card))


def _to_text(card: ModelCard) -> str:
    return json.dumps(card.to_dict(), indent=1)


def check_suffix(path: Path) -> None:
    """Refuse a model path that Keras could not save to.

    Raises:
        OptionError: it ends otherwise.
    """
    if path.suffix not in SUFFIXES:
        raise OptionError(
            f"a model can't be saved as {path}: expected a path ending in {' or '.join(SUFFIXES)}"
        )
