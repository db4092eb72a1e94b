"""Judging crops: our models, other people's, and old ones; the numbers are those of the library
that wrote the file.
"""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from mask_detector.errors import ModelError
from mask_detector.mask_classifiers import load_classifier
from mask_detector.model_file import save_model, save_tflite
from mask_detector.types import ModelCard

SIZE = 32
NAMES = ("with_mask", "without_mask")

# Keras 2 and Keras 3 do not live in one process: this runs alone and leaves files behind.
KERAS_2 = f"""
import numpy as np, tf_keras as keras
keras.utils.set_random_seed(7)
inputs = keras.Input(({SIZE}, {SIZE}, 3))
x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(inputs)
x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
x = keras.layers.BatchNormalization()(x)
x = keras.layers.ReLU(6.0)(x)
x = keras.layers.GlobalAveragePooling2D()(x)
model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
optimizer = keras.optimizers.legacy.Adam(learning_rate=1e-3, decay=1e-4)
model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
crops = np.load("crops.npy").astype("float32")
model.fit(crops / 127.5 - 1, np.eye(2)[[0, 1] * 3], epochs=2, verbose=0)
model.save("old.h5")
model.save("old_saved_model", save_format="tf")
np.save("answers_-1_1.npy", model.predict(crops / 127.5 - 1, verbose=0))
np.save("answers_0_1.npy", model.predict(crops / 255, verbose=0))
"""


