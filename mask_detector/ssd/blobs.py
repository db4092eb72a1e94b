"""What a Caffe blob becomes while the face SSD is built anew: sums and products not made yet.

Each has `scaled(factor, shift)`, which is per channel and takes a batch norm in, and `made()`,
which turns it into a Keras tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Convolution:
    """A convolution that is not made yet: what is multiplied or added after it is taken in."""

    tensor: Any
    kernel: np.ndarray  # (height, width, inputs, outputs)
    bias: np.ndarray
    stride: int | tuple[int, int]
    dilation: int
    pad: int

    def scaled(self, factor: np.ndarray, shift: np.ndarray) -> Convolution:
        return replace(self, kernel=self.kernel * factor, bias=self.bias * factor + shift)

    def made(self) -> Any:
        import keras

        reach = (self.kernel.shape[0] - 1) * self.dilation + 1
        pads = [(self.pad, self.pad)] * 2
        tensor, padding = padded(self.tensor, pads, reach, self.stride)
        layer = keras.layers.Conv2D(
            self.kernel.shape[3],
            self.kernel.shape[:2],
            strides=self.stride,
            dilation_rate=self.dilation,
            padding=padding,
        )
        made = layer(tensor)
        layer.set_weights([self.kernel, self.bias])
        return made


@dataclass(frozen=True)
class Scaled:
    """A tensor times `factor` plus `shift`, per channel; not multiplied out yet."""

    tensor: Any
    factor: np.ndarray
    shift: np.ndarray

    def scaled(self, factor: np.ndarray, shift: np.ndarray) -> Scaled:
        return Scaled(self.tensor, self.factor * factor, self.shift * factor + shift)

    def made(self) -> Any:
        import keras

        if (self.factor == 1).all() and not self.shift.any():
            return self.tensor
        # A multiplication has one step for all channels in eight bits; this has one for each.
        layer = keras.layers.DepthwiseConv2D(1)
        made = layer(self.tensor)
        layer.set_weights([self.factor.reshape(1, 1, -1, 1), self.shift])
        return made


@dataclass(frozen=True)
class Sum:
    """Two blobs to be added."""

    first: Any
    second: Any

    def scaled(self, factor: np.ndarray, shift: np.ndarray) -> Sum:
        return Sum(self.first.scaled(factor, shift), self.second.scaled(factor, 0 * shift))

    def made(self) -> Any:
        import keras

        return keras.layers.Add()([self.first.made(), self.second.made()])


def as_is(tensor: Any) -> Scaled:
    """A tensor as a blob."""
    channels = tensor.shape[-1]
    return Scaled(tensor, np.ones(channels), np.zeros(channels))


def padded(tensor: Any, pads: list[tuple[int, int]], reach: int, stride: int) -> tuple[Any, str]:
    """Zeros before and after, as Caffe has them: by the layer itself where it pads the same."""
    import keras

    if not np.any(pads):
        return tensor, "valid"
    missing = [max(0, reach - (side % stride or stride)) for side in tensor.shape[1:3]]
    if pads == [(total // 2, total - total // 2) for total in missing]:
        return tensor, "same"
    return keras.layers.ZeroPadding2D(pads)(tensor), "valid"
