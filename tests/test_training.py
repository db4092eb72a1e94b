"""Training as a user starts it: its files, its repeatability, a kill and `--resume`, bad input."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT, assert_clear_error, textured_photo
from sklearn.metrics import confusion_matrix

# A network from random weights on 32-pixel pictures: seconds, and all the same code.
QUICK = ("--backbone-weights", "none", "--image-size", "32", "--batch-size", "8",
         "--learning-rate", "0.001")  # fmt: skip


@pytest.fixture(scope="module")
def reds_and_blues(tmp_path_factory):
    """Two classes that colour tells apart, 30 photos each."""
    root = tmp_path_factory.mktemp("dataset")
    for label, (name, channel) in enumerate((("with_mask", 0), ("without_mask", 2))):
        (root / name).mkdir()
        for index in range(30):
            photo = textured_photo(1000 * label + index) // 3
            photo[..., channel] += 150
            cv2.imwrite(str(root / name / f"p{index:02d}.png"), photo)
    return root


def training_command(dataset, model, *options):
    return ["train_mask_detector.py", "--dataset", dataset, "--model", model,
            "--plot", Path(model).parent / "plot.png", *QUICK, *options]  # fmt: skip


@pytest.fixture(scope="module")
def trained(reds_and_blues, tmp_path_factory, run):
    """One unbroken training of both stages."""
    folder = tmp_path_factory.mktemp("trained")
    stages = ("--epochs", "3", "--fine-tune", "30", "--fine-tune-epochs", "2")
    done = run(*training_command(reds_and_blues, folder / "m.keras", *stages))
    assert done.returncode == 0, done.stderr
    return folder, done, stages


def read_log(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_training_leaves_model_report_plots_and_log(trained):
    folder, done, _ = trained
    names = {path.name for path in folder.iterdir()}
    assert names == {"m.keras", "m_report.txt", "m_confusion_matrix.png", "m_log.csv", "plot.png"}
    for name in names:
        assert str(folder / name) in done.stdout  # told where
    assert cv2.imread(str(folder / "plot.png")).std() > 5
    assert (folder / "m_report.txt").read_text() in done.stdout
    assert re.search(r"TensorFlow \S+, Keras \S+ on (CPU|\S)", done.stdout)
    assert "split: train 42, val 9, test 9" in done.stdout or "split: train 44" in done.stdout


def test_the_log_has_a_row_per_epoch_with_the_rate_of_its_stage(trained):
    rows = read_log(trained[0] / "m_log.csv")
    assert [row["stage"] for row in rows] == ["head"] * 3 + ["fine-tuning"] * 2
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    rates = [float(row["learning_rate"]) for row in rows]
    assert rates[0] == pytest.approx(1e-3) and rates[3] == pytest.approx(1e-4)


def test_the_card_tells_the_test_report_and_plain_keras_loads_the_model(
    trained, keras, reds_and_blues
):
    from mask_detector.audit import audit_dataset, split_samples
    from mask_detector.images import fit, read_image
    from mask_detector.model_file import read_card

    path = trained[0] / "m.keras"
    card = read_card(path)
    assert card.class_names == ("with_mask", "without_mask")
    assert card.training_options["fine_tune"] == 30
    model = keras.models.load_model(path)
    assert model.get_layer("feature_map")
    assert "augmentation" not in [layer.name for layer in model.layers]

    test = split_samples(audit_dataset(reds_and_blues, show_progress=False), 42)["test"]
    pixels = np.stack([fit(read_image(sample.path), 32) for sample in test])
    answers = model.predict(pixels, verbose=0).argmax(axis=1)
    expected = confusion_matrix([sample.label for sample in test], answers, labels=[0, 1])
    assert [list(row) for row in card.metrics["confusion_matrix"]] == expected.tolist()
    assert card.metrics["n"] == len(test)


def test_no_path_of_the_training_machine_is_in_the_card(trained):
    from mask_detector.model_file import read_card

    assert str(ROOT) not in json.dumps(read_card(trained[0] / "m.keras").to_dict())
    assert "/" not in read_card(trained[0] / "m.keras").training_options["backbone_weights"]


@pytest.mark.parametrize("killed_in", ["head", "fine-tuning"])
def test_a_killed_training_resumes_and_ends_like_an_unbroken_one(
    killed_in, trained, reds_and_blues, tmp_path, run, keras
):
    unbroken, _, stages = trained
    model = tmp_path / "m.keras"
    command = [str(part) for part in training_command(reds_and_blues, model, *stages)]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / command[0]), *command[1:]],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    state = tmp_path / "m.training" / "state.json"
    wait_until(lambda: killed_in in (state.read_text() if state.exists() else ""), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not model.exists()

    done = run(*command, "--resume")
    assert done.returncode == 0, done.stderr
    assert re.search(r"resuming after epoch \d", done.stdout)
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in unbroken.iterdir()}
    for ours, theirs in zip(read_log(tmp_path / "m_log.csv"), read_log(unbroken / "m_log.csv"),
                            strict=True):  # fmt: skip
        for name in ("loss", "val_loss", "accuracy", "learning_rate"):
            assert float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-4), name
    resumed, whole = (keras.models.load_model(f / "m.keras") for f in (tmp_path, unbroken))
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def wait_until(condition, process, timeout_s=180):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.02)


def test_resume_refuses_other_options_and_names_them(reds_and_blues, tmp_path, run):
    folder = tmp_path / "m.training"
    folder.mkdir()
    settings = {"epochs": 20, "data": "another set"}
    (folder / "state.json").write_text(json.dumps({"settings": settings, "history": []}))
    command = training_command(reds_and_blues, tmp_path / "m.keras", "--epochs", "1", "--resume")
    assert_clear_error(run(*command), "epochs was 20, now 1", "--resume")


def test_the_h5_format_is_honoured_and_options_beyond_the_usual_work(
    reds_and_blues, tmp_path, run, keras
):
    """Three classes of any name, given train and test folders, head only."""
    root = tmp_path / "castings"
    for split, photos in (("train", 14), ("test", 4)):
        for shade, name in ((0, "def_front"), (90, "ok_front"), (180, "odd one")):
            (root / split / name).mkdir(parents=True)
            for index in range(photos):
                grey = textured_photo(len(name) * 1000 + (split == "test") * 500 + index)[..., 0]
                cv2.imwrite(str(root / split / name / f"{index}.bmp"), grey // 4 + shade)
    model = tmp_path / "deep" / "m.h5"
    done = run(*training_command(root, model, "--epochs", "1"))
    assert done.returncode == 0, done.stderr
    assert "odd one" in done.stdout and "n = 12" in done.stdout
    assert keras.models.load_model(model, compile=False).output_shape == (None, 3)
    from mask_detector.model_file import read_card

    assert read_card(model).class_names == ("def_front", "odd one", "ok_front")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--dataset", "/nowhere"), ["/nowhere", "one folder of photos per class"]),
        (("--model", "m.model"), ["m.model", ".keras or .h5"]),
        (("--model", "/proc/no/m.keras"), ["/proc/no", "can't be written"]),
        (("--epochs", "0"), ["--epochs 0", "1 to"]),
        (("--learning-rate", "-1"), ["--learning-rate -1.0"]),
        (("--image-size", "8"), ["--image-size 8", "32 to"]),
        (("--architecture", "alexnet"), ["alexnet", "mobilenet_v2"]),
        (("--backbone-weights", "/no/weights.h5"), ["/no/weights.h5", "imagenet, none"]),
        (("--backbone-weights", str(ROOT / "Makefile")), ["Makefile", "does not fit"]),
    ],
)
def test_bad_options_get_one_clear_line(options, words, reds_and_blues, tmp_path, run):
    command = training_command(reds_and_blues, tmp_path / "m.keras", "--epochs", "1")
    assert_clear_error(run(*command, *options, cwd=tmp_path), *words)


def test_a_failed_download_of_imagenet_weights_names_the_ways_out(reds_and_blues, tmp_path, run):
    command = training_command(reds_and_blues, tmp_path / "m.keras", "--epochs", "1",
                               "--backbone-weights", "imagenet", "--image-size", "96")  # fmt: skip
    nowhere = {"KERAS_HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    done = run(*command, env=nowhere)
    assert_clear_error(done, "could not be downloaded", "--backbone-weights PATH", "none")
