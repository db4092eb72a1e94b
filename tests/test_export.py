"""From Keras to LiteRT: the same verdicts, the same card, and refusal where too much is lost."""

import argparse
import dataclasses
import re

import cv2
import numpy as np
import pytest
from conftest import assert_clear_error
from data_sets import audit

from mask_detector.calibration import apply_temperature
from mask_detector.engines import NUMBER_FORMATS, fastest_sibling
from mask_detector.errors import ModelError
from mask_detector.export import export_tflite, with_logits
from mask_detector.mask_classifiers import KerasClassifier, load_classifier
from mask_detector.model_file import kind_of, read_card, save_model
from mask_detector.types import ModelCard

SIZE = 96
NAMES = ("bluish", "reddish")


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
    expected = dataclasses.replace(CARD, number_format=exported.stem)
    assert kind_of(exported) == "tflite" and read_card(exported) == expected
    assert load_classifier(exported).card == expected
    assert list(exported.parent.iterdir()) == [exported]


def test_eight_bits_take_pixels_as_they_are_and_a_quarter_of_the_room(keras, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    from mask_detector.architectures import build_model

    model = build_model("mobilenet_v2", image_size=SIZE, class_count=3, weights="none")
    card = ModelCard(("a", "b", "c"), SIZE)
    crops, _ = tinted_pictures(6, seed=4)
    path, weights = tmp_path / "int8.tflite", model.get_weights()
    export_tflite(model, card, path, crops=crops)
    answers = load_classifier(path).predict(crops)
    np.testing.assert_allclose(
        answers, model.predict(crops.astype("float32"), verbose=0), atol=0.05
    )
    assert path.stat().st_size < 3e6 and path.stat().st_size < 0.32 * 4 * model.count_params()
    for now, before in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, before)  # only the file is rounded
    interpreter = Interpreter(model_path=str(path))
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
    with pytest.raises(ModelError, match="int8, float32, float16"):
        export_tflite(network, CARD, path, number_format="int4")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def tints(tmp_path):
    """A data set of tints in class folders, some of other sizes."""
    rng = np.random.default_rng(7)
    for index in range(120):
        picture = cv2.resize(tinted_picture(index % 2, rng), (SIZE + index % 3, SIZE))
        path = tmp_path / "tints" / NAMES[index % 2] / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture[..., ::-1])
    return tmp_path / "tints"


