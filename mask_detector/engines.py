"""Which file answers for a model: the one given, or a LiteRT file beside it that was made from it.

    path = fastest_sibling(Path("models/mask_detector.keras"), "auto")  # .../mask_detector.tflite
    classifier = load_classifier(path)

Nothing of TensorFlow is loaded to find out.
"""

from __future__ import annotations

import logging
from pathlib import Path

from mask_detector.errors import ModelError, OptionError
from mask_detector.file_hash import sha256_of
from mask_detector.model_file import kind_of, read_card
from mask_detector.types import ModelCard

# Of LiteRT files, the quickest first; float16 runs as fast as float32, and is less exact.
NUMBER_FORMATS = ("int8", "float32", "float16")
EXPORT_FORMATS = (*NUMBER_FORMATS, "onnx")  # what a trained model can be written as
ENGINES = ("auto", "litert", "keras")

logger = logging.getLogger(__name__)


def sibling_path(model: Path, number_format: str) -> Path:
    """Name the export beside a model: `m.tflite`, `m_float16.tflite`, `m_float32.tflite`, `m.onnx`.

    Without a number format in the name, LiteRT's file is int8, and ONNX's float32.
    """
    if number_format == "onnx":
        return model.with_suffix(".onnx")
    ending = "" if number_format == "int8" else f"_{number_format}"
    return model.with_name(f"{model.stem}{ending}.tflite")


def fastest_sibling(model: Path, engine: str) -> Path:
    """Choose the file to run, and say in the log which one it is if it is not the one given.

    Args:
        model: a model file of any kind.
        engine: `auto` takes the quickest sound LiteRT file beside the model, or the model where
            there is none; `litert` demands such a file; `keras` takes the model itself.

    Returns:
        `model`, or the LiteRT file that stands in for it. A LiteRT or ONNX file stands for itself.

    Raises:
        ModelError: no model.
        OptionError: one that the engine can't run.
    """
    kind = kind_of(model)
    if kind in ("tflite", "onnx") and engine == "keras":
        raise OptionError(f"--engine keras can't run {model}; expected a .keras or .h5 file")
    if kind == "onnx" and engine == "litert":
        raise OptionError(f"--engine litert can't run {model}; expected a .tflite or .keras file")
    if kind in ("tflite", "onnx") or engine == "keras":
        return model
    for path in (sibling_path(model, number_format) for number_format in NUMBER_FORMATS):
        if not path.exists():
            continue
        try:
            card = _sound_card(path, model)
        except ModelError as error:
            logger.info("%s %s: not used", path.name, error)
            continue
        logger.info("%s, %s, stands in for %s", path.name, card.number_format, model.name)
        return path
    if engine == "litert":
        raise ModelError(
            f"{model} has no LiteRT file beside it that was made from it; make one: "
            f"python -m mask_detector export --model {model} --dataset DIR"
        )
    return model


def _sound_card(path: Path, model: Path) -> ModelCard:
    """Read the card of a LiteRT file that was made from this very model.

    Raises:
        ModelError: it was not, or can't be read; the message goes on after the file's name.
    """
    try:
        card = read_card(path)
    except ModelError as error:
        raise ModelError("is damaged or cut off") from error
    if card is None or not card.exported_from:
        raise ModelError("does not say what it was made from")
    if not model.is_file() or card.exported_from != sha256_of(model):
        raise ModelError(f"was made from another {model.name}")
    return card
