"""Turn a Keras model into a LiteRT or ONNX file, and say what it lost on the way.

    pictures = draw_pictures(splits, 2000, seed=42)
    outputs = {"int8": Path("mask_detector.tflite")}
    (variant,) = export_variants(model, Path("mask_detector.keras"), outputs, pictures)

Raw RGB 0-255 goes in as before. Out of LiteRT come logits, not probabilities: softmax in eight
bits could say nothing between .996 and 1, so `runtimes.litert_model` does it in floats. ONNX, in
floats throughout, gives probabilities.

Source of full integer quantization: Jacob et al., Quantization and training of neural networks
for efficient integer-arithmetic-only inference, CVPR 2018, https://arxiv.org/abs/1712.05877. Before
that `runtimes.rounding` rounds the kernels, better than the converter would.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mask_detector.engines import NUMBER_FORMATS, sibling_path
from mask_detector.errors import ModelError
from mask_detector.file_hash import sha256_of
from mask_detector.mask_classifiers import KerasClassifier, load_classifier
from mask_detector.model_file import read_card, save_onnx, save_tflite
from mask_detector.runtimes.litert_conversion import to_litert
from mask_detector.runtimes.litert_model import LOGITS
from mask_detector.runtimes.onnx_conversion import to_onnx
from mask_detector.runtimes.parity import BOUNDS, Parity, compare, draw_balanced, load_crops
from mask_detector.types import ModelCard, Sample

if TYPE_CHECKING:
    import keras

REPRESENTATIVE_COUNT = 400  # crops that show the converter how large numbers get inside

logger = logging.getLogger(__name__)


def export_tflite(
    model: keras.Model,
    card: ModelCard,
    path: Path,
    *,
    number_format: str = "int8",
    crops: np.ndarray | None = None,
) -> None:
    """Write a Keras model and its card as a LiteRT file, whole or not at all.

    Args:
        model: takes `(n, size, size, 3)` RGB 0-255 and ends in softmax or one sigmoid.
        card: travels with it; the format is noted there.
        path: the file to write.
        number_format: `int8` (weights and everything in between), `float16` (weights alone) or
            `float32`.
        crops: for int8: `(n, size, size, 3)` uint8 RGB as at run time, some hundreds of all
            classes.

    Raises:
        ModelError: a network that LiteRT can't run, or a place that can't be written.
    """
    from mask_detector.runtimes.rounding import round_kernels

    settings = _converter_settings(number_format, crops)
    network = with_logits(model)
    kept = network.get_weights()
    try:
        if number_format == "int8":
            round_kernels(network, crops)
        data = to_litert(network, (1, card.image_size, card.image_size, 3), settings)
    finally:
        network.set_weights(kept)  # its layers are those of `model`
    save_tflite(data, replace(card, number_format=number_format), path)


def export_onnx(model: keras.Model, card: ModelCard, path: Path) -> None:
    """Write a Keras model and its card as an ONNX file in float32, whole or not at all.

    Raises:
        ModelError: as `runtimes.onnx_conversion.to_onnx`, or a place that can't be written.
    """
    save_onnx(to_onnx(model, card.image_size), replace(card, number_format="float32"), path)


def _converter_settings(number_format: str, crops: np.ndarray | None) -> dict[str, Any]:
    import tensorflow as tf

    if number_format not in NUMBER_FORMATS:
        raise ModelError(f"unknown format {number_format!r}; known: {', '.join(NUMBER_FORMATS)}")
    if number_format == "float32":
        return {}
    settings: dict[str, Any] = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    if number_format == "float16":
        settings["target_spec"] = tf.lite.TargetSpec(supported_types=[tf.float16])
        return settings
    if crops is None or not len(crops):
        raise ModelError("int8 needs representative crops; none were given")
    settings["target_spec"] = tf.lite.TargetSpec([tf.lite.OpsSet.TFLITE_BUILTINS_INT8])
    settings["representative_dataset"] = lambda: ([c[None].astype(np.float32)] for c in crops)
    settings["inference_input_type"] = tf.uint8  # in steps of 1 from 0: pixels as they are
    return settings


def with_logits(model: keras.Model) -> keras.Model:
    """The same network without its last softmax or sigmoid; its one output is named `logits`.

    Raises:
        ModelError: it ends in something else.
    """
    import keras

    last = model.layers[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    is_softmax = activation == "softmax" or isinstance(last, keras.layers.Softmax)
    if not is_softmax and (activation != "sigmoid" or model.output_shape[-1] != 1):
        raise ModelError(
            f"{model.name} ends in {type(last).__name__} {last.name} with "
            f"{model.output_shape[-1]} outputs; expected softmax, or one sigmoid for two classes"
        )
    logits = last.input
    if isinstance(last, keras.layers.Dense):
        linear = keras.layers.Dense.from_config({**last.get_config(), "activation": "linear"})
        logits = linear(last.input)
        linear.set_weights(last.get_weights())
    return keras.Model(model.inputs, {LOGITS: logits}, name=model.name)


class Pictures(NamedTuple):
    """What an export is made with, and what it is judged by."""

    shown: list[Sample]  # of the training side: from them int8 learns the range of numbers
    judged: list[Sample]  # held out: on them each file is compared with the model


def draw_pictures(splits: dict[str, list[Sample]], judged_count: int, seed: int) -> Pictures:
    """Choose pictures to show to the converter, and at most `judged_count` others to judge."""
    shown = draw_balanced(splits["train"], REPRESENTATIVE_COUNT, seed)
    return Pictures(shown, draw_balanced(splits["val"] + splits["test"], judged_count, seed))


@dataclass(frozen=True)
class Variant:
    """One file that was made from a model, and what it lost."""

    path: Path
    number_format: str  # one of `engines.EXPORT_FORMATS`
    size: int  # bytes
    parity: Parity
    problem: str  # why the file is refused, and so not there; empty if it is


def export_variants(
    model: keras.Model,
    source: Path,
    outputs: dict[str, Path],
    pictures: Pictures,
    most_loss: float = BOUNDS["int8"].loss,
    *,
    is_lenient: bool = False,
) -> list[Variant]:
    """Write files made from a model, each only if it is as good as the model within its bound.

    Args:
        model: the Keras model that `source` holds.
        source: its file, with a card.
        outputs: the file to write for each of the formats wanted.
        pictures: see `draw_pictures`.
        most_loss: balanced accuracy that a file may lose, in percentage points, see `Bound`.
        is_lenient: of a network that LiteRT or ONNX can't run only warn.

    Raises:
        ModelError: a network that LiteRT or ONNX can't run, or a place that can't be written.
    """
    card = replace(read_card(source), exported_from=sha256_of(source))
    crops = load_crops(pictures.shown, card) if "int8" in outputs else None
    drafts = {name: path.with_name(f".draft.{path.name}") for name, path in outputs.items()}
    variants = []
    try:
        for name, draft in drafts.items():
            logger.info("converting to %s ...", name)
            try:
                _convert(model, card, draft, name, crops)
            except ModelError as error:
                if not is_lenient:
                    raise
                logger.warning("warning: no %s file: %s", name, error)
        drafts = {name: draft for name, draft in drafts.items() if draft.exists()}
        if not drafts:
            return []
        classifiers = {name: load_classifier(draft) for name, draft in drafts.items()}
        parities = compare(KerasClassifier(model, card), classifiers, pictures.judged)
        for name, draft in drafts.items():
            problem = parities[name].problem(replace(BOUNDS[name], loss=most_loss))
            size = draft.stat().st_size
            variants.append(Variant(outputs[name], name, size, parities[name], problem))
            if not problem:
                draft.replace(outputs[name])
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    return variants


def _convert(
    model: keras.Model, card: ModelCard, path: Path, name: str, crops: np.ndarray | None
) -> None:
    if name == "onnx":
        export_onnx(model, card, path)
    else:
        export_tflite(model, card, path, number_format=name, crops=crops)


def export_beside(
    model: keras.Model,
    source: Path,
    formats: Sequence[str],
    splits: dict[str, list[Sample]],
    judged_count: int,
    seed: int,
) -> list[Variant]:
    """Write files beside a model that was just trained; what can't be had is only a warning.

    Args:
        model: the Keras model that `source` holds.
        source: its file, with a card.
        formats: of `engines.EXPORT_FORMATS`.
        splits: see `draw_pictures`.
        judged_count: likewise.
        seed: likewise.

    Returns:
        What was made, refused files too, but not what the network can't be converted to.
    """
    outputs = {name: sibling_path(source, name) for name in formats}
    pictures = draw_pictures(splits, judged_count, seed)
    variants = export_variants(model, source, outputs, pictures, is_lenient=True)
    for variant in variants:
        if variant.problem:
            logger.warning("warning: %s is not written: it %s", variant.path, variant.problem)
    return variants


def variants_text(source: Path, variants: list[Variant]) -> str:
    """Tell what a model and its exports are worth, a line for each, for a terminal."""
    before = variants[0].parity.before
    rows = [
        f"{'':8}{'balanced accuracy':>18}{'same verdict':>14}{'most different':>16}{'MB':>7}"
        f"{'ms per face':>13}",
        f"{'keras':8}{before.accuracy:>18.4f}{'':30}{source.stat().st_size / 1e6:>7.2f}"
        f"{before.milliseconds:>13.1f}",
    ]
    rows += [
        f"{v.number_format:8}{v.parity.after.accuracy:>18.4f}{v.parity.agreement:>14.2%}"
        f"{v.parity.largest_difference:>16.4f}{v.size / 1e6:>7.2f}"
        f"{v.parity.after.milliseconds:>13.1f}"
        for v in variants
    ]
    return "\n".join([f"{variants[0].parity.n} held-out pictures, one by one:", *rows])
