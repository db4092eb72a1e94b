"""Where networks with a known answer are said to look, against hiding parts of the picture."""

import numpy as np
import pytest
from conftest import ROOT
from data_sets import settle
from heat_models import CELL, NAMES, colour_model, network_of, noisy

from mask_detector.architectures import ARCHITECTURES, build_model
from mask_detector.errors import ModelError
from mask_detector.explaining.activation_maps import METHODS
from mask_detector.explaining.explainer import Explainer, open_explainer
from mask_detector.mask_classifiers import KerasClassifier
from mask_detector.model_file import save_model
from mask_detector.types import ModelCard

QUADRANTS = [(0, 0), (0, 1), (1, 0), (1, 1)]
RED, BLUE = (255, 0, 0), (0, 0, 255)


def log_odds(classifier, crops, index):
    p = classifier.predict(crops).astype(np.float64)[:, index]
    return np.log(p / (1 - p))


def occlusion_map(classifier, crop, index):
    """How much the class's log-odds fall when a place is painted black, `(h, w)`."""
    count = len(crop) // CELL
    hidden = np.repeat(crop[None], count * count, axis=0)
    for number in range(count * count):
        top, left = (CELL * place for place in divmod(number, count))
        hidden[number, top : top + CELL, left : left + CELL] = 0
    before = log_odds(classifier, crop[None], index)
    return (before - log_odds(classifier, hidden, index)).reshape(count, count)


@pytest.mark.parametrize("quadrant", QUADRANTS)
def test_all_methods_look_where_the_answer_comes_from(keras, quadrant):
    network = network_of(colour_model(keras, quadrant=quadrant))
    everywhere_red = noisy(1, (0, 0, 32, (140, 100, 100)))
    by_method = Explainer(network).explain_by(METHODS, everywhere_red)
    hidden = occlusion_map(KerasClassifier(network.model, network.card), everywhere_red[0], 1)
    inside = np.zeros((4, 4), bool)
    inside[2 * quadrant[0] :][:2, 2 * quadrant[1] :][:, :2] = True
    assert (hidden[inside] > 0.1).all() and np.abs(hidden[~inside]).max() < 1e-4
    for method, (explanation,) in by_method.items():
        assert explanation.class_name == "red"
        heat = explanation.heat / 16  # from per picture to per place
        assert (heat[inside] > 0.05).all(), method
        np.testing.assert_array_equal(heat[~inside], 0)
        if method in ("gradcam", "hirescam"):
            np.testing.assert_allclose(heat, hidden, atol=1e-3)


def test_squares_of_colour_speak_for_and_against_as_hiding_them_says(keras):
    network = network_of(colour_model(keras))
    picture = noisy(2, (0, 8, 8, RED), (16, 16, 8, (0, 0, 200)))
    (red,) = Explainer(network).explain(picture)
    (blue,) = Explainer(network).explain(picture, ["blue"])
    classifier = KerasClassifier(network.model, network.card)
    np.testing.assert_allclose(red.heat / 16, occlusion_map(classifier, picture[0], 1), atol=0.01)
    assert red.heat.argmax() == 4 and red.heat.argmin() == 10
    np.testing.assert_allclose(blue.heat, -red.heat, atol=1e-4)
    assert (red.class_name, blue.class_name) == ("red", "blue")
    assert red.probability + blue.probability == pytest.approx(1)
    assert red.gain + red.loss == pytest.approx(log_odds(classifier, picture, 1)[0], abs=1e-3)


def test_where_the_head_tells_places_apart_auto_does_not_blur(keras):
    network = network_of(colour_model(keras, head="flat"))
    picture = noisy(3, (0, 0, 32, (140, 100, 100)))  # red everywhere, of use in one quadrant
    explainer = Explainer(network)
    maps = {name: found[0].heat for name, found in explainer.explain_by(METHODS, picture).items()}
    assert explainer.method == "hirescam"
    hidden = occlusion_map(KerasClassifier(network.model, network.card), picture[0], 1)
    with_a_say = 4  # of the 16 places: the others have no weight
    np.testing.assert_allclose(maps["hirescam"] / with_a_say, hidden, atol=1e-3)
    np.testing.assert_allclose(maps["layercam"] / with_a_say, hidden, atol=1e-3)
    assert maps["gradcam"][2:, 2:].min() > 0.025  # the reason
    assert Explainer(network_of(colour_model(keras))).method == "gradcam"
    assert Explainer(network, method="layercam").method == "layercam"


def test_a_constant_answer_has_no_heat(keras):
    model = colour_model(keras, slope=0.0)
    for found in Explainer(network_of(model)).explain_by(METHODS, noisy(4, count=2)).values():
        for explanation in found:
            assert explanation.is_cold and not explanation.heat.any()


