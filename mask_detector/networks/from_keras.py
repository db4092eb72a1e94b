"""Networks that Keras brings, with weights from ImageNet: `mobilenet_v2` and `resnet50`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

_IMAGENET_MEAN = (123.68, 116.779, 103.939)  # of red, green and blue, 0-255


def mobilenet_v2(pixels: keras.KerasTensor, weights: str | None, width: float) -> keras.KerasTensor:
    """Sandler et al., MobileNetV2, CVPR 2018, https://arxiv.org/abs/1801.04381.

    Args:
        pixels: `(n, h, w, 3)` RGB 0-255.
        weights: `imagenet` or None.
        width: the paper's multiplier, Keras' `alpha`.

    Returns:
        `(n, h / 32, w / 32, channels)`.
    """
    import keras

    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="preprocessing")(pixels)
    return keras.applications.MobileNetV2(
        input_tensor=scaled, alpha=width, include_top=False, weights=weights
    ).output


def resnet50(pixels: keras.KerasTensor, weights: str | None, width: float) -> keras.KerasTensor:
    """He et al., Deep residual learning, CVPR 2016, https://arxiv.org/abs/1512.03385.

    Its ImageNet weights come from Caffe, and so want blue first and values about their mean.

    Args:
        pixels: `(n, h, w, 3)` RGB 0-255.
        weights: `imagenet` or None.
        width: 1; Keras has no other.

    Returns:
        `(n, h / 32, w / 32, 2048)`.
    """
    import keras

    offset = [-mean for mean in _IMAGENET_MEAN]
    centred = keras.layers.Rescaling(1.0, offset=offset, name="preprocessing")(pixels)
    blue_first = keras.ops.flip(centred, axis=-1)
    return keras.applications.ResNet50(
        input_tensor=blue_first, include_top=False, weights=weights
    ).output
