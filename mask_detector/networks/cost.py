"""What a network costs: how many numbers it keeps, and how many products it makes of a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Cost:
    """Of one picture through a network."""

    parameters: int  # trainable or not
    multiply_adds: int  # one multiplication and the addition of its product count as one

    def __str__(self) -> str:
        return (
            f"{self.parameters / 1e6:.2f} million parameters, "
            f"{self.multiply_adds / 1e6:.0f} million multiply-adds a picture"
        )


def cost_of(model: keras.Model) -> Cost:
    """Count what convolutions and dense layers do; all else is a few per cent of that.

    Each number of a kernel is used once for each position of the output: a dense layer has one
    position, a convolution as many as its output has pixels.

    Args:
        model: with an input of fixed size. Models within it are counted, too.
    """
    return Cost(model.count_params(), sum(_multiply_adds(layer) for layer in model.layers))


def _multiply_adds(layer: keras.Layer) -> int:
    from keras import Model, layers

    if isinstance(layer, Model):
        return cost_of(layer).multiply_adds
    if isinstance(layer, layers.SeparableConv2D):
        kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
    elif isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
        kernels = (layer.kernel,)
    else:
        return 0
    positions = math.prod(layer.output.shape[1:-1])
    return positions * sum(math.prod(kernel.shape) for kernel in kernels)
