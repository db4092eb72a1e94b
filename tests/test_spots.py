"""Of `spots` the few surest places decide, and they lie where the fault is."""

import cv2
import numpy as np
import pytest
from data_sets import settle
from heat_models import network_of

from mask_detector.architectures import build_model
from mask_detector.checkpoints import Checkpoints
from mask_detector.explaining.activation_maps import hottest_region
from mask_detector.explaining.explainer import Explainer
from mask_detector.training_options import TrainingOptions
from mask_detector.types import Sample

SIDE = 128  # pixels; 16 x 16 places
CLASSES = ("faulty", "sound")


def test_the_surest_hundredth_of_the_places_decides(keras):
    """Against the same in NumPy: 20 x 15 places, three classes, the mean of three places each."""
    from mask_detector.networks.heads import surest_places

    features = np.random.default_rng(1).normal(size=(4, 20, 15, 6)).astype(np.float32)
    places = keras.Input((20, 15, 6))
    model = keras.Model(places, surest_places(places, 3))
    kernel, bias = model.get_layer("place_logits").get_weights()
    logits = (features @ kernel[0, 0] + bias).reshape(4, 300, 3)
    odds = np.exp(np.sort(logits, axis=1)[:, -3:].mean(axis=1))
    expected = odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model(features, training=False), expected, atol=1e-5)


def test_heat_is_what_those_places_say_and_nowhere_else(keras):
    """In log-odds as if all places that decide were like that one, so that grids compare."""
    keras.utils.set_random_seed(3)
    model = settle(build_model("spots", image_size=SIDE, class_count=2, weights="none"))
    picture = np.random.default_rng(4).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    (explanation,) = Explainer(network_of(model, names=CLASSES)).explain(picture, ["faulty"])
    features = keras.Model(model.input, model.get_layer("feature_map").output)
    at = features(picture.astype(np.float32), training=False).numpy()[0]
    says = at @ model.get_layer("place_logits").get_weights()[0][0, 0]  # (16, 16, 2)
    few = round(0.01 * 16 * 16)
    surest = [says[..., i] >= np.sort(says[..., i], axis=None)[-few] for i in (0, 1)]
    share = (surest[0] | surest[1]).mean()
    expected = (surest[0] * says[..., 0] - surest[1] * says[..., 1]) * share * 16 * 16 / few
    np.testing.assert_allclose(explanation.heat, expected, rtol=1e-3, atol=1e-4)
    assert explanation.share == pytest.approx(share) and np.count_nonzero(explanation.heat) <= 6


def ring(seed, *, is_faulty):
    """A metal ring on a grey ground as `(128, 128, 3)` uint8, and where its hole is, if any."""
    random = np.random.default_rng(seed)
    picture = np.full((SIDE, SIDE), random.integers(90, 130), np.uint8)
    cv2.circle(picture, (64, 64), 50, int(random.integers(170, 210)), -1)
    cv2.circle(picture, (64, 64), 20, int(random.integers(30, 60)), -1)
    angle = random.uniform(0, 2 * np.pi)
    hole = tuple(round(64 + 35 * part) for part in (np.cos(angle), np.sin(angle)))
    if is_faulty:
        cv2.circle(picture, hole, 3, 25, -1)
    noise = random.normal(0, 4, picture.shape)
    picture = np.clip(cv2.GaussianBlur(picture, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8)
    return cv2.merge([picture] * 3), hole


def test_a_hole_is_found_where_nobody_has_shown_one(keras, imagenet, tmp_path):
    """Learned from whole pictures, faulty or sound; judged on rings with holes elsewhere."""
    from mask_detector.training import train

    splits = {"train": [], "val": []}
    for split, first, count in (("train", 0, 48), ("val", 1000, 16)):
        for index in range(count):
            path = tmp_path / f"{split}{index}.png"
            cv2.imwrite(str(path), ring(first + index, is_faulty=index % 2 == 0)[0])
            splits[split].append(Sample(path, index % 2, index))
    options = TrainingOptions(
        architecture="spots",
        image_size=SIDE,
        backbone_weights=imagenet,
        augmentation="any-way-up",
        batch_size=8,
        views=3,
        epochs=30,
        fine_tune_epochs=5,
    )
    checkpoints = Checkpoints.open(tmp_path / "m.training", options.to_dict(), resume=False)
    trained = train(splits, CLASSES, options, checkpoints, tmp_path / "log.csv", verbose=0)
    unseen = [ring(2000 + index, is_faulty=True) for index in range(12)]
    explainer = Explainer(network_of(trained.model, names=CLASSES))
    found = 0
    for picture, hole in unseen:
        (explanation,) = explainer.explain(picture[None], ["faulty"])
        region = hottest_region(explanation.heat, SIDE, SIDE)
        middle = np.array([(region.left + region.right) / 2, (region.top + region.bottom) / 2])
        found += np.abs(middle - hole).max() <= 8  # a place's side
        assert max(region.width, region.height) <= 32
    assert found >= 10
