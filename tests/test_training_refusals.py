"""What a training refuses before it begins, each in one clear line."""

import json

import pytest
from conftest import ROOT, assert_clear_error, write_dataset

QUICK = ("--backbone-weights", "none", "--image-size", "32", "--epochs", "1", "--crop", "none")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("dataset")
    return write_dataset(root, {"with_mask": 12, "without_mask": 12})


def training_command(dataset, model, *options):
    return ["train", "--dataset", dataset, "--model", model,
            "--plot", model.parent / "plot.png", *QUICK, *options]  # fmt: skip


def test_resume_refuses_other_options_and_names_them(photos, tmp_path, run_here):
    folder = tmp_path / "m.training"
    folder.mkdir()
    settings = {"epochs": 20, "data": "another set"}
    (folder / "state.json").write_text(json.dumps({"settings": settings, "history": []}))
    command = training_command(photos, tmp_path / "m.keras", "--resume")
    assert_clear_error(run_here(*command), "epochs was 20, now 1", "--resume")


def test_a_finished_training_is_not_resumed_over(photos, tmp_path, run_here):
    (tmp_path / "m.keras").write_text("a model")
    done = run_here(*training_command(photos, tmp_path / "m.keras", "--resume"))
    assert_clear_error(done, "nothing to go on with", "m.keras is finished")
    assert (tmp_path / "m.keras").read_text() == "a model"


@pytest.mark.parametrize("place", ["x.xyz", "x", "folder.png"])
def test_a_plot_that_cannot_be_is_refused_before_the_training(place, photos, tmp_path, run_here):
    (tmp_path / "folder.png").mkdir()
    command = training_command(photos, tmp_path / "m.keras", "--plot", tmp_path / place)
    words = "it is a folder" if place == "folder.png" else "expected a name ending in .png"
    assert_clear_error(run_here(*command), place, words, code=1 if "folder" in place else 2)


@pytest.mark.parametrize(
    ("code", "options", "words"),
    [
        (1, ("--dataset", "/nowhere"), ["/nowhere", "one folder of photos per class"]),
        (2, ("--model", "m.model"), ["m.model", ".keras or .h5"]),
        (1, ("--model", "/proc/no/m.keras"), ["/proc/no", "can't be written"]),
        (2, ("--epochs", "-1"), ["--epochs -1", "0 to"]),
        (2, ("--learning-rate", "-1"), ["--learning-rate -1.0"]),
        (2, ("--image-size", "8"), ["--image-size 8", "32 to"]),
        (2, ("--views", "-1"), ["--views -1", "0 to"]),
        (1, ("--classes", "with_mask,beard"), ["class beard", "with_mask, without_mask"]),
        (1, ("--classes", "with_mask"), ["one class alone (with_mask)"]),
        (2, ("--classes", "with_mask,with_mask"), ["names a class twice"]),
        (2, ("--classes", "with_mask,"), ["a name is missing"]),
        (2, ("--architecture", "alexnet"), ["alexnet", "mobilenet_v2"]),
        (1, ("--backbone-weights", "/no/weights.h5"), ["/no/weights.h5", "imagenet, none"]),
        (1, ("--backbone-weights", str(ROOT / "Makefile")), ["Makefile", "does not fit"]),
    ],
)
def test_bad_options_get_one_clear_line(code, options, words, photos, tmp_path, run_here):
    command = training_command(photos, tmp_path / "m.keras")
    assert_clear_error(run_here(*command, *options, cwd=tmp_path), *words, code=code)
    assert not list(tmp_path.glob("*.training"))  # nothing to go on with, nothing in the way


def test_a_failed_download_of_imagenet_weights_names_the_ways_out(photos, tmp_path, run):
    command = training_command(photos, tmp_path / "m.keras",
                               "--backbone-weights", "imagenet", "--image-size", "96")  # fmt: skip
    nowhere = {"KERAS_HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    done = run("-m", "mask_detector", *command, env=nowhere)
    assert_clear_error(done, "could not be downloaded", "--backbone-weights PATH", "none")
