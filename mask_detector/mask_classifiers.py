"""Say of each face crop which class it is: trained models behind one small interface.

Use:
    classifier = load_classifier(Path("models/mask_detector.keras"))
    probabilities = classifier.predict(crops)  # (n, size, size, 3) RGB uint8 -> (n, classes)
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mask_detector.calibration import apply_temperature
from mask_detector.errors import ModelError
from mask_detector.model_file import kind_of, read_card
from mask_detector.orientations import Answers, averaged
from mask_detector.quiet import load_tensorflow
from mask_detector.runtimes.litert_model import LiteRtModel
from mask_detector.runtimes.onnx_model import OnnxModel
from mask_detector.types import ModelCard

_CHUNK = 32  # crops computed at once: a crowd does not make memory grow


class MaskClassifier(Protocol):
    """Anything that judges crops; `card` says what its answers mean."""

    card: ModelCard

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Judge crops.

        Args:
            crops: `(n, size, size, 3)` uint8 RGB with `size = card.image_size`; n = 0 is legal.

        Returns:
            `(n, classes)` float32 probabilities in the order of `card.class_names`, calibrated
            by the card's temperature; the mean over the orientations that the card asks for.
        """
        ...


class KerasClassifier:
    """A Keras model run through one compiled function.

    `model.predict` would take 64 ms for one face and leak memory in a loop; this takes 15.
    """

    def __init__(self, model: Any, card: ModelCard) -> None:
        import tensorflow as tf

        self.card = card
        size = card.image_size
        signature = [tf.TensorSpec((None, size, size, 3), tf.uint8)]

        @tf.function(input_signature=signature)
        def infer(crops: tf.Tensor) -> tf.Tensor:
            return model(tf.cast(crops, tf.float32), training=False)

        self._infer = infer
        self.predict(np.zeros((1, size, size, 3), np.uint8))  # so that no camera waits for it

    def predict(self, crops: np.ndarray) -> np.ndarray:
        if not len(crops):
            return np.empty((0, len(self.card.class_names)), np.float32)
        return _probabilities(self._answers, crops, self.card)

    def _answers(self, crops: np.ndarray) -> np.ndarray:
        parts = [
            self._infer(crops[start : start + _CHUNK]).numpy()
            for start in range(0, len(crops), _CHUNK)
        ]
        return np.concatenate(parts)


class RuntimeClassifier:
    """A model run by LiteRT or ONNX Runtime; nothing of TensorFlow is loaded."""

    def __init__(self, model: LiteRtModel | OnnxModel, card: ModelCard) -> None:
        self._model, self.card = model, card
        self.predict(np.zeros((1, card.image_size, card.image_size, 3), np.uint8))

    def predict(self, crops: np.ndarray) -> np.ndarray:
        return _probabilities(self._model, crops, self.card)


def _probabilities(run: Answers, crops: np.ndarray, card: ModelCard) -> np.ndarray:
    """From what any engine answers, `(n, outputs)`, to what the card promises."""
    answers = averaged(run, card.orientations)(crops)
    if answers.shape[1] == 1:  # one sigmoid: the probability of the second class
        answers = np.concatenate([1 - answers, answers], axis=1)
    return apply_temperature(answers, card.temperature)


def load_classifier(
    path: Path,
    *,
    class_names: tuple[str, ...] | None = None,
    input_range: tuple[float, float] = (-1.0, 1.0),
    orientations: int = 0,
) -> MaskClassifier:
    """Load any model file: one of ours, or an old one from elsewhere.

    Args:
        path: `.keras`, `.tflite`, `.onnx`, HDF5 under any suffix, or a SavedModel folder.
        class_names: the order of the outputs of a model that carries no card.
        input_range: what such a model wants 0-255 scaled to; tutorials built on MobileNetV2
            use -1 to 1, plain CNNs mostly 0 to 1.
        orientations: in how many to judge each picture; 0 for as many as the card says.

    Raises:
        ModelError: no model, a damaged one, one without a card when `class_names` is not given,
            or class names that do not fit its outputs.
    """
    open_model = {"tflite": LiteRtModel, "onnx": OnnxModel}.get(kind_of(path))
    if open_model:  # at once: a .tflite that was cut off has lost its card, too
        card = _read_card(path, class_names)
        model = open_model(path) if card else open_model(path, input_range)
        card = card or _card_for(model, path, class_names)
        return RuntimeClassifier(model, _in_orientations(card, orientations))
    network = load_network(
        path, class_names=class_names, input_range=input_range, orientations=orientations
    )
    return KerasClassifier(network.run, network.card)


@dataclass(frozen=True)
class Network:
    """A Keras model with its layers, for those who look inside."""

    model: Any
    run: Callable[..., Any]  # the model as `(pixels, training) -> answers`, pixels RGB 0-255
    card: ModelCard


