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


def record(checkpoints, *losses, stage="head"):
    for loss in losses:
        row = {"stage": stage, "val_loss": loss}
        checkpoints.record(row, SavesItself(f"weights at {loss}"), stops_early=False)


def reopen(folder, settings=SETTINGS):
    return Checkpoints.open(folder, settings, resume=True)


def test_the_best_and_the_last_epoch_are_kept_and_no_other(tmp_path):
    folder = tmp_path / "run"
    record(Checkpoints(folder, SETTINGS), 0.5, 0.3, 0.4, 0.35)
    again = reopen(folder)
    assert again.best_model.read_text() == "weights at 0.3"
    assert again.last_model.read_text() == "weights at 0.35"
    assert len(list(folder.glob("*.keras"))) == 2
    assert [row["val_loss"] for row in again.history] == [0.5, 0.3, 0.4, 0.35]


def test_a_death_before_the_state_is_written_leaves_the_epoch_before(tmp_path):
    folder = tmp_path / "run"
    checkpoints = Checkpoints(folder, SETTINGS)
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


def test_finished_stages_are_remembered(tmp_path):
    checkpoints = Checkpoints(tmp_path / "run", SETTINGS)
    record(checkpoints, 0.5)
    checkpoints.finish_stage("head")
    again = reopen(tmp_path / "run")
    assert again.is_finished("head") and not again.is_finished("fine-tuning")


def test_a_new_run_moves_an_unfinished_one_aside(tmp_path):
    record(Checkpoints(tmp_path / "run", SETTINGS), 0.5)
    fresh = Checkpoints.open(tmp_path / "run", SETTINGS, resume=False)
    assert fresh.history == []
    assert json.loads((tmp_path / "run.old" / "state.json").read_text())["history"]


def test_other_settings_and_damage_are_refused_with_what_differs(tmp_path):
    record(Checkpoints(tmp_path / "run", SETTINGS), 0.5)
    with pytest.raises(MaskDetectorError, match=r"margin was 0\.3, now 0\.1"):
        reopen(tmp_path / "run", {**SETTINGS, "margin": 0.1})
    (tmp_path / "run" / "state.json").write_text("{ cut off")
    with pytest.raises(MaskDetectorError, match="damaged"):
        reopen(tmp_path / "run")