def random_crops(count, size=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A folder of models that genuine Keras 2 wrote, with its own answers for six crops."""
    folder = tmp_path_factory.mktemp("old")
    np.save(folder / "crops.npy", random_crops(6))
    subprocess.run(
        [sys.executable, "-c", KERAS_2],
        cwd=folder,
        env={"PATH": "", "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        check=True,
    )
    return folder


def small_network(keras, activation="softmax", outputs=2):
    keras.utils.set_random_seed(3)
    layers = [
        keras.layers.Rescaling(1 / 127.5, offset=-1),
        keras.layers.Conv2D(6, 3, strides=2, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(outputs, activation=activation, kernel_initializer="random_normal"),
    ]
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers])


@pytest.fixture(scope="module")
def network(keras):
    return small_network(keras)


@pytest.fixture(scope="module", params=[".keras", ".h5"])
def saved(request, network, tmp_path_factory):
    path = tmp_path_factory.mktemp("ours") / f"m{request.param}"
    save_model(network, ModelCard(class_names=NAMES, image_size=SIZE), path)
    return path


@pytest.mark.parametrize("count", [0, 1, 32, 70])
def test_any_number_of_crops_is_judged_as_keras_does(saved, network, count):
    crops = random_crops(count)
    answers = load_classifier(saved).predict(crops)
    assert answers.shape == (count, 2) and answers.dtype == np.float32
    if count:
        expected = network.predict(crops.astype("float32"), verbose=0)
        np.testing.assert_allclose(answers, expected, atol=1e-5)


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1], ("bare", "covered")])
def test_the_order_of_the_classes_comes_from_the_card(names, network, tmp_path):
    save_model(network, ModelCard(class_names=names, image_size=SIZE), tmp_path / "m.keras")
    assert load_classifier(tmp_path / "m.keras").card.class_names == names


@pytest.mark.parametrize("name", ["m.model", "m.keras", "m.h5", "m"])
def test_the_suffix_does_not_matter(saved, network, name, tmp_path):
    renamed = shutil.copy(saved, tmp_path / name)
    crops = random_crops(3)
    expected = network.predict(crops.astype("float32"), verbose=0)
    np.testing.assert_allclose(load_classifier(renamed).predict(crops), expected, atol=1e-5)
    assert list(tmp_path.iterdir()) == [renamed]


def test_one_sigmoid_is_the_probability_of_the_second_class(keras, tmp_path):
    model = small_network(keras, "sigmoid", outputs=1)
    crops = random_crops(5)
    expected = model.predict(crops.astype("float32"), verbose=0)[:, 0]
    save_model(model, ModelCard(class_names=NAMES, image_size=SIZE), tmp_path / "m.keras")
    answers = load_classifier(tmp_path / "m.keras").predict(crops)
    np.testing.assert_allclose(answers, np.stack([1 - expected, expected], axis=1), atol=1e-5)
    assert load_classifier(tmp_path / "m.keras").predict(crops[:0]).shape == (0, 2)


@pytest.mark.parametrize("name", ["old.h5", "old_saved_model"])
@pytest.mark.parametrize("low, high", [(-1, 1), (0, 1)])
def test_an_old_model_gives_the_numbers_keras_2_gave(old, name, low, high):
    classifier = load_classifier(old / name, class_names=NAMES, input_range=(low, high))
    expected = np.load(old / f"answers_{low}_{high}.npy")
    crops = np.load(old / "crops.npy")
    np.testing.assert_allclose(classifier.predict(crops), expected, atol=1e-5)
    assert classifier.card.class_names == NAMES and classifier.card.image_size == SIZE


def test_an_old_model_is_known_under_the_suffix_tutorials_gave_it(old, tmp_path):
    path = shutil.copy(old / "old.h5", tmp_path / "mask_detector.model")
    answers = load_classifier(path, class_names=NAMES).predict(np.load(old / "crops.npy"))
    np.testing.assert_allclose(answers, np.load(old / "answers_-1_1.npy"), atol=1e-5)


@pytest.mark.parametrize("name", ["old.h5", "old_saved_model"])
def test_an_old_model_is_refused_without_its_classes(old, name):
    with pytest.raises(ModelError) as raised:
        load_classifier(old / name)
    assert "--classes with_mask,without_mask" in str(raised.value)
    assert str(old / name) in str(raised.value)


@pytest.mark.parametrize("name", ["old.h5", "old_saved_model"])
@pytest.mark.parametrize("names", [("mask",), ("mask", "bare", "wrong")])
def test_another_number_of_classes_is_refused(old, name, names):
    with pytest.raises(ModelError, match=f"2 outputs, but --classes names {len(names)}"):
        load_classifier(old / name, class_names=names)


def test_classes_that_contradict_the_card_are_refused(saved):
    with pytest.raises(ModelError, match="without_mask,with_mask contradicts"):
        load_classifier(saved, class_names=NAMES[::-1])
    assert load_classifier(saved, class_names=NAMES).card.class_names == NAMES


def simple(keras, outputs, activation, shape=(SIZE, SIZE, 3)):
    return keras.Sequential([
        keras.Input(shape),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(outputs, activation=activation),
    ])  # fmt: skip


@pytest.mark.parametrize("outputs, last", [(2, "softmax"), (3, "softmax"), (1, "sigmoid")])
@pytest.mark.parametrize("kind", ["m.keras", "m.tflite"])
def test_the_softmax_that_a_model_from_elsewhere_lacks_is_put_after_it(
    keras, outputs, last, kind, tmp_path
):
    from mask_detector.runtimes.litert_conversion import to_litert

    model = simple(keras, outputs, None)
    model.layers[-1].set_weights(
        [np.full((3, outputs), 3.0) + np.arange(outputs), np.zeros(outputs)]
    )
    whole = keras.Sequential([model, keras.layers.Activation(last)])
    crops = np.random.default_rng(1).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    expected = whole(crops / np.float32(127.5) - 1).numpy()
    if outputs == 1:
        expected = np.concatenate([1 - expected, expected], axis=1)
    names = NAMES if outputs < 3 else (*NAMES, "wrong")
    if kind == "m.keras":
        model.save(tmp_path / kind)
    else:
        (tmp_path / kind).write_bytes(to_litert(model, (1, SIZE, SIZE, 3)))
    answers = load_classifier(tmp_path / kind, class_names=names).predict(crops)
    np.testing.assert_allclose(answers, expected, atol=1e-4)


def test_a_model_whose_answers_are_no_numbers_is_refused(keras, tmp_path):
    model = simple(keras, 2, "softmax")
    model.layers[-1].set_weights([np.full((3, 2), np.nan), np.zeros(2)])
    model.save(tmp_path / "m.h5")
    with pytest.raises(ModelError, match="answers with what is no number"):
        load_classifier(tmp_path / "m.h5", class_names=NAMES)


def test_other_shapes_than_square_pictures_and_a_number_per_class_are_refused(keras, tmp_path):
    simple(keras, 2, "softmax", (SIZE, SIZE + 8, 3)).save(tmp_path / "wide.keras")
    inputs = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    ends = [keras.layers.Dense(2, "softmax")(pooled) for _ in range(2)]
    keras.Model(inputs, ends).save(tmp_path / "two.keras")
    keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs)).save(tmp_path / "map.keras")
    for name, words in (("wide", "takes input of shape"), ("two", "answers in shape"),
                        ("map", "answers in shape")):  # fmt: skip
        with pytest.raises(ModelError, match=words):
            load_classifier(tmp_path / f"{name}.keras", class_names=NAMES)
    simple(keras, 1, "sigmoid").save(tmp_path / "one.keras")
    with pytest.raises(ModelError, match=r"1 output \(it is the probability of the second of two"):
        load_classifier(tmp_path / "one.keras", class_names=("mask",))


def test_a_model_that_takes_no_pictures_is_refused(keras, tmp_path):
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match="expected \\(n, size, size, 3\\)"):
        load_classifier(tmp_path / "m.keras", class_names=NAMES)


@pytest.mark.parametrize("is_newer", [False, True])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_model_that_does_not_load_says_why_in_one_line(
    suffix, is_newer, network, keras, tmp_path
):
    path = tmp_path / f"m{suffix}"
    versions = {"keras": "99.0.0" if is_newer else keras.__version__}
    save_model(network, ModelCard(NAMES, SIZE, versions=versions), path)
    data = bytearray(path.read_bytes())
    middle = len(data) // 4
    data[middle : middle + len(data) // 3] = bytes(len(data) // 3)
    path.write_bytes(data)
    with pytest.raises(ModelError) as raised:
        load_classifier(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)
    # A damaged file is not mended by another Keras; only a newer file is.
    assert ("pip install -U keras" in str(raised.value)) == is_newer


def test_judging_leaves_no_temporary_folder_behind(saved, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    other = shutil.copy(saved, saved.with_name("other.model"))
    load_classifier(other).predict(random_crops(1))
    other.unlink()
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("activation, outputs", [("softmax", 2), ("sigmoid", 1)])
def test_every_engine_gives_calibrated_answers(keras, activation, outputs, temperature, tmp_path):
    model = small_network(keras, activation, outputs)
    card = ModelCard(NAMES, SIZE, temperature=temperature)
    save_model(model, card, tmp_path / "m.keras")
    save_tflite(converted(model, tmp_path), card, tmp_path / "m.tflite")
    crops = random_crops(5)
    plain = model.predict(crops.astype("float32"), verbose=0)
    plain = np.concatenate([1 - plain, plain], axis=1) if outputs == 1 else plain
    powers = plain.astype(float) ** (1 / temperature)
    expected = powers / powers.sum(axis=1, keepdims=True)
    for name in ("m.keras", "m.tflite"):
        answers = load_classifier(tmp_path / name).predict(crops)
        assert answers.dtype == np.float32
        np.testing.assert_allclose(answers, expected, atol=1e-5)
        assert (answers.argmax(axis=1) == plain.argmax(axis=1)).all()


def test_without_a_temperature_not_one_bit_changes(network, saved):
    crops = random_crops(3)
    expected = network(crops.astype("float32"), training=False).numpy()
    given = load_classifier(saved).predict(crops)
    save_model(network, ModelCard(NAMES, SIZE, temperature=1.0 + 1e-9), saved.with_name("other.h5"))
    other = load_classifier(saved.with_name("other.h5")).predict(crops)
    np.testing.assert_allclose(given, expected, atol=1e-6)
    np.testing.assert_allclose(given, other, atol=1e-6)


def converted(model, folder):
    model.export(folder / "plain.tflite", format="litert", verbose=False)
    return (folder / "plain.tflite").read_bytes()


@pytest.fixture(scope="module")
def litert(keras, tmp_path_factory):
    """A LiteRT model as others make them: no card, pixels from 0 to 1, a free batch size."""
    folder = tmp_path_factory.mktemp("litert")
    model = keras.Sequential(small_network(keras).layers[1:])
    model.build((None, SIZE, SIZE, 3))
    (folder / "theirs.tflite").write_bytes(converted(model, folder))
    return folder / "theirs.tflite", model


@pytest.mark.parametrize("low, high", [(-1, 1), (0, 1), (0, 255)])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_litert_model_without_a_card_is_judged_by(litert, low, high, count):
    path, model = litert
    crops = random_crops(count)
    classifier = load_classifier(path, class_names=NAMES, input_range=(low, high))
    assert classifier.card.class_names == NAMES and classifier.card.image_size == SIZE
    answers = classifier.predict(crops)
    assert answers.shape == (count, 2) and answers.dtype == np.float32
    if count:
        expected = model(crops * np.float32((high - low) / 255) + low, training=False)
        np.testing.assert_allclose(answers, expected, atol=1e-4)


def test_a_litert_model_in_whole_numbers_from_elsewhere_is_understood(keras, litert, tmp_path):
    import tensorflow as tf

    _, model = litert
    crops = random_crops(50)
    scaled = (crops / 255).astype("float32")
    expected = model.predict(scaled, verbose=0)
    for dtype in (tf.int8, tf.uint8):
        model.export(
            tmp_path / "int.tflite", format="litert", verbose=False,
            input_signature=[tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)],
            optimizations=[tf.lite.Optimize.DEFAULT],
            representative_dataset=lambda: ([crop[None]] for crop in scaled),
            inference_input_type=dtype, inference_output_type=dtype,
            target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
        )  # fmt: skip
        classifier = load_classifier(
            tmp_path / "int.tflite", class_names=NAMES, input_range=(0.0, 1.0)
        )
        np.testing.assert_allclose(classifier.predict(crops), expected, atol=0.03)


def test_a_litert_model_is_refused_without_its_classes_or_with_others(litert):
    path, _ = litert
    with pytest.raises(ModelError, match="--classes with_mask,without_mask"):
        load_classifier(path)
    with pytest.raises(ModelError, match="2 outputs, but --classes names 3"):
        load_classifier(path, class_names=("a", "b", "c"))


@pytest.mark.parametrize("part", [0.01, 0.3, 0.9])
def test_a_cut_off_litert_model_is_a_model_error(litert, part, tmp_path):
    data = litert[0].read_bytes()
    path = tmp_path / "m.tflite"
    path.write_bytes(data[: int(len(data) * part)])
    for names in (NAMES, None):
        with pytest.raises(ModelError) as raised:
            load_classifier(path, class_names=names)
        assert str(path) in str(raised.value) and "\n" not in str(raised.value)
        assert "--classes" not in str(raised.value)  # it would not help


def test_judging_with_litert_never_loads_tensorflow(litert, tmp_path):
    path = tmp_path / "ours ü.tflite"
    save_tflite(litert[0].read_bytes(), ModelCard(NAMES, SIZE), path)
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from mask_detector.mask_classifiers import load_classifier\n"
        "classifier = load_classifier(Path(sys.argv[1]))\n"
        f"print(classifier.predict(np.zeros((2, {SIZE}, {SIZE}, 3), np.uint8)).shape)\n"
        "sys.exit(', '.join({'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(2, 2)\n", "")
