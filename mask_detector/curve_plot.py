"""Draw ROC and precision-recall curves side by side, a line per class, as PNG; needs no display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from mask_detector.curves import ClassCurves
from mask_detector.figures import new_figure, save
from mask_detector.labels import printable, shortened

_LONGEST_NAME = 24  # letters of a class; its middle gives way
_MOST_INSIDE = 5  # lines of a legend that leave room for curves


def plot_curves(curves: Sequence[ClassCurves], path: Path, title: str) -> None:
    """Draw the curves of every class that has some, with their areas.

    Args:
        curves: in class order.
        path: the PNG to write.
        title: what was judged.
    """
    legend_height = 0.2 * len(curves) if len(curves) > _MOST_INSIDE else 0.0  # inches
    figure = new_figure(10, 5.2 + legend_height, layout="constrained")
    figure.suptitle(printable(title), parse_math=False)
    roc, precision_recall = figure.subplots(1, 2)
    for number, curve in enumerate(curves):
        if curve.roc_area is None:
            continue
        # A class of two is the mirror of the other: dashes let both be seen where they lie alike.
        style = {"color": f"C{number}", "linestyle": ("-", "--", "-.", ":")[number % 4]}
        name = shortened(printable(curve.class_name), _LONGEST_NAME)
        label = f"{name}, area {curve.roc_area:.4f}"
        roc.plot(curve.false_positive_rate, curve.true_positive_rate, **style, label=label)
        label = f"{name}, average precision {curve.average_precision:.4f}"
        precision_recall.step(curve.recall, curve.precision, where="post", **style, label=label)
        guess = {"color": style["color"], "linestyle": ":", "alpha": 0.4}
        precision_recall.axhline(curve.share, **guess)  # who guesses is right so often
    if all(curve.roc_area is None for curve in curves):
        figure.supxlabel("pictures of one class alone: there is nothing to tell them from")
    roc.plot([0, 1], [0, 1], color="black", linestyle=":", alpha=0.5)
    _finish(roc, "part of the others that is taken for the class", "part of the class found")
    roc.set_title("ROC (dotted: guessing)")
    _finish(precision_recall, "recall", "precision")
    precision_recall.set_title("precision and recall (dotted: guessing)")
    save(figure, path, 110)


def _finish(axes: Axes, x_label: str, y_label: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(0, 1.02), xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3)
    count = len(axes.get_legend_handles_labels()[0])
    if count:
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12), "fontsize": 8}
        place = {"loc": "lower right"} if count <= _MOST_INSIDE else below
        for text in axes.legend(**place).get_texts():
            text.set_parse_math(False)  # a folder's name may look like TeX
