"""Ask a trained network where in a picture it sees what it says.

    explainer = Explainer(load_network(Path("models/mask_detector.keras")))
    (explanation,) = explainer.explain(crops)  # (1, size, size, 3) uint8 RGB

The score that is explained is the calibrated log-odds of a class: its logit less what the softmax
makes of the others', by the card's temperature. A logit alone may hold something that all classes
share and that changes no answer. Where a model judges in several orientations, its map is the mean
over them, turned back. See `activation_maps.py` for the methods.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mask_detector.calibration import apply_temperature
from mask_detector.errors import ModelError
from mask_detector.explaining.activation_maps import METHODS, Explanation, share_with_a_say
from mask_detector.mask_classifiers import Network, load_network
from mask_detector.model_file import kind_of
from mask_detector.orientations import oriented, upright

AUTO = "auto"
_CHUNK = 16  # pictures at once: their features and gradients are large


class _Answer(NamedTuple):
    """What a network says of `n` pictures, and what that hangs on."""

    probabilities: np.ndarray  # (n, classes) calibrated
    chosen: np.ndarray  # (n,) indices of the classes explained
    features: np.ndarray  # (n, h, w, channels)
    gradients: np.ndarray  # likewise


class Explainer:
    """Makes maps with one network and one method."""

    def __init__(
        self, network: Network, *, method: str = AUTO, layer_name: str | None = None
    ) -> None:
        """
        Args:
            network: a Keras model; it stays as it is.
            method: a key of `activation_maps.METHODS`; `auto` takes Grad-CAM, and HiResCAM where
                what follows the layer tells its places apart.
            layer_name: whose features the map is made of; None takes `feature_map`, and in a model
                that has none its last convolution with the activation behind it. An earlier layer
                has more, smaller places; LayerCAM is made for such.

        Raises:
            ModelError: no such layer, none that knows where in the picture it is, or a model that
                ends in neither softmax nor sigmoid.
        """
        self.network = network
        layer, self.is_stand_in = _layer_to_explain(network.model, layer_name)
        self.layer_name = layer.name
        self._differentiate, self.grid = _compiled(network, layer)
        self.method = self._suitable_method() if method == AUTO else method

    def _suitable_method(self) -> str:
        """What shows places right: gradients that differ by place forbid Grad-CAM's averaging."""
        size = self.network.card.image_size
        noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
        gradients = self._differentiate(noise, np.array([-1], np.int32))[3].numpy()
        spread = np.ptp(gradients, axis=(1, 2)).max()
        return "gradcam" if spread <= 1e-5 * np.abs(gradients).max() else "hirescam"

    def explain(
        self, crops: np.ndarray, class_names: Sequence[str] | None = None
    ) -> list[Explanation]:
        """Explain pictures.

        Args:
            crops: `(n, size, size, 3)` uint8 RGB, as the model's card says.
            class_names: the class to explain, of each picture; None takes the likeliest.

        Returns:
            An explanation per picture, in their order.
        """
        return self.explain_by([self.method], crops, class_names)[self.method]

    def explain_by(
        self,
        methods: Iterable[str],
        crops: np.ndarray,
        class_names: Sequence[str] | None = None,
    ) -> dict[str, list[Explanation]]:
        """Explain pictures by several methods, running the network once; see `explain`."""
        names = self.network.card.class_names
        wanted = [-1] * len(crops) if class_names is None else [names.index(n) for n in class_names]
        explained: dict[str, list[Explanation]] = {method: [] for method in methods}
        for start in range(0, len(crops), _CHUNK):
            part = slice(start, start + _CHUNK)
            verdicts, answers = self._answers(crops[part], np.array(wanted[part], np.int32))
            shares = np.mean([share_with_a_say(each.gradients) for each in answers], axis=0)
            for method, found in explained.items():
                maps = np.mean(
                    [
                        upright(METHODS[method](each.features, each.gradients), orientation)
                        for orientation, each in enumerate(answers)
                    ],
                    axis=0,
                )
                for heat, index, row, share in zip(
                    maps, answers[0].chosen, verdicts.tolist(), shares.tolist(), strict=True
                ):
                    found.append(Explanation(heat, names[index], names, tuple(row), share))
        return explained

    def _answers(self, crops: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, list[_Answer]]:
        """The verdicts, and an answer per orientation, all of one class.

        Where none is wanted it is the likeliest by the verdicts.
        """
        turned = [oriented(crops, index) for index in range(self.network.card.orientations)]
        answers = [self._answer(pictures, wanted) for pictures in turned]
        verdicts = self._verdicts(answers)
        chosen = np.where(wanted < 0, verdicts.argmax(axis=1), wanted).astype(np.int32)
        return verdicts, [
            answer if (answer.chosen == chosen).all() else self._answer(pictures, chosen)
            for pictures, answer in zip(turned, answers, strict=True)
        ]

    def _answer(self, pictures: np.ndarray, wanted: np.ndarray) -> _Answer:
        return _Answer(*(tensor.numpy() for tensor in self._differentiate(pictures, wanted)))

    def _verdicts(self, answers: list[_Answer]) -> np.ndarray:
        """Calibrated probabilities `(n, classes)`, as `MaskClassifier.predict` gives them."""
        if len(answers) == 1:
            return answers[0].probabilities
        temperature = self.network.card.temperature  # is taken of the mean
        raw = [apply_temperature(each.probabilities, 1 / temperature) for each in answers]
        return apply_temperature(np.mean(raw, axis=0), temperature)


