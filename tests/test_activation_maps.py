"""The methods against sums written out place by place, and boxes around painted heat."""

import itertools

import numpy as np
import pytest

from mask_detector.explaining.activation_maps import (
    LEAST_HEAT,
    METHODS,
    Explanation,
    hottest_region,
    spread,
)


@pytest.fixture
def layer():
    """Features, as behind a ReLU, and gradients of two pictures: `(2, 3, 4, 5)` each."""
    rng = np.random.default_rng(3)
    return np.maximum(rng.normal(size=(2, 3, 4, 5)), 0), rng.normal(size=(2, 3, 4, 5))


def places(array):
    return [(i, j) for i in range(array.shape[0]) for j in range(array.shape[1])]


def grad_cam(a, g):
    weights = [sum(g[i, j, k] for i, j in places(g)) / 12 for k in range(5)]
    return [[sum(weights[k] * a[i, j, k] for k in range(5)) for j in range(4)] for i in range(3)]


def grad_cam_plus_plus(a, g):
    """Equation 19 as it stands, the shares brought to a sum of 1 as in the authors' code."""
    weights = []
    for k in range(5):
        total = sum(a[i, j, k] for i, j in places(a))
        shares = {
            (i, j): g[i, j, k] ** 2 / (2 * g[i, j, k] ** 2 + total * g[i, j, k] ** 3)
            for i, j in places(g)
            if g[i, j, k] > 0
        }
        weights.append(sum(s * g[i, j, k] for (i, j), s in shares.items()) / sum(shares.values()))
    return [[sum(weights[k] * a[i, j, k] for k in range(5)) for j in range(4)] for i in range(3)]


def layer_cam(a, g):
    return [
        [sum(max(g[i, j, k], 0) * a[i, j, k] for k in range(5)) for j in range(4)] for i in range(3)
    ]


def hires_cam(a, g):
    return [[sum(g[i, j, k] * a[i, j, k] for k in range(5)) for j in range(4)] for i in range(3)]


@pytest.mark.parametrize(
    ("method", "by_hand"),
    [
        ("gradcam", grad_cam),
        ("gradcam++", grad_cam_plus_plus),
        ("layercam", layer_cam),
        ("hirescam", hires_cam),
    ],
)
def test_a_map_is_what_the_paper_says_times_the_places(layer, method, by_hand):
    features, gradients = layer
    maps = METHODS[method](features, gradients)
    expected = [12 * np.array(by_hand(a, g)) for a, g in zip(features, gradients, strict=True)]
    np.testing.assert_allclose(maps, expected, rtol=1e-5)


def test_below_an_average_over_places_methods_coincide_in_pairs(layer):
    features, gradients = layer
    same = np.broadcast_to(gradients[:, :1, :1], gradients.shape)
    maps = {name: method(features, same) for name, method in METHODS.items()}
    np.testing.assert_allclose(maps["gradcam"], maps["hirescam"], rtol=1e-5)
    np.testing.assert_allclose(maps["gradcam++"], maps["layercam"], rtol=1e-5)
    assert not np.allclose(maps["gradcam"], maps["layercam"], atol=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_scaled_to_its_own_maximum(layer, method):
    features, gradients = layer
    maps = METHODS[method](features, gradients)
    np.testing.assert_allclose(METHODS[method](features, 0 * gradients), 0)
    alone = METHODS[method](features[:1], gradients[:1])
    np.testing.assert_allclose(alone, maps[:1], rtol=1e-6)
    if method != "gradcam++":  # whose shares depend on how large gradients are
        np.testing.assert_allclose(METHODS[method](features, gradients / 8), maps / 8, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_what_speaks_against_the_class_is_negative_or_nothing(layer, method):
    features, gradients = layer
    maps = METHODS[method](features, -np.abs(gradients))
    assert maps.max() <= 0
    assert (maps.min() < -1) == (method in ("gradcam", "hirescam"))


@pytest.mark.parametrize("method", METHODS)
def test_finer_grids_of_the_same_give_the_same_units(layer, method):
    """A map's mean stays what the features add to the score, however many places there are."""
    features, gradients = layer
    fine = features.repeat(2, axis=1).repeat(2, axis=2)
    parts = gradients.repeat(2, axis=1).repeat(2, axis=2) / 4  # each quarter has its part
    before, after = METHODS[method](features, gradients), METHODS[method](fine, parts)
    np.testing.assert_allclose(after[:, ::2, ::2], before, rtol=1e-5)


def test_negative_features_do_not_turn_the_shares_of_grad_cam_plus_plus_round():
    features = np.full((1, 2, 2, 1), -3.0)
    gradients = np.array([0.5, 1, 2, 4], float).reshape(1, 2, 2, 1)
    maps = METHODS["gradcam++"](features, gradients)
    assert np.isfinite(maps).all()
    assert maps.min() >= -4 * 3 * 4 and maps.max() <= -0.5 * 3 * 4


def explanation(heat):
    return Explanation(np.array(heat, np.float32), "red", ("blue", "red"), (0.25, 0.75))


def test_gain_and_loss_add_up_to_the_mean():
    shown = explanation([[4, -2], [0, 0]])
    assert (shown.gain, shown.loss, shown.probability) == (1.0, -0.5, 0.75)
    assert not shown.is_cold
    assert explanation([[-3, LEAST_HEAT / 2]]).is_cold


def test_the_region_lies_around_the_hottest_place():
    heat = np.zeros((7, 7), np.float32)
    heat[5, 1], heat[1, 5] = 12, 9
    box = hottest_region(heat, 224, 224)
    assert box.holds(1.5 * 32, 5.5 * 32) and not box.holds(5.5 * 32, 1.5 * 32)
    # Half-way between centres of neighbours, smooth heat has fallen to a half.
    assert max(abs(box.width - 32), abs(box.height - 32)) <= 2
    assert box.score == pytest.approx(12, rel=0.05)


def test_a_smaller_share_makes_a_larger_region_that_holds_the_other():
    heat = np.exp(-((np.arange(7)[:, None] - 2) ** 2 + (np.arange(7) - 4) ** 2) / 4) * 20
    boxes = [hottest_region(heat, 140, 70, share) for share in (0.9, 0.5, 0.15)]
    for inner, outer in itertools.pairwise(boxes):
        assert outer.left <= inner.left and outer.right >= inner.right
        assert outer.top <= inner.top and outer.bottom >= inner.bottom
        assert outer.width > inner.width
    assert boxes[0].centre == pytest.approx((4.5 * 20, 2.5 * 10), abs=3)


def test_flat_heat_boxes_everything_and_cold_heat_nothing():
    whole = hottest_region(np.full((7, 7), 5.0), 100, 60)
    assert (whole.left, whole.top, whole.right, whole.bottom) == (0, 0, 100, 60)
    assert hottest_region(np.zeros((7, 7)), 100, 60) is None
    assert hottest_region(np.full((7, 7), -5.0), 100, 60) is None
    assert hottest_region(np.full((7, 7), LEAST_HEAT * 0.9), 100, 60) is None


def test_spreading_keeps_places_and_numbers():
    heat = np.array([[0, 8], [0, 0]], np.float32)
    wide = spread(heat, 100, 100)
    assert wide.max() == 8 and wide.min() == 0
    assert wide[10, 90] == 8 and wide[90, 10] == 0
    assert wide.mean() == pytest.approx(heat.mean(), rel=1e-3)
