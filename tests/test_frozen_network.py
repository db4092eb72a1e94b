"""Frozen features are the same whichever engine computes them, and there is always one that can."""

import logging

import numpy as np
import pytest
from data_sets import settle

MANY = 100_000


@pytest.fixture(scope="module")
def whole(keras):
    from mask_detector.architectures import build_model, set_trainable_top

    keras.utils.set_random_seed(1)
    network = build_model("mobilenet_v2", image_size=64, class_count=2, weights="none")
    set_trainable_top(settle(network), 0)
    return network


@pytest.fixture(scope="module")
def model(whole):
    """All that is frozen while the head trains."""
    from mask_detector.feature_cache import cut

    return cut(whole)[0]


def pictures(count):
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


def test_litert_says_what_keras_says_but_for_the_rounding_of_what_is_kept(model):
    from mask_detector.frozen_network import FrozenNetwork

    quick = FrozenNetwork(model, MANY)
    assert quick.output_shape == model.output_shape
    for count in (5, 1, 8):  # more and fewer than there are cores
        expected = np.asarray(model(pictures(count).astype(np.float32), training=False))
        features = quick(pictures(count))
        assert features.dtype == np.float32
        assert np.abs(expected[0]).max() > 0.1
        np.testing.assert_allclose(features, expected, rtol=2**-11, atol=2**-11 * expected.max())


def test_a_frozen_part_and_what_follows_it_are_the_whole(whole):
    from mask_detector.feature_cache import cut
    from mask_detector.frozen_network import FrozenNetwork

    trunk, top = cut(whole)
    run = FrozenNetwork(trunk, MANY).followed_by(top)
    expected = np.asarray(whole(pictures(5).astype(np.float32), training=False))
    assert np.abs(np.diff(expected, axis=0)).max() > 1e-3  # the pictures differ
    np.testing.assert_allclose(run(pictures(5)), expected, atol=1e-4)


def beyond_litert():
    """A network with an operation that LiteRT lacks; it makes 0.4769363 of 150."""
    import keras

    pixels = keras.Input((16, 16, 3))
    return keras.Model(pixels, keras.ops.erfinv(pixels / 300), name="beyond")


@pytest.mark.parametrize(("count", "lines"), [(MANY, 1), (200, 0)])
def test_keras_computes_what_litert_cannot_and_what_is_not_worth_converting(
    keras, caplog, count, lines
):
    """Only a conversion that was tried can fail, and then says so once."""
    from mask_detector.frozen_network import FrozenNetwork

    trunk = FrozenNetwork(beyond_litert(), count)
    with caplog.at_level(logging.INFO, "mask_detector"):
        for _ in range(2):
            features = trunk(np.full((4, 16, 16, 3), 150, np.uint8))
            np.testing.assert_allclose(features, np.full((4, 16, 16, 3), 0.4769363), rtol=1e-4)
    assert len(caplog.records) == lines
    for record in caplog.records:
        assert "beyond" in record.message and "Keras" in record.message
        assert "\n" not in record.message
