"""What `evaluate` hands over: one object for programs, for any model file; given splits; boxes."""

import json

import cv2
import numpy as np
import pytest
from conftest import SHIPPED_MODEL, textured_photo
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score
from test_evaluate_command import FACE, write_voc

from mask_detector.cli import main
from mask_detector.engines import sibling_path
from mask_detector.mask_classifiers import load_classifier
from mask_detector.model_file import save_model
from mask_detector.types import ModelCard

NAMES = ("def_front", "ok_front")  # castings: nothing about masks
SIZE = 24


def evaluated(capsys, *arguments):
    """The exit code, and what stands on standard output and on standard error."""
    code = main(["evaluate", *map(str, arguments)])
    return code, *capsys.readouterr()


@pytest.fixture(scope="module")
def model(keras, tmp_path_factory):
    """Bright is ok: two logits, of -4 and 4 times the mean; two castings in ten mislead it."""
    inputs = keras.Input((SIZE, SIZE, 3))
    means = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255, -0.5)(inputs))
    network = keras.Model(inputs, keras.layers.Dense(2, "softmax", use_bias=False)(means))
    network.layers[-1].set_weights([np.array([[-4, 4]] * 3, np.float32)])
    path = tmp_path_factory.mktemp("model") / "bright.keras"
    save_model(network, ModelCard(NAMES, SIZE, temperature=1.5), path)
    return path


