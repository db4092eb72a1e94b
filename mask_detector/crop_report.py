"""Show what `crop_evaluation.py` found: in words, as pictures of the mistakes, as a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mask_detector.crop_evaluation import CropReport, Crops
from mask_detector.errors import writing
from mask_detector.images import cut_out, read_image
from mask_detector.intervals import Estimate
from mask_detector.labels import NOT_SURE
from mask_detector.montage import TILE_SIDE, Tile
from mask_detector.types import EDGES
from mask_detector.wording import counted


def crop_text(crops: Crops, reports: Sequence[CropReport]) -> str:
    """A table per margin; with several, the worst in the last line."""
    counts = np.bincount(crops.labels, minlength=len(crops.class_names))
    classes = ", ".join(f"{name} {n}" for name, n in zip(crops.class_names, counts, strict=True))
    kind = "face" if crops.is_marked else "photo"
    whole_count = sum(sample.box is None for sample in crops.samples)
    lines = [f"{counted(len(crops.samples), kind)}: {classes}"]
    if crops.is_marked and whole_count:
        lines.append(f"judged whole: {counted(whole_count, 'photo')} without one face alone")
    lines += [f"left out: {counted(n, kind)} {reason}" for reason, n in crops.left_out.items()]
    if crops.unused_files:
        files = counted(crops.unused_files, "file")
        lines.append(f"left out: {files} of the folder, copies or unusable")
    for report in reports:
        title = "judged whole" if report.margin is None else f"crop margin {report.margin:g}"
        rows = [(name, estimate.text()) for name, estimate in _named_estimates(report)]
        width = max(len(name) for name, _ in rows)
        lines += ["", f"{title:<{width}}  value  95 % interval        n"]
        lines += [f"{name:<{width}}  {text}" for name, text in rows]
    if len(reports) > 1:
        worst = min(reports, key=lambda report: report.scores.balanced_accuracy.value)
        value = worst.scores.balanced_accuracy.value
        lines += ["", f"worst margin: {worst.margin:g}, balanced accuracy {value:.3f}"]
    return "\n".join(lines)


def _named_estimates(report: CropReport) -> Iterator[tuple[str, Estimate]]:
    scores = report.scores
    yield "accuracy", scores.accuracy
    yield "balanced accuracy", scores.balanced_accuracy
    for label, name in enumerate(report.report.class_names):
        yield f"recall {name}", scores.recall[label]
        for size, estimate in (report.recall_by_size or ({},) * (label + 1))[label].items():
            if estimate.n:
                yield f"  faces {size} px", estimate
        yield f"precision {name}", scores.precision[label]
        yield f"F1 {name}", scores.f1[label]
        curve, n = report.curves[label], scores.recall[label].n
        yield f"ROC area {name}", Estimate(curve.roc_area, None, None, n)
        yield f"average precision {name}", Estimate(curve.average_precision, None, None, n)
    yield "calibration error", scores.calibration_error
    yield f"not sure (below {report.not_sure:.2f})", report.unsure
    yield "right of the verdicts given", report.right_of_given


def order_by_interest(
    probabilities: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the mistakes, the surest first, and of right verdicts, the least sure first."""
    confidence = probabilities.max(axis=1)
    is_wrong = probabilities.argmax(axis=1) != labels
    rising, falling = (np.argsort(c, kind="stable") for c in (confidence, -confidence))
    return falling[is_wrong[falling]], rising[~is_wrong[rising]]


def tiles_of(
    crops: Crops, probabilities: np.ndarray, indices: Sequence[int], margin: float | None
) -> list[Tile]:
    """Show verdicts: the picture as it was judged, the answer and the true class."""
    tiles = []
    for index in indices:
        sample, answer = crops.samples[index], probabilities[index]
        first = f"{crops.class_names[answer.argmax()]} {answer.max():.0%}".replace("%", " %")
        second = f"true: {crops.class_names[sample.label]}"
        picture = cut_out(read_image(sample.path), sample.box, margin, TILE_SIDE)
        tiles.append(Tile(picture, first, second))
    return tiles


def write_verdicts(crops: Crops, probabilities: np.ndarray, not_sure: float, path: Path) -> None:
    """Write a line per picture: mistakes first, then right verdicts, in the montages' order.

    Raises:
        MaskDetectorError: the file can't be written.
    """
    answers = [f"p({name})" for name in crops.class_names]
    order = np.concatenate(order_by_interest(probabilities, crops.labels))
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            table = csv.writer(file)
            table.writerow(["photo", *EDGES, "true_class", *answers, "verdict", "is_right"])
            for index in order:
                sample, answer = crops.samples[index], probabilities[index]
                box = sample.box.edges if sample.box else ("",) * len(EDGES)
                likeliest = int(answer.argmax())
                table.writerow([
                    sample.path.relative_to(crops.root).as_posix(),
                    *box,
                    crops.class_names[sample.label],
                    *(f"{value:.6f}" for value in answer),
                    crops.class_names[likeliest] if answer.max() >= not_sure else NOT_SURE,
                    int(likeliest == sample.label),
                ])  # fmt: skip
