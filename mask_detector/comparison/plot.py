"""Draw accuracy over size, one point for each network, as PNG; needs no display."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

from mask_detector.comparison.verdict import Entry, Verdict
from mask_detector.figures import new_figure, save

_COLOURS = ("#1f4e8c", "#c9582b", "#3b8a57", "#8a4f9e", "#7a7a7a", "#b8a020")


def plot_comparison(entries: list[Entry], verdict: Verdict, title: str, path: Path) -> None:
    """Test accuracy with its 95 % interval over parameters, and over multiply-adds.

    Widths of one architecture are joined by a line; the best and the smallest that is not
    significantly worse are named in rings.

    Args:
        entries: the networks.
        verdict: which of them to ring.
        title: what they were judged by.
        path: the PNG to write.
    """
    figure = new_figure(12, 5, layout="constrained")
    figure.suptitle(title, fontsize=10, parse_math=False)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, what in zip(panels, ("parameters", "multiply_adds"), strict=True):
        _draw(axes, entries, verdict, what)
        axes.set_xlabel(what.replace("_", "-") + (" of one picture" if "adds" in what else ""))
    panels[0].set_ylabel("test accuracy")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=9)
    save(figure, path, 130)


def _draw(axes: Axes, entries: list[Entry], verdict: Verdict, what: str) -> None:
    architectures = list(dict.fromkeys(entry.architecture for entry in entries))
    for number, architecture in enumerate(architectures):
        members = [entry for entry in entries if entry.architecture == architecture]
        members.sort(key=lambda entry: getattr(entry, what))
        x = [getattr(entry, what) for entry in members]
        y = [entry.accuracy.value for entry in members]
        reach = [
            [entry.accuracy.value - entry.accuracy.low for entry in members],
            [entry.accuracy.high - entry.accuracy.value for entry in members],
        ]
        colour = _COLOURS[number % len(_COLOURS)]
        axes.errorbar(x, y, reach, fmt="o-", color=colour, capsize=3, label=architecture)
        for entry, at, height in zip(members, x, y, strict=True):
            place = {"xytext": (5, -12), "textcoords": "offset points", "fontsize": 8}
            axes.annotate(f"x{entry.width:g}", (at, height), **place, color=colour)
    for entry, colour, area, label in (
        (verdict.best, "black", 120, "best"),
        (verdict.smallest, "#d62728", 260, "smallest not significantly worse"),
    ):
        place = getattr(entry, what), entry.accuracy.value
        axes.scatter(*place, area, "none", edgecolors=colour, linewidths=1.6, label=label)
    axes.set_xscale("log", subs=[2, 5])
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(EngFormatter(sep=""))
    axes.grid(alpha=0.3, which="both")
    axes.spines[["top", "right"]].set_visible(False)
