"""Networks without shortcuts, small enough to train from nothing: `vgg_small` and `cnn`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

_VGG_CHANNELS = (16, 32, 64, 128, 128)  # a quarter of those that the paper has
_CNN_CHANNELS = (16, 32, 64, 64)


def vgg_small(pixels: keras.KerasTensor, weights: str | None, width: float) -> keras.KerasTensor:
    """Five blocks of two 3x3 convolutions, BatchNorm after each, halved between the blocks.

    The five blocks of configuration B in Simonyan and Zisserman, Very deep convolutional networks
    for large-scale image recognition, ICLR 2015, https://arxiv.org/abs/1409.1556, with fewer
    channels; what a pooling after the last block would throw away stays for the feature map.

    Args:
        pixels: `(n, h, w, 3)` RGB 0-255.
        weights: None; nobody publishes any.
        width: multiplies the channels.

    Returns:
        `(n, h / 16, w / 16, channels)`.
    """
    from keras import layers

    x = layers.Rescaling(1 / 127.5, offset=-1, name="preprocessing")(pixels)
    for block, base in enumerate(_VGG_CHANNELS, start=1):
        if block > 1:
            x = layers.MaxPooling2D(name=f"block{block - 1}_pool")(x)
        for number in (1, 2):
            name = f"block{block}_conv{number}"
            x = layers.Conv2D(
                channels(base, width),
                3,
                padding="same",
                use_bias=False,  # BatchNorm adds one
                kernel_initializer="he_normal",
                name=name,
            )(x)
            x = layers.BatchNormalization(name=f"{name}_bn")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
    return x


def cnn(pixels: keras.KerasTensor, weights: str | None, width: float) -> keras.KerasTensor:
    """Convolution and pooling in turn, four times: what a first course teaches.

    Args:
        pixels: `(n, h, w, 3)` RGB 0-255.
        weights: None; nobody publishes any.
        width: multiplies the channels.

    Returns:
        `(n, h / 16, w / 16, channels)`.
    """
    from keras import layers

    x = layers.Rescaling(1 / 127.5, offset=-1, name="preprocessing")(pixels)
    for number, base in enumerate(_CNN_CHANNELS, start=1):
        x = layers.Conv2D(
            channels(base, width),
            3,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(x)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    return x


def channels(base: int, width: float) -> int:
    """So many channels, made wider or narrower: whole eights, which processors like."""
    return max(8, round(base * width / 8) * 8)
