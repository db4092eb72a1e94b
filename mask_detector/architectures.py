"""The networks that can be trained, by short name.

Each takes raw RGB 0-255 and gives one probability per class: what the backbone wants its input
scaled to is a layer of the model. After the backbone stands a layer named `feature_map`. A new
architecture is one builder and one entry in `ARCHITECTURES`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

from mask_detector.errors import ModelError

FEATURE_MAP = "feature_map"  # the last layer that still knows where in the picture it is


def _mobilenet_v2(pixels: keras.KerasTensor, weights: str | None) -> keras.KerasTensor:
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="preprocessing")(pixels)
    backbone = keras.applications.MobileNetV2(
        input_tensor=scaled, include_top=False, weights=weights
    )
    return backbone.output


ARCHITECTURES: dict[str, Callable[[keras.KerasTensor, str | None], keras.KerasTensor]] = {
    "mobilenet_v2": _mobilenet_v2,
}


def build_model(
    architecture: str,
    *,
    image_size: int,
    class_count: int,
    weights: str,
    rounds_kernels: bool = True,
) -> keras.Model:
    """Build a classifier: backbone, `feature_map`, pooling, a small head, softmax.

    Args:
        architecture: a key of `ARCHITECTURES`.
        image_size: side of the square input in pixels, at least 32.
        class_count: number of outputs.
        weights: of the backbone: `imagenet` (Keras downloads them once), `none` (random), or
            the path of a weights file.
        rounds_kernels: round those of the backbone's convolutions to the steps of int8.

    Returns:
        A model from `(n, size, size, 3)` RGB 0-255 to `(n, classes)` probabilities.

    Raises:
        ModelError: an unknown name, or weights that can't be had or do not fit.
    """
    if architecture not in ARCHITECTURES:
        raise ModelError(f"unknown architecture {architecture!r}; known: {list(ARCHITECTURES)}")
    pixels = keras.Input((image_size, image_size, 3), name="rgb_0_to_255")
    features = _build_backbone(architecture, pixels, weights)
    features = layers.Activation("linear", name=FEATURE_MAP)(features)
    x = layers.GlobalAveragePooling2D()(features)
    x = layers.Dropout(0.3)(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.3)(x)
    probabilities = layers.Dense(class_count, activation="softmax", name="probabilities")(x)
    model = keras.Model(pixels, probabilities, name="mask_classifier")
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
    for layer in model.layers:
        if not isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            continue
        kernel = layer.kernel.numpy()  # (h, w, in, out), depthwise (h, w, channels, 1)
        is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
        axes = (0, 1) if is_depthwise else (0, 1, 2)
        step = np.abs(kernel).max(axis=axes, keepdims=True) / 127
        layer.kernel.assign(np.rint(kernel / np.where(step, step, 1)) * step)


def _build_backbone(
    architecture: str, pixels: keras.KerasTensor, weights: str
) -> keras.KerasTensor:
    is_path = weights not in ("imagenet", "none")
    if is_path and not Path(weights).is_file():
        raise ModelError(
            f"no backbone weights at {weights}; expected imagenet, none, or the path of a "
            f"Keras weights file"
        )
    try:
        return ARCHITECTURES[architecture](pixels, None if weights == "none" else weights)
    except Exception as error:  # Keras raises bare Exception where a download fails
        if is_path:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{weights} does not fit {architecture}: {reason}") from error
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
    backbone = model.layers[: model.layers.index(model.get_layer(FEATURE_MAP))]
    first_trained = len(backbone) - layer_count
    for index, layer in enumerate(backbone):
        is_batch_norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = index >= first_trained and not is_batch_norm
