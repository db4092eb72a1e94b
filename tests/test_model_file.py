"""Model files: the card travels inside, the content decides the kind, every refusal is clear."""

import shutil
import zipfile

import numpy as np
import pytest

from mask_detector.errors import ModelError, OptionError
from mask_detector.model_file import (
    CARD_ENTRY,
    check_suffix,
    kind_of,
    read_card,
    save_model,
    save_tflite,
)
from mask_detector.types import ModelCard

CARD = ModelCard(
    class_names=("without_mask", "with_mask", "наполовину"),
    image_size=24,
    architecture="tiny",
    crop_margin=0.15,
    thresholds={"with_mask": 0.6},
    training_data={"photos": {"train": 7}},
    metrics={"accuracy": 0.5},
    versions={"keras": "3"},
)


@pytest.fixture(scope="module")
def tiny_model(keras):
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Rescaling(1 / 127.5, offset=-1),
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3, activation="softmax"),
    ]
    return keras.Sequential([keras.Input((24, 24, 3)), *layers])


@pytest.fixture(scope="module", params=[".keras", ".h5"])
def saved(request, tiny_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "deep" / f"tiny{request.param}"
    save_model(tiny_model, CARD, path)
    return path


def test_the_card_comes_back_as_it_was(saved):
    assert read_card(saved) == CARD


def test_nothing_lies_beside_the_saved_file(saved):
    assert list(saved.parent.iterdir()) == [saved]


def test_plain_keras_loads_the_file_as_before(saved, keras, tiny_model):
    pictures = np.random.default_rng(0).uniform(0, 255, (3, 24, 24, 3)).astype("float32")
    plain = keras.models.load_model(saved)
    np.testing.assert_allclose(plain(pictures), tiny_model(pictures), atol=1e-6)


def test_saving_again_replaces_the_card(saved, tiny_model, tmp_path):
    path = tmp_path / saved.name
    save_model(tiny_model, CARD, path)
    other = ModelCard(class_names=("a", "b", "c"), image_size=24)
    save_model(tiny_model, other, path)
    assert read_card(path) == other


@pytest.mark.parametrize("name", ["renamed.model", "no_suffix", "wrong.h5", "wrong.keras"])
def test_the_content_decides_the_kind(saved, name, tmp_path):
    renamed = shutil.copy(saved, tmp_path / name)
    assert kind_of(renamed) == saved.suffix.lstrip(".")
    assert read_card(renamed) == CARD


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_model_of_plain_keras_has_no_card(suffix, tiny_model, tmp_path):
    path = tmp_path / f"plain{suffix}"
    tiny_model.save(path)
    assert read_card(path) is None


def test_fields_of_later_versions_are_ignored():
    assert ModelCard.from_dict({**CARD.to_dict(), "invented_later": 1}) == CARD


@pytest.mark.parametrize(
    "content, word",
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
        (b"\n <html><body>login", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (bytes(range(255, -1, -1)) * 40, "not a model file"),
    ],
)
@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.model"])
def test_what_is_no_model_is_called_by_its_name(content, word, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError) as raised:
        read_card(path)
    assert word in str(raised.value) and str(path) in str(raised.value)
    assert ".keras" in str(raised.value) and "SavedModel" in str(raised.value)


def test_a_missing_model_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(ModelError, match=f"no model at {tmp_path / 'm.keras'}"):
        read_card(tmp_path / "m.keras")


def test_a_folder_that_is_no_saved_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"folder without saved_model\.pb"):
        read_card(tmp_path)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.99])
def test_a_cut_off_model_is_a_model_error(saved, part, tmp_path):
    data = saved.read_bytes()
    path = tmp_path / saved.name
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ModelError) as raised:
        read_card(path)
    assert str(path) in str(raised.value)


def test_a_damaged_card_is_a_model_error(tmp_path):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(CARD_ENTRY, '{"class_names": [')
    with pytest.raises(ModelError) as raised:
        read_card(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("name", ["m.model", "m.tflite", "m", "m.keras.bak"])
def test_a_suffix_that_keras_cannot_save_is_refused_before_work(name, tmp_path):
    with pytest.raises(OptionError, match=r"expected a path ending in \.keras or \.h5"):
        check_suffix(tmp_path / name)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_folder_that_is_a_file_cannot_be_saved_to(suffix, tiny_model, tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(ModelError, match="can't be written"):
        save_model(tiny_model, CARD, tmp_path / "file" / f"m{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "here"


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_failed_save_leaves_no_part_behind(suffix, tiny_model, tmp_path):
    occupied = tmp_path / f"m{suffix}"
    occupied.mkdir()
    with pytest.raises(ModelError, match="can't be written"):
        save_model(tiny_model, CARD, occupied)
    assert list(tmp_path.iterdir()) == [occupied] and list(occupied.iterdir()) == []


def test_a_failed_save_keeps_the_model_that_was_there(saved, tmp_path):
    class Broken:
        def save(self, path):
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    path = shutil.copy(saved, tmp_path / saved.name)
    with pytest.raises(ModelError, match="No space left"):
        save_model(Broken(), CARD, path)
    assert path.read_bytes() == saved.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture(scope="module")
def tflite_data(keras, tiny_model, tmp_path_factory):
    """What the converter gives, without a card."""
    path = tmp_path_factory.mktemp("converted") / "plain.tflite"
    tiny_model.export(path, format="litert", verbose=False)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["m.tflite", "m.keras", "no_suffix", "ü.model"])
def test_a_litert_model_carries_its_card_under_any_name(tflite_data, name, tmp_path):
    path = tmp_path / "deep" / name
    save_tflite(tflite_data, CARD, path)
    assert kind_of(path) == "tflite" and read_card(path) == CARD
    assert path.read_bytes().startswith(tflite_data)
    assert list(path.parent.iterdir()) == [path]


def test_litert_reads_a_file_with_a_card_as_before(tflite_data, tiny_model, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    save_tflite(tflite_data, CARD, tmp_path / "m.tflite")
    interpreter = Interpreter(model_path=str(tmp_path / "m.tflite"))
    interpreter.allocate_tensors()
    picture = np.random.default_rng(0).uniform(0, 255, (1, 24, 24, 3)).astype("float32")
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(answer, tiny_model(picture), atol=1e-5)


@pytest.mark.parametrize("missing", [1, 30, 200])
def test_a_litert_model_whose_card_breaks_off_is_damaged(tflite_data, missing, tmp_path):
    path = tmp_path / "m.tflite"
    save_tflite(tflite_data, CARD, path)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(ModelError, match="damaged or cut off"):
        read_card(path)


def test_a_litert_model_of_another_has_no_card(tflite_data, tmp_path):
    (tmp_path / "m.tflite").write_bytes(tflite_data)
    assert kind_of(tmp_path / "m.tflite") == "tflite" and read_card(tmp_path / "m.tflite") is None


def test_saving_a_litert_model_again_replaces_the_card(tflite_data, tmp_path):
    other = ModelCard(class_names=("a", "b", "c"), image_size=24)
    for card in (CARD, other):
        save_tflite(tflite_data, card, tmp_path / "m.tflite")
    assert read_card(tmp_path / "m.tflite") == other


def test_a_litert_model_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "m.tflite").mkdir()
    (tmp_path / "file").write_text("here")
    for path in (tmp_path / "m.tflite", tmp_path / "file" / "m.tflite"):
        with pytest.raises(ModelError, match="can't be written"):
            save_tflite(b"1234TFL3", CARD, path)
    assert {path.name for path in tmp_path.iterdir()} == {"m.tflite", "file"}