@pytest.fixture(scope="module")
def castings(tmp_path_factory):
    """Given train and test folders of grey parts; the test photos and their labels."""
    root = tmp_path_factory.mktemp("casting")
    rng = np.random.default_rng(3)
    for index in range(60):
        split, label = ("train", "test")[index % 3 == 0], index % 2
        grey = cv2.cvtColor(textured_photo(index, (40, 40)), cv2.COLOR_BGR2GRAY)
        photo = np.clip(grey // 3.0 + 85 + (2 * label - 1) * rng.normal(20, 30), 0, 255)
        path = root / split / NAMES[label] / f"cast_{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), photo.astype(np.uint8))
    return root


def by_hand(model, folder):
    """Labels of the photos below a folder, and what the model says of each."""
    paths = sorted(folder.rglob("*.png"))
    pictures = [cv2.imread(str(path))[..., ::-1] for path in paths]
    fitted = [cv2.resize(p, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for p in pictures]
    labels = np.array([NAMES.index(path.parent.name) for path in paths])
    return labels, load_classifier(model).predict(np.stack(fitted))


def test_without_a_file_one_object_alone_goes_to_standard_output(model, castings, capsys):
    code, out, err = evaluated(
        capsys, "--dataset", castings, "--part", "test", "-m", model, "--json"
    )
    assert code == 0
    figures = json.loads(out)
    labels, answers = by_hand(model, castings / "test")
    verdicts = answers.argmax(axis=1)
    matrix = confusion_matrix(labels, verdicts)
    assert matrix.min() > 0  # or little would be tested
    assert figures["confusion_matrix"] == matrix.tolist()
    assert (figures["n"], figures["class_names"]) == (len(labels), list(NAMES))
    assert figures["accuracy"] == pytest.approx((verdicts == labels).mean())
    low, high = figures["accuracy_interval"]
    assert low < figures["accuracy"] < high
    assert 0 <= figures["calibration_error"] <= 1
    scores = precision_recall_fscore_support(labels, verdicts)
    for index, name in enumerate(NAMES):
        score = figures["per_class"][name]
        expected = [float(values[index]) for values in scores]
        assert [score[k] for k in ("precision", "recall", "f1", "n")] == pytest.approx(expected)
        assert score["recall_interval"][0] < score["recall"] < score["recall_interval"][1]
        assert score["roc_area"] == pytest.approx(roc_auc_score(labels == index, answers[:, index]))
    assert figures["margins"][0]["areas"][NAMES[0]]["roc_area"] < 1
    for words in ("ROC area def_front", "average precision ok_front", f"{len(labels)} photos"):
        assert words in err


def test_a_file_holds_the_same_object_and_the_text_stays(model, castings, capsys, tmp_path):
    options = ("--dataset", castings, "--part", "test", "-m", model, "--json")
    _, shown, _ = evaluated(capsys, *options)
    code, out, _ = evaluated(capsys, *options, tmp_path / "f.json")
    assert code == 0 and "ROC area def_front" in out
    assert json.loads((tmp_path / "f.json").read_text()) == json.loads(shown)


def test_every_kind_of_model_file_gives_the_same_figures(model, castings, capsys, tmp_path, keras):
    """Their oracle is the `.keras` file."""
    pytest.importorskip("onnxruntime", reason="needs pip install -r requirements-onnx.txt")
    pytest.importorskip("tf2onnx", reason="needs pip install -r requirements-onnx.txt")
    from mask_detector.export import export_onnx, export_tflite

    network, card = keras.models.load_model(model), load_classifier(model).card
    files = [model, tmp_path / "m.h5", tmp_path / "m.tflite", sibling_path(tmp_path / "m", "onnx")]
    save_model(network, card, files[1])
    export_tflite(network, card, files[2], number_format="float32")
    export_onnx(network, card, files[3])
    assert [path.suffix for path in files] == [".keras", ".h5", ".tflite", ".onnx"]
    figures = []
    for path in files:
        code, out, _ = evaluated(
            capsys, "--dataset", castings, "--part", "test", "-m", path, "--json"
        )
        assert code == 0
        figures.append(json.loads(out))
    for other in figures[1:]:
        assert other["confusion_matrix"] == figures[0]["confusion_matrix"]
        assert other["calibration_error"] == pytest.approx(
            figures[0]["calibration_error"], abs=1e-5
        )
        for name in NAMES:
            expected = figures[0]["per_class"][name]["roc_area"]
            assert other["per_class"][name]["roc_area"] == pytest.approx(expected, abs=1e-9)


def test_with_boxes_the_verdicts_on_found_faces_are_summed_up(
    portrait, masked_portrait, face_folder, tmp_path, capsys
):
    if not SHIPPED_MODEL.exists():
        pytest.skip(f"needs the shipped model {SHIPPED_MODEL}")
    write_voc(tmp_path, "bare", portrait, [(*FACE, "without_mask"), (2, 2, 40, 40, "with_mask")])
    write_voc(tmp_path, "masked", masked_portrait, [(*FACE, "with_mask")])
    write_voc(tmp_path, "hat", portrait, [(*FACE, "hat")])  # found, but of no known class
    model = SHIPPED_MODEL.with_suffix(".tflite")
    options = ("--boxes", tmp_path, "-m", model, "-f", face_folder, "--output", tmp_path / "out")
    code, out, err = evaluated(capsys, *options, "--json")
    assert code == 0, err
    figures = json.loads(out)
    assert (figures["n"], figures["confusion_matrix"]) == (2, [[1, 0], [0, 1]])
    assert figures["accuracy"] == figures["per_class"]["with_mask"]["roc_area"] == 1.0
    found = figures["settings"][0]["found"][1]
    assert found["iou"] == 0.5 and found["found"]["with_mask"]["24-48"] == [0, 1]
    assert figures["settings"][0]["precision"][0]["mean"] is not None
    assert "verdicts on the 2 faces found, IoU 0.5: accuracy 1.000" in err
    written = {path.name for path in (tmp_path / "out").iterdir()}
    disagreements = {"disagreements.csv", "false_boxes.png", "missed_faces.png"}
    assert written == {"confusion_matrix.png", "reliability.png", "curves.png"} | disagreements


def test_where_no_face_is_found_there_is_nothing_to_sum_up(face_folder, tmp_path, capsys):
    if not SHIPPED_MODEL.exists():
        pytest.skip(f"needs the shipped model {SHIPPED_MODEL}")
    write_voc(tmp_path, "plain", np.full((90, 90, 3), 99, np.uint8), [(9, 9, 60, 60, "with_mask")])
    model = SHIPPED_MODEL.with_suffix(".tflite")
    options = ("--boxes", tmp_path, "-m", model, "-f", face_folder, "--output", tmp_path / "out")
    code, out, err = evaluated(capsys, *options, "--json")
    figures = json.loads(out)
    assert code == 0 and "no face was found" in err
    assert (figures["n"], figures["accuracy"], figures["confusion_matrix"]) == (
        0,
        None,
        [[0, 0]] * 2,
    )
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"disagreements.csv", "false_boxes.png", "missed_faces.png"}