def load_network(
    path: Path,
    *,
    class_names: tuple[str, ...] | None = None,
    input_range: tuple[float, float] = (-1.0, 1.0),
    orientations: int = 0,
) -> Network:
    """Load a model that Keras runs; see `load_classifier`."""
    card = _read_card(path, class_names)
    if card is None and class_names is None:
        raise ModelError(_nameless(path))  # before TensorFlow takes seconds to load
    model = load_keras(path)
    run = model if card else _with_scaling(model, input_range)
    card = card or _card_for(model, path, class_names)
    return Network(model, run, _in_orientations(card, orientations))


def _read_card(path: Path, class_names: tuple[str, ...] | None) -> ModelCard | None:
    card = read_card(path)
    if card and class_names and class_names != card.class_names:
        raise ModelError(
            f"--classes {','.join(class_names)} contradicts {path}, whose outputs are "
            f"{','.join(card.class_names)}; leave the option out"
        )
    return card


def _in_orientations(card: ModelCard, count: int) -> ModelCard:
    return replace(card, orientations=count) if count else card


def load_keras(path: Path) -> Any:
    """Load a file or folder that Keras or TensorFlow wrote, as a Keras model or one's like.

    Raises:
        ModelError: it is damaged, or this Keras can't read it.
    """
    load_tensorflow()
    import keras

    kind = kind_of(path)
    try:
        if kind == "saved_model":
            return _saved_model(path)
        with _named(path, ".keras" if kind == "keras" else ".h5") as named:
            return keras.models.load_model(
                named, compile=False, custom_objects={"DepthwiseConv2D": _depthwise_of_keras_2()}
            )
    except Exception as error:  # whatever a damaged or foreign file makes Keras raise
        raise ModelError(
            f"{path} can't be loaded by Keras {keras.__version__}{_written_by(path)}: "
            f"{_innermost_reason(error)}"
        ) from error


def _written_by(path: Path) -> str:
    """The version that wrote a model of ours: an older Keras does not read a newer one's files."""
    import keras

    card = read_card(path)
    version = card.versions.get("keras") if card else None
    is_newer = version and _numbers(version) > _numbers(keras.__version__)
    return f" (written by {version}; pip install -U keras)" if is_newer else ""


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _innermost_reason(error: Exception) -> str:
    """The line that tells: Keras wraps the cause in pages of what it was about to do."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [repr(error)]
    causes = [line for line in lines if line.startswith("Exception encountered: ")]
    reason = min(causes, key=len).removeprefix("Exception encountered: ") if causes else lines[0]
    return reason[:200]


@contextlib.contextmanager
def _named(path: Path, suffix: str) -> Iterator[Path]:
    """The file under a name that Keras takes: it goes by the suffix, we by the content."""
    if path.suffix == suffix:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"model{suffix}"
        try:
            link.symlink_to(path.resolve())
        except OSError:  # Windows without the right to make links
            link.write_bytes(path.read_bytes())
        yield link


def _depthwise_of_keras_2() -> type:
    """Keras 2 wrote `groups` into every DepthwiseConv2D, which Keras 3 refuses to read."""
    import keras

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
        def __init__(self, *args: Any, groups: int = 1, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)

    return DepthwiseConv2D


def _saved_model(path: Path) -> Any:
    """A SavedModel folder, as TensorFlow before 2.16 wrote for `model.save("x.model")`."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures["serving_default"]
    (name, spec), *_ = function.structured_input_signature[1].items()

    def model(pixels: Any, training: bool = False) -> Any:
        return next(iter(function(**{name: pixels}).values()))

    model.input_shape = tuple(spec.shape)
    model.output_shape = tuple(next(iter(function.structured_outputs.values())).shape)
    model.keep = loaded  # its variables live as long as it does
    return model


def _nameless(path: Path) -> str:
    return (
        f"{path} does not say which output is which class; name them in order, for instance "
        f"--classes with_mask,without_mask"
    )


def _card_for(model: Any, path: Path, class_names: tuple[str, ...] | None) -> ModelCard:
    if class_names is None:
        raise ModelError(_nameless(path))
    shape = model.input_shape
    if len(shape) != 4 or shape[3] != 3:
        raise ModelError(f"{path} takes input of shape {shape}; expected (n, size, size, 3)")
    outputs = model.output_shape[-1]
    if len(class_names) != max(outputs, 2):
        raise ModelError(
            f"{path} has {outputs} outputs, but --classes names {len(class_names)}: "
            f"{','.join(class_names)}"
        )
    return ModelCard(class_names=class_names, image_size=shape[1] or 224)


def _with_scaling(model: Any, input_range: tuple[float, float]) -> Any:
    low, high = input_range

    def scaled(pixels: Any, training: bool = False) -> Any:
        return model(pixels * ((high - low) / 255.0) + low, training=training)

    return scaled
