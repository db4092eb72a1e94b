"""ONNX files: ours give what the `.keras` gives; others' what arithmetic by hand gives."""

import dataclasses
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from conftest import ROOT

from mask_detector.cli import main
from mask_detector.engines import fastest_sibling, sibling_path
from mask_detector.errors import ModelError, OptionError
from mask_detector.file_hash import sha256_of
from mask_detector.mask_classifiers import load_classifier
from mask_detector.model_file import kind_of, read_card, save_model
from mask_detector.types import ModelCard

pytest.importorskip("onnxruntime", reason="needs pip install -r requirements-onnx.txt")
onnx = pytest.importorskip("onnx", reason="needs pip install -r requirements-onnx.txt")

SIZE = 32
CARD = ModelCard(
    ("mit Maske", "ohne", "наполовину"), SIZE, temperature=1.7, thresholds={"not_sure": 0.8}
)


def random_crops(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def small_network(keras, activation="softmax", outputs=3):
    """With every kind of layer that the networks here are made of."""
    keras.utils.set_random_seed(5)
    layers = keras.layers
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(beta_initializer="ones")(x)
    x = layers.ReLU(6.0)(x)
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.Activation("linear", name="feature_map")(layers.MaxPooling2D()(x))
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(outputs, activation, kernel_initializer="normal")(x))


@pytest.fixture(scope="module")
def exported(keras, tmp_path_factory):
    """A model and what `export_onnx` makes of it, side by side."""
    pytest.importorskip("tf2onnx", reason="needs pip install -r requirements-onnx.txt")
    from mask_detector.export import export_onnx

    folder = tmp_path_factory.mktemp("exported")
    model = small_network(keras)
    save_model(model, CARD, folder / "m.keras")
    export_onnx(model, CARD, folder / "m.onnx")
    return folder / "m.onnx"


@pytest.mark.parametrize("count", [0, 1, 32, 70])
def test_the_answers_are_those_of_keras_calibrated_alike(exported, count):
    crops = random_crops(count)
    answers = load_classifier(exported).predict(crops)
    assert answers.shape == (count, 3) and answers.dtype == np.float32
    expected = load_classifier(exported.with_suffix(".keras")).predict(crops)
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    if count > 1:
        assert np.ptp(expected, axis=0).max() > 0.001  # or anything would do


def test_the_card_travels_along_and_nothing_lies_beside(exported):
    assert read_card(exported) == CARD
    assert {path.name for path in exported.parent.iterdir()} == {"m.onnx", "m.keras"}


@pytest.mark.parametrize("name", ["other.model", "no_suffix", "m.keras"])
def test_the_content_decides_the_kind(exported, name, tmp_path):
    renamed = shutil.copy(exported, tmp_path / name)
    assert kind_of(renamed) == "onnx" and read_card(renamed) == CARD