def table_of(text):
    """Rows of the table of an export, by their first word."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}


def test_the_command_writes_every_format_beside_the_model_and_a_table(run, network, tints):
    """In a process of its own, where TensorFlow optimizes graphs before it converts them."""
    folder = tints.parent
    save_model(network, CARD, folder / "ours.keras")
    arguments = ("-m", "ours.keras", "-d", tints, "--format", "float16,float32")
    done = run("-m", "mask_detector", "export", *arguments, cwd=folder)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    rows, judged = table_of(done.stdout), load_judged(tints, network)
    assert f"{judged[0]} held-out pictures" in done.stdout
    assert float(rows["keras"][0]) == pytest.approx(judged[1], abs=1e-4)
    names = {"float16": "ours_float16.tflite", "float32": "ours_float32.tflite"}
    for number_format, name in names.items():
        accuracy, agreement, difference, megabytes, milliseconds = rows[number_format]
        assert float(accuracy) == pytest.approx(judged[1], abs=1e-4) and agreement == "100.00%"
        assert float(difference) < 0.01 and float(milliseconds) > 0
        assert float(megabytes) == pytest.approx((folder / name).stat().st_size / 1e6, abs=0.01)
        assert f"saved {name}" in done.stdout
        assert read_card(folder / name).number_format == number_format
    assert fastest_sibling(folder / "ours.keras", "litert") == folder / names["float32"]
    assert {path.name for path in folder.iterdir()} == {"ours.keras", "tints", *names.values()}


def load_judged(root, network):
    """How many pictures of a set are held out, and what part of them Keras gets right."""
    from mask_detector.training_data import gather

    splits = gather([audit(root)], split_seed=42, class_names=NAMES).splits
    held_out = splits["val"] + splits["test"]
    pictures = [cv2.imread(str(sample.path))[..., ::-1] for sample in held_out]
    resized = [cv2.resize(p, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for p in pictures]
    verdicts = network.predict(np.array(resized, "float32"), verbose=0).argmax(axis=1)
    labels = np.array([sample.label for sample in held_out])
    recalls = [(verdicts[labels == label] == label).mean() for label in (0, 1)]
    return len(held_out), np.mean(recalls)


def test_an_export_that_loses_too_much_is_refused(run_here, network, tints):
    folder = tints.parent
    save_model(network, CARD, folder / "ours.keras")
    (folder / "m.tflite").write_bytes(b"what was there")
    arguments = ("--model", "ours.keras", "--dataset", tints, "--output", "m.tflite")
    done = run_here("export", *arguments, "--most-loss", "-100", cwd=folder)  # it must get better
    assert_clear_error(done, "m.tflite is not written", "int8 loses", "percentage points",
                       "more than -100", "--most-loss")  # fmt: skip
    assert "int8" in table_of(done.stdout) and "saved" not in done.stdout
    assert (folder / "m.tflite").read_bytes() == b"what was there"
    assert {path.name for path in folder.iterdir()} == {"ours.keras", "m.tflite", "tints"}


def test_a_refusal_after_training_is_a_warning_that_names_the_loss(keras, tints, caplog, capsys):
    """What this network goes by is lost in eight bits: small steps far away from zero."""
    from mask_detector.commands import train
    from mask_detector.training_data import gather

    tell = np.array([[0, 0.1], [0, 0], [0.1, 0]], "float32")  # blue against red
    layers = [keras.layers.Rescaling(1.0, offset=30_000), keras.layers.GlobalAveragePooling2D()]
    last = keras.layers.Dense(2, activation="softmax", use_bias=False)
    network = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers, last])
    last.set_weights([tell])
    model = tints.parent / "m.keras"
    save_model(network, CARD, model)
    args = argparse.Namespace(model=model, export=["int8", "float32"], split_seed=42)
    train._export(args, gather([audit(tints)], split_seed=42, class_names=NAMES), network)
    ours = [record for record in caplog.records if record.name.startswith("mask_detector")]
    (warning,) = [record.getMessage() for record in ours if record.levelname == "WARNING"]
    assert f"{model.with_suffix('.tflite')} is not written: it loses " in warning
    assert float(re.search(r"loses ([\d.]+) percentage", warning)[1]) > 10
    kept = {path.name for path in tints.parent.iterdir()}
    assert kept == {"tints", "m.keras", "m_float32.tflite"}
    text = capsys.readouterr().out
    assert "saved float32:" in text and "saved int8" not in text
    assert float(table_of(text)["int8"][0]) < float(table_of(text)["keras"][0]) - 0.1


def test_after_training_each_format_that_cannot_be_had_is_a_warning(keras, tints, caplog):
    from mask_detector.export import export_beside
    from mask_detector.training_data import gather

    network = keras.Sequential([
        keras.Input((SIZE, SIZE, 3)),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, activation="relu"),
    ])  # fmt: skip
    model = tints.parent / "m.keras"
    save_model(network, CARD, model)
    splits = gather([audit(tints)], split_seed=42, class_names=NAMES).splits
    assert export_beside(network, model, ["int8", "float32"], splits, 100, 42) == []
    warnings = [r.getMessage() for r in caplog.records if r.name == "mask_detector.export"]
    assert [text.split(" file: ")[0] for text in warnings if "warning" in text] == [
        "warning: no int8", "warning: no float32"
    ]  # fmt: skip
    assert {path.name for path in tints.parent.iterdir()} == {"tints", "m.keras"}


def test_a_wrong_turn_is_one_clear_line(run_here, network, tints):
    folder = tints.parent
    network.save(folder / "plain.keras")
    save_model(network, CARD, folder / "ours.keras")
    other = dataclasses.replace(CARD, class_names=("cat", "dog"))
    save_model(network, other, folder / "other.keras")
    data = ("--dataset", tints)
    for arguments, words in (
        (("--model", "none.keras", *data), ["none.keras"]),
        (("--model", "plain.keras", *data), ["plain.keras", "trained"]),
        (("--model", "ours.keras", *data, "--output", "m.onnx"), ["m.onnx", ".tflite"]),
        (("--model", "ours.keras", *data, "--output", "m.tflite", "--format", "all"),
         ["m.tflite is one file", "names 3"]),
        (("--model", "ours.keras", "--dataset", "none"), ["none"]),
        (("--model", "other.keras", *data), ["cat"]),
    ):  # fmt: skip
        code = 2 if "--output" in arguments else 1
        assert_clear_error(run_here("export", *arguments, cwd=folder), *words, code=code)
    assert not list(folder.glob("*.tflite")) and not list(folder.glob(".*"))
