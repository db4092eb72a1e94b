"""Networks take raw RGB 0-255, give probabilities, and keep BatchNorm frozen."""

import os
from pathlib import Path

import numpy as np
import pytest

from mask_detector.errors import ModelError


@pytest.fixture(params=["mobilenet_v2"])
def architecture(request):
    return request.param


def test_the_parameters_of_these_tests_are_all_there_are(keras):
    from mask_detector.architectures import ARCHITECTURES

    assert list(ARCHITECTURES) == ["mobilenet_v2"]


def build(architecture, weights="none", class_count=3, image_size=64, **options):
    from mask_detector.architectures import build_model

    return build_model(
        architecture, image_size=image_size, class_count=class_count, weights=weights, **options
    )


def pixels(n=2, size=64):
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3)).astype(np.float32)


def test_raw_pixels_go_in_and_probabilities_come_out(architecture, keras):
    answers = build(architecture).predict(pixels(4), verbose=0)
    assert answers.shape == (4, 3)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_the_feature_map_survives_saving(architecture, keras, tmp_path):
    model = build(architecture)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.get_layer("feature_map").output.shape[1:3] == (2, 2)
    np.testing.assert_allclose(
        again.predict(pixels(), verbose=0), model.predict(pixels(), verbose=0), atol=1e-6
    )


def test_preprocessing_inside_equals_that_of_keras_outside(keras):
    weights = os.environ.get("MASK_DETECTOR_WEIGHTS", "")
    if not Path(weights).is_file():
        pytest.skip("needs ImageNet weights: set MASK_DETECTOR_WEIGHTS to their file")
    model = build("mobilenet_v2", weights, image_size=96)
    ours = keras.Model(model.input, model.get_layer("feature_map").output)
    theirs = keras.applications.MobileNetV2(
        include_top=False, weights=weights, input_shape=(96, 96, 3)
    )
    for layer in theirs.layers:  # ours are rounded; see the test below
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    scaled = keras.applications.mobilenet_v2.preprocess_input(pixels(size=96))
    np.testing.assert_allclose(
        ours.predict(pixels(size=96), verbose=0), theirs.predict(scaled, verbose=0), atol=1e-3
    )


def test_only_the_top_layers_train_and_batch_norm_never_moves(architecture, keras):
    from mask_detector.architectures import set_trainable_top

    model = build(architecture, class_count=2)
    set_trainable_top(model, 30)
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    before = {layer.name: layer.get_weights() for layer in model.layers}
    model.fit(pixels(8), np.arange(8) % 2, epochs=2, verbose=0)

    def has_changed(layer):
        pairs = zip(before[layer.name], layer.get_weights(), strict=True)
        return any(not np.array_equal(a, b) for a, b in pairs)

    names = [layer.name for layer in model.layers]
    first_trained = names.index("feature_map") - 30
    changed = {layer.name for layer in model.layers if has_changed(layer)}
    batch_norms = [n for n in names if isinstance(model.get_layer(n),
                                                  keras.layers.BatchNormalization)]  # fmt: skip
    assert len(batch_norms) > 40 and not changed & set(batch_norms)
    assert not changed & set(names[:first_trained])
    assert any(name in changed for name in names[first_trained : names.index("feature_map")])
    assert "probabilities" in changed


def test_unknown_names_list_the_known(keras):
    with pytest.raises(ModelError, match=r"alexnet.*mobilenet_v2"):
        build("alexnet")


def test_kernels_are_those_of_the_weights_file_on_the_steps_of_int8(keras):
    weights = os.environ.get("MASK_DETECTOR_WEIGHTS", "")
    if not Path(weights).is_file():
        pytest.skip("needs ImageNet weights: set MASK_DETECTOR_WEIGHTS to their file")
    model = build("mobilenet_v2", weights, image_size=96)
    theirs = keras.applications.MobileNetV2(
        include_top=False, weights=weights, input_shape=(96, 96, 3)
    )
    plain = build("mobilenet_v2", weights, image_size=96, rounds_kernels=False)
    for layer in theirs.layers:
        if not layer.weights:
            continue
        untouched = plain.get_layer(layer.name).get_weights()
        for mine, given in zip(untouched, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, given)
        ours = model.get_layer(layer.name).get_weights()
        for mine, given in zip(ours, layer.get_weights(), strict=True):
            if given.ndim < 4:  # BatchNorm
                np.testing.assert_array_equal(mine, given)
                continue
            channels = given.shape[2] if given.shape[3] == 1 else given.shape[3]
            order = (0, 1, 3, 2) if given.shape[3] == 1 else (0, 1, 2, 3)  # depthwise
            for channel in range(channels):
                a, b = (kernel.transpose(order)[..., channel] for kernel in (mine, given))
                steps = a / (np.abs(b).max() / 127)
                np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
                assert np.abs(a - b).max() <= np.abs(b).max() / 254 * 1.001
