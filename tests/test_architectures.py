"""Every network of the table takes raw RGB 0-255, gives probabilities, is kept and exported."""

import re
from pathlib import Path

import numpy as np
import pytest
from data_sets import settle

from mask_detector.architectures import ARCHITECTURES, check_choice
from mask_detector.errors import ModelError, OptionError
from mask_detector.types import ModelCard

SIZE = 64
CAFFE, TORCH, TENSORFLOW = "caffe", "torch", "tf"  # schemes of Keras' `preprocess_input`
SCHEMES = {"resnet50": CAFFE, "resnet18": TORCH}  # the others: TENSORFLOW


def build(architecture, weights="none", class_count=3, image_size=SIZE, **options):
    from mask_detector.architectures import build_model

    return build_model(
        architecture, image_size=image_size, class_count=class_count, weights=weights, **options
    )


def pixels(n=2, size=SIZE):
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def model(architecture, keras):
    """Random weights that tell pictures apart; nobody changes them."""
    keras.utils.set_random_seed(1)
    return settle(build(architecture))


@pytest.fixture(scope="module")
def file(model, architecture, tmp_path_factory):
    from mask_detector.model_file import save_model

    path = tmp_path_factory.mktemp(architecture) / "m.keras"
    save_model(model, ModelCard(("a", "b", "c"), SIZE, architecture=architecture), path)
    return path


def said_by(model, pictures):
    return np.asarray(model(pictures, training=False))


def test_the_networks_are_those_that_the_manual_names():
    assert list(ARCHITECTURES) == [
        "mobilenet_v2",
        "resnet50",
        "resnet18",
        "vgg_small",
        "cnn",
        "spots",
    ]


def test_raw_pixels_go_in_and_probabilities_come_out(model):
    answers = said_by(model, pixels(4))
    assert answers.shape == (4, 3)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert np.abs(answers[0] - answers[1]).max() > 1e-3  # it looks at them


def test_at_its_own_size_the_feature_map_has_places_enough(model, architecture):
    height, width = model.get_layer("feature_map").output.shape[1:3]
    stride = SIZE // height
    assert height == width and ARCHITECTURES[architecture].image_size // stride >= 4


def test_pixels_are_scaled_inside_as_keras_scales_them(model, architecture, keras):
    """What reaches the first convolution, against Keras' own function."""
    first = next(x for x in model.layers if isinstance(x, keras.layers.Conv2D))
    shown = said_by(keras.Model(model.input, first.input), pixels())
    border = (shown.shape[1] - SIZE) // 2  # some networks pad before they convolve
    inner = shown[:, border : SIZE + border, border : SIZE + border]
    expected = keras.applications.imagenet_utils.preprocess_input(
        pixels(), mode=SCHEMES.get(architecture, TENSORFLOW)
    )
    np.testing.assert_allclose(inner, expected, atol=1e-4)


def test_it_is_saved_and_read_again(model, file, keras):
    again = keras.models.load_model(file)
    assert (
        again.get_layer("feature_map").output.shape[1:3]
        == (model.get_layer("feature_map").output.shape[1:3])
    )
    np.testing.assert_allclose(said_by(again, pixels()), said_by(model, pixels()), atol=1e-5)


def test_litert_says_what_keras_says(model, file, tmp_path):
    from mask_detector.export import export_tflite
    from mask_detector.mask_classifiers import load_classifier
    from mask_detector.model_file import read_card

    path = tmp_path / "m.tflite"
    export_tflite(model, read_card(file), path, number_format="float32")
    crops = pixels(3).astype(np.uint8)
    np.testing.assert_allclose(
        load_classifier(path).predict(crops), said_by(model, pixels(3)), atol=1e-3
    )


# Eight bits of MobileNetV2 are judged in test_export.py; those of ResNet50 take minutes.
@pytest.mark.parametrize("architecture", ["resnet18", "vgg_small", "cnn", "spots"])
def test_eight_bits_say_nearly_the_same(architecture, keras, tmp_path):
    from mask_detector.export import export_tflite
    from mask_detector.mask_classifiers import load_classifier

    keras.utils.set_random_seed(2)
    model, crops = settle(build(architecture, width=0.25)), pixels(24).astype(np.uint8)
    path = tmp_path / "m.tflite"
    export_tflite(model, ModelCard(("a", "b", "c"), SIZE), path, crops=crops)
    answers, expected = load_classifier(path).predict(crops), said_by(model, pixels(24))
    np.testing.assert_allclose(answers, expected, atol=0.1)


