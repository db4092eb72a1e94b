"""The networks that can be trained, by short name.

    model = build_model("resnet18", image_size=128, class_count=2, weights="none")

Each takes raw RGB 0-255 and gives one probability per class: what the backbone wants its input
scaled to is a layer of the model. After the backbone stands a layer named `feature_map`. A new
architecture is one builder and one entry in `ARCHITECTURES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mask_detector.errors import ModelError, OptionError
from mask_detector.networks.from_keras import mobilenet_v2, resnet50
from mask_detector.networks.heads import mean_of_places, places_in_order, surest_places
from mask_detector.networks.plain import cnn, vgg_small
from mask_detector.networks.residual import resnet18

if TYPE_CHECKING:
    import keras

FEATURE_MAP = "feature_map"  # the last layer that still knows where in the picture it is
_FROM_SCRATCH_MOMENTUM = 0.9  # of BatchNorm's averages
_MOBILENET_WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)  # of those that Keras has weights for


@dataclass(frozen=True)
class Architecture:
    """A network that can be trained, and what is sensible for it."""

    # From pixels `(n, h, w, 3)` 0-255, `imagenet` or None, and a width: the backbone's features.
    backbone: Callable[[keras.KerasTensor, str | None, float], keras.KerasTensor]
    description: str
    image_size: int  # pixels; the feature map then is at least 4 x 4
    fine_tuned_layers: int  # of a pretrained backbone, from the top
    learning_rate: float = 1e-3  # of the head, or of the whole from random weights
    imagenet_from: str = ""  # who brings ImageNet weights; nobody if empty
    imagenet_widths: tuple[float, ...] = (1.0,)
    is_scalable: bool = True  # has other widths than 1
    last_layer: str = ""  # of the backbone, where the network does not take all of it
    # From the feature map and the number of classes to probabilities.
    head: Callable[[keras.KerasTensor, int], keras.KerasTensor] = mean_of_places

    @property
    def default_weights(self) -> str:
        """`imagenet` where plain Keras fetches them, else `none`."""
        return "imagenet" if self.imagenet_from == "Keras" else "none"


ARCHITECTURES: dict[str, Architecture] = {
    "mobilenet_v2": Architecture(
        mobilenet_v2,
        "made for small devices",
        image_size=224,
        fine_tuned_layers=38,  # from block 13 on
        imagenet_from="Keras",
        imagenet_widths=_MOBILENET_WIDTHS,
    ),
    "resnet50": Architecture(
        resnet50,
        "fifty layers with shortcuts: ten times as many parameters as mobilenet_v2",
        image_size=224,
        fine_tuned_layers=20,  # two of the last stage's three blocks
        imagenet_from="Keras",
        is_scalable=False,
    ),
    "resnet18": Architecture(
        resnet18,
        "eighteen layers with shortcuts",
        image_size=128,
        fine_tuned_layers=17,  # the last stage
        imagenet_from="KerasHub",
    ),
    "vgg_small": Architecture(
        vgg_small,
        "ten 3x3 convolutions in the manner of VGG",
        image_size=128,
        fine_tuned_layers=6,  # the last block
    ),
    "cnn": Architecture(
        cnn,
        "plain: four times convolution and pooling, then dense",
        image_size=128,
        fine_tuned_layers=4,
        head=places_in_order,
    ),
    "spots": Architecture(
        mobilenet_v2,
        "the first blocks of MobileNetV2; each spot of the picture answers for itself and the "
        "surest hundredth decide: for faults that are small in the picture",
        image_size=288,
        fine_tuned_layers=3,  # the last of them
        learning_rate=1e-2,  # one layer, of which few places learn at a time
        imagenet_from="Keras",
        imagenet_widths=_MOBILENET_WIDTHS,
        last_layer="block_6_expand_relu",  # a place is 8 pixels wide
        head=surest_places,
    ),
}


def architecture_named(name: str) -> Architecture:
    """The entry of the table.

    Raises:
        OptionError: there is none.
    """
    if name not in ARCHITECTURES:
        raise OptionError(f"unknown architecture {name!r}; known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def build_model(
    architecture: str,
    *,
    image_size: int,
    class_count: int,
    weights: str,
    width: float = 1.0,
    rounds_kernels: bool = True,
) -> keras.Model:
    """Build a classifier: backbone, `feature_map`, a small head, softmax.

    Args:
        architecture: a key of `ARCHITECTURES`.
        image_size: side of the square input in pixels, at least 32.
        class_count: number of outputs.
        weights: of the backbone: `imagenet` (downloaded once), `none` (random), or the path of a
            weights file.
        width: multiplies the channels of the backbone; parameters grow with its square.
        rounds_kernels: round those of the convolutions to the steps of int8.

    Returns:
        A model from `(n, size, size, 3)` RGB 0-255 to `(n, classes)` probabilities.

    Raises:
        ModelError: an unknown name, or weights that can't be had or do not fit.
    """
    import keras
    from keras import layers

    entry = architecture_named(architecture)
    pixels = keras.Input((image_size, image_size, 3), name="rgb_0_to_255")
    features = _build_backbone(architecture, pixels, weights, width)
    if entry.last_layer:
        features = keras.Model(pixels, features).get_layer(entry.last_layer).output
    features = layers.Activation("linear", name=FEATURE_MAP)(features)
    model = keras.Model(pixels, entry.head(features, class_count), name="mask_classifier")
    if rounds_kernels:
        _round_kernels(model)
    return model


def _round_kernels(model: keras.Model) -> None:
    """Round the convolutions' kernels to the 255 steps that int8 has for each output channel.

    An export to int8 then changes nothing in the layers that stay frozen, and what is trained
    on top of them learns to live with it. Rounded only afterwards, one
    verdict in 200 changes. BatchNorm, folded into the kernel, scales whole channels and so keeps
    the steps. Source of the scheme: Jacob et al., CVPR 2018, https://arxiv.org/abs/1712.05877.
    """
    from keras import layers

    for layer in model.layers:
        if not isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            continue
        kernel = layer.kernel.numpy()  # (h, w, in, out), depthwise (h, w, channels, 1)
        is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
        axes = (0, 1) if is_depthwise else (0, 1, 2)
        step = np.abs(kernel).max(axis=axes, keepdims=True) / 127
        layer.kernel.assign(np.rint(kernel / np.where(step, step, 1)) * step)


def check_choice(architecture: str, weights: str, width: float) -> None:
    """See that a network exists in this width and with these weights, before anything is built.

    Raises:
        OptionError: it does not.
        ModelError: there is no such file of weights.
    """
    entry = architecture_named(architecture)
    if width != 1 and not entry.is_scalable:
        raise OptionError(
            f"{architecture} has one width; expected --width-multiplier 1, not {width:g}"
        )
    if weights == "imagenet":
        if not entry.imagenet_from:
            raise OptionError(
                f"there are no ImageNet weights of {architecture}; train it from random ones with "
                f"--backbone-weights none, or give a file that you have: --backbone-weights PATH"
            )
        if width not in entry.imagenet_widths:
            known = ", ".join(f"{width:g}" for width in entry.imagenet_widths)
            raise OptionError(
                f"there are no ImageNet weights of {architecture} at width {width:g}; there are at "
                f"{known}; any other trains from random ones with --backbone-weights none"
            )
    elif weights != "none" and not Path(weights).is_file():
        raise ModelError(
            f"no backbone weights at {weights}; expected imagenet, none, or the path of a "
            f"Keras weights file"
        )


def _build_backbone(
    architecture: str, pixels: keras.KerasTensor, weights: str, width: float
) -> keras.KerasTensor:
    import keras

    check_choice(architecture, weights, width)
    backbone = ARCHITECTURES[architecture].backbone
    if weights == "none":
        return backbone(pixels, None, width)
    if weights != "imagenet":
        features = backbone(pixels, None, width)
        try:
            keras.Model(pixels, features).load_weights(weights)
        except Exception as error:  # the readers of files raise all kinds
            reason = str(error).splitlines()[0]
            raise ModelError(f"{weights} does not fit {architecture}: {reason}") from error
        return features
    try:
        return backbone(pixels, "imagenet", width)
    except ModelError:
        raise
    except Exception as error:  # Keras raises bare Exception where a download fails
        raise ModelError(
            f"the ImageNet weights of {architecture} could not be downloaded "
            f"({str(error).splitlines()[0]}); give a file that you have with "
            f"--backbone-weights PATH, or train from random ones with --backbone-weights none "
            f"(needs far more photos)"
        ) from error


def set_trainable_top(model: keras.Model, layer_count: int) -> None:
    """Freeze the backbone except its top layers; BatchNorm stays frozen throughout.

    Keras 3 protects the running averages of BatchNorm only in layers whose `trainable` is
    False; a few small batches would otherwise spoil what ImageNet taught them.

    Args:
        model: from `build_model`.
        layer_count: how many layers, counted down from `feature_map`, are to train; 0 leaves
            only the head.
    """
    from keras import layers

    backbone = model.layers[: model.layers.index(model.get_layer(FEATURE_MAP))]
    first_trained = len(backbone) - layer_count
    for index, layer in enumerate(backbone):
        is_batch_norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = index >= first_trained and not is_batch_norm


def set_trainable_whole(model: keras.Model) -> None:
    """Let everything train, BatchNorm too: random weights have no averages worth keeping.

    The averages follow the last tens of steps. Keras' own momenta look back over hundreds, at
    MobileNetV2 a thousand: small sets have no more in all, and the network would be judged by
    what its first epochs noted.
    """
    from keras import layers

    for layer in model.layers:
        layer.trainable = True
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = _FROM_SCRATCH_MOMENTUM
