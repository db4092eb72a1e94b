"""Pictures of a training and its result, as PNG; needs no display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mask_detector.types import Report


def plot_history(history: list[dict[str, float]], path: Path) -> None:
    """Draw loss and accuracy of every epoch.

    Args:
        history: a row per epoch with `loss`, `val_loss`, `accuracy`, `val_accuracy`, `stage`.
        path: the PNG to write.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    epochs = np.arange(1, len(history) + 1)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, label, style in ((name, "train", "o-"), (f"val_{name}", "validation", "s-")):
            axes.plot(epochs, [row[key] for row in history], style, markersize=3, label=label)
        stages = [row["stage"] for row in history]
        for index in range(1, len(stages)):
            if stages[index] != stages[index - 1]:
                axes.axvline(index + 0.5, color="grey", linestyle=":", label=stages[index])
        best = int(np.argmin([row["val_loss"] for row in history]))
        axes.axvline(best + 1, color="tab:green", alpha=0.5, label="best, kept")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def plot_confusion_matrix(report: Report, path: Path, title: str) -> None:
    """Draw the confusion matrix, coloured by the part of each true class."""
    counts = np.array(report.confusion_matrix)
    parts = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 3.2 + 0.9 * len(counts)
    figure = Figure(figsize=(side + 1.2, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(parts, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if parts[row, column] > 0.5 else "black"
        text = f"{count}\n{parts[row, column]:.1%}"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    ticks = range(len(counts))
    # A folder's name may hold anything, also bytes that are not UTF-8 and what looks like TeX.
    names = [name.encode("utf-8", "backslashreplace").decode() for name in report.class_names]
    axes.set_xticks(ticks, names, rotation=20, ha="right", parse_math=False)
    axes.set_yticks(ticks, names, parse_math=False)
    axes.set_xlabel("answer")
    axes.set_ylabel("true class")
    axes.set_title(f"{title} (n = {report.n}, accuracy {report.accuracy:.2%})")
    figure.colorbar(image, ax=axes, label="part of the true class", shrink=0.8)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