def test_a_wider_network_has_more_parameters_and_a_narrower_one_fewer(architecture, keras):
    if not ARCHITECTURES[architecture].is_scalable:
        with pytest.raises(OptionError, match=f"{architecture} has one width.*--width-multiplier"):
            build(architecture, width=0.5)
        return
    narrow, wide = (build(architecture, width=width, image_size=32) for width in (0.25, 0.5))
    backbones = [
        sum(layer.count_params() for layer in model.layers if len(layer.output.shape) == 4)
        for model in (narrow, wide)
    ]
    assert 2 < backbones[1] / backbones[0] < 4.5
    assert narrow.count_params() < wide.count_params()


def test_the_vgg_for_two_classes_stays_under_a_million_parameters(keras):
    entry = ARCHITECTURES["vgg_small"]
    model = build("vgg_small", class_count=2, image_size=entry.image_size)
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    assert model.count_params() < 1e6
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)} and len(convolutions) >= 8


def test_a_backbone_from_a_file_is_the_one_that_keras_reads_from_it(keras, imagenet):
    model = build("mobilenet_v2", imagenet, image_size=96, rounds_kernels=False)
    ours = keras.Model(model.input, model.get_layer("feature_map").output)
    theirs = keras.applications.MobileNetV2(
        include_top=False, weights=imagenet, input_shape=(96, 96, 3)
    )
    scaled = keras.applications.mobilenet_v2.preprocess_input(pixels(size=96))
    np.testing.assert_allclose(said_by(ours, pixels(size=96)), said_by(theirs, scaled), atol=1e-3)


def test_kernels_are_those_of_the_weights_file_on_the_steps_of_int8(keras, imagenet):
    model = build("mobilenet_v2", imagenet, image_size=96)
    theirs = keras.applications.MobileNetV2(
        include_top=False, weights=imagenet, input_shape=(96, 96, 3)
    )
    plain = build("mobilenet_v2", imagenet, image_size=96, rounds_kernels=False)
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


def test_resnet18_is_kerashubs_so_that_its_weights_fit(keras):
    """KerasHub's own network with random weights, and ours with the same."""
    hub = pytest.importorskip("keras_hub", reason="needs KerasHub: requirements-kerashub.txt")
    from mask_detector.networks.residual import copy_weights

    keras.utils.set_random_seed(3)
    theirs = settle(
        hub.models.ResNetBackbone(
            input_conv_filters=[64], input_conv_kernel_sizes=[7],
            stackwise_num_filters=[64, 128, 256, 512], stackwise_num_blocks=[2, 2, 2, 2],
            stackwise_num_strides=[1, 2, 2, 2], block_type="basic_block",
        )
    )  # fmt: skip
    model = build("resnet18")
    ours = keras.Model(model.input, model.get_layer("feature_map").output)
    copy_weights(theirs, ours)
    scaled = keras.applications.imagenet_utils.preprocess_input(pixels(), mode="torch")
    features = said_by(ours, pixels())
    assert features.std() > 0.1
    np.testing.assert_allclose(features, said_by(theirs, scaled), atol=1e-3)


def test_unknown_names_list_the_known():
    with pytest.raises(OptionError, match=r"alexnet.*mobilenet_v2, resnet50, .*cnn"):
        check_choice("alexnet", "none", 1.0)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (("vgg_small", "imagenet", 1.0), r"no ImageNet weights of vgg_small.*--backbone-weights"),
        (("mobilenet_v2", "imagenet", 0.6), r"at width 0\.6.* 0\.35, 0\.5, .*--backbone-weights"),
        (("resnet18", "imagenet", 0.5), r"resnet18 at width 0\.5; there are at 1;"),
        (("cnn", "/no/file.h5", 1.0), r"/no/file.h5.*imagenet, none"),
    ],
)
def test_weights_that_nobody_has_are_refused_at_once(choice, words):
    error = ModelError if choice[1].startswith("/") else OptionError
    with pytest.raises(error, match=words):
        check_choice(*choice)


def test_without_kerashub_the_error_says_how_to_get_it(keras, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "keras_hub", None)
    with pytest.raises(ModelError) as caught:
        build("resnet18", "imagenet")
    assert re.search(r"pip install -r requirements-kerashub\.txt", str(caught.value))
    assert "--backbone-weights" in str(caught.value)
    requirements = Path(__file__).parent.parent / "requirements-kerashub.txt"
    assert re.search(r"^keras-hub", requirements.read_text(), re.M)
