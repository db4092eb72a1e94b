"""Read a Caffe network: its description (`.prototxt`) and, through OpenCV, its weights.

Source of the text format: https://protobuf.dev/reference/protobuf/textformat-spec/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mask_detector.errors import ModelError

_TOKEN = re.compile(r'"[^"]*"|[{}:]|[^\s{}:"]+')


@dataclass(frozen=True)
class Layer:
    """One `layer { ... }` of a description."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    output: str
    settings: dict[str, list[Any]]  # of its `..._param` block; each may be given several times

    def number(self, name: str, default: int) -> int:
        """A setting that is one whole number."""
        return int(self.settings.get(name, [default])[0])


def read_layers(text: str) -> list[Layer]:
    """Read the layers of a description, in its order.

    Raises:
        ModelError: it is none, or damaged.
    """
    tokens = iter(_TOKEN.findall(re.sub(r"#.*", "", text)))
    try:
        return [_layer(block) for block in _block(tokens)["layer"]]
    except (KeyError, StopIteration, ValueError, TypeError, AttributeError) as error:
        raise ModelError(
            f"a Caffe description can't be read ({error!r}); fetch the file anew"
        ) from error


def _block(tokens: Iterator[str]) -> dict[str, list[Any]]:
    """`name: value` and `name { ... }` up to the closing brace; names may come again."""
    fields: dict[str, list[Any]] = {}
    for name in tokens:
        if name == "}":
            break
        value = _block(tokens) if next(tokens) == "{" else next(tokens).strip('"')
        fields.setdefault(name, []).append(value)
    return fields


def _layer(block: dict[str, list[Any]]) -> Layer:
    settings = next((block[name][0] for name in block if name.endswith("_param")), {})
    (name,), (kind,), (output,) = block["name"], block["type"], block["top"]
    return Layer(name, kind, tuple(block["bottom"]), output, settings)


def read_weights(description: str, weights: bytes) -> dict[str, list[np.ndarray]]:
    """The arrays of every layer that has some, as Caffe keeps them, float64.

    Args:
        description: text of the `.prototxt`.
        weights: content of the `.caffemodel`.

    Raises:
        ModelError: the two are damaged, or do not fit each other.
    """
    try:
        network = cv2.dnn.readNetFromCaffe(
            np.frombuffer(description.encode(), np.uint8), np.frombuffer(weights, np.uint8)
        )
        layers = [network.getLayer(network.getLayerId(n)) for n in network.getLayerNames()]
    except cv2.error as error:
        raise ModelError(f"OpenCV can't read the Caffe network: {error.err}") from error
    return {
        layer.name: [np.asarray(blob, np.float64) for blob in layer.blobs]
        for layer in layers
        if layer.blobs
    }
