"""Build OpenCV's Caffe face SSD anew in Keras, for any height and width.

    network = build_network(read_layers(text), read_weights(text, weights), 400, 400)

Batch norms and scales are not layers here: they are multiplied into the convolutions before
them, and the mean of the pixels into the first. So eight bits are spent on sums and comparisons
alone, and pixels go in as they are.
Source of the network: https://github.com/opencv/opencv/tree/4.x/samples/dnn/face_detector
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mask_detector.errors import ModelError
from mask_detector.ssd.blobs import Convolution, Scaled, Sum, as_is, padded
from mask_detector.ssd.caffe_description import Layer

if TYPE_CHECKING:
    import keras

_BATCH_NORM_EPSILON = 1e-5  # Caffe's default; the description names none
# How far channels are levelled, 0 not and 1 wholly, which the weights would pay for. Source: Nagel
# et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019,
# https://arxiv.org/abs/1906.04721
_LEVELLING = 0.5
_SMALLEST_PART = 0.01  # of the largest channel; smaller ones are hardly ever lit
_HEADROOM = 1.1  # other pictures may have larger numbers than those measured
_PASSED_THROUGH = ("Permute", "Flatten")  # channels stand last here anyway
_NOT_BUILT = ("PriorBox", "Reshape", "Softmax", "DetectionOutput")  # numpy's part, after it


@dataclass(frozen=True)
class SsdNetwork:
    """The network, and how to hand it a picture.

    The picture lies in a larger array, `margin` pixels from its upper left corner; `edge_bgr` is
    the colour around it which becomes the zero that Caffe puts around its first layer's input.
    Two pixels side by side make one column of six channels: the first convolution, of every
    second pixel, then takes 40 % less time.
    """

    model: keras.Model  # (1, rows, columns, 6) in; `offsets_0`, `logits_0`, `offsets_1` ... out
    inner: keras.Model  # the same; out comes, per ReLU, what comes out of it and what is added
    margin: int
    edge_bgr: tuple[float, ...]


@dataclass(frozen=True)
class Ranges:
    """The largest numbers around one ReLU, per channel, as measured on pictures."""

    out: np.ndarray  # of what comes out of it
    addend: np.ndarray | None  # of the second of the two things that are added before it


class _Builder:
    """Goes through the layers and keeps what has been made of every blob so far."""

    def __init__(
        self,
        weights: dict[str, list[np.ndarray]],
        size: tuple[int, int],
        mean_bgr: tuple[float, float, float],
        ranges: dict[str, Ranges],
    ) -> None:
        self._weights, self._size, self._ranges = weights, size, ranges
        self._blobs: dict[str, Any] = {"data": Scaled(None, np.ones(3), -np.array(mean_bgr))}
        self._kinds = {
            "Convolution": self._convolution,
            "BatchNorm": self._batch_norm,
            "Scale": self._scale,
            "ReLU": self._relu,
            "Pooling": self._pooling,
            "Eltwise": lambda layer, first, second: Sum(first, second),
            "Normalize": self._normalize,
            "Concat": self._outputs,
            **dict.fromkeys(_PASSED_THROUGH, lambda layer, blob: blob),
            **dict.fromkeys(_NOT_BUILT, lambda layer, *blobs: None),
        }
        self.outputs: dict[str, Any] = {}
        self.inner: dict[str, dict[str, Any]] = {}

    def add(self, layer: Layer) -> None:
        if layer.kind not in self._kinds:
            raise ModelError(f"the Caffe layer {layer.name} is a {layer.kind}, which is not known")
        blobs = [self._blobs[name] for name in layer.inputs]
        self._blobs[layer.output] = self._kinds[layer.kind](layer, *blobs)

    def _convolution(self, layer: Layer, blob: Any) -> Convolution:
        kernel, *bias = self._weights[layer.name]
        kernel = kernel.transpose(2, 3, 1, 0)  # from (outputs, inputs, height, width)
        shift = bias[0].ravel() if bias else np.zeros(kernel.shape[3])
        stride, pad, dilation = (
            layer.number(name, default)
            for name, default in (("stride", 1), ("pad", 0), ("dilation", 1))
        )
        if not isinstance(blob, Scaled):
            blob = as_is(blob.made())
        shift = shift + np.einsum("hwio,i->o", kernel, blob.shift)
        kernel = kernel * blob.factor[:, None]
        if blob.tensor is None:
            self.margin, self.edge_bgr = pad, tuple((-blob.shift / blob.factor).tolist())
            return self._first_convolution(kernel, shift)
        return Convolution(blob.tensor, kernel, shift, stride, dilation, pad)

    def _first_convolution(self, kernel: np.ndarray, bias: np.ndarray) -> Convolution:
        """Of pairs of pixels: stride (2, 1) and, after one column of zeros, half the width."""
        import keras

        side, _, channels, outputs = kernel.shape
        height, width = (size + 2 * self.margin for size in self._size)
        columns = (width - side) // 2 + (side + 1) // 2
        self.input = keras.Input((height, columns, 2 * channels), batch_size=1, name="pixel_pairs")
        kernel = np.pad(kernel, [(0, 0), (0, 1), (0, 0), (0, 0)])
        kernel = kernel.reshape(side, (side + 1) // 2, 2 * channels, outputs)
        return Convolution(self.input, kernel, bias, (2, 1), 1, 0)

    def _batch_norm(self, layer: Layer, blob: Any) -> Any:
        mean, variance, count = (array.ravel() for array in self._weights[layer.name])
        factor = 1 / np.sqrt(variance / count + _BATCH_NORM_EPSILON)
        return blob.scaled(factor, -mean / count * factor)

    def _scale(self, layer: Layer, blob: Any) -> Any:
        return blob.scaled(*(array.ravel() for array in self._weights[layer.name]))

    def _relu(self, layer: Layer, blob: Any) -> Scaled:
        import keras

        ranges, inner = self._ranges.get(layer.name), self.inner.setdefault(layer.name, {})
        parts = np.ones(1)
        if ranges is not None:
            parts = np.maximum(ranges.out / ranges.out.max(), _SMALLEST_PART) ** _LEVELLING
            blob = self._levelled(blob, parts, ranges)
        elif isinstance(blob, Sum):
            inner["addend"] = blob.second.made()
            blob = Sum(blob.first, as_is(inner["addend"]))
        inner["out"] = keras.layers.ReLU()(blob.made())
        return as_is(inner["out"]).scaled(parts, np.zeros(1))

    def _levelled(self, blob: Any, parts: np.ndarray, ranges: Ranges) -> Any:
        """All channels about as large as each other; the next convolution makes up for it."""
        import keras

        blob = blob.scaled(1 / parts, np.zeros(parts.size))
        if not isinstance(blob, Sum):
            return blob
        # What is so negative that the sum is too, whatever is added, needs no steps of its own.
        most, one = _HEADROOM * np.maximum(ranges.addend, 0) / parts, np.ones(parts.size)
        first = keras.layers.ReLU()(blob.first.scaled(one, most).made())
        return Sum(as_is(first), blob.second.scaled(one, -most))

    def _pooling(self, layer: Layer, blob: Scaled) -> Scaled:
        """Caffe rounds up: its last window may reach over the edge; zeros there are no maximum."""
        import keras

        side, stride = layer.number("kernel_size", 1), layer.number("stride", 1)
        pads = [(0, -(size - side) % stride) for size in blob.tensor.shape[1:3]]
        tensor, padding = padded(blob.tensor, pads, side, stride)
        return replace(
            blob, tensor=keras.layers.MaxPooling2D(side, stride, padding=padding)(tensor)
        )

    def _normalize(self, layer: Layer, blob: Any) -> Scaled:
        import keras

        (factor,) = self._weights[layer.name]
        unit = as_is(keras.layers.UnitNormalization()(blob.made()))
        return unit.scaled(factor.ravel(), np.zeros(factor.size))

    def _outputs(self, layer: Layer, *heads: Any) -> None:
        """The heads stay apart, so that in eight bits each has steps of its own."""
        for index, head in enumerate(heads):
            if layer.output == "mbox_loc":
                self.outputs[f"offsets_{index}"] = head.made()
            elif layer.output == "mbox_conf":  # softmax of two is a sigmoid of their difference
                kernel = head.kernel[..., 1::2] - head.kernel[..., ::2]
                face = replace(head, kernel=kernel, bias=head.bias[1::2] - head.bias[::2])
                self.outputs[f"logits_{index}"] = face.made()


def build_network(
    layers: list[Layer],
    weights: dict[str, list[np.ndarray]],
    height: int,
    width: int,
    mean_bgr: tuple[float, float, float],
    ranges: dict[str, Ranges] | None = None,
) -> SsdNetwork:
    """Build the network for pictures of one size.

    Args:
        layers: its description.
        weights: the arrays of its layers, as Caffe keeps them.
        height: of what it sees, in pixels.
        width: likewise.
        mean_bgr: what Caffe subtracts from the pixels.
        ranges: by ReLU; with them the network says the same but for the last digits, and loses
            less when it is rounded to eight bits.

    Raises:
        ModelError: a description of another kind of network.
    """
    import keras

    builder = _Builder(weights, (height, width), mean_bgr, ranges or {})
    try:
        for layer in layers:
            builder.add(layer)
        model = keras.Model(builder.input, builder.outputs, name="ssd")
        inner = keras.Model(builder.input, builder.inner)
    except (KeyError, AttributeError, ValueError, TypeError) as error:
        raise ModelError(f"the Caffe network is not the face SSD ({error!r})") from error
    return SsdNetwork(model, inner, builder.margin, builder.edge_bgr)
