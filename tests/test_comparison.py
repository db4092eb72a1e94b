"""Networks compared: who is worse, the table, a comparison that is killed and goes on."""

import json
import shutil
from dataclasses import replace
from itertools import product

import cv2
import numpy as np
import pytest
from conftest import textured_photo
from data_sets import write

from mask_detector.cli import main
from mask_detector.comparison.plot import plot_comparison
from mask_detector.comparison.report import comparison_text, comparison_to_dict
from mask_detector.comparison.verdict import (
    LEAST_TO_DIFFER,
    WORSE_BELOW,
    Entry,
    judge_entries,
    p_of_difference,
)
from mask_detector.errors import MaskDetectorError
from mask_detector.intervals import proportion

COUNT = 100


def entry(name, right, parameters, **changes):
    """A network that is right about the first so many of 100 pictures."""
    made = Entry(
        name=name, architecture=name.split("_x")[0], width=1.0, weights="none", image_size=32,
        epochs=3, parameters=parameters, multiply_adds=10 * parameters, training_s=12.0,
        bytes_of={"float32": 4 * parameters, "int8": None}, validation_accuracy=right / COUNT,
        accuracy=proportion(right, COUNT), f1={"on": proportion(right, COUNT)},
        is_right=tuple(i < right for i in range(COUNT)),
    )  # fmt: skip
    return replace(made, **changes)


ALONE = np.arange(COUNT)


def by_every_toss(wins, losses):
    """The two-sided p of a sign test by counting all ways in which coins can fall."""
    count = wins + losses
    heads = [sum(toss) for toss in product((0, 1), repeat=count)]
    return np.mean([abs(h - count / 2) >= abs(wins - count / 2) for h in heads])


@pytest.mark.parametrize(("wins", "losses"), [(1, 0), (5, 0), (6, 0), (8, 2), (3, 3), (9, 1)])
def test_p_is_that_of_counting_all_falls_of_coins(wins, losses):
    first = np.array([True] * wins + [False] * losses + [True, False] * 20)
    second = np.array([False] * wins + [True] * losses + [True, False] * 20)
    p = p_of_difference(first, second, np.arange(len(first)))
    assert p == pytest.approx(by_every_toss(wins, losses))
    assert p == p_of_difference(second, first, np.arange(len(first)))