def test_probabilities_are_the_classifiers_and_heat_is_calibrated_with_them(keras):
    model, picture = colour_model(keras), noisy(5, (8, 8, 16, (200, 60, 60)), count=3)
    plain, mild = network_of(model), network_of(model, temperature=2.0)
    hot, warm = (Explainer(network).explain(picture)[2] for network in (plain, mild))
    expected = KerasClassifier(model, mild.card).predict(picture)[2]
    np.testing.assert_allclose(warm.probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(warm.heat, hot.heat / 2, rtol=1e-5)


def test_what_all_classes_share_is_no_heat(keras):
    model, picture = colour_model(keras), noisy(6, (8, 8, 16, RED))
    before = Explainer(network_of(model)).explain(picture)[0].heat
    answers = model.get_layer("answers")
    answers.set_weights([answers.get_weights()[0] + [[9.0], [-4.0]]])
    after = Explainer(network_of(model)).explain(picture)[0].heat
    np.testing.assert_allclose(after, before, atol=1e-3)


def test_one_sigmoid_is_explained_for_both_classes(keras):
    network = network_of(colour_model(keras, head="sigmoid"))
    picture = noisy(7, (0, 24, 8, RED))
    reference = Explainer(network_of(colour_model(keras)))
    for name in NAMES:
        (one,), (two,) = (e.explain(picture, [name]) for e in (Explainer(network), reference))
        np.testing.assert_allclose(one.heat, two.heat, atol=1e-4)
        np.testing.assert_allclose(one.probabilities, two.probabilities, atol=1e-6)


def test_many_pictures_come_back_in_their_order(keras):
    pictures = np.concatenate([noisy(i, (8 * (i % 4), 0, 8, RED)) for i in range(37)])
    found = Explainer(network_of(colour_model(keras))).explain(pictures)
    assert [explanation.heat.argmax() for explanation in found] == [i % 4 for i in range(37)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_is_explained_also_after_reload(keras, architecture, tmp_path):
    """Oracle: how the log-odds change as the feature map is made a little stronger."""
    width = 0.35 if ARCHITECTURES[architecture].is_scalable else 1
    model = settle(
        build_model(architecture, image_size=64, class_count=3, weights="none", width=width)
    )
    picture = np.random.default_rng(8).integers(0, 256, (1, 64, 64, 3), np.uint8)
    card = ModelCard(("a", "b", "c"), 64)
    save_model(model, card, tmp_path / "m.keras")
    explainer = open_explainer(tmp_path / "m.keras")
    (explanation,) = explainer.explain(picture)
    features = model.get_layer("feature_map").output
    behind = keras.Model(features, model.output)
    at = keras.Model(model.input, features)(picture.astype(np.float32), training=False).numpy()
    assert explanation.heat.shape == at.shape[1:3] == explainer.grid
    index = card.class_names.index(explanation.class_name)
    p = behind(np.concatenate([at * 0.995, at, at * 1.005])).numpy()[:, index].astype(np.float64)
    odds = np.log(p / (1 - p))
    assert explanation.probability == pytest.approx(p[1], abs=1e-4)
    slope = (odds[2] - odds[0]) / 0.01
    assert explanation.gain + explanation.loss == pytest.approx(slope, rel=0.02, abs=2e-3)
    assert abs(slope) > 1e-3
    for method, (same,) in explainer.explain_by(METHODS, picture).items():
        assert np.isfinite(same.heat).all(), method


def old_model(keras, *, nested):
    layers = keras.layers
    inner = [
        keras.Input((32, 32, 3)),
        layers.Conv2D(4, 3, activation="relu", name="early"),
        layers.MaxPooling2D(),
        layers.Conv2D(5, 3, name="late"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(name="late_relu"),
    ]
    head = [layers.MaxPooling2D(), layers.Flatten(), layers.Dense(2, activation="softmax")]
    return keras.Sequential([keras.Sequential(inner), *head] if nested else [*inner, *head])


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_an_old_model_is_explained_by_its_last_convolution(keras, nested, suffix, tmp_path):
    path = tmp_path / f"old{suffix}"
    old_model(keras, nested=nested).save(path)
    options = {"class_names": NAMES, "input_range": (0.0, 1.0)}
    explainer = open_explainer(path, **options)
    assert explainer.is_stand_in and explainer.layer_name == "late_relu"
    assert explainer.grid == (13, 13)
    (explanation,) = explainer.explain(noisy(9))
    classifier = KerasClassifier(explainer.network.run, explainer.network.card)
    np.testing.assert_allclose(
        explanation.probabilities, classifier.predict(noisy(9))[0], atol=1e-6
    )
    early = open_explainer(path, layer_name="early", **options)
    assert early.grid == (30, 30) and not early.is_stand_in


def test_the_network_is_left_as_it_was(keras):
    model = colour_model(keras)
    before = model(noisy(10).astype(np.float32)).numpy()
    Explainer(network_of(model)).explain(noisy(10))
    np.testing.assert_array_equal(model(noisy(10).astype(np.float32)).numpy(), before)
    assert before.sum() == pytest.approx(1)


def test_an_export_has_no_gradients_and_the_error_names_the_trained_file(tmp_path):
    with pytest.raises(ModelError, match=r"no gradients.*give .*models/mask_detector\.keras"):
        open_explainer(ROOT / "models" / "mask_detector.tflite")


@pytest.mark.parametrize(
    ("layer_name", "words"),
    [("nonsense", "no layer nonsense.*cells.*answers"), ("answers", "answers gives.*h, w")],
)
def test_a_layer_that_says_no_place_is_refused(keras, layer_name, words):
    with pytest.raises(ModelError, match=words):
        Explainer(network_of(colour_model(keras)), layer_name=layer_name)


def test_networks_without_convolution_or_without_softmax_are_refused(keras):
    layers = keras.layers
    flat = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    with pytest.raises(ModelError, match="no convolution"):
        Explainer(network_of(flat))
    open_ended = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)]
    )
    with pytest.raises(ModelError, match="softmax or sigmoid"):
        Explainer(network_of(open_ended))
