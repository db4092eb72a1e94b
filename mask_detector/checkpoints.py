"""What a training leaves on disk after each epoch, so that a killed one can go on.

A folder holds the last and the best epoch as whole Keras models (weights, optimizer, learning
rate) and `state.json`, which names them. The JSON is replaced in one step after the models are
written: whenever the process dies, the folder describes a finished epoch.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from mask_detector.errors import MaskDetectorError, writing


def rank(row: dict[str, Any]) -> tuple[float, float]:
    """Orders epochs, the best first: by validation accuracy, equal ones by validation loss.

    By the loss alone a few sure mistakes, often wrong labels, would outvote many right verdicts;
    how sure a model is of itself is mended by the temperature afterwards.
    """
    return -row["val_accuracy"], row["val_loss"]


class Checkpoints:
    """The saved state of one training run."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        """
        Args:
            folder: where to keep the state; made when there is something to keep.
            settings: what the run depends on; a run with other settings cannot go on from here.
        """
        self.folder = folder
        self._state: dict[str, Any] = {
            "settings": settings,
            "history": [],  # a row per finished epoch, see `record`
            "finished_stages": [],
            "last": None,
            "best": None,
        }
        self._aside: Path | None = None  # where `open` has put an earlier run

    @classmethod
    def open(cls, folder: Path, settings: dict[str, Any], *, resume: bool) -> Checkpoints:
        """Continue the run kept in `folder`, or begin a new one.

        A run with a finished epoch that is not resumed is moved aside, never overwritten.

        Raises:
            MaskDetectorError: the kept run had other settings, or its files are damaged.
        """
        checkpoints = cls(folder, settings)
        state_file = folder / "state.json"
        if not (resume and state_file.exists()):
            if state_file.exists() and next(folder.glob("epoch-*.keras"), None):
                aside = folder.with_name(folder.name + ".old")
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)
                checkpoints._aside = aside
                for features in aside.glob("*.npy"):  # large, and soon computed again
                    features.unlink()
            shutil.rmtree(folder, ignore_errors=True)
            checkpoints._write()
            return checkpoints
        try:
            state = json.loads(state_file.read_text())
            kept = state["settings"]
        except (ValueError, KeyError) as error:
            raise MaskDetectorError(
                f"{state_file} is damaged ({error}); delete {folder} and train anew"
            ) from error
        settings = json.loads(json.dumps(settings))
        changed = [k for k in {**kept, **settings} if kept.get(k) != settings.get(k)]
        if changed:
            differences = ", ".join(
                f"{k} was {kept.get(k)}, now {settings.get(k)}" for k in changed
            )
            raise MaskDetectorError(
                f"can't resume the training in {folder}: {differences}; give the options of that "
                f"run again, or leave out --resume to begin anew"
            )
        checkpoints._state = state
        return checkpoints

    @property
    def history(self) -> list[dict[str, Any]]:
        """A row per finished epoch: `stage`, `loss`, `val_loss`, `accuracy`, ..."""
        return self._state["history"]

    @property
    def best_model(self) -> Path:
        return self.folder / self._state["best"]

    @property
    def last_model(self) -> Path:
        return self.folder / self._state["last"]

    def is_finished(self, stage: str) -> bool:
        return stage in self._state["finished_stages"]

    def rows_of(self, stage: str) -> list[dict[str, Any]]:
        return [row for row in self.history if row["stage"] == stage]

    def record(self, row: dict[str, Any], model: Any) -> None:
        """Keep a finished epoch.

        Args:
            row: its figures; see `rank` for which epoch is the best.
            model: the compiled `keras.Model`, saved whole.
        """
        is_best = all(rank(row) < rank(earlier) for earlier in self.history)
        name = f"epoch-{len(self.history) + 1:03d}.keras"
        with writing(self.folder / name):
            model.save(self.folder / name)
        self._state["history"].append(row)
        self._state["last"] = name
        if is_best:
            self._state["best"] = name
        self._write()
        for file in self.folder.glob("epoch-*.keras"):
            if file.name not in (self._state["last"], self._state["best"]):
                file.unlink()

    def finish_stage(self, stage: str) -> None:
        self._state["finished_stages"].append(stage)
        self._write()

    def withdraw(self) -> None:
        """Give an earlier run its place back, if nothing was trained since.

        A run that got nowhere must not take the place of one that can go on. Where there was none,
        what has been computed for the first epoch stays, for a run that begins anew.
        """
        if self.history:
            return
        if self._aside:
            self.discard()
            self._aside.rename(self.folder)
        elif not next(self.folder.glob("*.npy"), None):
            self.discard()

    def discard(self) -> None:
        """Remove the folder once the final model is saved."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self) -> None:
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = self.folder / "state.json.part"
            partial.write_text(json.dumps(self._state, indent=1))
            partial.replace(self.folder / "state.json")
