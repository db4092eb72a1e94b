"""Pictures judged in several orientations: the mean of what a network says of each."""

import csv
import dataclasses
import json

import cv2
import numpy as np
import pytest
from heat_models import colour_model, network_of, noisy

from mask_detector.calibration import apply_temperature
from mask_detector.checkpoints import Checkpoints
from mask_detector.cli import main
from mask_detector.errors import MaskDetectorError
from mask_detector.explaining.explainer import Explainer
from mask_detector.mask_classifiers import KerasClassifier, load_classifier
from mask_detector.model_file import save_model
from mask_detector.orientations import ALL_ORIENTATIONS, averaged, oriented, upright
from mask_detector.training_data import TrainingData
from mask_detector.training_options import TrainingOptions
from mask_detector.types import Sample

RED, BLUE = (255, 0, 0), (0, 0, 255)
ALL = range(ALL_ORIENTATIONS)


def by_opencv(picture, orientation):
    """The same by another library's functions: quarter turns against the clock, then mirrored."""
    for _ in range(orientation % 4):
        picture = cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE)
    return cv2.flip(picture, 1) if orientation >= 4 else picture


def test_the_eight_are_all_that_a_square_has():
    picture = noisy(1)[0]
    seen = {oriented(picture[None], index).tobytes() for index in ALL}
    assert len(seen) == ALL_ORIENTATIONS  # a square has no ninth
    for index in ALL:
        turned = oriented(picture[None], index)
        np.testing.assert_array_equal(turned[0], by_opencv(picture, index))
        np.testing.assert_array_equal(upright(turned, index)[0], picture)


def test_the_mean_of_all_does_not_know_how_a_picture_lies():
    weights = np.random.default_rng(2).normal(size=(32, 32, 3, 2))
    everyway = averaged(lambda pictures: np.einsum("nhwc,hwck->nk", pictures, weights), 8)
    pictures = noisy(3, count=3).astype(np.float64)
    for index in ALL:
        np.testing.assert_allclose(everyway(oriented(pictures, index)), everyway(pictures))


@pytest.fixture(scope="module")
def network(keras):
    """Looks at the upper left quarter only, and judges in all orientations."""
    found = network_of(colour_model(keras, quadrant=(0, 0)), temperature=2.0)
    card = dataclasses.replace(found.card, orientations=ALL_ORIENTATIONS)
    return dataclasses.replace(found, card=card)


@pytest.fixture(scope="module")
def pictures():
    """With a red or blue square in one corner or another, hardly or clearly."""
    corner, other = noisy(4, (0, 0, 16, RED)), noisy(5, (16, 16, 12, BLUE))
    return np.concatenate([corner, other, noisy(6, (0, 16, 16, (150, 100, 100))), noisy(7)])


def expected_of(network, pictures, seen=ALL):
    turned = [np.stack([by_opencv(p, i) for p in pictures]).astype(np.float32) for i in seen]
    mean = np.mean([network.model.predict(each, verbose=0) for each in turned], axis=0)
    return apply_temperature(mean, network.card.temperature)


@pytest.mark.parametrize("ending", ["keras", "tflite", "onnx"])
def test_every_engine_takes_the_mean_and_then_the_temperature(network, pictures, ending, tmp_path):
    from mask_detector.export import export_onnx, export_tflite

    path = tmp_path / f"m.{ending}"
    if ending == "keras":
        save_model(network.model, network.card, path)
    elif ending == "tflite":
        export_tflite(network.model, network.card, path, number_format="float32")
    else:
        pytest.importorskip("onnxruntime")
        export_onnx(network.model, network.card, path)
    classifier = load_classifier(path)
    assert classifier.card.orientations == ALL_ORIENTATIONS
    said = classifier.predict(pictures)
    np.testing.assert_allclose(said, expected_of(network, pictures), atol=1e-4)
    assert said[0, 1] < 0.9  # only two of the eight show it the red corner
    assert classifier.predict(pictures[:0]).shape == (0, 2)


def test_heat_is_turned_back_and_says_what_the_verdict_says(network, pictures):
    explainer, classifier = Explainer(network), KerasClassifier(network.model, network.card)
    upright_heat = [explanation.heat for explanation in explainer.explain(pictures)]
    for index in ALL:
        turned = oriented(pictures, index)
        explanations = explainer.explain(turned)
        said = [explanation.probabilities for explanation in explanations]
        np.testing.assert_allclose(said, classifier.predict(turned), atol=1e-6)
        for explanation, row, heat in zip(explanations, said, upright_heat, strict=True):
            assert explanation.class_name == network.card.class_names[int(np.argmax(row))]
            again = upright(explanation.heat[None], index)[0]
            np.testing.assert_allclose(again, heat, atol=1e-4 * np.abs(heat).max())
    hottest = np.unravel_index(upright_heat[1].argmax(), upright_heat[1].shape)
    assert min(hottest) >= 2  # the blue square lies below right, where one look would see nothing


