"""From a feature map to one probability per class: what stands on a backbone.

Each takes features `(n, h, w, channels)` and the number of classes, and gives `(n, classes)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

_SUREST_SHARE = 0.01  # of the places: thirteen of 36 x 36


def mean_of_places(features: keras.KerasTensor, class_count: int) -> keras.KerasTensor:
    """What the picture shows on the whole, wherever it is."""
    from keras import layers

    return _dense(layers.GlobalAveragePooling2D()(features), class_count)


def places_in_order(features: keras.KerasTensor, class_count: int) -> keras.KerasTensor:
    """What the picture shows and where: each place has weights of its own."""
    from keras import layers

    return _dense(layers.Flatten()(features), class_count)


def _dense(x: keras.KerasTensor, class_count: int) -> keras.KerasTensor:
    from keras import layers

    x = layers.Dropout(0.3)(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.3)(x)
    return layers.Dense(class_count, activation="softmax", name="probabilities")(x)


def surest_places(features: keras.KerasTensor, class_count: int) -> keras.KerasTensor:
    """Each place answers for itself; for each class the hundredth that speaks most for it counts.

    So the few places that decide are known, and nothing else can have decided. Source: multiple
    instance learning with a mean over the top instances, as Durand et al., WELDON, CVPR 2016.
    """
    import keras
    from keras import layers

    height, width = features.shape[1:3]
    x = layers.SpatialDropout2D(0.2)(features)
    x = layers.Conv2D(class_count, 1, name="place_logits")(x)
    x = layers.Permute((2, 1))(layers.Reshape((height * width, class_count))(x))
    surest, _ = keras.ops.top_k(x, max(1, round(_SUREST_SHARE * height * width)))
    return layers.Activation("softmax", name="probabilities")(keras.ops.mean(surest, axis=-1))