def open_explainer(
    path: Path,
    *,
    method: str = AUTO,
    layer_name: str | None = None,
    **reading: Any,
) -> Explainer:
    """Load a model and make ready to explain what it says.

    Args:
        path: `.keras`, or HDF5 under any suffix.
        method: see `Explainer`.
        layer_name: likewise.
        reading: what else `load_network` takes.

    Raises:
        ModelError: as `load_classifier`, and for files that hold no gradients.
    """
    if (kind := kind_of(path)) not in ("keras", "h5"):
        trained = path.with_suffix(".keras")
        name = trained if trained.is_file() else "the .keras file that it was made from"
        raise ModelError(f"{path} ({kind}) holds no gradients to explain it by; give {name}")
    return Explainer(load_network(path, **reading), method=method, layer_name=layer_name)


def _layer_to_explain(model: Any, name: str | None) -> tuple[Any, bool]:
    """The layer of that name or the best there is, and whether it stands in for `feature_map`."""
    import keras

    from mask_detector.architectures import FEATURE_MAP

    leaves = list(_leaves(model))
    named = {leaf.name: leaf for leaf in leaves}
    if name is not None and name not in named:
        raise ModelError(
            f"the model has no layer {name}; its last ones are {', '.join(list(named)[-12:])}"
        )
    if name or FEATURE_MAP in named:
        return named[name or FEATURE_MAP], False
    kinds = keras.layers
    convolutions = (kinds.Conv2D, kinds.DepthwiseConv2D, kinds.SeparableConv2D)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, convolutions)]
    if not places:
        raise ModelError("the model has no convolution, so that nothing says where it looks")
    behind = (kinds.BatchNormalization, kinds.Activation, kinds.ReLU, kinds.LeakyReLU)
    place = places[-1]
    while isinstance(leaves[place + 1], behind):
        place += 1
    return leaves[place], True


def _leaves(model: Any) -> Iterator[Any]:
    """A model's layers in their order; tutorials nest one model in another."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _leaves(layer)
        else:
            yield layer


def _compiled(network: Network, layer: Any) -> tuple[Callable[..., Any], tuple[int, int]]:
    """Compile what is needed of a network, and say how many places the layer has, down and across.

    The function takes crops `(n, size, size, 3)` uint8 and class indices `(n,)`, -1 for the
    likeliest, and gives calibrated probabilities `(n, classes)`, the indices explained, and the
    layer's features and their gradients `(n, h, w, channels)`.
    """
    import tensorflow as tf

    card = network.card

    def differentiate(crops: tf.Tensor, wanted: tf.Tensor) -> tuple[tf.Tensor, ...]:
        answers = network.run(tf.cast(crops, tf.float32), training=False)
        if answers.shape[1] == 1:  # one sigmoid: the second class
            answers = tf.concat([tf.zeros_like(answers), answers], axis=1)
        logits = answers / card.temperature
        chosen = tf.where(wanted < 0, tf.argmax(logits, axis=1, output_type=tf.int32), wanted)
        is_chosen = tf.one_hot(chosen, len(card.class_names), on_value=True, off_value=False)
        others = tf.reduce_logsumexp(tf.where(is_chosen, -np.inf, logits), axis=1)
        score = tf.gather(logits, chosen, axis=1, batch_dims=1) - others
        gradients = tf.gradients(score, taken[-1])[0]
        return tf.nn.softmax(logits), chosen, taken[-1], gradients

    size = card.image_size
    signature = (
        tf.TensorSpec((None, size, size, 3), tf.uint8),
        tf.TensorSpec((None,), tf.int32),
    )
    with _opened(network.model, layer) as taken:
        compiled = tf.function(differentiate, input_signature=signature)
        shape = compiled.get_concrete_function().structured_outputs[2].shape
    return compiled, (shape[1], shape[2])


@contextlib.contextmanager
def _opened(model: Any, layer: Any) -> Iterator[list[Any]]:
    """While a model is compiled: keep what `layer` gives, and leave out the last activation.

    A new Keras model of the same tensors would not reach into nested models.

    Raises:
        ModelError: see `Explainer`.
    """
    import keras

    last = list(_leaves(model))[-1]
    endings = (keras.activations.softmax, keras.activations.sigmoid)
    if getattr(last, "activation", None) not in endings:
        raise ModelError(
            f"the model ends in {last.name}; expected a layer with softmax or sigmoid, whose "
            f"logits can be explained"
        )
    taken: list[Any] = []
    call, activation = layer.call, last.activation

    def noting(*args: Any, **options: Any) -> Any:
        taken.append(call(*args, **options))
        if len(taken[-1].shape) != 4:
            raise ModelError(
                f"layer {layer.name} gives {tuple(taken[-1].shape)}; expected (n, h, w, channels), "
                f"which says where in the picture something is"
            )
        return taken[-1]

    layer.call, last.activation = noting, keras.activations.linear
    try:
        yield taken
    finally:
        layer.call, last.activation = call, activation
