"""The PNGs of a training are pictures with something in them."""

import os
import warnings

import cv2
import numpy as np
import pytest

from mask_detector.calibration import apply_temperature, softmax
from mask_detector.evaluation import evaluate
from mask_detector.plots import plot_confusion_matrix, plot_history, plot_reliability

NAMES = ("with_mask", "without_mask", "mask_weared_incorrect", "other", "def_front")


def made_up_report(names):
    """Each class is answered right nine times, and once taken for the next."""
    labels = np.arange(len(names)).repeat(10)
    predicted = labels.copy()
    predicted[::10] = (labels[::10] + 1) % len(names)
    return evaluate(np.eye(len(names))[predicted], labels, names)


def made_up_history(epochs):
    return [
        {
            "loss": 1 / (epoch + 1),
            "val_loss": 1.2 / (epoch + 1),
            "accuracy": 1 - 0.5 / (epoch + 1),
            "val_accuracy": 1 - 0.6 / (epoch + 1),
            "stage": "head" if epoch < 2 else "fine-tuning",
        }
        for epoch in range(epochs)
    ]


def read_plot(path):
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    return cv2.imread(str(path))  # (h, w, 3) uint8 BGR


def part_of_colour(picture, blue_green_red, within=12):
    return (np.abs(picture.astype(int) - blue_green_red).max(axis=2) <= within).mean()


@pytest.mark.parametrize("epochs", [1, 2, 8])
def test_the_curves_of_a_training_are_drawn(tmp_path, epochs):
    plot_history(made_up_history(epochs), tmp_path / "new folder" / "history.png")
    picture = read_plot(tmp_path / "new folder" / "history.png")
    assert picture.shape == (462, 1100, 3)
    for half in (picture[:, :550], picture[:, 550:]):
        assert part_of_colour(half, (255, 255, 255)) > 0.5  # paper
        assert part_of_colour(half, (180, 119, 31)) > 1e-4  # matplotlib's first colour: train
        assert part_of_colour(half, (14, 127, 255)) > 1e-4  # its second: validation


@pytest.mark.parametrize(("count", "shape"), [(2, (550, 682, 3)), (5, (847, 979, 3))])
def test_the_confusion_matrix_is_drawn_larger_for_more_classes(tmp_path, count, shape):
    plot_confusion_matrix(made_up_report(NAMES[:count]), tmp_path / "matrix.png", "test photos")
    picture = read_plot(tmp_path / "matrix.png")
    assert np.abs(np.subtract(picture.shape, shape)).max() <= 1
    dark_blue = part_of_colour(picture, (139, 74, 12), within=40)  # nine of ten right
    assert dark_blue > 0.03
    assert 0.2 < part_of_colour(picture, (255, 255, 255)) < 0.9


@pytest.mark.parametrize(
    "name",
    ["口罩", "$a^$", "$x", "_hidden", "a\\frac", "100%", "n" * 40, os.fsdecode(b"caf\xe9")],
    ids=ascii,
)
def test_a_class_may_have_any_name_a_folder_has(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the font may lack letters
        plot_confusion_matrix(made_up_report((name, "b")), tmp_path / "a.png", "test photos")
    assert read_plot(tmp_path / "a.png").std() > 5


@pytest.mark.parametrize("count", [2, 12])
def test_long_names_of_classes_leave_room_for_the_matrix_and_the_curves(tmp_path, count):
    names = tuple(f"{'a very long name of a class ' * 3}{number}" for number in range(count))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as where the layout gives up
        plot_confusion_matrix(made_up_report(names), tmp_path / "matrix.png", "test photos")
    picture = read_plot(tmp_path / "matrix.png")
    blue = part_of_colour(picture, (107, 48, 8), within=90)  # nine of ten right
    assert blue > 0.25 / count


@pytest.mark.parametrize(("classes", "n"), [(2, 1), (2, 400), (5, 3)])
def test_reliability_is_drawn_before_and_after(tmp_path, classes, n):
    rng = np.random.default_rng(0)
    before = softmax(rng.normal(0, 6, (n, classes)))
    labels = rng.integers(0, classes, n)
    path = tmp_path / "new folder" / "reliability.png"
    plot_reliability(before, apply_temperature(before, 4.0), labels, path, "$val_$ split")
    picture = read_plot(path)
    assert picture.shape == (572, 1100, 3)
    for half in (picture[:, :550], picture[:, 550:]):
        assert part_of_colour(half, (255, 255, 255)) > 0.5
        assert part_of_colour(half, (180, 119, 31)) > 1e-4  # the verdicts
    assert (picture[:, :550] != picture[:, 550:]).any()
