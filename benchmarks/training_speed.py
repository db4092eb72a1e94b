"""What a training costs and what comes of it: the usual tutorial's recipe against ours.

    python -m benchmarks.training_speed --dataset masks4k --test faces12k --json training.json

Trains three times, each in a process of its own and one after the other: the classic recipe
(`classic_recipe.py`, 20 epochs), ours as it is by default, and our quick way (one view of each
picture, the head alone). Wall time, processor time and memory are those of the whole process, from
its start to the saved model; reading and checking the photos is in them. Each model is judged by
its own test split, which is easier where it is random, and all by `--test`, photos that none saw.
For ours "one epoch" is one on frozen features, with its validation; the column after it is what a
picture costs each time that it is shown, everything included. Prints a markdown table.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.one_line_errors import errors_in_one_line
from mask_detector.benchmark.machine import processor_name, versions
from mask_detector.cores import core_count
from mask_detector.errors import MaskDetectorError, writing
from mask_detector.model_file import read_card

ROOT = Path(__file__).resolve().parents[1]
OURS = ("train_mask_detector.py", "--export", "none")
RECIPES = {
    "classic": ("-m", "benchmarks.classic_recipe"),
    "ours": OURS,
    "ours, quick": (*OURS, "--fine-tune", "0", "--views", "1"),
}


@dataclass(frozen=True)
class Cost:
    """What a process took from its start to its end."""

    wall_s: float
    processor_s: float  # user and system
    peak_memory_mb: float  # resident; of ours, pages of the features' file may be among it


@dataclass(frozen=True)
class Row:
    """One recipe."""

    recipe: str
    command: str
    cost: Cost
    pictures: int  # trained on
    epochs: int
    epoch_ms: float  # per picture, mean over the epochs
    shown_ms: float  # wall time of all by how often a picture is shown
    own: tuple[float, int]  # accuracy on its own test split, and n
    unseen: dict[str, Any] | None  # accuracy on `--test` with its interval


def run_child(arguments: list[str], log_path: Path) -> Cost:
    """Run Python in a process of its own, and measure it.

    Raises:
        MaskDetectorError: it failed; its last words say why.
    """
    started = time.perf_counter()
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)  # knows what it used, unlike `Popen.wait`
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - started
    if process.returncode:
        words = log_path.read_text(errors="replace").strip().splitlines() or ["nothing"]
        raise MaskDetectorError(f"{' '.join(arguments)} failed, saying: {words[-1]}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, kilobytes / 1024)


def measure(recipe: str, args: argparse.Namespace, folder: Path) -> Row:
    """Train by one recipe, and judge what comes out."""
    name = recipe.replace(", ", "_")
    model, log_path = folder / f"{name}.keras", folder / f"{name}.log"
    command = [*RECIPES[recipe], "--dataset", str(args.dataset.resolve()), "--seed", str(args.seed)]
    if args.backbone_weights != "imagenet":
        command += ["--backbone-weights", str(Path(args.backbone_weights).resolve())]
    figures_path = folder / f"{name}.json"
    if recipe == "classic":
        outputs = ["--output", str(model), "--json", str(figures_path)]
        outputs += ["--epochs", str(args.classic_epochs)]
    else:
        outputs = ["--model", str(model), "--plot", str(folder / f"{name}.png")]
    cost = run_child([*command, *outputs], log_path)
    if recipe == "classic":
        figures = json.loads(figures_path.read_text())
    else:
        figures = _figures_of_ours(model, log_path)
    return Row(
        recipe=recipe,
        command=" ".join(["python", *RECIPES[recipe]]),
        cost=cost,
        pictures=figures["pictures"],
        epochs=figures["epochs"],
        epoch_ms=figures["epoch_ms_per_image"],
        shown_ms=1000 * cost.wall_s / figures["pictures"] / figures["epochs"],
        own=(figures["accuracy"], figures["n"]),
        unseen=_judge(model, args.test, folder / f"{name}_unseen") if args.test else None,
    )


def _figures_of_ours(model: Path, log_path: Path) -> dict[str, Any]:
    """The same figures as `classic_recipe.run` gives, from what `train` leaves behind."""
    with model.with_name(f"{model.stem}_log.csv").open(newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    printed = re.search(r"^pictures: train (\d+)", log_path.read_text(errors="replace"), re.M)
    card = read_card(model)
    pictures = int(printed[1])
    return {
        "accuracy": card.metrics["accuracy"],
        "n": card.metrics["n"],
        "epochs": len(seconds),
        "pictures": pictures,
        "epoch_ms_per_image": 1000 * sum(seconds) / len(seconds) / pictures,
    }


def _judge(model: Path, photos: Path, stem: Path) -> dict[str, Any]:
    """Accuracy, with interval, on pictures that no recipe trained on."""
    path = stem.with_suffix(".json")
    command = ["-m", "mask_detector", "evaluate", "--dataset", str(photos.resolve())]
    run_child([*command, "--model", str(model), "--json", str(path)], stem.with_suffix(".log"))
    return json.loads(path.read_text())["margins"][0]["scores"]["accuracy"]


def table(rows: list[Row]) -> str:
    """Markdown; the last column says how many times the first row's wall time each takes."""
    lines = [
        "| recipe | pictures x epochs | one epoch, ms per picture | all, ms per picture shown "
        "| wall, s | processor, s | peak memory, MB | own test split | unseen photos "
        "| wall / classic | memory / classic |",
        "|" + "---|" * 11,
    ]
    for row in rows:
        cost, first = row.cost, rows[0].cost
        unseen = "-"
        if row.unseen:
            unseen = "{value:.3f} ({low:.3f}-{high:.3f}), n = {n}".format(**row.unseen)
        cells = [
            row.recipe,
            f"{row.pictures} x {row.epochs}",
            f"{row.epoch_ms:.1f}",
            f"{row.shown_ms:.1f}",
            f"{cost.wall_s:.0f}",
            f"{cost.processor_s:.0f}",
            f"{cost.peak_memory_mb:.0f}",
            f"{row.own[0]:.3f}, n = {row.own[1]}",
            unseen,
            f"{cost.wall_s / first.wall_s:.3f}",
            f"{cost.peak_memory_mb / first.peak_memory_mb:.3f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def compare(classic: Row, ours: Row) -> dict[str, dict[str, float]]:
    """What ours takes of what the classic recipe takes; below 1 is less."""
    pairs = {
        "epoch_ms": (classic.epoch_ms, ours.epoch_ms),
        "shown_ms": (classic.shown_ms, ours.shown_ms),
    }
    costs = asdict(classic.cost), asdict(ours.cost)
    pairs |= {name: (costs[0][name], costs[1][name]) for name in costs[0]}
    return {
        name: {"classic": before, "ours": after, "ratio": after / before}
        for name, (before, after) in pairs.items()
    }


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", type=Path, default=Path("dataset"), metavar="DIR")
    parser.add_argument(
        "--test", type=Path, metavar="DIR", help="photos that nothing is trained on"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="keep models and logs there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there, too")
    parser.add_argument("--backbone-weights", default="imagenet", help="or the path of a file")
    parser.add_argument("--classic-epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=42)


def main() -> None:
    """Train by each recipe, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    _add_arguments(parser)
    args = parser.parse_args()
    machine = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": processor_name(),
        "cores": core_count(),
        "versions": versions(),
    }
    with errors_in_one_line(), tempfile.TemporaryDirectory() as scratch:
        folder = (args.output or Path(scratch)).resolve()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for recipe in RECIPES:
            print(f"training: {recipe}", file=sys.stderr, flush=True)
            rows.append(measure(recipe, args, folder))
        print(f"{machine['processor']}, {machine['cores']} cores\n\n{table(rows)}")
        if args.json:
            with writing(args.json):
                figures = {
                    "machine": machine,
                    "rows": [asdict(row) for row in rows],
                    "comparisons": {row.recipe: compare(rows[0], row) for row in rows[1:]},
                }
                args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
