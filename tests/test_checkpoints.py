"""Whatever moment a training dies in, its folder describes a finished epoch."""

import json

import pytest

from mask_detector.checkpoints import Checkpoints
from mask_detector.errors import MaskDetectorError

SETTINGS = {"epochs": 3, "margin": 0.3}


class SavesItself:
    """Stands for a Keras model: all that `Checkpoints` asks of one is `save`."""

    def __init__(self, content):
        self.content = content

    def save(self, path):
        path.write_text(self.content)


def record(checkpoints, *losses, stage="head", accuracy=0.9):
    for loss in losses:
        row = {"stage": stage, "val_accuracy": accuracy, "val_loss": loss}
        checkpoints.record(row, SavesItself(f"weights at {loss}"))


def begin(folder):
    return Checkpoints.open(folder, SETTINGS, resume=False)


def reopen(folder, settings=SETTINGS):
    return Checkpoints.open(folder, settings, resume=True)


def test_the_best_and_the_last_epoch_are_kept_and_no_other(tmp_path):
    folder = tmp_path / "run"
    record(begin(folder), 0.5, 0.3, 0.4, 0.35)
    again = reopen(folder)
    assert again.best_model.read_text() == "weights at 0.3"
    assert again.last_model.read_text() == "weights at 0.35"
    assert len(list(folder.glob("*.keras"))) == 2
    assert [row["val_loss"] for row in again.history] == [0.5, 0.3, 0.4, 0.35]


def test_the_best_epoch_is_right_most_often_and_only_then_the_surest(tmp_path):
    folder = tmp_path / "run"
    checkpoints = begin(folder)
    record(checkpoints, 0.1, accuracy=0.90)
    record(checkpoints, 0.4, 0.3, 0.35, accuracy=0.95)
    record(checkpoints, 0.2, accuracy=0.94)
    assert reopen(folder).best_model.read_text() == "weights at 0.3"


@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_run_that_could_not_begin_leaves_the_disk_as_it_was(is_resumed, tmp_path):
    folder = tmp_path / "run"
    Checkpoints.open(folder, SETTINGS, resume=is_resumed).withdraw()
    assert not list(tmp_path.iterdir())
    record(begin(folder), 0.5)
    other = Checkpoints.open(folder, {"epochs": 7}, resume=False)
    assert reopen(folder, {"epochs": 7}).history == []
    other.withdraw()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    again = reopen(folder)
    assert again.last_model.read_text() == "weights at 0.5"
    again.withdraw()  # something was trained: it stays
    assert reopen(folder).last_model.exists()


def test_what_was_computed_for_the_first_epoch_is_kept_for_the_next_run(tmp_path):
    folder = tmp_path / "run"
    checkpoints = begin(folder)
    (folder / "train-features.npy").write_text("minutes of work")
    checkpoints.withdraw()
    assert (folder / "train-features.npy").exists() and reopen(folder).history == []


def test_a_death_before_the_state_is_written_leaves_the_epoch_before(tmp_path):
    folder = tmp_path / "run"
    checkpoints = begin(folder)
    record(checkpoints, 0.5)
    checkpoints._write = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        record(checkpoints, 0.4)
    again = reopen(folder)
    assert [row["val_loss"] for row in again.history] == [0.5]
    assert again.last_model.read_text() == "weights at 0.5"


def test_a_death_before_the_first_epoch_leaves_nothing_to_resume(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "epoch-001.keras").write_text("half a file")
    assert reopen(folder).history == []


@pytest.mark.parametrize("losses", [(), (0.5, 0.4, 0.3)])
def test_features_kept_in_the_folder_serve_until_the_end(losses, tmp_path):
    """Also those of a process that died before its first epoch was over."""
    checkpoints = begin(tmp_path / "run")
    features = checkpoints.folder / "train-features.npy"
    features.write_bytes(b"features")
    record(checkpoints, *losses)
    again = reopen(tmp_path / "run")
    assert features.read_bytes() == b"features" and again.folder == features.parent
    assert len(again.history) == len(losses)
    with pytest.raises(MaskDetectorError, match="margin"):
        reopen(tmp_path / "run", {**SETTINGS, "margin": 0.1})
    again.discard()
    assert not features.exists()


@pytest.mark.parametrize("resume", [False, True])
def test_features_of_an_unknown_run_are_thrown_away(resume, tmp_path):
    """No `state.json` says which photos and options they were made with."""
    features = tmp_path / "run" / "train-features.npy"
    features.parent.mkdir()
    features.write_bytes(b"features")
    Checkpoints.open(tmp_path / "run", SETTINGS, resume=resume)
    assert not features.exists()


def test_a_run_without_an_epoch_leaves_nothing_behind_for_another(tmp_path):
    features = begin(tmp_path / "run").folder / "train-features.npy"
    features.write_bytes(b"features")
    assert begin(tmp_path / "run").history == []
    assert not features.exists() and not (tmp_path / "run.old").exists()


def test_finished_stages_are_remembered(tmp_path):
    checkpoints = begin(tmp_path / "run")
    record(checkpoints, 0.5)
    checkpoints.finish_stage("head")
    again = reopen(tmp_path / "run")
    assert again.is_finished("head") and not again.is_finished("fine-tuning")


def test_a_new_run_moves_an_unfinished_one_aside(tmp_path):
    record(begin(tmp_path / "run"), 0.5)
    (tmp_path / "run" / "train-features.npy").write_bytes(b"features")
    fresh = begin(tmp_path / "run")
    assert fresh.history == []
    aside = tmp_path / "run.old"
    assert json.loads((aside / "state.json").read_text())["history"]
    assert (aside / "epoch-001.keras").exists()
    assert not list(tmp_path.rglob("*.npy"))  # large, and computed anew


def test_other_settings_and_damage_are_refused_with_what_differs(tmp_path):
    record(begin(tmp_path / "run"), 0.5)
    with pytest.raises(MaskDetectorError, match=r"margin was 0\.3, now 0\.1"):
        reopen(tmp_path / "run", {**SETTINGS, "margin": 0.1})
    (tmp_path / "run" / "state.json").write_text("{ cut off")
    with pytest.raises(MaskDetectorError, match="damaged"):
        reopen(tmp_path / "run")
