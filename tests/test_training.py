"""Training as a user starts it: its files, its repeatability, a kill and `--resume`."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from conftest import ROOT, textured_photo
from data_sets import audit, untaught_backbone, voc, write
from sklearn.metrics import confusion_matrix

# The smallest network on 32-pixel pictures: seconds, and all the same code.
QUICK = ("--architecture", "cnn", "--image-size", "32", "--batch-size", "8",
         "--learning-rate", "0.001", "--crop", "none", "--export", "none")  # fmt: skip


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
            *QUICK, *options]  # fmt: skip


@pytest.fixture(scope="module")
def train(run_here):
    """Train as the script does, but here: what it has said."""

    def train_here(*command):
        done = run_here("train", *command[1:])
        assert done.returncode == 0, done.stderr
        return done.stdout

    return train_here


@pytest.fixture(
    scope="module",
    params=[("vgg_small", "6", "3"), ("spots", "30", "0")],
    ids=["kept views", "ever new views"],
)
def trained(request, reds_and_blues, tmp_path_factory, train):
    """One unbroken training of both stages: on frozen features, and on the pictures themselves."""
    folder, (architecture, fine_tune, views) = tmp_path_factory.mktemp("trained"), request.param
    backbone = untaught_backbone(architecture, tmp_path_factory.mktemp("weights"))
    stages = ("--architecture", architecture, "--backbone-weights", backbone, "--epochs", "3",
              "--fine-tune", fine_tune, "--fine-tune-epochs", "2",
              "--views", views)  # fmt: skip
    said = train(*training_command(reds_and_blues, folder / "m.keras", *stages))
    return folder, said, stages


def read_log(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_training_leaves_model_report_plots_and_log(trained):
    folder, said, _ = trained
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "m.keras", "m_report.txt", "m_confusion_matrix.png", "m_reliability.png", "m_log.csv",
        "m_training_plot.png",
    }  # fmt: skip
    for name in names:
        assert str(folder / name) in said  # told where
    for name in ("m_training_plot.png", "m_confusion_matrix.png", "m_reliability.png"):
        assert cv2.imread(str(folder / name)).std() > 5
    assert (folder / "m_report.txt").read_text() in said
    assert re.search(r"TensorFlow \S+, Keras \S+ on (CPU|\S)", said)
    assert re.search("^pictures: train 4[24], val [89], test [89]$", said, re.M)


def test_the_log_has_a_row_per_epoch_with_the_rate_of_its_stage(trained):
    rows = read_log(trained[0] / "m_log.csv")
    assert [row["stage"] for row in rows] == ["head"] * 3 + ["fine-tuning"] * 2
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    rates = [float(row["learning_rate"]) for row in rows]
    assert rates == pytest.approx([1e-3, 7.5e-4, 2.5e-4, 1e-4, 5e-5])  # each half a cosine
    losses = [float(row["loss"]) for row in rows]
    assert losses[-1] < 0.8 * losses[0]


def answers(model, samples, margin, size=32):
    """What a model says about samples, cut out here by hand, `(n, classes)`."""
    from mask_detector.images import fit

    pixels = []
    for sample in samples:
        image = cv2.imread(str(sample.path))[..., ::-1]
        if sample.box:
            across, down = (round(side * margin) for side in (sample.box.width, sample.box.height))
            image = image[
                max(0, sample.box.top - down) : sample.box.bottom + down,
                max(0, sample.box.left - across) : sample.box.right + across,
            ]
        pixels.append(fit(np.ascontiguousarray(image), size))
    return model.predict(np.stack(pixels), verbose=0)


def loss_at(temperature, probabilities, labels):
    """Mean of -log p(true class), the logits divided by a temperature."""
    powers = np.maximum(probabilities.astype(np.float64), 1e-38) ** (1 / temperature)
    right = powers[np.arange(len(labels)), labels] / powers.sum(axis=1)
    return -np.log(right).mean()


def test_the_card_tells_the_test_report_and_plain_keras_loads_the_model(
    trained, keras, reds_and_blues
):
    from mask_detector.model_file import read_card
    from mask_detector.training_data import gather

    path, options = trained[0] / "m.keras", trained[2]
    card = read_card(path)
    assert card.class_names == ("with_mask", "without_mask")
    assert str(card.training_options["fine_tune"]) == options[options.index("--fine-tune") + 1]
    model = keras.models.load_model(path)
    assert model.get_layer("feature_map")
    assert model.input_shape == (None, 32, 32, 3)
    assert "augmentation" not in [layer.name for layer in model.layers]

    splits = gather([audit(reds_and_blues)], split_seed=42).splits
    labels = {split: np.array([s.label for s in part]) for split, part in splits.items()}
    said = answers(model, splits["test"], card.crop_margin)
    expected = confusion_matrix(labels["test"], said.argmax(axis=1), labels=[0, 1])
    assert [list(row) for row in card.metrics["confusion_matrix"]] == expected.tolist()
    assert card.metrics["n"] == len(splits["test"])
    assert card.training_data["sources"] == {
        reds_and_blues.name: {split: len(part) for split, part in splits.items()}
    }

    said = answers(model, splits["val"], card.crop_margin)
    log = read_log(trained[0] / "m_log.csv")
    most = max(float(row["val_accuracy"]) for row in log)
    best = min(float(row["val_loss"]) for row in log if float(row["val_accuracy"]) == most)
    assert loss_at(1.0, said, labels["val"]) == pytest.approx(best, rel=0.02)  # the best epoch's
    if (said.argmax(axis=1) == labels["val"]).all():
        assert card.temperature == 1.0 and card.thresholds == {"not_sure": 0.0}
    else:
        at_its_best = loss_at(card.temperature, said, labels["val"])
        others = [loss_at(t, said, labels["val"]) for t in np.geomspace(0.25, 10, 50)]
        assert at_its_best <= min(others) + 1e-4
        assert 0 < card.thresholds["not_sure"] <= 0.99


def test_no_path_of_the_training_machine_is_in_the_card(trained):
    from mask_detector.model_file import read_card

    assert str(ROOT) not in json.dumps(read_card(trained[0] / "m.keras").to_dict())
    assert "/" not in read_card(trained[0] / "m.keras").training_options["backbone_weights"]


def test_a_killed_training_resumes_and_ends_like_an_unbroken_one(
    trained, reds_and_blues, tmp_path, tmp_path_factory, run, keras
):
    """Killed in every stage that it comes to, one after the other, and resumed each time."""
    unbroken, _, options = trained
    keeps_features = options[-1] != "0"
    model, told = tmp_path / "m.keras", tmp_path_factory.mktemp("told")
    command = [str(part) for part in training_command(reds_and_blues, model, *options)]
    moments = ("features", "head", "fine-tuning") if keeps_features else ("fine-tuning",)
    for number, moment in enumerate(moments):
        resume = ["--resume"] if number else []
        output = told / moment
        kill_in(moment, [*command, *resume], model, output)
        assert ("no epoch was finished" in output.read_text()) == (moment == "head")
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


def kill_in(moment, command, model, output):
    """Start a training, kill it in the middle of something, and look at what it leaves."""
    kept = model.with_suffix(".training")
    state = kept / "state.json"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-u", str(ROOT / command[0]), *command[1:]],
            cwd=ROOT, stdout=file, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if moment == "features":
            wait_until(lambda: list(kept.glob("train-features.*")), process)
        else:
            wait_until(lambda: moment in (state.read_text() if state.exists() else ""), process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not model.exists()
    assert (json.loads(state.read_text())["history"] == []) == (moment == "features")


def test_a_stage_whose_epochs_are_all_done_is_not_trained_again(reds_and_blues, tmp_path, keras):
    """The process died after the last epoch, before it could note that the stage is over."""
    from mask_detector.checkpoints import Checkpoints
    from mask_detector.training import train
    from mask_detector.training_data import gather
    from mask_detector.training_options import TrainingOptions

    splits = gather([audit(reds_and_blues)], split_seed=42).splits
    options = TrainingOptions(
        architecture="vgg_small", epochs=2, fine_tune=4, fine_tune_epochs=1, views=2,
        image_size=32, batch_size=16,
        backbone_weights=str(untaught_backbone("vgg_small", tmp_path)),
    )  # fmt: skip
    folder, log = tmp_path / "m.training", tmp_path / "log.csv"

    def trained_to_the_end(resume):
        checkpoints = Checkpoints.open(folder, {}, resume=resume)
        trained = train(splits, ("on", "off"), options, checkpoints, log, verbose=0)
        return trained.model.get_weights()

    whole, rows = trained_to_the_end(resume=False), read_log(log)
    state = json.loads((folder / "state.json").read_text())
    assert state["finished_stages"] == ["head", "fine-tuning"]
    (folder / "state.json").write_text(json.dumps({**state, "finished_stages": ["head"]}))
    again = trained_to_the_end(resume=True)
    assert read_log(log) == rows
    for a, b in zip(again, whole, strict=True):
        np.testing.assert_array_equal(a, b)


def test_small_sets_are_passed_over_more_often_unless_told_otherwise():
    from mask_detector.training_options import TrainingOptions
    from mask_detector.training_stages import stages_of

    def epochs(count, **options):
        return [stage.epochs for stage in stages_of(TrainingOptions(**options), count)]

    assert epochs(100_000) == [4, 8]
    assert epochs(320) == [15, 30]  # 10 steps each: 150 and 300 in all
    assert epochs(1) == [150, 300]
    assert epochs(320, epochs=2, fine_tune_epochs=3) == [2, 3]
    assert epochs(320, fine_tune=0) == [15]


def wait_until(condition, process, timeout_s=180):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.02)


def test_the_h5_format_is_honoured_and_options_beyond_the_usual_work(
    reds_and_blues, tmp_path, train, keras
):
    """Three classes of any name, given train and test folders, head only, and an export."""
    from mask_detector.engines import fastest_sibling
    from mask_detector.model_file import read_card

    root = tmp_path / "castings"
    for split, photos in (("train", 14), ("test", 4)):
        for shade, name in ((0, "def_front"), (90, "ok_front"), (180, "odd one")):
            (root / split / name).mkdir(parents=True)
            for index in range(photos):
                grey = textured_photo(len(name) * 1000 + (split == "test") * 500 + index)[..., 0]
                cv2.imwrite(str(root / split / name / f"{index}.bmp"), grey // 4 + shade)
    model = tmp_path / "deep" / "m.h5"
    options = ("--crop", "auto", "--face", tmp_path / "never opened", "--export", "float32")
    said = train(*training_command(root, model, "--epochs", "1", *options))
    assert "odd one" in said and "n = 12" in said
    assert keras.models.load_model(model, compile=False).output_shape == (None, 3)
    assert read_card(model).class_names == ("def_front", "odd one", "ok_front")
    assert not (tmp_path / "never opened").exists()  # no class speaks of masks
    exported = fastest_sibling(model, "litert")
    assert exported.name == "m_float32.tflite" and f"{exported}" in said
    assert re.search(r"^float32 +\d\.\d{4} +100.00%", said, re.M)


def test_two_sources_marked_faces_and_chosen_classes(
    reds_and_blues, tmp_path, train, keras, face_folder
):
    """Class folders and VOC boxes together; the third class is left out, the order is ours."""
    from mask_detector.model_file import read_card
    from mask_detector.training_data import gather

    street, names = tmp_path / "street", ("without_mask", "with_mask")
    for index in range(24):
        photo = textured_photo(5000 + index, (120, 160)) // 3
        photo[:, :80, 0] += 150
        photo[:, 80:, 2] += 150
        write(street / "images" / f"{index}.png", photo)
        boxes = [
            ("mask", 11, 21, 60, 90),
            ("no_mask", 91, 21, 150, 90),
            ("wrong_mask", 5, 5, 40, 40),
        ]
        voc(street / "annotations" / f"{index}.xml", f"{index}.png", boxes[index % 3 :])
    model = tmp_path / "m.keras"
    told = train(*training_command(
        reds_and_blues, model, "--dataset", street, "--classes", ",".join(names), "--epochs", "3",
        "--crop", "faces", "--face", face_folder, "--split-seed", "3", "--seed", "5",
    ))  # fmt: skip
    data = gather([audit(reds_and_blues), audit(street)], split_seed=3, class_names=names)
    for name in (reds_and_blues.name, "street"):
        counts = ", ".join(f"{split} {n}" for split, n in data.sources[name].items())
        assert told.count(f"{name}: {counts}") == 2  # before the training and in its report
    card = read_card(model)
    assert card.class_names == names
    assert card.training_data == {"fingerprint": data.fingerprint, "sources": data.sources}
    test = data.splits["test"]
    assert {sample.box is None for sample in test} == {True, False}
    said = answers(keras.models.load_model(model), test, card.crop_margin).argmax(axis=1)
    expected = confusion_matrix([sample.label for sample in test], said, labels=[0, 1])
    assert [list(row) for row in card.metrics["confusion_matrix"]] == expected.tolist()
