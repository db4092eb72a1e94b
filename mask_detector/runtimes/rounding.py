"""Round a network's kernels to the steps of int8 so that its answers change least.

    round_kernels(model, crops)  # in place; the converter then finds nothing left to round

To round each weight to the nearest step is not the best: behind a ReLU all inputs are positive,
and hundreds of small errors add up to one that shifts the whole channel. Here the weights of a
channel are rounded one after the other, and those still to come make up for the error so far, as
well as the inputs that the layer sees allow. Source: Frantar et al., GPTQ: accurate post-training
quantization for generative pre-trained transformers, ICLR 2023, https://arxiv.org/abs/2210.17323.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers

_BATCH = 8
_MOST_CROPS = 256  # more change the moments little
_DAMPING = 0.01  # of the moments' mean, so that inputs that never vary do no harm
_LARGEST = 127  # steps each way; the converter takes as many for a channel's largest weight


def round_kernels(model: keras.Model, crops: np.ndarray) -> None:
    """Round the kernels of dense layers and convolutions, unless they are whole steps already.

    Args:
        model: its layers are changed in place.
        crops: `(n, size, size, 3)` uint8 RGB as at run time, from training pictures.
    """
    found = [layer for layer in model.layers if _has_kernel(layer) and not _is_rounded(layer)]
    if not found:
        return
    for layer, moments in zip(found, _input_moments(model, found, crops), strict=True):
        rounded = rounded_together(_matrices(layer), moments)
        layer.kernel.assign(np.moveaxis(rounded, 0, -2).reshape(layer.kernel.shape))


def _has_kernel(layer: keras.Layer) -> bool:
    if isinstance(layer, layers.Conv2D):
        return layer.groups == 1
    if isinstance(layer, layers.DepthwiseConv2D):
        return layer.depth_multiplier == 1
    return isinstance(layer, layers.Dense)


def _is_rounded(layer: keras.Layer) -> bool:
    matrices = _matrices(layer)
    steps = matrices / _step(matrices)
    return bool(np.abs(steps - np.rint(steps)).max() < 1e-3)


def _matrices(layer: keras.Layer) -> np.ndarray:
    """The kernel as what patches of the input are multiplied by, `(matrices, inputs, outputs)`.

    Of a depthwise convolution, whose channels have nothing to do with each other, one for each.
    """
    kernel = layer.kernel.numpy()
    if isinstance(layer, layers.DepthwiseConv2D):
        return np.moveaxis(kernel.reshape(-1, *kernel.shape[2:]), -2, 0)
    return kernel.reshape(1, -1, kernel.shape[-1])


def _step(matrices: np.ndarray) -> np.ndarray:
    """The size of a step for each output, `(matrices, 1, outputs)`."""
    largest = np.abs(matrices).max(axis=1, keepdims=True)
    return np.where(largest, largest, 1.0) / _LARGEST


def _input_moments(
    model: keras.Model, found: list[keras.Layer], crops: np.ndarray
) -> list[np.ndarray]:
    """For each layer the sum of `x x^T` over what it sees: `(matrices, inputs, inputs)`."""
    inputs = keras.Model(model.inputs, [layer.input for layer in found])

    @tf.function(reduce_retracing=True)
    def of_batch(pictures: tf.Tensor) -> list[tf.Tensor]:
        seen = tf.nest.flatten(inputs(pictures, training=False))
        return [_moments(layer, values) for layer, values in zip(found, seen, strict=True)]

    totals: list[np.ndarray | float] = [0.0] * len(found)
    for start in range(0, min(len(crops), _MOST_CROPS), _BATCH):
        pictures = tf.cast(crops[start : start + _BATCH], tf.float32)
        for index, moments in enumerate(of_batch(pictures)):
            totals[index] += moments.numpy().astype(np.float64)
    return totals


def _moments(layer: keras.Layer, values: tf.Tensor) -> tf.Tensor:
    if isinstance(layer, layers.DepthwiseConv2D):
        # As if pixels side by side had nothing in common but the mean: what matters is that the
        # errors of a channel add up to nothing, and patches of every pixel would take minutes.
        mean = tf.reduce_mean(values, (0, 1, 2))[:, None, None]
        variance = tf.math.reduce_variance(values, (0, 1, 2))[:, None, None]
        size = layer.kernel_size[0] * layer.kernel_size[1]
        return mean**2 * tf.ones((size, size)) + variance * tf.eye(size)
    if isinstance(layer, layers.Conv2D) and tuple(layer.kernel_size) != (1, 1):
        values = tf.image.extract_patches(
            values,
            sizes=[1, *layer.kernel_size, 1],
            strides=[1, *layer.strides, 1],
            rates=[1, *layer.dilation_rate, 1],
            padding=layer.padding.upper(),
        )
    flat = tf.reshape(values, (-1, values.shape[-1]))
    return tf.matmul(flat, flat, transpose_a=True)[None]


def rounded_together(matrices: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Round matrices so that their products with the inputs change little.

    Args:
        matrices: `(matrices, inputs, outputs)`.
        moments: `(matrices, inputs, inputs)`, the sum of `x x^T`.

    Returns:
        `(matrices, inputs, outputs)` float32; each column is made of whole steps, and its largest
        weight stays what it was, so that a second rounding finds the same steps.
    """
    left = matrices.astype(np.float64)
    count = left.shape[1]
    step, largest = _step(left), np.abs(left).argmax(axis=1)
    damping = _DAMPING * np.trace(moments, axis1=1, axis2=2)[:, None, None] / count
    inverse = np.linalg.inv(moments + np.where(damping, damping, 1.0) * np.eye(count))
    lower = np.linalg.cholesky(inverse)
    rounded = np.empty_like(left)
    for row in range(count):
        steps = np.clip(np.rint(left[:, row] / step[:, 0]), -_LARGEST, _LARGEST)
        steps = np.where(largest == row, _LARGEST * np.sign(matrices[:, row]), steps)
        rounded[:, row] = steps * step[:, 0]
        error = (left[:, row] - rounded[:, row]) / lower[:, row, row, None]
        left[:, row + 1 :] -= lower[:, row + 1 :, row, None] * error[:, None]
    return rounded.astype(np.float32)
