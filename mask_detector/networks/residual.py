"""`resnet18`: residual blocks of two 3x3 convolutions each.

He et al., Deep residual learning for image recognition, CVPR 2016,
https://arxiv.org/abs/1512.03385. The layers are those of KerasHub, by structure and by name, so
that its ImageNet weights fit; the model that comes out needs no KerasHub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mask_detector.errors import ModelError
from mask_detector.networks.plain import channels

if TYPE_CHECKING:
    import keras

_STACKS = (64, 128, 256, 512)  # channels; two blocks each
_PRESET = "resnet_18_imagenet"
_IMAGENET_MEAN, _IMAGENET_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # RGB, of 1


def resnet18(pixels: keras.KerasTensor, weights: str | None, width: float) -> keras.KerasTensor:
    """Eighteen layers deep, counted with a head.

    Args:
        pixels: `(n, h, w, 3)` RGB 0-255.
        weights: `imagenet` (through KerasHub, width 1 alone) or None.
        width: multiplies the channels.

    Returns:
        `(n, h / 32, w / 32, channels)`.

    Raises:
        ModelError: weights are wanted and KerasHub is not installed.
    """
    import keras
    from keras import layers

    x = layers.Rescaling(
        [1 / (255 * spread) for spread in _IMAGENET_SPREAD],
        [-m / s for m, s in zip(_IMAGENET_MEAN, _IMAGENET_SPREAD, strict=True)],
        name="preprocessing",
    )(pixels)
    x = _convolution(x, channels(_STACKS[0], width), "conv1", side=7, stride=2)
    x = layers.ReLU(name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stack, base in enumerate(_STACKS):
        for block in (0, 1):
            stride = 2 if stack and not block else 1
            x = _basic_block(x, channels(base, width), f"stack{stack}_block{block}", stride)
    if weights:
        _take_imagenet_weights(keras.Model(pixels, x))
    return x


def _basic_block(x: keras.KerasTensor, count: int, name: str, stride: int) -> keras.KerasTensor:
    from keras import layers

    shortcut = x
    if stride > 1:
        shortcut = _convolution(x, count, f"{name}_0", side=1, stride=stride)
    x = layers.ReLU(name=f"{name}_1_relu")(_convolution(x, count, f"{name}_1", stride=stride))
    x = _convolution(x, count, f"{name}_2")
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, x]))


def _convolution(
    x: keras.KerasTensor, count: int, name: str, *, side: int = 3, stride: int = 1
) -> keras.KerasTensor:
    """A convolution and its BatchNorm; padded by the same number of pixels on every side."""
    from keras import layers

    padding = "same"
    if stride > 1 and side > 1:  # "same" would pad unlike the network that the weights are from
        x = layers.ZeroPadding2D((side - 1) // 2, name=f"{name}_pad")(x)
        padding = "valid"
    x = layers.Conv2D(
        count,
        side,
        strides=stride,
        padding=padding,
        use_bias=False,  # BatchNorm adds one
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return layers.BatchNormalization(epsilon=1e-5, name=f"{name}_bn")(x)


def _take_imagenet_weights(backbone: keras.Model) -> None:
    try:
        import keras_hub
    except ImportError as error:
        raise ModelError(
            "the ImageNet weights of resnet18 come through KerasHub, which is not installed; "
            "python -m pip install -r requirements-kerashub.txt, or train from random ones with "
            "--backbone-weights none"
        ) from error
    copy_weights(keras_hub.models.Backbone.from_preset(_PRESET), backbone)


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Give layers the weights of those that have the same name in another network.

    Raises:
        ValueError: a layer is not there, or has another shape.
    """
    for layer in target.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())