def test_a_class_that_is_asked_for_is_explained_in_all_orientations(network, pictures):
    red, blue = (Explainer(network).explain(pictures[:1], [name])[0] for name in ("red", "blue"))
    assert red.probabilities == blue.probabilities
    np.testing.assert_allclose(red.heat, -blue.heat, atol=1e-4)


@pytest.mark.parametrize("verb", ["image", "explain"])
@pytest.mark.parametrize(("options", "seen"), [([], ALL), (["--orientations", "2"], [0, 1])])
def test_the_card_says_how_many_and_the_command_line_may_say_otherwise(
    network, pictures, tmp_path, capsys, verb, options, seen
):
    save_model(network.model, network.card, tmp_path / "m.keras")
    cv2.imwrite(str(tmp_path / "p.png"), pictures[2][..., ::-1])
    judge = [verb, tmp_path / "p.png", "-m", tmp_path / "m.keras", "--detector", "none", "--json"]
    where = ["--output", tmp_path / "out"]
    assert main([*map(str, judge + where), *options]) == 0
    (face,) = json.loads(capsys.readouterr().out)["faces"]
    said = [face["probabilities"][name] for name in network.card.class_names]
    np.testing.assert_allclose(said, expected_of(network, pictures[2:3], seen)[0], atol=1e-3)


def test_a_model_from_elsewhere_is_judged_in_as_many_orientations_as_asked(
    network, pictures, tmp_path
):
    network.model.save(tmp_path / "old.h5")
    options = {"class_names": ("blue", "red"), "input_range": (0, 255)}
    classifier = load_classifier(tmp_path / "old.h5", orientations=4, **options)
    warm = dataclasses.replace(network, card=dataclasses.replace(network.card, temperature=1.0))
    said = classifier.predict(pictures)
    np.testing.assert_allclose(said, expected_of(warm, pictures, range(4)), atol=1e-4)


def test_a_square_has_eight_orientations_and_no_more(capsys):
    for wrong in ("9", "0", "all"):
        with pytest.raises(SystemExit, match="2"):
            main(["image", "photo.jpg", "--orientations", wrong])
        assert "expected a whole number from 1 to 8" in capsys.readouterr().err


def test_things_that_lie_any_way_up_are_judged_in_all_ways_unless_told_otherwise():
    def count(**options):
        return TrainingOptions(**options).orientations

    assert (count(), count(augmentation="gentle")) == (1, 1)
    assert count(augmentation="any-way-up") == ALL_ORIENTATIONS
    assert count(augmentation="any-way-up", orientations=1) == 1
    assert count(orientations=4) == 4
    for wrong in (9, -1):
        with pytest.raises(MaskDetectorError, match=r"--orientations.*1 to 8"):
            count(orientations=wrong)


@pytest.mark.parametrize("architecture", ["cnn", "mobilenet_v2"])
def test_a_training_chooses_calibrates_and_reports_by_all_orientations(
    architecture, keras, tmp_path
):
    """From nothing, and on frozen features; small noise, so that orientations disagree."""
    from mask_detector.training import train
    from mask_detector.training_result import judge

    random = np.random.default_rng(8)
    splits = {}
    for split, count in (("train", 16), ("val", 6), ("test", 6)):
        splits[split] = []
        for index in range(count):
            path = tmp_path / f"{split}{index}.png"
            cv2.imwrite(str(path), random.integers(0, 256, (32, 32, 3), np.uint8))
            splits[split].append(Sample(path, index % 2, index))
    weights = tmp_path / "backbone.weights.h5"
    if architecture == "mobilenet_v2":
        keras.applications.MobileNetV2(
            input_shape=(32, 32, 3), include_top=False, weights=None
        ).save_weights(weights)
    options = TrainingOptions(
        architecture=architecture, image_size=32, epochs=2, fine_tune=0, views=1, batch_size=8,
        augmentation="any-way-up",
        backbone_weights=str(weights) if architecture == "mobilenet_v2" else "none",
    )  # fmt: skip
    checkpoints = Checkpoints.open(tmp_path / "m.training", options.to_dict(), resume=False)
    trained = train(splits, ("a", "b"), options, checkpoints, tmp_path / "log.csv", verbose=0)

    def answers(split):
        shown = np.stack([cv2.imread(str(s.path))[..., ::-1] for s in splits[split]])
        turned = [np.stack([by_opencv(p, i) for p in shown]).astype(np.float32) for i in ALL]
        return np.stack([trained.model.predict(each, verbose=0) for each in turned])

    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    best = min(rows, key=lambda row: (-float(row["val_accuracy"]), float(row["val_loss"])))
    labels = np.array([sample.label for sample in splits["val"]])
    said = answers("val")
    assert float(best["val_accuracy"]) == pytest.approx((said.argmax(axis=2) == labels).mean())
    losses = -np.log(said[:, np.arange(len(labels)), labels])
    assert float(best["val_loss"]) == pytest.approx(losses.mean(), rel=1e-2)

    result = judge(trained.run, TrainingData(("a", "b"), splits, {}, 0, (), ""), options)
    assert result.card.orientations == ALL_ORIENTATIONS
    np.testing.assert_allclose(result.raw, answers("test").mean(axis=0), atol=1e-3)
