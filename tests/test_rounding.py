"""Rounding to int8: whole steps, and answers that stay closer than the nearest steps leave them."""

import numpy as np
import pytest
from conftest import textured_photo
from data_sets import settle

from mask_detector.runtimes.rounding import round_kernels, rounded_together


def nearest(matrix):
    """Each weight at the nearest of 127 steps up to its column's largest."""
    step = np.abs(matrix).max(axis=0) / 127
    return np.rint(matrix / step) * step


def rounded(matrix, inputs):
    (result,) = rounded_together(matrix[None], (inputs.T @ inputs)[None])
    return result


def change_of_answers(rounded, matrix, inputs):
    return np.sqrt(np.mean((inputs @ (rounded - matrix)) ** 2))


@pytest.fixture(scope="module")
def layer_and_inputs():
    """Inputs as they come out of a ReLU: positive, and alike in part."""
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(2000, 6)) @ rng.normal(size=(6, 48))
    inputs = np.maximum(shared + rng.normal(size=(2000, 48)), 0)
    return rng.normal(size=(48, 20)).astype("float32"), inputs


def test_every_weight_is_a_whole_step_and_the_largest_stays(layer_and_inputs):
    matrix, inputs = layer_and_inputs
    ours = rounded(matrix, inputs)
    steps = ours / (np.abs(matrix).max(axis=0) / 127)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    np.testing.assert_allclose(np.abs(ours).max(axis=0), np.abs(matrix).max(axis=0), rtol=1e-6)
    assert ours.dtype == np.float32 and np.abs(steps).max() < 127.001
    np.testing.assert_allclose(nearest(ours), ours, atol=1e-6)  # nothing left to round


def test_answers_change_much_less_than_with_the_nearest_steps(layer_and_inputs):
    matrix, inputs = layer_and_inputs
    ours = rounded(matrix, inputs[:1000])
    others = inputs[1000:]  # that it was not made from
    change = change_of_answers(ours, matrix, others)
    assert change < 0.6 * change_of_answers(nearest(matrix), matrix, others)


@pytest.mark.parametrize("flaw", ["silent inputs", "zero column", "too few inputs"])
def test_odd_layers_are_rounded_too(layer_and_inputs, flaw):
    matrix, inputs = (values.copy() for values in layer_and_inputs)
    if flaw == "silent inputs":
        inputs[:, 5:9] = 0
    if flaw == "zero column":
        matrix[:, 3] = 0
    if flaw == "too few inputs":
        inputs = inputs[:1] * 0
    ours = rounded(matrix, inputs)
    step = np.abs(matrix).max(axis=0) / 127
    assert np.isfinite(ours).all()
    assert (np.abs(ours - matrix).max(axis=0) <= 30 * step + 1e-6).all()


def test_a_network_answers_nearly_as_before(keras):
    """Against the same network with the same layers rounded to the nearest steps."""
    keras.utils.set_random_seed(4)
    layers = keras.layers
    pixels = keras.Input((24, 24, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same")(pixels)
    for width in (32, 24, 32):
        x = layers.Conv2D(width, 1, use_bias=False)(
            layers.ReLU(6.0)(layers.BatchNormalization()(x))
        )
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Conv2D(20, 3, groups=4, name="in_groups")(x)
    x = layers.Dense(16, activation="relu")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(pixels, layers.Dense(3)(x))
    settle(model)
    photos = np.stack([textured_photo(seed, (24, 24)) for seed in range(120)])
    shown, others = photos[:60], photos[60:]
    before, weights = model.predict(others, verbose=0), model.get_weights()
    by_nearest = keras.models.clone_model(model)
    by_nearest.set_weights(weights)
    for layer in by_nearest.layers:
        if not hasattr(layer, "kernel") or layer.name == "in_groups":
            continue
        kernel = layer.kernel.numpy()
        is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
        outputs = kernel.shape[2] if is_depthwise else kernel.shape[-1]
        layer.kernel.assign(nearest(kernel.reshape(-1, outputs)).reshape(kernel.shape))

    round_kernels(model, shown)

    ours = np.abs(model.predict(others, verbose=0) - before).mean()
    theirs = np.abs(by_nearest.predict(others, verbose=0) - before).mean()
    assert 0 < ours < 0.7 * theirs
    for layer, twin in zip(model.layers, by_nearest.layers, strict=True):
        if hasattr(layer, "kernel"):  # the largest weights, and so the steps, are the same
            ours, theirs = (np.abs(one.kernel.numpy()).max() for one in (layer, twin))
            assert ours == pytest.approx(theirs, rel=1e-5)
    once = model.get_weights()
    round_kernels(model, shown)  # all are whole steps now
    for now, first in zip(model.get_weights(), once, strict=True):
        np.testing.assert_array_equal(now, first)
