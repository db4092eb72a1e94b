"""What a network costs, against sums done by hand, TensorFlow's own count and published figures."""

import numpy as np
import pytest

from mask_detector.architectures import ARCHITECTURES
from mask_detector.networks.cost import Cost, cost_of


def by_tensorflow(model):
    """Multiply-adds by the graph profiler: it counts two operations for each."""
    import tensorflow as tf

    spec = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    counted = tf.compat.v1.profiler.profile(graph, cmd="op", options=options)
    products = {"Conv2D", "DepthwiseConv2dNative", "MatMul"}
    found, todo = 0, [counted]
    while todo:
        node = todo.pop()
        if node.name in products:
            found += node.float_ops
        todo += node.children
    return found / 2


@pytest.mark.parametrize("architecture", sorted(set(ARCHITECTURES) - {"resnet50"}))  # see below
def test_products_are_those_that_tensorflow_counts(architecture, keras):
    from mask_detector.architectures import build_model

    model = build_model(architecture, image_size=64, class_count=3, weights="none")
    expected = by_tensorflow(model)
    assert expected > 1e6
    assert cost_of(model).multiply_adds == pytest.approx(expected, rel=1e-6)
    assert cost_of(model).parameters == sum(np.prod(w.shape) for w in model.get_weights())


@pytest.mark.parametrize(
    ("architecture", "published"),
    [
        ("mobilenet_v2", 300e6),  # Sandler et al., CVPR 2018, table 4
        ("resnet50", 3.8e9),  # He et al., CVPR 2016, table 1
    ],
)
def test_products_are_those_that_the_papers_publish(architecture, published, keras):
    from mask_detector.architectures import build_model

    model = build_model(architecture, image_size=224, class_count=1000, weights="none")
    assert cost_of(model).multiply_adds == pytest.approx(published, rel=0.02)


def test_layers_of_every_kind_are_counted_as_by_hand(keras):
    layers = keras.layers
    pixels = keras.Input((32, 24, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same")(pixels)  # 16 x 12 of 3 * 3 * 3 * 8
    x = layers.Conv2D(16, 1, groups=4, use_bias=False)(x)  # 16 x 12 of 2 * 16
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)  # 14 x 10 of 3 * 3 * 32
    x = layers.SeparableConv2D(4, 3)(x)  # 12 x 8 of 3 * 3 * 32 + 32 * 4
    within = keras.Input((12, 8, 4))
    x = keras.Model(within, layers.Conv2D(5, 3)(within))(x)  # 10 x 6 of 3 * 3 * 4 * 5
    x = layers.Dense(7)(layers.BatchNormalization()(x))  # 10 x 6 of 5 * 7
    model = keras.Model(pixels, layers.Dense(2)(layers.Flatten()(x)))  # 420 * 2
    by_hand = 192 * 216 + 192 * 32 + 140 * 288 + 96 * (288 + 128) + 60 * 180 + 60 * 35 + 840
    assert cost_of(model) == Cost(model.count_params(), by_hand)
    assert f"{by_hand / 1e6:.0f} million multiply-adds" in str(cost_of(model))
