"""From Keras to LiteRT: the same verdicts, the same card, and refusal where too much is lost."""

import dataclasses

import cv2
import numpy as np
import pytest
from conftest import ROOT, assert_clear_error

from mask_detector.calibration import apply_temperature
from mask_detector.errors import ModelError
from mask_detector.export import (
    NUMBER_FORMATS,
    compare,
    draw_balanced,
    export_tflite,
    load_crops,
    with_logits,
)
from mask_detector.mask_classifiers import KerasClassifier, load_classifier
from mask_detector.model_file import kind_of, read_card, save_model
from mask_detector.types import FaceBox, ModelCard, Sample

SIZE = 96
NAMES = ("bluish", "reddish")
EXPORT = ("-m", "mask_detector", "export")


def tinted_picture(label, rng):
    """Noise that is a little more blue, or a little more red; `(SIZE, SIZE, 3)` uint8 RGB."""
    coarse = rng.integers(0, 200, (8, 8, 3))
    coarse[..., 2 if label == 0 else 0] += rng.integers(10, 55)
    return cv2.resize(coarse.astype(np.uint8), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def tinted_pictures(count, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    return np.stack([tinted_picture(label, rng) for label in labels]), labels


@pytest.fixture(scope="module")
def network(keras):
    """A small network trained on tints: right nearly always, and not quite sure of it."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([
        keras.Input((SIZE, SIZE, 3)),
        keras.layers.Rescaling(1 / 127.5, offset=-1),
        keras.layers.Conv2D(8, 3, strides=4, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(6.0),
        keras.layers.DepthwiseConv2D(3, padding="same"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    pictures, labels = tinted_pictures(256, seed=1)
    model.fit(pictures.astype("float32"), labels, epochs=12, verbose=0)
    return model


CARD = ModelCard(NAMES, SIZE, temperature=1.7, thresholds={"not_sure": 0.8}, crop_margin=0.1)


@pytest.fixture(scope="module", params=NUMBER_FORMATS)
def exported(request, network, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / f"{request.param}.tflite"
    crops, _ = tinted_pictures(100, seed=2)
    export_tflite(network, CARD, path, number_format=request.param, crops=crops)
    return path


# Largest difference of a probability from what Keras gives.
TOLERANCES = {"float32": 1e-3, "float16": 1e-2, "int8": 0.1}


def test_the_verdicts_are_those_of_keras_calibrated_alike(exported, network):
    crops, labels = tinted_pictures(120, seed=3)
    plain = network.predict(crops.astype("float32"), verbose=0)
    answers = load_classifier(exported).predict(crops)
    expected = apply_temperature(plain, CARD.temperature)
    np.testing.assert_allclose(answers, KerasClassifier(network, CARD).predict(crops), atol=0.1)
    np.testing.assert_allclose(answers, expected, atol=TOLERANCES[exported.stem])
    assert (answers.argmax(axis=1) == plain.argmax(axis=1)).mean() > 0.98
    assert (answers.argmax(axis=1) == labels).mean() > 0.95
    assert len(np.unique(answers[:, 0].round(6))) > 30  # no staircase of 1/256


def test_the_card_travels_along(exported):
    assert kind_of(exported) == "tflite" and read_card(exported) == CARD
    assert load_classifier(exported).card == CARD
    assert list(exported.parent.iterdir()) == [exported]


def test_eight_bits_take_pixels_as_they_are_and_a_quarter_of_the_room(keras, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    from mask_detector.architectures import build_model

    model = build_model("mobilenet_v2", image_size=SIZE, class_count=3, weights="none")
    card = ModelCard(("a", "b", "c"), SIZE)
    crops, _ = tinted_pictures(20, seed=4)
    sizes = {}
    for number_format in ("int8", "float32"):
        path = tmp_path / f"{number_format}.tflite"
        export_tflite(model, card, path, number_format=number_format, crops=crops)
        answers = load_classifier(path).predict(crops)
        expected = model.predict(crops.astype("float32"), verbose=0)
        atol = 1e-3 if number_format == "float32" else 0.05
        np.testing.assert_allclose(answers, expected, atol=atol)
        sizes[number_format] = path.stat().st_size
    assert sizes["int8"] < 0.32 * sizes["float32"] and sizes["int8"] < 3e6
    interpreter = Interpreter(model_path=str(tmp_path / "int8.tflite"))
    (pixels,) = interpreter.get_input_details()
    assert pixels["dtype"] == np.uint8 and pixels["quantization"] == (1.0, 0)
    tensors = interpreter.get_tensor_details()
    assert sum(np.prod(t["shape"]) for t in tensors if t["dtype"] == np.float32) < 100


@pytest.mark.parametrize("ending", ["softmax layer", "activation layer", "sigmoid"])
def test_other_endings_of_a_network_are_understood(keras, ending, tmp_path):
    keras.utils.set_random_seed(2)
    inputs = keras.Input((24, 24, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 50)(inputs))
    x = keras.layers.Dense(1 if ending == "sigmoid" else 2)(x)
    last = {
        "softmax layer": keras.layers.Softmax(),
        "activation layer": keras.layers.Activation("softmax"),
        "sigmoid": keras.layers.Activation("sigmoid"),
    }[ending]
    model = keras.Model(inputs, last(x))
    card = ModelCard(NAMES, 24, temperature=0.5)
    export_tflite(model, card, tmp_path / "m.tflite", number_format="float32")
    crops = np.random.default_rng(0).integers(0, 256, (9, 24, 24, 3), dtype=np.uint8)
    expected = KerasClassifier(model, card).predict(crops)
    answers = load_classifier(tmp_path / "m.tflite").predict(crops)
    assert answers.shape == (9, 2)
    np.testing.assert_allclose(answers, expected, atol=1e-3)


def test_a_network_that_gives_no_probabilities_is_refused(keras, network, tmp_path):
    linear = keras.Sequential([keras.Input((24, 24, 3)), keras.layers.GlobalAveragePooling2D()])
    many = keras.Sequential([*linear.layers, keras.layers.Dense(2, activation="sigmoid")])
    for model in (linear, many):
        model.build((None, 24, 24, 3))
        with pytest.raises(ModelError, match="expected softmax, or one sigmoid"):
            with_logits(model)
    path = tmp_path / "m.tflite"
    with pytest.raises(ModelError, match="representative"):
        export_tflite(network, CARD, path, crops=np.empty((0, SIZE, SIZE, 3), np.uint8))
    with pytest.raises(ModelError, match="int8, float16, float32"):
        export_tflite(network, CARD, path, number_format="int4")
    assert not list(tmp_path.iterdir())


def samples_of(*labels):
    return [Sample(ROOT / f"{index}.png", label, index) for index, label in enumerate(labels)]


@pytest.mark.parametrize("count, expected", [(0, {}), (6, {0: 2, 1: 2, 2: 2}), (9, {0: 4, 1: 3,
                                             2: 2}), (99, {0: 20, 1: 3, 2: 2})])  # fmt: skip
def test_each_class_is_drawn_as_often_as_it_can_be(count, expected):
    samples = samples_of(*[0] * 20, *[1] * 3, *[2] * 2)
    drawn = draw_balanced(samples, count, seed=5)
    labels = [sample.label for sample in drawn]
    assert {label: labels.count(label) for label in set(labels)} == expected
    assert len(set(drawn)) == len(drawn) and drawn == draw_balanced(samples, count, seed=5)
    if count == 6:
        assert drawn != draw_balanced(samples, count, seed=6)


@pytest.fixture
def tints(tmp_path):
    """A data set of tints in class folders, some of other sizes, and as samples."""
    rng = np.random.default_rng(7)
    samples = []
    for index in range(160):
        picture = cv2.resize(tinted_picture(index % 2, rng), (SIZE + index % 3, SIZE))
        path = tmp_path / "tints" / NAMES[index % 2] / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture[..., ::-1])
        samples.append(Sample(path, index % 2, index))
    return tmp_path / "tints", samples


def test_crops_are_cut_as_at_run_time(tints):
    _, samples = tints
    box = FaceBox(20, 30, 60, 80, 1.0)
    whole, cut = load_crops([samples[0], dataclasses.replace(samples[0], box=box)], CARD)
    picture = cv2.imread(str(samples[0].path))[..., ::-1]
    np.testing.assert_array_equal(whole, picture)
    expected = cv2.resize(picture[25:85, 16:64], (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(cut, expected)  # margin: a tenth on each side


def test_parity_says_what_scikit_learn_says(network, exported, tints):
    from sklearn.metrics import balanced_accuracy_score

    _, samples = tints
    samples = samples[:41] + samples[41:80:2]  # unequal classes
    before, after = KerasClassifier(network, CARD), load_classifier(exported)
    parity = compare(before, after, samples)
    crops = load_crops(samples, CARD)
    labels = [sample.label for sample in samples]
    answers = [classifier.predict(crops) for classifier in (before, after)]
    verdicts = [a.argmax(axis=1) for a in answers]
    expected = [balanced_accuracy_score(labels, v) for v in verdicts]
    assert parity.accuracies == pytest.approx(expected)
    assert parity.n == len(samples)
    assert parity.agreement == pytest.approx((verdicts[0] == verdicts[1]).mean())
    assert parity.largest_difference == pytest.approx(np.abs(answers[0] - answers[1]).max(), 1e-3)
    assert parity.loss == pytest.approx(100 * (expected[0] - expected[1]))
    assert min(parity.milliseconds) > 0


@pytest.mark.parametrize("number_format", ["int8", "float32"])
def test_the_command_writes_a_model_and_a_table(run, network, tints, number_format, tmp_path):
    save_model(network, CARD, tmp_path / "ours.keras")
    arguments = ("--model", "ours.keras", "--dataset", tints[0], "--format", number_format)
    done = run(*EXPORT, *arguments, cwd=tmp_path)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["before", "after"]
    assert "held-out pictures: same verdict on " in lines[4]
    assert lines[-1] == "saved ours.tflite"
    assert {path.name for path in tmp_path.iterdir()} == {"ours.keras", "ours.tflite", "tints"}
    assert read_card(tmp_path / "ours.tflite") == CARD


def test_an_export_that_loses_too_much_is_refused(run, network, tints, tmp_path):
    save_model(network, CARD, tmp_path / "ours.keras")
    (tmp_path / "m.tflite").write_bytes(b"what was there")
    arguments = ("--model", "ours.keras", "--dataset", tints[0], "--output", "m.tflite")
    done = run(*EXPORT, *arguments, "--most-loss", "-0.01", cwd=tmp_path)  # it must get better
    assert_clear_error(done, "int8", "percentage points", "--most-loss -0.01", "m.tflite")
    assert "before" in done.stdout and "saved" not in done.stdout
    assert (tmp_path / "m.tflite").read_bytes() == b"what was there"
    assert {path.name for path in tmp_path.iterdir()} == {"ours.keras", "m.tflite", "tints"}


def test_a_wrong_turn_is_one_clear_line(run, network, tints, tmp_path):
    network.save(tmp_path / "plain.keras")
    save_model(network, CARD, tmp_path / "ours.keras")
    other = dataclasses.replace(CARD, class_names=("cat", "dog"))
    save_model(network, other, tmp_path / "other.keras")
    data = ("--dataset", tints[0])
    for arguments, words in (
        (("--model", "none.keras", *data), ["none.keras"]),
        (("--model", "plain.keras", *data), ["plain.keras", "trained"]),
        (("--model", "ours.keras", *data, "--output", "m.onnx"), ["m.onnx", ".tflite"]),
        (("--model", "ours.keras", "--dataset", "none"), ["none"]),
        (("--model", "other.keras", *data), ["cat"]),
    ):
        assert_clear_error(run(*EXPORT, *arguments, cwd=tmp_path), *words)
    assert not list(tmp_path.glob("*.tflite")) and not list(tmp_path.glob(".*"))
