"""Count how a model fares on pictures that are known to be hard, kind by kind.

    python -m benchmarks.hard_cases --data DIR --model models/mask_detector.keras --output sheets

`docs/hard_cases.csv` names the pictures, sorted by eye: from the test parts (split seed 42) of the
sets that the shipped model is trained on, and from a set that it is not. DIR holds these public
sets under the names of the table's first column. Where the annotation is plainly wrong
(`wrong_label`), `true_class` is what the eye sees. Prints a markdown table: right, not sure and
wrong verdicts add up to n. A model is not asked about classes that it does not know.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.one_line_errors import errors_in_one_line
from mask_detector.crop_evaluation import Crops
from mask_detector.crop_report import order_by_interest, tiles_of
from mask_detector.labels import model_class_of
from mask_detector.mask_classifiers import MaskClassifier, load_classifier
from mask_detector.montage import draw_montage
from mask_detector.runtimes.parity import load_crops
from mask_detector.types import EDGES, FaceBox, Sample

CASES = Path(__file__).resolve().parents[1] / "docs" / "hard_cases.csv"


@dataclass(frozen=True)
class Case:
    """A picture under one kind; it may stand under several."""

    set_name: str
    photo: str  # relative to the set's folder
    box: FaceBox | None  # None for whole photos
    true_class: str
    kind: str


def read_cases(path: Path) -> list[Case]:
    """Read the table, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Case(row["set"], row["photo"], _box_of(row), row["true_class"], row["kind"])
            for row in csv.DictReader(file)
        ]


def _box_of(row: dict[str, str]) -> FaceBox | None:
    return FaceBox(*(int(row[edge]) for edge in EDGES), 1.0) if row["left"] else None


def present_cases(cases: list[Case], data: Path) -> list[Case]:
    """Those whose photo is there; names the sets that are not, and counts single photos."""
    missing = {case.set_name for case in cases if not (data / case.set_name).is_dir()}
    for name in sorted(missing):
        print(f"skipped: no set {name} in {data}", file=sys.stderr)
    wanted = [case for case in cases if case.set_name not in missing]
    present = [case for case in wanted if (data / case.set_name / case.photo).is_file()]
    if len(present) < len(wanted):
        print(f"skipped: {len(wanted) - len(present)} cases whose photo is gone", file=sys.stderr)
    return present


def crops_of(cases: list[Case], data: Path, class_names: tuple[str, ...]) -> Crops:
    """What a model can be asked: cases of classes it knows by name, else by meaning."""
    labels = [model_class_of(case.true_class, class_names) for case in cases]
    samples = tuple(
        Sample(data / case.set_name / case.photo, label, number, case.box)
        for number, (case, label) in enumerate(zip(cases, labels, strict=True))
        if label is not None
    )
    return Crops(data, class_names, samples, {}, 0)


def judge(crops: Crops, classifier: MaskClassifier) -> np.ndarray:
    """`(n, classes)` calibrated probabilities, faces cut out with the card's margin."""
    return classifier.predict(load_crops(list(crops.samples), classifier.card))


def table_row(
    kind: str, model: Path, crops: Crops, probabilities: np.ndarray, not_sure: float
) -> str:
    """One line: n, right, not sure, and each wrong answer with what it was given for."""
    verdicts, labels = probabilities.argmax(axis=1), crops.labels
    is_given = probabilities.max(axis=1) >= not_sure
    is_right = verdicts == labels
    wrong = is_given & ~is_right
    names = crops.class_names
    mistakes = Counter(zip(verdicts[wrong].tolist(), labels[wrong].tolist(), strict=True))
    words = ", ".join(
        f"{count} {names[said]} for {names[true]}" for (said, true), count in mistakes.items()
    )
    counts = (len(labels), (is_given & is_right).sum(), (~is_given).sum())
    return f"| {kind} | {model} | {' | '.join(map(str, counts))} | {words or '0'} |"


def report(args: argparse.Namespace) -> None:
    """Print the table and write the montages, the surest mistakes first."""
    cases = present_cases(read_cases(args.cases), args.data)
    classifiers = [load_classifier(path) for path in args.model]
    print("| kind | model | n | right | not sure | wrong |\n|---|---|---|---|---|---|")
    for kind in dict.fromkeys(case.kind for case in cases):
        members = [case for case in cases if case.kind == kind]
        for number, (path, classifier) in enumerate(zip(args.model, classifiers, strict=True)):
            card = classifier.card
            crops = crops_of(members, args.data, card.class_names)
            probabilities = judge(crops, classifier)
            threshold = card.least_confidence
            print(table_row(kind, path, crops, probabilities, threshold), flush=True)
            if args.output:
                order = np.concatenate(order_by_interest(probabilities, crops.labels))
                tiles = tiles_of(crops, probabilities, order, card.crop_margin)
                sheet = args.output / f"{number + 1}_{path.name}" / f"{kind}.png"
                draw_montage(tiles, sheet, f"{kind}, {path.name}")


def main() -> None:
    """Read the options and report; what is wrong with a model or photo is told in one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of the sets")
    parser.add_argument("--model", type=Path, action="append", required=True, help="repeatable")
    parser.add_argument("--output", type=Path, help="folder for a montage per model and kind")
    parser.add_argument("--cases", type=Path, default=CASES, help="the table of pictures")
    args = parser.parse_args()
    with errors_in_one_line():
        report(args)


if __name__ == "__main__":
    main()