def test_copies_of_one_picture_are_one_witness():
    first, second = np.ones(COUNT, bool), np.ones(COUNT, bool)
    second[:10] = False
    assert p_of_difference(first, second, ALONE) < 0.01
    assert p_of_difference(first, second, np.minimum(ALONE, 10) // 10) == 1.0


def test_the_smallest_as_good_as_the_best_is_found():
    entries = [entry("large", 97, 900), entry("huge", 98, 5000), entry("tiny", 90, 10),
               entry("small", 95, 50)]  # fmt: skip
    verdict = judge_entries(entries, ALONE)
    assert (verdict.best.name, verdict.smallest.name) == ("huge", "small")
    assert verdict.p_values == pytest.approx(
        {"large": 1.0, "huge": 1.0, "small": 0.25, "tiny": 2 / 2**8}
    )


def test_of_equally_right_networks_the_smaller_is_the_best():
    verdict = judge_entries([entry("large", 90, 900), entry("small", 90, 50)], ALONE)
    assert verdict.best.name == verdict.smallest.name == "small"


@pytest.fixture
def three():
    return [entry("vgg", 98, 5000), entry("vgg_x0.5", 95, 50, width=0.5), entry("cnn", 60, 9)]


def test_the_table_says_the_figures_and_the_answer(three):
    verdict = judge_entries(three, ALONE)
    times = {e.name: {"float32": 3.25} for e in three}
    lines = comparison_text(three, verdict, times, ALONE).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["cnn", "vgg_x0.5", "vgg"]
    for figure in ("0.000 M", "0.9500", "(0.888-0.978)", "12", "3.2", "0.250"):
        assert figure in lines[2].replace("3.25", "3.2"), figure
    assert lines[3].endswith("best")
    assert "100 test pictures in 100 groups (copies, or one person)" in lines
    assert lines[-1].startswith("smallest that is not significantly worse: vgg_x0.5, 95.00%")
    assert "with 1% of the parameters (p = 0.250" in lines[-1]
    found = json.loads(json.dumps(comparison_to_dict(three, verdict, times, ALONE)))
    assert (found["best"], found["smallest_not_worse"]) == ("vgg", "vgg_x0.5")
    assert found["networks"][1]["milliseconds"] == {"float32": 3.25}
    assert Entry.from_dict(three[0].to_dict()) == three[0]


def test_the_table_warns_of_copies_among_the_test_pictures(three):
    groups = ALONE // 4
    text = comparison_text(three, judge_entries(three, groups), {e.name: {} for e in three}, groups)
    assert "100 test pictures in 25 groups" in text and "too narrow" in text


def test_where_test_pictures_are_too_few_to_tell_anything_the_text_says_so(three):
    for count, is_told in ((5, True), (6, False)):
        groups = ALONE % count
        verdict = judge_entries(three, groups)
        text = comparison_text(three, verdict, {e.name: {} for e in three}, groups)
        assert ("these are too few to tell networks apart" in text) == is_told
    unlike = np.array([True] * LEAST_TO_DIFFER), np.array([False] * LEAST_TO_DIFFER)
    assert p_of_difference(*unlike, np.arange(LEAST_TO_DIFFER)) < WORSE_BELOW
    assert p_of_difference(*(side[1:] for side in unlike), np.arange(LEAST_TO_DIFFER - 1)) > 0.05


def test_where_nothing_smaller_is_as_good_the_text_says_so(three):
    for some, words in ((three[::2], "every smaller network is significantly worse"),
                        (three[:1], "no network here is smaller")):  # fmt: skip
        verdict = judge_entries(some, ALONE)
        assert words in comparison_text(some, verdict, {e.name: {} for e in some}, ALONE)


def test_the_plot_shows_every_network(three, tmp_path):
    plot_comparison(three, judge_entries(three, ALONE), "a $set", tmp_path / "plot.png")
    picture = cv2.imread(str(tmp_path / "plot.png"))
    assert picture.shape[1] > 1000 and picture.std() > 10


@pytest.fixture(scope="module")
def tints(tmp_path_factory):
    """Two classes that colour tells apart, 40 photos each."""
    root = tmp_path_factory.mktemp("tints")
    for label, (name, channel) in enumerate((("rust", 0), ("sound", 2))):
        for index in range(40):
            photo = textured_photo(1000 * label + index) // 3
            photo[..., channel] += 150
            write(root / name / f"p{index:02d}.png", photo)
    return root


def options(dataset, output, *more):
    return ["compare", "--dataset", str(dataset), "--output", str(output), "--image-size", "32",
            "--batch-size", "16", "--budget", "6", *more]  # fmt: skip


@pytest.fixture(scope="module")
def compared(tints, tmp_path_factory, keras):
    output = tmp_path_factory.mktemp("out") / "comparison"
    assert main(options(tints, output, "-a", "cnn", "--widths", "0.25,0.5")) == 0
    return output


def test_every_network_is_trained_and_its_files_are_there(compared):
    found = json.loads((compared / "comparison.json").read_text())
    names = [network["name"] for network in found["networks"]]
    assert names == ["cnn_x0.25", "cnn_x0.5"]
    quarter, half = found["networks"]
    assert quarter["parameters"] < half["parameters"] < 1e6
    assert quarter["multiply_adds"] < half["multiply_adds"]
    for network in (quarter, half):
        assert network["epochs"] == 6 and network["weights"] == "none"
        assert len(network["is_right"]) == found["test_pictures"] == 12
        assert network["accuracy"]["value"] == pytest.approx(np.mean(network["is_right"]))
        size = (compared / f"{network['name']}_float32.tflite").stat().st_size
        assert network["bytes_of"]["float32"] == size
        assert network["milliseconds"]["float32"] > 0
    assert max(network["accuracy"]["value"] for network in found["networks"]) > 0.9
    assert "cnn_x0.25" in (compared / "comparison.txt").read_text()
    assert (compared / "comparison.png").exists() and not list(compared.glob("*.training"))


def test_a_second_run_trains_only_what_is_new(compared, tints, tmp_path, capsys):
    output = shutil.copytree(compared, tmp_path / "again")
    before = (output / "cnn_x0.25.keras").read_bytes()
    capsys.readouterr()
    more = ("-a", "cnn", "--widths", "0.25,1", "--json")
    assert main(options(tints, output, *more)) == 0
    found = json.loads(capsys.readouterr().out)  # one object, and nothing before it
    assert [n["name"] for n in found["networks"]] == ["cnn_x0.25", "cnn"]
    assert (output / "cnn_x0.25.keras").read_bytes() == before


def test_a_stopped_comparison_goes_on_and_ends_like_an_unbroken_one(
    compared, tints, tmp_path, capsys, monkeypatch
):
    from mask_detector.checkpoints import Checkpoints

    record = Checkpoints.record

    def record_and_stop(self, row, model):
        record(self, row, model)
        if len(self.history) == 3:
            raise KeyboardInterrupt

    output, more = tmp_path / "broken", ("-a", "cnn", "--widths", "0.25")
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "record", record_and_stop)  # Ctrl-C after the third epoch
        assert main(options(tints, output, *more)) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert main(options(tints, output, *more)) == 0
    again, whole = (
        json.loads((folder / "cnn_x0.25.json").read_text()) for folder in (output, compared)
    )
    assert again["is_right"] == whole["is_right"]
    assert again["validation_accuracy"] == whole["validation_accuracy"]


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("-a", "vgg_tiny"), 2, "expected some of mobilenet_v2"),
        (("-a", "cnn", "--widths", "9"), 2, "--widths: '9': expected a number from 0.25 to 2"),
        (("-a", "cnn", "--budget", "-1"), 2, "--budget -1"),
        (("-a", "cnn", "--backbone-weights", "x.h5"), 2, "NETWORK=FILE"),
        (("-a", "cnn", "--backbone-weights", "cnn=x.h5"), 1, "x.h5"),
        (("-a", "cnn", "--budget", "5"), 1, "budget was 6, now 5"),
    ],
)
def test_what_can_not_be_compared_is_said_in_a_line(compared, tints, capsys, more, code, words):
    try:
        assert main(options(tints, compared, *more)) == code
    except SystemExit as end:
        assert end.code == code
    assert words in capsys.readouterr().err


def test_a_network_that_began_with_other_weights_is_not_read(compared, tmp_path):
    from mask_detector.comparison.training import networks_of, train_network

    (network,) = networks_of(["mobilenet_v2"], [0.5], {"image_size": 32}, {}, 6)
    assert (network.backbone_weights, network.epochs, network.fine_tune_epochs) == (
        "imagenet",
        2,
        4,
    )
    (scratch,) = networks_of(["mobilenet_v2"], [0.6], {"image_size": 32}, {}, 6)
    assert (scratch.backbone_weights, scratch.epochs) == ("none", 6)
    kept = json.loads((compared / "cnn_x0.5.json").read_text())
    (tmp_path / "mobilenet_v2_x0.5.json").write_text(json.dumps(kept))
    with pytest.raises(MaskDetectorError, match="weights none, not imagenet"):
        train_network(network, None, tmp_path)
