"""Small networks whose answer is known by hand, for tests of what looks inside."""

import cv2
import numpy as np

from mask_detector.mask_classifiers import Network
from mask_detector.types import ModelCard

NAMES = ("blue", "red")
CELL = 8  # pixels of a place's side


def colour_model(keras, *, size=32, quadrant=None, head="average", slope=40.0):
    """Says red where there is more red than blue: the difference, place by place.

    Args:
        size: of the picture, in pixels.
        quadrant: `(down, across)` 0 or 1: the only part that the answer depends on.
        head: `average` over places; `flat`, which weighs each place by itself and only those of
            the upper left quadrant; `sigmoid`, one output.
        slope: log-odds of a picture that is all red.
    """
    layers = keras.layers
    pixels = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 255)(pixels)
    x = layers.Conv2D(2, CELL, strides=CELL, activation="relu", use_bias=False, name="cells")(x)
    if quadrant:
        half = size // CELL // 2
        cut = [(half * side, half * (1 - side)) for side in quadrant]
        x = layers.ZeroPadding2D(cut)(layers.Cropping2D(cut)(x))
    x = layers.Activation("linear", name="feature_map")(x)
    x = layers.Flatten()(x) if head == "flat" else layers.GlobalAveragePooling2D()(x)
    ending = "sigmoid" if head == "sigmoid" else "softmax"
    outputs = 1 if head == "sigmoid" else 2
    answers = layers.Dense(outputs, activation=ending, use_bias=False, name="answers")(x)
    model = keras.Model(pixels, answers)
    more_red = np.array([1, 0, -1]) / CELL**2
    kernel = np.tile(np.stack([-more_red, more_red], axis=1), (CELL, CELL, 1, 1))
    model.get_layer("cells").set_weights([kernel])
    weights = np.array([[slope / 2, -slope / 2], [-slope / 2, slope / 2]])
    if head == "flat":
        count = size // CELL
        seen = np.zeros((count, count, 1, 1))
        seen[: count // 2, : count // 2] = 1 / count**2
        weights = (seen * weights).reshape(-1, 2)
    if head == "sigmoid":
        weights = weights[:, 1:] - weights[:, :1]
    model.get_layer("answers").set_weights([weights])
    return model


def network_of(model, *, names=NAMES, temperature=1.0):
    card = ModelCard(names, model.input_shape[1], crop_margin=0.0, temperature=temperature)
    return Network(model, model, card)


def noisy(seed, *squares, size=32, count=1):
    """Grey pictures with faint colours, `(count, size, size, 3)` uint8 RGB, and squares painted
    on all of them: `(left, top, side, RGB)`."""
    pictures = np.random.default_rng(seed).integers(110, 146, (count, size, size, 3), np.uint8)
    for left, top, side, colour in squares:
        pictures[:, top : top + side, left : left + side] = colour
    return pictures


def write_photo(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture[:, :, ::-1])
    return path