def test_other_programs_run_the_file(exported):
    from onnxruntime import InferenceSession

    onnx.checker.check_model(onnx.load(exported), full_check=True)
    session = InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    (pixels,) = session.get_inputs()
    assert pixels.name == "rgb_0_to_255" and pixels.shape[1:] == [SIZE, SIZE, 3]
    crops = random_crops(2)
    (answers,) = session.run(None, {pixels.name: crops.astype(np.float32)})
    powers = answers.astype(float) ** (1 / CARD.temperature)
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(load_classifier(exported).predict(crops), expected, atol=1e-5)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.99])
def test_a_cut_off_model_is_a_model_error(exported, part, tmp_path):
    data = exported.read_bytes()
    path = tmp_path / "m.onnx"
    path.write_bytes(data[: int(len(data) * part)])
    for read in (read_card, load_classifier):
        with pytest.raises(ModelError) as raised:
            read(path)
        assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_a_missing_package_is_named_with_its_pip_line(exported, keras, monkeypatch, tmp_path):
    from mask_detector.export import export_onnx

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        ModelError, match=r'needs onnxruntime, .*pip install .*"onnxruntime>=1\.20"'
    ):
        load_classifier(exported)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ModelError, match=r'needs tf2onnx, .*pip install .*"tf2onnx>=1\.16\.1"'):
        export_onnx(small_network(keras), CARD, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_one_sigmoid_is_the_probability_of_the_second_class(keras, tmp_path):
    pytest.importorskip("tf2onnx")
    from mask_detector.export import export_onnx

    model = small_network(keras, "sigmoid", 1)
    export_onnx(model, ModelCard(("a", "b"), SIZE), tmp_path / "m.onnx")
    crops = random_crops(5)
    expected = model.predict(crops.astype("float32"), verbose=0)[:, 0]
    answers = load_classifier(tmp_path / "m.onnx").predict(crops)
    np.testing.assert_allclose(answers, np.stack([1 - expected, expected], axis=1), atol=1e-5)


def test_judging_never_loads_tensorflow(exported, tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from mask_detector.mask_classifiers import load_classifier\n"
        "classifier = load_classifier(Path(sys.argv[1]))\n"
        f"print(classifier.predict(np.zeros((2, {SIZE}, {SIZE}, 3), np.uint8)).shape)\n"
        "sys.exit(', '.join({'tensorflow', 'keras', 'torch', 'onnx'} & set(sys.modules)) or 0)"
    )
    path = shutil.copy(exported, tmp_path / "ours ü.onnx")
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(2, 3)\n", "")


# ---------------------------------------------------------------- models from elsewhere

WEIGHTS = np.array([[9.0, -4.0], [0.5, 1.0], [-7.0, 6.0]], np.float32)  # (colours, classes)


def write_theirs(
    path, *, planes=True, batch="n", ending="", inputs=1, dtype=onnx.TensorProto.FLOAT
):
    """The mean of each colour times `WEIGHTS`, as PyTorch writes it: planes in, logits out."""
    shape = [batch, 3, SIZE, SIZE] if planes else [batch, SIZE, SIZE, 3]
    make = onnx.helper.make_node
    nodes = [
        make("Cast", ["pixels"], ["floats"], to=onnx.TensorProto.FLOAT),
        make("ReduceMean", ["floats"], ["means"], axes=[2, 3] if planes else [1, 2], keepdims=0),
        make("MatMul", ["means", "weights"], ["logits"]),
        make(ending or "Identity", ["logits"], ["answers"]),
    ]
    pixels = [
        onnx.helper.make_tensor_value_info(name, dtype, shape)
        for name in ("pixels", "more")[:inputs]
    ]
    answers = onnx.helper.make_tensor_value_info("answers", onnx.TensorProto.FLOAT, [batch, 2])
    weights = onnx.numpy_helper.from_array(WEIGHTS, "weights")
    graph = onnx.helper.make_graph(nodes, "theirs", pixels, [answers], [weights])
    opset = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def by_hand(crops, low, high):
    means = (crops * ((high - low) / 255) + low).mean(axis=(1, 2))
    powers = np.exp(means @ WEIGHTS)
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("low, high", [(-1, 1), (0, 1)])
@pytest.mark.parametrize("batch", ["n", 1])
@pytest.mark.parametrize("planes, ending", [(True, ""), (False, ""), (True, "Softmax")])
def test_a_model_without_a_card_is_judged_by(tmp_path, planes, ending, batch, low, high):
    path = write_theirs(tmp_path / "m.onnx", planes=planes, batch=batch, ending=ending)
    crops = random_crops(5)
    crops[::2, :, :, 0] //= 2  # some are bluish, so that the answers differ
    classifier = load_classifier(path, class_names=("a", "b"), input_range=(low, high))
    assert (classifier.card.class_names, classifier.card.image_size) == (("a", "b"), SIZE)
    expected = by_hand(crops, low, high)
    assert np.ptp(expected[:, 0]) > 0.1
    np.testing.assert_allclose(classifier.predict(crops), expected, atol=1e-5)
    assert classifier.predict(crops[:0]).shape == (0, 2)


def test_whole_numbers_are_taken_as_they_are(tmp_path):
    path = write_theirs(tmp_path / "m.onnx", dtype=onnx.TensorProto.UINT8)
    crops = random_crops(3) // 60
    answers = load_classifier(path, class_names=("a", "b")).predict(crops)
    np.testing.assert_allclose(answers, by_hand(crops, 0, 255), atol=1e-5)


@pytest.mark.parametrize(
    ("made", "class_names", "words"),
    [
        ({}, None, "--classes with_mask,without_mask"),
        ({}, ("a", "b", "c"), "2 outputs, but --classes names 3"),
        ({"inputs": 2}, ("a", "b"), "2 inputs and 1 outputs"),
        ({"batch": 8}, ("a", "b"), "one picture at a time or any number"),
        ({"dtype": onnx.TensorProto.INT64}, ("a", "b"), r"takes tensor\(int64\)"),
    ],
)
def test_what_is_no_classifier_of_these_classes_is_refused(tmp_path, made, class_names, words):
    path = write_theirs(tmp_path / "m.onnx", **made)
    with pytest.raises(ModelError, match=words):
        load_classifier(path, class_names=class_names)


# ---------------------------------------------------------------- the command line


def colour_folders(root, count=40):
    rng = np.random.default_rng(1)
    for index in range(count):
        picture = cv2.resize(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), (SIZE + 1, SIZE))
        picture[..., index % 3] //= 2
        path = root / CARD.class_names[index % 3] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imencode(".png", picture)[1].tofile(path)
    return root


def test_the_export_verb_writes_it_and_says_what_it_lost(exported, tmp_path, capsys):
    model = shutil.copy(exported.with_suffix(".keras"), tmp_path / "ours.keras")
    photos = colour_folders(tmp_path / "photos")
    arguments = ["export", "-m", model, "-d", photos, "--format", "onnx,float32"]
    assert main(list(map(str, arguments))) == 0
    text = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
    assert rows["onnx"][1] == rows["float32"][1] == "100.00%"
    assert rows["onnx"][0] == rows["keras"][0] and float(rows["onnx"][2]) < 1e-3
    path = sibling_path(tmp_path / "ours.keras", "onnx")
    assert path.name == "ours.onnx" and f"saved {path}" in text
    expected = dataclasses.replace(CARD, exported_from=sha256_of(model))
    assert read_card(path) == expected
    assert fastest_sibling(path, "auto") == path
    for engine in ("keras", "litert"):
        with pytest.raises(OptionError, match=f"--engine {engine} can't run"):
            fastest_sibling(path, engine)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"ours.keras", "ours.onnx", "ours_float32.tflite", "photos"}


def test_a_wrong_turn_of_the_export_is_one_line(exported, tmp_path, capsys):
    photos = colour_folders(tmp_path / "photos", 9)
    keras_file = exported.with_suffix(".keras")
    for model, options, code, words in (
        (exported, [], 1, "can't be exported"),
        (keras_file, ["--format", "onnx", "-o", "m.tflite"], 2, "expected a path ending in .onnx"),
        (keras_file, ["--format", "int8", "-o", "m.onnx"], 2, "expected a path ending in .tflite"),
    ):
        arguments = ["export", "-m", model, "-d", photos, *options]
        assert main(list(map(str, arguments))) == code
        (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
        assert words in line
